"""A corpus folder: what a connector writes and `corpus register` reads.

| path | what |
|---|---|
| `corpus.toml` | the corpus descriptor |
| `items/*.parquet` | the content |
| `people.toml`, `people.parquet` | the people, if the platform gave them |

A folder appears complete or not at all: everything is written beside it, flushed, and renamed at the end.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from consentry.corpus.descriptor import CorpusDescriptor, PeopleDescriptor
from consentry.durable import sync_tree, take_name
from consentry.errors import CorpusError

CORPUS_DESCRIPTOR = "corpus.toml"
PEOPLE_DESCRIPTOR = "people.toml"
PEOPLE_FILE = "people.parquet"
ITEMS = "items"

_BATCH_ROWS = 10_000
_BATCH_CHARACTERS = 4_000_000


@contextmanager
def new_folder(folder: Path) -> Iterator[Path]:
    """Give a folder to write into, which becomes `folder` if the block ends well and is removed if it does not.

    Killed in between, it leaves `.NAME.staged` behind, which the next attempt replaces.

    Raises:
        CorpusError: there is something at `folder` already.
    """
    if folder.exists() and not (folder.is_dir() and not any(folder.iterdir())):
        raise CorpusError(
            "corpus-folder-exists",
            f"there is something at `{folder}` already",
            help="name a new folder; what is there may be pinned by releases and is not replaced",
        )
    staged = folder.with_name(f".{folder.name}.staged")
    shutil.rmtree(staged, ignore_errors=True)
    (staged / ITEMS).mkdir(parents=True)
    try:
        yield staged
        sync_tree(staged)
        take_name(staged, folder)
    finally:
        shutil.rmtree(staged, ignore_errors=True)


def write_descriptors(folder: Path, *, corpus: CorpusDescriptor, people: PeopleDescriptor | None = None) -> None:
    """Write the descriptors of a corpus folder."""
    (folder / CORPUS_DESCRIPTOR).write_text(to_toml(corpus), encoding="utf-8")
    if people is not None:
        (folder / PEOPLE_DESCRIPTOR).write_text(to_toml(people), encoding="utf-8")


def to_toml(descriptor: CorpusDescriptor | PeopleDescriptor) -> str:
    """Return the text of a descriptor; reading it gives the same descriptor."""
    files = f"files = [{', '.join(map(_quoted, descriptor.files))}]\n"
    if isinstance(descriptor, CorpusDescriptor):
        head = f"[corpus]\nname = {_quoted(descriptor.name)}\n{files}"
        zone = {} if descriptor.created_zone is None else {"zone": descriptor.created_zone}
        mappings = {"created": zone, "categories": descriptor.categories, "visibilities": descriptor.visibilities}
    else:
        head = f"[people]\n{files}"
        mappings = {"ages": descriptor.ages, "accounts": descriptor.accounts}
    tables = {"columns": descriptor.columns, "constants": descriptor.constants, **mappings}
    return head + "".join(_table(name, values) for name, values in tables.items() if values)


def _table(name: str, values: Mapping[str, str]) -> str:
    bare = name in ("columns", "constants", "created")
    lines = (f"{key if bare else _quoted(key)} = {_quoted(str(value))}\n" for key, value in values.items())
    return f"\n[{name}]\n" + "".join(lines)


def _quoted(text: str) -> str:
    """Return a TOML basic string: JSON's escapes are TOML's, but TOML wants DEL escaped as well."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


class RowWriter:
    """Writes rows to a Parquet file in batches bounded by rows and characters: memory does not grow with the file."""

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        self.rows = 0
        self._schema = schema
        self._columns: list[list[Any]] = [[] for _ in schema]
        self._characters = 0
        self._writer = pq.ParquetWriter(path, schema, compression="zstd")

    def add(self, row: tuple[Any, ...]) -> None:
        """Add a row; values in the order of the schema."""
        for column, value in zip(self._columns, row, strict=True):
            column.append(value)
            if isinstance(value, str):
                self._characters += len(value)
        self.rows += 1
        if len(self._columns[0]) >= _BATCH_ROWS or self._characters >= _BATCH_CHARACTERS:
            self._flush()

    def _flush(self) -> None:
        arrays = [pa.array(column, field.type) for column, field in zip(self._columns, self._schema, strict=True)]
        self._writer.write_batch(pa.RecordBatch.from_arrays(arrays, schema=self._schema))
        self._columns = [[] for _ in self._schema]
        self._characters = 0

    def __enter__(self) -> RowWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None and self._columns[0]:
            self._flush()
        self._writer.close()
