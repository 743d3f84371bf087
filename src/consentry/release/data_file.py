"""A content file as a release sees it: a Parquet file that nobody touches, and the positions in it that are left out.

Positions count rows from the start of the *file*, not of a row group: that is what Iceberg and Delta count, and it does
not depend on how a reader splits the work. Size and row count pin the file, and where all of it is read its digest:
positions mean nothing in any other file. Who opens one again and again, as jobs do, is not given another one meanwhile.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow.parquet as pq
from pyroaring import BitMap64

from consentry.digests import Digest, digest_file
from consentry.errors import IntegrityError
from consentry.exhausted import require_room

Positions = npt.NDArray[np.int64]
"""Ascending and without duplicates."""
Touched = tuple[int, ...]
"""What the file system says of a file, and differs when it was written or another one took its place."""

_OTHER_BYTES = "the file has other bytes than the release was made from"
_WHILE_READ = "the file was changed while it was read"


@dataclass(frozen=True, slots=True, kw_only=True)
class DataFile:
    """A Parquet file and what a release leaves out of it.

    `excluded` is a set of row positions, a 64-bit roaring bitmap in portable form; no bytes at all are the empty set.
    `digest` is that of its bytes; None where nobody reads all of them.
    """

    path: Path
    size: int
    rows: int
    excluded: bytes
    digest: Digest | None = None


def excluded_count(file: DataFile) -> int:
    """Return how many rows `file` leaves out.

    Raises:
        IntegrityError: the bytes are no bitmap, or name rows that the file does not have.
    """
    return len(_bitmap(file))


def excluded_positions(file: DataFile) -> Positions:
    """Return the positions that `file` leaves out.

    Raises:
        IntegrityError: the bytes are no bitmap, or name rows that the file does not have.
    """
    return np.frombuffer(_bitmap(file).to_array(), dtype=np.uint64).astype(np.int64)


def _bitmap(file: DataFile) -> BitMap64:
    if not file.excluded:
        return BitMap64()
    try:
        bitmap = BitMap64.deserialize(file.excluded)
    except (ValueError, MemoryError, IndexError) as error:
        raise _damaged(file, "the excluded positions are not a bitmap") from error
    # A reader that stops early must see what one that reads everything sees: no bytes after the bitmap, no second form.
    if bitmap.serialize() != file.excluded:
        raise _damaged(file, "the excluded positions are a bitmap and something else")
    if bitmap and bitmap.max() >= file.rows:
        raise _damaged(file, f"position {bitmap.max()} is excluded from a file of {_rows(file.rows)}")
    return bitmap


def eligible_mask(excluded: Positions, *, start: int, rows: int) -> npt.NDArray[np.bool_] | None:
    """Return which of the rows [start, start + rows) are eligible, or None if all of them are."""
    first, last = np.searchsorted(excluded, (start, start + rows))
    if first == last:
        return None
    mask = np.ones(rows, dtype=np.bool_)
    mask[excluded[first:last] - start] = False
    return mask


def open_pinned(file: DataFile) -> pq.ParquetFile:
    """Open `file` if it still has the size and rows it is pinned to; the caller closes it.

    Raises:
        IntegrityError: it changed, is gone, or is not a Parquet file any more.
    """
    try:
        size = file.path.stat().st_size
    except FileNotFoundError as error:
        raise _changed(file, "the file is gone") from error
    if size != file.size:
        raise _changed(file, f"the file has {size} bytes, and the release was made from {file.size}")
    try:
        opened = pq.ParquetFile(file.path)
    except (OSError, ValueError) as error:
        require_room(error)
        raise _changed(file, "the file is not readable as Parquet") from error
    if opened.metadata.num_rows != file.rows:
        rows = opened.metadata.num_rows
        opened.close()
        raise _changed(file, f"the file has {_rows(rows)}, and the release was made from {file.rows}")
    return opened


def open_again(file: DataFile, seen: dict[Path, Touched]) -> pq.ParquetFile:
    """Open `file` if it is still what it was when it was opened first: `seen` remembers that. The caller closes it.

    Whatever touched it since, its digest decides then: it may have other bytes, of the same size and as many rows.

    Raises:
        IntegrityError: it changed, is gone, or is not a Parquet file any more.
    """
    now = _touched(file)
    if seen.get(file.path, now) != now and digest_file(file.path) != file.digest:
        raise _changed(file, _OTHER_BYTES)
    opened = open_pinned(file)
    if _touched(file) != now:
        opened.close()
        raise _changed(file, _WHILE_READ)
    seen[file.path] = now
    return opened


@contextmanager
def same_bytes(file: DataFile) -> Iterator[None]:
    """Make sure of what the block reads from `file`: afterwards the file has its digest, and stood still meanwhile.

    Raises:
        IntegrityError: it has other bytes, or was touched. What was read of it must not be handed on.
    """
    before = _touched(file)
    yield
    if _touched(file) == before and file.digest is not None and digest_file(file.path) != file.digest:
        raise _changed(file, _OTHER_BYTES)
    if _touched(file) != before:
        raise _changed(file, _WHILE_READ)


def _rows(number: int) -> str:
    return "1 row" if number == 1 else f"{number} rows"


def _touched(file: DataFile) -> Touched:
    try:
        found = file.path.stat()
    except FileNotFoundError as error:
        raise _changed(file, "the file is gone") from error
    return found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


def _damaged(file: DataFile, message: str) -> IntegrityError:
    return IntegrityError(
        "release-exclusions-damaged",
        message,
        help="restore the release from a copy, or build it again",
        where=str(file.path),
    )


def _changed(file: DataFile, message: str) -> IntegrityError:
    return IntegrityError(
        "release-file-changed",
        message,
        help="restore the file as it was, or register the corpus again and build a new release",
        where=str(file.path),
    )
