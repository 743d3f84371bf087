"""The kernel: sidecar and decision matrix in, packed bits and counts out. Integers only; no I/O, no SQL, no NULL.

For almost every item the decision is one gather from a byte a person, and one from a few thousand bytes (`SeatTables`).
An item is denied, allowed or *dated*: then the cell of the owner's class and the item's holds variants instead of an
*outcome*, one of which is chosen by when the item was created and since when the owner's refusal holds. How many items
have which outcome follows from the census; only dated items are counted.

What the owner alone cannot decide is decided in `decide_rows`: items that involve several people, and single items that
somebody made a choice about. The same function decides the items of people whose choices changed, so that a release
brought up to date and a full one cannot differ.

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

from consentry.corpus.columns import UNKNOWN_DATE
from consentry.corpus.sidecar import Sidecar, gathered
from consentry.release.seat_tables import SeatTables
from consentry.release.tables import DATED, Tables

SPAN_ROWS = 1 << 21
"""The most rows in one unit of work. A span is worked through at once: each call into a library may hand the
interpreter to another thread, which costs more than what is in between being out of the cache. What a thread
needs of memory grows with it, most where all items are dated."""

Array = npt.NDArray[Any]
Outcomes = npt.NDArray[np.int64]
Rows = npt.NDArray[np.int64]
Bits = npt.NDArray[np.uint8]


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


def spans_of(rows: int) -> list[tuple[int, int]]:
    """Return the (start, stop) of the units of work of a file: of about one size, so that threads are done together.

    Each starts at a multiple of 8, so that their bits one after another are the bits of the file.
    """
    count = max(1, -(-rows // SPAN_ROWS))
    step = max(8, -(-rows // (8 * count)) * 8)
    return [(start, min(start + step, rows)) for start in range(0, rows, step)]


class SpanResult(NamedTuple):
    """What the owners alone decide in one span.

    `allowed`: bits of allowed items. `dated`: items in dated cells, by number of the dated cell and variant
    (`Tables.dated_number`).
    """

    allowed: Bits
    dated: npt.NDArray[np.int64]


def decide_span(sidecar: Sidecar, start: int, *, stop: int, look: Tables, seats: SeatTables) -> SpanResult:
    """Decide rows [start, stop) of a file as far as their owners do. `start` is a multiple of 8.

    Args:
        sidecar: the file.
        start: first row.
        stop: end of the rows.
        look: the tables.
        seats: the same by seat. Laid out without counting, `dated` is empty.
    """
    kinds = _look_up(sidecar, slice(start, stop), width=look.width, seats=seats)
    dated = np.flatnonzero(kinds >= DATED)
    question = kinds[dated].astype(np.intp) - DATED
    dated += start
    variant = _variant_asked(sidecar, dated, question, look=look, seats=seats)
    kinds[dated - start] = seats.allowed[question, variant]
    counts = np.zeros(0, dtype=np.int64)
    if seats.count:
        cells = look.cells_of(sidecar.person[dated], sidecar.klass[dated])
        counts = np.bincount(look.dated_number[cells] * look.variants.shape[1] + variant, minlength=look.dated)
    return SpanResult(np.packbits(kinds, bitorder="little"), counts)


def _look_up(sidecar: Sidecar, rows: slice, *, width: int, seats: SeatTables) -> Array:
    """Return what the owner's class says about the class of each item."""
    sidecar.check_range(rows, seats=seats.row.size, classes=width)
    place = gathered(pa.array(seats.row), sidecar.person[rows])
    if not seats.multiplied:
        place = np.multiply(place, width, dtype=np.min_scalar_type(max(width, seats.kinds.size - 1)))
    kinds = gathered(pa.array(seats.kinds), np.add(place, sidecar.klass[rows], dtype=place.dtype, casting="unsafe"))
    return kinds.copy()


def _variant_asked(sidecar: Sidecar, rows: Rows, question: Array, *, look: Tables, seats: SeatTables) -> Outcomes:
    """Return which variant holds for each of `rows`; its owner is looked up only where the question leaves it open."""
    created = _created(sidecar, rows)
    variant = _variant(created, seats.until[question], look)
    open_ = np.flatnonzero((created >= seats.since[question]) & (variant & 1 == 0) & (created != UNKNOWN_DATE))
    if open_.size:
        left = rows[open_]
        since = look.bounds.of(sidecar.person[left], look.item_categories[sidecar.klass[left]])
        variant[open_] = _variant(created[open_], since, look)
    return variant


def _variant(created: npt.NDArray[np.int64], since: npt.NDArray[np.int64], look: Tables) -> Outcomes:
    """Return which variant holds for items created then, of people whose refusals hold `since`."""
    variant: npt.NDArray[np.int64] = (created >= since).astype(np.int64)
    if look.thresholds.size:
        variant += 2 * np.searchsorted(look.thresholds, created, side="right")
    variant[created == UNKNOWN_DATE] = 2 * (look.thresholds.size + 1)
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
    outcome: Outcomes = _for_people(sidecar, rows, seats=sidecar.person[rows], look=look)
    involved = _involved_pairs(sidecar, rows)
    if involved.size:
        pair_rows = sidecar.involved_row[involved].astype(np.int64)
        verdict = _for_people(sidecar, pair_rows, seats=sidecar.involved_person[involved], look=look)
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


def _for_people(sidecar: Sidecar, rows: Rows, *, seats: Array, look: Tables) -> Outcomes:
    klass = sidecar.klass[rows]
    cells = look.cells_of(seats, klass)
    outcomes: Outcomes = look.cells[cells].astype(np.int64)
    dated = np.flatnonzero(outcomes < 0)
    if dated.size:
        since = look.bounds.of(seats[dated], look.item_categories[klass[dated]])
        outcomes[dated] = _outcomes_of(cells[dated], _variant(_created(sidecar, rows[dated]), since, look), look)
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
    sidecar: Sidecar,
    spans: Sequence[SpanResult],
    *,
    census: npt.NDArray[np.int64],
    look: Tables,
    exceptions: Mapping[int, int] | None = None,
) -> FileDecision:
    """Put the spans of a file together and decide by itself every row that its owner alone does not decide.

    Args:
        sidecar: the file.
        spans: what its owners decide.
        census: how many of its items have each person class and item class.
        look: the tables.
        exceptions: outcomes of rows that were decided by themselves.
    """
    allowed = np.concatenate([np.empty(0, dtype=np.uint8), *(span.allowed for span in spans)])
    parts = [_settled(census, look)]
    parts.append(_dated_tally(sum((span.dated for span in spans), np.zeros(look.dated, dtype=np.int64)), look))
    special = np.union1d(sidecar.involved_row.astype(np.int64), np.array(sorted(exceptions or ()), dtype=np.int64))
    if special.size:
        cells = look.cells_of(sidecar.person[special], sidecar.klass[special])
        before = _counted(cells, _for_people(sidecar, special, seats=sidecar.person[special], look=look), look)
        outcomes = decide_rows(sidecar, special, look=look, exceptions=exceptions)
        set_bits(allowed, special, values=is_allowed(outcomes, look))
        parts += [Tally(before.keys, -before.counts), _counted(cells, outcomes, look)]
    return FileDecision(allowed=allowed, rows=sidecar.rows, tally=add_up(parts))


def _settled(census: npt.NDArray[np.int64], look: Tables) -> Tally:
    """Return the items in cells that are not dated, with their outcomes."""
    cells = look.first_cell.astype(np.int64)[:, np.newaxis] + np.arange(look.width)
    # Counts are far below 2^53: as floating point numbers they add up exactly.
    counts = np.bincount(cells.reshape(-1), weights=census.reshape(-1), minlength=look.cells.size).astype(np.int64)
    found = np.flatnonzero((counts != 0) & (look.cells >= 0))
    return Tally(_keys(found, look.cells[found].astype(np.int64), look), counts[found])


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
