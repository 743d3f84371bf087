"""The census counts what one finds by going through the items."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from consentry.corpus import census
from consentry.corpus.sidecar import ClassesPin, FilePin, Oddities, Sidecar
from consentry.runners.local import LocalRunner


def sidecar(rows: int, *, seats: int, kinds: int, seed: int) -> Sidecar:
    rng = np.random.default_rng(seed)
    person = rng.integers(0, seats, rows).astype(np.uint32)
    involved = np.sort(rng.integers(0, rows, rows // 3)).astype(np.uint32) if rows else np.empty(0, np.uint32)
    return Sidecar(
        folder=Path(),
        pin=FilePin(path=str(seed), size=0, digest="", rows=rows),
        mtime_ns=0,
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
    found = census.take(files, codes, classes=members, width=kinds, threads=LocalRunner(2))
    expected: Counter[tuple[int, int]] = Counter()
    for file in files:
        expected.update(zip(codes[file.person].tolist(), file.klass.tolist(), strict=True))
    assert {(p, k): int(found.counts[p, k]) for p, k in np.argwhere(found.counts).tolist()} == dict(expected)
    assert int(found.counts.sum()) == sum(sizes)
    assert found.involving == sum(len(set(file.involved_row.tolist())) for file in files)
