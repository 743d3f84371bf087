"""Position deletes, format version 2 of Iceberg: a Parquet file that names the rows left out of one data file.

Two columns, the location of the data file and the position in it, ascending. The location is the same in every row and
costs nothing; positions are stored as differences. Compressed, the file is about as large as the bitmap it comes from.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from consentry.release.data_file import Positions
from consentry.release.iceberg_schema import FIELD_ID_KEY, Document

PATH_ID = 2147483546
POSITION_ID = 2147483545
_ROW_GROUP_ROWS = 1 << 20
_DICTIONARY_COLUMNS: Any = ["file_path"]

_PATH_FIELD: pa.Field[Any] = pa.field("file_path", pa.string(), nullable=False, metadata={FIELD_ID_KEY: str(PATH_ID)})
_POSITION_FIELD: pa.Field[Any] = pa.field("pos", pa.int64(), nullable=False, metadata={FIELD_ID_KEY: str(POSITION_ID)})
_SCHEMA = pa.schema([_PATH_FIELD, _POSITION_FIELD])


def write(path: Path, *, location: str, positions: Positions) -> None:
    """Write a position delete file: the location of the data file and each position, ascending."""
    with pq.ParquetWriter(
        path,
        _SCHEMA,
        compression="zstd",
        use_dictionary=_DICTIONARY_COLUMNS,
        column_encoding={"pos": "DELTA_BINARY_PACKED"},
        store_schema=False,
    ) as writer:
        for start in range(0, positions.size, _ROW_GROUP_ROWS):
            chunk = pa.array(positions[start : start + _ROW_GROUP_ROWS])
            paths = pa.repeat(pa.scalar(location), len(chunk))
            writer.write_table(pa.table([paths, chunk], schema=_SCHEMA), _ROW_GROUP_ROWS)


def bounds(location: str, position: int) -> list[Document]:
    """Return one bound of the two columns, as a manifest holds it."""
    return [
        {"key": PATH_ID, "value": location.encode()},
        {"key": POSITION_ID, "value": struct.pack("<q", position)},
    ]
