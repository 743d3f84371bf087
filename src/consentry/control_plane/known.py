"""What is known at a position.

Of people and content (`Present`), of orders, cases, leases and models (`Overseen`), of amendments (`Amendments`), and
which people tables there were before. Of an earlier position only what decisions rested on is asked (`KnownThen`).
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable

from consentry.control_plane.parts import Parts
from consentry.digests import Digest
from consentry.ledger.envelope import Event
from consentry.ledger.events import PeopleLoaded
from consentry.ledger.state import State, unexplained
from consentry.oversight.order import Orders
from consentry.oversight.overseen import Overseen
from consentry.policy.expressions import Rule
from consentry.policy.vocabulary import Purpose
from consentry.release.amendment import Amendments
from consentry.release.present import Present


class PeopleTablesLoaded:
    """Every people table that was loaded, folded from events."""

    def __init__(self) -> None:
        self._positions: list[int] = []
        self._snapshots: list[Digest] = []

    def take(self, event: Event) -> None:
        """Take one event in, if it loads a people table."""
        if isinstance(event.body, PeopleLoaded):
            self._positions.append(event.position)
            self._snapshots.append(event.body.snapshot)

    def in_force(self, position: int, *, before: int | None = None) -> list[Digest]:
        """Return the table in force at a position, and those that were loaded from there on; `before` another one."""
        first = bisect_left(self._positions, position)
        end = None if before is None else max(first, bisect_left(self._positions, before))
        return self._snapshots[max(first - 1, 0) : end]


class KnownThen(Present):
    """People, choices and orders: all that it takes to decide as it was decided at a position.

    INVARIANT: `orders` are at `position`, like everything else here.
    """

    orders: Orders

    def __init__(self, parts: Parts) -> None:
        self._ledger = parts.ledger
        super().__init__(parts.people, parts.people, cohorts=parts.people)

    def _forget(self) -> None:
        super()._forget()
        self._forget_open()

    def _forget_open(self) -> None:
        self.orders = Orders()

    def advance(self, events: Iterable[Event]) -> None:
        """Take in the events that follow. If that fails all is forgotten: the next call begins at position 0."""
        new = list(events)
        super().advance(new)
        try:
            self._take_open([event for event in new if not event.personal])
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
        for event in events:
            self.orders.take(event)

    def suspensions(self, purpose: Purpose) -> tuple[Rule, ...]:
        """Return the rules of the orders in force that concern a purpose, whatever model is trained."""
        return tuple(rule for rule in self.orders.suspensions() if rule.applies_to(purpose))


class Known(KnownThen):
    """All of it, carried forward together.

    INVARIANT: `overseen`, `amendments` and `people_loaded` are at `position`, like everything else here.
    """

    unaccounted: int
    """Events that were empty when they were read, less those that erasures account for: more than none were deleted."""

    def advance(self, events: Iterable[Event]) -> None:
        """Take in the events that follow, and count what people said that is gone."""
        new = list(events)
        super().advance(new)
        self.unaccounted += unexplained(new)

    def _forget_open(self) -> None:
        self.unaccounted = 0
        self.overseen = Overseen()
        self.orders = self.overseen.orders
        self.amendments = Amendments()
        self.people_loaded = PeopleTablesLoaded()

    def _take_open(self, events: list[Event]) -> None:
        self.overseen.advance(events)
        for event in events:
            self.amendments.take(event)
            self.people_loaded.take(event)
