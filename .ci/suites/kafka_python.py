"""kafka-python: the integration tests of its source distribution. `kafka_python_plugin.py` stands in for what that leaves out."""

import pathlib
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
    chosen = ["-k", only] if only else []
    options = ["-p", "kafka_python_plugin", "-p", "no:cacheprovider", "--timeout=60", "--timeout-method=signal", f"--junitxml={report}", *chosen]
    place.run(place.dir / "venv/bin/python", "-m", "pytest", *options, "test/integration", cwd=place.dir / "source", env=env)
    if not report.exists():
        return {}
    outcomes = {}
    for case in xml.etree.ElementTree.parse(report).iter("testcase"):
        name = f"{case.get('classname')}::{case.get('name')}"
        kinds = {child.tag for child in case}
        outcome = "failed" if kinds & {"failure", "error"} else "skipped" if "skipped" in kinds else "passed"
        # An error on tearing down is a second entry of the same name.
        if outcomes.get(name) != "failed":
            outcomes[name] = outcome
    return outcomes
