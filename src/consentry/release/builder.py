"""Builds releases: decide every item, write it down, seal it.

1. **Decide** (outside the lock, any time): every file by the kernel, as of a basis at position c.
2. **Bring up to date** (inside the lock): the events [c, j) changed what some people said; their items are decided
   again.
3. **Write** the release folder: staged, flushed, renamed. What is there now is not a release yet: no event names it.
4. **Seal**: append `release.sealed` at position j. COMMIT POINT: the release covers exactly [0, j).

A crash before 4 leaves a folder that no event names; `sweep` removes it at the next start. A crash after it leaves a
sealed release. There is nothing in between.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeVar

import numpy as np
import numpy.typing as npt

from consentry.corpus.census import Census
from consentry.corpus.sidecar import Sidecar
from consentry.digests import Digest, digest
from consentry.errors import IntegrityError
from consentry.release import tallies
from consentry.release.basis import Basis
from consentry.release.deletion_vector import frame
from consentry.release.kernel import (
    SPAN_ROWS,
    FileDecision,
    SpanResult,
    Tally,
    decide_rows,
    decide_span,
    excluded_bits,
    finish_file,
    is_allowed,
    set_bits,
    tally_rows,
)
from consentry.release.manifest import (
    ENVELOPE,
    EXCLUSIONS,
    MANIFEST,
    TALLIES,
    BitmapPin,
    Manifest,
    ReleaseFile,
    envelope,
    lay_out,
    pre_authentication,
)
from consentry.release.roaring import Bits, cardinality, serialize
from consentry.release.seat_tables import by_seat
from consentry.release.staging import staged
from consentry.transparency.signed_document import Signer

_Task = TypeVar("_Task")
_Result = TypeVar("_Result")
Progress = Callable[[int], None]


class Runner(Protocol):
    """Runs the same function over many tasks, somewhere. Order is kept; the first error is raised."""

    def map(self, work: Callable[[_Task], _Result], tasks: Iterable[_Task]) -> list[_Result]:
        """Return work(task) for every task, in order."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """Decisions about every item, not yet sealed. Values are replaced, never changed in place."""

    basis: Basis
    allowed: tuple[Bits, ...]
    tally: tallies.Tallies


def decide(
    sidecars: Sequence[Sidecar], basis: Basis, *, census: Census, runner: Runner, progress: Progress | None = None
) -> Draft:
    """Decide every item of every file.

    Args:
        sidecars: the files, in release order.
        basis: what the decisions rest on.
        census: of these files and the person classes of the basis.
        runner: where the work is done.
        progress: called with the number of items decided since the last call.
    """
    spans = [
        (index, start, min(start + SPAN_ROWS, sidecar.rows))
        for index, sidecar in enumerate(sidecars)
        for start in range(0, sidecar.rows, SPAN_ROWS)
    ]

    seats = by_seat(basis.look, count=True)

    def decide_one(span: tuple[int, int, int]) -> SpanResult:
        index, start, stop = span
        result = decide_span(sidecars[index], start, stop=stop, look=basis.look, seats=seats)
        sidecars[index].let_go()
        if progress is not None:
            progress(stop - start)
        return result

    results = runner.map(decide_one, spans)
    by_file: dict[int, list[SpanResult]] = {index: [] for index in range(len(sidecars))}
    for (index, _, _), result in zip(spans, results, strict=True):
        by_file[index].append(result)

    def finish_one(index: int) -> FileDecision:
        return finish_file(
            sidecars[index],
            by_file[index],
            census=census.files[index],
            look=basis.look,
            exceptions=basis.exceptions[index],
        )

    files = runner.map(finish_one, range(len(sidecars)))
    tally = _counted((file.tally for file in files), basis)
    return Draft(basis=basis, allowed=tuple(file.allowed for file in files), tally=tally)


def bring_up_to_date(
    draft: Draft, sidecars: Sequence[Sidecar], *, basis: Basis, seats: npt.NDArray[np.uint32], runner: Runner
) -> Draft:
    """Decide the items of the people in `seats` again, as of `basis`; everybody else's decisions stand.

    The caller answers for the two bases differing in nothing but what these people said.
    """

    def again(index: int) -> tuple[Bits, Tally, Tally]:
        sidecar = sidecars[index]
        rows = np.union1d(sidecar.rows_of(seats).astype(np.int64), _differing(draft.basis, basis, index))
        old, new = (
            decide_rows(sidecar, rows, look=each.look, exceptions=each.exceptions[index])
            for each in (draft.basis, basis)
        )
        bits = draft.allowed[index].copy()
        set_bits(bits, rows, values=is_allowed(new, basis.look))
        return (
            bits,
            tally_rows(sidecar, rows, outcomes=old, look=draft.basis.look),
            tally_rows(sidecar, rows, outcomes=new, look=basis.look),
        )

    done = runner.map(again, range(len(sidecars)))
    before = _counted((old for _, old, _ in done), draft.basis)
    after = _counted((new for _, _, new in done), basis)
    tally = draft.tally.changed(less=before, more=after)
    return Draft(basis=basis, allowed=tuple(bits for bits, _, _ in done), tally=tally)


def _counted(found: Iterable[Tally], basis: Basis) -> tallies.Tallies:
    return tallies.counted(found, basis.look, places=basis.fold.places, items=basis.items)


def _differing(old: Basis, new: Basis, index: int) -> npt.NDArray[np.int64]:
    rows = {*old.exceptions[index], *new.exceptions[index]}
    return np.array(sorted(rows), dtype=np.int64)


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """The bytes of a release folder that do not depend on the position: made before the lock is taken."""

    exclusions: bytes
    bitmaps: tuple[BitmapPin, ...]
    tallies: bytes
    counts: Mapping[str, object]


def content(draft: Draft, sidecars: Sequence[Sidecar], *, runner: Runner) -> Content:
    """Serialise the decisions."""

    def bitmap(index: int) -> tuple[bytes, Digest, int]:
        bits = excluded_bits(draft.allowed[index], sidecars[index].rows)
        framed = frame(serialize(bits))
        return framed, digest(framed), cardinality(bits)

    exclusions, pins = lay_out(runner.map(bitmap, range(len(sidecars))))
    return Content(
        exclusions=exclusions,
        bitmaps=tuple(pins),
        tallies=draft.tally.to_bytes(),
        counts=tallies.summary(draft.tally),
    )


def release_files(sidecars: Sequence[Sidecar], made: Content) -> tuple[ReleaseFile, ...]:
    """Return the files of a manifest."""
    return tuple(
        ReleaseFile(pin=sidecar.pin, bitmap=bitmap) for sidecar, bitmap in zip(sidecars, made.bitmaps, strict=True)
    )


def write(folder: Path, payload: bytes, *, made: Content, signer: Signer) -> None:
    """Write a release folder whole, flushed and renamed into place, or not at all. `payload`: the manifest's bytes."""
    signed = envelope(payload, key_id=signer.key_id, signature=signer.sign(pre_authentication(payload)))
    with staged(folder) as part:
        for name, body in (
            (EXCLUSIONS, made.exclusions),
            (TALLIES, made.tallies),
            (MANIFEST, payload),
            (ENVELOPE, signed),
        ):
            (part / name).write_bytes(body)


def sweep(folder: Path, sealed: Collection[str], *, head: int) -> list[str]:
    """Remove what an interrupted build left: folders that no `release.sealed` event names. Return their names.

    Raises:
        IntegrityError: a folder is of a position the ledger does not have yet; nothing is removed.
    """
    if not folder.exists():
        return []
    left = [each for each in folder.iterdir() if each.is_dir() and each.name not in sealed]
    ahead = [each.name for each in left if each.name.rpartition(".")[2].isdigit() and _position(each.name) > head]
    if ahead:
        raise IntegrityError(
            "release-ahead-of-ledger",
            f"release `{ahead[0]}` is of a position that the ledger does not have yet",
            help="this is an older ledger, or another deployment's: restore the one that goes with these releases",
        )
    for each in left:
        shutil.rmtree(each)
    return [each.name for each in left]


def _position(release: str) -> int:
    return int(release.rpartition(".")[2])


def manifest_digest(manifest: Manifest) -> str:
    """Return the digest that the ledger keeps."""
    return digest(manifest.to_bytes())
