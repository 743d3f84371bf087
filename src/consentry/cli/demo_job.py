"""The training job of the demo: a process of its own, which talks to the control plane like any other job."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from signal import Signals
from typing import IO, Any

from consentry.errors import ConsentryError

_WAIT_S = 60.0
_SHOWN_LINES = 3


@dataclass(slots=True)
class Job:
    """A training job that runs. `said` is what it printed so far, `complaints` the file of its errors."""

    process: subprocess.Popen[str]
    complaints: IO[str]
    said: list[Mapping[str, Any]] = field(default_factory=list)
    other: deque[str] = field(default_factory=lambda: deque(maxlen=_SHOWN_LINES))

    def until(self, what: str, *, step: int = 0) -> Mapping[str, Any]:
        """Wait until the job says something, at a step or later, and return it.

        Raises:
            ConsentryError: it ended without saying so; how it ended and what it said last are in the message.
        """
        assert self.process.stdout is not None, "the job was started with a pipe"
        for line in self.process.stdout:
            if (said := _document(line)) is None:
                self.other.append(line.strip())
                continue
            self.said.append(said)
            if said["said"] == what and said.get("step", 0) >= step:
                return said
        raise ConsentryError(
            "demo-job-failed",
            f"the training job ended without saying `{what}`: {self._end()}",
            help="run the demo again; if the machine has much else to do, when it has less",
        )

    def last_step(self) -> int:
        """Return the newest step that the job told."""
        return max((int(said.get("step", 0)) for said in self.said), default=0)

    def _end(self) -> str:
        """Say how the process ended, and what it said last."""
        self.complaints.seek(0)
        last = [*self.other, *(line.strip() for line in self.complaints if line.strip())][-_SHOWN_LINES:]
        if self.said:
            facts = {name: value for name, value in self.said[-1].items() if name != "uptime"}
            last.insert(0, f"it said {json.dumps(facts)}")
        return "; ".join([_ended_by(self.process.wait(_WAIT_S)), *last])


def _document(line: str) -> dict[str, Any] | None:
    """Return what the job says in a line; None if that is something else, or half of it."""
    try:
        found = json.loads(line)
    except ValueError:
        return None
    return found if isinstance(found, dict) and "said" in found else None


def _ended_by(status: int) -> str:
    if status >= 0:
        return f"exit status {status}"
    try:
        name = Signals(-status).name
    except ValueError:
        name = str(-status)
    # Only two send this one: its watchdog, and a system that is out of memory.
    why = " (its lease ran out while it went on, or memory did)" if name == "SIGKILL" else ""
    return f"killed by {name}{why}"


@contextmanager
def running(
    release: str, *, model: str, column: str, server: tuple[str, str], state: Path, passes: int
) -> Iterator[Job]:
    """Run a job on a release while the block lasts; `server` is an address and a token."""
    url, token = server
    command = [sys.executable, "-P", "-m", "consentry.training.practice", release]
    command += ["--model", model, "--job", f"{model}-job", "--column", column]
    command += ["--passes", str(passes), "--state", str(state)]
    environment = {**os.environ, "CONSENTRY_URL": url, "CONSENTRY_TOKEN": token}
    with (
        tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as complaints,
        subprocess.Popen(  # noqa: S603 - ours
            command, stdout=subprocess.PIPE, stderr=complaints, text=True, env=environment
        ) as process,
    ):
        try:
            yield Job(process, complaints)
            process.wait(_WAIT_S)
        finally:
            process.kill()
