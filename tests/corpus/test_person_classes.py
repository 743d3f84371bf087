"""Classes of people and their choices, by seat: what was moved equals what is classified anew."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from amounts import examples
from consentry.corpus.choices import NEVER, ChoiceColumns, ChoiceSet, DatedRefusals, spread
from consentry.corpus.classes import (
    Attributes,
    Linked,
    Residing,
    Said,
    classify,
    close,
    join_linked,
    moved,
    with_accounts,
)
from consentry.ledger.groups import distinct, joined
from consentry.policy.choice import ChoiceKey, LiveChoice, standing
from consentry.policy.vocabulary import ACCOUNTS, AGES, CATEGORIES, Account, Age, Category, ChoiceState, Purpose, Reach

RESIDENCES = (
    Residing(),
    Residing(frozenset({"US"}), established=True),
    Residing(frozenset({"FR", "US"}), established=False),
)
CHOICES = st.builds(
    LiveChoice,
    key=st.builds(
        ChoiceKey,
        purpose=st.sampled_from(Purpose),
        category=st.none() | st.sampled_from([Category.POST, Category.IMAGE]),
        item=st.none() | st.just("ab" * 16),
    ),
    state=st.sampled_from([ChoiceState.ALLOWED, ChoiceState.REFUSED]),
    reach=st.sampled_from(Reach),
    at=st.sampled_from([-5, 0, 7, 9, NEVER - 1, NEVER, NEVER + 5]),
)
SETS: st.SearchStrategy[ChoiceSet] = st.lists(CHOICES, max_size=4, unique_by=lambda each: each.key).map(tuple)


@st.composite
def crowds(draw: st.DrawFn) -> Attributes:
    people = draw(st.integers(1, 12))

    def column(limit: int) -> Any:
        return np.array(draw(st.lists(st.integers(0, limit - 1), min_size=people + 1, max_size=people + 1)))

    return Attributes(
        residences=RESIDENCES,
        residence=column(len(RESIDENCES)).astype(np.uint16),
        age=column(len(AGES)).astype(np.uint8),
        account=column(len(ACCOUNTS)).astype(np.uint8),
        known=column(2).astype(np.bool_),
    )


def said(columns: ChoiceColumns, notice: Any) -> Said:
    return Said(
        choice_code=columns.code,
        choice_sets=columns.sets,
        notice_code=notice,
        notice_sets=[(), (("n", 5),)],
    )


@settings(max_examples=examples(50), deadline=None)
@given(crowds(), st.data())
def test_moving_people_equals_classifying_everybody(crowd: Attributes, data: st.DataObject) -> None:
    columns = ChoiceColumns()
    columns.grow(crowd.seats)
    notice = np.array(data.draw(st.lists(st.integers(0, 1), min_size=crowd.seats, max_size=crowd.seats)), np.uint16)
    seats = st.integers(1, crowd.seats - 1)
    for seat, choices in data.draw(st.dictionaries(seats, SETS)).items():
        columns.put(seat, choices)
    classes = classify(crowd, said(columns, notice))
    for seat in range(1, crowd.seats):
        member = classes.members[int(classes.codes[seat])]
        assert member is not None
        assert member.places == RESIDENCES[int(crowd.residence[seat])].places
        assert (member.age, member.account) == (AGES[int(crowd.age[seat])], ACCOUNTS[int(crowd.account[seat])])
        assert (member.known, member.choices) == (bool(crowd.known[seat]), columns.sets[int(columns.code[seat])])
        assert member.notices == [(), (("n", 5),)][int(notice[seat])]
    assert classes.members[int(classes.codes[0])] is None
    changed = data.draw(st.dictionaries(seats, SETS))
    for seat, choices in changed.items():
        columns.put(seat, choices)
    before = classes.codes.copy()
    after = moved(classes, said(columns, notice), seats=np.array(sorted(changed), dtype=np.uint32))
    anew = classify(crowd, said(columns, notice))
    assert [after.members[code] for code in after.codes.tolist()] == [anew.members[c] for c in anew.codes.tolist()]
    assert np.array_equal(classes.codes, before)  # what was handed out is never changed


@settings(max_examples=examples(80), deadline=None)
@given(st.dictionaries(st.integers(1, 5), SETS), st.sampled_from(Purpose))
def test_columns_say_what_all_choices_add_up_to(everybody: dict[int, ChoiceSet], purpose: Purpose) -> None:
    columns = ChoiceColumns()
    columns.grow(6)
    for seat, choices in [*everybody.items(), *everybody.items()]:  # putting twice changes nothing
        columns.put(seat, choices)
    dated = columns.dated(purpose)
    for seat in range(1, 6):
        choices = everybody.get(seat, ())
        assert columns.single.get(seat, ()) == (choices if any(each.key.item for each in choices) else ())
        for code, category in enumerate(CATEGORIES):
            expected = standing(choices, purpose=purpose, category=category)
            timeless = standing(columns.sets[int(columns.code[seat])], purpose=purpose, category=category)
            assert timeless.state is expected.state
            if expected.since is None:
                continue
            place = int(np.searchsorted(dated.keys, np.uint64(seat * 256 + code)))
            narrow = [
                int(dated.since[index])
                for index in range(place, dated.keys.size)
                if int(dated.keys[index]) == seat * 256 + code
            ]
            whole = dated.everywhere[dated.seats == seat].tolist()
            bound = min([NEVER, *whole, *narrow])
            # Dates of creation are at least 0 and below NEVER: beyond them a bound means always or never.
            assert min(max(bound, 0), NEVER) == min(max(expected.since, 0), NEVER)


@settings(max_examples=examples(80), deadline=None)
@given(st.lists(st.dictionaries(st.integers(1, 8), SETS), min_size=1, max_size=4), st.data())
def test_refusals_asked_for_again_equal_those_of_new_columns(
    rounds: list[dict[int, ChoiceSet]], data: st.DataObject
) -> None:
    purpose = data.draw(st.sampled_from(Purpose))
    columns, said = ChoiceColumns(), dict[int, ChoiceSet]()
    columns.grow(9)
    for round_ in rounds:
        for seat, choices in round_.items():
            columns.put(seat, choices)
        said |= round_
        if data.draw(st.booleans()):
            continue  # asked for more seldom than people say something
        anew = ChoiceColumns()
        anew.grow(9)
        for seat, choices in said.items():
            anew.put(seat, choices)
        found, expected = columns.dated(purpose), anew.dated(purpose)
        for name in DatedRefusals._fields:
            assert getattr(found, name).dtype == getattr(expected, name).dtype
            assert getattr(found, name).tolist() == getattr(expected, name).tolist()


def test_taking_everything_back_leaves_nothing() -> None:
    columns = ChoiceColumns()
    columns.grow(2)
    refusal = LiveChoice(ChoiceKey(Purpose.TRAIN_AI, None, None), ChoiceState.REFUSED, Reach.FUTURE, 7)
    columns.put(1, (refusal, refusal._replace(key=ChoiceKey(Purpose.TRAIN_AI, None, "ab" * 16))))
    columns.put(1, ())
    assert (int(columns.code[1]), int(columns.since[1]), columns.several, columns.single) == (0, NEVER, {}, {})


def test_more_sets_of_choices_than_16_bits_can_number() -> None:
    columns = ChoiceColumns()
    columns.grow(70_001)
    purposes = list(Purpose)
    for seat in range(1, 70_001):
        digits = [(seat // 3**place) % 3 for place in range(12)]
        columns.put(
            seat,
            tuple(
                LiveChoice(ChoiceKey(purposes[place % 7], list(Category)[place], None), state, Reach.UNTRAINED, 0)
                for place, digit in enumerate(digits)
                if (state := (None, ChoiceState.ALLOWED, ChoiceState.REFUSED)[digit]) is not None
            ),
        )
    assert len(set(columns.code.tolist())) == 70_001


@given(st.dictionaries(st.integers(1, 6), SETS), st.sets(st.integers(1, 6)), st.sampled_from(Purpose))
def test_refusals_spread_and_allowances_do_not(
    choices: dict[int, ChoiceSet], first: set[int], purpose: Purpose
) -> None:
    groups = [sorted(first), sorted({1, 2, 3, 4, 5, 6} - first)]
    found = spread(choices, groups)
    for group in groups:
        for seat in group:
            refused = [each for one in group for each in choices.get(one, ()) if each.state is ChoiceState.REFUSED]
            together = [*choices.get(seat, ()), *refused]
            for category in (Category.POST, Category.IMAGE, Category.PROFILE):
                for item in (None, "ab" * 16):
                    about = {"purpose": purpose, "category": category, "item": item}
                    assert standing(found.get(seat, ()), **about) == standing(together, **about)  # type: ignore[arg-type]
            assert {each for each in found.get(seat, ()) if each.state is ChoiceState.ALLOWED} == {
                each for each in choices.get(seat, ()) if each.state is ChoiceState.ALLOWED
            }


@settings(max_examples=examples(50), deadline=None)
@given(crowds(), st.data())
def test_linking_people_equals_classifying_everybody(crowd: Attributes, data: st.DataObject) -> None:
    columns = ChoiceColumns()
    columns.grow(crowd.seats)
    what = said(columns, np.zeros(crowd.seats, np.uint16))
    seats = st.integers(1, crowd.seats - 1)
    erased = data.draw(st.sets(seats, max_size=2))
    groups: Mapping[int, tuple[int, ...]] = {}
    moving = None
    for links in data.draw(st.lists(st.lists(st.tuples(seats, seats), max_size=2), min_size=1, max_size=4)):
        groups = joined(groups, links)
        closed = with_accounts(np.array(sorted(erased), dtype=np.uint32), groups)
        anew = classify(close(join_linked(crowd, groups), closed), what)
        concerned = list(distinct(groups, (seat for link in links for seat in link)))
        touched = np.array(sorted(seat for group in concerned for seat in group), dtype=np.uint32)
        linked = Linked(concerned, closed=set(closed.tolist()))
        moving = anew if moving is None else moved(moving, what, seats=touched, linked=linked)
        assert [moving.members[code] for code in moving.codes.tolist()] == [
            anew.members[code] for code in anew.codes.tolist()
        ]


def test_accounts_of_one_person_are_where_any_of_them_is() -> None:
    crowd = Attributes(
        residences=RESIDENCES,
        residence=np.array([0, 1, 2, 0, 1], dtype=np.uint16),
        age=np.array(
            [AGES.index(each) for each in (Age.UNKNOWN, Age.ADULT, Age.MINOR, Age.ADULT, Age.ADULT)], np.uint8
        ),
        account=np.array([ACCOUNTS.index(each) for each in (*[Account.ACTIVE] * 4, Account.CLOSED)], dtype=np.uint8),
        known=np.array([False, True, True, False, True]),
    )
    joined = join_linked(crowd, {1: (1, 2), 2: (1, 2), 3: (3, 4), 4: (3, 4)})
    for seat in (1, 2):
        residing = joined.residences[int(joined.residence[seat])]
        assert residing == Residing(frozenset({"FR", "US"}), established=False)
        assert AGES[int(joined.age[seat])] is Age.MINOR
    assert joined.residences[int(joined.residence[3])].places == {"US"}  # what is known of the other account
    assert ACCOUNTS[int(joined.account[3])] is Account.ACTIVE
    closed = close(joined, np.array([1], dtype=np.uint32))
    assert [ACCOUNTS[code] for code in closed.account.tolist()][1:3] == [Account.CLOSED, Account.ACTIVE]
    assert ACCOUNTS[int(joined.account[1])] is Account.ACTIVE
