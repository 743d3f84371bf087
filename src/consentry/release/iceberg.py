"""A release as an Iceberg table over files that nobody touches.

The table's manifests name the Parquet files of the corpus where they lie, and its deletes name the rows that the
release leaves out. Any reader of Iceberg then sees eligible rows only, without code of ours and without a copy of the
content. The table is a *view*: derived from the signed manifest of the release, it can be written again at any time.

- Format version 2 (position deletes in Parquet) is read by more engines. Version 3 (deletion vectors in Puffin) holds
  the very bitmaps of the release and is quicker to write and to apply. Which is smaller depends on the exclusions. Both
  have one delete file per data file: some readers count wrongly where one serves several.
- A file with nothing eligible in it is not in the table at all, so that no reader opens it.
- There are no column statistics: smallest and largest values would put content of excluded rows into the metadata.
- Names, ids and times come from the release, so the same input gives the same bytes.
- It filters; it does not protect. Who can read the table can read the files under it.

    TABLE/metadata/v1.metadata.json     the table; written last
    TABLE/metadata/snapshot.avro        the list of manifests
    TABLE/metadata/data.avro            the data files
    TABLE/metadata/deletes.avro         the delete files, if there are any
    TABLE/metadata/version-hint.text    for readers that are given the folder
    TABLE/deletes/00000.parquet         (or .puffin) what is left out of the data file of that number
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from consentry import __version__
from consentry.digests import Digest, digest, digest_file, digest_json
from consentry.errors import InputError
from consentry.exhausted import walked
from consentry.progress import Progress, watched
from consentry.release import deletion_vector, iceberg_manifest, position_deletes, puffin
from consentry.release.data_file import DataFile, excluded_count, excluded_positions, open_pinned
from consentry.release.iceberg_manifest import (
    CONTENT_DATA,
    CONTENT_POSITION_DELETES,
    MANIFEST_DATA,
    MANIFEST_DELETES,
    ROW_POSITION_ID,
    SYNC_MARKER_BYTES,
    Snapshot,
)
from consentry.release.iceberg_schema import (
    Document,
    FormatVersion,
    TableSchema,
    check_file,
    table_schema,
)
from consentry.release.staging import staged

METADATA_NAME = "v1.metadata.json"
_NAMESPACE = uuid.UUID("5d0f0d2c-6f3c-5b8e-9a55-0f5a3c1f7e42")
_SEQUENCE_NUMBER = 1
_CREATED_BY = f"consentry {__version__}"
_UNSAFE_IN_LOCATIONS = frozenset("?#%")
"""Readers disagree whether a location is percent-encoded, and some cut it at `?` or `#`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WrittenFile:
    """A file of the table, by its path inside the table's folder."""

    path: str
    size: int
    digest: Digest


@dataclass(frozen=True, slots=True, kw_only=True)
class TableReport:
    """What was written. `rows` and `excluded` count the data files in the table; `left_out` are files not in it."""

    metadata: Path
    digest: Digest
    files: tuple[WrittenFile, ...]
    data_files: int
    rows: int
    excluded: int
    left_out: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Source:
    """A data file in the table, with what of it is excluded."""

    file: DataFile
    location: str
    excluded: int
    split_offsets: list[int]


def write_table(
    folder: Path,
    files: Sequence[DataFile],
    *,
    schema: pa.Schema,
    format_version: FormatVersion,
    release: str,
    sealed_at: int,
    properties: Mapping[str, str],
    progress: Progress | None = None,
) -> TableReport:
    """Write the table into `folder`, which must not exist and appears whole or not at all.

    Args:
        folder: where the table will be; its place is written into the metadata.
        files: the data files of the release, in its order.
        schema: of the table; the columns of every file are among its columns.
        format_version: 2 for position deletes, 3 for deletion vectors.
        release: the id of the release, from which the table's ids are derived.
        sealed_at: seconds since the epoch, the time of the table.
        properties: further table properties.
        progress: is told how many files are written.

    Raises:
        CorpusError: a column that Iceberg cannot describe, or files with different schemas.
        InputError: a path that readers cannot open.
        IntegrityError: a file is not the one the release was made from, or its exclusions are damaged.
        ConflictError: `folder` exists.
        UnavailableError: no space left.
    """
    folder = folder.absolute()
    table = table_schema(schema, format_version=format_version)
    sources = [_source(file, table, format_version) for file in files if file.rows]
    kept = [source for source in sources if source.excluded < source.file.rows]
    snapshot = _snapshot(table, kept, release=release, format_version=format_version)
    layout = _Layout(location=_location(folder), snapshot=snapshot)
    described = _metadata(table, kept, layout, release=release, sealed_at=sealed_at, properties=properties)
    with staged(folder) as part:
        _write_files(part, kept, layout, described=described, progress=progress)
        written = _written(part)
    return TableReport(
        metadata=folder / "metadata" / METADATA_NAME,
        digest=next(file.digest for file in written if file.path == f"metadata/{METADATA_NAME}"),
        files=written,
        data_files=len(kept),
        rows=sum(source.file.rows for source in kept),
        excluded=sum(source.excluded for source in kept),
        left_out=len(files) - len(kept),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Layout:
    """Where the table will be, and its snapshot."""

    location: str
    snapshot: Snapshot

    def of(self, path: str) -> str:
        """Return the location of a file of the table."""
        return f"{self.location}/{path}"


def _source(file: DataFile, table: TableSchema, format_version: FormatVersion) -> _Source:
    with open_pinned(file) as opened:
        check_file(opened.schema_arrow, table, format_version=format_version, where=str(file.path))
        groups = [opened.metadata.row_group(group) for group in range(opened.metadata.num_row_groups)]
        offsets = sorted(_start(group) for group in groups if group.num_columns)
    return _Source(file=file, location=_location(file.path), excluded=excluded_count(file), split_offsets=offsets)


def _start(group: pq.RowGroupMetaData) -> int:
    column = group.column(0)
    return int(min(column.data_page_offset, column.dictionary_page_offset or column.data_page_offset))


def _location(path: Path) -> str:
    """Return the path as readers want it: a URI with a scheme, but plain characters in it."""
    text = path.absolute().as_posix()
    if unsafe := sorted(_UNSAFE_IN_LOCATIONS.intersection(text)):
        inside = _UNSAFE_IN_LOCATIONS.isdisjoint(path.absolute().parent.as_posix())
        what = f"give `{path.name}` a name" if inside else "move the files to a folder"
        raise InputError(
            "release-path-unsupported",
            f"the path `{text}` contains `{unsafe[0]}`, which Iceberg readers do not agree on",
            help=f"{what} without `?`, `#` and `%` in its name",
        )
    return f"file://{text}"


def _snapshot(table: TableSchema, kept: Sequence[_Source], *, release: str, format_version: FormatVersion) -> Snapshot:
    """Return the snapshot, its ids taken from a digest of what the table shows."""
    members = [[source.location, source.file.size, source.file.rows, digest(source.file.excluded)] for source in kept]
    identity = digest_json([release, format_version, table.document, members]).removeprefix("sha256:")
    return Snapshot(
        id=int(identity[:15], 16) + 1,
        sequence_number=_SEQUENCE_NUMBER,
        schema=table.document,
        format_version=format_version,
        sync_marker=bytes.fromhex(identity[-2 * SYNC_MARKER_BYTES :]),
    )


def _write_files(
    part: Path,
    kept: Sequence[_Source],
    layout: _Layout,
    *,
    described: Document,
    progress: Progress | None,
) -> None:
    """Write deletes, then manifests, then their list, then the metadata that names it."""
    (part / "metadata").mkdir()
    (part / "deletes").mkdir()
    deletes = []
    numbered = watched(enumerate(kept), progress, what="writing a table", total=len(kept), unit="files")
    for number, source in numbered:
        if source.excluded:
            deletes.append(_write_deletes(part, number, source=source, layout=layout))
    listed = _write_manifests(part, kept, layout=layout, deletes=deletes)
    (part / "metadata" / "snapshot.avro").write_bytes(iceberg_manifest.manifest_list(layout.snapshot, listed))
    (part / "metadata" / "version-hint.text").write_text("1", encoding="ascii")
    text = json.dumps(described, indent=2, sort_keys=True, ensure_ascii=False)
    (part / "metadata" / METADATA_NAME).write_text(text, encoding="utf-8")


def _write_manifests(
    part: Path, kept: Sequence[_Source], *, layout: _Layout, deletes: Sequence[Document]
) -> list[Document]:
    data = [_data_entry(source) for source in kept]
    listed = []
    for name, content, entries in (("data", MANIFEST_DATA, data), ("deletes", MANIFEST_DELETES, deletes)):
        if entries:
            path = f"metadata/{name}.avro"
            written = iceberg_manifest.manifest(layout.snapshot, entries, content=content)
            (part / path).write_bytes(written)
            listed.append(_listed(layout, path, size=len(written), content=content, entries=entries))
    return listed


def _data_entry(source: _Source) -> Document:
    return {
        "content": CONTENT_DATA,
        "file_path": source.location,
        "file_format": "PARQUET",
        "partition": {},
        "record_count": source.file.rows,
        "file_size_in_bytes": source.file.size,
        "split_offsets": source.split_offsets,
    }


def _write_deletes(part: Path, number: int, *, source: _Source, layout: _Layout) -> Document:
    if layout.snapshot.format_version >= 3:
        return _write_vector(part, f"deletes/{number:05d}.puffin", source=source, layout=layout)
    return _write_positions(part, f"deletes/{number:05d}.parquet", source=source, layout=layout)


def _write_vector(part: Path, path: str, *, source: _Source, layout: _Layout) -> Document:
    blob = puffin.Blob(
        type=deletion_vector.BLOB_TYPE,
        fields=(ROW_POSITION_ID,),
        properties={"referenced-data-file": source.location, "cardinality": str(source.excluded)},
        payload=deletion_vector.frame(source.file.excluded),
    )
    content = puffin.write(blob, created_by=_CREATED_BY)
    (part / path).write_bytes(content)
    return {
        **_delete_entry(source, layout.of(path), len(content)),
        "file_format": "PUFFIN",
        "content_offset": puffin.BLOB_OFFSET,
        "content_size_in_bytes": len(blob.payload),
    }


def _write_positions(part: Path, path: str, *, source: _Source, layout: _Layout) -> Document:
    positions = excluded_positions(source.file)
    position_deletes.write(part / path, location=source.location, positions=positions)
    size = (part / path).stat().st_size
    first, last = int(positions[0]), int(positions[-1])
    return {
        **_delete_entry(source, layout.of(path), size),
        "file_format": "PARQUET",
        "lower_bounds": position_deletes.bounds(source.location, first),
        "upper_bounds": position_deletes.bounds(source.location, last),
    }


def _delete_entry(source: _Source, location: str, size: int) -> Document:
    return {
        "content": CONTENT_POSITION_DELETES,
        "file_path": location,
        "partition": {},
        "record_count": source.excluded,
        "file_size_in_bytes": size,
        "referenced_data_file": source.location,
    }


def _listed(layout: _Layout, path: str, *, size: int, content: int, entries: Sequence[Document]) -> Document:
    is_data = content == MANIFEST_DATA
    return {
        "manifest_path": layout.of(path),
        "manifest_length": size,
        "partition_spec_id": 0,
        "content": content,
        "sequence_number": _SEQUENCE_NUMBER,
        "min_sequence_number": _SEQUENCE_NUMBER,
        "added_snapshot_id": layout.snapshot.id,
        "added_files_count": len(entries),
        "existing_files_count": 0,
        "deleted_files_count": 0,
        "added_rows_count": sum(entry["record_count"] for entry in entries),
        "existing_rows_count": 0,
        "deleted_rows_count": 0,
        **({"first_row_id": 0 if is_data else None} if layout.snapshot.format_version >= 3 else {}),
    }


def _metadata(
    table: TableSchema,
    kept: Sequence[_Source],
    layout: _Layout,
    *,
    release: str,
    sealed_at: int,
    properties: Mapping[str, str],
) -> Document:
    snapshot = layout.snapshot
    rows = sum(source.file.rows for source in kept)
    described: Document = {
        "snapshot-id": snapshot.id,
        "sequence-number": _SEQUENCE_NUMBER,
        "timestamp-ms": sealed_at * 1000,
        "manifest-list": layout.of("metadata/snapshot.avro"),
        "summary": _summary(kept, snapshot.format_version, release=release),
        "schema-id": 0,
    }
    metadata: Document = {
        "format-version": snapshot.format_version,
        "table-uuid": str(uuid.uuid5(_NAMESPACE, f"{release}/v{snapshot.format_version}")),
        "location": layout.location,
        "last-sequence-number": _SEQUENCE_NUMBER,
        "last-updated-ms": sealed_at * 1000,
        "last-column-id": table.last_column_id,
        "schemas": [table.document],
        "current-schema-id": 0,
        "partition-specs": [{"spec-id": 0, "fields": []}],
        "default-spec-id": 0,
        "last-partition-id": 999,
        "properties": {**properties, "schema.name-mapping.default": json.dumps(table.name_mapping)},
        "current-snapshot-id": snapshot.id,
        "snapshots": [described],
        "snapshot-log": [{"timestamp-ms": sealed_at * 1000, "snapshot-id": snapshot.id}],
        "metadata-log": [],
        "sort-orders": [{"order-id": 0, "fields": []}],
        "default-sort-order-id": 0,
        "refs": {"main": {"snapshot-id": snapshot.id, "type": "branch"}},
    }
    if snapshot.format_version >= 3:
        described |= {"first-row-id": 0, "added-rows": rows}
        metadata["next-row-id"] = rows
    return metadata


def _summary(kept: Sequence[_Source], format_version: FormatVersion, *, release: str) -> dict[str, str]:
    with_deletes = [source for source in kept if source.excluded]
    kind = "added-dvs" if format_version >= 3 else "added-position-delete-files"
    counts = {
        "added-data-files": len(kept),
        "added-delete-files": len(with_deletes),
        kind: len(with_deletes),
        "added-records": sum(source.file.rows for source in kept),
        "added-position-deletes": sum(source.excluded for source in with_deletes),
        "total-data-files": len(kept),
        "total-delete-files": len(with_deletes),
        "total-records": sum(source.file.rows for source in kept),
        "total-position-deletes": sum(source.excluded for source in with_deletes),
        "total-equality-deletes": 0,
    }
    operation = "overwrite" if with_deletes else "append"
    return {
        "operation": operation,
        "consentry.release": release,
        **{name: str(count) for name, count in counts.items()},
    }


def _written(part: Path) -> tuple[WrittenFile, ...]:
    paths = sorted(path for root, _, names in walked(part) for name in names if (path := root / name).is_file())
    return tuple(
        WrittenFile(path=path.relative_to(part).as_posix(), size=path.stat().st_size, digest=digest_file(path))
        for path in paths
    )
