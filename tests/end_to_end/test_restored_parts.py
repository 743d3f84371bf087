"""Parts of a home that come back from an older copy, or are lost: noticed before anything is decided from them."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from consentry import bootstrap
from consentry.bootstrap import Deployment, open_deployment
from consentry.errors import IntegrityError
from consentry.ledger.events import ChoiceMade, Source
from consentry.policy.choice import Choice
from consentry.policy.library import shipped
from consentry.policy.vocabulary import ChoiceState, Purpose, Reach
from end_to_end.network import RawItem, RawPerson, fresh, write_corpus, write_people

NOW = 1_730_000_000
POLICY = "september-2024"
NAMES = [f"u{number}" for number in range(1, 9)]
PEOPLE = [RawPerson(id=name) for name in NAMES]


@pytest.fixture
def place() -> Iterator[tuple[Path, Deployment]]:
    with fresh() as (folder, deployment):
        deployment.control.statements.load_people(write_people(folder / "people", PEOPLE[:3]))
        shutil.copytree(folder / "home" / "people", folder / "older")
        deployment.control.statements.load_people(write_people(folder / "people", PEOPLE))
        items = [RawItem(id=f"i-{name}", author=name, created=NOW - 9) for name in NAMES]
        deployment.control.statements.register_corpus(write_corpus(folder, [items]))
        deployment.control.statements.publish(shipped()[POLICY], POLICY)
        refuse(deployment, "u5")
        yield folder, deployment


def refuse(deployment: Deployment, name: str, *, reach: Reach = Reach.UNTRAINED) -> None:
    choice = Choice(purpose=Purpose.TRAIN_GENAI, state=ChoiceState.REFUSED, reach=reach, at=NOW)
    deployment.control.statements.choose(
        [ChoiceMade(person=deployment.person(name), choice=choice, source=Source.FORM)]
    )


def eligible(deployment: Deployment) -> set[str]:
    built = deployment.control.releases.build("network", Purpose.TRAIN_GENAI, policy=POLICY, at=NOW).manifest
    (file,) = built.files
    release = deployment.control.releases.open(built.release)
    return {name for row, name in enumerate(NAMES) if not release.excludes(file, row)}


@pytest.mark.parametrize("lost", ["all", "index.json", "newer"])
def test_people_are_not_numbered_anew_beside_sidecars(place: tuple[Path, Deployment], lost: str) -> None:
    folder, deployment = place
    home = folder / "home"
    deployment.close()
    if lost == "index.json":
        (home / "people" / "index.json").unlink()
    else:
        shutil.rmtree(home / "people")
    if lost == "newer":
        shutil.copytree(folder / "older", home / "people")
    with pytest.raises(IntegrityError, match="people-index-behind"):
        open_deployment(home)
    # Without a backup everything that holds numbers is made anew; people in another order get other ones.
    shutil.rmtree(home / "corpora")
    again = open_deployment(home)
    again.control.statements.load_people(write_people(folder / "people", PEOPLE[::-1]))
    again.control.statements.register_corpus(folder / "corpus.toml")
    assert eligible(again) == {*NAMES} - {"u5"}
    again.close()


def test_control_without_the_comparison_refused_people_are_let_through(
    place: tuple[Path, Deployment], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, deployment = place
    deployment.close()
    shutil.rmtree(folder / "home" / "people")
    monkeypatch.setattr(bootstrap, "seats_in_use", lambda _: 0)
    again = open_deployment(folder / "home")
    again.control.statements.load_people(write_people(folder / "people", PEOPLE[::-1]))
    assert "u5" in eligible(again)
    again.close()


def test_an_older_ledger_is_not_built_on(place: tuple[Path, Deployment]) -> None:
    folder, deployment = place
    ledger = folder / "home" / "ledger.db"
    with closing(sqlite3.connect(ledger)) as live, closing(sqlite3.connect(folder / "older.db")) as copy:
        live.backup(copy)
    assert eligible(deployment) == {*NAMES} - {"u5"}
    deployment.close()
    newest = folder / "newest.db"
    shutil.copy(ledger, newest)
    for name in ("ledger.db-wal", "ledger.db-shm"):
        (folder / "home" / name).unlink(missing_ok=True)
    shutil.copy(folder / "older.db", ledger)
    with pytest.raises(IntegrityError, match="ledger-older"):
        open_deployment(folder / "home")
    # The control: what was written down is what shows it.
    (folder / "home" / "sealed.json").rename(folder / "sealed.json")
    open_deployment(folder / "home").close()
    (folder / "sealed.json").rename(folder / "home" / "sealed.json")
    shutil.copy(newest, ledger)
    open_deployment(folder / "home").close()


@pytest.mark.parametrize("forgotten", ["release withdrawn", "model withdrawn", "model registered", "amendment"])
def test_a_ledger_that_forgot_what_was_withdrawn_is_not_opened(place: tuple[Path, Deployment], forgotten: str) -> None:
    folder, deployment = place
    control, ledger = deployment.control, folder / "home" / "ledger.db"
    release = control.releases.build("network", Purpose.TRAIN_GENAI, policy=POLICY, at=NOW).manifest.release
    control.models.register("m", releases=[release])
    with closing(sqlite3.connect(ledger)) as live, closing(sqlite3.connect(folder / "older.db")) as copy:
        live.backup(copy)
    match forgotten:
        case "release withdrawn":
            control.releases.withdraw(release, "case 7")
        case "model withdrawn":
            control.models.withdraw("m", "case 7", by="ml")
        case "model registered":
            control.models.register("tuned", base="m")
        case _:
            refuse(deployment, "u6", reach=Reach.EVERYTHING)
    deployment.close()
    for name in ("ledger.db-wal", "ledger.db-shm"):
        (folder / "home" / name).unlink(missing_ok=True)
    shutil.copy(folder / "older.db", ledger)
    with pytest.raises(IntegrityError, match="ledger-older"):
        open_deployment(folder / "home")


@pytest.mark.parametrize("by", ["ledger", "table"])
def test_who_is_linked_to_somebody_erased_is_left_out(place: tuple[Path, Deployment], by: str) -> None:
    """What the erased account refused nobody knows any more."""
    folder, deployment = place
    assert "u4" in eligible(deployment)
    deployment.control.statements.erase([deployment.person("u5")])
    assert "u4" in eligible(deployment)
    if by == "ledger":
        deployment.control.statements.link(deployment.person("u4"), deployment.person("u5"))
    else:
        linked = [RawPerson(id=each.id, same_as="u5" if each.id == "u4" else None) for each in PEOPLE]
        deployment.control.statements.load_people(write_people(folder / "people", linked))
    assert eligible(deployment) == {*NAMES} - {"u4", "u5"}
