r"""Canonical JSON and digests: the only place where documents and files are hashed.

Canonical JSON follows RFC 8785 for the values Consentry uses: strings, integers within ±2^53, booleans, null, lists and
objects with string keys. Floats are refused, so that no number formatting can differ between two implementations.

    >>> canonical_json({"b": 1, "a": "é"})
    b'{"a":"\xc3\xa9","b":1}'
    >>> digest(b"")
    'sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'
"""

from __future__ import annotations

import hashlib
import json
import stat
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from consentry.exhausted import walked

MAX_SAFE_INTEGER = 2**53 - 1
_PREFIX = "sha256:"
_FILE_CHUNK_BYTES = 1 << 20

Digest = str
"""`sha256:` followed by 64 lower-case hexadecimal digits."""


def canonical_json(value: Any) -> bytes:
    """Return `value` as canonical JSON (RFC 8785), UTF-8.

    Raises:
        TypeError: a float, a non-string key or any other type outside the subset.
        ValueError: an integer outside ±(2^53 - 1), or a lone surrogate.
    """
    return json.dumps(_ordered(value), ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode("utf-8")


def _ordered(value: Any) -> Any:
    if value is None or isinstance(value, (bool, str)):
        return value
    if isinstance(value, int):
        if abs(value) > MAX_SAFE_INTEGER:
            raise ValueError(f"integer {value} is outside the range of canonical JSON")
        return int(value)
    # The kinds that are common, first: asking whether something is a Mapping takes longer than the rest.
    if isinstance(value, (dict, Mapping)):
        if not all(isinstance(key, str) for key in value):
            raise TypeError("canonical JSON needs string keys")
        # RFC 8785 section 3.2.3: order by UTF-16 code units.
        order = None if all(map(str.isascii, value)) else _utf16
        return {str(key): _ordered(value[key]) for key in sorted(value, key=order)}
    if isinstance(value, (list, tuple, Sequence)) and not isinstance(value, (bytes, bytearray)):
        # Long columns of counts: the same checks, without a call per number.
        if set(map(type, value)) == {int} and min(value) >= -MAX_SAFE_INTEGER and max(value) <= MAX_SAFE_INTEGER:
            return list(value)
        return [_ordered(member) for member in value]
    raise TypeError(f"canonical JSON has no form for {type(value).__name__}")


def _utf16(key: str) -> bytes:
    return key.encode("utf-16-be")


def digest(content: bytes) -> Digest:
    """Return the SHA-256 digest of `content`."""
    return _PREFIX + hashlib.sha256(content).hexdigest()


def raw_digest(content: bytes) -> bytes:
    """Return the SHA-256 of `content` as 32 bytes."""
    return hashlib.sha256(content).digest()


def digest_json(value: Any) -> Digest:
    """Return the digest of `value` in canonical JSON."""
    return digest(canonical_json(value))


def digest_file(path: Path, *, progress: Callable[[int], None] | None = None) -> Digest:
    """Return the SHA-256 digest of a file, read in chunks of 1 MiB; `progress` is told how many bytes were read."""
    hasher = hashlib.sha256()
    with path.open("rb") as stream:
        while chunk := stream.read(_FILE_CHUNK_BYTES):
            hasher.update(chunk)
            if progress is not None:
                progress(len(chunk))
    return _PREFIX + hasher.hexdigest()


def commitment(*, salt: bytes, document: bytes) -> bytes:
    """Return the 32-byte salted commitment to `document`, which hides it as long as `salt` (32 bytes) is secret."""
    if len(salt) != 32:
        raise ValueError("a commitment needs a salt of 32 bytes")
    return hashlib.sha256(b"consentry/commitment/v1\x00" + salt + document).digest()


class NotPlainError(ValueError):
    """A folder holds a link or a special file, of which no digest says what it is."""

    def __init__(self, path: Path) -> None:
        super().__init__(f"`{path}` is a link, or no plain file")


def plain_files(folder: Path) -> Iterator[Path]:
    """Yield the files of a folder and of all folders in it.

    Raises:
        NotPlainError: there is something else in it.
        OSError: a folder cannot be read: it may hold some.
    """
    for root, folders, names in walked(folder):
        for name in (*folders, *names):
            path = root / name
            mode = path.lstat().st_mode
            if stat.S_ISREG(mode):
                yield path
            elif not stat.S_ISDIR(mode):
                raise NotPlainError(path)
