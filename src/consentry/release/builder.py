"""Builds releases: decide every item, write it down, seal it.

1. **Decide** (outside the lock, any time): every file by the kernel, as of a basis at position c. What an earlier draft
   decided stands where it is the same (`consentry.release.standing`).
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
from typing import NamedTuple, Protocol, TypeVar

import numpy as np
import numpy.typing as npt

from consentry.corpus.census import Census
from consentry.corpus.sidecar import Sidecar, Span
from consentry.digests import Digest, digest
from consentry.errors import IntegrityError
from consentry.release import tallies
from consentry.release.basis import Basis
from consentry.release.deletion_vector import frame
from consentry.release.kernel import (
    SpanResult,
    Tally,
    add_up,
    decide_rows,
    decide_span,
    excluded_bits,
    finish_file,
    is_allowed,
    set_bits,
    spans_of,
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
from consentry.release.seat_tables import SeatTables, by_seat
from consentry.release.staging import staged
from consentry.release.standing import Difference, difference
from consentry.release.tables import Tables
from consentry.transparency.signed_document import Signer

_Task = TypeVar("_Task")
_Result = TypeVar("_Result")
Progress = Callable[[int], None]


class Runner(Protocol):
    """Runs the same function over many tasks. The first error is raised; little is begun after it."""

    def map(self, work: Callable[[_Task], _Result], tasks: Iterable[_Task]) -> list[_Result]:
        """Return work(task) for every task, in order. All of it is done in this process, which it may change."""
        ...

    def each(
        self, work: Callable[[_Task], _Result], tasks: Iterable[_Task], *, took: Callable[[_Task, _Result], None]
    ) -> None:
        """Call took(task, work(task)) for every task, one at a time, in any order.

        `took` is called in this process. The work may be done on other machines: it changes nothing here, and it, its
        tasks and its results can be pickled.
        """
        ...


class DecidedFile(NamedTuple):
    """Decisions about a file: the packed bits of eligible items, and how many have which outcome, by `Draft.words`."""

    allowed: Bits
    tally: Tally


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """Decisions about every item, not yet sealed. Values are replaced, never changed in place."""

    basis: Basis
    files: tuple[DecidedFile, ...]
    words: tallies.Words
    tally: tallies.Tallies


class Standing(NamedTuple):
    """Decisions of an earlier draft that stand but for some rows: those about file f are at `place[f]` there."""

    draft: Draft
    difference: Difference
    place: Mapping[int, int]


def standing(draft: Draft, basis: Basis, *, place: Mapping[int, int], census: Census) -> Standing | None:
    """Return what of a draft holds by another basis; None if the two are too different.

    Args:
        draft: the earlier decisions.
        basis: what decisions rest on now.
        place: where in the draft files are that are still the same, by where they are now.
        census: of all files now.
    """
    found = None if draft.words.many else difference(draft.basis, basis)
    if found is None:
        return None
    kept = {now: before for now, before in place.items() if not found.concerns(census.files[now])}
    return Standing(draft, found, kept)


def decide(
    sidecars: Sequence[Sidecar],
    basis: Basis,
    *,
    census: Census,
    runner: Runner,
    progress: Progress | None = None,
    kept: Standing | None = None,
) -> Draft:
    """Decide every item of every file.

    Args:
        sidecars: the files, in release order.
        basis: what the decisions rest on.
        census: of these files and the person classes of the basis.
        runner: where the work is done.
        progress: called with the number of items decided since the last call.
        kept: decisions that stand; of their files only rows are decided that may differ.
    """
    place = {} if kept is None else kept.place
    again = None if kept is None else _Again.of(kept.draft, basis)
    worded = _worded(tallies.Words(), basis) if again is None else again.after
    spans = _by_owner(sidecars, basis, runner=runner, progress=progress, but=place)

    def finish_one(index: int) -> DecidedFile:
        sidecar = sidecars[index]
        if kept is not None and again is not None and index in place:
            rows = kept.difference.rows(sidecar, before=place[index], now=index)
            return again.decide(sidecar, rows, before=place[index], now=index).file
        found = finish_file(
            sidecar, spans[index], census=census.files[index], look=basis.look, exceptions=basis.exceptions[index]
        )
        return DecidedFile(found.allowed, worded.tally(found.tally))

    files = tuple(runner.map(finish_one, range(len(sidecars))))
    return Draft(basis=basis, files=files, words=worded.words, tally=worded.words.shown(file.tally for file in files))


@dataclass(frozen=True, slots=True)
class _Owners:
    """Decides the items of a span as far as their owners do."""

    look: Tables
    seats: SeatTables

    def __call__(self, span: Span) -> SpanResult:
        result = decide_span(span.sidecar, span.start, stop=span.stop, look=self.look, seats=self.seats)
        span.sidecar.let_go()
        return result


def _by_owner(
    sidecars: Sequence[Sidecar], basis: Basis, *, runner: Runner, progress: Progress | None, but: Collection[int]
) -> dict[int, list[SpanResult]]:
    """Decide all items of the files that are not in `but` as far as their owners do."""
    spans = [
        Span(index, sidecar, start, stop)
        for index, sidecar in enumerate(sidecars)
        if index not in but
        for start, stop in spans_of(sidecar.rows)
    ]
    found: dict[tuple[int, int], SpanResult] = {}

    def took(span: Span, result: SpanResult) -> None:
        found[span.nth, span.start] = result
        if progress is not None:
            progress(span.stop - span.start)

    if spans:
        runner.each(_Owners(basis.look, by_seat(basis.look, count=True)), spans, took=took)
    by_file: dict[int, list[SpanResult]] = {index: [] for index in range(len(sidecars))}
    for span in spans:
        by_file[span.nth].append(found[span.nth, span.start])
    return by_file


def bring_up_to_date(
    draft: Draft, sidecars: Sequence[Sidecar], *, basis: Basis, seats: npt.NDArray[np.uint32], runner: Runner
) -> Draft:
    """Decide the items of the people in `seats` again, as of `basis`; everybody else's decisions stand.

    The caller answers for the two bases differing in nothing but what these people said.
    """
    again = _Again.of(draft, basis)

    def one(index: int) -> _DecidedAgain:
        rows = np.union1d(sidecars[index].rows_of(seats).astype(np.int64), _differing(draft.basis, basis, index))
        return again.decide(sidecars[index], rows, before=index, now=index)

    done = runner.map(one, range(len(sidecars)))
    words = again.after.words
    tally = draft.tally.changed(
        less=words.shown(each.less for each in done), more=words.shown(each.more for each in done)
    )
    return Draft(basis=basis, files=tuple(each.file for each in done), words=words, tally=tally)


def _differing(old: Basis, new: Basis, index: int) -> npt.NDArray[np.int64]:
    rows = {*old.exceptions[index], *new.exceptions[index]}
    return np.array(sorted(rows), dtype=np.int64)


class _DecidedAgain(NamedTuple):
    """Decisions about a file of which some are new: `less` is what the rows counted as before, `more` as what now."""

    file: DecidedFile
    less: Tally
    more: Tally


class _Again(NamedTuple):
    """Decides rows of files of a draft again, as of another basis."""

    draft: Draft
    basis: Basis
    before: tallies.Worded
    after: tallies.Worded

    @classmethod
    def of(cls, draft: Draft, basis: Basis) -> _Again:
        return cls(draft, basis, _worded(draft.words, draft.basis), _worded(draft.words, basis))

    def decide(self, sidecar: Sidecar, rows: npt.NDArray[np.int64], *, before: int, now: int) -> _DecidedAgain:
        """Decide `rows` of a file, by its place in the draft and in what is made of it."""
        file, old, new = self.draft.files[before], self.draft.basis, self.basis
        if not rows.size:
            nothing = add_up([])
            return _DecidedAgain(file, nothing, nothing)
        was = decide_rows(sidecar, rows, look=old.look, exceptions=old.exceptions[before])
        is_ = decide_rows(sidecar, rows, look=new.look, exceptions=new.exceptions[now])
        less = self.before.tally(tally_rows(sidecar, rows, outcomes=was, look=old.look))
        more = self.after.tally(tally_rows(sidecar, rows, outcomes=is_, look=new.look))
        bits = file.allowed.copy()
        set_bits(bits, rows, values=is_allowed(is_, new.look))
        tally = add_up([file.tally, Tally(less.keys, -less.counts), more])
        return _DecidedAgain(DecidedFile(bits, tally), less, more)


def _worded(words: tallies.Words, basis: Basis) -> tallies.Worded:
    return words.with_those_of(basis.look, places=basis.fold.places, items=basis.items)


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
        bits = excluded_bits(draft.files[index].allowed, sidecars[index].rows)
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
