"""Go's clients, Sarama and kafka-go: `go/` has what they are asked, `go.mod` their versions."""

import os
import pathlib
import subprocess


def test_go(bootstrap):
    command = ["go", "test", "-count=1", "-timeout=5m", "./..."]
    here = pathlib.Path(__file__).resolve().parent / "go"
    done = subprocess.run(command, cwd=here, env=os.environ | {"BOOTSTRAP_SERVERS": bootstrap}, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
