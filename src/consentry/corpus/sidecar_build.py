"""Building a sidecar: one pass over the key columns of a content file, batch by batch into arrays that are files.

Memory does not grow with the file, except for the pairs of items and involved people, which are few. Interrupted at any
point, there is no new sidecar and the old one stands, or is gone and has to be built again.
"""

from __future__ import annotations

import os
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from consentry.corpus.columns import UNKNOWN_DATE, coded, created_seconds, involvement, single, words
from consentry.corpus.descriptor import CorpusDescriptor, check_schema
from consentry.corpus.intact import with_digests
from consentry.corpus.item_classes import ItemClasses
from consentry.corpus.postings import in_order
from consentry.corpus.sidecar import (
    FORMAT,
    HEAD,
    NOBODY,
    FilePin,
    Identities,
    Oddities,
    Progress,
    Stamp,
    changed,
)
from consentry.digests import canonical_json, digest_file
from consentry.durable import reserve, sync_tree, take_name
from consentry.errors import CorpusError
from consentry.exhausted import require_room
from consentry.policy.vocabulary import CATEGORIES, VISIBILITIES

_BATCH_ROWS = 1 << 19
_FEW = 1 << 8
_SHOWN_ROWS = 5

U32 = npt.NDArray[np.uint32]
U64 = npt.NDArray[np.uint64]
Array = npt.NDArray[Any]


def build(
    source: Path,
    folder: Path,
    *,
    name: str,
    descriptor: CorpusDescriptor,
    identities: Identities,
    classes: ItemClasses,
    keep_classes: Callable[[], None],
    progress: Progress | None = None,
) -> None:
    """Read the key columns of the content file `source` and write its sidecar. Interrupted, it leaves none.

    Args:
        source: the content file.
        folder: where the sidecar goes; replaced if it exists.
        name: the file's path relative to the corpus's folder.
        descriptor: which column is what.
        identities: turns ids into seats and keys.
        classes: the corpus's item classes; new ones are added.
        keep_classes: called before the sidecar counts as written; afterwards every class in it must be durable.
        progress: called with the number of items done since the last call.

    Raises:
        CorpusError: not a Parquet file, a column missing or wrongly typed, item ids null or empty.
    """
    before = source.stat()
    parquet = _open(source, name, descriptor)
    staged = folder.with_name(folder.name + ".staged")
    shutil.rmtree(staged, ignore_errors=True)
    staged.mkdir(parents=True)
    try:
        writer = _Writer(staged, rows=parquet.metadata.num_rows, dated="created" in descriptor.columns)
        tell = _one_late(progress)
        with _legible(name):
            for batch in _batches(parquet, descriptor):
                _check_item_ids(batch, descriptor, name=name, before=writer.done)
                writer.add(_keys(batch, descriptor, identities=identities, classes=classes, name=name))
                tell(batch.num_rows)
        oddities = writer.finish()
        pin = _pin(source, before, name=name, rows=writer.rows)
        keep_classes()
        head = _head(pin, writer, oddities, descriptor=descriptor, stamp=Stamp.of(before))
        head["classes"] = asdict(classes.pin(writer.classes))
        (staged / HEAD).write_bytes(canonical_json(with_digests(head, staged)))
        _put_in_place(staged, folder)
        tell(0)
    finally:
        shutil.rmtree(staged, ignore_errors=True)


def _one_late(progress: Progress | None) -> Callable[[int], None]:
    """Return what counts each number when the next one comes: what follows the last batch takes as long as many do."""
    before = 0

    def tell(done: int) -> None:
        nonlocal before
        if progress is not None:
            progress(before)
        before = done

    return tell


def _put_in_place(staged: Path, folder: Path) -> None:
    sync_tree(staged)
    shutil.rmtree(folder, ignore_errors=True)
    # COMMIT POINT of a sidecar: all its arrays are on disk.
    take_name(staged, folder)


def _pin(source: Path, before: os.stat_result, *, name: str, rows: int) -> FilePin:
    """Return the pin of a file that was read; it must still be what it was when reading began."""
    pin = FilePin(path=name, size=before.st_size, digest=digest_file(source), rows=rows)
    after = source.stat()
    if (after.st_size, Stamp.of(after)) != (pin.size, Stamp.of(before)):
        raise changed(name, source)
    return pin


def _head(
    pin: FilePin, writer: _Writer, oddities: Oddities, *, descriptor: CorpusDescriptor, stamp: Stamp
) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "pin": asdict(pin),
        **stamp.to_json(),
        "descriptor": descriptor.digest,
        "oddities": asdict(oddities),
        "seats": writer.seats,
        "dated": writer.created is not None,
    }


_TABULAR = {".csv": "CSV", ".tsv": "CSV", ".jsonl": "JSON lines", ".ndjson": "JSON lines"}
"""By the end of a file's name: what can be converted."""


def check(source: Path, *, name: str, descriptor: CorpusDescriptor) -> None:
    """Check that a content file is what a descriptor says, without reading its rows.

    Raises:
        CorpusError: it is no Parquet file, or columns are missing or of the wrong type.
    """
    with _as_parquet(source, name):
        check_schema(descriptor, pq.read_schema(source), filename=name)


def _open(source: Path, name: str, descriptor: CorpusDescriptor) -> pq.ParquetFile:
    texts = [descriptor.columns[role] for role in ("category", "visibility", "licence") if role in descriptor.columns]
    # Checked first: Arrow stops without a word of ours at a column to decode that is not there.
    check(source, name=name, descriptor=descriptor)
    with _as_parquet(source, name):
        # What is read ahead of decoding would be copied once more.
        return pq.ParquetFile(source, read_dictionary=texts, pre_buffer=False)


@contextmanager
def _as_parquet(source: Path, name: str) -> Iterator[None]:
    """Say which file cannot be read as Parquet."""
    try:
        yield
    except (pa.ArrowInvalid, OSError) as error:
        require_room(error)
        if (kind := _TABULAR.get(source.suffix.lower())) is not None:
            raise CorpusError(
                "corpus-not-parquet",
                f"`{name}` is {kind}, and items are read from Parquet",
                help="convert it, and register what comes out: consentry import tabular DESCRIPTOR FOLDER",
            ) from error
        raise CorpusError(
            "corpus-not-parquet",
            f"`{name}` cannot be read as Parquet: {str(error).splitlines()[0]}",
            help="the file is truncated or of another kind; write it again, or name other files in the descriptor",
        ) from error


def _batches(parquet: pq.ParquetFile, descriptor: CorpusDescriptor) -> Iterator[pa.RecordBatch]:
    roles = ("item", "author", "involves", "category", "visibility", "created", "licence")
    columns = sorted({descriptor.columns[role].split(".")[0] for role in roles if role in descriptor.columns})
    yield from parquet.iter_batches(batch_size=_BATCH_ROWS, columns=columns, use_threads=False)


@contextmanager
def _legible(name: str) -> Iterator[None]:
    """Say which file is damaged when its pages or its text cannot be read."""
    try:
        yield
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise  # of the disk we write to
        raise CorpusError(
            "corpus-damaged",
            f"`{name}` is damaged: {str(error).splitlines()[0]}",
            help="write the file again",
        ) from error


@dataclass(slots=True, kw_only=True)
class _Keys:
    """The key columns of one batch."""

    item: U64
    person: U32
    klass: Array
    created: U32 | None
    involved_row: npt.NDArray[np.int64]
    involved_person: U32
    out_of_range: int
    strange: dict[str, dict[str, int]]


def _keys(
    batch: pa.RecordBatch, descriptor: CorpusDescriptor, *, identities: Identities, classes: ItemClasses, name: str
) -> _Keys:
    column = {
        role: single(batch.column(path.split(".")[0]))
        for role, path in descriptor.columns.items()
        if path.split(".")[0] in batch.schema.names
    }
    klass, strange = _classes(column, descriptor, classes, rows=batch.num_rows)
    created, out_of_range = None, 0
    if "created" in column:
        created, out_of_range = created_seconds(
            column["created"], zone=descriptor.created_zone, column=descriptor.columns["created"], filename=name
        )
    involved_row, involved_person = np.empty(0, dtype=np.int64), np.empty(0, dtype=np.uint32)
    if "involves" in column:
        path = descriptor.columns["involves"]
        pairs = involvement(column["involves"], tuple(path.split(".")[1:]), column=path, filename=name)
        involved_row, involved_person = pairs.rows, identities.seats(pairs.ids)
    return _Keys(
        item=identities.item_keys(column["item"]),
        person=identities.seats(column["author"]),
        klass=klass,
        created=created,
        involved_row=involved_row,
        involved_person=involved_person,
        out_of_range=out_of_range,
        strange=strange,
    )


def _classes(
    column: dict[str, pa.Array], descriptor: CorpusDescriptor, classes: ItemClasses, *, rows: int
) -> tuple[Array, dict[str, dict[str, int]]]:
    strange: dict[str, dict[str, int]] = {}
    codes = {}
    for role, mapping, known in (
        ("category", descriptor.categories, tuple(str(each) for each in CATEGORIES)),
        ("visibility", descriptor.visibilities, tuple(str(each) for each in VISIBILITIES)),
    ):
        meaning = {word: code for code, word in enumerate(known)}
        meaning |= {word: known.index(str(ours)) for word, ours in mapping.items()}
        if role in column:
            codes[role], odd = coded(words(column[role]), meaning, own=known)
            if odd:
                strange[role] = odd
        else:
            code = meaning.get(descriptor.constants.get(role, "unknown"), 0)
            codes[role] = np.full(rows, code, dtype=np.uint8)
    licence = words(column["licence"]) if "licence" in column else None
    return classes.encode(codes["category"], codes["visibility"], licence=licence), strange


def _check_item_ids(batch: pa.RecordBatch, descriptor: CorpusDescriptor, *, name: str, before: int) -> None:
    """Refuse rows without an id; `before` are the rows of the file in earlier batches."""
    import pyarrow.compute as pc  # noqa: PLC0415 - as in `columns`

    column = descriptor.columns["item"].split(".")[0]
    ids = single(batch.column(column))
    found: list[int] = []
    if not pa.types.is_integer(ids.type):
        lengths = pc.binary_length(ids.dictionary_decode() if pa.types.is_dictionary(ids.type) else ids)
        found = np.flatnonzero(lengths.fill_null(0).to_numpy(zero_copy_only=False) == 0).tolist()
    elif ids.null_count:
        found = np.flatnonzero(ids.is_null().to_numpy(zero_copy_only=False)).tolist()
    if found:
        shown = ", ".join(f"{before + row + 1:,}" for row in found[:_SHOWN_ROWS])
        more = f" and {len(found) - _SHOWN_ROWS:,} more" if len(found) > _SHOWN_ROWS else ""
        raise CorpusError(
            "corpus-empty-item-id",
            f"column `{column}` holds no id in row {shown}{more}",
            help="every item needs an id of its own: a decision about an item nobody can name cannot be explained."
            " Rows are counted from 1",
            where=name,
        )


class _Writer:
    """Owns the arrays of one sidecar while it is being built; they are files, so memory does not grow with the file."""

    def __init__(self, folder: Path, *, rows: int, dated: bool) -> None:
        self.folder = folder
        self.rows = rows
        self.done = 0
        self.item = self._new("item", np.uint64)
        self.person = self._new("person", np.uint32)
        self.klass = self._new("klass", np.uint16)
        self.created = self._new("created", np.uint32) if dated else None
        self.involved: list[tuple[npt.NDArray[np.int64], U32]] = []
        self.classes = 0
        self.seats = 1
        self.out_of_range = 0
        self.strange: dict[str, Counter[str]] = {}

    def _new(self, name: str, dtype: type[np.generic]) -> Array:
        if self.rows == 0:
            return np.empty(0, dtype=dtype)
        path = self.folder / f"{name}.npy"
        array = np.lib.format.open_memmap(path, mode="w+", dtype=dtype, shape=(self.rows,))
        reserve(path)
        return array

    def add(self, keys: _Keys) -> None:
        span = slice(self.done, self.done + keys.person.size)
        self.item[span] = keys.item
        self.person[span] = keys.person
        self.klass[span] = keys.klass
        if self.created is not None and keys.created is not None:
            self.created[span] = keys.created
        if keys.involved_row.size:
            self.involved.append((keys.involved_row + self.done, keys.involved_person))
        for seats in (keys.person, keys.involved_person):
            self.seats = max(self.seats, int(seats.max(initial=0)) + 1)
        self.classes = max(self.classes, int(keys.klass.max()) + 1 if keys.klass.size else 0)
        self.out_of_range += keys.out_of_range
        for role, odd in keys.strange.items():
            self.strange.setdefault(role, Counter()).update(odd)
        self.done = span.stop

    def finish(self) -> Oddities:
        rows = np.concatenate([np.empty(0, np.int64), *(rows for rows, _ in self.involved)]).astype(np.uint32)
        people = np.concatenate([np.empty(0, np.uint32), *(people for _, people in self.involved)])
        self._save("involved_row", rows)
        self._save("involved_person", people)
        posting_person, posting_row = in_order(np.asarray(self.person), rows=rows, people=people)
        self._save("posting_person", posting_person)
        self._save("posting_row", posting_row)
        del posting_person, posting_row
        self._save("klass", self.klass.astype(np.uint8) if self.classes <= _FEW else np.array(self.klass))
        oddities = Oddities(
            null_authors=int(np.count_nonzero(self.person == NOBODY)),
            unknown_involved=int(np.count_nonzero(people == NOBODY)),
            dates_out_of_range=self.out_of_range,
            unknown_dates=self.rows if self.created is None else int(np.count_nonzero(self.created == UNKNOWN_DATE)),
            words={role: dict(counts.most_common(20)) for role, counts in self.strange.items()},
        )
        for mapped in (self.item, self.person, self.created):
            if isinstance(mapped, np.memmap):
                mapped.flush()
        if self.rows == 0:
            for empty, dtype in (("item", np.uint64), ("person", np.uint32), ("created", np.uint32)):
                self._save(empty, np.empty(0, dtype=dtype))
        return oddities

    def _save(self, name: str, array: Array) -> None:
        # As `np.save` does, which keeps the system's reason to itself when it cannot write.
        with (self.folder / f"{name}.npy").open("wb") as stream:
            np.lib.format.write_array_header_1_0(stream, np.lib.format.header_data_from_array_1_0(array))
            stream.write(np.ascontiguousarray(array).data)
