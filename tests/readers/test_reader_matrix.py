"""Every reader of Iceberg returns exactly the eligible rows, from every awkward corpus, in both format versions.

Rows are compared as multisets, not counted: two wrongs can make a right count. The controls show that the comparison
notices a reader that ignores deletes.
"""

from __future__ import annotations

import datetime as dt
import decimal
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, cast

import duckdb
import fastavro
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyroaring import BitMap64

from consentry.release.data_file import DataFile
from consentry.release.iceberg import write_table
from consentry.release.iceberg_schema import FormatVersion, united
from readers.read_with import COUNTS, FROM_NUMBER, READERS, Row

pytestmark = [
    pytest.mark.readers,
    pytest.mark.filterwarnings("ignore:`use_:DeprecationWarning:ray.data.context"),
    pytest.mark.filterwarnings("ignore:Iceberg scan planning with the polars_iceberg plugin"),
]

VERSIONS: tuple[FormatVersion, ...] = (2, 3)


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A file to be: its rows, and which of them are excluded."""

    table: pa.Table
    excluded: range | tuple[int, ...] = ()
    options: tuple[tuple[str, Any], ...] = ()


def platform() -> list[Part]:
    """Ids of any script, null and twice; nested people; wholly, partly and not at all excluded; one row left."""

    person = pa.struct([("id", pa.string()), ("as", pa.list_(pa.string()))])
    schema = pa.schema(
        [("id", pa.string()), ("number", pa.int64()), ("involves", pa.list_(person)), ("tags", pa.list_(pa.string()))]
    )

    def rows(count: int, start: int) -> pa.Table:
        numbers = range(start, start + count)
        columns = {
            "id": [None if n % 17 == 0 else f"{'éß✓ '[n % 4]}-{n // 2}'\"\\\n" for n in numbers],
            "number": list(numbers),
            "involves": [[{"id": f"p{k}", "as": [f"r{k}"]} for k in range(n % 3)] if n % 5 else None for n in numbers],
            "tags": [[f"t{n}" if k else None for k in range(n % 4)] for n in numbers],
        }
        return pa.table(columns, schema=schema)

    return [
        Part(table=rows(1000, 0), excluded=(0, 1, 17, 199, 200, 500, *range(600, 800), 999), options=groups(200)),
        Part(table=rows(300, 10_000), excluded=range(300), options=groups(100)),
        Part(table=rows(250, 20_000), options=groups(100)),
        Part(table=rows(100, 30_000), excluded=range(1, 100), options=groups(7)),
        Part(table=rows(0, 0)),
        Part(table=rows(1, 40_000)),
    ]


def groups(rows: int, **others: Any) -> tuple[tuple[str, Any], ...]:
    return (("row_group_size", rows), *others.items())


def long() -> list[Part]:
    """More rows than one roaring container holds; arrays, bit sets and nothing; whole row groups out."""
    rows = pa.table({"number": range(300_000), "id": [f"i{n}" for n in range(300_000)]})
    some = (*range(0, 65_536, 2), *range(100_000, 140_000), 196_608, 299_999)
    return [
        Part(table=rows, excluded=some, options=groups(20_000)),
        Part(table=rows.slice(0, 70_000), excluded=(65_535, 65_536), options=groups(65_536)),
    ]


def kinds() -> list[Part]:
    """Every type a table can have."""
    n = range(40)
    at = dt.datetime(2024, 9, 18, 12, tzinfo=dt.UTC)
    rows = pa.table(
        {
            "id": n,
            "bool": [k % 2 == 0 for k in n],
            "int8": pa.array([k - 20 for k in n], pa.int8()),
            "uint8": pa.array([200 + k for k in n], pa.uint8()),
            "uint16": pa.array([65_000 + k for k in n], pa.uint16()),
            "float": pa.array([k / 4 for k in n], pa.float32()),
            "word": pa.array(["x", None] * 20).dictionary_encode(),
            "large": pa.array([f"l{k}" for k in n], pa.large_string()),
            "bytes": [b"\x00\xff%d" % k for k in n],
            "fixed": pa.array([b"%04d" % k for k in n], pa.binary(4)),
            "price": pa.array([decimal.Decimal(k) / 100 for k in n], pa.decimal128(12, 2)),
            "day": [at.date() + dt.timedelta(days=k) for k in n],
            "time": pa.array(list(n), pa.time64("us")),
            "milli": pa.array([at.replace(tzinfo=None) + dt.timedelta(seconds=k) for k in n], pa.timestamp("ms")),
            "micro": pa.array([at + dt.timedelta(microseconds=k) for k in n], pa.timestamp("us", "UTC")),
            "deep": [[[k], [], None] for k in n],
            "who": [{"name": f"n{k}", "also": {"age": k}} for k in n],
        }
    )
    return [Part(table=rows, excluded=(0, 13, 39), options=groups(9))]


def maps() -> list[Part]:
    counts = pa.array([[("a", k), ("b", None)][: k % 3] for k in range(40)], pa.map_(pa.string(), pa.int32()))
    return [Part(table=pa.table({"id": range(40), "counts": counts}), excluded=(0, 39))]


def legacy() -> list[Part]:
    """Lists whose element is called `item`, narrower integers, columns in another order, a column that came later."""
    first = pa.table({"id": pa.array(range(20), pa.int32()), "tags": [[f"a{n}"] for n in range(20)]})
    later = pa.table({"tags": [[f"b{n}"] for n in range(20)], "id": range(100, 120), "more": ["m"] * 20})
    return [
        Part(table=later, excluded=(3,)),
        Part(table=first, excluded=(5,), options=groups(6, use_compliant_nested_type=False)),
    ]


def grown() -> list[Part]:
    """The same with the narrow file first, as files that are named by their date are."""
    return legacy()[::-1]


def numbered() -> list[Part]:
    """Files that carry field ids, as tables of other software do."""

    def field(name: str, type_: Any, id_: int) -> pa.Field[Any]:
        return pa.field(name, type_, metadata={"PARQUET:field_id": str(id_)})

    schema = pa.schema([field("id", pa.int64(), 7), field("tags", pa.list_(field("element", pa.string(), 9)), 3)])
    rows = pa.table({"id": range(30), "tags": [[f"t{n}"] for n in range(30)]}, schema=schema)
    return [Part(table=rows, excluded=(0, 29)), Part(table=rows.slice(0, 10), excluded=(4,))]


CORPORA: dict[str, Callable[[], list[Part]]] = {
    "platform": platform,
    "long": long,
    "kinds": kinds,
    "maps": maps,
    "legacy": legacy,
    "grown": grown,
    "numbered": numbered,
}


def nanoseconds() -> pa.Table:
    plain, zoned = pa.array(range(10), pa.timestamp("ns")), pa.array(range(10), pa.timestamp("ns", "UTC"))
    return pa.table({"id": range(10), "plain": plain, "zoned": zoned})


EDGES: dict[str, Callable[[], list[Part]]] = {
    "nothing": lambda: [Part(table=pa.table({"id": range(10)}), excluded=range(10))],
    "everything": lambda: [Part(table=pa.table({"id": range(10)}))],
    "nanoseconds": lambda: [Part(table=nanoseconds(), excluded=(0, 9))],
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    corpus: str
    metadata: Path
    eligible: list[Row]
    folder: Path


def write(folder: Path, corpus: str, version: FormatVersion) -> Table:
    parts = CORPORA[corpus]() if corpus in CORPORA else EDGES[corpus]()
    files, eligible = [], []
    names = dict.fromkeys(name for part in parts for name in part.table.column_names)
    for number, part in enumerate(parts):
        path = folder / f"part {number}.parquet"
        pq.write_table(part.table, path, **dict(part.options))
        excluded = set(part.excluded)
        bitmap = BitMap64(excluded).serialize() if excluded else b""
        files.append(DataFile(path=path, size=path.stat().st_size, rows=part.table.num_rows, excluded=bitmap))
        rows = part.table.to_pylist()
        eligible += [dict.fromkeys(names) | row for place, row in enumerate(rows) if place not in excluded]
    report = write_table(
        folder / "table",
        files,
        schema=united(pq.read_schema(each.path) for each in files),
        format_version=version,
        release="r-1",
        sealed_at=1_726_617_600,
        properties={},
    )
    return Table(corpus=corpus, metadata=report.metadata, eligible=eligible, folder=folder / "table")


def title(param: tuple[str, FormatVersion]) -> str:
    return f"{param[0]}-v{param[1]}"


@pytest.fixture(scope="module", params=[(name, version) for name in CORPORA for version in VERSIONS], ids=title)
def table(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Table:
    name, version = request.param
    return write(tmp_path_factory.mktemp("with späce"), name, version)


def multiset(rows: list[Row]) -> Counter[Any]:
    return Counter(plain(row) for row in rows)


def plain(value: Any) -> Any:
    """One hashable form for what readers represent differently: maps (as a dictionary or as pairs), times, bytes."""
    match value:
        case dict():
            return tuple(sorted((key, plain(member)) for key, member in value.items()))
        case list() | tuple():
            return tuple(plain(member) for member in value)
        case dt.datetime():
            return value.astimezone(dt.UTC).isoformat() if value.tzinfo else value.isoformat()
        case bytes() | bytearray() | memoryview():
            return bytes(value).hex()
    return value


@cache
def read(reader: str, metadata: Path) -> list[Row]:
    return READERS[reader](metadata)


Limits = dict[tuple[str, str], str]
"""Corpus and reader to why they do not go together."""


def expect_limit(request: pytest.FixtureRequest, limits: Limits, *, corpus: str, reader: str) -> None:
    """A reader that refuses must raise; only where content is compared may it also differ."""
    if reason := limits.get((corpus, reader)):
        raises = ValueError if limits is NOT_READ else (ValueError, AssertionError)
        request.applymarker(pytest.mark.xfail(reason=reason, strict=True, raises=raises))


NOT_READ: Limits = {("maps", "datasets"): "datasets has no type for maps, and says so"}
"""What a reader refuses. No entry may ever say that a reader returns other items than the eligible ones."""

_NULL_LISTS = "PyIceberg returns an empty list where a list of structs is null"
READ_DIFFERENTLY: Limits = {
    **NOT_READ,
    ("platform", "pyiceberg"): _NULL_LISTS,
    ("platform", "datasets"): _NULL_LISTS,
    ("platform", "ray"): _NULL_LISTS,
}


@pytest.mark.parametrize("reader", READERS)
def test_exactly_the_eligible_items(table: Table, reader: str, request: pytest.FixtureRequest) -> None:
    expect_limit(request, NOT_READ, corpus=table.corpus, reader=reader)
    rows = read(reader, table.metadata)
    assert Counter(row["id"] for row in rows) == Counter(row["id"] for row in table.eligible)


@pytest.mark.parametrize("reader", READERS)
def test_their_content_is_what_the_files_hold(table: Table, reader: str, request: pytest.FixtureRequest) -> None:
    expect_limit(request, READ_DIFFERENTLY, corpus=table.corpus, reader=reader)
    assert multiset(read(reader, table.metadata)) == multiset(table.eligible)


@pytest.mark.parametrize("reader", COUNTS)
def test_counting_does_not_count_what_is_excluded(table: Table, reader: str) -> None:
    assert COUNTS[reader](table.metadata) == len(table.eligible)


@pytest.mark.parametrize("planner", [None, "pyiceberg"])
def test_polars_reads_the_same_as_it_comes_and_as_it_may_be_told_to(
    table: Table, planner: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As it comes it looks for a plugin that plans for it, warns that there is none, and asks PyIceberg."""
    monkeypatch.delenv("POLARS_ICEBERG_PLANNER", raising=False)
    if planner is not None:
        monkeypatch.setenv("POLARS_ICEBERG_PLANNER", planner)
    rows = READERS["polars"](table.metadata)
    assert Counter(row["id"] for row in rows) == Counter(row["id"] for row in table.eligible)


@pytest.fixture(scope="module", params=VERSIONS)
def long_table(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Table:
    return write(tmp_path_factory.mktemp("long"), "long", request.param)


@pytest.mark.parametrize("reader", FROM_NUMBER)
@pytest.mark.parametrize("least", [0, 65_535, 65_537, 139_999, 196_608, 299_999, 300_000])
def test_a_filter_that_skips_row_groups_shifts_no_position(long_table: Table, reader: str, least: int) -> None:
    expected = [row["number"] for row in long_table.eligible if row["number"] >= least]
    assert sorted(FROM_NUMBER[reader](long_table.metadata, least)) == sorted(expected)


@pytest.mark.parametrize("reader", READERS)
def test_nanoseconds_in_version_three(tmp_path: Path, reader: str, request: pytest.FixtureRequest) -> None:
    if reader.startswith("duckdb"):
        reason = "DuckDB does not know nanoseconds with a zone, and says so"
        request.applymarker(pytest.mark.xfail(reason=reason, strict=True, raises=duckdb.Error))
    table = write(tmp_path, "nanoseconds", 3)
    assert Counter(row["id"] for row in READERS[reader](table.metadata)) == Counter(range(1, 9))


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("reader", READERS)
class TestControls:
    def test_a_reader_that_ignores_deletes_is_noticed(
        self, tmp_path: Path, reader: str, version: FormatVersion
    ) -> None:
        table = write(tmp_path, "numbered", version)
        drop_deletes(table)
        ids = Counter(row["id"] for row in READERS[reader](table.metadata))
        eligible = Counter(row["id"] for row in table.eligible)
        assert ids - eligible == Counter([0, 29, 4])
        assert ids != eligible

    def test_lost_deletes_are_an_error_not_everything(
        self, tmp_path: Path, reader: str, version: FormatVersion
    ) -> None:
        table = write(tmp_path, "numbered", version)
        for path in (table.folder / "deletes").iterdir():
            path.unlink()
        with pytest.raises(Exception, match=r"0000[01]\.(parquet|puffin)"):
            READERS[reader](table.metadata)

    def test_nothing_eligible_is_an_empty_table(self, tmp_path: Path, reader: str, version: FormatVersion) -> None:
        table = write(tmp_path, "nothing", version)
        assert READERS[reader](table.metadata) == []

    def test_nothing_excluded_is_everything(self, tmp_path: Path, reader: str, version: FormatVersion) -> None:
        table = write(tmp_path, "everything", version)
        assert Counter(row["id"] for row in READERS[reader](table.metadata)) == Counter(range(10))


def drop_deletes(table: Table) -> None:
    """Write the list of manifests again without the one that lists the deletes."""
    path = table.folder / "metadata" / "snapshot.avro"
    with path.open("rb") as stream:
        reader = fastavro.reader(stream)
        schema, metadata, manifests = reader.writer_schema, reader.metadata, [cast("Row", line) for line in reader]
    kept = [manifest for manifest in manifests if manifest["content"] == 0]
    assert len(kept) == len(manifests) - 1
    own = {key: value for key, value in metadata.items() if not key.startswith("avro.")}
    with path.open("wb") as stream:
        fastavro.writer(stream, schema, kept, metadata=own)
