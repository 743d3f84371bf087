"""The census counts what one finds by going through the items."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from consentry.corpus import census
from consentry.corpus.sidecar import ClassesPin, FilePin, Oddities, Sidecar, Stamp
from consentry.errors import IntegrityError
from consentry.runners.local import LocalRunner


def sidecar(rows: int, *, seats: int, kinds: int, seed: int) -> Sidecar:
    rng = np.random.default_rng(seed)
    person = rng.integers(0, seats, rows).astype(np.uint32)
    involved = np.sort(rng.integers(0, rows, rows // 3)).astype(np.uint32) if rows else np.empty(0, np.uint32)
    return Sidecar(
        folder=Path(),
        pin=FilePin(path=str(seed), size=0, digest="", rows=rows),
        file_stamp=Stamp(0),
        classes=ClassesPin(count=0, digest=""),
        person=person,
        klass=rng.integers(0, kinds, rows).astype(np.uint8),
        created=None,
        involved_row=involved,
        involved_person=np.ones(involved.size, dtype=np.uint32),
        item=np.arange(rows, dtype=np.uint64),
        posting_person=np.empty(0, np.uint32),
        posting_row=np.empty(0, np.uint32),
        oddities=Oddities(),
    )


@pytest.mark.parametrize("sizes", [(), (0,), (1,), (65_535, 65_537), (1 << 20, 3, (1 << 20) + 1)])
def test_counts_by_class(sizes: tuple[int, ...]) -> None:
    seats, kinds, members = 50, 4, 7
    codes = np.random.default_rng(0).integers(0, members, seats).astype(np.uint16)
    files = [sidecar(rows, seats=seats, kinds=kinds, seed=seed) for seed, rows in enumerate(sizes)]
    found = census.take(files, codes, classes=members, width=kinds, runner=LocalRunner(2))
    expected: Counter[tuple[int, int]] = Counter()
    for file in files:
        expected.update(zip(codes[file.person].tolist(), file.klass.tolist(), strict=True))
    assert {(p, k): int(found.counts[p, k]) for p, k in np.argwhere(found.counts).tolist()} == dict(expected)
    assert int(found.counts.sum()) == sum(sizes)
    assert found.involving == sum(len(set(file.involved_row.tolist())) for file in files)


def posted(rows: int, *, seats: int, kinds: int, seed: int) -> Sidecar:
    """Return a sidecar with the postings of owners and of the involved."""
    made = sidecar(rows, seats=seats, kinds=kinds, seed=seed)
    pairs = {(int(seat), row) for row, seat in enumerate(made.person)} | {(1, int(row)) for row in made.involved_row}
    ordered = np.array(sorted(pairs), dtype=np.uint32).reshape(-1, 2)
    return replace(made, posting_person=ordered[:, 0].copy(), posting_row=ordered[:, 1].copy())


@pytest.mark.parametrize("moving", [0, 1, 4])
@pytest.mark.parametrize("members", [5, 7, 9])
def test_a_census_carried_on_is_one_taken_anew(moving: int, members: int) -> None:
    seats, kinds, before = 300, 4, 7
    rng = np.random.default_rng(moving)
    files = [posted(rows, seats=seats, kinds=kinds, seed=seed) for seed, rows in enumerate((900, 0, 77))]
    old = rng.integers(0, min(before, members), seats).astype(np.uint16)
    new = np.concatenate([old, [members - 1, 0]]).astype(np.uint32)
    new[rng.permutation(seats)[:moving]] = members - 1
    pool = LocalRunner(2)
    counted = census.take(files, old, classes=before, width=kinds, runner=pool)
    carried = census.carried_on(counted, files, codes=new, classes=members, threads=pool)
    anew = census.take(files, new, classes=members, width=kinds, runner=pool)
    assert carried is not None
    assert np.array_equal(carried.files, anew.files)
    assert carried.involving == anew.involving
    assert carried.codes is new


def test_a_census_is_not_carried_on_if_many_moved() -> None:
    files = [posted(50, seats=10, kinds=2, seed=1)]
    codes = np.zeros(10, dtype=np.uint16)
    counted = census.take(files, codes, classes=2, width=2, runner=LocalRunner(1))
    moved = codes.copy()
    moved[3] = 1
    assert census.carried_on(counted, files, codes=moved, classes=2, threads=LocalRunner(1)) is None
    assert census.carried_on(counted, files, codes=codes[:9], classes=2, threads=LocalRunner(1)) is None


def test_a_row_that_names_nobody_is_refused() -> None:
    file = sidecar(20, seats=10, kinds=2, seed=1)
    with pytest.raises(IntegrityError, match="people or classes that are not there"):
        census.take([file], np.zeros(9, dtype=np.uint16), classes=1, width=2, runner=LocalRunner(1))
