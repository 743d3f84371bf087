"""SipHash-1-3 of thousands of strings at once, in NumPy.

The strings are padded to whole 64-bit words, and each step of the hash is one operation over a piece that stays in the
processor's cache, with buffers that are used again. Strings of different length are ordered by their number of words,
so that step w concerns a prefix. All state belongs to one `SipHasher`: threads that have one each do not meet.

Per string the hash takes in its full words and then a last word, which holds the bytes left over and, in its highest
byte, the length. Three final rounds follow.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

U64 = npt.NDArray[np.uint64]

PIECE_ROWS = 1 << 13
"""The most strings that can be hashed at once."""
_INITIAL = (0x736F6D6570736575, 0x646F72616E646F6D, 0x6C7967656E657261, 0x7465646279746573)
_FINAL = np.uint64(0xFF)
_SHIFT = {bits: (np.uint64(bits), np.uint64(64 - bits)) for bits in (13, 16, 17, 21, 32)}


class SipHasher:
    """Owns the buffers. A lane is one key of 16 bytes: lanes are hashed side by side.

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
        _mix(self.v1, v0, 13, spare=spare)
        _rotate(v0, 32, spare)
        self.v0 = v0
        self.v1_turned = self.v1.copy()
        _rotate(self.v1_turned, 17, spare)
        self.state = np.empty((5, len(self.keys), PIECE_ROWS), dtype=np.uint64)
        self.word = np.empty(PIECE_ROWS, dtype=np.uint64)

    def hash(self, strings: pa.Array, lengths: npt.NDArray[np.int64], *, out: U64) -> None:
        """Write the hashes of up to PIECE_ROWS strings, none of them null, to `out`, one row a lane."""
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
        _mix(v3, v2, 16, spare=spare)
        np.add(self.v0, v3, v0)
        _mix(v3, v0, 21, spare=spare)
        np.add(v2, self.v1, v2)
        np.bitwise_xor(self.v1_turned, v2, v1)
        _rotate(v2, 32, spare)
        np.bitwise_xor(v0, word, v0)

    def _take_in(self, column: U64) -> None:
        word = self.word[: column.size]
        np.copyto(word, column)
        state = self.state[:, :, : column.size]
        np.bitwise_xor(state[3], word, state[3])
        _round(state)
        np.bitwise_xor(state[0], word, state[0])

    def _finish(self, count: int, out: U64) -> None:
        """Do the final rounds. Of the last one only what does not cancel out in the hash, v0 ^ v1 ^ v2 ^ v3."""
        state = self.state[:, :, :count]
        v0, v1, v2, v3, spare = state
        np.bitwise_xor(v2, _FINAL, v2)
        _round(state)
        _round(state)
        np.add(v0, v1, v0)
        _mix(v1, v0, 13, spare=spare)
        np.add(v2, v3, v2)
        _mix(v3, v2, 16, spare=spare)
        _rotate(v3, 21, spare)
        np.add(v2, v1, v2)
        _mix(v1, v2, 17, spare=spare)
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


def _round(state: U64) -> None:
    """Do one SipRound in place: v0, v1, v2, v3, and room for what is in between."""
    v0, v1, v2, v3, spare = state
    np.add(v0, v1, v0)
    _mix(v1, v0, 13, spare=spare)
    _rotate(v0, 32, spare)
    np.add(v2, v3, v2)
    _mix(v3, v2, 16, spare=spare)
    np.add(v0, v3, v0)
    _mix(v3, v0, 21, spare=spare)
    np.add(v2, v1, v2)
    _mix(v1, v2, 17, spare=spare)
    _rotate(v2, 32, spare)


def _rotate(values: U64, bits: int, spare: U64) -> None:
    left, right = _SHIFT[bits]
    np.left_shift(values, left, spare)
    np.right_shift(values, right, values)
    np.bitwise_or(values, spare, values)


def _mix(values: U64, other: U64, bits: int, *, spare: U64) -> None:
    _rotate(values, bits, spare)
    np.bitwise_xor(values, other, values)
