"""Readers of Iceberg tables by other people, each through its public API."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import chdir, contextmanager
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import datasets
import duckdb
import polars
import ray
from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.table import StaticTable

Row = dict[str, Any]
Read = Callable[[Path], list[Row]]


@cache
def duckdb_connection() -> Any:
    connection = duckdb.connect(config={"allow_unsigned_extensions": "true"})
    for name in ("avro", "iceberg"):
        spec = find_spec(f"duckdb_extension_{name}")
        assert spec is not None
        assert spec.origin is not None
        (extension,) = Path(spec.origin).parent.rglob("*.duckdb_extension")
        connection.execute(f"LOAD '{extension}'")
    return connection


def with_duckdb(metadata: Path) -> list[Row]:
    query = f"SELECT * FROM iceberg_scan('{metadata}')"
    return list(duckdb_connection().execute(query).to_arrow_table().to_pylist())


def with_duckdb_from_the_folder(metadata: Path) -> list[Row]:
    return with_duckdb(metadata.parent.parent)


def polars_frame(metadata: Path) -> Any:
    return polars.scan_iceberg(f"file://{metadata}")


def with_polars(metadata: Path) -> list[Row]:
    return list(polars_frame(metadata).collect().to_dicts())


def pyiceberg_table(metadata: Path) -> StaticTable:
    return StaticTable.from_metadata(f"file://{metadata}")


def with_pyiceberg(metadata: Path) -> list[Row]:
    return list(pyiceberg_table(metadata).scan().to_arrow().to_pylist())


@contextmanager
def catalog_of(metadata: Path) -> Iterator[dict[str, str]]:
    """Register the table as `r.t` in a catalog of its own, and yield how to open that."""
    with TemporaryDirectory() as folder:
        options = {"type": "sql", "uri": f"sqlite:///{folder}/catalog.db", "warehouse": f"file://{folder}"}
        catalog = SqlCatalog("release", **options)
        catalog.create_namespace("r")
        catalog.register_table("r.t", f"file://{metadata}")
        yield options
        catalog.close()


def with_datasets(metadata: Path) -> list[Row]:
    """Hugging Face datasets, streaming.

    It first looks for data files in the current folder, all the way down, and wants to find one, which it then ignores.
    """
    with catalog_of(metadata) as options, TemporaryDirectory() as small, chdir(small):
        Path("ignored.parquet").touch()
        catalog = SqlCatalog("release", **options)
        read = datasets.load_dataset("iceberg", catalog=catalog, table="r.t", split="train", streaming=True)
        rows = list(read)
        catalog.close()
    return rows


@cache
def start_ray() -> None:
    ray.init(num_cpus=1, include_dashboard=False, logging_level=logging.ERROR, log_to_driver=False)
    ray.data.DataContext.get_current().enable_progress_bars = False


def ray_dataset(options: dict[str, str]) -> Any:
    start_ray()
    return ray.data.read_iceberg(table_identifier="r.t", catalog_kwargs={"name": "release", **options})


def with_ray(metadata: Path) -> list[Row]:
    with catalog_of(metadata) as options:
        return list(ray_dataset(options).take_all())


READERS: dict[str, Read] = {
    "duckdb": with_duckdb,
    "duckdb-folder": with_duckdb_from_the_folder,
    "polars": with_polars,
    "pyiceberg": with_pyiceberg,
    "datasets": with_datasets,
    "ray": with_ray,
}


def _count_with_ray(metadata: Path) -> int:
    with catalog_of(metadata) as options:
        return int(ray_dataset(options).count())


COUNTS: dict[str, Callable[[Path], int]] = {
    "duckdb": lambda metadata: int(
        duckdb_connection().execute(f"SELECT count(*) FROM iceberg_scan('{metadata}')").fetchone()[0]
    ),
    "polars": lambda metadata: int(polars_frame(metadata).select(polars.len()).collect().item()),
    "pyiceberg": lambda metadata: int(pyiceberg_table(metadata).scan().count()),
    "ray": _count_with_ray,
}
"""How many rows there are, asked the way that lets a reader answer from metadata."""

FROM_NUMBER: dict[str, Callable[[Path, int], list[int]]] = {
    "duckdb": lambda metadata, least: [
        row[0]
        for row in duckdb_connection()
        .execute(f"SELECT number FROM iceberg_scan('{metadata}') WHERE number >= {least}")
        .fetchall()
    ],
    "polars": lambda metadata, least: list(
        polars_frame(metadata).filter(polars.col("number") >= least).select("number").collect()["number"]
    ),
    "pyiceberg": lambda metadata, least: list(
        pyiceberg_table(metadata)
        .scan(f"number >= {least}", selected_fields=("number",))
        .to_arrow()["number"]
        .to_pylist()
    ),
}
"""Rows from a number on: a filter that lets a reader skip row groups, which must not shift positions."""
