"""What is asked about a suspension: orders, cases with their steps, and what an authority files.

Most of it is done by somebody: by the account whose session the client shows.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any

from consentry.client.connection import Connection, Json, Query, address
from consentry.client.oversight_answers import (
    Agreement,
    Case,
    CaseEvent,
    Drafted,
    FiledStatement,
    Order,
    OwedReport,
    RegisteredCondition,
    WhatIf,
    WholeCase,
)


class ForOversight(Connection):
    """A part of `Consentry`."""

    def orders(self) -> Iterator[Order]:
        """Yield the orders, oldest first."""
        return self._rows("/v1/orders", "orders", Order)

    def order(self, name: str) -> Order:
        """Return an order."""
        return self._get(address("/v1/orders/{}", name), Order)

    def what_if(self, scope: Json, *, everywhere: bool = False) -> WhatIf:
        """Say what an order would hit: with an empty scope everything, if `everywhere` says that it is meant."""
        return self._post("/v1/orders/what-if", WhatIf, {"scope": scope, "everywhere": everywhere})

    def suspend(
        self, *, case: str, scope: Json, reference: str, origin: str = "own-decision", everywhere: bool = False
    ) -> Order:
        """Suspend a use from now on: with an empty scope everything, if `everywhere` says that it is meant."""
        body = {"case": case, "scope": scope, "reference": reference, "origin": origin, "everywhere": everywhere}
        return self._write("/v1/orders", Order, body)

    def cases(self) -> Iterator[Case]:
        """Yield the cases, oldest first."""
        return self._rows("/v1/cases", "cases", Case)

    def case(self, name: str) -> WholeCase:
        """Return a case with its register."""
        return self._get(address("/v1/cases/{}", name), WholeCase)

    def timeline(self, case: str) -> Iterator[CaseEvent]:
        """Yield what was said of a case, oldest first."""
        return self._rows(address("/v1/cases/{}/timeline", case), "events", CaseEvent)

    def conditions(self, *, case: str = "", state: str = "") -> Iterator[RegisteredCondition]:
        """Yield the conditions of every case, of one, or those that are `open`, `overdue` or `met`."""
        return self._rows("/v1/conditions", "conditions", RegisteredCondition, query=_narrowed(case, state))

    def reports(self, *, case: str = "", state: str = "") -> Iterator[OwedReport]:
        """Yield the reports on every case, on one, or those that are `due`, `overdue` or `delivered`."""
        return self._rows("/v1/reports", "reports", OwedReport, query=_narrowed(case, state))

    def report(self, case: str, report: str) -> bytes:
        """Return a report byte for byte as it was delivered; one that was not, as it would be delivered now."""
        return self._file(address("/v1/cases/{}/reports/{}", case, report))

    def open_case(self, name: str, *, title: str, reference: str) -> Case:
        """Open a case for a concern."""
        return self._write("/v1/cases", Case, {"case": name, "title": title, "reference": reference})

    def begin_review(self, case: str) -> WholeCase:
        """Begin the review of a case."""
        return self._write(address("/v1/cases/{}/review", case), WholeCase, {})

    def set_condition(self, case: str, condition: str, *, title: str, owner: str, due: int, **more: Any) -> WholeCase:
        """Set a condition, which is due at a time: also `check` with `policy` and `parameters`."""
        body = {"condition": condition, "title": title, "owner": owner, "due": due, **more}
        return self._write(address("/v1/cases/{}/conditions", case), WholeCase, body)

    def meet_condition(self, case: str, condition: str, *, text: str | None = None, document: bytes = b"") -> WholeCase:
        """Note that a condition is met, as a text or a document shows."""
        body = {"document": base64.b64encode(document).decode()} if text is None else {"text": text}
        return self._write(address("/v1/cases/{}/conditions/{}/evidence", case, condition), WholeCase, body)

    def reopen_condition(self, case: str, condition: str, *, reason: str) -> WholeCase:
        """Note that a condition is not met after all, and why."""
        return self._write(
            address("/v1/cases/{}/conditions/{}/reopening", case, condition), WholeCase, {"reason": reason}
        )

    def require_notice(self, case: str, notice: str, *, days: int) -> WholeCase:
        """Require that people are told, and that days pass, before a case is lifted."""
        return self._write(address("/v1/cases/{}/notices", case), WholeCase, {"notice": notice, "days": days})

    def correct_notice(self, case: str, notice: str, *, days: int | None, reason: str) -> Agreement:
        """Have a case wait fewer days after a notice, or not require it (`None`), as more was a mistake."""
        body = {"days": days, "reason": reason}
        return self._write(address("/v1/cases/{}/notices/{}/correction", case, notice), Agreement, body)

    def take_back_condition(self, case: str, condition: str, *, reason: str) -> Agreement:
        """Take a condition back that was a mistake."""
        return self._write(
            address("/v1/cases/{}/conditions/{}/taking-back", case, condition),
            Agreement,
            {"reason": reason},
        )

    def approve_lifting(self, case: str) -> WholeCase:
        """Approve lifting a case: two different people have to."""
        return self._write(address("/v1/cases/{}/approvals", case), WholeCase, {})

    def lift(self, case: str, *, reference: str) -> WholeCase:
        """Lift a case, if nothing stands in the way."""
        return self._write(address("/v1/cases/{}/lifting", case), WholeCase, {"reference": reference})

    def narrow(self, case: str, *, scope: Json, reference: str) -> Agreement:
        """Agree to a smaller suspension; the second person makes it so."""
        return self._write(address("/v1/cases/{}/narrowing", case), Agreement, {"scope": scope, "reference": reference})

    def withdraw_case(self, case: str, *, reference: str) -> Agreement:
        """Agree that a concern was given up; the second person ends what is suspended."""
        return self._write(address("/v1/cases/{}/withdrawal", case), Agreement, {"reference": reference})

    def prohibit(self, case: str, *, reference: str) -> WholeCase:
        """End a case with its suspensions in force, for good."""
        return self._write(address("/v1/cases/{}/prohibition", case), WholeCase, {"reference": reference})

    def schedule_report(self, case: str, report: str, *, title: str, due: int) -> WholeCase:
        """Note that a report is owed by a time."""
        return self._write(
            address("/v1/cases/{}/reports", case), WholeCase, {"report": report, "title": title, "due": due}
        )

    def deliver_report(self, case: str, report: str) -> WholeCase:
        """Note that a report was handed over."""
        return self._write(address("/v1/cases/{}/reports/{}/delivery", case, report), WholeCase, {})

    def draft_statement(self, says: str, *, case: str, reference: str, **more: Any) -> bytes:
        """Return a statement of an authority, to be signed as it is. Nothing is recorded.

        A concern or a suspension also has a `scope`, which is never empty; `text` may say more.
        """
        asked = {"says": says, "case": case, "reference": reference, **more}
        return base64.b64decode(self._post("/v1/authority/drafts", Drafted, asked)["statement"])

    def file_statement(self, statement: bytes, signature: bytes) -> FiledStatement:
        """File what an authority signed: a concern, a suspension, or that its orders may be lifted."""
        body = {"statement": base64.b64encode(statement).decode(), "signature": base64.b64encode(signature).decode()}
        return self._write("/v1/authority/statements", FiledStatement, body)


def _narrowed(case: str, state: str) -> Query:
    return {name: value for name, value in (("case", case), ("state", state)) if value}
