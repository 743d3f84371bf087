"""Why nothing permits a use is said exactly where the evaluator says that nothing does, and what is said is so."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from generated import NOW, item_facts, person_facts, rules
from hypothesis import given
from hypothesis import strategies as st

from consentry.policy.choice import Standing
from consentry.policy.evaluator import ReasonKind, evaluate_person
from consentry.policy.expressions import Effect, Item, Part, Person, Rule
from consentry.policy.matrix import PersonClass
from consentry.policy.vocabulary import ChoiceState
from consentry.release.unpermitted import unpermitted

_WITHOUT: dict[Part, dict[str, Any]] = {
    Part.CATEGORY: {"categories": frozenset()},
    Part.VISIBILITY: {"visibilities": frozenset()},
    Part.AGE: {"ages": frozenset()},
    Part.CREATED: {"created_from": None, "created_before": None},
    Part.PLACE: {"inside": frozenset(), "outside": frozenset()},
    Part.CHOICE: {"choices": frozenset()},
    Part.NOTICE: {"notice": None},
}


_asked = (person_facts, item_facts)


@given(st.lists(rules, min_size=1, max_size=4), *_asked)
def test_it_is_said_exactly_where_no_permit_matches(
    made: Sequence[Rule], facts: PersonClass, about: tuple[Any, ...]
) -> None:
    permits = [replace(made[0], effect=Effect.PERMIT), *made[1:]]
    person, item = _person(facts), Item(category=about[0], visibility=about[1], created=about[2])
    assert _nothing_permits(permits, person, item) is bool(unpermitted(permits, person, item=item, at=NOW))


@given(rules, *_asked)
def test_without_the_conditions_that_are_said_the_permit_stands_no_longer_in_the_way(
    made: Rule, facts: PersonClass, about: tuple[Any, ...]
) -> None:
    permit = replace(made, effect=Effect.PERMIT)
    person, item = _person(facts), Item(category=about[0], visibility=about[1], created=about[2])
    said = unpermitted([permit], person, item=item, at=NOW)
    wider = replace(permit, **{name: value for part in said for name, value in _WITHOUT[part].items()})
    assert not _nothing_permits([wider], person, item)


def _person(facts: PersonClass) -> Person:
    return facts.person(Standing(ChoiceState.ALLOWED))


def _nothing_permits(asked: Sequence[Rule], person: Person, item: Item) -> bool:
    reasons = evaluate_person(asked, person, item=item, at=NOW).reasons
    return any(each.kind is ReasonKind.NOT_PERMITTED for each in reasons)
