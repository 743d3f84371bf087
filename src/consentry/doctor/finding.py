"""Findings: one thing that was looked at, and what to do about it.

A finding is `ok`, `missing` (something works less well, or is made on first use) or a `problem` (the system cannot do
its work, or not safely).
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import StrEnum


class State(StrEnum):
    """How bad a finding is."""

    OK = "ok"
    MISSING = "missing"
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that was looked at: what was found, what it is for and, unless it is ok, what to do."""

    name: str
    state: State
    found: str
    purpose: str
    remedy: str = ""

    def to_json(self) -> dict[str, str]:
        """Return the finding as a flat object, for `--json`."""
        return {**asdict(self), "state": str(self.state)}


def unreadable(name: str, error: OSError, *, purpose: str) -> Finding:
    """Return the finding about something that this user may not look at."""
    found = error.strerror or type(error).__name__
    remedy = "let this user read it"
    return Finding(name=name, state=State.PROBLEM, found=found, purpose=purpose, remedy=remedy)
