"""Pseudonyms: what is stored instead of an id.

A pseudonym is 128 bits under a secret key of 32 bytes: the AES-CMAC of the UTF-8 bytes of the id. Its text is the 16
bytes as 32 hexadecimal digits; its words are the two halves, each read as a big-endian number, `high` first. An integer
id is the same id as its decimal text. An id is never normalised: two spellings are two ids.

Without the key a pseudonym can neither be computed nor reversed; with it, anybody can test guesses, so whoever deletes
the key deletes the mapping. People and the items of each corpus have keys of their own, derived from the deployment's:
a person and an item with the same id, or the same item id in two corpora, have nothing visible in common.

Two ways lead to the same words. `words` and `pseudonym` take one id (less than a microsecond). `pseudonyms` takes an
Arrow column, at a twentieth of that per id (`consentry.corpus.cmac`). Any number of threads may call them.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from consentry.corpus.cmac import PIECE_ROWS, Cmac
from consentry.errors import CorpusError, InputError

KEY_BYTES = 32
U64 = npt.NDArray[np.uint64]
Mask = npt.NDArray[np.bool_]

_HALVES = struct.Struct(">QQ")
_BLOCK_ROWS = 1 << 16
# Longer ids are rare and cost more in a column than alone.
_LONG_BYTES = 512


class Words(NamedTuple):
    """The two unsigned 64-bit words of a pseudonym."""

    high: int
    low: int


@dataclass(frozen=True, slots=True, repr=False)
class PseudonymKey:
    """32 secret bytes. Derive the key of a domain before use; `repr` never shows the secret."""

    secret: bytes
    cmac: Cmac = field(init=False, compare=False)

    def __post_init__(self) -> None:
        if len(self.secret) != KEY_BYTES:
            raise InputError(
                "people-key-size",
                f"a pseudonym key has {KEY_BYTES} bytes, not {len(self.secret)}",
                help="restore keys/pseudonym.key from a backup: with another key nobody would be recognised",
            )
        object.__setattr__(self, "cmac", Cmac(self.secret))

    def __repr__(self) -> str:
        return "PseudonymKey(...)"

    def for_people(self) -> PseudonymKey:
        """Return the key for ids of people."""
        return self._derived(b"consentry-people", b"")

    def for_items(self, corpus: str) -> PseudonymKey:
        """Return the key for ids of the items of one corpus."""
        return self._derived(b"consentry-items", corpus.encode())

    def for_web(self) -> bytes:
        """Return the 32-byte key under which secrets of webhooks are kept; it helps to guess no pseudonym."""
        return hashlib.blake2b(b"", digest_size=32, key=self.secret, person=b"consentry-web").digest()

    def for_forms(self) -> bytes:
        """Return the 32-byte key that marks whose page a form is on; it helps to guess no pseudonym."""
        return hashlib.blake2b(b"", digest_size=32, key=self.secret, person=b"consentry-forms").digest()

    def for_browsers(self) -> bytes:
        """Return the 32-byte key that marks browsers people signed in with; it helps to guess no pseudonym."""
        return hashlib.blake2b(b"", digest_size=32, key=self.secret, person=b"consentry-signin").digest()

    def for_cache(self) -> bytes:
        """Return the 32-byte key that marks what is kept and decides; it helps to guess no pseudonym."""
        return hashlib.blake2b(b"", digest_size=32, key=self.secret, person=b"consentry-cache").digest()

    def for_erased(self) -> bytes:
        """Return the 32-byte key that marks the list of the erased; it helps to guess no pseudonym."""
        return hashlib.blake2b(b"", digest_size=32, key=self.secret, person=b"consentry-erased").digest()

    def fingerprint(self) -> str:
        """Return what this key is recognised by, as 32 hexadecimal digits.

        It is the CMAC of a constant under a key that nothing else uses: it helps to guess neither the key nor an id.
        """
        return self._derived(b"consentry-key-id", b"").cmac.of(b"fingerprint").hex()

    def _derived(self, domain: bytes, name: bytes) -> PseudonymKey:
        derived = hashlib.blake2b(name, digest_size=KEY_BYTES, key=self.secret, person=domain)
        return PseudonymKey(derived.digest())


@dataclass(frozen=True, slots=True, kw_only=True)
class Pseudonyms:
    """The pseudonyms of a column. Rows in `null` or `empty` (None: there are none) have no id; their words are void."""

    high: U64
    low: U64
    null: Mask | None = None
    empty: Mask | None = None

    def __len__(self) -> int:
        return int(self.high.size)

    @property
    def absent(self) -> Mask | None:
        """The rows without an id, None if every row has one."""
        if self.null is None or self.empty is None:
            return self.empty if self.null is None else self.null
        return self.null | self.empty

    def texts(self) -> list[str | None]:
        """Return the pseudonyms as text, None for a row without an id. For few: one Python object each."""
        absent = np.zeros(len(self), dtype=np.bool_) if self.absent is None else self.absent
        rows = zip(self.high.tolist(), self.low.tolist(), absent.tolist(), strict=True)
        return [None if missing else text_of(Words(high, low)) for high, low, missing in rows]


def words(key: PseudonymKey, id: str | int) -> Words:  # noqa: A002
    """Return the words of one id.

    Raises:
        CorpusError: the id is text that no UTF-8 file can hold.
    """
    return Words._make(halves(key, id))


def halves(key: PseudonymKey, id: str | int) -> tuple[int, int]:  # noqa: A002
    """Return the words of one id as a plain tuple, which is made in less time."""
    try:
        content = id.encode() if type(id) is str else str(id).encode()
    except UnicodeEncodeError as error:
        raise CorpusError(
            "corpus-unencodable-id",
            f"the id {str(id)!a} holds half a character (a lone surrogate)",
            help="decode the source as UTF-8 or UTF-16 before handing ids over",
        ) from error
    high, low = _HALVES.unpack(key.cmac.of(content))
    return high, low


def pseudonym(key: PseudonymKey, id: str | int) -> str:  # noqa: A002
    """Return the pseudonym of one id as text."""
    return text_of(words(key, id))


def text_of(pair: Words) -> str:
    """Return a pseudonym's text."""
    return f"{pair.high:016x}{pair.low:016x}"


def key_of(item: str) -> int:
    """Return what a sidecar keeps of the pseudonym of an item: its first 64 bits."""
    return int(item[:16], 16)


def words_of(text: str) -> Words:
    """Return the words of a pseudonym's text."""
    if len(text) != 32:
        raise ValueError(f"a pseudonym has 32 digits, not {len(text)}")
    return Words(int(text[:16], 16), int(text[16:], 16))


def of_texts(texts: Sequence[str]) -> Pseudonyms:
    """Return pseudonyms from their texts; the inverse of `Pseudonyms.texts`."""
    pairs = np.frombuffer(bytes.fromhex("".join(texts)), dtype=">u8")
    if pairs.size != 2 * len(texts):
        raise ValueError("a pseudonym has 32 digits")
    high, low = pairs.astype(np.uint64).reshape(-1, 2).T
    return Pseudonyms(high=high, low=low)


def pseudonyms(key: PseudonymKey, ids: pa.Array | pa.ChunkedArray) -> Pseudonyms:
    """Return the pseudonyms of a column of strings or integers, dictionary-encoded or not.

    Raises:
        CorpusError: the column holds neither strings nor integers.
    """
    found = _room(len(ids))
    done = 0
    for part in ids.chunks if isinstance(ids, pa.ChunkedArray) else [ids]:
        _hash_part(key.cmac, part, found.part(slice(done, done + len(part))))
        done += len(part)
    return Pseudonyms(
        high=found.words[:, 0],
        low=found.words[:, 1],
        null=found.null if found.null.any() else None,
        empty=found.empty if found.empty.any() else None,
    )


def high_words(key: PseudonymKey, ids: pa.Array | pa.ChunkedArray) -> U64:
    """Return only the high word of each pseudonym. Rows without an id are void."""
    return np.ascontiguousarray(pseudonyms(key, ids).high)


class _Result(NamedTuple):
    """Where words (one row an id) and the masks of null and of empty ids are written."""

    words: U64
    null: Mask
    empty: Mask

    def part(self, span: slice) -> _Result:
        return _Result(self.words[span], self.null[span], self.empty[span])


def _room(rows: int) -> _Result:
    masks = np.zeros((2, rows), dtype=np.bool_)
    return _Result(np.zeros((rows, 2), dtype=np.uint64), masks[0], masks[1])


def _hash_part(cmac: Cmac, ids: pa.Array, result: _Result) -> None:
    if pa.types.is_dictionary(ids.type):
        _hash_dictionary(cmac, ids, result)
        return
    for start in range(0, len(ids), _BLOCK_ROWS):
        block = ids[start : start + _BLOCK_ROWS]
        here = result.part(slice(start, start + len(block)))
        _hash_block(cmac, _text(block), here)
        if block.null_count:
            here.null[:] = block.is_null().to_numpy(zero_copy_only=False)
            here.empty[here.null] = False


def _hash_dictionary(cmac: Cmac, ids: pa.DictionaryArray, result: _Result) -> None:
    size = len(ids.dictionary)
    # One entry more than the dictionary has: where the rows without an index lead.
    values = _room(size + 1)
    _hash_part(cmac, ids.dictionary, values.part(slice(size)))
    values.null[size] = True
    indices = ids.indices
    if indices.null_count:
        indices = indices.cast(pa.int64()).fill_null(size)
    rows = indices.to_numpy(zero_copy_only=False)
    for found, of_value in zip(result, values, strict=True):
        found[:] = of_value[rows]


def _text(ids: pa.Array) -> pa.Array:
    """Return a block of ids as strings without nulls (a null becomes the empty string)."""
    kind = ids.type
    if pa.types.is_integer(kind) or pa.types.is_null(kind) or pa.types.is_string_view(kind):
        ids = ids.cast(pa.string())
    elif not (pa.types.is_string(kind) or pa.types.is_large_string(kind)):
        raise CorpusError(
            "corpus-wrong-type",
            f"a column of `{kind}` holds no ids",
            help="use strings or integers as ids",
        )
    return ids.fill_null("") if ids.null_count else ids


def _lengths(strings: pa.Array) -> npt.NDArray[np.int64]:
    wide = pa.types.is_large_string(strings.type)
    offsets = np.frombuffer(
        strings.buffers()[1],
        dtype=np.int64 if wide else np.int32,
        count=len(strings) + 1,
        offset=strings.offset * (8 if wide else 4),
    )
    lengths: npt.NDArray[np.int32 | np.int64] = np.subtract(offsets[1:], offsets[:-1])
    return lengths.astype(np.int64)


def _hash_block(cmac: Cmac, strings: pa.Array, result: _Result) -> None:
    if not len(strings):
        return
    lengths = _lengths(strings)
    np.equal(lengths, 0, out=result.empty)
    long = np.flatnonzero(lengths > _LONG_BYTES)
    if long.size:
        # Only here: it makes all its functions when it is imported, and most commands need none of them.
        import pyarrow.compute as pc  # noqa: PLC0415

        contents = [strings[row].as_py().encode() for row in long.tolist()]
        strings = pc.if_else(pa.array(lengths > _LONG_BYTES), "", strings)
        lengths = _lengths(strings)
    for piece in _pieces(len(strings)):
        result.words[piece] = cmac.of_column(strings[piece], lengths[piece])
    if long.size:
        macs = b"".join(map(cmac.of, contents))
        result.words[long] = np.frombuffer(macs, dtype=">u8").reshape(-1, 2)


def _pieces(rows: int) -> Iterator[slice]:
    for start in range(0, rows, PIECE_ROWS):
        yield slice(start, min(start + PIECE_ROWS, rows))
