"""What stands of earlier decisions, with what is decided again, is what deciding everything gives: byte for byte."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple
from unittest.mock import patch

import numpy as np
from generated import CATEGORIES, NOW, VISIBILITIES, Items, item_facts, person_facts, prepare, rule_lists
from hypothesis import given, settings
from hypothesis import strategies as st

from amounts import examples
from consentry.corpus import census, kept_census
from consentry.corpus.choices import ChoiceColumns
from consentry.corpus.classes import PersonClasses
from consentry.corpus.kept_census import KeptCensus
from consentry.corpus.pseudonym import key_of
from consentry.corpus.sidecar import Sidecar, Version
from consentry.policy.choice import ChoiceKey, LiveChoice
from consentry.policy.expressions import Effect, Rule
from consentry.policy.matrix import ItemClass, MatrixCompiler, PersonClass
from consentry.policy.vocabulary import Account, Age, Category, ChoiceState, Purpose, Reach, Visibility
from consentry.release import builder
from consentry.release.basis import Basis, Knowledge, lay_out
from consentry.release.tables import Bounds
from consentry.runners.local import LocalRunner

RUNNER = LocalRunner(1)


class Person(NamedTuple):
    """Somebody, and the single items that they refuse."""

    facts: PersonClass
    refuses: tuple[int, ...] = ()


class Files(NamedTuple):
    """Sidecars, and what their item classes are."""

    sidecars: list[Sidecar]
    items: list[ItemClass]


people_facts = st.builds(
    Person, facts=person_facts, refuses=st.lists(st.integers(0, 9), max_size=2, unique=True).map(tuple) | st.just(())
)
file_facts = st.lists(item_facts, max_size=16)


def redated(person: Person) -> Person:
    """Return somebody who said everything sooner: all that is known of them is the same but for dates."""
    sooner = tuple(choice._replace(at=choice.at - 100) for choice in person.facts.choices)
    return person._replace(facts=person.facts._replace(choices=sooner))


def name(row: int) -> str:
    """Return the pseudonym of an item: in each file that of the same row is the same."""
    return f"{row:016x}" * 2


def sidecar_of(items: Items, number: int, *, kinds: Sequence[ItemClass]) -> Sidecar:
    """Return the sidecar of a file, with codes that mean `kinds`, keys of items, and postings."""
    found, _ = prepare([], [PersonClass()] * 6, items or [(CATEGORIES[0], VISIBILITIES[0], None, 0, [])], folder=Path())
    klass = [
        kinds.index(ItemClass(category, visible, "cc" if owner % 2 else "")) for category, visible, _, owner, _ in items
    ]
    rows = len(items)
    pairs = {(int(seat), row) for row, seat in enumerate(found.person[:rows].tolist())}
    pairs |= set(zip(found.involved_person.tolist(), found.involved_row.tolist(), strict=True))
    postings = np.array(sorted(pairs), dtype=np.uint32).reshape(-1, 2)
    return replace(
        found,
        pin=replace(found.pin, path=str(number), rows=rows),
        person=found.person[:rows],
        klass=np.array(klass, dtype=np.uint8),
        created=None if number % 4 == 3 else found.created[:rows] if found.created is not None else None,
        item=np.array([key_of(name(row)) for row in range(rows)], dtype=np.uint64),
        posting_person=postings[:, 0].copy(),
        posting_row=postings[:, 1].copy(),
    )


def files_of(files: Sequence[Items]) -> Files:
    kinds: list[ItemClass] = []
    for items in files:
        for category, visible, _, owner, _ in items:
            kind = ItemClass(category, visible, "cc" if owner % 2 else "")
            if kind not in kinds:
                kinds.append(kind)
    return Files([sidecar_of(items, number, kinds=kinds) for number, items in enumerate(files)], kinds)


def known(people: Sequence[Person], *, purpose: Purpose, backwards: bool, excluded: Sequence[int]) -> Knowledge:
    """Return what is known of people, their classes numbered in one order or the other."""
    columns = ChoiceColumns()
    columns.grow(7)
    for seat, person in enumerate(people, start=1):
        about = tuple(
            LiveChoice(ChoiceKey(purpose, None, name(row)), ChoiceState.REFUSED, Reach.UNTRAINED, NOW - 7)
            for row in person.refuses
        )
        columns.put(seat, (*person.facts.choices, *about))
    facts: list[PersonClass | None] = [
        person.facts._replace(choices=columns.sets[int(columns.code[seat])])
        for seat, person in enumerate(people, start=1)
    ]
    members = [None, *dict.fromkeys(reversed(facts) if backwards else facts)]
    codes = [0, *(members.index(each) for each in facts), *[0] * (6 - len(facts))]
    return Knowledge(
        position=0,
        classes=PersonClasses(
            codes=np.array(codes, dtype=np.uint16), members=tuple(members), keys=(), numbers={}, residences=()
        ),
        bounds=Bounds(*columns.dated(purpose)),
        single=dict(columns.single),
        excluded=frozenset(name(row) for row in excluded),
    )


def basis_of(rule_list: Sequence[Rule], knowledge: Knowledge, files: Files, *, at: int, purpose: Purpose) -> Basis:
    compiler = MatrixCompiler(tuple(rule_list), purpose)
    return lay_out(compiler, at=at, knowledge=knowledge, items=files.items, sidecars=files.sidecars)


def version_of(sidecar: Sidecar) -> Version:
    return Version(sidecar.folder, sidecar.pin, sidecar.classes, ())


def counted(kept: KeptCensus | None, files: Files, classes: PersonClasses) -> KeptCensus:
    def count(sidecars: Sequence[Sidecar]) -> census.Census:
        return census.take(sidecars, classes.codes, classes=len(classes.members), width=len(files.items), runner=RUNNER)

    with patch.object(Sidecar, "version", version_of):
        return kept_census.brought_up_to_date(
            kept, files.sidecars, classes=classes, width=len(files.items), threads=RUNNER, count=count
        )


def described(draft: builder.Draft, files: Files) -> tuple[object, ...]:
    made = builder.content(draft, files.sidecars, runner=RUNNER)
    each = tuple(draft.words.shown([file.tally]).to_bytes() for file in draft.files)
    return made.exclusions, made.bitmaps, made.tallies, made.counts, each


class Change(NamedTuple):
    """What is different the next time: rules, a person, dates, the time, the use, how classes are numbered, files."""

    rules: list[Rule] | None
    person: tuple[int, Person] | None
    redated: bool
    at: int
    purpose: Purpose
    backwards: bool
    excluded: list[int]
    file: Items | None
    dropped: int | None


changes = st.builds(
    Change,
    rules=st.none() | rule_lists(4),
    person=st.none() | st.tuples(st.integers(0, 5), people_facts),
    redated=st.booleans(),
    at=st.sampled_from([NOW, NOW, NOW + 86_400]),
    purpose=st.sampled_from([Purpose.TRAIN_GENAI] * 3 + [Purpose.TRAIN_GENAI_TEXT, Purpose.EVALUATE]),
    backwards=st.booleans(),
    excluded=st.lists(st.integers(0, 5), max_size=1),
    file=st.none() | file_facts,
    dropped=st.sampled_from([None, None, 0, 1]),
)


@settings(max_examples=examples(100), deadline=None)
@given(
    rule_lists(4),
    st.lists(people_facts, min_size=1, max_size=6),
    st.lists(file_facts, min_size=1, max_size=3),
    st.lists(changes, min_size=1, max_size=3),
)
def test_what_stands_is_what_deciding_everything_gives(
    rule_list: list[Rule], people: list[Person], files: list[Items], then: list[Change]
) -> None:
    have = files_of(files)
    knowledge = known(people, purpose=Purpose.TRAIN_GENAI, backwards=False, excluded=[])
    basis = basis_of(rule_list, knowledge, have, at=NOW, purpose=Purpose.TRAIN_GENAI)
    kept = counted(None, have, knowledge.classes)
    draft = builder.decide(have.sidecars, basis, census=kept.census, runner=RUNNER)
    for change in then:
        rule_list = rule_list if change.rules is None else change.rules
        if change.person is not None:
            seat, person = change.person
            people = [*people[:seat], person, *people[seat + 1 :]]
        if change.redated:
            people = [redated(people[0]), *people[1:]]
        files = files if change.file is None else [*files, change.file]
        have = files_of(files)
        if change.dropped is not None:
            have.sidecars[change.dropped : change.dropped + 1] = []
        knowledge = known(people, purpose=change.purpose, backwards=change.backwards, excluded=change.excluded)
        basis = basis_of(rule_list, knowledge, have, at=change.at, purpose=change.purpose)
        with patch.object(census, "_FEW", 0):  # however many moved
            draft, kept = carried(draft, kept, basis=basis, have=have)


def carried(draft: builder.Draft, kept: KeptCensus, *, basis: Basis, have: Files) -> tuple[builder.Draft, KeptCensus]:
    """Return draft and census with what stands kept, which are those made from nothing."""
    classes = basis.knowledge.classes
    found, anew = counted(kept, have, classes), counted(None, have, classes)
    assert np.array_equal(found.census.files, anew.census.files)
    assert np.array_equal(found.census.involving_of, anew.census.involving_of)
    places = {file: place for place, file in enumerate(kept.files)}
    place = {index: places[file] for index, file in enumerate(found.files) if file in places}
    stand = builder.standing(draft, basis, place=place, census=found.census)
    assert stand is not None
    made = builder.decide(have.sidecars, basis, census=found.census, runner=RUNNER, kept=stand)
    fresh = builder.decide(have.sidecars, basis, census=anew.census, runner=RUNNER)
    assert described(made, have) == described(fresh, have)
    return made, found


def test_windows_that_end_at_different_times_are_different_cells() -> None:
    everything = Rule(id="all", effect=Effect.PERMIT, why="test")
    long, short = (
        Rule(id="window", effect=Effect.FORBID, why="test", created_from=NOW - 300, created_before=end)
        for end in (NOW - 100, NOW - 200)
    )
    adult = PersonClass(places=frozenset({"US"}), established=True, age=Age.ADULT, account=Account.ACTIVE)
    have = files_of([[(Category.POST, Visibility.PUBLIC, NOW - 150, 1, [])], []])
    knowledge = known([Person(adult)], purpose=Purpose.TRAIN_GENAI, backwards=False, excluded=[])
    kept = counted(None, have, knowledge.classes)
    old, new = (
        basis_of([everything, window], knowledge, have, at=NOW, purpose=Purpose.TRAIN_GENAI) for window in (long, short)
    )
    for before, after in ((old, new), (new, old)):
        draft = builder.decide(have.sidecars, before, census=kept.census, runner=RUNNER)
        stand = builder.standing(draft, after, place={0: 0, 1: 1}, census=kept.census)
        assert stand is not None
        assert stand.place == {1: 1}
        draft = builder.decide(have.sidecars, after, census=kept.census, runner=RUNNER, kept=stand)
        fresh = builder.decide(have.sidecars, after, census=kept.census, runner=RUNNER)
        assert described(draft, have) == described(fresh, have)
