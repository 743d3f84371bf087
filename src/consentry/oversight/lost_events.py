"""Events that were lost with the newest ledger: where somebody went on with an older copy of it, and by what word.

What stood there nobody knows but whoever said it, so whoever works with the ledger is reminded for good.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from consentry.errors import IntegrityError
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

    def told(self) -> IntegrityError:
        """Return it as an error, for whoever watches over a deployment. Nothing fails for it: it is not raised."""
        where = f"position `{self.first}`" if self.events == 1 else f"positions `{self.first}` to `{self.last}`"
        return IntegrityError(
            "ledger-events-lost",
            f"what was said at {where} of the ledger is lost",
            help="record again what was said since the copy was made, refusals first: consentry doctor says more",
        )


class LostEvents:
    """All of them, folded from events, oldest first. A position is `in` it if what stood there is lost."""

    def __init__(self) -> None:
        self._lost: list[Lost] = []

    def __contains__(self, position: object) -> bool:
        return isinstance(position, int) and any(each.first <= position <= each.last for each in self._lost)

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
