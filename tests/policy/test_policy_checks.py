"""Rules that cannot mean what they say, each with its line; and rules that come close but do."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from itertools import product
from random import Random
from typing import TypeVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from policy_strategies import AT, DATES, adults, items, rule_lists

from amounts import examples
from consentry.policy.choice import Standing
from consentry.policy.evaluator import evaluate_person
from consentry.policy.expressions import Effect, Item, Person, Rule
from consentry.policy.jurisdictions import DECISIONS_BEGIN, instant
from consentry.policy.policy_checks import find
from consentry.policy.policy_cover import Work, covering
from consentry.policy.policy_parser import check
from consentry.policy.vocabulary import Age, Category, ChoiceState, LegalBasis, Purpose, Visibility

Word = TypeVar("Word")
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


TOGETHER = "p:7 policy-unreachable-rule: permit `p1` never permits anything: forbids {} together cover all of it"


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
            [permit(), forbid('where.inside = ["US"]'), forbid('where.outside = ["US"]', number=2)],
            TOGETHER.format("`f1` and `f2`"),
        ),
        (
            [permit('category = ["post"]'), forbid('age = ["minor"]'), forbid('age = ["adult"]', number=2)],
            TOGETHER.format("`f1` and `f2`"),
        ),
        (
            [
                permit("created.from = 2020-01-01"),
                forbid("created.before = 2024-01-01"),
                forbid('created.from = 2023-01-01\nage = ["adult"]', number=2),
                forbid('age = ["minor"]\nvisibility = ["public", "members"]', number=3),
                forbid('visibility = ["connections", "group", "private"]', number=4),
            ],
            TOGETHER.format("`f1`, `f2`, `f3` and `f4`"),
        ),
        (
            [
                permit('where.inside = ["EEA"]'),
                forbid('category = ["direct-message"]'),
                forbid('where.inside = ["EU"]', number=2),
                forbid('where.inside = ["NO", "IS", "LI"]', number=3),
            ],
            TOGETHER.format("`f2` and `f3`"),
        ),
        (
            [
                permit('purpose = ["train-genai-text", "train-genai-image"]'),
                forbid('purpose = ["train-genai-text"]'),
                forbid('purpose = ["train-genai-image"]', number=2),
            ],
            TOGETHER.format("`f1` and `f2`"),
        ),
        (
            [permit('purpose = ["train-genai"]'), forbid('purpose = ["train-genai-text"]'),
             forbid('purpose = ["train-genai-image"]', number=2)],
            TOGETHER.format("`f1` and `f2`"),
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
        [permit(), forbid('where.inside = ["US"]'), forbid('where.outside = ["US"]\nage = ["minor"]', number=2)],
        [permit(), forbid('age = ["minor"]'), forbid('where.inside = ["EEA"]', number=2)],
        [permit(), forbid('purpose = ["train-genai-text"]'), forbid('age = ["minor"]', number=2)],
        [permit(), forbid("created.before = 2024-01-01"), forbid("created.from = 2024-01-02", number=2)],
    ],
)
def test_not_refused(parts: list[str]) -> None:
    assert found(*parts) == []


def test_help_names_the_lines_of_the_forbids_that_cover_a_permit() -> None:
    text = HEAD + permit() + forbid('age = ["minor"]') + forbid('age = ["adult"]', number=2)
    (problem,) = check(text, "p")
    lines = [number for number, line in enumerate(text.splitlines(), 1) if line == "[[forbid]]"]
    assert problem.help == f"delete it, or narrow one of the forbids in lines {lines[0]} and {lines[1]}"


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


def test_forty_rules_that_overlap_in_many_ways_are_checked_in_no_time() -> None:
    chance = Random(0)
    words = [each.value for each in Category if each is not Category.UNKNOWN]
    shown = [each.value for each in Visibility if each is not Visibility.UNKNOWN]

    def some(key: str, known: list[str], size: int) -> str:
        return f"{key} = {json.dumps(chance.sample(known, size))}\n"

    many = [permit(some("category", words, 6) + some("visibility", shown, 3), number=number) for number in range(10)]
    for number in range(30):
        third = some("age", ["adult", "minor"], 1) if number % 2 else some("where.outside", ["EU", "US", "UK", "JP"], 1)
        dates = f"created.{'from' if number % 4 < 2 else 'before'} = 20{10 + number % 16}-01-01"
        wide = some("category", words, len(words) - 2) + some("visibility", shown, 4)
        many.append(forbid(wide + third + (dates if number % 3 else 'choice = ["unset"]'), number=number))
    begun = time.process_time()
    problems = found(*many)
    assert time.process_time() - begun < 1
    assert any("together" in problem for problem in problems)


def test_what_would_take_long_is_not_reported() -> None:
    """Every piece of the permit is cut in two by every forbid: a million pieces, and none is left."""
    work = Work(1000)
    halves = [tuple(2 if each == number else 3 for each in range(20)) for number in range(20)]
    whole, last = (3,) * 20, (1,) * 20
    begun = time.process_time()
    assert covering(whole, [*halves, last], work=Work(1000)) == [*range(21)]
    many = [tuple(1 + (number >> each & 1) if each < 10 else 3 for each in range(20)) for number in range(1024)]
    assert covering(whole, many, work=work) is None
    assert work.left == 0
    assert time.process_time() - begun < 20


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


WHOLE = [
    (
        Item(category=category, visibility=visibility, created=created),
        Person(places=frozenset({place}), established=True, age=age, standing=Standing(choice)),
    )
    for category, visibility, created, place, age, choice in product(
        (Category.POST,),
        tuple(each for each in Visibility if each is not Visibility.UNKNOWN),
        (-1, 0, 100, 200, None),
        ("US-CA", "US-TX", "GB", "FR"),
        (Age.ADULT, Age.MINOR),
        (ChoiceState.UNSET, ChoiceState.ALLOWED),
    )
]
"""Everything that the rules below tell apart."""


@st.composite
def narrow_rules(draw: st.DrawFn, number: int) -> Rule:
    """A permit, then forbids: with conditions in at most two dimensions, as those are that add up to everything."""
    dimensions = st.sampled_from(["age", "visibility", "choice", "inside", "outside", "date"])
    keys = draw(st.sets(dimensions, min_size=1, max_size=2)) if number else {"visibility"}

    def some(key: str, words: Iterable[Word]) -> frozenset[Word]:
        return draw(st.frozensets(st.sampled_from(tuple(words)), min_size=1)) if key in keys else frozenset()

    return Rule(
        id=f"rule-{number}",
        effect=Effect.FORBID if number else Effect.PERMIT,
        why="Because.",
        purposes=frozenset({Purpose.TRAIN_GENAI}),
        legal_basis=None if number else LegalBasis.LEGITIMATE_INTERESTS,
        ages=some("age", (Age.ADULT, Age.MINOR)),
        visibilities=some("visibility", (each for each in Visibility if each is not Visibility.UNKNOWN)),
        choices=some("choice", (ChoiceState.UNSET, ChoiceState.ALLOWED)),
        inside=some("inside", ("US", "US-CA", "GB")),
        outside=some("outside", ("US", "US-CA", "GB")),
        created_from=draw(st.none() | st.sampled_from(DATES)) if "date" in keys else None,
        created_before=draw(st.none() | st.sampled_from(DATES)) if "date" in keys else None,
    )


@settings(max_examples=examples(50), deadline=None)
@given(st.integers(2, 6).flatmap(lambda size: st.tuples(*map(narrow_rules, range(size + 1)))))
def test_a_permit_is_reported_if_and_only_if_it_never_permits(rules: tuple[Rule, ...]) -> None:
    """One permit, several forbids: held against the evaluator, asked about everything the rules can tell apart."""
    reported = [each for each in find(rules, frozenset({Purpose.TRAIN_GENAI})) if each.number == 0]
    permits = any(evaluate_person(rules, person, item=item, at=AT).allowed for item, person in WHOLE)
    assert bool(reported) is not permits
