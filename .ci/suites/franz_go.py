"""franz-go: the tests of `pkg/kgo`, a client in pure Go: groups of both protocols, static members, transactions,
and groups whose connections are cut."""

import json
import os
import shutil

NAME = "franz-go"
VERSION = "1.22.2"
URL = "https://pkg.go.dev/github.com/twmb/franz-go/pkg/kgo"
ABOUT = "pure Go"
MODULE = "github.com/twmb/franz-go"
PROPERTIES = {}
CHAOS = "chaos/"
CHAOTIC = "^TestGroupETL$"
OUTCOME = {"pass": "passed", "fail": "failed", "skip": "skipped"}


def prepare(place):
    """Its tests want their module to be writable; the module cache is not."""

    def bring():
        found = json.loads(place.build("go", "mod", "download", "-json", f"{MODULE}@v{VERSION}"))
        source = place.dir / "source"
        shutil.rmtree(source, ignore_errors=True)
        shutil.copytree(found["Dir"], source)
        for dir, _, files in os.walk(source):
            os.chmod(dir, 0o755)
            for file in files:
                os.chmod(os.path.join(dir, file), 0o644)

    place.once("source", bring)
    place.build("go", "test", "-c", "-o", place.dir / "kgo.test", "./pkg/kgo", cwd=place.dir / "source")


def run(place, bootstrap, only):
    """All tests; then, as `chaos/<test>`, those that can be run with connections that die after 0.5 to 1.5 s."""
    env = {"KGO_SEEDS": bootstrap, "KGO_TEST_RF": "1", "KGO_TEST_RECORDS": "10000"}
    outcomes = {}
    if not (only or "").startswith(CHAOS):
        outcomes |= tests(place, env, only, append=False)
    if not only or only.startswith(CHAOS):
        chosen = (only or "").removeprefix(CHAOS) or CHAOTIC
        found = tests(place, env | {"KGO_TEST_CHAOS": "1"}, chosen, append=bool(outcomes))
        outcomes |= {CHAOS + test: outcome for test, outcome in found.items()}
    return outcomes


def tests(place, env, only, append):
    package = place.dir / "source/pkg/kgo"
    chosen = [f"-test.run={only}"] if only else []
    command = ["go", "tool", "test2json", place.dir / "kgo.test", "-test.v=test2json", "-test.timeout=9m", *chosen]
    output = place.run(*command, cwd=package, env=env, append=append)
    outcomes = {}
    for line in output.splitlines():
        event = json.loads(line)
        if test := event.get("Test"):
            # A test that was begun and never ended has failed.
            outcomes.setdefault(test, "failed")
            outcomes[test] = OUTCOME.get(event["Action"], outcomes[test])
    return outcomes
