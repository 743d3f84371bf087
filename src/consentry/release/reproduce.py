"""A sealed release against what the ledger says it must hold: every item is decided again.

Erasing somebody closes their seats in the past as well, because what they said is gone. Items that are by or involve
erased people may therefore differ from what was sealed; any other difference is a finding.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt
from pyroaring import BitMap64

from consentry.corpus import census
from consentry.corpus.registration import Corpus
from consentry.corpus.sidecar import Sidecar
from consentry.digests import digest
from consentry.release import builder
from consentry.release.basis import Basis
from consentry.release.deletion_vector import unframe
from consentry.release.manifest import EXCLUSIONS, Manifest
from consentry.release.sealed import Finding, SealedRelease, changed

_CHECK = "decisions"


def sidecars_of(manifest: Manifest, corpus: Corpus) -> Corpus:
    """Return the corpus with only the files that the release was made from, in the order of its manifest.

    Files that were registered anew with other bytes are left out: positions mean nothing in them.
    """
    by_pin = {sidecar.pin: sidecar for sidecar in corpus.sidecars}
    return replace(corpus, sidecars=tuple(by_pin[file.pin] for file in manifest.files if file.pin in by_pin))


def check_registered(manifest: Manifest, corpus: Corpus) -> None:
    """Raise unless the corpus has every file of a release, with the bytes it was made from.

    Raises:
        IntegrityError: a file was registered anew with other bytes, or is no longer part of the corpus.
        CorpusError: a file was changed since it was registered.
    """
    require_registered(manifest, corpus)
    corpus.check_files()


def require_registered(manifest: Manifest, corpus: Corpus) -> None:
    """Raise unless the corpus has every file of a release as it is registered, with the bytes it was made from.

    Raises:
        IntegrityError: a file was registered anew with other bytes, or is no longer part of the corpus.
    """
    known = {sidecar.pin for sidecar in corpus.sidecars}
    for file in manifest.files:
        if file.pin not in known:
            raise changed(file, "is registered with other bytes now, or not at all")


def reproduce(
    release: SealedRelease,
    basis: Basis,
    *,
    sidecars: Sequence[Sidecar],
    erased: npt.NDArray[np.uint32],
    runner: builder.Runner,
    progress: builder.Progress | None = None,
) -> Finding:
    """Decide every item again and compare bitmaps and counts byte by byte.

    Args:
        release: what was sealed; `sidecars` are those of its files, in its order.
        basis: what it was decided by, as the ledger has it.
        sidecars: the files.
        erased: the seats of people who were erased since.
        runner: where the work is done.
        progress: called with the number of items decided since the last call.
    """
    classes = basis.knowledge.classes
    counted = census.take(sidecars, classes.codes, classes=len(classes.members), width=len(basis.items), runner=runner)
    draft = builder.decide(sidecars, basis, census=counted, runner=runner, progress=progress)
    made = builder.content(draft, sidecars, runner=runner)
    same_bits = made.exclusions == release.read(EXCLUSIONS)
    if same_bits and digest(made.tallies) == release.manifest.tallies:
        return Finding(check=_CHECK)
    differing = [
        _unexplained(release, made, index=index, sidecar=sidecar, erased=erased)
        for index, sidecar in enumerate(sidecars)
    ]
    if any(differing):
        items = f"{sum(differing):,} {'item' if sum(differing) == 1 else 'items'}"
        problem = f"deciding every item again gives other answers for {items}"
        return Finding(check=_CHECK, problem=problem, code="release-not-reproduced")
    if not erased.size:
        return Finding(
            check=_CHECK, problem="deciding every item again gives other counts", code="release-not-reproduced"
        )
    return Finding(check=_CHECK)


def _unexplained(
    release: SealedRelease,
    made: builder.Content,
    *,
    index: int,
    sidecar: Sidecar,
    erased: npt.NDArray[np.uint32],
) -> int:
    """Return the number of items that differ though nobody they involve was erased."""
    pin = made.bitmaps[index]
    again = BitMap64.deserialize(unframe(made.exclusions[pin.offset : pin.offset + pin.length]))
    differing = again ^ BitMap64.deserialize(release.bitmap(release.manifest.files[index]))
    return len(differing - BitMap64(sidecar.rows_of(erased).tolist()))
