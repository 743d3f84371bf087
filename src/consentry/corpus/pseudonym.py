"""Pseudonyms: what is stored instead of an id.

A pseudonym is 128 bits under a secret key of 32 bytes: the words

    high = SipHash-1-3(first 16 bytes of the key, id)      low = SipHash-1-3(last 16 bytes of the key, id)

over the UTF-8 bytes of the id, each read as an unsigned 64-bit number. Its text is 32 hexadecimal digits, `high` first.
An integer id is the same id as its decimal text. An id is never normalised: two spellings are two ids.

Without the key a pseudonym can neither be computed nor reversed; with it, anybody can test guesses, so whoever deletes
the key deletes the mapping. People and the items of each corpus have keys of their own, derived from the deployment's:
a person and an item with the same id, or the same item id in two corpora, have nothing visible in common.

Two ways lead to the same words. `words` and `pseudonym` take one id (about a microsecond). `pseudonyms` takes an Arrow
column and runs SipHash over a few thousand ids at once: the ids are padded to whole 64-bit words, and each step of the
hash is one NumPy operation over a piece small enough for the processor's cache. Ids of different length are ordered by
their number of words, so that step w concerns a prefix. All state belongs to the call: any number of threads may hash.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from siphash24 import siphash13

from consentry.errors import CorpusError, InputError

KEY_BYTES = 32
U64 = npt.NDArray[np.uint64]
Mask = npt.NDArray[np.bool_]

_ONES = 0xFFFF_FFFF_FFFF_FFFF
_BLOCK_ROWS = 1 << 16
_PIECE_ROWS = 1 << 13
# Longer ids are rare and cost more to hash than to loop over: they take the scalar way.
_LONG_BYTES = 512


class Words(NamedTuple):
    """The two unsigned 64-bit words of a pseudonym."""

    high: int
    low: int


@dataclass(frozen=True, slots=True, repr=False)
class PseudonymKey:
    """32 secret bytes. Derive the key of a domain before use; `repr` never shows the secret."""

    secret: bytes
    high_key: bytes = field(init=False, compare=False)
    low_key: bytes = field(init=False, compare=False)

    def __post_init__(self) -> None:
        if len(self.secret) != KEY_BYTES:
            raise InputError(
                "people-key-size",
                f"a pseudonym key has {KEY_BYTES} bytes, not {len(self.secret)}",
                help="restore keys/pseudonym.key from a backup: with another key nobody would be recognised",
            )
        object.__setattr__(self, "high_key", self.secret[:16])
        object.__setattr__(self, "low_key", self.secret[16:])

    def __repr__(self) -> str:
        return "PseudonymKey(...)"

    def for_people(self) -> PseudonymKey:
        """Return the key for ids of people."""
        return self._derived(b"consentry-people", b"")

    def for_items(self, corpus: str) -> PseudonymKey:
        """Return the key for ids of the items of one corpus."""
        return self._derived(b"consentry-items", corpus.encode())

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
    try:
        content = str(id).encode()
    except UnicodeEncodeError as error:
        raise CorpusError(
            "corpus-unencodable-id",
            f"the id {str(id)!a} holds half a character (a lone surrogate)",
            help="decode the source as UTF-8 or UTF-16 before handing ids over",
        ) from error
    high = siphash13(content, key=key.high_key).intdigest()
    low = siphash13(content, key=key.low_key).intdigest()
    return Words(high & _ONES, low & _ONES)


def pseudonym(key: PseudonymKey, id: str | int) -> str:  # noqa: A002
    """Return the pseudonym of one id as text."""
    return text_of(words(key, id))


def text_of(pair: Words) -> str:
    """Return a pseudonym's text."""
    return f"{pair.high:016x}{pair.low:016x}"


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
    (high, low), null, empty = _hashed((key.high_key, key.low_key), ids)
    return Pseudonyms(high=high, low=low, null=null, empty=empty)


def high_words(key: PseudonymKey, ids: pa.Array | pa.ChunkedArray) -> U64:
    """Return only the high word of each pseudonym, at half the price. Rows without an id are void."""
    (high,), _, _ = _hashed((key.high_key,), ids)
    return high


def _hashed(keys: Sequence[bytes], ids: pa.Array | pa.ChunkedArray) -> tuple[list[U64], Mask | None, Mask | None]:
    """Return one array of hashes a key, and the masks of null and of empty ids."""
    parts = ids.chunks if isinstance(ids, pa.ChunkedArray) else [ids]
    out = np.empty((len(keys), len(ids)), dtype=np.uint64)
    null = np.zeros(len(ids), dtype=np.bool_)
    empty = np.zeros(len(ids), dtype=np.bool_)
    hasher = _Hasher(keys)
    done = 0
    for part in parts:
        span = slice(done, done + len(part))
        _hash_part(hasher, part, out[:, span], null[span], empty[span])
        done = span.stop
    return list(out), null if null.any() else None, empty if empty.any() else None


def _hash_part(hasher: _Hasher, ids: pa.Array, out: U64, null: Mask, empty: Mask) -> None:
    if pa.types.is_dictionary(ids.type):
        _hash_dictionary(hasher, ids, out, null, empty)
        return
    for start in range(0, len(ids), _BLOCK_ROWS):
        span = slice(start, min(start + _BLOCK_ROWS, len(ids)))
        block = ids[span]
        if block.null_count:
            null[span] = block.is_null().to_numpy(zero_copy_only=False)
        _hash_block(hasher, _text(block), out[:, span], empty[span])
        empty[span] &= ~null[span]


def _hash_dictionary(hasher: _Hasher, ids: pa.DictionaryArray, out: U64, null: Mask, empty: Mask) -> None:
    values = ids.dictionary
    size = len(values)
    # One entry more than the dictionary has: where the rows without an index lead.
    hashed = np.zeros((out.shape[0], size + 1), dtype=np.uint64)
    void = np.zeros((2, size + 1), dtype=np.bool_)
    _hash_part(hasher, values, hashed[:, :size], void[0, :size], void[1, :size])
    void[0, size] = True
    indices = ids.indices
    if indices.null_count:
        indices = indices.cast(pa.int64()).fill_null(size)
    rows = indices.to_numpy(zero_copy_only=False)
    for lane in range(out.shape[0]):
        out[lane] = hashed[lane][rows]
    null[:] = void[0][rows]
    empty[:] = void[1][rows]


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
    lengths: npt.NDArray[np.int64] = np.subtract(offsets[1:], offsets[:-1], dtype=np.int64)
    return lengths


def _hash_block(hasher: _Hasher, strings: pa.Array, out: U64, empty: Mask) -> None:
    if not len(strings):
        return
    lengths = _lengths(strings)
    np.equal(lengths, 0, out=empty)
    long = np.flatnonzero(lengths > _LONG_BYTES)
    if long.size:
        contents = [strings[row].as_py().encode() for row in long.tolist()]
        strings = pc.if_else(pa.array(lengths > _LONG_BYTES), "", strings)
        lengths = _lengths(strings)
    for piece in _pieces(len(strings)):
        hasher.hash(strings[piece], lengths[piece], out[:, piece])
    for lane, lane_key in enumerate(hasher.keys if long.size else ()):
        out[lane, long] = [siphash13(content, key=lane_key).intdigest() & _ONES for content in contents]


def _pieces(rows: int) -> Iterator[slice]:
    for start in range(0, rows, _PIECE_ROWS):
        yield slice(start, min(start + _PIECE_ROWS, rows))


_INITIAL = (0x736F6D6570736575, 0x646F72616E646F6D, 0x6C7967656E657261, 0x7465646279746573)
_FINAL = np.uint64(0xFF)
_SHIFT = {bits: (np.uint64(bits), np.uint64(64 - bits)) for bits in (13, 16, 17, 21, 32)}


class _Hasher:
    """Owns the buffers of one call. A lane is one key: lanes are hashed side by side.

    Before the first word, the state depends on the key alone, so half of the first round is worked out here.
    """

    def __init__(self, keys: Sequence[bytes]) -> None:
        self.keys = tuple(keys)
        halves = np.array([np.frombuffer(key, dtype="<u8") for key in keys], dtype=np.uint64)
        # One row a lane, to be added to rows of words.
        v0, v1, self.v2, self.v3 = (halves[:, [0, 1, 0, 1]] ^ np.array(_INITIAL, dtype=np.uint64)).T[:, :, None]
        spare = np.empty_like(v0)
        v0 = v0 + v1
        self.v1 = v1.copy()
        _mix(self.v1, 13, v0, spare)
        _rotate(v0, 32, spare)
        self.v0 = v0
        self.v1_turned = self.v1.copy()
        _rotate(self.v1_turned, 17, spare)
        self.state = np.empty((5, len(self.keys), _PIECE_ROWS), dtype=np.uint64)
        self.word = np.empty(_PIECE_ROWS, dtype=np.uint64)

    def hash(self, strings: pa.Array, lengths: npt.NDArray[np.int64], out: U64) -> None:
        """Write the hashes of a piece of strings (one row a lane) to `out`."""
        count = len(strings)
        full = lengths >> 3
        most, fewest = int(full.max()), int(full.min())
        rows = _padded(strings, most + 1)
        if most == fewest:
            self._absorb(rows, rows[:, most] | _length_bits(lengths), alive=[count] * most)
            self._finish(count, out)
            return
        order = np.argsort((most - full).astype(np.uint8), kind="stable")
        rows, full = rows.take(order, axis=0), full[order]
        # alive[w]: how many ids, the longest first, have a full word number w.
        alive = count - np.cumsum(np.bincount(full, minlength=most + 1))
        self._absorb(rows, rows[np.arange(count), full] | _length_bits(lengths[order]), alive=alive[:most].tolist())
        hashed = np.empty_like(out)
        self._finish(count, hashed)
        out[:, order] = hashed

    def _absorb(self, rows: U64, tails: U64, *, alive: list[int]) -> None:
        """Take in word w of the first `alive[w]` rows, then the tails: the last bytes of each id under its length."""
        longer = alive[0] if alive else 0
        first = tails.copy()
        first[:longer] = rows[:longer, 0]
        self._start(first)
        for index in range(1, len(alive)):
            self._take_in(rows[: alive[index], index])
        self._take_in(tails[:longer])

    def _start(self, word: U64) -> None:
        v0, v1, v2, v3, spare = self.state[:, :, : word.size]
        np.bitwise_xor(self.v3, word, v3)
        np.add(self.v2, v3, v2)
        _mix(v3, 16, v2, spare)
        np.add(self.v0, v3, v0)
        _mix(v3, 21, v0, spare)
        np.add(v2, self.v1, v2)
        np.bitwise_xor(self.v1_turned, v2, v1)
        _rotate(v2, 32, spare)
        np.bitwise_xor(v0, word, v0)

    def _take_in(self, column: U64) -> None:
        word = self.word[: column.size]
        np.copyto(word, column)
        state = self.state[:, :, : column.size]
        np.bitwise_xor(state[3], word, state[3])
        _round(*state)
        np.bitwise_xor(state[0], word, state[0])

    def _finish(self, count: int, out: U64) -> None:
        """Do the final rounds. Of the last one only what does not cancel out in the hash, v0 ^ v1 ^ v2 ^ v3."""
        v0, v1, v2, v3, spare = self.state[:, :, :count]
        np.bitwise_xor(v2, _FINAL, v2)
        _round(v0, v1, v2, v3, spare)
        _round(v0, v1, v2, v3, spare)
        np.add(v0, v1, v0)
        _mix(v1, 13, v0, spare)
        np.add(v2, v3, v2)
        _mix(v3, 16, v2, spare)
        _rotate(v3, 21, spare)
        np.add(v2, v1, v2)
        _mix(v1, 17, v2, spare)
        _rotate(v2, 32, spare)
        np.bitwise_xor(v1, v2, v1)
        np.bitwise_xor(v1, v3, out)


def _length_bits(lengths: npt.NDArray[np.int64]) -> U64:
    return lengths.view(np.uint64) << np.uint64(56)


def _padded(strings: pa.Array, width: int) -> U64:
    """Return the bytes of each string, filled up with zeros to `width` words, as one row of little-endian words."""
    padded = pc.ascii_rpad(strings, width=8 * width, padding="\0")
    found = np.frombuffer(padded.buffers()[2], dtype="<u8", count=len(strings) * width)
    return found.reshape(len(strings), width)


def _round(v0: U64, v1: U64, v2: U64, v3: U64, spare: U64) -> None:
    """Do one SipRound in place."""
    np.add(v0, v1, v0)
    _mix(v1, 13, v0, spare)
    _rotate(v0, 32, spare)
    np.add(v2, v3, v2)
    _mix(v3, 16, v2, spare)
    np.add(v0, v3, v0)
    _mix(v3, 21, v0, spare)
    np.add(v2, v1, v2)
    _mix(v1, 17, v2, spare)
    _rotate(v2, 32, spare)


def _rotate(values: U64, bits: int, spare: U64) -> None:
    left, right = _SHIFT[bits]
    np.left_shift(values, left, spare)
    np.right_shift(values, right, values)
    np.bitwise_or(values, spare, values)


def _mix(values: U64, bits: int, other: Any, spare: U64) -> None:
    _rotate(values, bits, spare)
    np.bitwise_xor(values, other, values)
