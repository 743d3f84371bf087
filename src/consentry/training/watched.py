"""The job's side of its watchdog: starts it, notices when it is gone."""

from __future__ import annotations

import os
import select
import subprocess
import sys
from pathlib import Path

from consentry.errors import StateError

_START_S = 30.0
_END_S = 5.0
_INIT = 1
"""The system keeps signals from the first process of a container, SIGKILL too, if they come from inside."""


class Watched:
    """A watchdog process that watches this process."""

    def __init__(self, deadline_file: Path, journal: Path) -> None:
        """Start it and wait until it watches.

        Raises:
            StateError: it did not start, or could not kill this process.
        """
        if os.getpid() == _INIT:
            raise StateError(
                "lease-watchdog-powerless",
                "this job is the first process of its container, which nobody in there can kill",
                help="start it below another one: `docker run --init`, or `shareProcessNamespace: true`",
            )
        package = str(Path(__file__).parents[2])
        paths = [package, *filter(None, [os.environ.get("PYTHONPATH")])]
        self._process = subprocess.Popen(  # noqa: S603  # our own module, in our own interpreter
            [sys.executable, "-P", "-m", "consentry.training.watchdog", str(os.getpid()), deadline_file, journal],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            start_new_session=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
        )
        assert self._process.stdout is not None
        self._pipe = self._process.stdout.fileno()
        ready, _, _ = select.select([self._pipe], [], [], _START_S)
        if not ready or os.read(self._pipe, 1) != b"w":
            self._process.kill()
            self.close()
            raise StateError(
                "lease-watchdog-failed",
                "the process that would stop this job did not start",
                help="does `python -m consentry.training.watchdog` run in this environment?",
            )
        os.set_blocking(self._pipe, False)

    def alive(self) -> bool:
        """Whether it still watches. It holds the other end of the pipe, and writes nothing more."""
        try:
            return os.read(self._pipe, 1) != b""
        except BlockingIOError:
            return True

    def close(self) -> None:
        """Wait for its end, which comes when the job has said that it stopped."""
        try:
            self._process.wait(_END_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        assert self._process.stdout is not None
        self._process.stdout.close()
