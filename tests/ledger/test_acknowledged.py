"""The note of the newest event: the highest stays, whoever notes and whatever is cut off."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consentry.errors import IntegrityError
from consentry.ledger.acknowledged import FILE, Acknowledged, Noted


def commitment(position: int) -> bytes:
    return position.to_bytes(32, "big")


@pytest.fixture
def notes(tmp_path: Path) -> Iterator[Acknowledged]:
    made = Acknowledged(tmp_path)
    yield made
    made.close()


def test_nothing_is_noted_at_first(notes: Acknowledged, tmp_path: Path) -> None:
    assert notes.newest() is None
    assert (tmp_path / FILE).stat().st_mode & 0o777 == 0o600


@given(st.lists(st.integers(0, 1 << 63), max_size=12))
@settings(max_examples=50)
def test_the_highest_position_stays(tmp_path_factory: pytest.TempPathFactory, positions: list[int]) -> None:
    folder = tmp_path_factory.mktemp("notes")
    notes = Acknowledged(folder)
    for number, position in enumerate(positions, 1):
        notes.note(position, commitment(position))
        highest = max(positions[:number])
        assert notes.newest() == Noted(highest, commitment(highest))
    notes.close()
    again = Acknowledged(folder)
    assert again.newest() == (Noted(max(positions), commitment(max(positions))) if positions else None)
    again.close()


@pytest.mark.parametrize("length", range(0, 44, 3))
def test_a_note_that_was_written_in_part_leaves_the_one_before(tmp_path: Path, length: int) -> None:
    notes = Acknowledged(tmp_path)
    notes.note(1, commitment(1))
    before = (tmp_path / FILE).read_bytes()
    notes.note(2, commitment(2))
    notes.close()
    after = (tmp_path / FILE).read_bytes()
    (start,) = {0 if before[:64] != after[:64] else 64}
    torn = before[:start] + after[start : start + length] + before[start + length :]
    (tmp_path / FILE).write_bytes(torn)
    again = Acknowledged(tmp_path)
    found = again.newest()
    assert found is not None
    assert found.position == 1
    again.note(3, commitment(3))
    assert again.newest() == Noted(3, commitment(3))
    again.close()


def test_what_cannot_be_read_is_no_note(tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(b"x" * 128)
    notes = Acknowledged(tmp_path)
    with pytest.raises(IntegrityError, match="ledger-newest-damaged"):
        notes.newest()
    notes.close()


def test_many_who_note_at_a_time_leave_the_highest(tmp_path: Path) -> None:
    several = [Acknowledged(tmp_path) for _ in range(4)]

    def note(number: int) -> None:
        for position in range(number, 2_000, 8):
            several[number % 4].note(position, commitment(position))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(note, range(8)))
    if (child := os.fork()) == 0:
        Acknowledged(tmp_path).note(5_000, commitment(5_000))
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    assert several[0].newest() == Noted(5_000, commitment(5_000))
    for each in several:
        each.close()


@pytest.mark.parametrize("length", [44, 64, 100, 127])
def test_what_a_file_that_was_cut_off_still_says_counts(tmp_path: Path, length: int) -> None:
    notes = Acknowledged(tmp_path)
    notes.note(7, commitment(7))
    notes.close()
    os.truncate(tmp_path / FILE, length)
    again = Acknowledged(tmp_path)
    assert again.newest() == Noted(7, commitment(7))
    assert (tmp_path / FILE).stat().st_size == 128
    again.close()
