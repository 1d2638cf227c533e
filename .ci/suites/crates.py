"""A crate's own tests: its source as crates.io has it, built with the versions that it was published with."""

import json
import os
import re
import shutil

from place import CACHE

RESULT = re.compile(r"^test (.+?)(?: - should panic)? \.\.\. (ok|FAILED|ignored.*)$", re.MULTILINE)
OUTCOME = {"ok": "passed", "FAILED": "failed"}


def environment():
    """Both crates are built in one place, with this repository's compiler, whatever theirs would be."""
    return {
        "CARGO_TARGET_DIR": str(CACHE / "target"),
        "CARGO_INCREMENTAL": "0",
        "CARGO_PROFILE_DEV_DEBUG": "0",
        "CARGO_PROFILE_TEST_DEBUG": "0",
        "RUSTUP_TOOLCHAIN": os.environ.get("RUSTUP_TOOLCHAIN", "stable"),
    }


def prepare(place, name, version, newer=()):
    """Brings the crate's source: cargo downloads it as the dependency of a package that has nothing else.

    `newer` are dependencies to be taken in their newest compatible version: what was published with no longer compiles.
    """
    source = place.dir / "source"

    def bring():
        package = place.dir / "bring"
        (package / "src").mkdir(parents=True, exist_ok=True)
        (package / "src/lib.rs").touch()
        (package / "Cargo.toml").write_text(
            f'[package]\nname = "bring"\nedition = "2021"\n[dependencies]\n{name} = "={version}"\n[workspace]\n'
        )
        metadata = json.loads(place.build("cargo", "metadata", "--format-version=1", cwd=package, env=environment()))
        manifest = next(found["manifest_path"] for found in metadata["packages"] if found["name"] == name)
        shutil.rmtree(source, ignore_errors=True)
        shutil.copytree(os.path.dirname(manifest), source)
        for dependency in newer:
            place.build("cargo", "update", "--package", dependency, cwd=source, env=environment())

    def build():
        command = ["cargo", "test", "--quiet", "--locked", "--no-run", "--lib", "--tests", "--message-format=json"]
        built = place.build(*command, cwd=source, env=environment())
        messages = [json.loads(line) for line in built.splitlines() if line.startswith("{")]
        tests = [found for found in messages if found.get("executable") and found["profile"]["test"]]
        binaries = {found["target"]["name"]: found["executable"] for found in tests}
        (place.dir / "binaries.json").write_text(json.dumps(binaries))

    place.once("source", bring)
    place.once("built", build)


def run(place, only, env):
    """Runs each test binary; returns binary::test -> outcome. A test without an outcome has failed."""
    outcomes = {}
    chosen = [only] if only else []
    binaries = json.loads((place.dir / "binaries.json").read_text())
    for number, (name, path) in enumerate(sorted(binaries.items())):
        listed = place.build(path, "--list", *chosen, cwd=place.dir / "source", env=env)
        tests = [line.removesuffix(": test") for line in listed.splitlines() if line.endswith(": test")]
        outcomes |= {f"{name}::{test}": "failed" for test in tests}
        if tests:
            output = place.run(path, *chosen, cwd=place.dir / "source", env=env, append=number > 0)
            for test, result in RESULT.findall(output):
                outcomes[f"{name}::{test}"] = OUTCOME.get(result, "skipped")
    return outcomes
