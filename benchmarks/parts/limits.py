"""How fast the memory answers random look-ups, and how near the kernel comes to that."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from consentry.corpus.registration import Corpus, open_corpus
from consentry.release.kernel import decide_span, spans_of
from consentry.release.seat_tables import by_seat
from consentry.release.tables import Tables
from consentry.runners.local import LocalRunner
from parts.deployment import CORPUS, basis_of, opened
from parts.measuring import Line, isolated, seconds_of

_TABLE_BYTES = 5_000_000
_GATHERED = 1 << 25
_CHUNK_ROWS = 1 << 18
_TIMES = 5


def measure(home: Path, threads: int) -> list[Line]:
    """Compare the kernel with plain gathers."""
    found = isolated(_rates, home, threads)
    gather = found["gather"]
    lines = [Line("gather u8 from 5 MB by random index", f"{gather / 1e6:,.0f} M/s")]
    for what, target in (("kernel, sidecar to bits", 0.4), ("kernel, bits and counts", None)):
        share = found[what] / gather
        goal = "" if target is None else f">= {target:.0%}"
        met = None if target is None else share >= target
        lines.append(Line(what, f"{found[what] / 1e6:,.0f} M/s", f"{share:.0%} of gather", goal, met))
    return lines


def _rates(home: Path, threads: int) -> dict[str, float]:
    runner = LocalRunner(threads)
    deployment = opened(home)
    corpus = open_corpus(deployment.control.desk.corpora, CORPUS)
    look = basis_of(deployment, corpus).look
    found = {}
    for what, work, rows in (
        ("gather", _gathers(runner, threads), _GATHERED),
        ("kernel, sidecar to bits", _kernel(corpus, look, runner, count=False), corpus.rows),
        ("kernel, bits and counts", _kernel(corpus, look, runner, count=True), corpus.rows),
    ):
        work()
        found[what] = rows / seconds_of(work, times=_TIMES).median
    deployment.close()
    return found


def _gathers(runner: LocalRunner, threads: int) -> Callable[[], object]:
    generator = np.random.default_rng(0)
    table = generator.integers(0, 4, _TABLE_BYTES, dtype=np.uint8)
    indices = generator.integers(0, _TABLE_BYTES, _GATHERED)
    parts = [slice(each * _GATHERED // threads, (each + 1) * _GATHERED // threads) for each in range(threads)]

    def gather(part: slice) -> None:
        out = np.empty(_CHUNK_ROWS, dtype=np.uint8)
        for first in range(part.start, part.stop, _CHUNK_ROWS):
            chunk = indices[first : min(first + _CHUNK_ROWS, part.stop)]
            np.take(table, chunk, out=out[: chunk.size], mode="clip")

    return lambda: runner.map(gather, parts)


def _kernel(corpus: Corpus, look: Tables, runner: LocalRunner, *, count: bool) -> Callable[[], object]:
    spans = [(sidecar, start, stop) for sidecar in corpus.sidecars for start, stop in spans_of(sidecar.rows)]
    seats = by_seat(look, count=count)
    return lambda: runner.map(lambda span: decide_span(span[0], span[1], stop=span[2], look=look, seats=seats), spans)
