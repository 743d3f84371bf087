"""A home whose identity is lost, damaged or older than ids, and a backup: bound to what fits, and to nothing else."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from consentry.bootstrap import accept_older, open_deployment
from consentry.doctor.finding import State
from consentry.errors import IntegrityError
from consentry.identity import IDENTITY_FILE
from end_to_end.two_homes import (
    KEY,
    LEDGER,
    SIGNING,
    Change,
    Two,
    a_new_ledger,
    an_empty_file,
    another_key,
    another_signing_key,
    code_of,
    finding,
    identity,
    opens,
    refuse,
    the_others_key,
    the_others_ledger,
    the_others_ledger_and_keys,
)

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
            "DROP TABLE identity; DROP INDEX events_open; DROP INDEX events_few;"
            "UPDATE alembic_version SET version_num = '0001'"
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
