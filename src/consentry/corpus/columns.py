"""One batch of a content file, turned into the small integers that decisions are made from.

Nulls are gaps, never errors: a null author is nobody, a word nobody mapped is an unknown category, a date outside
1970-2106 is an unknown date. What is counted as unknown is reported, so that a wrong descriptor is seen at once.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from consentry.errors import CorpusError
from consentry.policy.choice import SECONDS_PER_DAY

U8 = npt.NDArray[np.uint8]
U32 = npt.NDArray[np.uint32]

UNKNOWN_DATE = 0xFFFF_FFFF
"""Stored for an item whose creation date is unknown."""
_LAST_DATE = UNKNOWN_DATE - 1
_LONGEST_WORD = 60
_YEAR_FIRST = re.compile(r"[0-9]{4}(-[0-9]{2}-[0-9]{2}([T ].*)?)?")
_DIGITS_OF_A_YEAR, _DIGITS_OF_A_DATE = len("2000"), len("2000-01-31")
_UNITS_PER_SECOND = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}


@dataclass(frozen=True, slots=True)
class Words:
    """The words of one column in one batch: `codes[i]` is an index into `words`; null has the code len(words)."""

    codes: npt.NDArray[np.int64]
    words: tuple[str, ...]


def single(array: pa.Array | pa.ChunkedArray) -> pa.Array:
    """Return a column as one array, of a type that more functions accept; see `plain`."""
    if isinstance(array, pa.ChunkedArray):
        array = array.combine_chunks() if array.num_chunks != 1 else array.chunk(0)
    return plain(array)


def plain(array: pa.Array) -> pa.Array:
    """Return views of strings as strings, and a column that never held anything (of type `null`) as numbers."""
    if pa.types.is_null(array.type):
        return array.cast(pa.int64())
    return array.cast(pa.string()) if pa.types.is_string_view(array.type) else array


def words(array: pa.Array) -> Words:
    """Return the distinct words of a string column with a code for each row."""
    # Only here and below: it makes all its functions when it is imported, and most commands need none of them.
    import pyarrow.compute as pc  # noqa: PLC0415

    encoded = array if pa.types.is_dictionary(array.type) else pc.dictionary_encode(array)
    vocabulary = tuple(str(word) for word in encoded.dictionary.to_pylist())
    codes = encoded.indices.fill_null(len(vocabulary)) if encoded.null_count else encoded.indices
    return Words(codes.to_numpy(zero_copy_only=False).astype(np.int64), vocabulary)


def coded(found: Words, meaning: Mapping[str, int], *, own: Iterable[str]) -> tuple[U8, dict[str, int]]:
    """Return a code (0: unknown) for each row, and how often each word without a meaning occurs.

    What is reported of a word that is really a text is its beginning: it is kept, and shown to people.

    Args:
        found: the words of the rows.
        meaning: the code of each known word.
        own: those of them that are ours: they are known in any case of their letters.
    """
    in_any_case = {word.casefold(): meaning[word] for word in own}
    table = np.zeros(len(found.words) + 1, dtype=np.uint8)
    unknown = []
    for index, word in enumerate(found.words):
        code = meaning.get(word, in_any_case.get(word.casefold()))
        if code is not None:
            table[index] = code
        else:
            unknown.append(index)
    strange: dict[str, int] = {}
    if unknown:
        counts = np.bincount(found.codes, minlength=len(found.words) + 1)
        for index in unknown:
            if counts[index]:
                word = reported(found.words[index])
                strange[word] = strange.get(word, 0) + int(counts[index])
    return table[found.codes], strange


def reported(word: str) -> str:
    """Return a word as it is told to people: the beginning of one that is really a text."""
    return word if len(word) <= _LONGEST_WORD else f"{word[:_LONGEST_WORD]}… ({len(word):,} characters)"


def years(array: pa.Array) -> pa.Array:
    """Return the years of whole numbers, dates, times, or texts that are a year or begin with a date; 0: no year."""
    import pyarrow.compute as pc  # noqa: PLC0415

    if pa.types.is_date(array.type) or pa.types.is_timestamp(array.type):
        return pc.year(array)
    if pa.types.is_integer(array.type):
        return array
    found = words(array.cast(pa.string()))
    return pa.array([*map(year_in, found.words), None], pa.int64()).take(pa.array(found.codes))


def year_in(text: str) -> int | None:
    """Return the year of a text that is one or begins with a date; None if it is blank, and 0 if it is neither."""
    written = text.strip()
    if not written:
        return None
    if not _YEAR_FIRST.fullmatch(written):
        return 0
    day = written[:_DIGITS_OF_A_DATE]
    try:
        return int(day) if len(day) == _DIGITS_OF_A_YEAR else date.fromisoformat(day).year
    except ValueError:
        return 0


def created_seconds(array: pa.Array, *, zone: str | None, column: str, filename: str) -> tuple[U32, int]:
    """Return creation times as whole seconds (UNKNOWN_DATE where unknown), and how many were out of range.

    A date without a time counts as the last second of its day in UTC: no refusal of that day may miss it.

    Raises:
        CorpusError: a timestamp without a zone where the descriptor names none, or a type that is no time.
    """
    kind = array.type
    if pa.types.is_timestamp(kind):
        seconds = _timestamps(array, zone=zone, column=column, filename=filename)
    elif pa.types.is_date32(kind):
        seconds = _integers(array.cast(pa.int32())) * SECONDS_PER_DAY + (SECONDS_PER_DAY - 1)
    elif pa.types.is_date64(kind):
        seconds = _integers(array.cast(pa.int64())) // 1_000 + (SECONDS_PER_DAY - 1)
    elif pa.types.is_integer(kind):
        # Unsigned numbers that do not fit come out negative: out of range, like all before 1970.
        seconds = _integers(array.cast(pa.int64(), safe=False))
    else:
        raise CorpusError(
            "corpus-wrong-type",
            f"column `{column}` holds `{kind}`, which is no creation time",
            help="use a timestamp, a date, or whole seconds since 1970",
            where=filename,
        )
    missing = array.is_null().to_numpy(zero_copy_only=False) if array.null_count else None
    outside = (seconds < 0) | (seconds > _LAST_DATE)
    if missing is not None:
        outside &= ~missing
        seconds[missing] = UNKNOWN_DATE
    strange = int(np.count_nonzero(outside))
    if strange:
        seconds[outside] = UNKNOWN_DATE
    return seconds.astype(np.uint32), strange


def _timestamps(array: pa.Array, *, zone: str | None, column: str, filename: str) -> npt.NDArray[np.int64]:
    kind = array.type
    if kind.tz is None:
        if zone is None:
            raise CorpusError(
                "corpus-time-without-zone",
                f"column `{column}` holds times without a zone",
                help='say which zone they are in: [created] zone = "UTC" in the descriptor',
                where=filename,
            )
        if zone.upper() not in ("UTC", "ETC/UTC", "GMT"):
            import pyarrow.compute as pc  # noqa: PLC0415

            array = pc.assume_timezone(array, zone, ambiguous="latest", nonexistent="latest")
    units = _UNITS_PER_SECOND[kind.unit]
    ticks = _integers(array.cast(pa.int64()))
    return ticks if units == 1 else np.floor_divide(ticks, units)


def _integers(array: pa.Array) -> npt.NDArray[np.int64]:
    filled = array.fill_null(0) if array.null_count else array
    return np.array(filled.to_numpy(zero_copy_only=False), dtype=np.int64)


@dataclass(frozen=True, slots=True)
class Involvement:
    """The further people of a batch: `rows[k]` involves the person with the id `ids[k]`."""

    rows: npt.NDArray[np.int64]
    ids: pa.Array


def involvement(array: pa.Array, path: tuple[str, ...], *, column: str, filename: str) -> Involvement:
    """Return the pairs of row and involved id of a column of ids, lists of ids or lists of structs.

    `path` leads from the list's elements to the id. A null element stays a null id: somebody unknown is involved.
    """
    import pyarrow.compute as pc  # noqa: PLC0415

    if not (pa.types.is_list(array.type) or pa.types.is_large_list(array.type)):
        present = pc.is_valid(array)
        rows = np.flatnonzero(present.to_numpy(zero_copy_only=False))
        return Involvement(rows, _field(array.filter(present), path, column=column, filename=filename))
    rows = pc.list_parent_indices(array).to_numpy(zero_copy_only=False).astype(np.int64)
    return Involvement(rows, _field(pc.list_flatten(array), path, column=column, filename=filename))


def _field(array: pa.Array, path: tuple[str, ...], *, column: str, filename: str) -> pa.Array:
    import pyarrow.compute as pc  # noqa: PLC0415

    for name in path:
        if array.null_count == len(array):
            return pa.nulls(len(array), pa.string())
        if not pa.types.is_struct(array.type) or array.type.get_field_index(name) < 0:
            raise CorpusError(
                "corpus-missing-column",
                f"column `{column}` has no field `{name}`",
                help="name the path to the id inside the list, for example `mentions.id`",
                where=filename,
            )
        array = pc.struct_field(array, name)
    return plain(array)
