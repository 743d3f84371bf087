"""Reading a release: Arrow batches with eligible rows only, in the order of the files.

What is excluded is turned into a mask once per row group. A row group with nothing eligible in it is not read at all;
in others excluded rows are read, dropped and never handed on. Dictionary-encoded columns come back as their values: a
dictionary holds the values of all rows of a row group, so it would carry those of excluded rows along.

Files are opened one at a time and batches are small, so memory does not grow with the release.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from consentry.errors import InputError
from consentry.release.arrow_leaves import replace_in_schema, without_dictionary
from consentry.release.data_file import DataFile, Positions, eligible_mask, excluded_positions, open_pinned

BATCH_ROWS = 1 << 14


class RowGroup(NamedTuple):
    """A row group with something eligible in it. `mask` is None where everything is."""

    number: int
    rows: int
    mask: npt.NDArray[np.bool_] | None


def iter_batches(
    files: Sequence[DataFile], columns: Sequence[str] | None = None, *, batch_rows: int = BATCH_ROWS
) -> Iterator[pa.RecordBatch]:
    """Yield the eligible rows of `files`, with `columns` only if given. No batch is empty.

    Raises:
        InputError: a file lacks one of the columns.
        IntegrityError: a file is not the one the release was made from, or its exclusions are damaged.
    """
    for file in files:
        yield from _iter_file(file, columns, batch_rows)


def _iter_file(file: DataFile, columns: Sequence[str] | None, batch_rows: int) -> Iterator[pa.RecordBatch]:
    with open_pinned(file) as opened:
        chosen = check_columns(opened, columns, where=str(file.path))
        for group in row_groups(opened, excluded_positions(file)):
            start = 0
            for batch in opened.iter_batches(batch_rows, row_groups=[group.number], columns=chosen):
                mask = None if group.mask is None else group.mask[start : start + batch.num_rows]
                start += batch.num_rows
                kept = batch if mask is None else batch.filter(pa.array(mask))
                if kept.num_rows:
                    yield kept.cast(replace_in_schema(kept.schema, without_dictionary))


def row_groups(opened: pq.ParquetFile, excluded: Positions) -> Iterator[RowGroup]:
    """Yield the row groups of a file that have something eligible in them."""
    start = 0
    for number in range(opened.metadata.num_row_groups):
        rows = opened.metadata.row_group(number).num_rows
        mask = eligible_mask(excluded, start=start, rows=rows)
        start += rows
        if rows and (mask is None or mask.any()):
            yield RowGroup(number=number, rows=rows, mask=mask)


def check_columns(opened: pq.ParquetFile, columns: Sequence[str] | None, *, where: str) -> list[str] | None:
    """Return the columns to read, or None for all.

    Raises:
        InputError: the file lacks one of them.
    """
    if columns is None:
        return None
    present = opened.schema_arrow.names
    missing = [column for column in columns if column not in present]
    if missing:
        raise InputError(
            "release-column-unknown",
            f"there is no column `{missing[0]}`",
            help=f"use one of: {', '.join(f'`{name}`' for name in present)}",
            where=where,
        )
    return list(columns)
