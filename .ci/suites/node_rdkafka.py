"""node-rdkafka: the end-to-end tests of librdkafka's binding for Node.js. Its own docker set-up makes the topics first."""

import json
import pathlib
import shutil

NAME = "node-rdkafka"
VERSION = "3.6.1"
URL = "https://www.npmjs.com/package/node-rdkafka"
ABOUT = "librdkafka, Node.js"
PROPERTIES = {}
MOCHA = "10.8.2"
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
    report = place.dir / "report.json"
    report.unlink(missing_ok=True)
    specs = sorted((place.dir / "node_modules/node-rdkafka/e2e").glob("*.spec.js"))
    chosen = ["--grep", only] if only else []
    mocha = place.dir / "node_modules/.bin/mocha"
    reporter = ["--reporter", "json", "--reporter-option", f"output={report}"]
    place.run(mocha, "--exit", "--timeout", "120000", *reporter, *chosen, *specs, env=env)
    if not report.exists():
        return {}
    found = json.loads(report.read_text())
    outcomes = {}
    for key, outcome in (("passes", "passed"), ("pending", "skipped"), ("failures", "failed")):
        outcomes |= {test["fullTitle"]: outcome for test in found[key]}
    return outcomes
