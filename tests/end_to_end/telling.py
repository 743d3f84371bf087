"""People who were told something a while ago."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from consentry.bootstrap import Deployment
from consentry.ledger.events import Pseudonym
from consentry.policy.choice import Seconds


def told_then(deployment: Deployment, notice: str, people: Sequence[Pseudonym], *, at: Seconds) -> int:
    """Record that people are told, by a clock that shows `at`; return the position."""
    desk = deployment.control.desk
    parts = desk.parts
    desk.parts = replace(parts, clock=lambda: at)
    try:
        return deployment.control.notices.serve(notice, people, at=at)
    finally:
        desk.parts = parts
