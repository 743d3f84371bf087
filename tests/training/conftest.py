"""A small server with one release of three rows, for jobs that hold leases."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from training.small_server import SmallPlane, serving


@pytest.fixture
def plane(tmp_path: Path) -> SmallPlane:
    pq.write_table(pa.table({"text": ["a", "b", "c"]}), tmp_path / "0.parquet")
    return SmallPlane([tmp_path / "0.parquet"])


@pytest.fixture
def url(plane: SmallPlane) -> Iterator[str]:
    with serving(plane) as address:
        yield address
