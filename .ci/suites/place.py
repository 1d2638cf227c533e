"""Where a suite is kept, and how its programs are run."""

import contextlib
import os
import pathlib
import signal
import subprocess
import time

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
CACHE = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / "tickertape" / "suites"


class Place:
    """The directory of one suite in one version, and its logs of one side."""

    def __init__(self, suite, side):
        self.dir = CACHE / f"{suite.NAME}-{suite.VERSION}"
        self._logs = CACHE / "logs"
        self._name = f"{suite.NAME}.{side}"
        self.dir.mkdir(parents=True, exist_ok=True)
        self._logs.mkdir(parents=True, exist_ok=True)

    def log(self, what):
        return self._logs / f"{self._name}.{what}.log"

    def once(self, name, action):
        """Performs the action unless an earlier run has completed it."""
        done = self.dir / f"{name}.done"
        if not done.exists():
            action()
            done.touch()

    def build(self, *command, cwd=None, env=None):
        """Runs a command that has to succeed; returns its standard output."""
        run = subprocess.run(
            [str(part) for part in command],
            cwd=cwd or self.dir,
            env=os.environ | (env or {}),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        if run.returncode:
            raise SystemExit(f"{' '.join(map(str, command))}: exit code {run.returncode}\n{run.stdout}{run.stderr}")
        return run.stdout

    def run(self, *command, cwd=None, env=None, patience_s=600, append=False, until=None):
        """Runs tests, however they end; returns their standard output, which is kept in the log `output`, as what they say
        on standard error is in the log `errors`.

        What runs longer than `patience_s`, or on after the file `until` is there, is ended, and so is whatever it left
        behind.
        """
        mode = "a" if append else "w"
        with open(self.log("output"), mode) as output, open(self.log("errors"), mode) as errors:
            begin = output.seek(0, os.SEEK_END)
            process = subprocess.Popen(
                [str(part) for part in command],
                cwd=cwd or self.dir,
                env=os.environ | (env or {}),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=errors,
                start_new_session=True,
            )
            if not _wait(process, patience_s, until):
                errors.write(f"\nended after {patience_s} s\n")
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        with open(self.log("output"), "rb") as output:
            output.seek(begin)
            return output.read().decode(errors="replace")


def _wait(process, patience_s, until):
    """Whether the process ended, or has written its report, in time."""
    deadline = time.monotonic() + patience_s
    while time.monotonic() < deadline:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(5)
            return True
        if until and until.exists():
            return True
    return False
