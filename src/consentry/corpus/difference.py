"""What a sidecar says otherwise than one that was built anew of the same file.

People may have been erased in between, whose ids lead to no seat any more, or to another one.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from consentry.corpus.sidecar import Sidecar

Seats = npt.NDArray[np.uint32]
Array = npt.NDArray[Any]

_EXACT = ("klass", "involved_row", "item")


def nobody() -> Seats:
    """Return the seats of people who were erased where nobody was."""
    return np.empty(0, dtype=np.uint32)


def differing(stored: Sidecar, anew: Sidecar, *, erased: Seats) -> list[str]:
    """Return the names of the arrays of `stored` that are wrong, if those of `anew` are what the file says."""
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
