"""Everything that oversight knows at a position: the fold of all open events before it.

Each part takes the events it understands and lets the others pass; so they can be read alone, or all together.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from consentry.ledger.envelope import Event
from consentry.oversight.assessment import Assessments
from consentry.oversight.case_fold import Cases
from consentry.oversight.destruction import Destructions
from consentry.oversight.lease import Lease, Leases
from consentry.oversight.lineage import Models
from consentry.oversight.lost_events import LostEvents
from consentry.oversight.notice import Notices
from consentry.oversight.objection import Objections
from consentry.oversight.order import Order, Orders
from consentry.oversight.policy_proposal import Proposals
from consentry.oversight.timeline import Timelines


class Overseen:
    """All parts, carried forward event by event. Not for several threads at a time."""

    def __init__(self) -> None:
        self.orders = Orders()
        self.leases = Leases()
        self.cases = Cases()
        self.timelines = Timelines()
        self.assessments = Assessments()
        self.notices = Notices()
        self.lineage = Models()
        self.destructions = Destructions()
        self.objections = Objections()
        self.proposals = Proposals()
        self.lost = LostEvents()

    def advance(self, events: Iterable[Event]) -> None:
        """Take in the events that follow."""
        parts = (
            self.orders,
            self.leases,
            self.cases,
            self.timelines,
            self.assessments,
            self.notices,
            self.lineage,
            self.destructions,
            self.objections,
            self.proposals,
            self.lost,
        )
        for event in events:
            if event.personal:
                continue
            for part in parts:
                part.take(event)

    def perhaps_ended_by(self, order: Order, *, since: int = 0) -> Iterator[Lease]:
        """Yield the leases that an order may have hit when they ended, though their end names another one.

        Of ends of version 1, after `since`, that is: given under the lease, or in force when it ended.
        """
        found, ended = self.leases.one_named(since=max(since, order.position)), order.ended
        if ended is None:
            return found
        return (
            lease
            for lease in found
            if lease.fence < order.position or (lease.ended is not None and ended.position > lease.ended.position)
        )

    @property
    def models(self) -> dict[str, list[str]]:
        """The leases of each model that was ever trained or registered."""
        found: dict[str, list[str]] = {model.name: [] for model in self.lineage}
        for lease in self.leases:
            found.setdefault(lease.model, []).append(lease.lease)
        return found
