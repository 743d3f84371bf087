"""Content files as small as a test needs them: written, changed behind their back, and put back."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from consentry.corpus.sidecar import NOBODY

DESCRIPTOR = """
[corpus]
name = "n"
files = ["*.parquet"]
[columns]
item = "id"
author = "by"
involves = "with"
category = "kind"
created = "at"
licence = "rights"
[constants]
visibility = "public"
"""


class Plain:
    """Identities that can be read: the seat of `p7` is 7, the key of `i7` is 7."""

    def seats(self, ids: pa.Array) -> npt.NDArray[np.uint32]:
        return np.array([int(each[1:]) if each else NOBODY for each in ids.to_pylist()], dtype=np.uint32)

    def item_keys(self, ids: pa.Array) -> npt.NDArray[np.uint64]:
        return np.array([int(each[1:]) for each in ids.to_pylist()], dtype=np.uint64)


def write(
    path: Path,
    by: list[str | None],
    involved: list[list[str | None] | None],
    *,
    kinds: list[str | None] | None = None,
    at: list[int | None] | None = None,
    group: int = 1_000_000,
    first: int = 0,
) -> Path:
    rows = len(by)
    table = pa.table(
        {
            "id": pa.array([f"i{first + row}" for row in range(rows)], pa.string()),
            "by": pa.array(by, pa.string()),
            "with": pa.array(involved, pa.list_(pa.string())),
            "kind": pa.array(kinds or ["post"] * rows, pa.string()),
            "at": pa.array(at or [5] * rows, pa.int64()),
            "rights": pa.array([None] * rows, pa.string()),
        }
    )
    pq.write_table(table, path, row_group_size=group)
    return path


def swapped(path: Path, old: bytes, new: bytes) -> None:
    """Put other bytes into a file, as many, and set its modification time back."""
    stat, content = path.stat(), path.read_bytes()
    assert old in content
    assert len(old) == len(new)
    path.write_bytes(content.replace(old, new))
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))


def put_back(path: Path) -> None:
    """Put a copy of a file in its place, with its modification time, as a backup does."""
    shutil.copy2(path, path.with_suffix(".copy"))
    path.with_suffix(".copy").replace(path)
