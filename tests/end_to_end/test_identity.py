"""A home is opened with its own ledger and its own keys, or not at all, and a refusal leaves everything as it was.

The control takes the comparison away: then a wrong key and a wrong ledger open without a word, and do what they must
not.
"""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from consentry import bootstrap, opening
from consentry.bootstrap import Deployment, accept_older, migrate, open_deployment
from consentry.cli.main import main
from consentry.doctor.examination import examine
from consentry.doctor.finding import State
from consentry.errors import ConsentryError, IntegrityError, StateError
from consentry.identity import IDENTITY_FILE, Identity
from consentry.ledger.events import ChoiceMade, Source
from consentry.ledger.sqlite import open_sqlite
from consentry.policy.choice import Choice
from consentry.policy.library import shipped
from consentry.policy.vocabulary import ChoiceState, Purpose
from end_to_end.network import RawItem, RawPerson, quick_folder, write_corpus, write_people
from end_to_end.test_crashes import Driver, driver  # noqa: F401 - a fixture
from end_to_end.test_story import eligible
from ledger.conftest import _database, _within, postgres_url  # noqa: F401 - a fixture

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


@pytest.fixture(scope="module")
def made() -> Iterator[Two]:
    with tempfile.TemporaryDirectory(dir=quick_folder()) as name:
        yield Two(
            make(Path(name) / "own", who_refuses="p2"),
            make(Path(name) / "other", who_refuses="p3"),
        )


@pytest.fixture
def two(made: Two) -> Iterator[Two]:
    with tempfile.TemporaryDirectory(dir=quick_folder()) as name:
        found = Two(Path(name) / "own", Path(name) / "other")
        shutil.copytree(made.own, found.own)
        shutil.copytree(made.other, found.other)
        yield found


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


def test_the_first_opening_writes_it_and_no_later_one(two: Two) -> None:
    before = (two.own / IDENTITY_FILE).stat()
    assert opens(two.own) == {"p2"}
    after = (two.own / IDENTITY_FILE).stat()
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)
    own, other = identity(two.own), identity(two.other)
    assert len({own.ledger, other.ledger, own.pseudonym_key, other.pseudonym_key}) == 4
    assert own.signing_key != other.signing_key
    assert finding(two.own)[0] is State.OK


@pytest.mark.parametrize(("change", "code"), CHANGES)
def test_what_belongs_to_another_is_refused(two: Two, change: Change, code: str) -> None:
    kept = two.own.with_name("kept")
    shutil.copytree(two.own, kept)
    change(two)
    assert code_of(two.own) == code
    state, found = finding(two.own)
    assert state is State.PROBLEM
    assert code not in found
    shutil.rmtree(two.own)
    kept.rename(two.own)
    assert opens(two.own) == {"p2"}
    assert finding(two.own)[0] is State.OK


def test_the_address_of_another_ledger_is_refused(two: Two, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(URL, f"sqlite:///{two.other / 'ledger.db'}")
    assert code_of(two.own) == LEDGER
    assert finding(two.own)[0] is State.PROBLEM
    monkeypatch.setenv(URL, f"sqlite:///{two.own / 'ledger.db'}")
    assert opens(two.own) == {"p2"}


def test_a_home_that_knows_its_ledger_never_begins_a_new_one(two: Two) -> None:
    shutil.rmtree(two.own / "keys")
    (two.own / "ledger.db").unlink()
    assert code_of(two.own) == "ledger-missing"
    assert not (two.own / "ledger.db").exists()


@pytest.mark.parametrize(("change", "code"), CHANGES)
def test_the_command_line_says_what_to_do(
    two: Two, change: Change, code: str, capsys: pytest.CaptureFixture[str]
) -> None:
    change(two)
    error = said(two.own, capsys, "release", "list")["error"]
    assert error["code"] == code
    assert "restore" in error["help"]
    found = {each["name"]: each for each in said(two.own, capsys, "doctor")["findings"]}
    assert found["identity"]["state"] == "problem"
    assert found["identity"]["remedy"] == error["help"]


def said(home: Path, capsys: pytest.CaptureFixture[str], *words: str) -> Any:
    with pytest.raises(SystemExit) as left:
        main(["--home", str(home), "--json", *words])
    assert left.value.code == 1
    return json.loads(capsys.readouterr().out)


# What is lost


def test_a_lost_identity_is_made_anew_from_what_fits(two: Two) -> None:
    before = (two.own / IDENTITY_FILE).read_bytes()
    (two.own / IDENTITY_FILE).unlink()
    assert finding(two.own)[0] is State.MISSING
    assert opens(two.own) == {"p2"}
    assert (two.own / IDENTITY_FILE).read_bytes() == before


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (another_key, KEY),
        (the_others_key, KEY),
        (another_signing_key, SIGNING),
        (the_others_ledger, LEDGER),
        (the_others_ledger_and_keys, SIGNING),
        (an_empty_file, "ledger-not-a-ledger"),
        (a_new_ledger, "ledger-emptied"),
    ],
)
def test_a_lost_identity_is_not_made_of_what_contradicts(two: Two, change: Change, code: str) -> None:
    (two.own / IDENTITY_FILE).unlink()
    change(two)
    assert code_of(two.own) == code
    assert not (two.own / IDENTITY_FILE).exists()


def sqlite_rows(path: Path, statement: str) -> list[Any]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(statement).fetchall()


def test_without_releases_the_ledger_still_knows_its_key_and_seats_their_ledger(two: Two) -> None:
    """Half a backup: the ledger, the people and a key out of some drawer."""
    shutil.rmtree(two.own / "releases")
    (two.own / IDENTITY_FILE).unlink()
    the_others_key(two)
    assert code_of(two.own) == KEY
    assert finding(two.own)[0] is State.PROBLEM
    a_new_ledger(two)
    assert code_of(two.own) == "ledger-emptied"


@pytest.mark.parametrize("damage", ["empty", "shortened", "changed", "not json"])
def test_a_damaged_identity_is_an_error_and_stays(two: Two, damage: str) -> None:
    path = two.own / IDENTITY_FILE
    whole = path.read_bytes()
    changed = whole.replace(identity(two.own).ledger.encode(), identity(two.other).ledger.encode())
    path.write_bytes({"empty": b"", "shortened": whole[:-1], "changed": changed, "not json": b"?"}[damage])
    assert code_of(two.own) == "identity-damaged"
    assert finding(two.own)[0] is State.PROBLEM
    path.write_bytes(whole)
    assert opens(two.own) == {"p2"}


# What is restored


def back_up(home: Path, backup: Path) -> None:
    """Do what docs/ledger.md says."""
    backup.mkdir()
    with closing(sqlite3.connect(home / "ledger.db")) as source, closing(sqlite3.connect(backup / "ledger.db")) as copy:
        source.backup(copy)
    for name in (IDENTITY_FILE, "keys", "people", "objects", "corpora", "releases"):
        part = home / name
        (shutil.copytree if part.is_dir() else shutil.copy)(part, backup / name)


def test_a_backup_opens_wherever_it_is_restored(two: Two) -> None:
    back_up(two.own, two.own.with_name("backup"))
    shutil.rmtree(two.own)
    restored = two.own.with_name("backup").rename(two.own.with_name("elsewhere"))
    assert opens(restored) == {"p2"}
    assert finding(restored)[0] is State.OK


def test_an_older_ledger_of_ones_own_is_no_stranger(two: Two) -> None:
    back_up(two.own, two.own.with_name("backup"))
    deployment = open_deployment(two.own)
    refuse(deployment, "p4")
    deployment.close()
    for path in two.own.glob("ledger.db*"):
        path.unlink()
    shutil.copy(two.own.with_name("backup") / "ledger.db", two.own / "ledger.db")
    with pytest.raises(IntegrityError, match="ledger-older"):
        opens(two.own)
    accept_older(two.own, by="olga", reference="x")
    assert opens(two.own) == {"p2"}


def before_ids(home: Path) -> None:
    """Make of a home what it was before ledgers had ids."""
    (home / IDENTITY_FILE).unlink(missing_ok=True)
    with closing(sqlite3.connect(home / "ledger.db")) as connection:
        connection.executescript(
            "DROP TABLE identity; DROP INDEX events_open; UPDATE alembic_version SET version_num = '0001'"
        )
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def test_a_home_of_before_ids_is_bound_when_it_is_next_opened(two: Two) -> None:
    before_ids(two.own)
    assert finding(two.own)[0] is State.MISSING
    assert opens(two.own) == {"p2"}
    assert finding(two.own)[0] is State.OK
    bound = identity(two.own)
    assert opens(two.own) == {"p2"}
    assert identity(two.own) == bound
    another_key(two)
    assert code_of(two.own) == KEY


@pytest.mark.parametrize(("change", "code"), [(another_signing_key, SIGNING), (the_others_ledger, LEDGER)])
def test_a_home_of_before_ids_is_not_bound_to_what_contradicts(two: Two, change: Change, code: str) -> None:
    for home in (two.own, two.other):
        before_ids(home)
    change(two)
    with pytest.raises(IntegrityError) as caught:
        open_deployment(two.own)
    assert caught.value.code == code
    assert not (two.own / IDENTITY_FILE).exists()


def test_a_backup_of_before_ids_is_taken_only_if_one_says_so(two: Two) -> None:
    bound = identity(two.own)
    kept = (two.own / IDENTITY_FILE).read_bytes()
    before_ids(two.own)
    (two.own / IDENTITY_FILE).write_bytes(kept)
    assert code_of(two.own) == LEDGER
    assert sqlite_rows(two.own / "ledger.db", "SELECT version_num FROM alembic_version") == [("0001",)]
    assert finding(two.own)[0] is State.PROBLEM
    (two.own / IDENTITY_FILE).unlink()
    assert opens(two.own) == {"p2"}
    assert identity(two.own).ledger != bound.ledger


# The first start


@pytest.fixture
def quick() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(dir=quick_folder()) as name:
        yield Path(name)


def test_an_interrupted_first_start_is_finished_by_the_next(
    quick: Path,
    driver: Driver,  # noqa: F811 - the fixture
) -> None:
    home = quick / "home"
    _, steps = driver.carry_out("start", home, quick)
    assert steps > 20
    without = 0
    for kill_at in range(1, steps + 1):
        shutil.rmtree(home)
        driver.carry_out("start", home, quick, kill_at=kill_at)
        without += not (home / IDENTITY_FILE).exists()
        deployment = open_deployment(home)
        found = identity(home)
        assert deployment.ledger.identity() == (found.ledger, found.pseudonym_key)
        assert found.signing_key == deployment.control.desk.parts.signer.key_id
        deployment.close()
        open_deployment(home).close()
        assert identity(home) == found
        assert not list(home.rglob("*.staged"))
    assert 10 < without < steps
    assert finding(home)[0] is State.OK


def test_first_starts_at_one_time_agree(tmp_path: Path) -> None:
    def start(_: int) -> tuple[str, str]:
        deployment = open_deployment(tmp_path / "home")
        try:
            return deployment.person("ada"), deployment.control.desk.parts.signer.key_id
        finally:
            deployment.close()

    with ThreadPoolExecutor(6) as pool:
        assert len(set(pool.map(start, range(6)))) == 1
    assert finding(tmp_path / "home")[0] is State.OK


# PostgreSQL


@pytest.fixture
def servers(postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:  # noqa: F811 - the fixture
    """The addresses of two empty databases."""
    monkeypatch.setenv("CONSENTRY_LEDGER_REPLICA_REQUIRED", "false")
    with _database(postgres_url, template="template0") as one, _database(postgres_url, template="template0") as other:
        urls = [_within(postgres_url, name) for name in (one, other)]
        yield [url.replace("postgresql://", "postgresql+psycopg://") for url in urls]


def test_postgres(tmp_path: Path, servers: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    homes = [tmp_path / "own", tmp_path / "other"]
    for home, url in zip(homes, servers, strict=True):
        monkeypatch.setenv(URL, url)
        migrate(home)
        deployment = open_deployment(home)
        refuse(deployment, "p2")
        deployment.close()
        assert finding(home)[0] is State.OK
    assert code_of(homes[0]) == LEDGER
    assert finding(homes[0])[0] is State.PROBLEM
    (homes[0] / IDENTITY_FILE).unlink()
    assert code_of(homes[0]) == KEY, "the ledger knows whose pseudonyms it holds"
    monkeypatch.setenv(URL, servers[0])
    open_deployment(homes[0]).close()
    (homes[0] / "keys" / "pseudonym.key").write_bytes(os.urandom(32))
    assert code_of(homes[0]) == KEY


def test_a_home_with_a_ledger_makes_no_tables_elsewhere(
    two: Two, servers: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from sqlalchemy import create_engine, inspect

    monkeypatch.setenv(URL, servers[0])
    with pytest.raises(IntegrityError) as caught:
        migrate(two.own)
    assert caught.value.code == LEDGER
    engine = create_engine(servers[0])
    assert inspect(engine).get_table_names() == []
    engine.dispose()
    migrate(two.own.with_name("new"))
    assert code_of(two.own) == LEDGER


def test_what_the_doctor_cannot_read_it_does_not_call_sound(two: Two, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(URL, "postgresql+psycopg://ann:secret@127.0.0.1:1/ledger")
    assert finding(two.own) == (State.MISSING, "not compared: the ledger")
    (two.own / "keys" / "signing.key").unlink()
    assert finding(two.own) == (State.MISSING, "not compared: the ledger, signing.key")
    another_key(two)
    assert finding(two.own)[0] is State.PROBLEM


# The control


def without_comparison(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take out every check of what belongs together, that of the newest event and seal included."""
    monkeypatch.setattr(opening, "require_ledger", lambda *_: None)
    for name in ("require_pseudonym_key", "require_signing_key"):
        monkeypatch.setattr(bootstrap, name, lambda *_: None)
    monkeypatch.setattr(bootstrap, "require_newest", lambda *_, **__: None)


def test_control_without_the_comparison_a_refusal_is_forgotten(two: Two, monkeypatch: pytest.MonkeyPatch) -> None:
    without_comparison(monkeypatch)
    the_others_key(two)
    deployment = open_deployment(two.own)
    seats = len(deployment.pseudonyms.index)
    again = two.own.with_name("again")
    deployment.control.statements.register_corpus(write_corpus(again, [[RawItem(id="new", author="p2")]]))
    deployment.control.statements.load_people(write_people(again / "people", [RawPerson(id="p2")]))
    assert len(deployment.pseudonyms.index) == seats + 1, "who refused has a second seat"
    built = deployment.control.releases.build("network", Purpose.TRAIN_GENAI, policy=POLICY, at=NOW).manifest
    assert eligible(deployment, built.release) == {"new"}, "and what they wrote is used"
    deployment.close()
    the_others_ledger(two)
    deployment = open_deployment(two.own)
    assert refused(deployment) == {"p3"}, "somebody else's choices count"
    deployment.close()


def test_control_the_tests_would_notice(two: Two, monkeypatch: pytest.MonkeyPatch) -> None:
    without_comparison(monkeypatch)
    for change, _ in CHANGES[:5]:
        change(two)
        try:
            open_deployment(two.own).close()
        except ConsentryError as error:
            pytest.fail(f"something else refuses it: {error}")
