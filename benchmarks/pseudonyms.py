"""From ids to ordinals: nanoseconds an id, and how that compares with plain memory gathers in the same run.

    ./run bench pseudonyms [--people 5000000] [--rows 1000000] [--threads 2]

By default small enough for a few seconds. Processor time is shown beside wall time: on a shared machine only the former
says anything.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from consentry.corpus.people import PeopleIndex
from consentry.corpus.pseudonym import PseudonymKey, high_words, pseudonyms, words

KEY = PseudonymKey(bytes(range(32))).for_people()
ROUNDS = 5
BATCH_ROWS = 1 << 17


def measured(work: Callable[[], Any], count: int) -> tuple[float, float]:
    """Return the best wall and processor time of some rounds, in nanoseconds an id."""
    wall, processor = [], []
    for _ in range(ROUNDS):
        start, start_processor = time.perf_counter(), time.process_time()
        work()
        wall.append(time.perf_counter() - start)
        processor.append(time.process_time() - start_processor)
    return min(wall) / count * 1e9, min(processor) / count * 1e9


def line(what: str, times: tuple[float, float], *, gather: float | None = None) -> None:
    """Show one measurement."""
    ratio = "" if gather is None else f"   {times[1] / gather:6.1f} x a gather"
    sys.stdout.write(f"{what:<44}{times[0]:8.1f} ns wall{times[1]:8.1f} ns cpu{ratio}\n")


def texts(numbers: npt.NDArray[np.int64], size: int) -> pa.Array:
    """Return ids of `size` bytes, one a number."""
    digits = pa.array(numbers).cast(pa.string())
    return pc.utf8_lpad(digits, width=size, padding="m")


def hashing(rng: np.random.Generator, gather: float) -> None:
    """Measure pseudonyms of ids of several kinds."""
    rows = 1 << 18
    numbers = rng.integers(0, 10**8, rows)
    kinds = {f"strings of {size} bytes": texts(numbers, size) for size in (12, 16, 20, 36)}
    kinds["integers below 100 million"] = pa.array(numbers)
    kinds["integers of 64 bits"] = pa.array(rng.integers(0, 2**63 - 1, rows))
    kinds["strings of 1 to 60 bytes"] = pa.array(["x" * size for size in rng.integers(1, 61, rows).tolist()])
    kinds["dictionary of 10,000"] = texts(numbers % 10_000, 16).dictionary_encode()
    for what, ids in kinds.items():
        line(f"pseudonyms, {what}", measured(partial(pseudonyms, KEY, ids), rows), gather=gather)
    line("high words only, strings of 16 bytes", measured(lambda: high_words(KEY, kinds["strings of 16 bytes"]), rows))


def looking_up(rng: np.random.Generator, *, people: int, rows: int, threads: int, gather: float) -> None:
    """Measure the way from ids to ordinals, with an index of `people`."""
    with tempfile.TemporaryDirectory() as folder:
        index = PeopleIndex(Path(folder))
        start = time.perf_counter()
        for first in range(0, people, BATCH_ROWS):
            index.assign(pseudonyms(KEY, texts(np.arange(first, min(first + BATCH_ROWS, people)), 16)))
        seconds = time.perf_counter() - start
        sys.stdout.write(f"{people:,} people seated durably in {seconds:.2f} s, {index.nbytes / 1e6:.0f} MB\n")
        line("open the index", measured(lambda: PeopleIndex(Path(folder)), people))
        batches = [texts(rng.integers(0, people, BATCH_ROWS), 16) for _ in range(max(1, rows // BATCH_ROWS))]
        count = len(batches) * BATCH_ROWS
        hashed = [pseudonyms(KEY, batch) for batch in batches]
        line("look up pseudonyms", measured(lambda: [index.lookup(each) for each in hashed], count), gather=gather)

        def resolve(batch: pa.Array) -> Any:
            return index.lookup(pseudonyms(KEY, batch))

        line("ids to ordinals, 1 thread", measured(lambda: [resolve(each) for each in batches], count), gather=gather)
        with ThreadPoolExecutor(threads) as pool:
            line(f"ids to ordinals, {threads} threads", measured(lambda: list(pool.map(resolve, batches)), count))
        pair = words(KEY, str(people // 2))
        line("words of one id", measured(lambda: [words(KEY, "member-77") for _ in range(10_000)], 10_000))
        line("look up one", measured(lambda: [index.lookup_one(*pair) for _ in range(10_000)], 10_000))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--people", type=int, default=500_000)
    parser.add_argument("--rows", type=int, default=1 << 20)
    parser.add_argument("--threads", type=int, default=2)
    given = parser.parse_args()
    rng = np.random.default_rng(7)
    column = rng.integers(0, 2**32, given.people).astype(np.uint32)
    places = rng.integers(0, given.people, given.rows)
    gather = measured(lambda: column.take(places), given.rows)
    line(f"gather 4 bytes from {given.people:,}", gather)
    hashing(rng, gather[1])
    looking_up(rng, people=given.people, rows=given.rows, threads=given.threads, gather=gather[1])


if __name__ == "__main__":
    main()
