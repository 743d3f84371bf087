"""The training job of the demo: a process of its own, which talks to the control plane like any other job."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from consentry.errors import ConsentryError

_WAIT_S = 30.0
_TTL_S = "5"


@dataclass(slots=True)
class Job:
    """A training job that runs. `said` is what it printed so far."""

    process: subprocess.Popen[str]
    said: list[Mapping[str, Any]] = field(default_factory=list)

    def until(self, what: str, *, step: int = 0) -> Mapping[str, Any]:
        """Wait until the job says something, at a step or later, and return it.

        Raises:
            ConsentryError: it ended without saying so.
        """
        assert self.process.stdout is not None, "the job was started with a pipe"
        for line in self.process.stdout:
            said: dict[str, Any] = json.loads(line)
            self.said.append(said)
            if said["said"] == what and said.get("step", 0) >= step:
                return said
        raise ConsentryError(
            "demo-job-failed",
            f"the training job ended without saying `{what}`",
            help="look above for what it printed; run the demo again",
        )

    def last_step(self) -> int:
        """Return the newest step that the job told."""
        return max((int(said.get("step", 0)) for said in self.said), default=0)


@contextmanager
def running(
    release: str, *, model: str, column: str, server: tuple[str, str], state: Path, passes: int
) -> Iterator[Job]:
    """Run a job on a release while the block lasts; `server` is an address and a token."""
    url, token = server
    command = [sys.executable, "-P", "-m", "consentry.training.practice", release]
    command += ["--model", model, "--job", f"{model}-job", "--column", column]
    command += ["--passes", str(passes), "--state", str(state), "--ttl", _TTL_S]
    environment = {**os.environ, "CONSENTRY_URL": url, "CONSENTRY_TOKEN": token}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:  # noqa: S603 - ours
        try:
            yield Job(process)
            process.wait(_WAIT_S)
        finally:
            process.kill()
