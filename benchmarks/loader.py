"""Reading a held release in PyTorch: rows a second, beside the same loader on a copy that was filtered before.

    ./run bench loader [--rows 400000] [--excluded 0.05] [--rounds 9]

The files are made up and the same for one seed: text of some hundred bytes, row groups of 20,000. Both sides read with
the same dataset, loader, seed, batches and checks of the lease; what differs is that one leaves rows out. Both have to
yield the same rows. They take turns, and ratios are of neighbours, because a machine that others use as well is not
equally fast for long. The time that processors spent on it, workers included, says the same with less noise: of the
quickest pass of each side.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from parts.measuring import Line, show
from pyroaring import BitMap64

from consentry.training.boot_clock import boot_seconds
from consentry.training.held_release import HeldFile, HeldRelease
from consentry.training.lease_requests import LeaseRequests
from consentry.training.shared_deadline import SharedDeadline
from consentry.training.torch import ReleaseDataset
from consentry.training.torch_loader import ReleaseLoader

_FILES, _GROUP_ROWS, _BATCH = 4, 20_000, 256
_GOAL = 0.95


class FromMemory(LeaseRequests):
    """Bitmaps as a control plane would answer them."""

    def exclusions(self, file: int, *, timeout_s: float) -> bytes:  # noqa: ARG002
        """Return a bitmap."""
        return _EXCLUDED[self.lease][file]


_EXCLUDED: dict[str, list[bytes]] = {}


def write(folder: Path, *, rows: int, share: float) -> tuple[HeldRelease, HeldRelease, int]:
    """Write the content and the filtered copy; return both as held releases, and how many rows are eligible."""
    generator = np.random.default_rng(5)
    words = np.array(["".join(map(chr, generator.integers(97, 123, 7))) for _ in range(5000)])
    gated, copied = [], []
    _EXCLUDED["gated"], _EXCLUDED["copied"] = [], [b""] * _FILES
    kept_rows = 0
    for file in range(_FILES):
        count = rows // _FILES
        texts = [" ".join(line) for line in words[generator.integers(0, 5000, (count, 40))].tolist()]
        table = pa.table({"id": [f"{file}-{row}" for row in range(count)], "text": texts})
        out = generator.random(count) < share
        pq.write_table(table, folder / f"all-{file}.parquet", row_group_size=_GROUP_ROWS)
        kept = table.filter(pa.array(~out))
        kept_rows += kept.num_rows
        pq.write_table(kept, folder / f"kept-{file}.parquet", row_group_size=round(_GROUP_ROWS * (1 - share)))
        gated.append(held_file(file, folder / f"all-{file}.parquet", rows=count))
        copied.append(held_file(file, folder / f"kept-{file}.parquet", rows=kept.num_rows))
        _EXCLUDED["gated"].append(BitMap64(np.flatnonzero(out).tolist()).serialize())
    return held("gated", gated), held("copied", copied), kept_rows


def held_file(index: int, path: Path, *, rows: int) -> HeldFile:
    """Return a file as a lease names it."""
    return HeldFile(index=index, path=path, size=path.stat().st_size, rows=rows, digest="")


def held(name: str, files: list[HeldFile]) -> HeldRelease:
    """Return a release under a lease that lives for an hour."""
    shared = SharedDeadline.create()
    until = boot_seconds() + 3600
    shared.publish(deadline=until, stops_at=until, amendment=0)
    requests = FromMemory(url="", lease=name, secret="")
    return HeldRelease(name=name, manifest="", purpose="", files=tuple(files), requests=requests, shared=shared)


class Pass(NamedTuple):
    """What one pass took: by the clock, and of all processors."""

    seconds: float
    busy: float


def loader_of(release: HeldRelease, *, workers: int) -> ReleaseLoader:
    """Return a loader as jobs have it."""
    lease: Any = SimpleNamespace(release=release)
    return ReleaseLoader(ReleaseDataset(lease, columns=["id", "text"]), batch_size=_BATCH, num_workers=workers)


def require_the_same(gated: HeldRelease, copied: HeldRelease) -> None:
    """Both sides have to yield the same rows."""
    seen = [sorted(each for batch in loader_of(side, workers=0) for each in batch["id"]) for side in (gated, copied)]
    if seen[0] != seen[1]:
        raise SystemExit("the copy holds other rows than the release")


def read(release: HeldRelease, *, workers: int, rows: int) -> Pass:
    """Read everything once."""
    loader = loader_of(release, workers=workers)
    busy, began = busy_seconds(), time.perf_counter()
    seen = sum(len(batch["id"]) for batch in loader)
    done = Pass(time.perf_counter() - began, busy_seconds() - busy)
    if seen != rows:
        raise SystemExit(f"{seen} rows were read, of {rows}")
    return done


def busy_seconds() -> float:
    """Return how long processors worked for this process and its children that have ended."""
    return sum(os.times()[:4])


def pair(gated: HeldRelease, copied: HeldRelease, *, workers: int, rows: int, turn: int) -> tuple[Pass, Pass]:
    """Read both, each first in every other turn."""
    if turn % 2:
        copy = read(copied, workers=workers, rows=rows)
        return read(gated, workers=workers, rows=rows), copy
    return read(gated, workers=workers, rows=rows), read(copied, workers=workers, rows=rows)


def compared(pairs: list[tuple[Pass, Pass]], *, what: str, rows: int) -> list[Line]:
    """Return the lines of a comparison."""
    ratios = sorted(copy.seconds / gate.seconds for gate, copy in pairs)
    ratio, quarter = statistics.median(ratios), len(ratios) // 4
    speed = rows / statistics.median(gate.seconds for gate, _ in pairs)
    gate, copy = (min(each[side].busy for each in pairs) for side in (0, 1))
    spread = f"half of {len(ratios)} pairs: {ratios[quarter]:.0%} to {ratios[-1 - quarter]:.0%}"
    return [
        Line(what, f"{speed / 1e3:.0f} k rows/s", f"{ratio:.1%} of a copy; {spread}", "≥ 95 %", ratio >= _GOAL),
        Line("  processor time", f"{1e6 * gate / rows:.1f} µs a row", f"{copy / gate:.1%} of a copy"),
    ]


def measure(*, rows: int, share: float, rounds: int) -> list[Line]:
    """Measure everything."""
    lines = []
    with tempfile.TemporaryDirectory() as name:
        gated, copied, eligible = write(Path(name), rows=rows, share=share)
        require_the_same(gated, copied)
        for workers in (0, 2):
            pairs = [pair(gated, copied, workers=workers, rows=eligible, turn=turn) for turn in range(rounds + 1)]
            lines += compared(pairs[1:], what=f"{share:.0%} excluded, {workers} workers", rows=eligible)
        for release in (gated, copied):
            release.shared.path.unlink()
    return lines


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=400_000)
    parser.add_argument("--excluded", type=float, default=0.05)
    parser.add_argument("--rounds", type=int, default=9)
    given = parser.parse_args()
    show("Loader", measure(rows=given.rows, share=given.excluded, rounds=given.rounds))
