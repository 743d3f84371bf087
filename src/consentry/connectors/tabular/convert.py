"""A platform's tables become a corpus folder.

Parquet needs none of this: it is registered where it is. CSV, JSON lines and SQL queries are written as Parquet, a
batch at a time: memory does not grow with the table. A people table can also be given out in batches
(`people_batches`), to be loaded without being written anywhere.

Only the columns that the descriptor names are taken along. Ids become texts, times become UTC, and the descriptor of
the new folder says so; the platform's own words and column names stay.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from itertools import groupby, islice
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa

from consentry.connectors.tabular import values
from consentry.connectors.tabular.rows import CORPUS, PEOPLE, READERS, Family, SourceRow, read_file, read_query
from consentry.corpus.columns import year_in
from consentry.corpus.descriptor import CorpusDescriptor, PeopleDescriptor, resolve_files
from consentry.corpus.folder import ITEMS, PEOPLE_FILE, RowWriter, new_folder, write_descriptors
from consentry.corpus.row_places import placed

Progress = Callable[[int], None]

_ROWS_A_FILE = 1_000_000
_BATCH_ROWS = 10_000
_PARQUET = ".parquet"
_LIST_ADVICE = (
    "it is to say who is involved: separate several ids by `;` alone, or write a list (of JSON, or a column of lists), "
    "in which an id may hold spaces and semicolons; correct the descriptor if the column is another"
)
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}([T ].*)?")
_UTC_TIME = pa.timestamp("us", tz="UTC")


@dataclass(frozen=True, slots=True)
class Files:
    """The files a descriptor names, relative to the folder `base`."""

    base: Path


@dataclass(frozen=True, slots=True)
class Query:
    """A SQL query and the address of the database (an SQLAlchemy URL)."""

    url: str
    sql: str


def source(descriptor: Path, query: tuple[str, str] | None) -> Files | Query:
    """Return where the rows of a descriptor come from: a query (URL, SQL) if there is one, else files beside it."""
    return Files(descriptor.parent) if query is None else Query(*query)


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """What was read."""

    items: int
    people: int


def convert(
    folder: Path,
    *,
    corpus: CorpusDescriptor,
    items: Files | Query,
    people: PeopleDescriptor | None = None,
    people_from: Files | Query | None = None,
    progress: Progress | None = None,
) -> Summary:
    """Write the rows of `items`, and of `people_from` if people are described, as a corpus folder.

    Args:
        folder: the corpus folder to write; must not exist.
        corpus: which column of the items is what.
        items: where the items are.
        people: which column of the people table is what.
        people_from: where the people are.
        progress: called with the number of rows written since the last call.

    Raises:
        InputError: a row that cannot be read or means nothing, with its line. Nothing is left behind.
    """
    with new_folder(folder) as staged:
        item_rows = _write(
            _rows(items, corpus, CORPUS),
            corpus,
            lambda part: staged / ITEMS / f"{part:05}.parquet",
            family=CORPUS,
            progress=progress,
        )
        person_rows = 0
        if people is not None and people_from is not None:
            person_rows = _write(
                _rows(people_from, people, PEOPLE),
                people,
                lambda _part: staged / PEOPLE_FILE,
                family=PEOPLE,
                progress=progress,
                rows_a_file=None,
            )
            people = replace(people, files=(PEOPLE_FILE,))
        columns = {role: column.split(".")[0] for role, column in corpus.columns.items()}
        written = replace(corpus, files=(f"{ITEMS}/*.parquet",), columns=columns, created_zone=None)
        write_descriptors(staged, corpus=written, people=people if people_from is not None else None)
    return Summary(items=item_rows, people=person_rows)


def people_batches(descriptor: PeopleDescriptor, source: Files | Query) -> Iterator[pa.RecordBatch] | None:
    """Return the columns of a people table that its descriptor names, a batch at a time; None if it is Parquet already.

    A row without an id is given out as it is: whoever loads the table counts it, as with Parquet.

    Raises:
        PeopleError: while batches are read, a row that cannot be read or means nothing, with its line.
    """
    if isinstance(source, Files):
        kinds = {path.suffix.lower() for path in resolve_files(descriptor, source.base)}
        if not kinds & (READERS.keys() - {_PARQUET}):
            return None
    return _batches(descriptor, source)


def _batches(descriptor: PeopleDescriptor, source: Files | Query) -> Iterator[pa.RecordBatch]:
    cells = [replace(cell, required=False) for cell in _cells(descriptor)]
    schema = _schema(cells)
    rows = _read(_rows(source, descriptor, PEOPLE), cells, PEOPLE)
    for file, stream in groupby(rows, key=lambda row: row.where.rpartition(":")[0]):
        while some := list(islice(stream, _BATCH_ROWS)):
            columns = zip(*(row.values for row in some), strict=True)
            arrays = [pa.array(column, field.type) for column, field in zip(columns, schema, strict=True)]
            lines = [int(row.where.rpartition(":")[2]) for row in some]
            yield placed(pa.RecordBatch.from_arrays(arrays, schema=schema), file=file, lines=lines)


def _rows(
    source: Files | Query, descriptor: CorpusDescriptor | PeopleDescriptor, family: Family
) -> Iterator[SourceRow]:
    if isinstance(source, Query):
        yield from read_query(source.url, source.sql, family=family)
    else:
        for path in resolve_files(descriptor, source.base):
            yield from read_file(path, family=family)


def _write(
    rows: Iterable[SourceRow],
    descriptor: CorpusDescriptor | PeopleDescriptor,
    path_of: Callable[[int], Path],
    *,
    family: Family,
    progress: Progress | None,
    rows_a_file: int | None = _ROWS_A_FILE,
) -> int:
    """Write rows into as many files as they need (one at least); return their number."""
    cells = _cells(descriptor)
    stream = _read(rows, cells, family)
    total = part = 0
    more = True
    while more:
        with RowWriter(path_of(part), _schema(cells)) as writer:
            for row in stream:
                writer.add(row.values)
                if progress is not None:
                    progress(1)
                if writer.rows == rows_a_file:
                    break
            more = writer.rows == rows_a_file
        total, part = total + writer.rows, part + 1
    return total


class _ReadRow(NamedTuple):
    """What a row holds, in the order of the cells, and where it stands (`file:line`)."""

    values: tuple[Any, ...]
    where: str


def _read(rows: Iterable[SourceRow], cells: Sequence[_Cell], family: Family) -> Iterator[_ReadRow]:
    """Yield what the rows hold, in the order of the cells; in the end, refuse a column that no row had."""
    missing = {cell.column for cell in cells}
    any_row = False
    for row in rows:
        any_row = True
        if missing:
            missing.difference_update(row.values)
        for cell in cells:
            if cell.path != cell.column and cell.path in row.values:
                raise family.refusal(
                    "column-twice",
                    f"there is a column `{cell.path}` beside `{cell.column}`, of which one is to be the {cell.role}",
                    advice="rename one of them: nobody can say which is meant",
                    where=row.where,
                )
        yield _ReadRow(tuple(_value(cell, row, family) for cell in cells), row.where)
    if missing and any_row:
        raise family.refusal(
            "missing-column",
            f"no row of `{Path(row.where.rpartition(':')[0]).name}` has a column `{min(missing)}`",
            advice=f"correct the descriptor, or leave the role out; {_columns_of(row)}",
        )


def _columns_of(row: SourceRow) -> str:
    """Say which columns a row has, and if they look like one that was not divided."""
    names = list(row.values)
    found = f"the columns are: {', '.join(f'`{name}`' for name in names)}"
    if len(names) == 1 and (separator := next((each for each in ";|\t" if each in names[0]), "")):
        shown = "tabs" if separator == "\t" else f"`{separator}`"
        return f"{found}: the cells are separated by {shown}; write them with commas, or as .tsv with tabs"
    return found


def _schema(cells: Sequence[_Cell]) -> pa.Schema:
    return pa.schema([(cell.column, cell.kind) for cell in cells])


@dataclass(frozen=True, slots=True, kw_only=True)
class _Cell:
    """One column to write: where its value is, how to read it, what it becomes. `path` is what the descriptor says."""

    role: str
    path: str
    column: str
    kind: pa.DataType
    read: Callable[[Any], Any]
    required: bool


_TYPES: Mapping[str, pa.DataType] = {
    "involves": pa.list_(pa.string()),
    "created": _UTC_TIME,
    "birth_year": pa.int32(),
}


def _cells(descriptor: CorpusDescriptor | PeopleDescriptor) -> list[_Cell]:
    zone = descriptor.created_zone if isinstance(descriptor, CorpusDescriptor) else None
    cells = []
    for role, path in descriptor.columns.items():
        column, *fields = path.split(".")
        cells.append(
            _Cell(
                role=role,
                path=path,
                column=column,
                kind=_TYPES.get(role, pa.string()),
                read=_reader(role, fields, zone),
                required=role in ("item", "person"),
            )
        )
    return cells


def _reader(role: str, fields: list[str], zone: str | None) -> Callable[[Any], Any]:
    if role == "involves":
        return lambda value: values.ids(value, path=fields)
    if role == "created":
        return lambda value: _created(value, zone)
    return _birth_year if role == "birth_year" else values.text


def _created(value: Any, zone: str | None) -> datetime | None:
    try:
        return values.moment(value, zone=zone)
    except values.ValueProblemError as error:
        if zone is None and str(error).endswith("without a zone"):
            raise values.ValueProblemError(f'{error}: say which in the descriptor, [created] zone = "UTC"') from error
        raise


def _birth_year(value: Any) -> int | None:
    """Read a year of birth; of a date it is the year."""
    if isinstance(value, date):
        value = value.year
    elif isinstance(value, str) and _DATE.fullmatch(value.strip()):
        if not (year := year_in(value)):
            raise values.ValueProblemError(f"holds `{value.strip()[:40]}`, which is no year of birth")
        return year
    year = values.whole(value)
    if year is not None and not 1800 <= year <= 9999:
        raise values.ValueProblemError(f"holds `{year}`, which is no year of birth")
    return year


def _value(cell: _Cell, row: SourceRow, family: Family) -> Any:
    try:
        value = cell.read(row.values.get(cell.column))
    except values.ValueProblemError as error:
        raise family.refusal(
            "bad-row",
            f"column `{cell.column}` {error}",
            advice=_LIST_ADVICE
            if cell.role == "involves"
            else f"it is to be the {cell.role}; correct the row, or the descriptor if the column is another",
            where=row.where,
        ) from error
    if value is None and cell.required:
        raise family.refusal(
            "bad-row",
            f"the row has no `{cell.column}`",
            advice=f"every row needs the {cell.role}'s id; {_columns_of(row)}",
            where=row.where,
        )
    return value
