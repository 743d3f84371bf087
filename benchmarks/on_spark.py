"""Counting and deciding on Spark beside threads, on one machine: what it costs to ask somebody else.

    ./run bench on_spark [--scale 0.1] [--data DIR] [--threads 2]

The corpus is that of `./run bench corpus`. Both ways count all items by class and decide them, in one run, a warm one
after one that is not counted; Spark has as many cores as there are threads. Every part of both results has to be equal.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

import numpy as np
from parts.deployment import CORPUS, basis_of, opened, prepare
from parts.measuring import Line, show
from rich.console import Console

from consentry.corpus import census
from consentry.corpus.registration import Corpus
from consentry.release import builder
from consentry.release.basis import Basis
from consentry.runners.local import LocalRunner
from consentry.runners.spark import SparkRunner
from corpus import Shape, arguments, ensure

_TIMES = 3


def gone_over(corpus: Corpus, basis: Basis, runner: builder.Runner) -> builder.Draft:
    """Count and decide every item."""
    classes, width = basis.knowledge.classes, len(basis.items)
    members = len(classes.members)
    counted = census.take(corpus.sidecars, classes.codes, classes=members, width=width, runner=runner)
    return builder.decide(corpus.sidecars, basis, census=counted, runner=runner)


def timed(corpus: Corpus, basis: Basis, runner: builder.Runner) -> tuple[float, float, builder.Draft]:
    """Return how long the first time took, the shortest of the others, and what came out."""
    seconds: list[float] = []
    for _ in range(1 + _TIMES):
        began = time.perf_counter()
        draft = gone_over(corpus, basis, runner)
        seconds.append(time.perf_counter() - began)
    return seconds[0], min(seconds[1:]), draft


def measure(home: Path, folder: Path, threads: int) -> list[Line]:
    """Go over the corpus both ways."""
    deployment = opened(home)
    deployment.control.statements.register_corpus(folder / "corpus.toml")
    corpus = deployment.control.desk.corpus(CORPUS)
    basis = basis_of(deployment, corpus)
    here = LocalRunner(threads)
    spark = SparkRunner(f"local[{threads}]", here=here)
    try:
        _, own, wanted = timed(corpus, basis, here)
        first, theirs, found = timed(corpus, basis, spark)
    finally:
        spark.close()
        deployment.close()
    same = all(np.array_equal(a.allowed, b.allowed) for a, b in zip(wanted.files, found.files, strict=True))
    same = same and wanted.tally.to_bytes() == found.tally.to_bytes()
    return [
        Line("threads", f"{own:.3f} s"),
        Line("Spark, the first time: it begins", f"{first:.1f} s"),
        Line("Spark", f"{theirs:.2f} s", f"{theirs / own:.1f} times threads"),
        Line("bitmaps and counts equal", "yes" if same else "no", "", "yes", same, exact=True),
    ]


def main() -> None:
    """Make the deployment, go over it, and print."""
    parser = arguments(__doc__)
    parser.add_argument("--threads", type=int, default=2)
    chosen = parser.parse_args()
    shape = Shape(seed=chosen.seed).scaled(chosen.scale)
    folder = ensure(chosen.data, shape)
    with tempfile.TemporaryDirectory(prefix="spark-") as name:
        home = prepare(folder, threads=chosen.threads, log=Console(stderr=True), home=Path(name, "home"))
        found = measure(home, folder, chosen.threads)
    show(f"{shape.items:,} items, {shape.people:,} people, {chosen.threads} cores", found)


if __name__ == "__main__":
    main()
