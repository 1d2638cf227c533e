"""Other people's clients against the running binary: what starts it, and what it is asked by.

`TICKERTAPE` names the binary. Each server is started once for the whole run, on a free port, in a directory of its own,
and must stop cleanly (exit code 0) on SIGTERM at the end. With `BOOTSTRAP_SERVERS` the broker is the one that it names, Apache
Kafka say: what is asked of a broker has the same answers there.
"""

import dataclasses
import json
import os
import signal
import subprocess
import uuid

import pytest

BINARY = os.environ.get("TICKERTAPE", "tickertape")


@dataclasses.dataclass
class Server:
    """A started server: its process and the line of JSON that it printed when it was ready."""

    process: subprocess.Popen
    ready: dict


def start(*arguments):
    process = subprocess.Popen([BINARY, *arguments], stdout=subprocess.PIPE, text=True)
    line = process.stdout.readline()
    assert line, f"{arguments[0]} ended before it was ready, with exit code {process.wait()}"
    ready = json.loads(line)
    assert ready["ready"] is True
    return Server(process, ready)


def stop(server):
    server.process.send_signal(signal.SIGTERM)
    assert server.process.wait(timeout=60) == 0


@pytest.fixture(scope="session")
def bootstrap(tmp_path_factory):
    """`host:port` of a running broker."""
    if given := os.environ.get("BOOTSTRAP_SERVERS"):
        yield given
        return
    server = start("broker", "--listen", "127.0.0.1:0", "--data-dir", str(tmp_path_factory.mktemp("broker")))
    yield server.ready["bootstrap_servers"]
    stop(server)


@pytest.fixture(scope="session")
def s3(tmp_path_factory):
    """The ready line of a running S3 server: endpoint, access_key_id, secret_access_key."""
    server = start("s3", "--listen", "127.0.0.1:0", "--data-dir", str(tmp_path_factory.mktemp("s3")))
    yield server.ready
    stop(server)


@pytest.fixture
def topic():
    """A topic name that nothing else uses."""
    return f"clients-{uuid.uuid4().hex[:12]}"


@pytest.fixture
def tickertape():
    """Runs the binary to its end and returns what it printed."""

    def run(*arguments, text=None):
        done = subprocess.run([BINARY, *arguments], input=text, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, f"tickertape {' '.join(arguments)}: {done.stderr}"
        return done.stdout

    return run
