"""Nothing is kept of somebody whom another process erased between looking and recording."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from consentry.bootstrap import Deployment, open_deployment
from consentry.errors import ConsentryError, IntegrityError
from consentry.ledger.events import ChoiceMade, Source
from consentry.policy.choice import Choice
from consentry.policy.vocabulary import ChoiceState, Purpose
from end_to_end.network import populated
from end_to_end.test_story import ITEMS, NOW, PEOPLE, POLICY

USE = Purpose.TRAIN_GENAI
NO = Choice(purpose=USE, state=ChoiceState.REFUSED, at=NOW)
YES = Choice(purpose=USE, state=ChoiceState.ALLOWED, at=NOW)
ROWS = 1_100
"""More than an import records at once."""


@pytest.fixture
def place() -> Iterator[tuple[Path, Deployment]]:
    with populated([ITEMS], PEOPLE, POLICY) as (folder, deployment):
        yield folder, deployment


@pytest.fixture
def erases(place: tuple[Path, Deployment], monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[int], None]]:
    """Have another process erase `ada` just before something is said here the `turn`th time."""
    folder, deployment = place
    other = open_deployment(folder / "home")

    def before(turn: int) -> None:
        turns = 0

        def then(verb: Callable[..., Any]) -> Callable[..., Any]:
            def said(*args: Any, **named: Any) -> Any:
                nonlocal turns
                turns += 1
                if turns == turn:
                    other.control.statements.erase([other.person("ada")])
                return verb(*args, **named)

            return said

        for name in ("append", "sealing"):
            monkeypatch.setattr(deployment.ledger, name, then(getattr(deployment.ledger, name)))

    yield before
    other.close()


def chosen(deployment: Deployment) -> object:
    return deployment.control.own_choices.choose(deployment.person("ada"), NO)


def agreed(deployment: Deployment) -> object:
    since = deployment.ledger.head()
    return deployment.control.own_choices.agree(deployment.person("ada"), [YES], notice=None, since=since)


def signalled(deployment: Deployment) -> object:
    return deployment.control.own_choices.refuse_unsaid(deployment.person("ada"), [USE], source=Source.SIGNAL)


def looked_up(deployment: Deployment) -> object:
    return deployment.control.look_ups.look_up("ada", reason="asked by mail", by="sam")


def matched(deployment: Deployment) -> object:
    (waiting,) = deployment.control.desk.present().overseen.objections
    return deployment.control.objection_queue.match_person(waiting.objection, "ada", by="sam")


VERBS: dict[Callable[[Deployment], object], str] = {
    chosen: "choice-person-erased",
    agreed: "choice-changed",
    signalled: "",
    looked_up: "person-erased",
    matched: "objection-person-unknown",
}


@pytest.mark.parametrize("verb", VERBS)
def test_nothing_is_kept_that_names_them(
    place: tuple[Path, Deployment], erases: Callable[[int], None], verb: Callable[[Deployment], object]
) -> None:
    _, deployment = place
    deployment.control.objections.file("me", answer_to="me@example.org", purpose=USE)
    assert list(deployment.history("ada")) == []
    erases(1)
    code = ""
    try:
        verb(deployment)
    except ConsentryError as error:
        code = error.code
    assert (code, list(deployment.history("ada"))) == (VERBS[verb], [])
    assert deployment.control.desk.present().state.is_erased(deployment.person("ada"))


@pytest.mark.parametrize("verb", VERBS)
def test_control_it_is_kept_of_somebody_who_was_not_erased(
    place: tuple[Path, Deployment], verb: Callable[[Deployment], object]
) -> None:
    _, deployment = place
    deployment.control.objections.file("me", answer_to="me@example.org", purpose=USE)
    verb(deployment)
    assert list(deployment.history("ada"))


@pytest.mark.parametrize("turn", [0, 1, 2])
def test_an_import_leaves_out_what_comes_behind_an_erasure(
    place: tuple[Path, Deployment], erases: Callable[[int], None], turn: int
) -> None:
    folder, deployment = place
    file = folder / "said.csv"
    people = ["ada", *(f"p{number}" for number in range(ROWS - 2)), "ada"]
    rows = (f"{each},refused,2024-09-20T10:00:00Z,train-genai" for each in people)
    file.write_text("\n".join(("person,state,at,purpose", *rows)))
    erases(turn)
    done = deployment.import_choices(file, corpus=None)
    left_out = [0, 2, 1][turn]
    assert (done.recorded, done.erased.choices) == (ROWS - left_out, left_out)
    assert done.erased.where == [], "they were not erased yet when the file was checked"
    assert bool(list(deployment.history("ada"))) == (turn == 0)


def test_choices_that_are_said_together_are_recorded_all_or_none(
    place: tuple[Path, Deployment], erases: Callable[[int], None]
) -> None:
    _, deployment = place
    erases(1)
    made = [ChoiceMade(person=deployment.person(each), choice=NO, source=Source.FORM) for each in ("bo", "ada")]
    with pytest.raises(ConsentryError, match="choice 2 is about somebody who was erased"):
        deployment.control.statements.choose(made)
    assert list(deployment.history("bo")) == []
    assert deployment.control.statements.choose(made[:1]) == 1


def test_who_was_erased_is_known_though_all_that_was_known_is_forgotten(
    place: tuple[Path, Deployment], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where a read of the ledger fails, what is known is forgotten, by any thread, and read again."""
    _, deployment = place
    deployment.control.statements.erase([deployment.person("ada")])
    for _ in range(2):
        deployment.control.own_choices.choose(deployment.person("bo"), NO)
    known, append = deployment.control.desk.newest, deployment.ledger.append
    events = list(deployment.ledger.read())

    def forgets(*args: Any, **named: Any) -> range:
        with pytest.raises(IntegrityError):
            known.advance(events[:1])  # not the one that follows
        assert not known.position
        return append(*args, **named)

    monkeypatch.setattr(deployment.ledger, "append", forgets)
    with pytest.raises(ConsentryError, match="choice-person-erased"):
        chosen(deployment)
    assert list(deployment.history("ada")) == []
