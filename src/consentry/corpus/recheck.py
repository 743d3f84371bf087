"""Sidecars held against the files they were made from, read once more.

Everything is decided from sidecars, so one that says something else than its file decides wrongly and agrees with
itself. A sidecar made anew shows it. People may have been erased since, whose ids lead to no seat any more, or to
another one.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from consentry.corpus.item_classes import ItemClasses
from consentry.corpus.registration import Corpus
from consentry.corpus.sidecar import Identities, Progress, Sidecar, load
from consentry.corpus.sidecar_build import build
from consentry.digests import digest_file
from consentry.errors import CorpusError

Seats = npt.NDArray[np.uint32]
Array = npt.NDArray[Any]

_EXACT = ("klass", "involved_row", "item")


def recheck(
    corpus: Corpus,
    sidecar: Sidecar,
    *,
    identities: Identities,
    erased: Callable[[], Seats],
    folder: Path,
    progress: Progress | None = None,
) -> None:
    """Read the file of a sidecar again, and compare.

    A file that is gone or has other bytes now is not compared: that it changed is for others to say.

    Args:
        corpus: the corpus that has the sidecar.
        sidecar: what is checked.
        identities: turn ids into seats and keys, giving nobody a new seat.
        erased: the seats of people who were erased, asked for after the file was read.
        folder: an empty folder for the sidecar made anew; nothing of it is needed afterwards.
        progress: called with the number of items read since the last call.

    Raises:
        CorpusError: the sidecar does not say what the file says.
    """
    source = corpus.path(sidecar)
    try:
        build(
            source,
            folder / "anew",
            name=sidecar.pin.path,
            descriptor=corpus.descriptor,
            identities=identities,
            classes=ItemClasses(list(corpus.items)),
            keep_classes=lambda: None,
            progress=progress,
        )
    except (CorpusError, FileNotFoundError):
        if not source.exists() or digest_file(source) != sidecar.pin.digest:
            return
        raise
    anew = load(folder / "anew")
    wrong = differing(sidecar, anew, erased=erased()) if anew.pin == sidecar.pin else []
    if wrong:
        raise CorpusError(
            "corpus-sidecar-wrong",
            f"the sidecar of `{sidecar.pin.path}` does not say what the file says: {', '.join(wrong)}",
            help="do not use the release; find out who can write to the home, and register the corpus again",
        )


def differing(stored: Sidecar, anew: Sidecar, *, erased: Seats) -> list[str]:
    """Return the names of the arrays of `stored` that are wrong."""
    wrong = [name for name in _EXACT if not np.array_equal(getattr(stored, name), getattr(anew, name))]
    if not _same_dates(stored.created, anew.created):
        wrong.append("created")
    for name in ("person", "involved_person"):
        said, found = getattr(stored, name), getattr(anew, name)
        if said.size != found.size or not np.isin(said[said != found], erased).all():
            wrong.append(name)
    if not np.array_equal(_pairs(stored.posting_person, stored.posting_row), _postings(stored)):
        wrong.append("postings")
    return wrong


def _same_dates(stored: Array | None, anew: Array | None) -> bool:
    if stored is None or anew is None:
        return stored is anew
    return np.array_equal(stored, anew)


def _postings(sidecar: Sidecar) -> Array:
    """Return the pairs of seat and position that the postings must hold."""
    rows = np.arange(sidecar.rows, dtype=np.uint32)
    own, involved = _pairs(sidecar.person, rows), _pairs(sidecar.involved_person, sidecar.involved_row)
    return np.sort(np.concatenate([own, involved]))


def _pairs(seats: Array, rows: Array) -> Array:
    pairs: Array = seats.astype(np.uint64) << np.uint64(32) | rows.astype(np.uint64)
    return pairs
