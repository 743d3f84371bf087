"""The doctor says what is missing of a ledger, by which nothing is decided then."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from consentry.doctor.examination import examine
from consentry.doctor.finding import Finding, State
from end_to_end.terminal import Terminal, ready, terminal

__all__ = ["ready", "terminal"]


def history(home: Path) -> list[Finding]:
    return [each for each in examine(home, at=2_000_000_000) if each.name == "history"]


def execute(home: Path, statement: str) -> None:
    with closing(sqlite3.connect(home / "ledger.db")) as connection, connection:
        for (guard,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            connection.execute(f'DROP TRIGGER "{guard}"')
        assert connection.execute(statement).rowcount == 1


def times(home: Path) -> dict[Path, int]:
    """Return when each file was changed; SQLite makes and removes two beside the ledger for whoever only reads."""
    files = [each for each in home.rglob("*") if each.is_file() and not each.name.endswith(("-wal", "-shm"))]
    return {path: path.stat().st_mtime_ns for path in files}


def objects_gone(home: Path) -> None:
    (text,) = [each for each in (home / "objects").iterdir() if each.is_file() and b'"2024-09-18' in each.read_bytes()]
    text.write_bytes(text.read_bytes() + b"\n")


@pytest.fixture
def said(ready: Terminal) -> Terminal:
    ready.run("policy", "publish", "september-2024")
    for person in ("ada", "bö"):
        ready.run("choice", "record", person, "refused")
    return ready


def test_a_whole_ledger_is_fine_also_after_an_erasure_and_a_withdrawal(said: Terminal) -> None:
    said.run("people", "erase", "ada", "--yes")
    said.run("policy", "withdraw", "september-2024")
    objects_gone(said.home)
    (found,) = history(said.home)
    assert (found.state, found.remedy) == (State.OK, "")
    assert "none of them missing" in found.found


@pytest.mark.parametrize(
    ("harm", "words"),
    [
        (lambda home: execute(home, "DELETE FROM personal WHERE position = 4"), "no erasure accounts for it"),
        (lambda home: execute(home, "DELETE FROM events WHERE position = 1"), "events that are missing: 1"),
        (objects_gone, "the text of policy set september-2024"),
        (lambda home: (home / "acknowledged").write_bytes(b"x" * 128), "`acknowledged` cannot be read"),
    ],
)
def test_what_is_missing_is_a_problem(said: Terminal, harm: Callable[[Path], object], words: str) -> None:
    assert [each.state for each in history(said.home)] == [State.OK], "the control"
    harm(said.home)
    found = history(said.home)
    assert [each.state for each in found] == [State.PROBLEM]
    assert words in found[0].found.replace(f"{said.home}/", "")
    assert found[0].remedy
    assert said.run("doctor", status=1)["problems"] == 1


def test_an_older_copy_is_a_problem(said: Terminal) -> None:
    copy = said.folder / "older.db"
    with closing(sqlite3.connect(said.home / "ledger.db")) as one, closing(sqlite3.connect(copy)) as other:
        one.backup(other)
    said.run("choice", "record", "ada", "refused", "--purpose", "serve")
    for end in ("-wal", "-shm"):
        (said.home / f"ledger.db{end}").unlink(missing_ok=True)
    shutil.copy(copy, said.home / "ledger.db")
    (found,) = history(said.home)
    assert found.state is State.PROBLEM
    assert "which was acknowledged, is not there" in found.found
    said.fails("ledger-older", "policy", "list")


def test_looking_changes_nothing(said: Terminal) -> None:
    before = times(said.home)
    assert history(said.home)
    assert times(said.home) == before
