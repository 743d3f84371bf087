"""What an authority sees of cases, orders, notices and reports, as documents: only what concerns its jurisdictions.

Rules:

* A document says what was known in the events [0, position). Days are counted to when the last of them was recorded.
  The same position and areas give the same document.
* Of staff nobody is named: how many approved is said, not who.
* Of a case that is about other jurisdictions as well (it has an order that does not concern the authority), texts that
  may speak of those are left out: titles, references, what checks found, what stands in the way, reports.
* A report is of the events before a position. One of when the case was about nothing else speaks of nothing else, and
  whoever it was delivered to reads it for good, whatever is added to the case later.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from consentry.digests import Digest
from consentry.ledger.case_events import ReportDelivered, Step
from consentry.ledger.statement_events import StatementFiled
from consentry.oversight.case import (
    APPROVALS,
    Answers,
    Case,
    NotReached,
    Report,
    Statement,
    standing,
    what_stands_in_the_way,
)
from consentry.oversight.case_report import conditions_json, notices_json, order_json
from consentry.oversight.jurisdiction import Areas, case_concerns, order_concerns, statement_concerns
from consentry.oversight.order import Drained, Order
from consentry.oversight.overseen import Overseen
from consentry.oversight.paper import Paper, PaperKind, papers_of
from consentry.policy.choice import Seconds

_SAID = ("order", "condition", "notice", "report", "step", "how", "says", "took_ms", "count", "days", "due", "evidence")
"""What a timeline says of an event."""
_UNKNOWN = "took_ms"
"""What is said to be unknown, where it is."""
_SAID_OF_WHOLE = (*_SAID, "title", "reference", "document")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """Who looks, and at what: the areas of the account, and the time of the last event."""

    areas: Areas
    at: Seconds

    def orders(self, overseen: Overseen) -> list[Order]:
        """Return the orders that concern them, oldest first."""
        return [each for each in overseen.orders if order_concerns(each, self.areas, now=self.at)]

    def cases(self, overseen: Overseen) -> list[Case]:
        """Return the cases that concern them, oldest first."""
        return [each for each in overseen.cases if self.sees(each, overseen)]

    def sees(self, case: Case, overseen: Overseen) -> bool:
        """Say whether a case concerns them."""
        return case_concerns(case, overseen.orders.of(case.case), areas=self.areas, now=self.at)

    def whole(self, case: Case, overseen: Overseen) -> bool:
        """Say whether everything that a case suspends or is about concerns them."""
        return all(order_concerns(each, self.areas, now=self.at) for each in overseen.orders.of(case.case)) and all(
            statement_concerns(each, self.areas, now=self.at) for each in case.statements
        )

    def may_read(self, report: ReportDelivered, case: Case, *, overseen: Overseen) -> bool:
        """Say whether a report on a case that they see speaks of nobody else.

        It does if the case is whole to them, or was in the events that the report is of. What a case without orders and
        statements was about is not known.
        """
        if self.whole(case, overseen):
            return True
        said = [
            *(order_concerns(each, self.areas, now=self.at) for each in _before(report, overseen.orders.of(case.case))),
            *(statement_concerns(each, self.areas, now=self.at) for each in _before(report, case.statements)),
        ]
        return bool(said) and all(said)


_Placed = TypeVar("_Placed", Order, Statement)


def _before(report: ReportDelivered, said: Iterable[_Placed]) -> list[_Placed]:
    return [each for each in said if each.position < report.position]


def order_document(order: Order) -> dict[str, Any]:
    """Return an order with its times: given, written down (from there on it holds), and nobody reads any more."""
    return {
        **order_json(order),
        "case": order.case,
        "issued": {"at_ms": order.at_ms},
        "acknowledged": {"position": order.position, "at": order.at},
        "drained": None if order.drained is None else _drained_json(order, order.drained),
    }


def _drained_json(order: Order, drained: Drained) -> dict[str, Any]:
    return {
        "position": drained.position,
        "after_ms": drained.took_ms,
        # The name that this form of the view has for leases.
        "jobs": drained.leases,
        "at_ms": _drained_ms(order, drained),
    }


def _drained_ms(order: Order, drained: Drained) -> int:
    """Return when an order was drained; to the second, when that was written down, if nobody measured it."""
    return drained.at * 1_000 if drained.took_ms is None else order.at_ms + drained.took_ms


def case_line(
    case: Case, overseen: Overseen, *, sight: Sight, answers: Answers, not_reached: NotReached
) -> dict[str, Any]:
    """Return a case as a line of a list."""
    whole = sight.whole(case, overseen)
    seen = {each.order for each in overseen.orders.of(case.case) if order_concerns(each, sight.areas, now=sight.at)}
    return {
        "case": case.case,
        "title": case.title if whole else None,
        "reference": case.reference if whole else None,
        "whole": whole,
        "standing": str(standing(case, sight.at, answers=answers, not_reached=not_reached)),
        "opened": {"position": case.position, "at": case.at},
        "in_force": sorted(case.orders & seen),
        "waits_for": {order: list(by) for order, by in case.unsigned().items() if order in seen},
    }


def case_document(
    case: Case,
    overseen: Overseen,
    *,
    sight: Sight,
    answers: Answers,
    not_reached: NotReached,
    events: Sequence[Mapping[str, Any]],
) -> dict[str, Any]:
    """Return all that an authority sees of a case that concerns it; `events` is its timeline."""
    whole, over = sight.whole(case, overseen), case.over
    orders = [each for each in sight.orders(overseen) if each.case == case.case]
    others = _others(case, overseen, sight=sight)
    conditions = [
        # Of evidence the digest is said, and nothing else was found.
        {**each, "found": None if each["evidence"] else each["found"]}
        if whole
        else {**each, "title": None, "found": None, "parameters": []}
        for each in conditions_json(case, answers)
    ]
    approvals = [each for each in case.approvals if each.step is Step.LIFT]
    return {
        **case_line(case, overseen, sight=sight, answers=answers, not_reached=not_reached),
        "ended": None
        if over is None
        else {"how": str(over.how), "reference": over.reference if whole else None, "at": over.at},
        "orders": [order_document(each) for each in orders],
        "conditions": conditions,
        "approvals": {
            "needed": APPROVALS,
            "people": len(over.by if over is not None else case.approved_by(Step.LIFT)),
            "given": [{"position": each.position, "at": each.at} for each in approvals],
        },
        "in_the_way": [
            each.unnamed or each.text
            for each in what_stands_in_the_way(case, sight.at, answers=answers, not_reached=not_reached)
        ]
        if whole and over is None
        else [],
        "notices": notices_json(case, overseen),
        "statements": [_statement_json(each, others) for each in _statements(case, overseen, sight=sight)],
        "papers": [_paper_json(each) for each in papers_seen(case, overseen, sight=sight, events=events)],
        "reports": reports_of(case, overseen, sight=sight),
        "timeline": list(_timeline(events, others, whole=whole, reports=_reports_seen(case, overseen, sight=sight))),
    }


def _statement_json(statement: Statement, others: set[str]) -> dict[str, Any]:
    body = statement.body
    return {
        "says": str(body.says),
        "by": body.by,
        "orders": [order for order in body.orders if order not in others],
        "reference": body.reference,
        "signed_with": body.key,
        "document": body.document,
        "position": statement.position,
        "at": statement.at,
    }


def _paper_json(paper: Paper) -> dict[str, Any]:
    return {
        "kind": str(paper.kind),
        "name": paper.name,
        "document": paper.document,
        "position": paper.position,
        "part": paper.part,
        "at": paper.at,
    }


def papers_seen(case: Case, overseen: Overseen, *, sight: Sight, events: Sequence[Mapping[str, Any]]) -> list[Paper]:
    """Return the documents of a case that an authority may read.

    Of a case about others as well, these are statements, and reports that speak of nobody else.
    """
    found = papers_of(case, events, notices=overseen.notices)
    if sight.whole(case, overseen):
        return found
    seen = {each.position for each in _statements(case, overseen, sight=sight)}
    reports = _reports_seen(case, overseen, sight=sight)
    return [
        each for each in found if each.position in seen or (each.kind is PaperKind.REPORT and each.document in reports)
    ]


def _reports_seen(case: Case, overseen: Overseen, *, sight: Sight) -> frozenset[Digest]:
    """Return the documents that were delivered as reports and that they may read."""
    given = (each for report in case.reports.values() for each, _ in report.deliveries())
    return frozenset(each.document for each in given if sight.may_read(each, case, overseen=overseen))


def _statements(case: Case, overseen: Overseen, *, sight: Sight) -> list[Statement]:
    others = _others(case, overseen, sight=sight)
    return [
        each
        for each in case.statements
        if _about_nobody_else(each.body.orders, others) and statement_concerns(each, sight.areas, now=sight.at)
    ]


def _others(case: Case, overseen: Overseen, *, sight: Sight) -> set[str]:
    """Return the orders of a case that do not concern them."""
    seen = {each.order for each in sight.orders(overseen)}
    return {each.order for each in overseen.orders.of(case.case)} - seen


def reports_of(case: Case, overseen: Overseen, *, sight: Sight) -> list[dict[str, Any]]:
    """Return the reports on a case, due and delivered.

    `not_shown`: one was delivered, and nothing that was may be read by them. It is owed no more, so it is not due.
    """
    whole, found = sight.whole(case, overseen), []
    for each in case.reports.values():
        delivered = delivered_to(each, case, overseen=overseen, sight=sight)
        found.append(
            {
                "case": case.case,
                "report": each.report,
                # The title stands in the report itself.
                "title": each.title if whole or delivered is not None else None,
                "due": each.due,
                "not_shown": delivered is None and each.delivered is not None,
                "delivered": None
                if delivered is None
                else {"document": delivered[0].document, "position": delivered[0].position, "at": delivered[1]},
            }
        )
    return found


def delivered_to(
    report: Report, case: Case, *, overseen: Overseen, sight: Sight
) -> tuple[ReportDelivered, Seconds] | None:
    """Return what was last delivered of a report that they may read, and when; None if nothing was."""
    return next(
        (each for each in reversed(report.deliveries()) if sight.may_read(each[0], case, overseen=overseen)), None
    )


def notices_of(cases: Iterable[Case], overseen: Overseen) -> list[dict[str, Any]]:
    """Return the notices that some cases require, each with its case."""
    return [{"case": case.case, **each} for case in cases for each in notices_json(case, overseen)]


def _about_nobody_else(orders: Sequence[str], others: set[str]) -> bool:
    return not orders or not set(orders) <= others


def _timeline(
    events: Sequence[Mapping[str, Any]], others: set[str], *, whole: bool, reports: frozenset[Digest]
) -> Iterable[dict[str, Any]]:
    """Return what was said, without who said it, and without what is about orders of others."""
    for each in events:
        body = each["body"]
        orders = body.get("orders") or ([body["order"]] if body.get("order") else [])
        if orders and set(orders) <= others:
            continue
        if not whole and each["kind"] == StatementFiled.KIND:
            continue
        if each["kind"] == ReportDelivered.KIND and body["document"] not in reports:
            continue
        names = _SAID_OF_WHOLE if whole else _SAID
        said = {name: body[name] for name in names if body.get(name) is not None or name in body.keys() & {_UNKNOWN}}
        yield {"position": each["position"], "at": each["at"], "kind": each["kind"], "said": said}
