"""Since when a use is given back to one person: the same as by asking about every order that ended, one by one."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from amounts import examples
from consentry.control_plane.own_suspensions import resumed_at
from consentry.ledger.oversight_events import OrderEnd, Origin
from consentry.oversight.order import Ended, Order, Scope
from consentry.policy.library import shipped
from consentry.policy.matrix import PersonClass
from consentry.policy.policy_parser import load
from consentry.policy.vocabulary import Account, Age, Category, Purpose
from consentry.release.basis import rules_for
from consentry.release.situation import Question, Situation, stands

AT = 1_760_000_000
RULES = rules_for((SET := load(shipped()["august-2024"], "set")).rules, decides=SET.decides(Purpose.TRAIN_GENAI))
SCOPES = (
    Scope(areas=frozenset({"US"})),
    Scope(areas=frozenset({"GB"})),
    Scope(),
    Scope(areas=frozenset({"US"}), categories=frozenset({Category.POST})),
    Scope(categories=frozenset({*Category} - {Category.POST, Category.UNKNOWN})),
    Scope(purposes=frozenset({Purpose.SERVE})),
    Scope(models=frozenset({"drafts"})),
)


def american() -> Question:
    facts = PersonClass(places=frozenset({"US"}), established=True, age=Age.ADULT, account=Account.ACTIVE)
    return Question(purpose=Purpose.TRAIN_GENAI, rules=RULES, facts=facts, said=(), seen_by={}, at=AT)


def order(number: int, scope: Scope, *, position: int, ended: int | None) -> Order:
    return Order(
        order=f"case-{number}.1",
        case=f"case-{number}",
        scope=scope,
        origin=Origin.OWN_DECISION,
        reference="letter",
        by=None,
        position=position,
        at=AT,
        at_ms=AT * 1_000,
        ended=None if ended is None else Ended(how=OrderEnd.LIFTED, position=ended, at=AT + ended),
    )


def one_by_one(question: Question, orders: Sequence[Order]) -> int | None:
    """Ask about each order that ended, the last one first, with those that held together with it."""
    ours = [each for each in orders if each.scope.names(None) and each.scope.concerns(question.purpose)]
    over = sorted(((each.ended, each) for each in ours if each.ended), key=lambda each: -each[0].position)
    for ended, gone in over:
        until = ended.position
        held = [each for each in ours if each.position < until and (each.ended is None or each.ended.position >= until)]
        before = replace(question, rules=(*question.rules, *(each.rule for each in held)))
        without = replace(question, rules=(*question.rules, *(each.rule for each in held if each is not gone)))
        if stands(before).situation is Situation.STOPPED and stands(without).situation is not Situation.STOPPED:
            return ended.at
    return None


@st.composite
def histories(draw: st.DrawFn) -> list[Order]:
    places = draw(st.permutations(range(24)))
    found = []
    for number in range(draw(st.integers(1, 6))):
        first, last = sorted(places[2 * number : 2 * number + 2])
        ends = draw(st.booleans())
        found.append(order(number, draw(st.sampled_from(SCOPES)), position=first, ended=last if ends else None))
    return sorted(found, key=lambda each: each.position)


@settings(max_examples=examples(60), deadline=None)
@given(histories())
def test_it_is_what_asking_one_by_one_finds(orders: list[Order]) -> None:
    assert resumed_at(american(), orders) == one_by_one(american(), orders)


def test_some_of_them_give_something_back() -> None:
    assert resumed_at(american(), [order(0, SCOPES[0], position=1, ended=2)]) == AT + 2
    assert resumed_at(american(), [order(0, SCOPES[1], position=1, ended=2)]) is None


def test_thousands_of_orders_cost_no_more_than_their_scopes() -> None:
    orders = [order(each, SCOPES[1], position=2 * each, ended=2 * each + 1) for each in range(10_000)]
    began = time.process_time()
    assert resumed_at(american(), orders) is None
    assert time.process_time() - began < 2
