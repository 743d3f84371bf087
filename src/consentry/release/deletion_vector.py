"""Framing of a deletion vector: the bytes that Iceberg v3 and Delta store for "these rows of this file are gone".

The payload is a 64-bit roaring bitmap of row positions in its portable serialisation. The frame around it is

    length of magic and vector   4 bytes, big-endian
    magic                        D1 D3 39 64
    vector                       the bitmap
    CRC-32 of magic and vector   4 bytes, big-endian

The mixture of byte orders is the format's. Iceberg calls a blob of these bytes `deletion-vector-v1`.

    >>> unframe(frame(b"bitmap"))
    b'bitmap'
    >>> unframe(frame(b"bitmap")[:-1])
    Traceback (most recent call last):
    consentry.errors.IntegrityError: a deletion vector states 10 bytes and has 9 [release-deletion-vector-damaged]
"""

from __future__ import annotations

import struct
import zlib

from consentry.errors import IntegrityError

BLOB_TYPE = "deletion-vector-v1"
MAGIC = bytes.fromhex("d1d33964")
MAX_BODY_BYTES = 2**31 - 1
_LENGTH = struct.Struct(">I")
_CHECKSUM = struct.Struct(">I")
_OVERHEAD_BYTES = _LENGTH.size + len(MAGIC) + _CHECKSUM.size
VECTOR = slice(_LENGTH.size + len(MAGIC), -_CHECKSUM.size)
"""Where the vector lies in a frame."""


def frame(vector: bytes) -> bytes:
    """Return `vector` with length, magic and checksum around it.

    Raises:
        ValueError: the vector is too long for the format (2 GiB, what readers accept).
    """
    length = len(MAGIC) + len(vector)
    if length > MAX_BODY_BYTES:
        raise ValueError("a deletion vector of more than 2 GiB has no frame")
    checksum = zlib.crc32(vector, zlib.crc32(MAGIC))
    return b"".join((_LENGTH.pack(length), MAGIC, vector, _CHECKSUM.pack(checksum)))


def unframe(blob: bytes) -> bytes:
    """Return the vector in `blob`, every part of the frame checked.

    Raises:
        IntegrityError: length, magic or checksum are not those of a frame.
    """
    if len(blob) < _OVERHEAD_BYTES:
        raise _damaged(f"a deletion vector of {len(blob)} bytes is shorter than its frame")
    (length,) = _LENGTH.unpack_from(blob)
    present = len(blob) - _LENGTH.size - _CHECKSUM.size
    if length != present:
        raise _damaged(f"a deletion vector states {length} bytes and has {present}")
    body = blob[_LENGTH.size : -_CHECKSUM.size]
    if not body.startswith(MAGIC):
        raise _damaged(f"a deletion vector starts with {body[: len(MAGIC)].hex()} in place of {MAGIC.hex()}")
    (stated,) = _CHECKSUM.unpack_from(blob, len(blob) - _CHECKSUM.size)
    actual = zlib.crc32(body)
    if stated != actual:
        raise _damaged(f"a deletion vector states checksum {stated:08x} and has {actual:08x}")
    return body[len(MAGIC) :]


def _damaged(message: str) -> IntegrityError:
    return IntegrityError(
        "release-deletion-vector-damaged",
        message,
        help="restore the file, or write the table again from the release",
    )
