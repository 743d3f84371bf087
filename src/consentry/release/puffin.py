"""Puffin files with one blob: how Iceberg v3 stores a deletion vector next to a table.

    "PFA1"  blob  "PFA1"  footer (JSON)  length of the footer (4 bytes, little-endian)  flags (4 bytes)  "PFA1"

Puffin allows many blobs in a file; Consentry writes one file per deletion vector, because readers have counted rows
wrongly where several vectors share a file. The footer is written as canonical JSON and without compression, so that the
same blob always gives the same file.

    >>> blob = Blob(type="note-v1", fields=(1,), properties={"by": "us"}, payload=b"hello")
    >>> read(write(blob, created_by="example")) == blob
    True
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from consentry.digests import canonical_json
from consentry.errors import IntegrityError

MAGIC = b"PFA1"
BLOB_OFFSET = len(MAGIC)
"""Where the only blob starts."""
_TAIL = struct.Struct("<iI4s")
_SMALLEST = 2 * len(MAGIC) + _TAIL.size
_UNASSIGNED = -1
"""What the format asks for where snapshot and sequence number are not known when the file is written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Blob:
    """What a Puffin file carries: bytes of a type, and the ids of the fields they are about."""

    type: str
    fields: tuple[int, ...]
    properties: Mapping[str, str]
    payload: bytes


def write(blob: Blob, *, created_by: str) -> bytes:
    """Return the file that carries `blob`, which starts at `BLOB_OFFSET`."""
    description = {
        "type": blob.type,
        "fields": list(blob.fields),
        "snapshot-id": _UNASSIGNED,
        "sequence-number": _UNASSIGNED,
        "offset": BLOB_OFFSET,
        "length": len(blob.payload),
        "properties": dict(blob.properties),
    }
    footer = canonical_json({"blobs": [description], "properties": {"created-by": created_by}})
    return b"".join([MAGIC, blob.payload, MAGIC, footer, _TAIL.pack(len(footer), 0, MAGIC)])


def read(content: bytes) -> Blob:
    """Return the blob of a file that `write` wrote.

    Raises:
        IntegrityError: not a Puffin file, not exactly one blob, or a compressed one.
    """
    footer, blobs_end = _footer(content)
    try:
        (description,) = json.loads(footer)["blobs"]
        return _blob(content, description, blobs_end)
    except (ValueError, KeyError, TypeError) as error:
        raise _damaged("the footer of a Puffin file does not describe one blob") from error


def _footer(content: bytes) -> tuple[bytes, int]:
    if len(content) < _SMALLEST or not content.startswith(MAGIC):
        raise _damaged("a Puffin file does not start with its magic")
    length, flags, magic = _TAIL.unpack_from(content, len(content) - _TAIL.size)
    start = len(content) - _TAIL.size - length
    if magic != MAGIC:
        raise _damaged("a Puffin file does not end with its magic")
    if flags:
        raise _damaged(f"a Puffin file carries flags {flags:#x}, and only plain footers are read")
    if length < 0 or start - len(MAGIC) < BLOB_OFFSET or content[start - len(MAGIC) : start] != MAGIC:
        raise _damaged(f"a Puffin file states a footer of {length} bytes where there is none")
    return content[start : start + length], start - len(MAGIC)


def _blob(content: bytes, description: Mapping[str, Any], blobs_end: int) -> Blob:
    offset, length = int(description["offset"]), int(description["length"])
    if offset < BLOB_OFFSET or length < 0 or offset + length > blobs_end:
        raise _damaged("a Puffin file describes a blob outside itself")
    if description.get("compression-codec") is not None:
        raise _damaged("a Puffin file carries a compressed blob, and only plain ones are read")
    return Blob(
        type=str(description["type"]),
        fields=tuple(int(field) for field in description["fields"]),
        properties={str(key): str(value) for key, value in description.get("properties", {}).items()},
        payload=content[offset : offset + length],
    )


def _damaged(message: str) -> IntegrityError:
    return IntegrityError(
        "release-puffin-damaged",
        message,
        help="restore the file, or write the table again from the release",
    )
