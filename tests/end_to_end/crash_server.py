"""Asks the process that forks a child for each verb or command, and kills it at one of its steps."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest


class Driver:
    """The process that carries out verbs in children."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "end_to_end.crash_driver"],
            cwd=Path(__file__).parents[1],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def carry_out(
        self, verb: str, home: Path, folder: Path, *, kill_at: int | str = 0, lines: bool = False
    ) -> tuple[int, int]:
        """Return how the child ended, and how many steps it took if it was not killed.

        It is killed at a step by its number, or at the first step of a kind. With `lines` a step is a line.
        """
        at, kind = (0, kill_at) if isinstance(kill_at, str) else (kill_at, "")
        return self._ask(verb=verb, home=str(home), folder=str(folder), kill_at=at, kind=kind, lines=lines)

    def command(self, words: Sequence[str], watched: Path, *, kill_at: int = 0, naive: str = "") -> tuple[int, int]:
        """Do the same with a command line; a step is what changes something below `watched`.

        With `naive` the child is broken in that way, see `crash_driver.NAIVE`.
        """
        return self._ask(words=list(words), home=str(watched), kill_at=kill_at, kind="", lines=False, naive=naive)

    def _ask(self, **job: Any) -> tuple[int, int]:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(job) + "\n")
        self.process.stdin.flush()
        answer: dict[str, Any] = json.loads(self.process.stdout.readline())
        self.kinds: list[str] = answer["kinds"]
        return answer["status"], len(self.kinds)

    def close(self) -> None:
        self.process.communicate()


@pytest.fixture(scope="module")
def driver() -> Iterator[Driver]:
    found = Driver()
    yield found
    found.close()
