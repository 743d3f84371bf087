"""Where the rows of a table stand: in which file, and in which line of it.

Whoever reads a file tells it in the metadata of each batch, so that a row can be named in the file at hand, however
many files and batches there are. Lines of a batch that follow one another cost nothing.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

_FILE, _FIRST, _LINES = b"file", b"first line", b"lines"


def placed(batch: pa.RecordBatch, *, file: str, lines: Sequence[int]) -> pa.RecordBatch:
    """Return a batch that says in which file its rows stand, and in which lines."""
    told = {_FILE: file.encode("utf-8", "surrogateescape")}
    if len(lines) and lines[-1] - lines[0] == len(lines) - 1:  # they only grow
        told[_FIRST] = str(lines[0]).encode()
    else:
        told[_LINES] = np.array(lines, dtype=np.int64).tobytes()
    return batch.replace_schema_metadata(told)


class _Stretch(NamedTuple):
    file: str
    first: int
    lines: npt.NDArray[np.int64] | None


class RowPlaces:
    """The places of the rows of all batches so far."""

    def __init__(self) -> None:
        self.rows = 0
        self._starts: list[int] = []
        self._stretches: list[_Stretch] = []

    def add(self, batch: pa.RecordBatch) -> None:
        """Take in the next batch."""
        told = batch.schema.metadata or {}
        if _FILE in told:
            lines = np.frombuffer(told[_LINES], dtype=np.int64) if _LINES in told else None
            file = told[_FILE].decode("utf-8", "surrogateescape")
            self._starts.append(self.rows)
            self._stretches.append(_Stretch(file, int(told.get(_FIRST, b"0")), lines))
        self.rows += batch.num_rows

    def where(self, row: int) -> str | None:
        """Return the place (`FILE:LINE`) of a row, counted from 0 over all batches; None if nobody told it."""
        number = bisect_right(self._starts, row) - 1
        if number < 0:
            return None
        file, first, lines = self._stretches[number]
        after = row - self._starts[number]
        return f"{file}:{first + after if lines is None else int(lines[after])}"
