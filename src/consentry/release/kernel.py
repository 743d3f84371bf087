"""The kernel: sidecar and decision matrix in, packed bits and counts out. Integers only; no I/O, no SQL, no NULL.

For almost every item the decision is one gather from a byte a seat, and one look-up in a table of a few hundred bytes:

    kind = kinds[row[seat] * item classes + item class]

An item is denied, allowed or *dated*. Then the cell of the owner's class and the item's holds variants instead of an
*outcome*: one is chosen by when the item was created and since when the owner's refusal holds. What the owner alone cannot
decide is decided in `decide_rows`: items that involve several people, and single items that somebody made a choice
about. The same function decides the items of people whose choices changed, so that an incremental release and a full
one cannot differ.

An outcome is an index into `Tables.outcomes`. An item whose owner allows it and an involved person does not has the
outcome of that person plus `Tables.involved_offset`; of several, that with the strongest reason, whatever the order in
which classes and outcomes were numbered: a release brought up to date must count like one built from nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from consentry.corpus.columns import UNKNOWN_DATE
from consentry.corpus.sidecar import Sidecar
from consentry.errors import IntegrityError
from consentry.release.tables import DATED, BySeat, Tables

SPAN_ROWS = 1 << 20
"""Rows in one unit of work: enough that threads seldom wait for each other, few enough that all are busy to the end.

A multiple of 8, so that spans concatenate to the bits of the file."""
_CHUNK_ROWS = 1 << 17
"""Rows worked through at a time: their intermediate results stay in the processor's cache."""

Array = npt.NDArray[Any]
Outcomes = npt.NDArray[np.int64]
Rows = npt.NDArray[np.int64]
Bits = npt.NDArray[np.uint8]
Kinds = npt.NDArray[np.uint8]


class Tally(NamedTuple):
    """How many items have each combination of person class, item class and outcome.

    A key is (person class * width + item class) * (2 * number of outcomes) + outcome. Keys are ascending and distinct.
    """

    keys: npt.NDArray[np.int64]
    counts: npt.NDArray[np.int64]


_NO_TALLY = Tally(np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64))


def add_up(tallies: Iterable[Tally]) -> Tally:
    """Add the counts of equal keys and drop the keys that come to nothing."""
    found = list(tallies)
    keys = np.concatenate([_NO_TALLY.keys, *(each.keys for each in found)])
    counts = np.concatenate([_NO_TALLY.counts, *(each.counts for each in found)])
    order = np.argsort(keys, kind="stable")
    keys = keys[order]
    starts = np.flatnonzero(np.diff(keys, prepend=-1))
    totals = np.add.reduceat(counts[order], starts) if starts.size else counts
    kept = totals != 0
    return Tally(keys[starts][kept], totals[kept])


class SpanResult(NamedTuple):
    """What the owners alone decide in one span.

    `allowed`: bits of allowed items. `counts`: items by cell, those in dated cells left out. `dated`: items in dated
    cells, by number of the dated cell and variant (`Tables.dated_number`).
    """

    allowed: Bits
    counts: npt.NDArray[np.int64]
    dated: npt.NDArray[np.int64]


def decide_span(sidecar: Sidecar, start: int, *, stop: int, look: Tables, seats: BySeat) -> SpanResult:
    """Decide rows [start, stop) of a file as far as their owners do. `start` is a multiple of 8.

    Args:
        sidecar: the file.
        start: first row.
        stop: end of the rows.
        look: the tables.
        seats: the same by seat. Laid out without counting, `counts` and `dated` are empty.
    """
    count = bool(seats.first_cell.size)
    kinds = np.empty(stop - start, dtype=np.uint8)
    _look_up(sidecar, slice(start, stop), look, seats, kinds)
    dated = np.flatnonzero(kinds == DATED)
    dated_counts = np.zeros(0, dtype=np.int64)
    if dated.size or count:
        found = _dated_at(sidecar, dated + start, look)
        variant = _variant(found, look)
        kinds[dated] = look.allowed[_outcomes_of(found.cell, variant, look)]
        if count:
            code = look.dated_number[found.cell] * look.variants.shape[1] + variant
            dated_counts = np.bincount(code, minlength=look.dated)
    counts = _count(sidecar, slice(start, stop), look, seats) if count else dated_counts[:0]
    return SpanResult(np.packbits(kinds, bitorder="little"), counts, dated_counts)


def _look_up(sidecar: Sidecar, rows: slice, look: Tables, seats: BySeat, kinds: Kinds) -> None:
    """Fill in what the owner's class says about the class of each item."""
    row_of, kind_of = pa.array(seats.row), pa.array(seats.kinds)
    code = np.empty(_CHUNK_ROWS, dtype=np.min_scalar_type(seats.kinds.size))
    for first in range(rows.start, rows.stop, _CHUNK_ROWS):
        part = slice(first, min(first + _CHUNK_ROWS, rows.stop))
        person, klass = sidecar.person[part], sidecar.klass[part]
        if person.max() >= seats.row.size or klass.max() >= look.width:
            raise _not_there(sidecar)
        at = code[: person.size]
        np.multiply(_gathered(row_of, person), at.dtype.type(look.width), out=at, casting="unsafe")
        np.add(at, klass, out=at, casting="unsafe")
        kinds[first - rows.start : part.stop - rows.start] = _gathered(kind_of, at)


def _not_there(sidecar: Sidecar) -> IntegrityError:
    """Return the error for a row that names a seat or class nobody has: it would be decided as somebody else's."""
    return IntegrityError(
        "corpus-sidecar-damaged",
        f"the sidecar of `{sidecar.pin.path}` names people or classes that are not there",
        help="restore the home from one backup, or register the corpus again",
    )


def _count(sidecar: Sidecar, rows: slice, look: Tables, seats: BySeat) -> npt.NDArray[np.int64]:
    """Count items by cell, but for those in dated cells. The rows are known to be in range."""
    first_cell = pa.array(seats.first_cell)
    counts = np.zeros(look.kinds.size, dtype=np.int64)
    # Where there are more cells than rows in a chunk, adding up the counts of each chunk would cost more than counting.
    step = max(_CHUNK_ROWS, rows.stop - rows.start if counts.size > _CHUNK_ROWS else 0)
    for first in range(rows.start, rows.stop, step):
        part = slice(first, min(first + step, rows.stop))
        cell = _gathered(first_cell, sidecar.person[part]) + sidecar.klass[part]
        counts += np.bincount(cell, minlength=counts.size)
    counts[look.cells < 0] = 0
    return counts


def _gathered(table: pa.Array, indices: Array) -> Array:
    """Return the entries of a table at indices that are known to be in range.

    Arrow takes narrow indices as they are, where NumPy widens them first: with two threads it is half as fast again.
    """
    found: Array = pc.take(table, pa.array(indices), boundscheck=False).to_numpy()
    return found


class _Dated(NamedTuple):
    """Items in dated cells: cell, seat of the owner, item class, seconds of creation."""

    cell: Array
    seat: Array
    klass: Array
    created: npt.NDArray[np.int64]


def _dated_at(sidecar: Sidecar, rows: Rows, look: Tables) -> _Dated:
    seat, klass = sidecar.person[rows], sidecar.klass[rows]
    return _Dated(look.cells_of(seat, klass), seat, klass, _created(sidecar, rows))


def _variant(dated: _Dated, look: Tables) -> Outcomes:
    """Return which variant of its cell holds for when each item was created."""
    since = look.bounds.of(dated.seat, look.item_categories[dated.klass])
    variant: npt.NDArray[np.int64] = (dated.created >= since).astype(np.int64)
    if look.thresholds.size:
        variant += 2 * np.searchsorted(look.thresholds, dated.created, side="right")
    variant[dated.created == UNKNOWN_DATE] = 2 * (look.thresholds.size + 1)
    return variant


def _outcomes_of(cells: Array, variant: Array, look: Tables) -> Outcomes:
    """Return the outcomes of dated cells in their variants."""
    outcomes: Outcomes = look.variants[-1 - look.cells[cells], variant].astype(np.int64)
    return outcomes


def decide_rows(sidecar: Sidecar, rows: Rows, *, look: Tables, exceptions: Mapping[int, int] | None = None) -> Outcomes:
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


def _for_people(sidecar: Sidecar, rows: Rows, seats: Array, look: Tables) -> Outcomes:
    klass = sidecar.klass[rows]
    cells = look.cells_of(seats, klass)
    outcomes: Outcomes = look.cells[cells].astype(np.int64)
    dated = np.flatnonzero(outcomes < 0)
    if dated.size:
        found = _Dated(cells[dated], seats[dated], klass[dated], _created(sidecar, rows[dated]))
        outcomes[dated] = _outcomes_of(found.cell, _variant(found, look), look)
    return outcomes


def _created(sidecar: Sidecar, rows: Rows) -> npt.NDArray[np.int64]:
    if sidecar.created is None:
        return np.full(rows.size, UNKNOWN_DATE, dtype=np.int64)
    return sidecar.created[rows].astype(np.int64)


def _involved_pairs(sidecar: Sidecar, rows: Rows) -> Rows:
    """Return the indices of the involvement pairs of `rows`; pairs are in row order."""
    first = np.searchsorted(sidecar.involved_row, rows, side="left")
    lengths = np.searchsorted(sidecar.involved_row, rows, side="right") - first
    # Entry k of a row's pairs is first + k: the distance of each pair from the pairs of the rows before it.
    return np.repeat(first - np.cumsum(lengths) + lengths, lengths) + np.arange(int(lengths.sum()))


@dataclass(frozen=True, slots=True)
class FileDecision:
    """All decisions about one file: the packed bits of eligible items, and how many have which outcome."""

    allowed: Bits
    rows: int
    tally: Tally


def finish_file(
    sidecar: Sidecar, spans: Sequence[SpanResult], *, look: Tables, exceptions: Mapping[int, int] | None = None
) -> FileDecision:
    """Put the spans of a file together and decide by itself every row that its owner alone does not decide."""
    allowed = np.concatenate([np.empty(0, dtype=np.uint8), *(span.allowed for span in spans)])
    counts = np.sum([np.zeros(look.kinds.size, dtype=np.int64), *(span.counts for span in spans)], axis=0)
    plain = np.flatnonzero(counts)
    parts = [Tally(_keys(plain, look.cells[plain].astype(np.int64), look), counts[plain])]
    parts.append(_dated_tally(sum((span.dated for span in spans), np.zeros(look.dated, dtype=np.int64)), look))
    special = np.union1d(sidecar.involved_row.astype(np.int64), np.array(sorted(exceptions or ()), dtype=np.int64))
    if special.size:
        cells = look.cells_of(sidecar.person[special], sidecar.klass[special])
        before = _counted(cells, _for_people(sidecar, special, sidecar.person[special], look), look)
        outcomes = decide_rows(sidecar, special, look=look, exceptions=exceptions)
        set_bits(allowed, special, values=is_allowed(outcomes, look))
        parts += [Tally(before.keys, -before.counts), _counted(cells, outcomes, look)]
    return FileDecision(allowed=allowed, rows=sidecar.rows, tally=add_up(parts))


def _dated_tally(counts: npt.NDArray[np.int64], look: Tables) -> Tally:
    """Return the items in dated cells, counted by number and variant, with their outcomes."""
    found = np.flatnonzero(counts)
    number, variant = np.divmod(found, look.variants.shape[1])
    cells = np.flatnonzero(look.kinds == DATED)[number]
    # Two variants may have one outcome.
    return add_up([Tally(_keys(cells, _outcomes_of(cells, variant, look), look), counts[found])])


def _keys(cells: Array, outcomes: Array, look: Tables) -> npt.NDArray[np.int64]:
    keys: npt.NDArray[np.int64] = cells.astype(np.int64) * (2 * look.involved_offset)
    keys += outcomes
    return keys


def _counted(cells: Array, outcomes: Outcomes, look: Tables) -> Tally:
    keys, counts = np.unique_counts(_keys(cells, outcomes, look))
    return Tally(keys, counts)


def tally_rows(sidecar: Sidecar, rows: Rows, *, outcomes: Outcomes, look: Tables) -> Tally:
    """Count `rows` with their outcomes."""
    return _counted(look.cells_of(sidecar.person[rows], sidecar.klass[rows]), outcomes, look)


def is_allowed(outcomes: Outcomes, look: Tables) -> npt.NDArray[np.bool_]:
    """Say which outcomes allow."""
    allowed: npt.NDArray[np.bool_] = look.allowed[outcomes % look.involved_offset] & (outcomes < look.involved_offset)
    return allowed


def set_bits(bits: Bits, rows: Rows, *, values: npt.NDArray[np.bool_]) -> None:
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
