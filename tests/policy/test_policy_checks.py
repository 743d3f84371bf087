"""Rules that cannot mean what they say, each with its line; and rules that come close but do."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from policy_strategies import AT, adults, items, rule_lists

from consentry.policy.evaluator import evaluate_person
from consentry.policy.expressions import Item, Person, Rule
from consentry.policy.jurisdictions import DECISIONS_BEGIN, instant
from consentry.policy.policy_checks import find
from consentry.policy.policy_parser import check
from consentry.policy.vocabulary import Purpose

HEAD = """\
[policy_set]
name = "a"
version = "1"
title = "A"
purposes = ["train-genai"]
"""
PERMIT = '\n[[permit]]\nid = "p{}"\nwhy = "Because."\nlegal_basis = "{}"\n{}\n'
FORBID = '\n[[forbid]]\nid = "f{}"\nwhy = "Because."\n{}\n'
INTERESTS = "legitimate-interests"


def permit(conditions: str = "", *, number: int = 1, basis: str = INTERESTS) -> str:
    return PERMIT.format(number, basis, conditions)


def forbid(conditions: str = "", *, number: int = 1) -> str:
    return FORBID.format(number, conditions)


def found(*parts: str) -> list[str]:
    """Every problem. The first rule begins in line 7; its conditions in line 11, or 10 for a forbid."""
    problems = check(HEAD + "".join(parts), "p")
    return [f"{problem.where} {problem.code}: {problem.message}" for problem in problems]


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        (
            [permit("created = { from = 2024-01-01, before = 2024-01-01 }")],
            "p:11 policy-unreachable-rule: permit `p1` is about an empty span of dates",
        ),
        (
            [forbid("created.before = 2020-01-01\ncreated.from = 2024-01-01")],
            "p:10 policy-unreachable-rule: forbid `f1` is about an empty span of dates",
        ),
        (
            [permit('where.inside = ["IE", "HR"]\nwhere.outside = ["EU"]')],
            "p:11 policy-unreachable-rule: no place is both inside and outside as permit `p1` asks",
        ),
        (
            [permit('where = { inside = ["GB-SCT"], outside = ["GB"] }')],
            "p:11 policy-unreachable-rule: no place is both inside and outside as permit `p1` asks",
        ),
        (
            [permit('purpose = ["serve"]')],
            "p:11 policy-unreachable-rule: permit `p1` is about `serve`, which the set does not decide",
        ),
        (
            [permit('purpose = ["train-ai"]')],
            "p:11 policy-unreachable-rule: permit `p1` is about `train-ai`, which the set does not decide",
        ),
        (
            [forbid('purpose = ["serve"]')],
            "p:10 policy-unreachable-rule: forbid `f1` is about `serve`, which the set does not decide",
        ),
        (
            [forbid('choice = ["refused"]')],
            "p:10 policy-unreachable-rule: forbid `f1` repeats that a refusal denies",
        ),
        (
            [permit('category = ["post"]'), forbid()],
            "p:7 policy-unreachable-rule: permit `p1` never permits anything: forbid `f1` covers all of it",
        ),
        (
            [permit('where.inside = ["IE"]'), forbid('where.inside = ["EEA"]')],
            "p:7 policy-unreachable-rule: permit `p1` never permits anything: forbid `f1` covers all of it",
        ),
        (
            [permit('visibility = ["public"]'), forbid('age = ["adult", "minor"]')],
            "p:7 policy-unreachable-rule: permit `p1` never permits anything: forbid `f1` covers all of it",
        ),
        (
            [permit('purpose = ["train-genai-text"]'), forbid('purpose = ["train-ai"]')],
            "p:7 policy-unreachable-rule: permit `p1` never permits anything: forbid `f1` covers all of it",
        ),
        (
            [permit("created.from = 2024-01-01"), forbid("created.from = 2020-01-01")],
            "p:7 policy-unreachable-rule: permit `p1` never permits anything: forbid `f1` covers all of it",
        ),
        (
            [permit(), forbid('visibility = ["public", "members", "connections", "group", "private"]')],
            "p:7 policy-unreachable-rule: permit `p1` never permits anything: forbid `f1` covers all of it",
        ),
        (
            [permit(), permit(number=2)],
            "p:13 policy-unreachable-rule: permit `p2` changes nothing",
        ),
        (
            [permit('category = ["post"]'), permit('category = ["post", "article"]', number=2)],
            "p:7 policy-unreachable-rule: permit `p1` changes nothing",
        ),
        (
            [permit('notice = { id = "a", days = 5 }'), permit('notice = { id = "a", days = 6 }', number=2)],
            "p:13 policy-unreachable-rule: permit `p2` changes nothing",
        ),
        (
            [forbid('where.inside = ["EU"]'), forbid('where.inside = ["IE", "DE"]', number=2)],
            "p:12 policy-unreachable-rule: forbid `f2` changes nothing",
        ),
        (
            [permit(basis="consent")],
            "p:7 policy-contradiction: permit `p1` relies on consent but does not ask for it",
        ),
        (
            [permit('choice = ["unset", "allowed"]', basis="consent")],
            "p:11 policy-contradiction: permit `p1` relies on consent but does not ask for it",
        ),
        (
            [permit('choice = ["refused", "allowed"]')],
            "p:11 policy-contradiction: permit `p1` is meant for people who refused",
        ),
    ],
)  # fmt: skip
def test_refused(parts: list[str], expected: str) -> None:
    assert found(*parts) == [expected]


@pytest.mark.parametrize(
    "parts",
    [
        [],
        [forbid('category = ["direct-message"]')],
        [permit('category = ["post"]'), forbid('category = ["direct-message"]')],
        [permit(), forbid('age = ["minor"]')],
        [permit(), forbid('visibility = ["public", "members", "connections", "group"]')],
        [permit('where.inside = ["FR"]'), forbid('where.inside = ["EU"]')],  # New Caledonia is not in the EU
        [permit('where.inside = ["EEA"]'), forbid('where.inside = ["EU"]')],
        [permit('where.inside = ["NO"]'), forbid('where.inside = ["EU"]')],
        [permit('where.inside = ["US"]'), forbid('where.inside = ["US-CA"]')],
        [permit('purpose = ["train-genai"]'), forbid('purpose = ["train-genai-text"]')],
        [permit('choice = ["allowed"]', basis="consent"), permit(number=2)],
        [permit('choice = ["allowed"]', basis="consent"), permit('choice = ["unset"]', number=2)],
        [permit('notice = { id = "a", days = 5 }'), permit('notice = { id = "b", days = 5 }', number=2)],
        [permit("created.before = 2024-01-01"), forbid("created.before = 2023-12-31")],
        [permit("created.from = 2024-01-01"), permit("created.before = 2024-01-02", number=2)],
        [forbid('choice = ["unset", "refused"]'), permit()],
        [permit('where = { inside = ["EU"], outside = ["FR"] }')],
    ],
)
def test_not_refused(parts: list[str]) -> None:
    assert found(*parts) == []


def test_a_rule_with_a_mistake_is_not_compared_with_others() -> None:
    """Without its word the first permit would seem to cover the second."""
    assert [
        each.split(":")[1] for each in found(permit('category = ["pots"]'), permit('age = ["adult"]', number=2))
    ] == ["11 policy-unknown-word"]


def test_many_notices_are_checked_in_no_time() -> None:
    """The work must not double with each notice: with all combinations, eleven took longer than this may."""
    waiting = [permit(f'notice = {{ id = "n{number}", days = {number} }}', number=number) for number in range(40)]
    again = permit('notice = { id = "n7", days = 9 }', number=99)
    begun = time.process_time()
    assert found(*waiting) == []
    assert [each.split(":", 2)[2] for each in found(*waiting, again)] == [
        " permit `p99` changes nothing",
    ]
    assert time.process_time() - begun < 10


def test_a_rule_is_looked_at_from_the_first_time_a_decision_is_asked_for() -> None:
    """Utah's law was in force before; Montana's came after: only then is every state of the list in it."""
    rules = [permit('where.inside = ["US-UT"]'), forbid('where.inside = ["US-STATE-LAW"]')]
    assert len(found(*rules)) == 1
    assert found(permit('where.inside = ["US-MT"]'), rules[1]) == []
    assert instant("2023-12-31") < DECISIONS_BEGIN < instant("2024-10-01")


@settings(max_examples=60, deadline=None)
@given(rule_lists(max_size=4), st.lists(st.tuples(items, adults), min_size=20, max_size=20))
def test_deleting_what_is_reported_changes_no_answer(rules: tuple[Rule, ...], cases: list[tuple[Item, Person]]) -> None:
    for finding in find(rules, frozenset({Purpose.TRAIN_GENAI})):
        rest = tuple(rule for number, rule in enumerate(rules) if number != finding.number)
        for item, person in cases if not finding.key else []:
            with_it, without = (evaluate_person(each, person, item=item, at=AT).allowed for each in (rules, rest))
            assert with_it is without
