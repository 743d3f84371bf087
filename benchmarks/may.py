"""Asking about one person, in memory: microseconds a call, calls a second in columns, memory, and a refresh.

    ./run bench may [--scale 0.02] [--data DIR]

The deployment is that of `./run bench release`: made once per corpus, from the same seed. The call is compared with a
plain look-up in a Python dictionary of the same ids, in the same run.
"""

from __future__ import annotations

import shutil
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from parts.deployment import AT, POLICY_NAME, PURPOSE, prepare
from parts.measuring import Line, isolated, seconds_of, show
from rich.console import Console

from consentry.bootstrap import open_deployment
from consentry.policy.vocabulary import Category
from corpus import Shape, arguments, ensure

_CALLS = 200_000
_COLUMN = 1_000_000
_TIMES = 3


def measure(folder: Path, home: Path) -> list[Line]:
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
    refresh = seconds_of(lambda: take(like=snapshot), times=_TIMES).median
    answers = snapshot.may_many(column.slice(0, 2_000), purpose=PURPOSE, category=Category.POST).tolist()
    same = answers == [snapshot.may(each, purpose=PURPOSE, category=Category.POST).allowed for each in some[:2_000]]
    deployment.close()
    rate = _COLUMN / many / 1e6
    return [
        Line("may, one call", f"{single:.2f} µs", f"{single / plain:.0f} x a dictionary", "< 3 µs", single < 3),
        Line("may_many, one thread", f"{rate:.1f} M/s", "", "> 5 M/s", rate > 5),
        Line("memory for everybody", f"{snapshot.nbytes / 1e6:.0f} MB", "", "< 200 MB", snapshot.nbytes < 200e6),
        Line("refresh, while others ask the old one", f"{refresh:.3f} s"),
        Line("one by one and in columns alike", "yes" if same else "no", "", "yes", same),
    ]


def main() -> None:
    """Measure everything and print it."""
    chosen = arguments(__doc__).parse_args()
    shape = Shape(seed=chosen.seed).scaled(chosen.scale)
    folder = ensure(chosen.data, shape)
    home = prepare(folder, threads=2, log=Console(stderr=True))
    found = isolated(measure, folder, home)
    shutil.rmtree(home)
    show(f"{shape.people:,} people", found)


if __name__ == "__main__":
    main()
