"""Reports that are due to an authority: generated from the ledger up to a position, and noted when delivered."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from consentry.control_plane.archive import Archive
from consentry.control_plane.casebook import CaseBook
from consentry.control_plane.conditions import checks_of, run_all
from consentry.control_plane.desk import Desk
from consentry.control_plane.removals import Removals
from consentry.control_plane.scope_counts import ScopeCounts
from consentry.control_plane.wording import require_handle, require_name, require_texts
from consentry.digests import Digest, canonical_json
from consentry.errors import ConflictError, InputError, NotFoundError, names_there_are
from consentry.ledger.case_events import Handle, ReportDelivered, ReportScheduled
from consentry.ledger.envelope import Event
from consentry.ledger.events import Body, PolicyPublished
from consentry.ledger.release_events import Sealing, Withdrawing
from consentry.oversight import case_report
from consentry.oversight.case import Answers, Case, Report
from consentry.oversight.order import Order
from consentry.oversight.overseen import Overseen
from consentry.policy.choice import Seconds
from consentry.release.amendment import Amendments


class ReportVerbs:
    """Verbs about reports."""

    def __init__(self, desk: Desk, *, archive: Archive, removals: Removals, book: CaseBook) -> None:
        self.desk = desk
        self.archive = archive
        self.counts = ScopeCounts(desk, archive=archive, removals=removals)
        self.book = book

    def schedule(self, name: str, report: str, *, title: str, due: Seconds, by: Handle) -> Case:
        """Note that a report is owed by a time.

        Raises:
            ConflictError: the case owes a report of this name.
        """
        require_handle(by)
        require_texts(title=title)
        require_name(report, "report", code="case-report-name")

        def schedule(case: Case) -> list[Body]:
            if report in case.reports:
                raise ConflictError(
                    "case-report-known", f"case `{name}` owes a report `{report}`", help="give another name"
                )
            return [ReportScheduled(case=name, report=report, title=title, due=due, by=by)]

        return self.book.say(name, schedule, over_too=True)

    def generate(self, name: str, report: str, *, position: int | None = None) -> dict[str, Any]:
        """Generate a report of the events [0, `position`), of all there are if it is not given.

        Where it was delivered of this position it is what was delivered: also in an earlier form.

        Raises:
            NotFoundError: there was no such case, or no such report, at that position.
            InputError: there are not that many events.
        """
        head = self.desk.present().position
        end = head if position is None else position
        if not 0 < end <= head:
            raise InputError(
                "case-report-position",
                f"nothing can be said of the events [0, {end})",
                help=f"give a position from 1 to {head}",
            )
        delivered = self._as_delivered(name, report, position=end)
        if delivered is not None:
            return delivered
        events = list(self.desk.parts.ledger.read(0, end, only_open=True))
        overseen = Overseen()
        overseen.advance(events)
        case, owed = self._owed(overseen, name, report)
        (last,) = self.desk.parts.ledger.read(end - 1, end)
        bodies = [each.body for each in events if each.body is not None]
        return case_report.document(
            overseen,
            case,
            report=owed,
            position=end,
            at=last.recorded_at,
            answers=self._answers_then(overseen, case, bodies, at=last.recorded_at),
            releases=self._releases_then(overseen, case, events),
            personal_events=end - len(events),
        )

    def read(self, name: str, report: str) -> bytes:
        """Return a report as it was last delivered, byte for byte; one that was not, as it would be delivered now.

        Raises:
            NotFoundError: there is no such case, or it owes no such report.
        """
        owed = self.book.get(name).reports.get(report)
        if owed is None or owed.delivered is None:
            return canonical_json(self.generate(name, report))
        return self.desk.parts.objects.get(owed.delivered.document)

    def _owed(self, overseen: Overseen, name: str, report: str) -> tuple[Case, Report]:
        case = overseen.cases.get(name)
        if case is None:
            raise NotFoundError("case-unknown", f"no case `{name}` at that position", help="see: consentry case list")
        if report not in case.reports:
            raise NotFoundError(
                "case-report-unknown",
                f"case `{name}` owes no report `{report}` at that position",
                help=names_there_are(case.reports, "reports", otherwise="schedule it first"),
            )
        return case, case.reports[report]

    def _as_delivered(self, name: str, report: str, *, position: int) -> dict[str, Any] | None:
        """Return what was delivered of a position, in the form it had then; None if nothing was."""
        case = self.desk.newest.overseen.cases.get(name)
        owed = None if case is None else case.reports.get(report)
        for body, _ in () if owed is None else owed.deliveries():
            if body.position == position:
                found: dict[str, Any] = json.loads(self.desk.parts.objects.get(body.document))
                return found
        return None

    def _answers_then(self, overseen: Overseen, case: Case, bodies: list[Body], *, at: Seconds) -> Answers:
        """Run the checks on what there was. Which form for objections was served then no ledger says."""
        published = {each.name: each.digest for each in bodies if isinstance(each, PolicyPublished)}
        checks = checks_of(case, overseen, published=published, read=self.desk.document, at=at, form=None)
        return run_all(checks)

    def _releases_then(self, overseen: Overseen, case: Case, events: list[Event]) -> list[dict[str, Any]]:
        """Return the counts of the releases that were for something the case suspends."""
        amendments = Amendments()
        for event in events:
            amendments.take(event)
        bodies = [each.body for each in events]
        withdrawn = {each.release for each in bodies if isinstance(each, Withdrawing)}
        asked = [
            (each, orders) for each in bodies if isinstance(each, Sealing) and (orders := _about(overseen, case, each))
        ]
        # Oldest first: what was known at one of them is carried on to the next.
        then = self.archive.before(asked[0][0].position) if asked else None
        return [
            {
                "release": each.release,
                "position": each.position,
                "purpose": str(each.purpose),
                "policy": each.policy,
                "withdrawn": each.release in withdrawn,
                **self.counts.of(each.release, orders, noted=amendments.newest(each.release), then=then),
            }
            for each, orders in asked
            if then is not None
        ]

    def deliver(self, name: str, report: str, *, position: int | None, by: Handle) -> tuple[Digest, int]:
        """Note that a report was handed over, store it, and return its digest with the position it is of."""
        require_handle(by)
        body = self.generate(name, report, position=position)
        document = self.desk.parts.objects.put(canonical_json(body))
        said = ReportDelivered(case=name, report=report, document=document, position=body["position"], by=by)
        self.book.say(name, lambda _: [said], over_too=True)
        return document, body["position"]

    def overdue(self, *, at: Seconds) -> list[tuple[Case, Report]]:
        """Return the reports that should have been delivered by now."""
        return [(case, report) for case in self.book.every() for report in case.reports.values() if report.overdue(at)]


def _about(overseen: Overseen, case: Case, sealed: Sealing) -> list[Order]:
    """Return the orders of a case that are about a release: its purpose, and if they name models one that read it.

    A model that is built on one they name is meant as well.
    """
    orders = [each for each in overseen.orders.of(case.case) if each.scope.concerns(sealed.purpose)]
    if not any(each.scope.models for each in orders):
        return orders
    read_by = list(_read_by(overseen, sealed.release))
    return [each for each in orders if each.scope.names(read_by)]


def _read_by(overseen: Overseen, release: str) -> Iterator[str]:
    """Yield the models that read a release, with what each was built on when it did, and what it is built on."""
    lineage = overseen.lineage
    for lease in overseen.leases:
        if lease.release == release:
            yield from lineage.ancestry(lease.model, at=lease.fence)
    for model in lineage:
        for use in model.uses:
            if use.release == release:
                yield from lineage.ancestry(model.name, at=use.position)
                yield from lineage.ancestry(model.name)
