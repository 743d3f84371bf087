"""A kept state saves reading the ledger, and is never taken for that of another ledger or another position."""

from __future__ import annotations

from dataclasses import replace
from itertools import count
from pathlib import Path

import pytest

from consentry.control_plane.kept_state import KeptState
from consentry.ledger import image
from consentry.ledger.events import ChoiceMade, Source
from consentry.ledger.sql import SqlLedger
from consentry.ledger.sqlite import open_sqlite
from consentry.ledger.state import EMPTY, State, fold
from consentry.policy.choice import Choice
from consentry.policy.vocabulary import ChoiceState, Purpose

KEY = bytes(range(32))


@pytest.fixture
def ledger(tmp_path: Path) -> SqlLedger:
    return filled(tmp_path / "ledger.db")


def filled(path: Path) -> SqlLedger:
    clock = count(1_000)
    opened = open_sqlite(path, clock=lambda: next(clock), create=True)
    opened.append([refusal(number) for number in range(20)])
    return opened


def refusal(number: int) -> ChoiceMade:
    choice = Choice(purpose=Purpose.TRAIN_GENAI, state=ChoiceState.REFUSED, at=number)
    return ChoiceMade(person=f"{number:032x}", choice=choice, source=Source.FORM)


def state_of(ledger: SqlLedger) -> State:
    return fold(EMPTY, ledger.read())


def test_what_was_kept_is_read_back(ledger: SqlLedger, tmp_path: Path) -> None:
    kept = KeptState(tmp_path / "cache", ledger, key=KEY, every=10)
    assert kept.read() is None
    kept.keep(state_of(ledger))
    assert KeptState(tmp_path / "cache", ledger, key=KEY).read() == state_of(ledger)


def test_nothing_is_kept_for_little(ledger: SqlLedger, tmp_path: Path) -> None:
    KeptState(tmp_path / "cache", ledger, key=KEY, every=21).keep(state_of(ledger))
    assert not list(tmp_path.glob("cache/*"))


def test_only_the_newest_is_kept(ledger: SqlLedger, tmp_path: Path) -> None:
    kept = KeptState(tmp_path / "cache", ledger, key=KEY, every=10)
    kept.keep(state_of(ledger))
    ledger.append([refusal(number) for number in range(100, 115)])
    kept.keep(state_of(ledger))
    assert [path.name.split("-")[1] for path in (tmp_path / "cache").iterdir()] == ["35"]
    assert kept.read() == state_of(ledger)


def test_a_state_is_found_by_its_position(ledger: SqlLedger, tmp_path: Path) -> None:
    kept = KeptState(tmp_path / "cache", ledger, key=KEY, every=10)
    kept.keep(state_of(ledger))
    assert kept.at(range(1, 21)) == kept.at(range(20, 21)) == state_of(ledger)
    assert kept.at(range(1, 20)) is None
    assert kept.at(range(21, 100)) is None
    (tmp_path / "cache" / "state-of-something-else.image").touch()
    assert kept.read() == state_of(ledger)


def test_a_state_from_before_an_erasure_is_not_kept(ledger: SqlLedger, tmp_path: Path) -> None:
    """Another process erases somebody, and drops what is kept, between reading and keeping."""
    kept = KeptState(tmp_path / "cache", ledger, key=KEY, every=10)
    before = state_of(ledger)
    assert "0" * 31 + "7" in before.choices
    ledger.erase(["0" * 31 + "7"])
    kept.keep(before)
    assert not list(tmp_path.glob("cache/*"))
    kept.keep(state_of(ledger))
    found = kept.read()
    assert found is not None
    assert (found.position, "0" * 31 + "7" in found.choices) == (21, False)


def test_the_state_of_another_ledger_is_not_used(ledger: SqlLedger, tmp_path: Path) -> None:
    KeptState(tmp_path / "cache", ledger, key=KEY, every=10).keep(state_of(ledger))
    (tmp_path / "other").mkdir()
    assert KeptState(tmp_path / "cache", filled(tmp_path / "other" / "ledger.db"), key=KEY).read() is None


def test_a_damaged_state_is_not_used(ledger: SqlLedger, tmp_path: Path) -> None:
    KeptState(tmp_path / "cache", ledger, key=KEY, every=10).keep(state_of(ledger))
    (path,) = (tmp_path / "cache").iterdir()
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(bytes(content))
    assert KeptState(tmp_path / "cache", ledger, key=KEY).read() is None


def kept_file(ledger: SqlLedger, folder: Path, *, key: bytes = KEY) -> Path:
    """Return the file of a state of `ledger` that was kept under a key."""
    KeptState(folder, ledger, key=key, every=10).keep(state_of(ledger))
    (path,) = folder.iterdir()
    return path


def test_a_state_that_somebody_else_wrote_is_not_used(ledger: SqlLedger, tmp_path: Path) -> None:
    """A whole image without the refusals, as anybody who can write the folder can make it, with any mark but ours."""
    path = kept_file(ledger, tmp_path / "cache")
    forged = image.to_bytes(replace(state_of(ledger), choices={}))
    assert image.from_bytes(forged).choices == {}
    mark = path.read_bytes()[-32:]
    of_another_key = kept_file(ledger, tmp_path / "other", key=b"another").read_bytes()
    for content in (forged, forged + bytes(32), forged + mark, of_another_key):
        path.write_bytes(content)
        assert KeptState(tmp_path / "cache", ledger, key=KEY).read() is None


def test_a_state_under_the_name_of_another_position_is_not_used(ledger: SqlLedger, tmp_path: Path) -> None:
    path = kept_file(ledger, tmp_path / "cache")
    ledger.append([refusal(number) for number in range(100, 115)])
    newer = kept_file(ledger, tmp_path / "other")
    path.rename(tmp_path / "cache" / newer.name)
    assert KeptState(tmp_path / "cache", ledger, key=KEY).read() is None


def test_dropping_leaves_nothing(ledger: SqlLedger, tmp_path: Path) -> None:
    kept = KeptState(tmp_path / "cache", ledger, key=KEY, every=10)
    kept.keep(state_of(ledger))
    kept.drop()
    assert not list((tmp_path / "cache").iterdir())
    assert kept.read() is None


def test_what_cannot_be_written_is_not_tried_again_at_once(ledger: SqlLedger, tmp_path: Path) -> None:
    (tmp_path / "cache").touch()
    kept = KeptState(tmp_path / "cache", ledger, key=KEY, every=10)
    state = state_of(ledger)
    assert kept.is_due(state)
    kept.keep(state)
    assert not kept.is_due(state)
