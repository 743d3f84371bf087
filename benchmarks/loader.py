"""Reading a held release in PyTorch: rows a second, beside the same loader on a copy that was filtered before.

    ./run bench loader [--rows 200000] [--excluded 0.05] [--rounds 9] [--workers 0 2] [--device cuda]

The files are made up and the same for one seed: text of some hundred bytes, row groups of 20,000. A row group of the
copy holds what is eligible of one of the content, so that both sides have the same rows in the same row groups, and
deal them out to workers alike. Both read with the same dataset, loader, seed, batches and checks of the lease, and
start their workers anew for each pass. What differs is that one leaves rows out. Both have to yield the same rows.

A round reads release, copy, copy, release, so that what changes evenly meanwhile is the same for both. The first one
is not counted: afterwards the files are in memory. A figure is the median of the rounds; half of them lie in the range
that is given. The control is the copy beside itself: how far it is from 100 % is what the figures can be off by.
Processor time is that of all processes, workers included: what others do on the machine is in it least.

With `--device` a row is made a tensor of its first 256 bytes, and batches are moved to the device from pinned memory; a
pass ends when the last one is there.
"""

from __future__ import annotations

import argparse
import gc
import resource
import statistics
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from parts.measuring import Line, show
from pyroaring import BitMap64

from consentry.training.boot_clock import boot_seconds
from consentry.training.held_release import HeldFile, HeldRelease
from consentry.training.lease_requests import LeaseRequests
from consentry.training.shared_deadline import SharedDeadline
from consentry.training.torch import ReleaseDataset
from consentry.training.torch_devices import wait_for_devices
from consentry.training.torch_loader import ReleaseLoader

_FILES, _GROUP_ROWS, _BATCH, _LENGTH = 4, 20_000, 256, 256
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
        paths = folder / f"all-{file}.parquet", folder / f"kept-{file}.parquet"
        write_groups(paths[0], table, np.ones(count, dtype=np.bool_))
        kept = write_groups(paths[1], table, ~out)
        kept_rows += kept
        gated.append(held_file(file, paths[0], rows=count))
        copied.append(held_file(file, paths[1], rows=kept))
        _EXCLUDED["gated"].append(BitMap64(np.flatnonzero(out).tolist()).serialize())
    return held("gated", gated), held("copied", copied), kept_rows


def write_groups(path: Path, table: pa.Table, mask: npt.NDArray[np.bool_]) -> int:
    """Write what a mask leaves of each row group, as a row group, and return how many rows that is."""
    written = 0
    with pq.ParquetWriter(path, table.schema) as writer:
        for first in range(0, table.num_rows, _GROUP_ROWS):
            group = table.slice(first, _GROUP_ROWS)
            kept = group.filter(pa.array(mask[first : first + group.num_rows]))
            writer.write_table(kept, row_group_size=_GROUP_ROWS)
            written += kept.num_rows
    return written


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
    """What passes took: by the clock, and of all processors."""

    seconds: float
    busy: float


def both(first: Pass, second: Pass) -> Pass:
    """Return what two passes took together."""
    return Pass(first.seconds + second.seconds, first.busy + second.busy)


class Round(NamedTuple):
    """Two passes over the one, and two over the other."""

    one: Pass
    other: Pass


def as_numbers(row: dict[str, Any]) -> dict[str, Any]:
    """Return the first bytes of a text as a tensor."""
    first = row["text"].encode()[:_LENGTH].ljust(_LENGTH)
    return {"id": row["id"], "numbers": torch.from_numpy(np.frombuffer(bytearray(first), dtype=np.uint8))}


def loader_of(release: HeldRelease, *, workers: int, device: str | None) -> ReleaseLoader:
    """Return a loader as jobs have it."""
    lease: Any = SimpleNamespace(release=release)
    dataset = ReleaseDataset(lease, columns=["id", "text"], transform=as_numbers if device else None)
    return ReleaseLoader(dataset, batch_size=_BATCH, num_workers=workers, pin_memory=device is not None)


def require_the_same(gated: HeldRelease, copied: HeldRelease) -> None:
    """Both sides have to yield the same rows."""
    seen = [
        sorted(each for batch in loader_of(side, workers=0, device=None) for each in batch["id"])
        for side in (gated, copied)
    ]
    if seen[0] != seen[1]:
        raise SystemExit("the copy holds other rows than the release")


def read(release: HeldRelease, *, workers: int, device: str | None, rows: int) -> Pass:
    """Read everything once."""
    loader = loader_of(release, workers=workers, device=device)
    gc.collect()
    busy, began, seen = busy_seconds(), time.perf_counter(), 0
    for batch in loader:
        seen += len(batch["id"])
        if device:
            batch["numbers"].to(device, non_blocking=True)
    wait_for_devices()
    done = Pass(time.perf_counter() - began, busy_seconds() - busy)
    if seen != rows:
        raise SystemExit(f"{seen} rows were read, of {rows}")
    return done


def busy_seconds() -> float:
    """Return how long processors worked for this process and its children that have ended."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


def round_of(one: HeldRelease, other: HeldRelease, *, workers: int, device: str | None, rows: int) -> Round:
    """Read one, the other twice, and the one again."""
    first, second, third, fourth = (
        read(each, workers=workers, device=device, rows=rows) for each in (one, other, other, one)
    )
    return Round(both(first, fourth), both(second, third))


def of_the_other(rounds: list[Round], *, busy: bool) -> tuple[float, str]:
    """Return the median of how fast the one is, of the other, and between what half of the rounds lie."""
    ratios = sorted(
        each.other.busy / each.one.busy if busy else each.other.seconds / each.one.seconds for each in rounds
    )
    quarter = len(ratios) // 4
    return statistics.median(
        ratios
    ), f"half of {len(ratios)} rounds: {ratios[quarter]:.1%} to {ratios[-1 - quarter]:.1%}"


def compared(rounds: list[Round], control: list[Round], *, what: str, rows: int) -> list[Line]:
    """Return the lines of a comparison."""
    speed = 2 * rows / statistics.median(each.one.seconds for each in rounds)
    busy = statistics.median(each.one.busy for each in rounds) / 2 / rows
    by_clock, clock_spread = of_the_other(rounds, busy=False)
    by_processor, processor_spread = of_the_other(rounds, busy=True)
    itself, itself_spread = of_the_other(control, busy=False)
    itself_busy, itself_busy_spread = of_the_other(control, busy=True)
    return [
        Line(
            what,
            f"{speed / 1e3:.0f} k rows/s",
            f"{by_clock:.1%} of a copy; {clock_spread}",
            "≥ 95 %",
            by_clock >= _GOAL,
        ),
        Line("  processor time", f"{1e6 * busy:.1f} µs a row", f"{by_processor:.1%} of a copy; {processor_spread}"),
        Line("  control", "a copy beside itself", f"{itself:.1%}; {itself_spread}"),
        Line("  control, processor time", "", f"{itself_busy:.1%}; {itself_busy_spread}"),
    ]


def measure(*, rows: int, share: float, rounds: int, workers: list[int], device: str | None) -> list[Line]:
    """Measure everything."""
    lines = []
    with tempfile.TemporaryDirectory() as name:
        gated, copied, eligible = write(Path(name), rows=rows, share=share)
        require_the_same(gated, copied)
        for number in workers:
            found, control = [], []
            for _ in range(rounds + 1):
                found.append(round_of(gated, copied, workers=number, device=device, rows=eligible))
                control.append(round_of(copied, copied, workers=number, device=device, rows=eligible))
            what = f"{share:.0%} excluded, {number} workers"
            lines += compared(found[1:], control[1:], what=what, rows=eligible)
        for release in (gated, copied):
            release.shared.path.unlink()
    return lines


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--excluded", type=float, default=0.05)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--workers", type=int, nargs="+", default=[0, 2])
    parser.add_argument("--device")
    given = parser.parse_args()
    on = f", to {torch.cuda.get_device_name()}" if given.device == "cuda" else ""
    lines = measure(
        rows=given.rows, share=given.excluded, rounds=given.rounds, workers=given.workers, device=given.device
    )
    show(f"Loader{on}", lines)
