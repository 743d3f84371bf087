"""The homes of two deployments, how one is given what belongs to the other, and what is said to that."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from consentry.bootstrap import Deployment, open_deployment
from consentry.doctor.examination import examine
from consentry.doctor.finding import State
from consentry.errors import IntegrityError, StateError
from consentry.identity import IDENTITY_FILE, Identity
from consentry.ledger.events import ChoiceMade, Source
from consentry.ledger.sqlite import open_sqlite
from consentry.policy.choice import Choice
from consentry.policy.library import shipped
from consentry.policy.vocabulary import ChoiceState, Purpose
from end_to_end.network import RawItem, RawPerson, write_corpus, write_people

NOW = 1_730_000_000
POLICY = "september-2024"
PEOPLE = 6
URL = "CONSENTRY_LEDGER_URL"


def refuse(deployment: Deployment, person: str) -> None:
    choice = Choice(purpose=Purpose.TRAIN_GENAI, state=ChoiceState.REFUSED, at=NOW)
    deployment.control.statements.choose(
        [ChoiceMade(person=deployment.person(person), choice=choice, source=Source.FORM)]
    )


def refused(deployment: Deployment) -> set[str]:
    live = deployment.control.desk.present().state.choices
    return {f"p{number}" for number in range(PEOPLE) if deployment.person(f"p{number}") in live}


def make(folder: Path, *, who_refuses: str) -> Path:
    """Make a deployment with people, content, a refusal and a release; those made so have releases of one name."""
    home = folder / "home"
    deployment = open_deployment(home)
    items = [RawItem(id=f"i{number}", author=f"p{number % PEOPLE}") for number in range(30)]
    deployment.control.statements.register_corpus(write_corpus(folder, [items]))
    everybody = [RawPerson(id=f"p{number}") for number in range(PEOPLE)]
    deployment.control.statements.load_people(write_people(folder / "people", everybody))
    deployment.control.statements.publish(shipped()[POLICY], POLICY)
    refuse(deployment, who_refuses)
    deployment.control.releases.build("network", Purpose.TRAIN_GENAI, policy=POLICY, at=NOW)
    deployment.close()
    return home


@dataclass(frozen=True)
class Two:
    """Copies of the homes of two deployments."""

    own: Path
    other: Path


def contents(*homes: Path) -> dict[Path, bytes]:
    """Every file of these homes but what SQLite keeps beside an open database."""
    paths = [path for home in homes for path in home.rglob("*") if path.is_file()]
    return {path: path.read_bytes() for path in paths if path.suffix not in (".db-wal", ".db-shm")}


def identity(home: Path) -> Identity:
    return Identity.from_bytes((home / IDENTITY_FILE).read_bytes())


def finding(home: Path) -> tuple[State, str]:
    (found,) = [each for each in examine(home) if each.name == "identity"]
    assert bool(found.remedy) == (found.state is not State.OK)
    return found.state, found.found


def code_of(home: Path) -> str:
    """Return the code with which a home is refused; nothing in it may change by that."""
    before = contents(home.parent)
    with pytest.raises((IntegrityError, StateError)) as caught:
        open_deployment(home)
    assert contents(home.parent) == before
    assert len(caught.value.help) > 10
    return caught.value.code


def opens(home: Path) -> set[str]:
    """Open a home, and return whose refusals it knows."""
    deployment = open_deployment(home)
    try:
        (release,) = deployment.control.releases.sealed()
        assert [each for each in deployment.control.releases.verify(release, decide=True) if each.problem] == []
        return refused(deployment)
    finally:
        deployment.close()


def another_key(two: Two) -> None:
    (two.own / "keys" / "pseudonym.key").write_bytes(os.urandom(32))


def the_others_key(two: Two) -> None:
    shutil.copy(two.other / "keys" / "pseudonym.key", two.own / "keys" / "pseudonym.key")


def another_signing_key(two: Two) -> None:
    (two.own / "keys" / "signing.key").write_bytes(os.urandom(32))


def the_others_ledger(two: Two) -> None:
    for path in two.own.glob("ledger.db*"):
        path.unlink()
    shutil.copy(two.other / "ledger.db", two.own / "ledger.db")


def the_others_ledger_and_keys(two: Two) -> None:
    the_others_ledger(two)
    shutil.rmtree(two.own / "keys")
    shutil.copytree(two.other / "keys", two.own / "keys")


def an_empty_file(two: Two) -> None:
    for path in two.own.glob("ledger.db*"):
        path.unlink()
    (two.own / "ledger.db").touch()


def a_new_ledger(two: Two) -> None:
    for path in two.own.glob("ledger.db*"):
        path.unlink()
    open_sqlite(two.own / "ledger.db", clock=lambda: NOW, create=True).close()


Change = Callable[[Two], None]
KEY, SIGNING, LEDGER = "key-of-another-deployment", "signing-key-of-another-deployment", "ledger-of-another-deployment"
CHANGES: list[tuple[Change, str]] = [
    (another_key, KEY),
    (the_others_key, KEY),
    (another_signing_key, SIGNING),
    (the_others_ledger, LEDGER),
    (the_others_ledger_and_keys, LEDGER),
    (an_empty_file, LEDGER),
]
