"""Requirements that were written down by mistake: they get less on record, by as many people as it takes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consentry.errors import ConsentryError
from consentry.ledger.case_events import (
    ApprovalGiven,
    CaseOpened,
    ConditionAdded,
    NoticeCorrected,
    NoticeRequired,
    Step,
)
from consentry.ledger.events import Body
from consentry.ledger.oversight_events import OrderEnd, OrderEnded, Origin
from consentry.ledger.statement_events import Says, StatementFiled
from consentry.oversight.case import Case
from consentry.oversight.case_fold import Cases
from consentry.oversight.correction import (
    MOST_DAYS,
    binding,
    require_condition_correctable,
    require_days,
    require_notice_correctable,
    takes_two,
)
from consentry.oversight.order import Order, Orders, Scope, issue
from ledger.sayings import event

OPENED = CaseOpened(case="c", title="UK posts", reference="letter", by="ann")
WRONG = NoticeRequired(case="c", notice="wrnog", days=30, by="ann")
CONDITION = ConditionAdded(
    case="c", condition="window", title="a longer window", owner="ann", due=4_000_000_000, check=None, policy=None,
    parameters=(), by="ann",
)  # fmt: skip
BINDING = (Origin.COURT_UNDERTAKING, Origin.BINDING_ORDER, Origin.AUTHORITY)


def suspended(origin: Origin, order: str = "c.1") -> Body:
    return issue(Scope(), order=order, case="c", origin=origin, reference="letter", at_ms=1)


def after(*bodies: Body) -> tuple[Case, Sequence[Order]]:
    cases, orders = Cases(), Orders()
    for position, body in enumerate((OPENED, *bodies)):
        cases.take(event(position, body))
        orders.take(event(position, body))
    case = cases.get("c")
    assert case is not None
    return case, orders.of("c")


def code_of(call: Callable[[], None]) -> str | None:
    """Return the code with which something is refused; None if it is not."""
    try:
        call()
    except ConsentryError as error:
        return error.code
    return None


def notice_refusal(
    *bodies: Body, notice: str = "wrnog", days: int | None = None, can_be_meant: bool = True
) -> str | None:
    case, orders = after(*bodies)
    return code_of(
        lambda: require_notice_correctable(case, notice, days=days, can_be_meant=can_be_meant, orders=orders)
    )


def condition_refusal(*bodies: Body) -> str | None:
    case, orders = after(*bodies)
    return code_of(lambda: require_condition_correctable(case, "window", orders=orders))


@pytest.mark.parametrize("origin", [None, *sorted(set(Origin) - set(BINDING))])
def test_what_nothing_binding_demands_is_corrected_and_taken_back(origin: Origin | None) -> None:
    said = (WRONG, CONDITION, *([] if origin is None else [suspended(origin)]))
    for days in (0, 29, None):
        assert notice_refusal(*said, days=days) is None
    assert condition_refusal(*said) is None


def test_a_correction_makes_less_of_what_is_there() -> None:
    for days in (30, 31, MOST_DAYS, -1):
        assert notice_refusal(WRONG, days=days) == "case-notice-not-fewer"
    assert notice_refusal(WRONG, notice="another") == "case-notice-unknown"
    case, orders = after(WRONG)
    with pytest.raises(ConsentryError, match="no condition `window`"):
        require_condition_correctable(case, "window", orders=orders)


@pytest.mark.parametrize("origin", BINDING)
def test_what_a_binding_order_may_demand_gets_no_less_while_it_is_in_force(origin: Origin) -> None:
    said = (WRONG, CONDITION, suspended(origin))
    for days in (0, 29, None):
        assert notice_refusal(*said, days=days) == "case-binding"
        assert notice_refusal(*said, days=days, can_be_meant=False) == "case-binding"
    assert condition_refusal(*said) == "case-binding"
    # Another order of the case is not binding: that makes nothing free.
    assert notice_refusal(*said, suspended(Origin.OWN_DECISION, "c.2")) == "case-binding"
    assert notice_refusal(*said, OrderEnded(order="c.1", case="c", how=OrderEnd.NARROWED)) is None


@pytest.mark.parametrize("days", [30, 31])
def test_a_mistyped_notice_goes_even_then_once_the_right_one_is_required_with_as_many_days(days: int) -> None:
    right = NoticeRequired(case="c", notice="right", days=days, by="ann")
    said = (suspended(Origin.BINDING_ORDER), WRONG, right)
    assert notice_refusal(*said, can_be_meant=False) is None
    assert notice_refusal(*said, can_be_meant=True) == "case-binding"
    assert notice_refusal(*said, can_be_meant=False, days=3) == "case-binding"
    shorter = replace(right, days=29)
    assert notice_refusal(suspended(Origin.BINDING_ORDER), WRONG, shorter, can_be_meant=False) == "case-binding"


def test_an_authority_that_signed_that_its_order_may_be_lifted_demands_nothing_more() -> None:
    def filed(says: Says) -> StatementFiled:
        return StatementFiled(
            case="c", says=says, orders=("c.1",), areas=(), reference="decision 7", document="sha256:" + "0" * 64,
            statement="sha256:" + "1" * 64, key="k", by="ico",
        )  # fmt: skip

    said = (WRONG, suspended(Origin.AUTHORITY), filed(Says.SUSPEND))
    assert notice_refusal(*said) == "case-binding"
    assert notice_refusal(*said, filed(Says.MAY_BE_LIFTED)) is None
    assert binding(*after(*said)) == ("c.1",)


def test_one_person_may_until_somebody_approved_and_after_that_two_have_to_for_good() -> None:
    def approves(step: Step) -> ApprovalGiven:
        return ApprovalGiven(case="c", step=step, about=None, by="ann")

    assert not takes_two(after(WRONG)[0])
    assert not takes_two(after(WRONG, approves(Step.WITHDRAW), approves(Step.CORRECT))[0])
    assert takes_two(after(WRONG, approves(Step.LIFT))[0])
    assert takes_two(after(approves(Step.LIFT), WRONG, CONDITION)[0]), "a change makes it void, and not undone"


@given(st.integers(-1_000, 40_000))
def test_no_case_waits_longer_than_a_year(days: int) -> None:
    if 0 <= days <= 366:
        require_days(days)
        return
    with pytest.raises(ConsentryError) as raised:
        require_days(days)
    assert raised.value.code == "case-notice-days"
    assert "told again" in raised.value.help


def test_what_was_required_once_is_remembered_until_it_is_required_again() -> None:
    gone = NoticeCorrected(case="c", notice="wrnog", days=None, reason="mistyped", by=("ann",))
    case, _ = after(WRONG, gone)
    assert (dict(case.notices), case.dropped) == ({}, frozenset({"wrnog"}))
    case, _ = after(WRONG, gone, replace(WRONG, days=3))
    assert (dict(case.notices), case.dropped) == ({"wrnog": 3}, frozenset())
    case, _ = after(gone, WRONG)
    assert dict(case.notices) == {"wrnog": 30}, "what is not required is not corrected"
    case, _ = after(replace(WRONG, days=36_500), replace(gone, days=30))
    assert dict(case.notices) == {"wrnog": 30}, "also where it was said before there was an upper bound"
