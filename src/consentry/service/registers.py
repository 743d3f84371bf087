"""The registers of all cases as rows: the lists of the console and the interface for programs say the same of them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from consentry.control_plane.plane import ControlPlane
from consentry.oversight.case import Answers, Case
from consentry.oversight.case_register import Registered, register, report_state
from consentry.policy.choice import Seconds

_DIGEST = re.compile(r"(sha256:[0-9a-f]{12})[0-9a-f]{52}")


def conditions(control: ControlPlane, *, of: str | None = None) -> Iterator[dict[str, Any]]:
    """Yield the conditions of every case, or of one. Only of cases that have checks are these run, one after the other.

    Raises:
        NotFoundError: there is no case of this name.
    """
    now = control.desk.parts.clock()
    for case in _cases(control, of):
        answers: Answers = {}
        if any(each.check is not None for each in case.conditions.values()):
            case, _, _, answers = control.cases.register_of(case.case)  # noqa: PLW2901 - as it is by now
        yield from ({"case": case.case, **row} for row in condition_rows(case, answers, now=now))


def condition_rows(case: Case, answers: Answers, *, now: Seconds) -> list[dict[str, Any]]:
    """Return the register of conditions of a case as rows."""
    return [
        {
            "condition": each.condition.condition,
            "title": each.condition.title,
            "state": str(each.state(now)),
            "owner": each.condition.owner,
            "due": each.condition.due,
            "check": " ".join([each.condition.check, *each.condition.parameters]) if each.condition.check else None,
            "policy": each.condition.policy,
            "evidence": each.evidence,
            "found": _found(each),
        }
        for each in register(case, answers)
    ]


def reports(control: ControlPlane, *, of: str | None = None) -> Iterator[dict[str, Any]]:
    """Yield the reports of every case, or of one, due and delivered.

    Raises:
        NotFoundError: there is no case of this name.
    """
    now = control.desk.parts.clock()
    for case in _cases(control, of):
        yield from ({"case": case.case, **row} for row in report_rows(case, now=now))


def report_rows(case: Case, *, now: Seconds) -> list[dict[str, Any]]:
    """Return the reports of a case as rows."""
    return [
        {
            "report": each.report,
            "title": each.title,
            "state": str(report_state(each, now)),
            "due": each.due,
            "delivered": each.delivered_at,
            "position": None if each.delivered is None else each.delivered.position,
            "document": None if each.delivered is None else each.delivered.document,
        }
        for each in case.reports.values()
    ]


def _cases(control: ControlPlane, of: str | None) -> list[Case]:
    return control.cases.every() if of is None else [control.cases.get(of)]


def _found(each: Registered) -> str:
    """Return what shows a condition; of evidence who gave it, as the document has a link of its own."""
    given = each.condition.met if each.condition.check is None else None
    return _DIGEST.sub(r"\1…", each.found) if given is None else f"given by {given.by}"
