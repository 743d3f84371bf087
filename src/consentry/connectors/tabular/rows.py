"""Rows of a table, one after another, each with the place it stands: Parquet, CSV, JSON lines or a SQL query.

Nothing is held but the row at hand (a batch, for Parquet and SQL). A row that cannot be read is refused with its line.

CSV is UTF-8 with a header; `.tsv` is the same with tabs. An empty cell is a null. Every row has as many cells as the
header. A line of JSON holds one object.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

import pyarrow as pa
import pyarrow.parquet as pq
import sqlalchemy as sa

from consentry.errors import ChoiceError, CorpusError, InputError, PeopleError
from consentry.exhausted import require_room

_BATCH_ROWS = 5_000
_LONGEST_TEXT = 64 << 20


@dataclass(frozen=True, slots=True)
class Family:
    """What a table is of: its errors."""

    name: str
    error: type[InputError]

    def refusal(self, problem: str, message: str, *, advice: str, where: str | None = None) -> InputError:
        """Return the error to raise for a problem, such as `bad-row`."""
        return self.error(f"{self.name}-{problem}", message, help=advice, where=where)


CORPUS = Family("corpus", CorpusError)
PEOPLE = Family("people", PeopleError)
CHOICES = Family("choice", ChoiceError)


class SourceRow(NamedTuple):
    """A row and where it stands (`file:line`); `head` is where its columns are named, None if that is in the row."""

    values: Mapping[str, Any]
    where: str
    head: str | None = None


def read_file(path: Path, *, family: Family) -> Iterator[SourceRow]:
    """Yield the rows of a file; its name says what kind it is.

    Raises:
        InputError: of the family, if the kind is unknown or a row cannot be read.
    """
    read = READERS.get(path.suffix.lower())
    if read is None:
        raise family.refusal(
            "unknown-file-kind",
            f"`{path.name}` is no kind of file that can be read",
            advice=f"write it as one of: {', '.join(READERS)}",
        )
    if not path.is_file():
        raise family.refusal("no-file", f"there is no file `{path}`", advice="name the file to read")
    return read(path, family)


def _read_csv(path: Path, family: Family, *, delimiter: str = ",") -> Iterator[SourceRow]:
    # Process-wide, but only ever raised: the default of 128 KiB is less than a long article.
    csv.field_size_limit(_LONGEST_TEXT)
    with path.open(encoding="utf-8-sig", newline="") as stream:
        reader = csv.reader(stream, delimiter=delimiter, strict=True)
        with _readable(
            family, lambda: f"{path}:{max(reader.line_num, 1)}", undecoded=lambda: f"{path}:{_not_utf8(path)}"
        ):
            header = next(reader, None)
            if not header:
                raise family.refusal("empty-file", f"`{path.name}` is empty", advice="write a header and rows")
            head = f"{path}:1"
            _check_header(header, path, family=family, where=head)
            for cells in reader:
                where = f"{path}:{reader.line_num}"
                if len(cells) == len(header):
                    yield SourceRow({name: cell or None for name, cell in zip(header, cells, strict=True)}, where, head)
                elif cells:
                    raise family.refusal(
                        "bad-row",
                        f"cells of the row: {len(cells)}, of the header: {len(header)}",
                        advice="quote cells that hold commas, quotes or line breaks",
                        where=where,
                    )


def _not_utf8(path: Path) -> int:
    """Return the first line that is not UTF-8, from 1: text is decoded ahead of the row that is read."""
    with path.open("rb") as stream:
        return next((number for number, line in enumerate(stream, start=1) if not _is_utf8(line)), 1)


def _is_utf8(line: bytes) -> bool:
    try:
        line.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _check_header(header: Sequence[str], path: Path, *, family: Family, where: str) -> None:
    for name in header:
        if header.count(name) > 1:
            raise family.refusal(
                "column-twice", f"`{path.name}` has two columns `{name}`", advice="rename one of them", where=where
            )


def _read_tsv(path: Path, family: Family) -> Iterator[SourceRow]:
    return _read_csv(path, family, delimiter="\t")


def _read_jsonl(path: Path, family: Family) -> Iterator[SourceRow]:
    with path.open("rb") as stream:
        number = 0
        while line := stream.readline(_LONGEST_TEXT):
            number += 1
            if not line.strip():
                continue
            where = f"{path}:{number}"
            with _readable(family, where.__str__):
                text = line.decode("utf-8-sig" if number == 1 else "utf-8")
                try:
                    values = json.loads(text, object_pairs_hook=_object)
                except _KeyTwiceError as error:
                    raise family.refusal(
                        "column-twice",
                        f"the line has two values for `{error}`",
                        advice="write each key of an object once",
                        where=where,
                    ) from error
            if not isinstance(values, dict):
                raise family.refusal(
                    "bad-row", "the line holds no JSON object", advice='a line is `{"id": "1", ...}`', where=where
                )
            yield SourceRow(values, where)


class _KeyTwiceError(ValueError):
    """An object of JSON has a key twice: nobody can say which value is meant."""


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        raise _KeyTwiceError(next(key for key in keys if keys.count(key) > 1))
    return found


@contextmanager
def _readable(
    family: Family, where: Callable[[], str], *, undecoded: Callable[[], str] | None = None
) -> Iterator[None]:
    """Turn what the parsers raise into a refusal; `undecoded`: where text cannot be decoded, if that is elsewhere."""
    try:
        yield
    except UnicodeDecodeError as error:
        raise family.refusal(
            "bad-encoding", "the file is not UTF-8", advice="save it as UTF-8", where=(undecoded or where)()
        ) from error
    except (csv.Error, ValueError, RecursionError) as error:
        raise family.refusal(
            "bad-row",
            f"the row cannot be read: {str(error).lower()}",
            advice="the file is damaged or cut short; export it again",
            where=where(),
        ) from error


def _read_parquet(path: Path, family: Family) -> Iterator[SourceRow]:
    number = 0
    try:
        with pq.ParquetFile(path) as parquet:
            _check_header(parquet.schema_arrow.names, path, family=family, where=str(path))
            for batch in parquet.iter_batches(batch_size=_BATCH_ROWS, use_threads=False):
                for values in _in_microseconds(batch).to_pylist():
                    number += 1
                    yield SourceRow(values, f"{path}:{number}")
    except (pa.ArrowInvalid, OSError) as error:
        require_room(error)
        raise family.refusal(
            "not-parquet",
            f"`{path.name}` cannot be read as Parquet: {str(error).splitlines()[0]}",
            advice="the file is truncated or of another kind; write it again",
        ) from error


def _in_microseconds(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Return the batch with nanoseconds cut off: Python's times have none."""
    for index, field in enumerate(batch.schema):
        if pa.types.is_timestamp(field.type) and field.type.unit == "ns":
            kind = pa.timestamp("us", tz=field.type.tz)
            batch = batch.set_column(index, field.with_type(kind), batch.column(index).cast(kind, safe=False))
    return batch


READERS: Mapping[str, Callable[[Path, Family], Iterator[SourceRow]]] = {
    ".csv": _read_csv,
    ".tsv": _read_tsv,
    ".jsonl": _read_jsonl,
    ".ndjson": _read_jsonl,
    ".parquet": _read_parquet,
}


def read_query(url: str, query: str, *, family: Family) -> Iterator[SourceRow]:
    """Yield the rows of a SQL query, fetched in batches by a cursor of the server.

    A SQLite file is opened for reading only, and in PostgreSQL the transaction is one that only reads. Elsewhere what a
    query does is rolled back, but some databases do not undo everything: use a role that may only read.

    Raises:
        InputError: of the family, if there is no such database or driver, or the query fails.
    """
    try:
        address = sa.make_url(url)
        engine = sa.create_engine(_read_only(address, family) if _is_sqlite(address) else address)
    except (sa.exc.ArgumentError, sa.exc.NoSuchModuleError, ImportError) as error:
        raise family.refusal(
            "no-database",
            f"this address cannot be used: {str(error).splitlines()[0]}",
            advice="write it as `postgresql+psycopg://user@host/database`, and install the driver it names",
        ) from error
    try:
        with engine.connect() as connection:
            options: dict[str, Any] = {"stream_results": True, "yield_per": _BATCH_ROWS}
            if engine.dialect.name == "postgresql":
                options["postgresql_readonly"] = True
            # The driver's own SQL: `:name` in a literal is not a parameter.
            result = connection.execution_options(**options).exec_driver_sql(query)
            _check_columns(list(result.keys()), family)
            for number, row in enumerate(result.mappings(), start=1):
                yield SourceRow(dict(row), f"query:{number}")
    except sa.exc.ResourceClosedError as error:
        raise family.refusal("query-failed", "the query gives no rows", advice="write a SELECT") from error
    except sa.exc.DBAPIError as error:
        shown = address.render_as_string(hide_password=True)
        raise family.refusal(
            "query-failed",
            f"the query failed on `{shown}`: {str(error.orig).splitlines()[0]}",
            advice="run the query with the database's own client first",
        ) from error
    finally:
        engine.dispose()


def _check_columns(names: Sequence[str], family: Family) -> None:
    for name in names:
        if names.count(name) > 1:
            raise family.refusal(
                "column-twice",
                f"the query gives two columns `{name}`",
                advice=f"name the columns one by one: SELECT a.{name}, b.{name} AS other",
            )


def _is_sqlite(address: sa.URL) -> bool:
    in_memory = address.database in (None, "", ":memory:")
    return address.get_backend_name() == "sqlite" and address.get_driver_name() == "pysqlite" and not in_memory


def _read_only(address: sa.URL, family: Family) -> sa.URL:
    """Return the address of a SQLite file that is there, to be opened for reading only."""
    name = str(address.database)
    if not name.startswith("file:"):
        if not Path(name).is_file():
            raise family.refusal(
                "no-database", f"there is no file `{name}`", advice="four slashes: sqlite:////full/path"
            )
        name = f"file:{quote(name)}"
    return address.set(database=name, query={**address.query, "uri": "true", "mode": "ro"})
