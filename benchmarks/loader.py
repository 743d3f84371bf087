"""Reading a held release in PyTorch: rows a second, beside the same loader on a copy that was filtered before.

    ./run bench loader [--rows 400000] [--excluded 0.05] [--rounds 7]

The files are made up and the same for one seed: text of some hundred bytes, row groups of 20,000. Both sides read with
the same dataset, seed and checks of the lease; what differs is that one leaves rows out. They take turns, and
ratios are of neighbours, because a machine that others use as well is not equally fast for long.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from parts.measuring import Line, show
from pyroaring import BitMap64
from torch.utils.data import DataLoader

from consentry.training.boot_clock import boot_seconds
from consentry.training.held_release import HeldFile, HeldRelease
from consentry.training.lease_requests import LeaseRequests
from consentry.training.shared_deadline import SharedDeadline
from consentry.training.torch import ReleaseDataset

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


def rate(release: HeldRelease, *, workers: int, rows: int) -> float:
    """Return rows a second of one pass."""
    lease: Any = SimpleNamespace(release=release)
    loader = DataLoader(ReleaseDataset(lease, columns=["id", "text"]), batch_size=_BATCH, num_workers=workers)
    began = time.perf_counter()
    seen = sum(len(batch["id"]) for batch in loader)
    seconds = time.perf_counter() - began
    if seen != rows:
        raise SystemExit(f"{seen} rows were read, of {rows}")
    return seen / seconds


def measure(*, rows: int, share: float, rounds: int) -> list[Line]:
    """Measure everything."""
    lines = []
    with tempfile.TemporaryDirectory() as name:
        gated, copied, eligible = write(Path(name), rows=rows, share=share)
        for workers in (0, 2):
            pairs = [
                (rate(gated, workers=workers, rows=eligible), rate(copied, workers=workers, rows=eligible))
                for _ in range(rounds + 1)
            ][1:]  # the first warms up
            ratio = statistics.median(gate / copy for gate, copy in pairs)
            speed = statistics.median(gate for gate, _ in pairs)
            what = f"{share:.0%} excluded, {workers} workers"
            lines.append(Line(what, f"{speed / 1e3:.0f} k rows/s", f"{ratio:.1%} of a copy", "≥ 95 %", ratio >= _GOAL))
        for release in (gated, copied):
            release.shared.path.unlink()
    return lines


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=400_000)
    parser.add_argument("--excluded", type=float, default=0.05)
    parser.add_argument("--rounds", type=int, default=7)
    given = parser.parse_args()
    show("Loader", measure(rows=given.rows, share=given.excluded, rounds=given.rounds))
