"""What the kernel looks up for every item, laid out by seat: as a rule a byte a person, which stays in the cache.

    kind = kinds[row[seat] * item classes + item class]

Few rows of a decision matrix differ in what they allow: with few kinds, a byte holds the product, and is not multiplied
for every item. A kind is DENIED, ALLOWED, or DATED + k: then question k says
what to do. Refusals that began at about the same time share a question: an item created before all of them, or after
all of them, is decided without looking anybody up.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from consentry.release.tables import ALLOWED, DATED, DENIED, NO_BOUND, Bounds, Tables

Array = npt.NDArray[Any]

_PART = 1 << 16
_BYTE = 1 << 8
_SAMPLE = 1 << 12
_FEWEST_SPANS = 4
_ASK, _NO_REFUSAL, _SPANS = 0, 1, 2
"""Groups of people by their dated refusal: to be looked up, none, and from here on one span of time each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SeatTables:
    """`row[seat]` is the row of a person, if `multiplied` times the number of item classes. Shared read-only.

    An item created before `since[k]` comes before the refusal of everybody whom question k is about, one created at
    `until[k]` or later comes after it; in between the person has to be looked up. `allowed[k]` says which variants
    allow. `count`: also what is denied in every variant is DATED, because the reasons differ.
    """

    row: Array
    multiplied: bool
    kinds: Array
    since: npt.NDArray[np.int64]
    until: npt.NDArray[np.int64]
    allowed: npt.NDArray[np.bool_]
    count: bool


class _Groups(NamedTuple):
    """People with dated refusals, by when these began; see `_ASK`."""

    since: npt.NDArray[np.int64]
    until: npt.NDArray[np.int64]
    edges: npt.NDArray[np.int64]


def by_seat(look: Tables, *, count: bool) -> SeatTables:
    """Lay tables out by seat; `count`: for counting outcomes as well."""
    if not look.width:
        nothing = np.empty(0, dtype=np.int64)
        row = np.zeros(look.person_class.size, dtype=np.uint8)
        allowed = look.variants > 0
        return SeatTables(
            row=row, multiplied=True, kinds=row[:0], since=nothing, until=nothing, allowed=allowed, count=count
        )
    rows, patterns = _kinds(look, count=count)
    distinct, number = np.unique(rows, axis=0, return_inverse=True)
    dated = (distinct >= DATED).any(axis=1)
    plain = int((~dated).sum())
    room = _room(plain, int(dated.sum()), look.width)
    groups = _groups(look.bounds, rows=room, kinds=_BYTE // len(patterns) - DATED)
    each = groups.since.size
    begun = _NO_REFUSAL if each > 1 else _ASK
    place = np.where(dated, plain + (np.cumsum(dated) - 1) * each + begun, np.cumsum(~dated) - 1)
    spread = [
        np.where(row >= DATED, DATED + (row - DATED) * each + group, row)
        for row in distinct[dated]
        for group in range(each)
    ]
    laid = np.concatenate([distinct[~dated], *(row[np.newaxis] for row in spread)])
    of_class = place[number.reshape(-1)][look.first_cell // max(1, look.width)]
    of_class = of_class.astype(np.min_scalar_type(len(laid)))
    row = _by_class(of_class, look.person_class)
    if each > 1:
        _put_into_groups(row, look.bounds, groups, first=plain + _NO_REFUSAL)
    multiplied = laid.size < _BYTE
    return SeatTables(
        row=row * np.uint8(look.width) if multiplied else row,
        multiplied=multiplied,
        kinds=laid.reshape(-1).astype(np.min_scalar_type(DATED + len(patterns) * each - 1)),
        since=np.tile(groups.since, len(patterns)),
        until=np.tile(groups.until, len(patterns)),
        allowed=np.repeat(patterns, each, axis=0),
        count=count,
    )


def _kinds(look: Tables, *, count: bool) -> tuple[Array, npt.NDArray[np.bool_]]:
    """Return the kind of every cell, and for each question which variants allow (at least one row)."""
    allowed = np.concatenate([look.allowed[look.variants], np.zeros((1, look.variants.shape[1]), dtype=np.bool_)])
    patterns, of_variant = np.unique(allowed, axis=0, return_inverse=True)
    question = (of_variant.reshape(-1) + DATED).astype(np.int64)
    if not count:
        always, never = allowed.all(axis=1), ~allowed.any(axis=1)
        question[always], question[never] = ALLOWED, DENIED
    kinds: Array = np.where(look.kinds == DATED, question[np.maximum(-1 - look.cells, 0)], look.kinds)
    return kinds.reshape(-1, look.width), patterns


def _room(plain: int, dated: int, width: int) -> int:
    """Return in how many groups a dated row can be, so that all places, or at least all rows, fit into a byte."""
    dated = max(1, dated)
    places = (_BYTE // max(1, width) - plain) // dated
    return places if places >= _SPANS + _FEWEST_SPANS else (_BYTE - plain) // dated


def _groups(bounds: Bounds, *, rows: int, kinds: int) -> _Groups:
    """Choose so many groups that rows and kinds still fit into a byte; only `_ASK` if they do not."""
    spans = min(rows, kinds) - _SPANS
    if spans < 1:
        return _Groups(np.array([-1]), np.array([NO_BOUND]), np.empty(0, dtype=np.int64))
    known = bounds.everywhere
    sample = np.sort(known[:: known.size // _SAMPLE + 1])
    edges = np.unique(sample[np.arange(1, spans) * sample.size // spans]) if sample.size else sample
    least, most = (int(known.min()), int(known.max())) if known.size else (0, 0)
    return _Groups(
        np.concatenate([[-1, NO_BOUND, least], edges]),
        np.concatenate([[NO_BOUND, NO_BOUND], edges, [most]]),
        edges,
    )


def _put_into_groups(row: Array, bounds: Bounds, groups: _Groups, *, first: int) -> None:
    """Move people with dated refusals from `_NO_REFUSAL` into their groups; dated rows begin at `first`."""
    group = np.searchsorted(groups.edges, bounds.everywhere, side="right") + _SPANS
    # Whoever refused single categories has a bound for each of them.
    narrow = np.unique(bounds.keys >> np.uint64(8)).astype(bounds.seats.dtype)
    group[np.isin(bounds.seats, narrow)] = _ASK
    alone = np.setdiff1d(narrow, bounds.seats)
    seats = np.concatenate([bounds.seats, alone])
    group = np.concatenate([group, np.full(alone.size, _ASK)])
    concerned = row[seats] >= first
    row[seats[concerned]] += (group[concerned] - _NO_REFUSAL).astype(row.dtype)


def _by_class(of_class: Array, person_class: Array) -> Array:
    """Return the entry of every seat's class."""
    found = np.empty(person_class.size, dtype=of_class.dtype)
    for start in range(0, found.size, _PART):
        part = slice(start, start + _PART)
        np.take(of_class, person_class[part], out=found[part], mode="clip")
    return found
