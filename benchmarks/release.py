"""A release over 50 million items, against the machine's limits and against DuckDB. Everything in one run, as ratios.

    ./run bench release [--scale 0.02] [--data DIR] [--threads 2]

1. Sidecars, once, against one DuckDB join over the same keys.
2. How fast the memory answers random look-ups, and how near the kernel comes to it.
3. A sealed release from sidecars, and another one after 1,000 people changed their minds; beside that, how long
   it takes to digest, write and flush the bytes of a release, whatever they are.
4. The same bitmaps by a straightforward SQL join, compared byte by byte, and the corpus rewritten.

Each part runs in a process of its own. People and choices are in the ledger, and in the database, before the clock
starts. Every part has the same threads, and content is in the page cache as far as it fits.
"""

from __future__ import annotations

import cProfile
import pstats
import shutil
import sqlite3
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from time import perf_counter

import pyarrow.parquet as pq
from parts import limits, sidecars
from parts.deployment import AT, CORPUS, POLICY_NAME, PURPOSE, prepare
from parts.measuring import Line, isolated, peak_bytes, seconds_of, show
from parts.rivals import Rival
from rich.console import Console

from consentry.bootstrap import Deployment, open_deployment
from consentry.control_plane.plane import ControlPlane
from consentry.digests import digest
from consentry.durable import sync_tree, take_name
from consentry.release.deletion_vector import unframe
from consentry.release.manifest import EXCLUSIONS, Manifest
from corpus import Shape, arguments, choices, ensure

_CHANGED = 1_000
_TIMES = 3
_FLOORS = 5
_STEPS = {
    "items of those people found and decided": "bring_up_to_date",
    "bitmaps and counts put into bytes": "content",
    "files written and flushed": "write",
}
"""By the functions that do it: what a release after changed choices is made of."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ours:
    """What our release took, and its bitmaps."""

    opening: float
    first: float
    full: float
    counted: float
    changed: float
    taken_in: float
    parts: Mapping[str, float]
    floor: float
    unmapped: float
    peak: int
    bitmaps: list[bytes]
    eligible: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Theirs:
    """What DuckDB took, and its bitmaps."""

    bitmaps: list[bytes]
    join: float
    rewrite: float


def build_ours(folder: Path, home: Path, shape: Shape) -> Ours:
    """Build releases; see the fields."""
    began = perf_counter()
    deployment = open_deployment(home)
    control = deployment.control
    control.desk.present()
    opening = perf_counter() - began
    first = seconds_of(lambda: _build(control)).median
    counted = seconds_of(lambda: _count_and_build(control), times=_TIMES).median
    full = seconds_of(lambda: _build(control), times=_TIMES).median
    built = control.releases.build(CORPUS, PURPOSE, policy=POLICY_NAME, at=AT).manifest
    bitmaps = _bitmaps(control.desk.releases / built.release, built)
    peak = peak_bytes()
    floor = _floor(control.desk.releases / built.release, home / "floor")
    unmapped = _floor(control.desk.releases / built.release, home / "floor", but=EXCLUSIONS)
    changed = [_changed(folder, deployment, shape, run) for run in range(_TIMES)]
    parts = _parts(lambda: _changed(folder, deployment, shape, _TIMES))
    deployment.close()
    return Ours(
        opening=opening,
        first=first,
        full=full,
        counted=counted,
        changed=median(taken_in + built_in for taken_in, built_in in changed),
        taken_in=median(taken_in for taken_in, _ in changed),
        parts=parts,
        floor=floor,
        unmapped=unmapped,
        peak=peak,
        bitmaps=bitmaps,
        eligible=built.eligible,
    )


def _build(control: ControlPlane) -> None:
    """Decide every item: nothing is remembered of earlier decisions, but the census is kept."""
    control.releases.drafts._drafts.clear()
    control.releases.build(CORPUS, PURPOSE, policy=POLICY_NAME, at=AT)


def _count_and_build(control: ControlPlane) -> None:
    """Do it with a census taken anew, as after a load of people."""
    control.releases.drafts._counted = None
    _build(control)


def _floor(release: Path, folder: Path, *, but: str | None = None) -> float:
    """Return the least that a release takes, with its bytes at hand and a ledger that is open and has its tables.

    `but`: without this file.
    """
    bodies = {file.name: file.read_bytes() for file in release.iterdir() if file.name != but}
    folder.mkdir()
    with closing(sqlite3.connect(folder / "ledger.sqlite", isolation_level=None)) as ledger:
        ledger.executescript("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; CREATE TABLE event (body BLOB)")
        runs = (folder / f"written-{run}" for run in range(_FLOORS))
        found = seconds_of(lambda: _write_again(bodies, next(runs), ledger), times=_FLOORS).median
    shutil.rmtree(folder)
    return found


def _write_again(bodies: Mapping[str, bytes], target: Path, ledger: sqlite3.Connection) -> None:
    """Digest, write and flush the bytes of a release, and commit once: what no way of deciding can do without."""
    part = target.with_name(f".{target.name}.part")
    part.mkdir()
    for name, body in bodies.items():
        digest(body)
        (part / name).write_bytes(body)
    sync_tree(part)
    take_name(part, target)
    ledger.execute("INSERT INTO event VALUES (?)", (target.name,))


def _bitmaps(folder: Path, manifest: Manifest) -> list[bytes]:
    content = (folder / EXCLUSIONS).read_bytes()
    pins = [file.bitmap for file in manifest.files]
    return [unframe(content[pin.offset : pin.offset + pin.length]) for pin in pins]


def _changed(folder: Path, deployment: Deployment, shape: Shape, run: int) -> tuple[float, float]:
    """Return how long it takes to take in 1,000 changed choices, and to seal the release that follows."""
    control = deployment.control
    generator = shape.generator(6, run)
    file = folder / "changed.parquet"
    who = generator.integers(0, shape.people, _CHANGED)
    pq.write_table(choices(generator, who, start=AT - 400 * 86_400), file)
    deployment.import_choices(file, corpus=None)
    file.unlink()
    began = perf_counter()
    control.desk.present()
    taken_in = perf_counter()
    control.releases.build(CORPUS, PURPOSE, policy=POLICY_NAME, at=AT)
    return taken_in - began, perf_counter() - taken_in


def _parts(work: Callable[[], object]) -> dict[str, float]:
    """Return which share of a release each of its steps takes, in a run of its own: watching costs time as well."""
    profile = cProfile.Profile()
    profile.runcall(work)
    spent: dict[str, float] = {}
    for (_, _, name), (*_, through, _) in pstats.Stats(profile).stats.items():  # type: ignore[attr-defined]
        spent[name] = max(spent.get(name, 0.0), through)
    return {what: spent[name] / spent["build"] for what, name in _STEPS.items()}


def compared(folder: Path, home: Path, threads: int) -> Line:
    """Say whether a release has the bitmaps of the SQL result, without measuring anything."""
    deployment = open_deployment(home)
    deployment.control.statements.register_corpus(folder / "corpus.toml")
    built = deployment.control.releases.build(CORPUS, PURPOSE, policy=POLICY_NAME, at=AT).manifest
    bitmaps = _bitmaps(deployment.control.desk.releases / built.release, built)
    deployment.close()
    return _same(bitmaps, Rival(folder, at=AT, threads=threads).bitmaps())


def _same(ours: list[bytes], theirs: list[bytes]) -> Line:
    equal = ours == theirs
    return Line("bitmaps byte-equal to the SQL result", "yes" if equal else "no", "", "yes", equal, exact=True)


def build_theirs(folder: Path, threads: int) -> Theirs:
    """Do the same with DuckDB."""
    rival = Rival(folder, at=AT, threads=threads)
    found: list[list[bytes]] = []
    join = seconds_of(lambda: found.append(rival.bitmaps()), times=_TIMES).median
    target = folder / "rewritten"
    rewrite = seconds_of(lambda: rival.rewrite(target)).median
    shutil.rmtree(target)
    return Theirs(bitmaps=found[-1], join=join, rewrite=rewrite)


def lines(ours: Ours, theirs: Theirs, *, rows: int) -> list[Line]:
    """Compare the two."""
    faster, lighter, share = theirs.join / ours.full, theirs.rewrite / ours.full, ours.changed / ours.full

    def beside(seconds: float) -> str:
        return f"join {theirs.join / seconds:.0f} x, rewrite {theirs.rewrite / seconds:.0f} x as long"

    def of_full(seconds: float) -> str:
        return f"{seconds / ours.full:.1%}"

    return [
        Line("opening: every event folded", f"{ours.opening:.2f} s"),
        Line("first release of a process", f"{ours.first:.2f} s", beside(ours.first)),
        Line("release from sidecars, sealed", f"{ours.full:.3f} s", f"{ours.eligible / rows:.1%} eligible"),
        Line("  with the census taken anew", f"{ours.counted:.3f} s", beside(ours.counted)),
        Line("DuckDB join to the same bitmaps", f"{theirs.join:.2f} s", f"{faster:.1f} x", ">= 8 x", faster >= 8),
        Line("DuckDB rewrites the corpus", f"{theirs.rewrite:.1f} s", f"{lighter:.0f} x", ">= 100 x", lighter >= 100),
        _same(ours.bitmaps, theirs.bitmaps),
        Line("peak memory of the release", f"{ours.peak / 1e9:.2f} GB", "", "< 1 GB", ours.peak < 1e9),
        Line(
            "release after 1,000 changed choices", f"{ours.changed:.3f} s", of_full(ours.changed), "< 5 %", share < 0.05
        ),
        Line("  of it taking them in from the ledger", f"{ours.taken_in:.3f} s"),
        *(Line(f"  of it {what}", "", f"{part:.0%} of it") for what, part in ours.parts.items()),
        Line("  bytes of a release, digested, written, flushed", f"{ours.floor:.3f} s", of_full(ours.floor)),
        Line("    the same without its bitmaps", f"{ours.unmapped:.3f} s", of_full(ours.unmapped)),
    ]


def main() -> None:
    """Measure everything and print it."""
    parser = arguments(__doc__)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--equal", action="store_true", help="only compare the bitmaps")
    chosen = parser.parse_args()
    log = Console(stderr=True)
    shape = Shape(seed=chosen.seed).scaled(chosen.scale)
    folder = ensure(chosen.data, shape)
    home = prepare(folder, threads=chosen.threads, log=log)
    if chosen.equal:
        show(f"{shape.items:,} items, {shape.people:,} people", [compared(folder, home, chosen.threads)])
        return
    found = sidecars.measure(folder, home, chosen.threads)
    found += limits.measure(home, chosen.threads)
    ours = isolated(build_ours, folder, home, shape)
    theirs = isolated(build_theirs, folder, chosen.threads)
    found += lines(ours, theirs, rows=shape.items)
    shutil.rmtree(home)
    show(f"{shape.items:,} items, {shape.people:,} people, {chosen.threads} threads", found)


if __name__ == "__main__":
    main()
