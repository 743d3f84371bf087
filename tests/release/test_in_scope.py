"""What an order can hit: exactly the items of which the evaluator does not say that its rule does not match."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from consentry.corpus.columns import UNKNOWN_DATE
from consentry.corpus.sidecar import ClassesPin, FilePin, Oddities, Sidecar, Stamp
from consentry.errors import IntegrityError
from consentry.policy.expressions import Case, Effect, Item, Person, Rule, Truth, match
from consentry.policy.jurisdictions import instant
from consentry.policy.matrix import ItemClass, PersonClass
from consentry.policy.vocabulary import Age, Category, ChoiceState, Visibility
from consentry.release import in_scope
from consentry.release.in_scope import ScopeTables, _may_be_such, _may_live_there, rows_in_scope

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
    # Where no residence is established somebody may live anywhere, whatever weak signals say.
    places = [*who.places, *(() if who.places and who.established else (None,))]
    cases = [Case(person, place, item, ChoiceState.UNSET, AT) for place in places]
    expected = any(match(rule, case)[0] is not Truth.NO for case in cases)
    assert (_may_live_there(who, rule, AT) and _may_be_such(what, rule)) == expected


def test_nobody_lives_nowhere() -> None:
    rule = Rule(id="o", effect=Effect.SUSPEND, why="")
    assert np.array([_may_live_there(member, rule, AT) for member in (None, PersonClass())]).tolist() == [False, True]


def sidecar(rng: np.random.Generator, *, rows: int, seats: int, kinds: int, dated: bool) -> Sidecar:
    involving = np.sort(rng.integers(0, rows, rows // 5)).astype(np.uint32) if rows else np.empty(0, np.uint32)
    created = rng.integers(AT - 100, AT + 100, rows).astype(np.uint32)
    created[rng.random(rows) < 0.1] = UNKNOWN_DATE
    return Sidecar(
        folder=Path(),
        pin=FilePin(path="x", size=0, digest="", rows=rows),
        file_stamp=Stamp(0),
        classes=ClassesPin(count=0, digest=""),
        person=rng.integers(0, seats, rows).astype(np.uint32),
        klass=rng.integers(0, kinds, rows).astype(np.uint8),
        created=created if dated else None,
        involved_row=involving,
        involved_person=rng.integers(0, seats, involving.size).astype(np.uint32),
        item=np.arange(rows, dtype=np.uint64),
        posting_person=np.empty(0, np.uint32),
        posting_row=np.empty(0, np.uint32),
        oddities=Oddities(),
    )


def one_by_one(file: Sidecar, look: ScopeTables) -> list[int]:
    """Return the rows in scope: the slow, plain meaning of `rows_in_scope`."""
    involved: dict[int, list[int]] = {}
    for row, seat in zip(file.involved_row.tolist(), file.involved_person.tolist(), strict=True):
        involved.setdefault(row, []).append(seat)
    first, before = look.rule.created_from, look.rule.created_before
    found = []
    for row in range(file.rows):
        people = [int(file.person[row]), *involved.get(row, ())]
        when = UNKNOWN_DATE if file.created is None else int(file.created[row])
        then = (first is None or when >= first) and (before is None or when < before)
        if look.items[file.klass[row]] and any(look.seats[each] for each in people):
            found += [row] if then or when == UNKNOWN_DATE else []
    return found


def people_of(file: Sidecar, rows: list[int]) -> set[int]:
    """Return the owners of some items and whoever they involve."""
    involved = zip(file.involved_row.tolist(), file.involved_person.tolist(), strict=True)
    return {int(file.person[row]) for row in rows} | {seat for row, seat in involved if row in set(rows)}


WINDOWS = st.sampled_from([(None, None), (AT, None), (None, AT), (AT - 50, AT + 50), (UNKNOWN_DATE + 9, None)])


@given(st.integers(0, 2**32), st.integers(0, 400), WINDOWS, st.booleans())
def test_the_rows_in_scope_are_those_found_one_by_one(
    seed: int, rows: int, window: tuple[int | None, int | None], dated: bool
) -> None:
    rng = np.random.default_rng(seed)
    rule = Rule(id="o", effect=Effect.SUSPEND, why="", created_from=window[0], created_before=window[1])
    look = ScopeTables(rule, rng.random(9) < 0.3, rng.random(4) < 0.7)
    file = sidecar(rng, rows=rows, seats=9, kinds=4, dated=dated)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(in_scope, "_SPAN_ROWS", 64)  # so that a few rows are several spans
        assert list(rows_in_scope(file, look)) == one_by_one(file, look)
        hit = np.zeros(9, np.bool_)
        assert list(rows_in_scope(file, look, hit=hit)) == one_by_one(file, look)
    assert set(np.flatnonzero(hit).tolist()) == people_of(file, one_by_one(file, look))


def test_a_file_with_people_who_are_not_there_is_not_counted() -> None:
    look = ScopeTables(Rule(id="o", effect=Effect.SUSPEND, why=""), np.ones(3, np.bool_), np.ones(4, np.bool_))
    file = sidecar(np.random.default_rng(1), rows=50, seats=9, kinds=4, dated=False)
    owned = replace(file, person=np.zeros(file.rows, dtype=np.uint32))
    for named in (file, owned, replace(file, involved_person=np.zeros(file.involved_row.size, dtype=np.uint32))):
        with pytest.raises(IntegrityError):
            rows_in_scope(named, look)
