"""kafka-python: the integration tests of its source distribution. `kafka_python_plugin.py` stands in for what that leaves out."""

import pathlib
import re
import shutil
import sys
import tarfile
import xml.etree.ElementTree

NAME = "kafka-python"
VERSION = "3.0.12"
URL = "https://pypi.org/project/kafka-python"
ABOUT = "pure Python"
# As in the kafka.properties with which its fixtures start Kafka.
PROPERTIES = {
    "group.initial.rebalance.delay.ms": "0",
    "group.min.session.timeout.ms": "1000",
    "node.id": "0",
    "num.partitions": "4",
}
# How often a test is run whose consumer has forgotten its topics.
ATTEMPTS = 8
HERE = pathlib.Path(__file__).resolve().parent


def prepare(place):
    def bring():
        python = place.dir / "venv/bin/python"
        place.build(sys.executable, "-m", "venv", place.dir / "venv")
        extras = f"{NAME}[crc32c,lz4,snappy,testing,zstd]=={VERSION}"
        place.build(python, "-m", "pip", "install", "--quiet", "py", extras)
        download = ["download", "--quiet", "--no-deps", "--no-binary", NAME, "--dest", place.dir]
        place.build(python, "-m", "pip", *download, f"{NAME}=={VERSION}")
        archive = next(place.dir.glob("*.tar.gz"))
        with tarfile.open(archive) as tar:
            tar.extractall(place.dir, filter="data")
        source = place.dir / "source"
        shutil.rmtree(source, ignore_errors=True)
        (place.dir / archive.name.removesuffix(".tar.gz")).rename(source)

    place.once("installed", bring)


def run(place, bootstrap, only):
    outcomes, logs = attempt(place, bootstrap, ["-k", only, "test/integration"] if only else ["test/integration"])
    for _ in range(ATTEMPTS - 1):
        raced = [test for test, outcome in outcomes.items() if outcome == "failed" and forgot_its_topics(logs.get(test, ""))]
        if not raced:
            break
        print(f"    its consumer forgot its topics, run again: {', '.join(raced)}", flush=True)
        again, logs = attempt(place, bootstrap, [node_id(test) for test in raced], append=True)
        outcomes |= again
    return outcomes


def attempt(place, bootstrap, chosen, append=False):
    """Runs some of the tests; returns test -> outcome, and test -> what one that failed has logged."""
    report = place.dir / "report.xml"
    report.unlink(missing_ok=True)
    env = {
        "KAFKA_URI": f"kafka://{bootstrap}",
        "KAFKA_VERSION": "4.1",
        # A directory that has to be there, though nothing of it is used with an external broker.
        "KAFKA_ROOT": str(place.dir),
        "PYTHONPATH": str(HERE),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    options = ["-p", "kafka_python_plugin", "-p", "no:cacheprovider", "--timeout=60", "--timeout-method=signal"]
    options += [f"--junitxml={report}", "-o", "junit_logging=all", "-o", "junit_log_passing_tests=false"]
    command = [place.dir / "venv/bin/python", "-m", "pytest", *options, *chosen]
    place.run(*command, cwd=place.dir / "source", env=env, append=append)
    outcomes, logs = {}, {}
    if not report.exists():
        return outcomes, logs
    for case in xml.etree.ElementTree.parse(report).iter("testcase"):
        name = f"{case.get('classname')}::{case.get('name')}"
        kinds = {child.tag for child in case}
        outcome = "failed" if kinds & {"failure", "error"} else "skipped" if "skipped" in kinds else "passed"
        # An error on tearing down is a second entry of the same name.
        if outcomes.get(name) != "failed":
            outcomes[name] = outcome
            logs[name] = "".join(child.text or "" for child in case if child.tag.startswith("system-"))
    return outcomes, logs


def node_id(test):
    """A test's name as pytest takes it."""
    module, _, name = test.partition("::")
    parts = module.split(".")
    classes = [part for part in parts if part[0].isupper()]
    return "::".join([f"{'/'.join(parts[: len(parts) - len(classes)])}.py", *classes, name])


def forgot_its_topics(log):
    """Whether a consumer subscribed and did not ask for its topics' metadata afterwards.

    The client has this race: an answer to the request before, of all brokers and no topic, takes back the wish for another one
    (`ClusterMetadata.update_metadata` clears the flag that `set_topics` has set meanwhile from the other thread; two remarks
    there begin with "TODO: handle future when old metadata request is currently in-flight"). The next request is due after
    five minutes. How soon the broker answers decides how often it happens.
    """
    subscribed = list(re.finditer(r"Updating subscribed topics to: [(\[]'([^']+)'", log))
    return any(not re.search(rf"Sending metadata request .*{re.escape(one[1])}", log[one.end() :]) for one in subscribed)
