"""The kernel says what the evaluator says, for any rules, people, choices and items."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from generated import CATEGORIES, NOW, VISIBILITIES, Items, item_facts, people_lists, prepare, rule_lists
from hypothesis import given, settings
from hypothesis import strategies as st
from pyroaring import BitMap64

from amounts import examples
from consentry.corpus import census
from consentry.corpus.sidecar import Sidecar
from consentry.policy.choice import ChoiceKey, LiveChoice, standing
from consentry.policy.evaluator import OWNER_UNKNOWN, Decision, ReasonKind, combine, evaluate_person
from consentry.policy.expressions import Effect, Item, Rule
from consentry.policy.matrix import ItemClass, MatrixCompiler, PersonClass
from consentry.policy.memberships import COUNTRIES
from consentry.policy.vocabulary import (
    Account,
    Age,
    Category,
    ChoiceState,
    Purpose,
    Reach,
    Visibility,
)
from consentry.release import kernel
from consentry.release.kernel import (
    FileDecision,
    Tally,
    add_up,
    decide_rows,
    decide_span,
    excluded_bits,
    finish_file,
    is_allowed,
    spans_of,
    tally_rows,
)
from consentry.release.roaring import serialize
from consentry.release.seat_tables import by_seat
from consentry.release.tables import Tables
from consentry.runners.local import LocalRunner


def direct(
    rule_list: Sequence[Rule],
    people: Sequence[PersonClass],
    seats: Sequence[int],
    item: Item,
) -> list[Decision]:
    """The meaning, person by person and straight from everything they chose; the owner comes first."""
    applicable = [rule for rule in rule_list if rule.applies_to(Purpose.TRAIN_GENAI)]

    def for_seat(seat: int) -> Decision:
        if seat == 0:
            return OWNER_UNKNOWN
        facts = people[seat - 1]
        person = facts.person(standing(facts.choices, purpose=Purpose.TRAIN_GENAI, category=item.category))
        return evaluate_person(applicable, person, item=item, at=NOW)

    return [for_seat(seat) for seat in seats]


def counted_under(decisions: Sequence[Decision]) -> tuple[Decision, bool]:
    """Return the decision an item is counted under, and whether it is an involved person's.

    It is the owner's; if the owner allows it, that of whoever is against it for the strongest reasons.
    """
    owner, *involved = decisions
    against = [each for each in involved if not each.allowed]
    if not owner.allowed or not against:
        return owner, False
    kinds = list(ReasonKind)
    return min(against, key=lambda each: [(kinds.index(why.kind), why.reference) for why in each.reasons]), True


def decide_file(sidecar: Sidecar, look: Tables) -> FileDecision:
    middle = sidecar.rows // 2 // 8 * 8
    halves = [(start, stop) for start, stop in ((0, middle), (middle, sidecar.rows)) if start < stop]
    seats = by_seat(look, count=True)
    spans = [decide_span(sidecar, start, stop=stop, look=look, seats=seats) for start, stop in halves]
    counted = census.take(
        [sidecar], look.person_class, classes=look.first_cell.size, width=look.width, runner=LocalRunner(1)
    )
    return finish_file(sidecar, spans, census=counted.files[0], look=look)


@settings(max_examples=examples(100), deadline=None)
@given(rule_lists(5), people_lists, st.lists(item_facts, min_size=1, max_size=30))
def test_kernel_equals_evaluator(rule_list: list[Rule], people: list[PersonClass], items: Items) -> None:
    sidecar, look = prepare(rule_list, people, items, folder=Path())
    decision = decide_file(sidecar, look)
    allowed = np.unpackbits(decision.allowed, bitorder="little")[: sidecar.rows].astype(bool)
    outcomes = decide_rows(sidecar, np.arange(sidecar.rows), look=look)
    for row, (category, visibility, created, owner, involved) in enumerate(items):
        item = Item(category=category, visibility=visibility, created=created)
        seats = [min(owner, len(people)), *(min(seat, len(people)) for seat in involved)]
        expected = direct(rule_list, people, seats, item)
        assert allowed[row] == combine(expected).allowed
        by_somebody_else, number = divmod(int(outcomes[row]), look.involved_offset)
        assert (look.outcomes[number], bool(by_somebody_else)) == counted_under(expected)
    assert int(decision.tally.counts.sum()) == sidecar.rows
    whole = tally_rows(sidecar, np.arange(sidecar.rows), outcomes=outcomes, look=look)
    assert np.array_equal(whole.keys, decision.tally.keys)
    assert np.array_equal(whole.counts, decision.tally.counts)
    denied = BitMap64(np.flatnonzero(~allowed).tolist())
    assert serialize(excluded_bits(decision.allowed, sidecar.rows)) == denied.serialize()


@settings(max_examples=examples(50), deadline=None)
@given(rule_lists(4), people_lists, st.lists(item_facts, min_size=1, max_size=20), st.data())
def test_rows_decided_alone_equal_rows_decided_together(
    rule_list: list[Rule], people: list[PersonClass], items: Items, data: st.DataObject
) -> None:
    sidecar, look = prepare(rule_list, people, items, folder=Path())
    everything = decide_rows(sidecar, np.arange(sidecar.rows), look=look)
    some = np.array(sorted(data.draw(st.sets(st.integers(0, sidecar.rows - 1), min_size=1))), dtype=np.int64)
    assert np.array_equal(decide_rows(sidecar, some, look=look), everything[some])


@settings(max_examples=50, deadline=None)
@given(
    rule_lists(4),
    people_lists,
    people_lists,
    st.lists(st.tuples(st.sampled_from(CATEGORIES), st.sampled_from(VISIBILITIES)), max_size=4),
)
def test_a_matrix_that_grew_is_the_one_worked_out_at_once(
    rule_list: list[Rule],
    people: list[PersonClass],
    more: list[PersonClass],
    kinds: list[tuple[Category, Visibility]],
) -> None:
    items = [ItemClass(category, visibility) for category, visibility in kinds]
    growing, fresh = (MatrixCompiler(tuple(rule_list), Purpose.TRAIN_GENAI) for _ in range(2))
    before = growing.compile([None, *people], items, at=NOW)
    after = growing.compile([None, *people, *more], items, at=NOW)
    assert after == fresh.compile([None, *people, *more], items, at=NOW)
    assert after.extends(before)
    assert growing.compile([None, *people, *more], items, at=NOW) is after
    assert growing.compile([None, *people], items, at=NOW) == before


def bits_of(sidecar: Sidecar, look: Tables, *, count: bool) -> list[int]:
    span = decide_span(sidecar, 0, stop=sidecar.rows, look=look, seats=by_seat(look, count=count))
    bits: list[int] = np.unpackbits(span.allowed, bitorder="little")[: sidecar.rows].tolist()
    return bits


def by_rows(sidecar: Sidecar, look: Tables) -> list[int]:
    outcomes = decide_rows(sidecar, np.arange(sidecar.rows), look=look)
    allowed: list[int] = is_allowed(outcomes, look).astype(int).tolist()
    return allowed


@settings(max_examples=examples(60), deadline=None)
@given(rule_lists(5), people_lists, st.lists(item_facts, min_size=1, max_size=30))
def test_bits_do_not_depend_on_counting(rule_list: list[Rule], people: list[PersonClass], items: Items) -> None:
    alone: Items = [(category, visibility, created, owner, []) for category, visibility, created, owner, _ in items]
    sidecar, look = prepare(rule_list, people, alone, folder=Path())
    assert bits_of(sidecar, look, count=False) == bits_of(sidecar, look, count=True) == by_rows(sidecar, look)


@pytest.mark.parametrize("places", [40, 200])
def test_more_rows_than_a_byte_numbers(places: int) -> None:
    """Every place has a row of its own, and for each of them there is one of people who refused at some time."""
    where = sorted(COUNTRIES)[:places]
    kinds = [Category.POST, Category.COMMENT, Category.ARTICLE, Category.IMAGE, Category.VIDEO, Category.PROFILE]
    kinds += [Category.REACTION, Category.RESUME]
    rule_list = [
        Rule(
            id=f"bit-{bit}",
            effect=Effect.PERMIT,
            why="generated",
            categories=frozenset({kind}),
            inside=frozenset(place for number, place in enumerate(where) if number >> bit & 1),
        )
        for bit, kind in enumerate(kinds)
        if any(number >> bit & 1 for number in range(places))
    ]
    rng = np.random.default_rng(places)
    people = [
        PersonClass(places=frozenset({where[number % places]}), established=True, age=Age.ADULT, account=Account.ACTIVE)
        for number in range(2 * places)
    ]
    refusal = LiveChoice(ChoiceKey(Purpose.TRAIN_AI, None, None), ChoiceState.REFUSED, Reach.FUTURE, NOW)
    people = [
        facts._replace(choices=(refusal._replace(at=NOW - number),)) if number >= places else facts
        for number, facts in enumerate(people)
    ]
    items: Items = [
        (kinds[int(kind)], Visibility.PUBLIC, int(created) if created else None, int(owner), [])
        for kind, created, owner in zip(
            rng.integers(0, len(kinds), 3_000),
            np.where(rng.random(3_000) < 0.05, 0, NOW - rng.integers(-5, 2 * places, 3_000)),
            rng.integers(0, len(people) + 1, 3_000),
            strict=True,
        )
    ]
    sidecar, look = prepare(rule_list, people, items, folder=Path())
    seats = by_seat(look, count=True)
    assert (seats.row.dtype == np.uint8) == (2 * places < 256)
    assert seats.multiplied == (seats.kinds.size < 256)
    assert bits_of(sidecar, look, count=False) == bits_of(sidecar, look, count=True) == by_rows(sidecar, look)
    outcomes = decide_rows(sidecar, np.arange(sidecar.rows), look=look)
    whole = tally_rows(sidecar, np.arange(sidecar.rows), outcomes=outcomes, look=look)
    decided = decide_file(sidecar, look).tally
    assert np.array_equal(whole.keys, decided.keys)
    assert np.array_equal(whole.counts, decided.counts)


def test_refusals_that_began_at_many_times_share_questions() -> None:
    permit = Rule(id="all", effect=Effect.PERMIT, why="test")
    refusal = LiveChoice(ChoiceKey(Purpose.TRAIN_AI, None, None), ChoiceState.REFUSED, Reach.FUTURE, NOW)
    adult = PersonClass(places=frozenset({"US"}), established=True, age=Age.ADULT, account=Account.ACTIVE)
    people = [adult, *(adult._replace(choices=(refusal._replace(at=NOW - at),)) for at in range(2_000))]
    items: Items = [
        (Category.POST, Visibility.PUBLIC, NOW - at if at % 7 else None, owner + 1, [])
        for at in range(-2, 2_004, 3)
        for owner in (0, 1, 2, 900, 1_999, (at * 31) % 2_000)
    ]
    sidecar, look = prepare([permit], people, items, folder=Path())
    seats = by_seat(look, count=True)
    assert seats.row.dtype == seats.kinds.dtype == np.uint8
    assert np.unique(seats.row).size > 3
    assert bits_of(sidecar, look, count=False) == bits_of(sidecar, look, count=True) == by_rows(sidecar, look)


def test_an_item_without_an_owner_is_a_gap() -> None:
    permit = Rule(id="all", effect=Effect.PERMIT, why="test")
    sidecar, look = prepare([permit], [PersonClass()], [(Category.POST, Visibility.PUBLIC, NOW, 0, [])], folder=Path())
    decision = decide_file(sidecar, look)
    assert not decision.allowed.any()
    outcome = look.outcomes[int(decide_rows(sidecar, np.array([0]), look=look)[0])]
    assert [str(reason) for reason in outcome.reasons] == ["gap:owner-unknown"]


def test_the_involved_are_asked_too() -> None:
    permit = Rule(id="all", effect=Effect.PERMIT, why="test")
    willing = PersonClass(places=frozenset({"US"}), established=True, age=Age.ADULT, account=Account.ACTIVE)
    refusal = LiveChoice(ChoiceKey(Purpose.TRAIN_AI, None, None), ChoiceState.REFUSED, Reach.UNTRAINED, NOW)
    people = [willing, willing._replace(choices=(refusal,))]
    items: Items = [
        (Category.POST, Visibility.PUBLIC, NOW, 1, []),
        (Category.POST, Visibility.PUBLIC, NOW, 1, [2]),
        (Category.POST, Visibility.PUBLIC, NOW, 1, [0]),
        (Category.POST, Visibility.PUBLIC, NOW, 1, [1]),
    ]
    sidecar, look = prepare([permit], people, items, folder=Path())
    allowed = np.unpackbits(decide_file(sidecar, look).allowed, bitorder="little")[:4]
    assert allowed.tolist() == [1, 0, 0, 1]


def test_adding_up_drops_what_comes_to_nothing() -> None:
    tally = add_up([Tally(np.array([3, 1, 3]), np.array([2, 5, -2])), Tally(np.array([2]), np.array([1]))])
    assert tally.keys.tolist() == [1, 2]
    assert tally.counts.tolist() == [5, 1]


@pytest.mark.parametrize("rows", [0, 1, 7, 8, 9, 65_535, 65_536, 65_537, 200_000])
def test_roaring_bytes_are_those_of_croaring(rows: int) -> None:
    generator = np.random.default_rng(rows)
    for share in (0.0, 0.01, 0.0625, 0.5, 1.0):
        chosen = generator.random(rows) < share
        check_bytes(chosen)
        check_bytes(np.repeat(chosen, 37)[:rows])


def check_bytes(chosen: npt.NDArray[np.bool_]) -> None:
    bits = np.packbits(chosen, bitorder="little")
    assert serialize(bits) == BitMap64(np.flatnonzero(chosen).tolist()).serialize()


@given(st.integers(0, 3_000), st.integers(1, 700))
def test_units_of_work_are_all_rows_in_parts_of_about_one_size(rows: int, most: int) -> None:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(kernel, "SPAN_ROWS", most)
        spans = spans_of(rows)
    assert [row for start, stop in spans for row in range(start, stop)] == list(range(rows))
    assert all(start % 8 == 0 for start, _ in spans), "their bits one after another are the bits of the file"
    sizes = [stop - start for start, stop in spans]
    assert all(0 < size < most + 8 for size in sizes)
    assert len(set(sizes[:-1])) < 2
    assert len(sizes) <= -(-rows // most)
