"""The ledger falls silent after a command recorded something, and before it has read what it shows: it says so."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from consentry.bootstrap import Deployment
from consentry.cli.main import cli
from consentry.control_plane.archive import Archive
from consentry.control_plane.cases import CaseVerbs
from consentry.control_plane.known import Known
from consentry.control_plane.models import ModelVerbs
from consentry.errors import UnavailableError
from consentry.ledger.lineage_events import Remedy
from consentry.ledger.outcomes import unavailable
from end_to_end.network import RawPerson, write_people
from end_to_end.test_silent_once_recorded import approved, registered, remedied
from end_to_end.test_story import PEOPLE, build
from end_to_end.test_story import place as place  # noqa: PLC0414 - a fixture

Place = tuple[Path, Deployment]
BY = ("--by", "ann")


def withdrawing(place: Place) -> list[str]:
    return ["release", "withdraw", build(place[1]), "--reason", "wrong", *BY, "--yes"]


def approving(place: Place) -> list[str]:
    approved(place)
    return ["case", "approve", "c", *BY]


def choosing(place: Place) -> list[str]:
    remedied(place)
    return ["model", "remedy", "m", str(Remedy.RETRAIN), *BY]


def registering(place: Place) -> list[str]:
    registered(place)
    return ["corpus", "register", str(place[0] / "corpus.toml")]


def loading(place: Place) -> list[str]:
    return ["people", "load", str(write_people(place[0] / "people", [*PEOPLE, RawPerson(id="new")]))]


SHOWN: dict[str, tuple[Any, Any, str]] = {
    "release": (withdrawing, Archive, "withdrawal"),
    "case": (approving, CaseVerbs, "register_of"),
    "model": (choosing, ModelVerbs, "show"),
    "corpus": (registering, Known, "classes"),
    "people": (loading, Known, "knowledge"),
}


@pytest.mark.parametrize("what", SHOWN)
def test_a_command_says_that_it_is_recorded(place: Place, what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    made, owner, name = SHOWN[what]
    command, head = made(place), place[1].ledger.head()

    def silent(*_: Any, **__: Any) -> None:
        raise unavailable("locked")

    monkeypatch.setattr(owner, name, silent)
    done = CliRunner().invoke(cli, ["--home", str(place[0] / "home"), *command])
    assert place[1].ledger.head() > head, done.output
    assert isinstance(done.exception, UnavailableError)
    assert done.exception.code == "ledger-outcome-unknown"
    assert done.exception.message.startswith("it is recorded, but ")
