"""Power loss under the ledger in SQLite: the very statements it runs, on a disk that loses what was not flushed.

The control runs the same with `synchronous=NORMAL` and must lose an acknowledged event, or the disk loses too little.
"""

from __future__ import annotations

import re
import shutil
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event
from sqlalchemy.engine import Engine

from consentry.errors import IntegrityError
from consentry.ledger.sqlite import open_sqlite
from ledger.conftest import at
from ledger.sayings import chose, person, sealed

pytest.importorskip("apsw", reason="the power-loss disk is a VFS of apsw")

from ledger import power_loss

MOVES_HEAD = re.compile(r"UPDATE head SET position=(\d+)")


@dataclass(frozen=True)
class Outcome:
    verdict: str
    finished: bool


@dataclass(frozen=True)
class Statements:
    """Everything a ledger says to SQLite while it is made, under another name, and written to."""

    making: list[str]
    writing: list[str]


@pytest.fixture(scope="module")
def statements(tmp_path_factory: pytest.TempPathFactory) -> Statements:
    said = Statements(making=[], writing=[])

    def listen(connection: Any, _: Any) -> None:
        (_, _, file) = connection.execute("PRAGMA database_list").fetchone()
        into = said.writing if Path(file).name == "ledger.db" else said.making
        # What begins so is an inner statement of a trigger.
        connection.set_trace_callback(lambda each: None if each.startswith("--") else into.append(each))

    event.listen(Engine, "connect", listen)
    try:
        ledger = open_sqlite(tmp_path_factory.mktemp("said") / "ledger.db", clock=at(1), create=True)
        for number in range(6):
            ledger.append([chose(10 * number + each) for each in range(1 + number % 3)])
        ledger.erase([person(10)])
        with ledger.sealing() as session:
            session.append([sealed("one", session.position)])
        for number in range(4):
            ledger.append([chose(100 + number)])
        ledger.close()
    finally:
        event.remove(Engine, "connect", listen)
    return said


def lose_power(path: Path, statements: Statements, *, cut: int, seed: int, synchronous: str = "FULL") -> Outcome:
    """Run `statements` until the power fails, start again, and judge what is found."""
    shutil.rmtree(path.parent, ignore_errors=True)
    path.parent.mkdir(parents=True)
    made = power_loss.Disk(cut=cut, seed=seed)
    staged = path.with_name(f".{path.name}.staged")
    with power_loss.database(staged, made) as connection:
        for statement in statements.making:
            connection.execute(statement.replace("synchronous=FULL", f"synchronous={synchronous}")).fetchall()
        connection.close()
    if made.operations >= cut:
        return Outcome(verdict=judge(path, 0), finished=False)
    # It gets its name when it is closed; what was not flushed by then was lost above.
    staged.replace(path)
    left = cut - made.operations
    disk = power_loss.Disk(cut=left, seed=seed)
    acknowledged = moved = 0
    with power_loss.database(path, disk) as connection:
        connection.execute("PRAGMA wal_autocheckpoint=8")
        for statement in statements.writing:
            if found := MOVES_HEAD.match(statement):
                moved = int(found.group(1))
            connection.execute(statement.replace("synchronous=FULL", f"synchronous={synchronous}")).fetchall()
            if statement.startswith("COMMIT"):
                acknowledged = moved
    return Outcome(verdict=judge(path, acknowledged), finished=disk.operations < left)


def judge(path: Path, acknowledged: int) -> str:
    Path(f"{path}-shm").unlink(missing_ok=True)
    try:
        ledger = open_sqlite(path, clock=at(1), create=True)
    except IntegrityError:
        return "damaged"
    try:
        history = list(ledger.read())
        if len(history) < acknowledged:
            return "lost an acknowledged event"
        later = ledger.append([chose(999)])
        assert list(later) == [len(history)]
        assert [each.position for each in ledger.read()] == list(range(len(history) + 1))
    except IntegrityError:
        return "damaged"
    else:
        return "sound"
    finally:
        ledger.close()


def campaign(folder: Path, statements: Statements, *, step: int, seeds: int, synchronous: str = "FULL") -> Counter[str]:
    verdicts: Counter[str] = Counter()
    for cut in range(1, 100_000, step):
        for seed in range(seeds):
            outcome = lose_power(
                folder / "ledger.db", statements, cut=cut, seed=cut * 1_000 + seed, synchronous=synchronous
            )
            verdicts[outcome.verdict] += 1
        if outcome.finished:
            return verdicts
    raise AssertionError("the statements never finished")


def test_a_power_cut_loses_nothing_acknowledged(tmp_path: Path, statements: Statements) -> None:
    assert set(campaign(tmp_path / "disk", statements, step=6, seeds=1)) == {"sound"}


def test_the_disk_catches_a_ledger_that_does_not_flush(tmp_path: Path, statements: Statements) -> None:
    verdicts = campaign(tmp_path / "disk", statements, step=6, seeds=1, synchronous="NORMAL")
    assert verdicts["lost an acknowledged event"] > 0


@pytest.mark.slow
def test_a_power_cut_at_every_operation_loses_nothing_acknowledged(tmp_path: Path, statements: Statements) -> None:
    assert set(campaign(tmp_path / "disk", statements, step=1, seeds=3)) == {"sound"}
