"""Where it stands what was said of each case: the positions are known here, and the ledger has the events.

To a case belong the events that name it, what says that one of its orders is drained, and every serving of a notice
that it requires, or did. A notice may be served before the case requires it, so servings are noted by notice.
"""

from __future__ import annotations

from collections.abc import Iterable

from consentry.ledger.envelope import Event
from consentry.ledger.events import NoticeServed
from consentry.ledger.oversight_events import OrderDrained, OrderDrainedV1
from consentry.oversight.case import Case
from consentry.oversight.order import Order


class Timelines:
    """The positions of what was said of cases, folded from events."""

    def __init__(self) -> None:
        self._of_case: dict[str, list[int]] = {}
        self._of_notice: dict[str, list[int]] = {}
        self._of_order: dict[str, list[int]] = {}

    def take(self, event: Event) -> None:
        """Take one event in, if it may belong to a case."""
        body = event.body
        if isinstance(body, NoticeServed):
            self._of_notice.setdefault(body.notice, []).append(event.position)
        elif isinstance(body, OrderDrainedV1 | OrderDrained):
            self._of_order.setdefault(body.order, []).append(event.position)
        elif (case := getattr(body, "case", None)) is not None:
            self._of_case.setdefault(case, []).append(event.position)

    def of(self, case: Case, orders: Iterable[Order]) -> list[int]:
        """Return the positions of all that was said of a case with these orders since it was opened, oldest first."""
        found = list(self._of_case.get(case.case, ()))
        for notice in {*case.notices, *case.dropped}:
            found += self._of_notice.get(notice, ())
        for order in orders:
            found += self._of_order.get(order.order, ())
        return sorted(each for each in found if each >= case.position)
