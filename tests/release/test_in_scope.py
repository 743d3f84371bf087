"""What an order can hit: exactly the items of which the evaluator does not say that its rule does not match."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from consentry.policy.expressions import Case, Effect, Item, Person, Rule, Truth, match
from consentry.policy.jurisdictions import instant
from consentry.policy.matrix import ItemClass, PersonClass
from consentry.policy.vocabulary import Age, Category, ChoiceState, Visibility
from consentry.release.in_scope import _may_be_such, _may_live_there

AT = instant("2024-09-20")
PLACES = ["GB", "DE", "US", "US-CA", "CA", "JE"]
RULES = st.builds(
    Rule,
    id=st.just("o.1"),
    effect=st.just(Effect.SUSPEND),
    why=st.just(""),
    inside=st.frozensets(st.sampled_from(["UK", "EU", "US-CA", "US-STATE-LAW", "GB"]), max_size=2),
    categories=st.frozensets(st.sampled_from([Category.POST, Category.IMAGE]), max_size=2),
    visibilities=st.frozensets(st.sampled_from([Visibility.PUBLIC, Visibility.PRIVATE]), max_size=1),
)
PEOPLE = st.builds(PersonClass, places=st.frozensets(st.sampled_from(PLACES), max_size=3), established=st.booleans())
ITEMS = st.builds(
    ItemClass,
    category=st.sampled_from([Category.POST, Category.IMAGE, Category.UNKNOWN]),
    visibility=st.sampled_from([Visibility.PUBLIC, Visibility.PRIVATE, Visibility.UNKNOWN]),
)


@given(RULES, PEOPLE, ITEMS)
def test_it_is_what_the_rule_may_match(rule: Rule, who: PersonClass, what: ItemClass) -> None:
    person = Person(places=who.places, established=who.established, age=Age.ADULT)
    item = Item(category=what.category, visibility=what.visibility, created=AT)
    cases = [Case(person, place, item, ChoiceState.UNSET, AT) for place in who.places or (None,)]
    expected = any(match(rule, case)[0] is not Truth.NO for case in cases)
    assert (_may_live_there(who, rule, AT) and _may_be_such(what, rule)) == expected


def test_nobody_lives_nowhere() -> None:
    rule = Rule(id="o", effect=Effect.SUSPEND, why="")
    assert np.array([_may_live_there(member, rule, AT) for member in (None, PersonClass())]).tolist() == [False, True]
