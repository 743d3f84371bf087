"""Simulated holders of leases, many in a process of their own; `holder.py` is that process."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

_HOLDER = Path(__file__).with_name("holder.py")


class Holders:
    """A process with holders that have begun."""

    def __init__(self, **ask: Any) -> None:
        ask = {"deadlines": True, "lossy": False, "watching": True, "step_s": 0.02, "seed": 7, "together": 2, **ask}
        line = [sys.executable, str(_HOLDER), json.dumps(ask)]
        self.process = subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)  # noqa: S603
        assert self.process.stdout is not None
        if self.process.stdout.readline().strip() != "ready":
            raise SystemExit("the holders got no leases")

    def say(self, word: str) -> None:
        """Tell all of them something."""
        assert self.process.stdin is not None
        self.process.stdin.write(word + "\n")
        self.process.stdin.flush()

    def finish(self) -> list[dict[str, Any]]:
        """Return what became of them."""
        self.say("finish")
        assert self.process.stdout is not None
        found: list[dict[str, Any]] = json.loads(self.process.stdout.readline())
        self.process.wait()
        return found
