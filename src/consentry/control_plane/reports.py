"""Reports that are due to an authority: generated from the ledger up to a position, and noted when delivered."""

from __future__ import annotations

from typing import Any

import numpy as np

from consentry.control_plane.archive import Archive
from consentry.control_plane.casebook import CaseBook
from consentry.control_plane.conditions import areas_of
from consentry.control_plane.desk import Desk
from consentry.control_plane.hits import may_lie_in
from consentry.control_plane.wording import require_handle, require_name, require_texts
from consentry.digests import Digest, canonical_json
from consentry.errors import ConflictError, InputError, NotFoundError, names_there_are
from consentry.ledger.case_events import Handle, ReportDelivered, ReportScheduled
from consentry.ledger.events import Body, PolicyPublished, ReleaseSealed, ReleaseWithdrawn
from consentry.oversight import case_report
from consentry.oversight.case import Answers, Case, Report
from consentry.oversight.condition_check import System, run
from consentry.oversight.objection_form import FORM
from consentry.oversight.order import Order
from consentry.oversight.overseen import Overseen
from consentry.policy.choice import Seconds
from consentry.policy.evaluator import ReasonKind
from consentry.release.tallies import Tallies


class ReportVerbs:
    """Verbs about reports."""

    def __init__(self, desk: Desk, *, archive: Archive, book: CaseBook) -> None:
        self.desk = desk
        self.archive = archive
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
        events = list(self.desk.parts.ledger.read(0, end, only_open=True))
        record = Overseen()
        record.advance(events)
        case, owed = self._owed(record, name, report)
        (last,) = self.desk.parts.ledger.read(end - 1, end)
        bodies = [each.body for each in events if each.body is not None]
        return case_report.document(
            record,
            case,
            report=owed,
            position=end,
            at=last.recorded_at,
            answers=self._answers_then(record, case, bodies, at=last.recorded_at),
            releases=self._releases_then(record, case, bodies),
            personal_events=end - len(events),
        )

    def _owed(self, record: Overseen, name: str, report: str) -> tuple[Case, Report]:
        case = record.cases.get(name)
        if case is None:
            raise NotFoundError("case-unknown", f"no case `{name}` at that position", help="see: consentry case list")
        if report not in case.reports:
            raise NotFoundError(
                "case-report-unknown",
                f"case `{name}` owes no report `{report}` at that position",
                help=names_there_are(case.reports, "reports", otherwise="schedule it first"),
            )
        return case, case.reports[report]

    def _answers_then(self, record: Overseen, case: Case, bodies: list[Body], *, at: Seconds) -> Answers:
        """Run the checks on what there was. The form is the one this version has: no ledger says which was shown."""
        published = {each.name: each.digest for each in bodies if isinstance(each, PolicyPublished)}

        def system(policy: str | None, areas: frozenset[str]) -> System:
            known = None if policy is None else published.get(policy)
            document = None if known is None else self.desk.document(known)
            return System(policy=document, areas=areas, at=at, form=FORM)

        areas = areas_of(case, record)
        return {
            each.condition: run(each.check, each.parameters, system=system(each.policy, areas))
            for each in case.conditions.values()
            if each.check is not None
        }

    def _releases_then(self, record: Overseen, case: Case, bodies: list[Body]) -> list[dict[str, Any]]:
        """Return the counts of the releases that were for something the case suspends."""
        orders = record.orders.of(case.case)
        withdrawn = {each.release for each in bodies if isinstance(each, ReleaseWithdrawn)}
        return [
            {
                "release": each.release,
                "position": each.position,
                "purpose": str(each.purpose),
                "policy": each.policy,
                "withdrawn": each.release in withdrawn,
                **_counts(self.archive.open(each.release).tally(), orders),
            }
            for each in bodies
            if isinstance(each, ReleaseSealed) and any(order.scope.concerns(each.purpose) for order in orders)
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


def _counts(tally: Tallies, orders: tuple[Order, ...]) -> dict[str, int]:
    """Count the items in the scope of any order; the counts of a release know no dates, so a window counts as all."""
    cells = zip(tally.place.tolist(), tally.kind.tolist(), strict=True)
    inside = np.array([any(_holds(order, tally, *cell) for order in orders) for cell in cells], dtype=np.bool_)
    strongest = np.array([each.label.removeprefix("involved:").partition(":")[0] for each in tally.outcomes])
    kind = strongest[tally.outcome] if len(tally.outcomes) else strongest

    def count(mask: Any) -> int:
        return int(tally.items[mask].sum())

    return {
        "items": count(inside),
        "eligible": count(inside & tally.allowed),
        "refused": count(inside & (kind == ReasonKind.REFUSED.value)),
        "suspended": count(inside & (kind == ReasonKind.SUSPENDED.value)),
    }


def _holds(order: Order, tally: Tallies, place: int, kind: int) -> bool:
    scope, what = order.scope, tally.kinds[kind]
    return (
        (not scope.categories or what.category in {*scope.categories, "unknown"})
        and (not scope.visibilities or what.visibility in {*scope.visibilities, "unknown"})
        and may_lie_in(tally.places[place], scope, at=order.at)
    )
