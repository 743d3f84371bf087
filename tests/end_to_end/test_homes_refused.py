"""A command that is refused leaves a home as it was: no file in it, and no folder where there was none.

What stands where a ledger should be and is none makes no deployment of a folder, and none is begun over it.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from pathlib import Path
from threading import Barrier

import pytest

from consentry.bootstrap import accept_older, open_deployment
from consentry.doctor.examination import examine
from consentry.doctor.finding import State
from consentry.durable import only_one
from consentry.errors import ConsentryError
from consentry.home import holding, holds_deployment
from consentry.home_folder import HOME_VARIABLE
from consentry.ledger.postgres import migrate_postgres
from consentry.settings import read_settings
from end_to_end.network import Form, RawItem, RawPerson, write_corpus, write_people
from end_to_end.test_homes import BEGIN, Words, said
from ledger.conftest import _database, _within, postgres_url  # noqa: F401 - a fixture
from skips import NEEDS_NOBODY_SPECIAL

URL = "CONSENTRY_LEDGER_URL"
SOME: tuple[Words, ...] = (
    ("order", "list"),
    ("serve",),
    ("ledger", "accept-older", "--by", "olga", "--reference", "x"),
    ("jobs",),
)
FIRST: tuple[Words, ...] = tuple((*words, *given) for words, given in BEGIN.items())


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with what first commands are given, and an empty home."""
    monkeypatch.chdir(tmp_path)
    for name in (HOME_VARIABLE, URL):
        monkeypatch.delenv(name, raising=False)
    write_corpus(tmp_path, [[RawItem(id="a1", author="ada")]], Form())
    write_people(tmp_path / "people", [RawPerson(id="ada")])
    (tmp_path / "a-file").write_text("x")
    (tmp_path / "home").mkdir(mode=0o700)
    return tmp_path


def tree(folder: Path) -> dict[Path, object]:
    return {
        each: (each.lstat().st_mode, each.readlink() if each.is_symlink() else each.is_file() and each.read_bytes())
        for each in folder.rglob("*")
    }


def code_of(words: Words, capsys: pytest.CaptureFixture[str], *, home: str = "home") -> str:
    """Return the code with which a command is refused; nothing may change by that."""
    before = tree(Path.cwd())
    status, _, err = said(("--home", home, *words), capsys)
    assert status == 1, err
    assert tree(Path.cwd()) == before
    return err.rpartition("[")[2].partition("]")[0]


def foreign(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript("CREATE TABLE posts (id INTEGER); INSERT INTO posts VALUES (1)")


def nowhere(path: Path) -> None:
    path.symlink_to("/no/such/disk/ledger.db")


NO_LEDGERS: list[tuple[Callable[[Path], None], str]] = [
    (Path.touch, "ledger-not-a-ledger"),
    (foreign, "ledger-not-a-ledger"),
    (Path.mkdir, "ledger-not-a-ledger"),
    (nowhere, "ledger-missing"),
]


@pytest.mark.parametrize(("make", "code"), NO_LEDGERS)
def test_what_is_no_ledger_makes_no_deployment(
    make: Callable[[Path], None],
    code: str,
    place: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    make(place / "home" / "ledger.db")
    for words in (*SOME[:3], ("init",), *FIRST):
        assert code_of(words, capsys) == code, words
    found = {each.name: each for each in examine(place / "home")}
    assert found["ledger"].state is not State.OK
    assert found["ledger"].remedy


def test_an_empty_file_is_named_with_what_to_do(
    place: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    ledger = place / "home" / "ledger.db"
    ledger.touch()
    told = said(("--home", "home", "--json", "init"), capsys)[1]
    assert f"`{ledger}` is no ledger: it is empty" in told
    assert "if nothing was ever recorded here, move it away and try again" in told
    ledger.unlink()
    assert said(("--home", "home", "init"), capsys)[0] == 0


@pytest.fixture
def elsewhere(place: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The ledger of a deployment that keeps it outside its home, and is told where by the environment."""
    ledger = place / "elsewhere.db"
    monkeypatch.setenv(URL, f"sqlite:///{ledger}")
    open_deployment(place / "right").close()
    return ledger


def test_a_ledger_elsewhere_makes_no_deployment_of_a_home_whose_name_is_spelled_wrong(
    elsewhere: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for home in ("wrong", "also/wrong", "home"):
        for words in SOME:
            assert code_of(words, capsys, home=home) == "home-missing", words
        # Those that begin one are refused by the keys, which this ledger has already.
        for words in FIRST:
            assert code_of(words, capsys, home=home) == "key-missing", words
    assert said(("--home", "right", "order", "list"), capsys)[0] == 0
    elsewhere.unlink()
    assert code_of(("order", "list"), capsys, home="right") == "ledger-missing"


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("sqlite:///home/elsewhere.db", "ledger-not-a-ledger"),
        ("sqlite:////no/such/folder/ledger.db", "system-file-unusable"),
        ("sqlite:///", "ledger-not-a-ledger"),
        ("postgresql+psycopg://ann@127.0.0.1:1/ledger", "ledger-unavailable"),
        ("mysql://ann@127.0.0.1/ledger", "settings-bad-value"),
    ],
)
def test_a_ledger_that_cannot_be_had_leaves_nothing(
    url: str,
    code: str,
    place: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(URL, url)
    monkeypatch.setenv("CONSENTRY_LEDGER_TIMEOUT_S", "1")
    foreign(place / "home" / "elsewhere.db")
    for home in ("home", "wrong", "also/wrong"):
        assert code_of(("init",), capsys, home=home) == code
        with pytest.raises((ConsentryError, OSError)):
            accept_older(place / home, by="olga", reference="x")
    assert not (place / "wrong").exists()
    assert not (place / "also").exists()


def test_postgres_that_holds_no_ledger_or_that_of_others(
    postgres_url: str,  # noqa: F811 - the fixture
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CONSENTRY_LEDGER_REPLICA_REQUIRED", "false")
    with _database(postgres_url, template="template0") as name:
        url = _within(postgres_url, name)
        monkeypatch.setenv(URL, url.replace("postgresql://", "postgresql+psycopg://"))
        for home in ("home", "wrong"):
            assert code_of(("order", "list"), capsys, home=home) == "home-missing"
            assert code_of(("init",), capsys, home=home) == "ledger-schema-older"
        migrate_postgres(url)
        assert said(("--home", "right", "init"), capsys)[0] == 0
        for home in ("home", "wrong"):
            assert code_of(("order", "list"), capsys, home=home) == "home-missing"
            assert code_of(("init",), capsys, home=home) == "key-missing"


@pytest.mark.parametrize("left", ["releases", "people"])
def test_what_is_left_without_keys_and_ledger_is_no_new_home(
    left: str,
    place: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert said(("--home", "home", "people", "load", "people/people.toml"), capsys)[0] == 0
    (place / "home" / "releases").mkdir(exist_ok=True)
    for each in (place / "home").iterdir():
        if each.name != left:
            shutil.rmtree(each) if each.is_dir() else each.unlink()
    assert holds_deployment(read_settings(place / "home"))
    for words in (("order", "list"), ("init",)):
        assert code_of(words, capsys) == "ledger-missing"


@pytest.mark.skipif(os.geteuid() == 0, reason=NEEDS_NOBODY_SPECIAL)
def test_a_home_that_may_not_be_written(
    place: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (place / "home").chmod(0o500)
    assert code_of(("init",), capsys) == "system-file-unusable"
    assert code_of(("order", "list"), capsys) == "home-missing"
    assert code_of(("init",), capsys, home="home/below") == "system-file-unusable"
    (place / "home").chmod(0o700)


def test_a_home_that_is_a_file_or_cannot_be_made(
    place: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (place / "nowhere").symlink_to("/no/such/disk")
    for home in ("a-file", "a-file/below", "nowhere", "nowhere/below", "/proc/none"):
        assert code_of(("init",), capsys, home=home) == "system-file-unusable", home
    monkeypatch.setenv(HOME_VARIABLE, "a-file")
    assert said(("order", "list"), capsys)[0] == 1


# The lock of the opening


def refuse(home: Path, *, leaving: str | None = None) -> None:
    with suppress(KeyError), holding(home):
        assert (home / "opening.lock").exists()
        if leaving is not None:
            (home / leaving).touch()
        raise KeyError


def test_a_refusal_takes_away_only_what_it_made(tmp_path: Path) -> None:
    home = tmp_path / "a" / "b"
    refuse(home)
    assert not (tmp_path / "a").exists()
    (tmp_path / "a").mkdir()
    refuse(home, leaving="kept")
    assert [each.name for each in home.iterdir()] == ["kept"]
    with holding(home):
        pass
    refuse(home)
    assert {each.name for each in home.iterdir()} == {"kept", "opening.lock"}


def test_one_at_a_time_although_those_before_take_the_lock_away(tmp_path: Path) -> None:
    """Who waits for a lock that is gone would otherwise hold it beside who made a new one."""
    home, start = tmp_path / "b" / "home", Barrier(6)
    inside: list[int] = []

    def enter(number: int) -> int:
        start.wait()
        seen = 0
        for attempt in range(40):
            with suppress(KeyError), holding(home):
                inside.append(number)
                seen = max(seen, len(inside))
                inside.remove(number)
                if (number + attempt) % 3:
                    raise KeyError
        return seen

    with ThreadPoolExecutor(6) as pool:
        assert set(pool.map(enter, range(6))) == {1}


def test_a_lock_that_its_holder_removed_is_none(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    with only_one(lock):
        lock.unlink()
        with only_one(lock, wait=False):
            assert lock.exists()
