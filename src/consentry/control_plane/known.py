"""What is known at a position.

Of people and content (`Present`), of orders, cases, leases and models (`Overseen`), of amendments (`Amendments`).
"""

from __future__ import annotations

from collections.abc import Iterable

from consentry.control_plane.parts import Parts
from consentry.ledger.envelope import Event
from consentry.ledger.state import State
from consentry.oversight.overseen import Overseen
from consentry.policy.expressions import Rule
from consentry.policy.vocabulary import Purpose
from consentry.release.amendment import Amendments
from consentry.release.present import Present


class Known(Present):
    """All of it, carried forward together.

    INVARIANT: `overseen` and `amendments` are at `position`, like everything else here.
    """

    def __init__(self, parts: Parts) -> None:
        self._ledger = parts.ledger
        super().__init__(parts.people, parts.people, cohorts=parts.people)

    def _forget(self) -> None:
        super()._forget()
        self.overseen = Overseen()
        self.amendments = Amendments()

    def advance(self, events: Iterable[Event]) -> None:
        """Take in the events that follow. If that fails all is forgotten: the next call begins at position 0."""
        new = list(events)
        super().advance(new)
        try:
            self._take_open(new)
        except BaseException:
            self._forget()
            raise

    def restore(self, state: State) -> None:
        """Start from a state that was kept. What oversight knows is not kept: all open events are read for it.

        Most of those are reports of what jobs consumed: it takes as long as there are many.
        """
        super().restore(state)
        try:
            self._take_open(list(self._ledger.read(0, state.position, only_open=True)))
        except BaseException:
            self._forget()
            raise

    def _take_open(self, events: list[Event]) -> None:
        self.overseen.advance(events)
        for event in events:
            self.amendments.take(event)

    def suspensions(self, purpose: Purpose) -> tuple[Rule, ...]:
        """Return the rules of the orders in force that concern a purpose, whatever model is trained."""
        return tuple(rule for rule in self.overseen.orders.suspensions() if rule.applies_to(purpose))
