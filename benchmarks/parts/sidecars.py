"""How long the sidecars take, and what of it goes where."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from threading import Lock
from time import perf_counter

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from consentry.bootstrap import open_deployment
from consentry.corpus.postings import in_order
from consentry.corpus.registration import open_corpus, register
from consentry.corpus.sidecar import Identities, Sidecar
from consentry.corpus.unique_ids import repeated
from consentry.digests import digest_file
from consentry.durable import sync_tree
from consentry.runners.local import LocalRunner
from parts.deployment import AT, CORPUS
from parts.measuring import Line, isolated, peak_bytes, seconds_of
from parts.rivals import Rival

_KEY_COLUMNS = ["id", "author_id", "category", "visibility", "licence", "created_at"]
_BATCH_ROWS = 1 << 19


@dataclass(slots=True)
class Clocked:
    """Identities that add up the time spent in them, over all threads."""

    inner: Identities
    seconds: dict[str, float] = field(default_factory=dict)
    lock: Lock = field(default_factory=Lock)

    def seats(self, ids: pa.Array) -> npt.NDArray[np.uint32]:
        """Return the seat of each person id."""
        with self._clock("seats"):
            return self.inner.seats(ids)

    def item_keys(self, ids: pa.Array) -> npt.NDArray[np.uint64]:
        """Return the stored key of each item id."""
        with self._clock("item keys"):
            return self.inner.item_keys(ids)

    @contextmanager
    def _clock(self, what: str) -> Iterator[None]:
        began = perf_counter()
        yield
        took = perf_counter() - began
        with self.lock:
            self.seconds[what] = self.seconds.get(what, 0.0) + took


def measure(folder: Path, home: Path, threads: int) -> list[Line]:
    """Build all sidecars, and join the same keys with DuckDB."""
    ours = isolated(_build, folder, home, threads)
    rival = isolated(_join, folder, threads)
    alone = isolated(_alone, folder, home, threads)
    total = ours["total"]
    lines = [
        Line("sidecars, everything", f"{total:.2f} s, peak {ours['peak'] / 1e9:.2f} GB"),
        *(Line(f"  of it {what}", f"{ours[what] / threads:.2f} s") for what in ("seats", "item keys")),
        *(Line(f"  alone: {what}", f"{took:.2f} s") for what, took in alone.items()),
        Line("DuckDB join of the same keys, counted", f"{rival['counted']:.2f} s"),
        Line("DuckDB join of the same keys, written down", f"{rival['written']:.2f} s"),
    ]
    ratio = total / rival["counted"]
    lines.append(Line("sidecars / DuckDB join, counted", "", f"{ratio:.2f}", "<= 1", ratio <= 1))
    step = ours["ids to seats"]
    lines.append(Line("ids to seats alone", f"{step:.2f} s", f"{step / rival['counted']:.2f} of the join, counted"))
    equal = total / rival["the same"]
    lines.append(Line("DuckDB writes what sidecars hold", f"{rival['the same']:.2f} s", f"{equal:.2f} of it"))
    without = (total - alone["SHA-256 of the files"]) / rival["counted"]
    lines.append(Line("  the same without SHA-256 of the files", "", f"{without:.2f}"))
    return lines


def _build(folder: Path, home: Path, threads: int) -> dict[str, float]:
    deployment = open_deployment(home)
    control = deployment.control
    shutil.rmtree(control.desk.corpora, ignore_errors=True)
    clocked = Clocked(deployment.pseudonyms.identities("network"))
    began = perf_counter()
    register(
        folder / "corpus.toml",
        control.desk.corpora,
        identities=lambda _: clocked,
        threads=LocalRunner(threads),
        progress=None,
    )
    total = perf_counter() - began
    peak = peak_bytes()
    control.statements.register_corpus(folder / "corpus.toml")
    step = _ids_to_seats(folder, clocked.inner, LocalRunner(threads))
    deployment.close()
    return {"total": total, "peak": peak, "ids to seats": step, **clocked.seconds}


def _ids_to_seats(folder: Path, identities: Identities, runner: LocalRunner) -> float:
    """Return the seconds from whole columns of author ids, which lie in memory, to their seats, on all threads."""
    took = 0.0
    for file in sorted((folder / "items").glob("*.parquet")):
        batches = pq.ParquetFile(file).iter_batches(batch_size=_BATCH_ROWS, columns=["author_id"], use_threads=False)
        columns = [batch.column(0) for batch in batches]
        took += seconds_of(partial(runner.map, identities.seats, columns)).median
    return took


def _join(folder: Path, threads: int) -> dict[str, float]:
    rival = Rival(folder, at=AT, threads=threads)
    written = folder / "keys.parquet"
    found = {
        "counted": seconds_of(rival.count_keys, times=3).median,
        "written": seconds_of(lambda: rival.write_keys(written)).median,
        "the same": seconds_of(lambda: rival.write_sidecars(folder / "rival")).median,
    }
    written.unlink()
    shutil.rmtree(folder / "rival")
    return found


def _alone(folder: Path, home: Path, threads: int) -> dict[str, float]:
    """Return how long each thing takes that a sidecar needs and a join does not."""
    files = sorted((folder / "items").glob("*.parquet"))
    runner = LocalRunner(threads)
    deployment = open_deployment(home)
    built = open_corpus(deployment.control.desk.corpora, CORPUS).sidecars
    deployment.close()
    found = {
        "reading the key columns": seconds_of(lambda: runner.map(_read, files)).median,
        "SHA-256 of the files": seconds_of(lambda: runner.map(digest_file, files)).median,
        "postings in order": seconds_of(lambda: runner.map(_postings, built)).median,
        "repeated item ids": seconds_of(lambda: repeated([each.item for each in built], threads=runner)).median,
    }
    again = folder / "again"
    sizes = sum(file.stat().st_size for each in built for file in each.folder.iterdir())
    what = f"{sizes / 1e9:.1f} GB of sidecars written and flushed"
    found[what] = seconds_of(lambda: runner.map(partial(_write_again, again), built)).median
    shutil.rmtree(again)
    return found


def _postings(sidecar: Sidecar) -> int:
    seats, _ = in_order(np.asarray(sidecar.person), rows=sidecar.involved_row, people=sidecar.involved_person)
    return seats.size


def _write_again(target: Path, sidecar: Sidecar) -> None:
    shutil.copytree(sidecar.folder, target / sidecar.folder.name)
    sync_tree(target / sidecar.folder.name)


def _read(path: Path) -> int:
    batches = pq.ParquetFile(path).iter_batches(batch_size=_BATCH_ROWS, columns=_KEY_COLUMNS, use_threads=False)
    return sum(batch.num_rows for batch in batches)
