"""What an order would hit, asked before it is given: how long `consentry suspend --dry-run` takes.

    ./run bench what_if [--scale 0.02] [--releases 100] [--data DIR] [--home DIR]

The corpus is that of `./run bench corpus`: at full size 50 million items of 5 million people, with dates and 750,000
choices. Ten releases are built, for five purposes, with and without the UK, so that they differ; the others are copies
of these with their own bitmaps on the disk. Each was read by a job, which trained a model; every tenth job still holds
its lease.

Asked in a process of its own. The first answer reads every file and every bitmap for the first time. Processor time is
that of all threads: on a machine that others use it says more than the clock. The control counts what one release holds
of people in the UK in another way, row by row: the answers have to be equal.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from parts.copies import sealed_again
from parts.deployment import AT, CORPUS, prepare
from parts.different import DIFFERENT, UK, build_different, publish_for_every_purpose
from parts.measuring import Line, isolated, peak_bytes, show
from rich.console import Console

from consentry.bootstrap import Deployment, open_deployment
from consentry.control_plane.plane import ControlPlane
from consentry.ledger.oversight_events import LeaseEnd
from consentry.oversight.order import Scope
from consentry.policy.jurisdictions import contains, instant
from consentry.policy.vocabulary import Category, Purpose
from consentry.release.data_file import excluded_positions
from corpus import Shape, arguments, ensure

_TIMES, _TARGET_S = 5, 2.0
_STILL_READ = 10
_ASKED = (
    ("the UK", UK),
    (
        "posts of the US, of one year",
        Scope(
            areas=frozenset({"US"}),
            categories=frozenset({Category.POST}),
            created_from=instant("2020-01-01"),
            created_before=instant("2021-01-01"),
        ),
    ),
    ("everything", Scope()),
)


def make(folder: Path, home: Path, releases: int) -> None:
    """Register the corpus, seal the releases, and let a job read each."""
    deployment = open_deployment(home)
    control = deployment.control
    publish_for_every_purpose(control)
    control.statements.register_corpus(folder / "corpus.toml")
    built = build_different(control)[:releases]
    while len(built) < releases:
        built.append(sealed_again(control, built[len(built) % DIFFERENT]))
    for number, release in enumerate(built):
        lease, secret = control.leases.grant(release, job=f"job-{number}", model=f"model-{number}")
        if number % _STILL_READ:
            control.leases.end(lease.lease, secret=secret, how=LeaseEnd.RELEASED, step=1)
    deployment.close()


def measure(home: Path) -> list[Line]:
    """Ask."""
    began = time.perf_counter()
    deployment = open_deployment(home)
    control = deployment.control
    control.desk.present()
    lines = [Line("opening", f"{time.perf_counter() - began:.2f} s")]
    for name, scope, times in (("the UK, first answer of a process", UK, 1), *((*each, _TIMES) for each in _ASKED)):
        lines += _asked(control, name, scope, times)
    lines.append(_control(deployment, control.orders.what_if(UK)["releases"]))
    lines.append(Line("peak memory", f"{peak_bytes() / 1e9:.2f} GB"))
    deployment.close()
    return lines


def _asked(control: ControlPlane, name: str, scope: Scope, times: int) -> list[Line]:
    clock, worked, found = [], [], {}
    for _ in range(times):
        began, at = time.perf_counter(), time.process_time()
        found = control.orders.what_if(scope)
        clock.append(time.perf_counter() - began)
        worked.append(time.process_time() - at)
    took = median(clock)
    value = f"{took:.2f} s, {median(worked):.2f} s of processors"
    how = f"median of {times}, least {min(clock):.2f} s" if times > 1 else ""
    return [Line(name, value, how, f"< {_TARGET_S:g} s", took < _TARGET_S), Line("  hit", _hit(found))]


def _hit(found: Mapping[str, Any]) -> str:
    (corpus,) = found["corpora"].values()
    return (
        f"{corpus['items']:,} items, {corpus['people']:,} people, {len(found['releases'])} releases, "
        f"{len(found['leases'])} leases, {len(found['models'])} models"
    )


def _control(deployment: Deployment, said: Mapping[str, int]) -> Line:
    """Count the items of people who may be in the UK in the first release, in another way."""
    control = deployment.control
    name = next(iter(control.releases.sealed()))
    release, corpus = control.releases.open(name), control.desk.corpus(CORPUS)
    classes = control.desk.present().knowledge(Purpose.TRAIN_AI, at=control.desk.parts.clock()).classes
    there = np.array(
        [
            member is not None
            and (not member.places or any(contains("UK", p, at=AT) is not False for p in member.places))
            for member in classes.members
        ]
    )
    counted = 0
    for file, sidecar in zip(release.data_files(corpus.base), corpus.sidecars, strict=True):
        eligible = np.ones(sidecar.rows, dtype=np.bool_)
        eligible[excluded_positions(file)] = False
        counted += int(np.count_nonzero(there[classes.codes[sidecar.person[eligible]]]))
    equal = counted == said.get(name, 0)
    return Line("of one release, counted row by row", f"{counted:,} items", "", "equal", equal, exact=True)


def whole_command(home: Path) -> float:
    """Return the seconds of `consentry suspend --dry-run`, from its start to its end."""
    line = [sys.executable, "-P", "-m", "consentry", "--json", "--home", str(home), "suspend", "--case", "c-2"]
    began = time.perf_counter()
    subprocess.run(  # noqa: S603 - ours
        [*line, "--area", "UK", "--reference", "a benchmark", "--dry-run"], check=True, stdout=subprocess.DEVNULL
    )
    return time.perf_counter() - began


def main() -> None:
    """Make the deployment, ask, and print."""
    parser = arguments(__doc__)
    parser.add_argument("--releases", type=int, default=100)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--home", type=Path, default=None, metavar="DIR", help="where the deployment is made")
    chosen = parser.parse_args()
    shape = Shape(seed=chosen.seed).scaled(chosen.scale)
    folder = ensure(chosen.data, shape)
    with tempfile.TemporaryDirectory(dir=chosen.home, prefix="what-if-") as name:
        home = prepare(folder, threads=chosen.threads, log=Console(stderr=True), home=Path(name, "home"))
        isolated(make, folder, home, chosen.releases)
        found = isolated(measure, home)
        found.append(Line("the whole command", f"{whole_command(home):.2f} s"))
    show(f"{shape.items:,} items, {shape.people:,} people, {chosen.releases} releases", found)


if __name__ == "__main__":
    main()
