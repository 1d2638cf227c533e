"""What is put on a server, run here: `deploy/kafka/node.sh` under another root, and what the template says about it."""

import json
import os
import shutil
import signal
import socket
import subprocess
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
KAFKA = REPOSITORY / "deploy" / "kafka"


def free_ports(count):
    held = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in held]
    for one in held:
        one.close()
    return ports


class Node:
    """Apache Kafka as a server has it, in a directory of its own."""

    user, password = "tickertape", "correct horse"

    def __init__(self, root, libs):
        self.root = root
        self.port, self.internal, self.controller = free_ports(3)
        home, self.config = root / "opt/kafka", root / "etc/kafka"
        home.mkdir(parents=True)
        self.config.mkdir(parents=True)
        for name in ("node.sh", "libs.sha256", "server.properties"):
            shutil.copy(KAFKA / name, home)
        self.name("localhost")
        # Maven Central's layout, with the jars that Maven has brought for the tests.
        self.repository = root / "maven"
        for line in (home / "libs.sha256").read_text().splitlines():
            path = self.repository / line.split()[1]
            path.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(libs / path.name, path)
        self.credentials = root / "credentials.json"
        self.credentials.write_text(json.dumps({"username": self.user, "password": self.password}))

    def name(self, public_name):
        self.public_name = public_name
        own = {
            "PUBLIC_NAME": public_name,
            "MAVEN": f"file://{self.root / 'maven'}",
            "LISTEN": "127.0.0.1",
            "PORT": self.port,
            "INTERNAL_PORT": self.internal,
            "CONTROLLER_PORT": self.controller,
        }
        (self.config / "node.env").write_text("".join(f"{name}={value}\n" for name, value in own.items()))

    def arguments(self, *arguments):
        command = ["bash", str(self.root / "opt/kafka/node.sh"), *map(str, arguments)]
        return {"args": command, "env": {**os.environ, "KAFKA_ROOT": str(self.root)}}

    def run(self, *arguments, check=True):
        done = subprocess.run(**self.arguments(*arguments), capture_output=True, text=True, timeout=300, check=False)
        if check:
            assert done.returncode == 0, done.stdout + done.stderr
        return done

    def start(self):
        self.run("prepare")
        log = (self.root / "kafka.log").open("a")
        self.process = subprocess.Popen(**self.arguments("run"), stdout=log, stderr=log)
        self.run("ready")

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(120) == 143, (self.root / "kafka.log").read_text()[-2000:]

    @property
    def ca(self):
        return self.root / "var/lib/kafka/tls/ca.pem"

    def client(self, **other):
        return {
            "bootstrap.servers": f"{self.public_name}:{self.port}",
            "security.protocol": "SASL_SSL",
            "sasl.mechanism": "SCRAM-SHA-512",
            "sasl.username": self.user,
            "sasl.password": self.password,
            "ssl.ca.location": str(self.ca),
            **{name.replace("_", "."): value for name, value in other.items()},
        }


@pytest.fixture(scope="session")
def libs():
    return Path(os.environ["TICKERTAPE_KAFKA_LIBS"])


@pytest.fixture(scope="module")
def fetched(tmp_path_factory, libs):
    node = Node(tmp_path_factory.mktemp("node"), libs)
    node.run("fetch")
    return node


@pytest.fixture(scope="module")
def node(fetched):
    fetched.start()
    fetched.run("password", fetched.credentials)
    yield fetched
    if fetched.process.poll() is None:
        fetched.process.kill()
        fetched.process.wait()
