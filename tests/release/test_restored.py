"""What is known once a kept state was read back is what is known with the state that was kept."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from amounts import examples
from consentry.corpus.people import PeopleIndex
from consentry.corpus.population import Population
from consentry.corpus.pseudonym import PseudonymKey
from consentry.corpus.single_choices import singles_of
from consentry.ledger import image
from consentry.ledger.events import Body, ChoiceMade
from consentry.ledger.kept_choices import KeptChoices
from consentry.ledger.layered import Layered, merged
from consentry.ledger.state import EMPTY, State, fold
from consentry.policy.vocabulary import ChoiceState, Purpose, Reach
from consentry.release.present import Present
from consentry.storage import Objects
from ledger.sayings import CHOSEN, LINKED, chose, event, person

MANY = range(1_000, 1_400)
"""So many that a few changes are kept apart from them."""
SAID = st.lists(CHOSEN | LINKED, max_size=8)


@pytest.fixture(scope="module")
def population(tmp_path_factory: pytest.TempPathFactory) -> Population:
    folder: Path = tmp_path_factory.mktemp("restored")
    return Population(
        folder / "people",
        index=PeopleIndex(folder / "people"),
        key=PseudonymKey(bytes(32)).for_people(),
        objects=Objects(folder / "objects"),
        clock=lambda: 1_700_000_000,
    )


def everybody() -> list[Body]:
    """Return choices of many people, of every state and reach, some at times that no column holds."""
    kinds = [(state, reach) for state in ChoiceState for reach in Reach]
    times = (0, 500, -1, 0xFFFF_FFFE, 0xFFFF_FFFF)
    return [
        chose(number, kinds[number % len(kinds)][0], at=times[number % len(times)], reach=kinds[number % len(kinds)][1])
        for number in MANY
    ]


def folded(start: State, bodies: list[Body]) -> State:
    return fold(start, [event(start.position + number, body) for number, body in enumerate(bodies)])


def read_back(state: State) -> State:
    return image.from_bytes(image.to_bytes(state))


def known(population: Population, state: State) -> dict[str, Any]:
    """Return all that a present tells of people's choices."""
    present = Present(population, population, cohorts=population)
    present.restore(state)
    columns = present.columns
    return {
        "sets": [columns.sets[code] for code in columns.code.tolist()],
        "since": columns.since.tolist(),
        "several": columns.several,
        "single": columns.single,
        "groups": dict(present.groups),
        "reaching": [present.reaching.since(position) for position in range(state.position + 1)],
        "positions": sorted(present.reaching.positions(0)),
        "dated": [[part.tolist() for part in columns.dated(purpose)] for purpose in Purpose],
    }


@settings(max_examples=examples(25))
@given(SAID, SAID)
def test_restored_and_carried_forward_it_is_the_same(
    population: Population, before: list[Body], after: list[Body]
) -> None:
    state = folded(EMPTY, [*everybody(), *before])
    back = read_back(state)
    assert isinstance(back.choices, KeptChoices)
    assert known(population, back) == known(population, state)
    plain, kept = folded(state, after), folded(back, after)
    assert kept == plain
    assert isinstance(kept.choices, Layered if any(isinstance(each, ChoiceMade) for each in after) else KeptChoices)
    assert known(population, kept) == known(population, plain)
    assert known(population, read_back(kept)) == known(population, plain)


def test_nobody_who_chose_one_thing_becomes_an_object() -> None:
    singles, people, said = singles_of(read_back(folded(EMPTY, everybody())).choices)
    assert (len(singles.people), people, said) == (len(MANY), [], [])


@given(SAID)
def test_what_a_table_holds_is_looked_up_as_in_a_dictionary(bodies: list[Body]) -> None:
    state = folded(EMPTY, bodies)
    plain, kept = merged(state.choices), read_back(state).choices
    assert isinstance(kept, KeptChoices)
    assert (len(kept), list(kept), dict(kept.items())) == (len(plain), sorted(plain), plain)
    for number in range(-1, 8):
        name = person(number % 2**128)
        assert (name in kept, kept.get(name)) == (name in plain, plain.get(name))
