"""Node.js' client KafkaJS: `node/` has what it is asked, and its version."""

import os
import pathlib
import shutil
import subprocess

HERE = pathlib.Path(__file__).resolve().parent / "node"


def test_kafkajs(bootstrap, tmp_path):
    for path in HERE.glob("*.js*"):
        shutil.copy(path, tmp_path)
    for command in (["npm", "ci", "--no-audit", "--no-fund"], ["node", "--test"]):
        done = subprocess.run(command, cwd=tmp_path, env=os.environ | {"BOOTSTRAP_SERVERS": bootstrap}, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
