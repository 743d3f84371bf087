"""Requirements of cases, corrected or taken back: on record with a reason, by two people once somebody approved."""

from __future__ import annotations

from collections.abc import Callable

from consentry.control_plane.agreement import Agreed, require_first_time
from consentry.control_plane.casebook import CaseBook
from consentry.control_plane.desk import Desk
from consentry.control_plane.wording import require_handle, require_texts
from consentry.digests import digest_json
from consentry.ledger.case_events import ApprovalGiven, ConditionTakenBack, Handle, NoticeCorrected, Step
from consentry.ledger.events import Body
from consentry.oversight.case import APPROVALS, Case
from consentry.oversight.correction import require_condition_correctable, require_notice_correctable, takes_two


class CorrectionVerbs:
    """Verbs about requirements that were written down by mistake."""

    def __init__(self, desk: Desk, *, book: CaseBook) -> None:
        self.desk = desk
        self.book = book

    def notice(self, name: str, notice: str, *, days: int | None, reason: str, by: Handle) -> Agreed:
        """Have a case wait fewer `days` after a notice; None: not require it any more.

        Raises:
            NotFoundError: it does not require it.
            InputError: the days are not fewer.
            StateError: a binding order may demand it.
            ConflictError: this person said so already, and nothing has changed since.
        """

        def corrected(case: Case, people: tuple[Handle, ...]) -> Body:
            orders = self.desk.newest.overseen.orders.of(name)
            meant = self._can_be_meant(notice)
            require_notice_correctable(case, notice, days=days, can_be_meant=meant, orders=orders)
            return NoticeCorrected(case=name, notice=notice, days=days, reason=reason, by=people)

        return self._agree(name, corrected, about={"notice": notice, "days": days}, reason=reason, by=by)

    def condition(self, name: str, condition: str, *, reason: str, by: Handle) -> Agreed:
        """Take a condition of a case back.

        Raises:
            NotFoundError: there is none of this name.
            StateError: a binding order may demand it.
            ConflictError: this person said so already, and nothing has changed since.
        """

        def taken_back(case: Case, people: tuple[Handle, ...]) -> Body:
            require_condition_correctable(case, condition, orders=self.desk.newest.overseen.orders.of(name))
            return ConditionTakenBack(case=name, condition=condition, reason=reason, by=people)

        return self._agree(name, taken_back, about={"condition": condition}, reason=reason, by=by)

    def _can_be_meant(self, notice: str) -> bool:
        """Say whether somebody wrote a notice of this name, or a policy set that is published waits for it."""
        newest = self.desk.newest
        documents = {each.name: each.digest for each in newest.state.policies}.values()
        return newest.overseen.notices.get(notice) is not None or any(
            notice in self.desk.document(each).notices for each in documents
        )

    def _agree(
        self,
        name: str,
        change: Callable[[Case, tuple[Handle, ...]], Body],
        *,
        about: dict[str, str | int | None],
        reason: str,
        by: Handle,
    ) -> Agreed:
        require_handle(by)
        require_texts(reason=reason)
        what = digest_json({**about, "reason": reason})
        agreed = [Agreed(by=(by,), done=True)]

        def say(case: Case) -> list[Body]:
            if not takes_two(case):
                return [change(case, (by,))]
            require_first_time(case, by=by, step=Step.CORRECT, about=what)
            people = (*case.approved_by(Step.CORRECT, what), by)
            changed = change(case, people)
            agreed[0] = Agreed(by=people, done=len(people) >= APPROVALS)
            said = ApprovalGiven(case=name, step=Step.CORRECT, about=what, by=by)
            return [said, changed] if agreed[0].done else [said]

        self.book.say(name, say)
        return agreed[0]
