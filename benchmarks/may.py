"""Asking about one person, in memory: microseconds a call, calls a second in columns, memory, and a refresh.

    ./run bench may [--scale 0.02] [--data DIR]

The deployment is that of `./run bench release`: made once per corpus, from the same seed. The call is compared with a
plain look-up in a Python dictionary of the same ids, in the same run.

A refresh follows choices that somebody else recorded: it reads them from the ledger. Meanwhile a thread asks the
snapshot that is about to be replaced, without a rest, and notes its longest call; the same thread notes it for as long
without a refresh. Both share one interpreter, so the one waits while the other holds it: how long is what is shown.

That calls are answered while a refresh is under way, and that everybody fits in the memory that is promised, is no
matter of speed: the benchmark fails if it is not so.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median
from threading import Event, Thread
from time import perf_counter
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from parts.deployment import AT, POLICY_NAME, PURPOSE, prepare
from parts.measuring import Line, isolated, seconds_of, show
from rich.console import Console

from consentry.bootstrap import open_deployment
from consentry.policy.vocabulary import Category
from consentry.release.snapshot import Snapshot
from corpus import Shape, arguments, choices, ensure

_CALLS = 200_000
_COLUMN = 1_000_000
_TIMES = 3
_NEW, _REFRESHES = 1_000, 5
_QUIET_S = 0.2
_PAUSE_S = 0.05
_WAITED = 1
"""Calls that would be answered if each waited for the refresh to end: the one that was on its way when it began."""
_MEMORY = 200_000_000


class Refreshed(NamedTuple):
    """Seconds of a refresh, of the longest call meanwhile, and of the longest in `_QUIET_S` before; then the result.

    `answered` are the calls that began and ended while the refresh was under way.
    """

    took: float
    longest: float
    longest_before: float
    answered: int
    snapshot: Snapshot


class Asking:
    """A thread that asks a snapshot about one person after the other, and notes its longest call of each stretch."""

    def __init__(self, snapshot: Snapshot, people: list[str]) -> None:
        self.snapshot = snapshot
        self.people = people
        self.longest = [0.0]
        self.answered = [0]
        self._over = Event()
        self._thread = Thread(target=self._ask)
        self._thread.start()

    def _ask(self) -> None:
        while not self._over.is_set():
            for person in self.people:
                stretch, began = len(self.longest) - 1, perf_counter()
                self.snapshot.may(person, purpose=PURPOSE, category=Category.POST)
                self.longest[stretch] = max(self.longest[stretch], perf_counter() - began)
                self.answered[stretch] += 1

    def next_stretch(self) -> None:
        """Begin a stretch of its own. A call that is on its way belongs to the one in which it began."""
        self.answered.append(0)
        self.longest.append(0.0)

    def stop(self) -> None:
        """Ask no more."""
        self._over.set()
        self._thread.join()


def refreshed(snapshot: Snapshot, take: Callable[..., Snapshot], people: list[str]) -> Refreshed:
    """Take the next snapshot while the one before is asked."""
    asking = Asking(snapshot, people)
    try:
        Event().wait(_QUIET_S)
        asking.next_stretch()
        began = perf_counter()
        following = take(like=snapshot)
        took, answered = perf_counter() - began, asking.answered[-1]
    finally:
        asking.stop()
    before, during = asking.longest
    return Refreshed(took, during, before, answered, following)


def record(home: Path, shape: Shape, run: int) -> None:
    """Record new choices as another process would: the deployment that is measured has to read them."""
    generator = shape.generator(7, run)
    file = home / "new.parquet"
    pq.write_table(choices(generator, generator.integers(0, shape.people, _NEW), start=AT - 400 * 86_400), file)
    other = open_deployment(home)
    other.import_choices(file, corpus=None)
    other.close()


def measure_refreshes(
    home: Path, shape: Shape, *, people: list[str], snapshot: Snapshot, take: Callable[..., Snapshot]
) -> list[Line]:
    """Refresh after new choices, again and again, and compare the last one with a snapshot that is taken anew."""
    found: list[Refreshed] = []
    for run in range(_REFRESHES):
        record(home, shape, run)
        found.append(refreshed(found[-1].snapshot if found else snapshot, take, people))
        assert found[-1].snapshot.position >= snapshot.position + (run + 1) * _NEW, "the new choices were read"
    last, anew = found[-1].snapshot, take()
    same = all(
        last.may(person, purpose=PURPOSE, category=Category.POST)
        == anew.may(person, purpose=PURPOSE, category=Category.POST)
        for person in people
    )
    longest, before = max(each.longest for each in found), max(each.longest_before for each in found)
    took, fewest = median(each.took for each in found), min(each.answered for each in found)
    return [
        Line(f"refresh after {_NEW:,} new choices", f"{took:.3f} s"),
        Line("  answered while one is made, fewest", f"{fewest:,}", "", f"> {_WAITED}", fewest > _WAITED, exact=True),
        Line(
            "  longest call while one is made",
            f"{longest * 1e3:.1f} ms",
            f"{before * 1e3:.1f} ms without one",
            f"< {_PAUSE_S * 1e3:.0f} ms",
            longest < _PAUSE_S,
        ),
        Line("  as a snapshot taken anew", "yes" if same else "no", "", "yes", same, exact=True),
    ]


def measure(folder: Path, home: Path, shape: Shape) -> list[Line]:
    """Measure everything."""
    deployment = open_deployment(home)
    take = partial(deployment.control.people.snapshot, POLICY_NAME, [PURPOSE], at=AT)
    snapshot = take()
    ids = pq.read_table(folder / "people.parquet", columns=["id"]).column("id").combine_chunks()
    generator = np.random.default_rng(11)
    column = ids.take(pa.array(generator.integers(0, len(ids), _COLUMN)))
    some = column.slice(0, _CALLS).to_pylist()
    table = dict.fromkeys(some, True)

    def one_by_one() -> None:
        for person in some:
            snapshot.may(person, purpose=PURPOSE, category=Category.POST)

    def in_a_dictionary() -> None:
        for person in some:
            table.get(person)

    single = seconds_of(one_by_one, times=_TIMES).median / _CALLS * 1e6
    plain = seconds_of(in_a_dictionary, times=_TIMES).median / _CALLS * 1e6
    many = seconds_of(lambda: snapshot.may_many(column, purpose=PURPOSE, category=Category.POST), times=_TIMES).median
    idle = seconds_of(lambda: take(like=snapshot), times=_TIMES).median
    answers = snapshot.may_many(column.slice(0, 2_000), purpose=PURPOSE, category=Category.POST).tolist()
    same = answers == [snapshot.may(each, purpose=PURPOSE, category=Category.POST).allowed for each in some[:2_000]]
    refreshes = measure_refreshes(home, shape, people=some[:20_000], snapshot=snapshot, take=take)
    deployment.close()
    rate = _COLUMN / many / 1e6
    return [
        Line("may, one call", f"{single:.2f} µs", f"{single / plain:.0f} x a dictionary", "< 3 µs", single < 3),
        Line("may_many, one thread", f"{rate:.1f} M/s", "", "> 5 M/s", rate > 5),
        Line(
            "memory for everybody",
            f"{snapshot.nbytes / 1e6:.0f} MB",
            "",
            f"< {_MEMORY / 1e6:.0f} MB",
            snapshot.nbytes < _MEMORY,
            exact=True,
        ),
        Line("refresh when nothing is new", f"{idle:.3f} s"),
        *refreshes,
        Line("one by one and in columns alike", "yes" if same else "no", "", "yes", same, exact=True),
    ]


def main() -> None:
    """Measure everything and print it."""
    chosen = arguments(__doc__).parse_args()
    shape = Shape(seed=chosen.seed).scaled(chosen.scale)
    folder = ensure(chosen.data, shape)
    home = prepare(folder, threads=2, log=Console(stderr=True))
    found = isolated(measure, folder, home, shape)
    shutil.rmtree(home)
    show(f"{shape.people:,} people", found)


if __name__ == "__main__":
    main()
