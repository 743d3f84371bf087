"""Which releases and models used the content of a person: how long the answer takes, and what it is read from.

    ./run bench lineage [--scale 0.02] [--releases 100] [--data DIR]

At full scale 50 million items of 5 million people in 8 files, 100 releases, and a model for each. What is made up:

* The files hold whole numbers as ids and nothing else: what is measured reads sidecars, bitmaps and what jobs consumed,
  never content. Few people write much and many write little (Zipf); one item in twenty involves somebody else.
* Ten releases are built, for five purposes and under two orders, so that they differ. The others are copies of these,
  with a name, a manifest, a signature and an event of their own and their own copy of the bitmaps on the disk.
* Each model was trained under one lease, in ten reports of a hundred ranges each.
* A thousand people refused with reach `everything` after that, so that every release is amended.

The deployment is opened anew in a process of its own. Opening is timed apart; then the first answer, which reads what
nobody asked for before, and the answers for 200 people at random and for the one who wrote most.
"""

from __future__ import annotations

import argparse
import os
import shutil
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from parts.copies import sealed_again
from parts.deployment import AT
from parts.different import DIFFERENT, build_different, publish_for_every_purpose
from parts.measuring import Line, isolated, peak_bytes, show
from rich.console import Console

from consentry.bootstrap import Deployment, open_deployment
from consentry.control_plane.plane import ControlPlane
from consentry.ledger.events import ChoiceMade, Source
from consentry.ledger.oversight_events import LeaseEnd
from consentry.policy.choice import Choice
from consentry.policy.vocabulary import ChoiceState, Purpose, Reach
from consentry.release.manifest import EXCLUSIONS

_FILES, _PEOPLE_PER_ITEM = 8, 10
_REFUSING, _ASKED = 1_000, 200
_REPORTS, _RANGES = 10, 100
_TARGET_S = 2.0
_CORPUS = """
[corpus]
name = "network"
files = ["items/*.parquet"]
[columns]
item = "id"
author = "author"
category = "kind"
involves = "other"
"""
_PEOPLE = """
[people]
files = ["people.parquet"]
[columns]
person = "id"
country = "country"
age = "age"
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """How much there is."""

    items: int
    people: int
    releases: int


def write_content(folder: Path, shape: Shape) -> None:
    """Write the files of a corpus and a people table."""
    (folder / "items").mkdir(parents=True)
    per_file = shape.items // _FILES
    generator = np.random.default_rng(7)
    place = generator.permutation(shape.people).astype(np.int64)
    for number in range(_FILES):
        rank = np.minimum(generator.pareto(0.8, per_file) * shape.people / 400, shape.people - 1).astype(np.int64)
        other = generator.integers(0, shape.people, per_file)
        table = {
            "id": pa.array(np.arange(per_file, dtype=np.int64) + number * per_file),
            "author": pa.array(place[rank]),
            "kind": pa.array(np.full(per_file, "post")).dictionary_encode(),
            "other": pa.array(other, mask=generator.random(per_file) > 0.05),
        }
        pq.write_table(pa.table(table), folder / "items" / f"{number}.parquet")
    countries = np.array(["US", "BR", "IN", "GB", "FR", "DE"])
    table = {
        "id": pa.array(np.arange(shape.people, dtype=np.int64)),
        "country": pa.array(countries[generator.integers(0, 6, shape.people)]).dictionary_encode(),
        "age": pa.array(np.full(shape.people, "adult")).dictionary_encode(),
    }
    pq.write_table(pa.table(table), folder / "people.parquet")
    (folder / "corpus.toml").write_text(_CORPUS)
    (folder / "people.toml").write_text(_PEOPLE)


def prepare(folder: Path, shape: Shape, log: Console) -> None:
    """Make the deployment."""
    log.print(f"writing {shape.items:,} items ...")
    write_content(folder, shape)
    log.print("registering ...")
    deployment = open_deployment(folder / "home")
    control = deployment.control
    publish_for_every_purpose(control)
    control.statements.load_people(folder / "people.toml")
    control.statements.register_corpus(folder / "corpus.toml")
    log.print("building and copying releases ...")
    built = build_different(control)
    while len(built) < shape.releases:
        built.append(sealed_again(control, built[len(built) % DIFFERENT]))
    log.print("training and refusing ...")
    generator = np.random.default_rng(8)
    for number, name in enumerate(built):
        _train(control, name, f"model-{number}", generator)
    refusals = (
        ChoiceMade(
            person=deployment.person(str(person)),
            choice=Choice(purpose=Purpose.TRAIN_AI, state=ChoiceState.REFUSED, reach=Reach.EVERYTHING, at=AT),
            source=Source.FORM,
        )
        for person in generator.integers(0, shape.people, _REFUSING).tolist()
    )
    began = time.perf_counter()
    control.statements.choose(refusals)
    took = time.perf_counter() - began
    (folder / "amending").write_text(f"{took:.2f} s")
    deployment.close()


def _train(control: ControlPlane, release: str, model: str, generator: np.random.Generator) -> None:
    lease, secret = control.leases.grant(release, job=model, model=model)
    rows = control.releases.open(release).manifest.files[0].pin.rows
    for report in range(_REPORTS):
        starts = np.sort(generator.choice(rows // _RANGES, _RANGES, replace=False)) * _RANGES
        ranges = [[report % _FILES, int(start), int(start) + _RANGES // 2] for start in starts]
        control.leases.consumed(
            lease.lease, secret=secret, from_step=report, to_step=report + 1, amendment=0, ranges=ranges
        )
    control.leases.end(lease.lease, secret=secret, how=LeaseEnd.RELEASED, step=_REPORTS)


def measure(folder: Path, shape: Shape) -> list[Line]:
    """Ask."""
    began = time.perf_counter()
    deployment = open_deployment(folder / "home")
    deployment.control.desk.present()
    opening = time.perf_counter() - began
    generator = np.random.default_rng(9)
    most = _most(deployment, folder)
    people = [str(each) for each in generator.integers(0, shape.people, _ASKED).tolist()]
    first = _asked(deployment, people[0])
    times = sorted(_asked(deployment, each) for each in people)
    busiest = _asked(deployment, most)
    found = deployment.control.people.uses_of(most)
    stages = [_seconds(deployment) for _ in range(2)]
    deployment.close()
    items = max(each["sealed_with"] or 0 for each in found["releases"])
    middle, worst = times[len(times) // 2], times[-1]
    return [
        Line("opening: every event folded", f"{opening:.2f} s"),
        Line("first answer of a process", f"{first:.3f} s", "", "< 2 s", first < _TARGET_S),
        Line("a person at random, median", f"{middle * 1e3:.0f} ms"),
        Line(f"a person at random, worst of {_ASKED}", f"{worst * 1e3:.0f} ms", "", "< 2 s", worst < _TARGET_S),
        Line(f"who wrote most: {items:,} items", f"{busiest:.3f} s", "", "< 2 s", busiest < _TARGET_S),
        Line("  releases and models named", f"{len(found['releases'])} and {len(found['models'])}"),
        Line(f"where all {shape.releases} models stand, first and again", f"{stages[0]:.2f} s and {stages[1]:.2f} s"),
        Line(f"{_REFUSING:,} refusals recorded, all releases amended", (folder / "amending").read_text()),
        Line("bitmaps of all releases", f"{_size(folder, EXCLUSIONS) / 1e6:.0f} MB"),
        Line("objects: amendments, and what jobs consumed", f"{_size(folder / 'home' / 'objects') / 1e6:.1f} MB"),
        Line("peak memory", f"{peak_bytes() / 1e9:.2f} GB"),
    ]


def _seconds(deployment: Deployment) -> float:
    began = time.perf_counter()
    deployment.control.models.every()
    return time.perf_counter() - began


def _asked(deployment: Deployment, person: str) -> float:
    began = time.perf_counter()
    deployment.control.people.uses_of(person)
    return time.perf_counter() - began


def _most(deployment: Deployment, folder: Path) -> str:
    """Return who in the US wrote most, of the first file."""
    corpus = deployment.control.desk.corpus("network")
    authors = pq.read_table(corpus.path(corpus.sidecars[0]), columns=["author"])["author"].to_numpy()
    country = pq.read_table(folder / "people.parquet", columns=["country"])["country"].to_pylist()
    wrote = np.bincount(authors, minlength=len(country))
    return str(np.where(np.array(country) == "US", wrote, 0).argmax())


def _size(folder: Path, name: str = "*") -> int:
    return sum(path.stat().st_size for path in folder.rglob(name) if path.is_file())


def main() -> None:
    """Make the deployment, ask, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scale", type=float, default=0.02, help="1 is the full size")
    parser.add_argument("--releases", type=int, default=100)
    parser.add_argument("--data", type=Path, default=Path(__file__).parent / "data")
    chosen = parser.parse_args()
    items = int(50_000_000 * chosen.scale)
    shape = Shape(items=items, people=items // _PEOPLE_PER_ITEM, releases=chosen.releases)
    folder = chosen.data / f"lineage-{items}-{os.getpid()}"
    try:
        prepare(folder, shape, Console(stderr=True))
        found = isolated(measure, folder, shape)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    show(f"{shape.items:,} items, {shape.people:,} people, {shape.releases} releases", found)


if __name__ == "__main__":
    main()
