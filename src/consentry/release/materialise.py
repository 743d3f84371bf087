"""A filtered copy of a release, for storage that must not even hold what is excluded.

A release is a view: who can read the files under it can read excluded rows. Where that is not acceptable, this writes
the eligible rows to new files, one per content file: Parquet (schema and metadata kept, except that dictionaries become
their values, see `reader`) or JSONL (one item a line). The copy is content: it must be erased when its items must be,
which a view need not.

JSONL has no dates or bytes: times are ISO 8601, bytes base64, decimals text; NaN and the infinities become null. A map
is a list of pairs.
"""

from __future__ import annotations

import base64
import datetime
import decimal
import json
import math
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import types

from consentry.release.arrow_leaves import replace_in_schema, without_dictionary
from consentry.release.data_file import DataFile, excluded_positions, open_pinned, same_bytes
from consentry.release.reader import check_columns, iter_batches, row_groups
from consentry.release.staging import staged

Progress = Callable[[int], None]
"""Called with the number of rows written since the last call."""


class CopyFormat(StrEnum):
    """What a copy is written as."""

    PARQUET = "parquet"
    JSONL = "jsonl"


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyReport:
    """What was copied. `files` are those written: a content file with nothing eligible has no copy."""

    files: tuple[Path, ...]
    rows: int
    excluded: int
    size: int


def materialise(
    files: Sequence[DataFile],
    target: Path,
    *,
    format: CopyFormat = CopyFormat.PARQUET,  # noqa: A002  # the word that people expect
    columns: Sequence[str] | None = None,
    progress: Progress | None = None,
    before_it_appears: Callable[[], object] | None = None,
) -> CopyReport:
    """Write the eligible rows of `files` into the folder `target`, which appears whole or not at all.

    Args:
        files: the content files of a release.
        target: a folder that does not exist.
        format: of the copy.
        columns: the columns to copy; all of them if not given.
        progress: is told about rows as they are written.
        before_it_appears: is called when all is written; if it raises, nothing appears.

    Raises:
        ConflictError: `target` exists.
        InputError: a file lacks one of the columns.
        IntegrityError: a file is not the one the release was made from, or its exclusions are damaged.
        UnavailableError: no space left.
    """
    copy = _COPIES[CopyFormat(format)]
    written: dict[str, int] = {}
    size = 0
    with staged(target) as part:
        for number, file in enumerate(files):
            path = part / f"{number:05d}.{format}"
            with same_bytes(file):
                rows = copy(file, path, columns=columns, progress=progress)
            if rows:
                written[path.name] = rows
                size += path.stat().st_size
        if before_it_appears is not None:
            before_it_appears()
    rows = sum(written.values())
    return CopyReport(
        files=tuple(target / name for name in written),
        rows=rows,
        excluded=sum(file.rows for file in files) - rows,
        size=size,
    )


def _copy_parquet(file: DataFile, path: Path, *, columns: Sequence[str] | None, progress: Progress | None) -> int:
    """Copy a file row group by row group; nothing is written where nothing is eligible."""
    rows = 0
    with open_pinned(file) as opened, ExitStack() as stack:
        writer: Any = None
        for table in _eligible_groups(file, opened, columns):
            if writer is None:
                writer = stack.enter_context(pq.ParquetWriter(path, table.schema, compression="zstd"))
            writer.write_table(table, table.num_rows)
            rows += table.num_rows
            if progress is not None:
                progress(table.num_rows)
    return rows


def _eligible_groups(file: DataFile, opened: pq.ParquetFile, columns: Sequence[str] | None) -> Iterator[pa.Table]:
    chosen = check_columns(opened, columns, where=str(file.path))
    for group in row_groups(opened, excluded_positions(file)):
        table = opened.read_row_group(group.number, columns=chosen)
        kept = table if group.mask is None else table.filter(pa.array(group.mask))
        yield kept.cast(replace_in_schema(kept.schema, without_dictionary))


def _copy_jsonl(file: DataFile, path: Path, *, columns: Sequence[str] | None, progress: Progress | None) -> int:
    rows = 0
    with ExitStack() as stack:
        stream: Any = None
        for batch in iter_batches([file], columns):
            if stream is None:
                stream = stack.enter_context(path.open("w", encoding="utf-8"))
            spoken = batch.cast(replace_in_schema(batch.schema, _without_nanoseconds))
            stream.writelines(f"{_line(item)}\n" for item in spoken.to_pylist())
            rows += batch.num_rows
            if progress is not None:
                progress(batch.num_rows)
    return rows


_COPIES = {CopyFormat.PARQUET: _copy_parquet, CopyFormat.JSONL: _copy_jsonl}


def _without_nanoseconds(leaf: Any) -> Any:
    """Python's times end at microseconds, so Arrow writes finer ones as text."""
    fine = (types.is_timestamp(leaf) or types.is_time(leaf)) and leaf.unit == "ns"
    return pa.string() if fine else leaf


def _line(item: Any) -> str:
    try:
        return json.dumps(item, ensure_ascii=False, separators=(",", ":"), allow_nan=False, default=_plain)
    except ValueError:
        return json.dumps(_finite(item), ensure_ascii=False, separators=(",", ":"), default=_plain)


def _plain(value: Any) -> str:
    match value:
        case bytes():
            return base64.b64encode(value).decode("ascii")
        case datetime.date() | datetime.time():
            return value.isoformat()
        case decimal.Decimal() | uuid.UUID() | datetime.timedelta():
            return str(value)
    raise TypeError(f"JSON has no form for {type(value).__name__}")


def _finite(value: Any) -> Any:
    match value:
        case float():
            return value if math.isfinite(value) else None
        case dict():
            return {key: _finite(member) for key, member in value.items()}
        case list() | tuple():
            return [_finite(member) for member in value]
    return value
