"""Rules, people and items as Hypothesis makes them up, and what the kernel is given of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from hypothesis import strategies as st

from consentry.corpus.choices import ChoiceColumns
from consentry.corpus.columns import UNKNOWN_DATE
from consentry.corpus.sidecar import ClassesPin, FilePin, Oddities, Sidecar, Stamp
from consentry.policy.choice import ChoiceKey, LiveChoice
from consentry.policy.expressions import Effect, NoticeCondition, Rule
from consentry.policy.matrix import ItemClass, MatrixCompiler, PersonClass
from consentry.policy.vocabulary import (
    Account,
    Age,
    Category,
    ChoiceState,
    Purpose,
    Reach,
    Visibility,
)
from consentry.release.tables import Bounds, Tables, tables

PLACES = ("GB", "FR", "US", "US-CA", "BR", "JE")
AREAS = ("EU", "EEA", "UK", "CH", "US-CA", "BR")
CATEGORIES = (Category.POST, Category.IMAGE, Category.DIRECT_MESSAGE, Category.UNKNOWN)
VISIBILITIES = (Visibility.PUBLIC, Visibility.PRIVATE, Visibility.UNKNOWN)
NOW = 1_730_000_000
DATES = (NOW - 300, NOW - 200, NOW - 100, NOW)


def subsets(values: Sequence[str]) -> st.SearchStrategy[frozenset[str]]:
    return st.frozensets(st.sampled_from(values), max_size=2)


rules = st.builds(
    Rule,
    id=st.uuids().map(str),
    effect=st.sampled_from(Effect),
    why=st.just("generated"),
    purposes=st.frozensets(st.sampled_from([Purpose.TRAIN_AI, Purpose.TRAIN_GENAI, Purpose.EVALUATE]), max_size=2),
    categories=st.frozensets(st.sampled_from(CATEGORIES[:3]), max_size=2),
    visibilities=st.frozensets(st.sampled_from(VISIBILITIES[:2]), max_size=1),
    ages=st.frozensets(st.sampled_from([Age.ADULT, Age.MINOR]), max_size=1),
    choices=st.frozensets(st.sampled_from(ChoiceState), max_size=2),
    inside=subsets(AREAS),
    outside=subsets(AREAS),
    created_from=st.none() | st.sampled_from(DATES),
    created_before=st.none() | st.sampled_from(DATES),
    notice=st.none() | st.builds(NoticeCondition, notice=st.just("n"), days=st.integers(0, 2)),
)
EVERYTHING = Rule(id="everything", effect=Effect.PERMIT, why="generated")


def rule_lists(most: int) -> st.SearchStrategy[list[Rule]]:
    """Up to so many rules, mostly with one more that permits everything: by rules alone nearly nothing is allowed."""
    wide = st.sampled_from([[EVERYTHING], [EVERYTHING], []])
    return st.builds(lambda more, others: [*others, *more], wide, st.lists(rules, max_size=most))


live_choices = st.builds(
    LiveChoice,
    key=st.builds(
        ChoiceKey,
        purpose=st.sampled_from([Purpose.TRAIN_AI, Purpose.TRAIN_GENAI, Purpose.TRAIN_GENAI_TEXT, Purpose.SERVE]),
        category=st.none() | st.sampled_from(CATEGORIES[:3]),
        item=st.none(),
    ),
    state=st.sampled_from([ChoiceState.ALLOWED, ChoiceState.REFUSED]),
    reach=st.sampled_from(Reach),
    at=st.sampled_from(DATES),
)
anybody = st.builds(
    PersonClass,
    places=subsets(PLACES),
    established=st.booleans(),
    age=st.sampled_from([Age.ADULT, Age.ADULT, Age.MINOR, Age.UNKNOWN]),
    account=st.sampled_from([Account.ACTIVE, Account.CLOSED, Account.UNCLEAR]),
    known=st.sampled_from([True, True, False]),
    choices=st.lists(live_choices, max_size=3, unique_by=lambda choice: choice.key).map(tuple),
    notices=st.sampled_from([(), (("n", NOW - 86_400),), (("n", NOW),)]),
)
known_adults = st.builds(
    PersonClass,
    places=st.sampled_from([frozenset({"US"}), frozenset({"BR"}), frozenset({"GB"}), frozenset({"FR", "US-CA"})]),
    established=st.just(True),
    age=st.just(Age.ADULT),
    account=st.just(Account.ACTIVE),
    choices=st.just(()) | st.tuples(live_choices),
    notices=st.sampled_from([(), (("n", NOW - 86_400),)]),
)
"""People of whom nothing is unknown: of anybody, nearly always something is."""
person_facts = known_adults | anybody
people_lists = st.lists(person_facts, min_size=1, max_size=6)
item_facts = st.tuples(
    st.sampled_from(CATEGORIES),
    st.sampled_from(VISIBILITIES),
    st.none() | st.sampled_from(DATES) | st.integers(NOW - 301, NOW + 1),
    st.integers(0, 6),
    st.lists(st.integers(0, 6), max_size=2),
)


Items = list[tuple[Category, Visibility, int | None, int, list[int]]]


def prepare(
    rule_list: Sequence[Rule], people: Sequence[PersonClass], items: Items, *, folder: Path
) -> tuple[Sidecar, Tables]:
    columns = ChoiceColumns()
    columns.grow(len(people) + 1)
    for seat, facts in enumerate(people, start=1):
        columns.put(seat, facts.choices)
    classes: list[PersonClass | None] = [None]
    classes += [
        facts._replace(choices=columns.sets[int(columns.code[seat])]) for seat, facts in enumerate(people, start=1)
    ]
    kinds = sorted({(category, visibility) for category, visibility, *_ in items})
    item_classes = [ItemClass(category, visibility, "cc") for category, visibility in kinds]
    matrix = MatrixCompiler(tuple(rule_list), Purpose.TRAIN_GENAI).compile(classes, item_classes, at=NOW)
    look = tables(
        matrix,
        person_class=np.arange(len(classes), dtype=np.uint16),
        items=item_classes,
        bounds=Bounds(*columns.dated(Purpose.TRAIN_GENAI)),
    )
    pairs = [(row, min(seat, len(people))) for row, item in enumerate(items) for seat in item[4]]
    sidecar = Sidecar(
        folder=folder,
        pin=FilePin(path="x", size=0, digest="", rows=len(items)),
        file_stamp=Stamp(0),
        classes=ClassesPin(count=0, digest=""),
        person=np.array([min(item[3], len(people)) for item in items], dtype=np.uint32),
        klass=np.array([kinds.index((item[0], item[1])) for item in items], dtype=np.uint8),
        created=np.array([UNKNOWN_DATE if item[2] is None else item[2] for item in items], dtype=np.uint32),
        involved_row=np.array([row for row, _ in pairs], dtype=np.uint32),
        involved_person=np.array([seat for _, seat in pairs], dtype=np.uint32),
        item=np.arange(len(items), dtype=np.uint64),
        posting_person=np.empty(0, dtype=np.uint32),
        posting_row=np.empty(0, dtype=np.uint32),
        oddities=Oddities(),
    )
    return sidecar, look
