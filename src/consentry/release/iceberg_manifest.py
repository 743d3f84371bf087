"""Iceberg's two Avro documents, a manifest (a list of files) and a manifest list, as bytes. Pure.

Field numbers are those of the Iceberg specification, and readers go by them, not by names. Everything is written
without compression and with a sync marker that the caller gives, so that the same entries give the same bytes.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from consentry.release.iceberg_schema import Document, FormatVersion

ROW_POSITION_ID = 2147483645

STATUS_ADDED = 1
CONTENT_DATA = 0
CONTENT_POSITION_DELETES = 1
MANIFEST_DATA = 0
MANIFEST_DELETES = 1
SYNC_MARKER_BYTES = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """What all manifests of a table share."""

    id: int
    sequence_number: int
    schema: Document
    format_version: FormatVersion
    sync_marker: bytes


def manifest(snapshot: Snapshot, entries: Iterable[Document], *, content: int) -> bytes:
    """Return a manifest of files that `snapshot` adds; each entry is the `data_file` of one of them."""
    version = snapshot.format_version
    metadata = {
        "schema": json.dumps(snapshot.schema),
        "schema-id": str(snapshot.schema["schema-id"]),
        "partition-spec": "[]",
        "partition-spec-id": "0",
        "format-version": str(version),
        "content": "data" if content == MANIFEST_DATA else "deletes",
    }
    # Sequence numbers stay null: readers inherit them from the manifest list, as for every file a snapshot adds.
    wrapped = [{"status": STATUS_ADDED, "snapshot_id": snapshot.id, "data_file": entry} for entry in entries]
    return _avro(_entry_schema(version), wrapped, metadata=metadata, sync_marker=snapshot.sync_marker)


def manifest_list(snapshot: Snapshot, manifests: Sequence[Document]) -> bytes:
    """Return the list of the manifests of `snapshot`."""
    metadata = {
        "format-version": str(snapshot.format_version),
        "snapshot-id": str(snapshot.id),
        "sequence-number": str(snapshot.sequence_number),
        "parent-snapshot-id": "null",
    }
    return _avro(_list_schema(snapshot.format_version), manifests, metadata=metadata, sync_marker=snapshot.sync_marker)


def _avro(schema: Document, rows: Iterable[Document], *, metadata: dict[str, str], sync_marker: bytes) -> bytes:
    # Only here: every command imports this, and few write a table.
    import fastavro  # noqa: PLC0415

    stream = io.BytesIO()
    fastavro.writer(stream, schema, rows, codec="null", metadata=metadata, sync_marker=sync_marker)
    return stream.getvalue()


def _field(name: str, id_: int, type_: Any) -> Document:
    return {"name": name, "type": type_, "field-id": id_}


def _optional(name: str, id_: int, type_: Any) -> Document:
    return {"name": name, "type": ["null", type_], "default": None, "field-id": id_}


def _map(key_id: int, value_id: int, value: str) -> Document:
    """Return Avro's form of a map with int keys: an array of pairs."""
    pair = [_field("key", key_id, "int"), _field("value", value_id, value)]
    return {
        "type": "array",
        "logicalType": "map",
        "items": {"type": "record", "name": f"k{key_id}_v{value_id}", "fields": pair},
    }


def _entry_schema(version: FormatVersion) -> Document:
    data_file = [
        _field("content", 134, "int"),
        _field("file_path", 100, "string"),
        _field("file_format", 101, "string"),
        _field("partition", 102, {"type": "record", "name": "r102", "fields": []}),
        _field("record_count", 103, "long"),
        _field("file_size_in_bytes", 104, "long"),
        _optional("lower_bounds", 125, _map(126, 127, "bytes")),
        _optional("upper_bounds", 128, _map(129, 130, "bytes")),
        _optional("split_offsets", 132, {"type": "array", "items": "long", "element-id": 133}),
        _optional("sort_order_id", 140, "int"),
        _optional("referenced_data_file", 143, "string"),
    ]
    if version >= 3:
        data_file += [
            _optional("first_row_id", 142, "long"),
            _optional("content_offset", 144, "long"),
            _optional("content_size_in_bytes", 145, "long"),
        ]
    fields = [
        _field("status", 0, "int"),
        _optional("snapshot_id", 1, "long"),
        _optional("sequence_number", 3, "long"),
        _optional("file_sequence_number", 4, "long"),
        _field("data_file", 2, {"type": "record", "name": "r2", "fields": data_file}),
    ]
    return {"type": "record", "name": "manifest_entry", "fields": fields}


def _list_schema(version: FormatVersion) -> Document:
    fields = [
        _field("manifest_path", 500, "string"),
        _field("manifest_length", 501, "long"),
        _field("partition_spec_id", 502, "int"),
        _field("content", 517, "int"),
        _field("sequence_number", 515, "long"),
        _field("min_sequence_number", 516, "long"),
        _field("added_snapshot_id", 503, "long"),
        _field("added_files_count", 504, "int"),
        _field("existing_files_count", 505, "int"),
        _field("deleted_files_count", 506, "int"),
        _field("added_rows_count", 512, "long"),
        _field("existing_rows_count", 513, "long"),
        _field("deleted_rows_count", 514, "long"),
    ]
    if version >= 3:
        fields.append(_optional("first_row_id", 520, "long"))
    return {"type": "record", "name": "manifest_file", "fields": fields}
