"""node-rdkafka: the end-to-end tests of librdkafka's binding for Node.js. Its own docker set-up makes the topics first."""

import json
import pathlib
import shutil

NAME = "node-rdkafka"
VERSION = "3.6.1"
URL = "https://www.npmjs.com/package/node-rdkafka"
ABOUT = "librdkafka, Node.js"
# As in its docker-compose.yml.
PROPERTIES = {"group.initial.rebalance.delay.ms": "0"}
MOCHA = "10.8.2"

# A consumer whose loop still holds a message while it is closed is never destroyed: librdkafka's threads wait for each other,
# without any connection to a broker. The hook that closes it then fails, as it does on Apache Kafka too, and the tests after
# it are not run.
HANGS = '"after each" hook'
ATTEMPTS = 4

HERE = pathlib.Path(__file__).resolve().parent


def prepare(place):
    """npm builds it with node-gyp, which would download Node's headers: those installed beside node are as good."""

    def bring():
        node = pathlib.Path(shutil.which("node") or "/usr/bin/node").resolve().parents[1]
        # One job at a time: with more, its rules look for librdkafka's config.h before it is made.
        env = {"JOBS": "1"}
        if (node / "include/node/node.h").exists():
            env["npm_config_nodedir"] = str(node)
        (place.dir / "package.json").write_text('{ "private": true }\n')
        packages = [f"node-rdkafka@{VERSION}", f"mocha@{MOCHA}"]
        place.build("npm", "install", "--no-audit", "--no-fund", *packages, env=env)

    place.once("installed", bring)


def run(place, bootstrap, only):
    env = {"KAFKA_HOST": bootstrap, "NODE_PATH": str(place.dir / "node_modules")}
    place.build("node", HERE / "node_rdkafka_topics.js", env=env)
    for _ in range(ATTEMPTS):
        found = mocha(place, only, env)
        if not any(HANGS in failure["fullTitle"] for failure in found["failures"]):
            break
    outcomes = {}
    for key, outcome in (("passes", "passed"), ("pending", "skipped"), ("failures", "failed")):
        outcomes |= {test["fullTitle"]: outcome for test in found[key]}
    return outcomes


def mocha(place, only, env):
    """What mocha reports; nothing if it did not come to that."""
    report = place.dir / "report.json"
    report.unlink(missing_ok=True)
    specs = sorted((place.dir / "node_modules/node-rdkafka/e2e").glob("*.spec.js"))
    chosen = ["--grep", only] if only else []
    reporter = ["--reporter", "json", "--reporter-option", f"output={report}"]
    program = place.dir / "node_modules/.bin/mocha"
    place.run(program, "--exit", "--timeout", "30000", *reporter, *chosen, *specs, env=env, until=report)
    return json.loads(report.read_text()) if report.exists() else {"passes": [], "pending": [], "failures": []}
