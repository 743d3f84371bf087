"""The kernel: sidecar and decision matrix in, packed bits and counts out. Integers only; no I/O, no SQL, no NULL.

For almost every item the decision is one gather and one look-up:

    class of the owner = person_class[seat]
    cell               = cells[class of the owner, class of the item]

What a cell cannot tell is decided row by row in `decide_rows`, vectorised and exact: dated cells (rules or refusals
with a date), items that involve several people, and single items that somebody made a choice about. The same function
decides the items of people whose choices changed, so that an incremental release and a full one cannot differ.

An *outcome* is an index into `Tables.outcomes`. An item whose owner allows it and an involved person does not has the
outcome of that person plus `Tables.involved_offset`; of several, that with the strongest reason, whatever the order in
which classes and outcomes were numbered: a release brought up to date must count like one built from nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from consentry.corpus.columns import UNKNOWN_DATE
from consentry.corpus.sidecar import Sidecar
from consentry.policy.evaluator import Decision, ReasonKind
from consentry.policy.matrix import DecisionMatrix, ItemClass
from consentry.policy.vocabulary import CATEGORIES
from consentry.release.roaring import CONTAINER_BITS

CHUNK_ROWS = CONTAINER_BITS
"""Rows decided at a time: the temporaries stay in the second-level cache."""
SPAN_ROWS = 16 * CHUNK_ROWS
"""Rows in one unit of work. A multiple of 8, so that spans concatenate to the bits of the file."""

Array = npt.NDArray[Any]
Outcomes = npt.NDArray[np.int64]
Rows = npt.NDArray[np.int64]
Bits = npt.NDArray[np.uint8]

_DENIED, _ALLOWED, _DATED = 0, 1, 2
_STRENGTH = {kind: strength for strength, kind in enumerate(ReasonKind)}


@dataclass(frozen=True, slots=True)
class Bounds:
    """Since when refusals with reach `future` hold, by seat and category.

    `keys` are seat * 256 + index of the category, ascending (u64); `since` the seconds of each.
    """

    keys: npt.NDArray[np.uint64]
    since: npt.NDArray[np.int64]

    def of(self, seats: Array, categories: Array) -> npt.NDArray[np.int64]:
        """Return the bound for each seat and category, -1 where there is none."""
        wanted = seats.astype(np.uint64) * np.uint64(256) + categories.astype(np.uint64)
        if not self.keys.size:
            return np.full(wanted.size, -1, dtype=np.int64)
        place = np.minimum(np.searchsorted(self.keys, wanted), self.keys.size - 1)
        return np.where(self.keys[place] == wanted, self.since[place], -1)


NO_BOUNDS = Bounds(np.empty(0, dtype=np.uint64), np.empty(0, dtype=np.int64))


@dataclass(frozen=True, slots=True)
class Tables:
    """Everything the kernel looks up. Shared read-only by all threads.

    `person_class[seat]` is the class of a person (seat 0: nobody); `cells` is int32, flat, person class major;
    `kinds` is uint8, the same shape: denied, allowed or dated. `ranks[outcome]` orders outcomes by `strength`.
    """

    person_class: Array
    cells: npt.NDArray[np.int32]
    kinds: npt.NDArray[np.uint8]
    variants: npt.NDArray[np.int32]
    thresholds: npt.NDArray[np.int64]
    item_categories: npt.NDArray[np.uint8]
    outcomes: tuple[Decision, ...]
    ranks: npt.NDArray[np.int64]
    allowed: npt.NDArray[np.bool_]
    bounds: Bounds

    @property
    def width(self) -> int:
        """Number of item classes."""
        return int(self.item_categories.size)

    @property
    def involved_offset(self) -> int:
        """What is added to an outcome that is an involved person's."""
        return len(self.outcomes)

    @property
    def has_dated_cells(self) -> bool:
        """Whether any cell depends on when an item was created."""
        return bool((self.kinds == _DATED).any())


def tables(
    matrix: DecisionMatrix,
    *,
    person_class: Array,
    items: Sequence[ItemClass],
    bounds: Bounds = NO_BOUNDS,
    further: Sequence[Decision] = (),
) -> Tables:
    """Lay out a matrix for the kernel.

    Args:
        matrix: decisions by class.
        person_class: class of each seat.
        items: the item classes, in code order.
        bounds: since when dated refusals hold.
        further: outcomes of items decided by themselves; they are numbered after those of the matrix.
    """
    outcomes = (*matrix.outcomes, *further)
    compact = np.array(matrix.cells, dtype=np.int32).reshape(len(matrix.cells), -1)
    cells = compact[np.array(matrix.person_rows)][:, np.array(matrix.item_columns, dtype=np.intp)]
    allowed = np.array([outcome.allowed for outcome in outcomes], dtype=np.bool_)
    kinds = np.where(cells < 0, _DATED, np.where(allowed[np.maximum(cells, 0)], _ALLOWED, _DENIED))
    codes = {category: code for code, category in enumerate(CATEGORIES)}
    return Tables(
        person_class=person_class,
        cells=np.ascontiguousarray(cells).reshape(-1),
        kinds=np.ascontiguousarray(kinds, dtype=np.uint8).reshape(-1),
        variants=np.array(matrix.variants, dtype=np.int32).reshape(-1, 2 * (len(matrix.thresholds) + 1) + 1),
        thresholds=np.array(matrix.thresholds, dtype=np.int64),
        item_categories=np.array([codes[each.category] for each in items], dtype=np.uint8),
        outcomes=outcomes,
        ranks=_ranks(outcomes),
        allowed=allowed,
        bounds=bounds,
    )


def strength(decision: Decision) -> tuple[tuple[int, str], ...]:
    """Return what orders decisions, the one with the strongest reasons first."""
    return tuple((_STRENGTH[reason.kind], reason.reference) for reason in decision.reasons)


def _ranks(outcomes: Sequence[Decision]) -> npt.NDArray[np.int64]:
    ranks = np.empty(len(outcomes), dtype=np.int64)
    ranks[sorted(range(len(outcomes)), key=lambda index: strength(outcomes[index]))] = np.arange(len(outcomes))
    return ranks


class SpanResult(NamedTuple):
    """What the fast pass found for one span: bits of allowed items, counts by cell, rows that need a closer look."""

    allowed: Bits
    counts: npt.NDArray[np.int64]
    dated: Rows


def decide_span(sidecar: Sidecar, start: int, stop: int, look: Tables, *, count: bool = True) -> SpanResult:
    """Decide rows [start, stop) of a file by cells alone. `start` is a multiple of 8.

    Args:
        sidecar: the file.
        start: first row.
        stop: end of the rows.
        look: the tables.
        count: whether to count by cell; without, `counts` is empty.
    """
    seat = np.empty(CHUNK_ROWS, dtype=np.intp)
    klass = np.empty(CHUNK_ROWS, dtype=look.person_class.dtype)
    cell = np.empty(CHUNK_ROWS, dtype=np.intp)
    kind = np.empty(CHUNK_ROWS, dtype=np.uint8)
    bits = np.empty((stop - start + 7) // 8, dtype=np.uint8)
    counts = np.zeros(look.kinds.size if count else 0, dtype=np.int64)
    any_dated = look.has_dated_cells
    dated = []
    for first in range(start, stop, CHUNK_ROWS):
        last = min(first + CHUNK_ROWS, stop)
        rows = slice(0, last - first)
        np.copyto(seat[rows], sidecar.person[first:last])
        # INVARIANT: every seat and cell is in range, by construction; `clip` only spares NumPy a check and a copy.
        np.take(look.person_class, seat[rows], out=klass[rows], mode="clip")
        np.multiply(klass[rows], look.width, out=cell[rows], dtype=np.intp, casting="unsafe")
        np.add(cell[rows], sidecar.klass[first:last], out=cell[rows], casting="unsafe")
        np.take(look.kinds, cell[rows], out=kind[rows], mode="clip")
        if count:
            counts += np.bincount(cell[rows], minlength=counts.size)
        if any_dated:
            dated.append(np.flatnonzero(kind[rows] == _DATED) + first)
            np.equal(kind[rows], _ALLOWED, out=kind[rows], casting="unsafe")
        offset = (first - start) // 8
        packed = np.packbits(kind[rows], bitorder="little")
        bits[offset : offset + packed.size] = packed
    return SpanResult(bits, counts, np.concatenate(dated) if dated else np.empty(0, dtype=np.int64))


def decide_rows(sidecar: Sidecar, rows: Rows, look: Tables, exceptions: Mapping[int, int] | None = None) -> Outcomes:
    """Return the outcome of each of `rows` (ascending, distinct), exactly.

    Args:
        sidecar: the file.
        rows: positions in the file.
        look: the tables.
        exceptions: outcomes of rows that were decided by themselves.
    """
    outcome: Outcomes = _for_people(sidecar, rows, sidecar.person[rows], look)
    involved = _involved_pairs(sidecar, rows)
    if involved.size:
        pair_rows = sidecar.involved_row[involved].astype(np.int64)
        verdict = _for_people(sidecar, pair_rows, sidecar.involved_person[involved], look)
        against = ~look.allowed[verdict]
        where = np.searchsorted(rows, pair_rows[against])
        worst = np.full(rows.size, look.involved_offset)
        np.minimum.at(worst, where, look.ranks[verdict[against]])
        overruled = np.flatnonzero(look.allowed[outcome] & (worst < look.involved_offset))
        outcome[overruled] = np.argsort(look.ranks)[worst[overruled]] + look.involved_offset
    if exceptions:
        for row, own in exceptions.items():
            place = int(np.searchsorted(rows, row))
            if place < rows.size and rows[place] == row:
                outcome[place] = own
    return outcome


def _for_people(sidecar: Sidecar, rows: Rows, seats: Array, look: Tables) -> npt.NDArray[np.int64]:
    items = sidecar.klass[rows].astype(np.int64)
    cells: Outcomes = look.cells[look.person_class[seats].astype(np.int64) * look.width + items].astype(np.int64)
    dated = np.flatnonzero(cells < 0)
    if dated.size:
        created = _created(sidecar, rows[dated])
        since = look.bounds.of(seats[dated], look.item_categories[items[dated]])
        spans = np.searchsorted(look.thresholds, created, side="right")
        variant = 2 * spans + ((since >= 0) & (created >= since))
        variant[created == UNKNOWN_DATE] = 2 * (look.thresholds.size + 1)
        cells[dated] = look.variants[-1 - cells[dated], variant]
    return cells


def _created(sidecar: Sidecar, rows: Rows) -> npt.NDArray[np.int64]:
    if sidecar.created is None:
        return np.full(rows.size, UNKNOWN_DATE, dtype=np.int64)
    return sidecar.created[rows].astype(np.int64)


def _involved_pairs(sidecar: Sidecar, rows: Rows) -> Rows:
    """Return the indices of the involvement pairs of `rows`; pairs are in row order."""
    if not sidecar.involved_row.size or not rows.size:
        return np.empty(0, dtype=np.int64)
    place = np.minimum(np.searchsorted(rows, sidecar.involved_row), rows.size - 1)
    return np.flatnonzero(rows[place] == sidecar.involved_row)


class Tally(NamedTuple):
    """How many items have each combination of person class, item class and outcome; see FileDecision."""

    keys: npt.NDArray[np.int64]
    counts: npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class FileDecision:
    """All decisions about one file.

    `allowed` are the packed bits of eligible items; `tally` counts items by key = (person class * width + item class) *
    (2 * number of outcomes) + outcome, as an array of keys and one of counts.
    """

    allowed: Bits
    rows: int
    tally: Tally


def finish_file(
    sidecar: Sidecar, spans: Sequence[SpanResult], look: Tables, exceptions: Mapping[int, int] | None = None
) -> FileDecision:
    """Put the spans of a file together and decide by itself every row that a cell alone cannot decide."""
    allowed = np.concatenate([span.allowed for span in spans]) if spans else np.empty(0, dtype=np.uint8)
    counts = np.sum([span.counts for span in spans], axis=0) if spans else np.zeros(look.kinds.size, dtype=np.int64)
    special = special_rows(sidecar, spans, exceptions)
    outcomes = decide_rows(sidecar, special, look, exceptions)
    set_bits(allowed, special, _is_allowed(outcomes, look))
    cells = cells_of(sidecar, special, look)
    counts = counts - np.bincount(cells, minlength=counts.size)
    plain = np.flatnonzero(counts)
    keys = np.concatenate([_key(plain, look.cells[plain].astype(np.int64), look), _key(cells, outcomes, look)])
    values = np.concatenate([counts[plain], np.ones(special.size, dtype=np.int64)])
    return FileDecision(allowed=allowed, rows=sidecar.rows, tally=add_up(keys, values))


def special_rows(sidecar: Sidecar, spans: Sequence[SpanResult], exceptions: Mapping[int, int] | None) -> Rows:
    """Return the rows of a file that a cell alone cannot decide, ascending."""
    listed = np.array(sorted(exceptions or ()), dtype=np.int64)
    return np.unique(np.concatenate([*(span.dated for span in spans), sidecar.involved_row.astype(np.int64), listed]))


def cells_of(sidecar: Sidecar, rows: Rows, look: Tables) -> npt.NDArray[np.int64]:
    """Return the index of each row's cell."""
    cells: npt.NDArray[np.int64] = look.person_class[sidecar.person[rows]].astype(np.int64) * look.width
    cells += sidecar.klass[rows]
    return cells


def _key(cells: Array, outcomes: Array, look: Tables) -> npt.NDArray[np.int64]:
    return cells.astype(np.int64) * (2 * look.involved_offset) + outcomes


def tally_rows(sidecar: Sidecar, rows: Rows, outcomes: Array, look: Tables) -> Tally:
    """Count `rows` with their outcomes."""
    return add_up(_key(cells_of(sidecar, rows, look), outcomes, look), np.ones(rows.size, dtype=np.int64))


def add_up(keys: npt.NDArray[np.int64], counts: npt.NDArray[np.int64]) -> Tally:
    """Add the counts of equal keys and drop the keys that come to nothing."""
    distinct, place = np.unique(keys, return_inverse=True)
    totals = np.bincount(place, weights=counts, minlength=distinct.size).astype(np.int64)
    kept = totals != 0
    return Tally(distinct[kept], totals[kept])


def _is_allowed(outcomes: Array, look: Tables) -> npt.NDArray[np.bool_]:
    allowed: npt.NDArray[np.bool_] = look.allowed[outcomes % look.involved_offset] & (outcomes < look.involved_offset)
    return allowed


def set_bits(bits: Bits, rows: Rows, values: npt.NDArray[np.bool_]) -> None:
    """Set the bits at `rows` (distinct) to `values`, in place."""
    masks = np.left_shift(np.uint8(1), (rows & 7).astype(np.uint8))
    ones, zeros = values, ~values
    np.bitwise_or.at(bits, rows[ones] >> 3, masks[ones])
    np.bitwise_and.at(bits, rows[zeros] >> 3, ~masks[zeros])


def excluded_bits(allowed: Bits, rows: int) -> Bits:
    """Return the packed bits of the items of a file of `rows` that are not eligible."""
    bits: Bits = ~allowed
    if rows % 8 and bits.size:
        bits[-1] &= (1 << rows % 8) - 1
    return bits
