"""How a case is shown: as plain values, and as a register for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from consentry.cli.context import Context
from consentry.cli.invocation import DENIED
from consentry.cli.output import Output, counted, day, moment
from consentry.cli.suspend import described
from consentry.control_plane.agreement import Agreed
from consentry.ledger.case_events import Step
from consentry.oversight.case import APPROVALS, Answers, Case, CaseStanding, Obstacle, Report
from consentry.oversight.case_register import ConditionState, register
from consentry.oversight.order import Order, in_words
from consentry.policy.choice import Seconds

_SHORT = 12


def body_of(
    case: Case,
    standing: CaseStanding,
    *,
    obstacles: Sequence[Obstacle],
    answers: Answers,
    orders: Sequence[Order],
    at: Seconds,
) -> dict[str, Any]:
    """Return a case as plain values."""
    over = case.over
    return {
        "case": case.case,
        "title": case.title,
        "reference": case.reference,
        "standing": str(standing),
        "opened": {"position": case.position, "at": case.at, "by": case.by},
        "review_begun_at": case.review,
        "ended": None
        if over is None
        else {
            "how": str(over.how),
            "reference": over.reference,
            "position": over.position,
            "at": over.at,
            "by": list(over.by),
            "found": list(over.found),
        },
        "orders": [{**described(each), "in_words": in_words(each.scope)} for each in orders],
        "conditions": _conditions(case, answers, at),
        "approvals": {"needed": APPROVALS, "by": list(case.approved_by(Step.LIFT))},
        "notices": [
            {"notice": name, "days": days, "last_served": case.served.get(name)} for name, days in case.notices.items()
        ],
        "reports": [_owed(each, at) for each in case.reports.values()],
        "in_the_way": [{"kind": each.kind, "about": each.about, "text": each.text} for each in obstacles]
        if over is None
        else [],
    }


def _owed(report: Report, at: Seconds) -> dict[str, Any]:
    delivered = report.delivered
    return {
        "report": report.report,
        "title": report.title,
        "due": report.due,
        "overdue": report.overdue(at),
        "delivered": None
        if delivered is None
        else {"at": report.delivered_at, "document": delivered.document, "position": delivered.position},
    }


def _conditions(case: Case, answers: Answers, at: Seconds) -> list[dict[str, Any]]:
    return [
        {
            "condition": each.condition.condition,
            "title": each.condition.title,
            "state": "met" if each.met else "open",
            "owner": each.condition.owner,
            "due": each.condition.due,
            "overdue": each.state(at) is ConditionState.OVERDUE,
            "check": each.condition.check,
            "policy": each.condition.policy,
            "parameters": list(each.condition.parameters),
            "evidence": each.evidence,
            "found": each.found,
        }
        for each in register(case, answers)
    ]


def show_agreed(context: Context, agreed: Agreed, *, case: str, done: str) -> int:
    """Show how far a step of a case is that takes two people; return the exit status."""
    rest = [each.text for each in agreed.in_the_way]
    body = {"case": case, "done": agreed.done, "by": list(agreed.by), "orders": list(agreed.orders), "in_the_way": rest}
    waiting = f"Noted for {', '.join(agreed.by)}. Nothing changes until another person says the same."
    if rest:
        waiting = "\n  - ".join([f"Agreed by {', '.join(agreed.by)}. Say it again when this is done:", *rest])
    context.out.show(body, lambda: context.out.text(done if agreed.done else waiting))
    return 0 if agreed.done else DENIED


def show_case(out: Output, body: Mapping[str, Any]) -> None:
    """Show a case as a register."""
    out.heading(f"Case {body['case']}: {body['title']}")
    opened, ended, approvals = body["opened"], body["ended"], body["approvals"]
    by = f", by {opened['by']}" if opened["by"] else ""
    facts = [
        ["standing", body["standing"].replace("-", " ")],
        ["reference", body["reference"]],
        ["opened", f"{moment(opened['at'])}, position {opened['position']}{by}"],
    ]
    if ended is not None:
        facts.append([ended["how"], f"{moment(ended['at'])}, position {ended['position']}, {ended['reference']}"])
    if ended is None or approvals["by"]:
        given = f" ({', '.join(approvals['by'])})" if approvals["by"] else ""
        facts.append(["approvals", f"{len(approvals['by'])} of {approvals['needed']}{given}"])
    out.table(["", ""], facts)
    _table(out, "Suspensions", columns=["order", "scope", "state"], rows=[_order(each) for each in body["orders"]])
    columns = ["condition", "about", "state", "owner", "due", "shown by"]
    _table(out, "Conditions", columns=columns, rows=[_condition(each) for each in body["conditions"]])
    notices = [
        [
            each["notice"],
            each["days"],
            "not for this case yet" if each["last_served"] is None else moment(each["last_served"]),
        ]
        for each in body["notices"]
    ]
    _table(out, "Notices", columns=["notice", "days to wait", "last served"], rows=notices)
    columns = ["report", "about", "due", "state"]
    _table(out, "Reports to the authority", columns=columns, rows=[_report(each) for each in body["reports"]])
    if body["ended"] is not None:
        return
    obstacles = body["in_the_way"]
    if not obstacles:
        out.heading("Nothing stands in the way of lifting it")
        return
    out.heading(f"{counted(len(obstacles), 'thing stands', several='things stand')} in the way of lifting it")
    for each in obstacles:
        out.text(f"  - {each['text']}")


def _table(out: Output, title: str, *, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    if rows:
        out.heading(title)
        out.table(columns, rows)


def _order(body: Mapping[str, Any]) -> list[Any]:
    ended = body["ended"]
    state = f"in force since {moment(body['at'])}" if ended is None else f"{ended['how']} {moment(ended['at'])}"
    return [body["order"], body["in_words"], state]


def _condition(body: Mapping[str, Any]) -> list[Any]:
    due = day(body["due"]) + (" (overdue)" if body["overdue"] else "")
    shown = "-"
    if body["check"] is not None:
        shown = " ".join(["check", body["check"], *body["parameters"]])
    elif body["evidence"] is not None:
        shown = f"document {body['evidence'].removeprefix('sha256:')[:_SHORT]}"
    return [body["condition"], body["title"], body["state"], body["owner"], due, shown]


def _report(body: Mapping[str, Any]) -> list[Any]:
    delivered = body["delivered"]
    state = "OVERDUE" if body["overdue"] else "due"
    if delivered is not None:
        state = f"delivered {day(delivered['at'])}, of position {delivered['position']}"
    return [body["report"], body["title"], day(body["due"]), state]
