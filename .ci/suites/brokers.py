"""A broker for one suite: ours or Apache Kafka, on a free port, with a directory of its own that goes when it ends."""

import contextlib
import json
import os
import pathlib
import shutil
import socket
import subprocess
import tempfile

from place import REPOSITORY

SIDES = ("ours", "kafka")

_programs = {}


def prepare(side):
    """Builds what starts the broker, unless `TICKERTAPE_BROKER` or `TICKERTAPE_JUDGE` names a binary that is there already."""
    variable, name, arguments = {
        "ours": ("TICKERTAPE_BROKER", "tickertape-broker", ["--release"]),
        "kafka": ("TICKERTAPE_JUDGE", "tickertape-judge", []),
    }[side]
    if given := os.environ.get(variable):
        _programs[side] = pathlib.Path(given)
        return
    # The features of the whole workspace, so that nothing is built twice.
    command = ["cargo", "build", "--quiet", "--workspace", "--bin", name, "--message-format=json", *arguments]
    built = subprocess.run(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True, check=True)
    for line in built.stdout.splitlines():
        message = json.loads(line)
        if message.get("executable") and message["target"]["name"] == name:
            _programs[side] = pathlib.Path(message["executable"])


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


@contextlib.contextmanager
def start(side, properties, port, log):
    """Yields `host:port` of a broker with these properties; it is ended on leaving. Port 0 takes a free one."""
    sets = [part for name, value in properties.items() for part in ("--set", f"{name}={value}")]
    dir = tempfile.mkdtemp(prefix="tickertape-suite-")
    if side == "ours":
        # Told where it is to be found, as the judge tells Apache Kafka.
        address = f"127.0.0.1:{port or free_port()}"
        command = [_programs[side], "--listen", address, "--advertise", address, "--data-dir", dir, *sets]
    else:
        command = [_programs[side], "kafka", "--port", str(port), *sets]
    with open(log, "w", encoding="utf-8") as stderr:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=stderr, text=True)
        try:
            line = process.stdout.readline()
            if not line:
                raise SystemExit(f"the broker did not start ({process.wait()}): {log}")
            yield json.loads(line)["bootstrap_servers"] if side == "ours" else line.strip().partition("=")[2]
        finally:
            process.terminate()
            process.wait(60)
            shutil.rmtree(dir, ignore_errors=True)
