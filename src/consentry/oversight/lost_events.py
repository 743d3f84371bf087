"""Events that were lost with the newest ledger: where somebody went on with an older copy of it, and by what word.

What stood there nobody knows but whoever said it, so whoever works with the ledger is reminded for good.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from consentry.ledger.case_events import Handle
from consentry.ledger.envelope import Event
from consentry.ledger.events import EventLost
from consentry.policy.choice import Seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Lost:
    """Positions [`first`, `last`] whose events are lost; `at` is when somebody went on without them."""

    first: int
    last: int
    reference: str
    by: Handle
    at: Seconds

    @property
    def events(self) -> int:
        """How many."""
        return self.last + 1 - self.first


class LostEvents:
    """All of them, folded from events, oldest first."""

    def __init__(self) -> None:
        self._lost: list[Lost] = []

    def __iter__(self) -> Iterator[Lost]:
        return iter(self._lost)

    def take(self, event: Event) -> None:
        """Take one event in, if it says that one is lost. Those that were lost together are one entry."""
        body = event.body
        if not isinstance(body, EventLost):
            return
        before = self._lost[-1] if self._lost else None
        if before is not None and (before.last + 1, before.reference, before.by) == (
            event.position, body.reference, body.by,
        ):  # fmt: skip
            self._lost[-1] = replace(before, last=event.position)
            return
        new = Lost(
            first=event.position, last=event.position, reference=body.reference, by=body.by, at=event.recorded_at
        )
        self._lost.append(new)
