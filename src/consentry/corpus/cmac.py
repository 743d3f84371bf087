"""AES-CMAC with a 256-bit key (RFC 4493, NIST SP 800-38B): of one message, or of thousands of strings at once.

A message is cut into blocks of 16 bytes. Each block is added (exclusive or) to what the cipher made of the blocks
before it, and encrypted. Before that, the last block is filled up with a one bit and zeros if it is short, and one of
two subkeys is added to it, so that no message is the beginning of another.

For a column, step w is one call of the cipher over block w of all strings. Within a step no block depends on another,
which is ECB mode, and that runs at gigabytes a second.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from cryptography.hazmat.primitives.ciphers import Cipher, CipherContext, algorithms, modes

BLOCK = 16
PIECE_ROWS = 1 << 15
"""The most strings that can be taken at once."""
_MARK = 0x80
_ZEROS = bytes(BLOCK)
_FILLING = [bytes([_MARK, *_ZEROS])[: BLOCK - length] for length in range(BLOCK + 1)]
"""What a last block of each length is filled up with."""
_number = int.from_bytes
# How a carry out of the highest bit comes back when a subkey is doubled (SP 800-38B, section 5.3).
_CARRY = 0x87
_HIGHEST = 1 << (8 * BLOCK - 1)

U64 = npt.NDArray[np.uint64]
I64 = npt.NDArray[np.int64]
Wide = npt.NDArray[np.complex128]
# Blocks, never numbers: the one type of 16 bytes that NumPy moves in one piece.
_WIDE = np.complex128


class Cmac:
    """The function under one key. Any number of threads may call it."""

    __slots__ = ("_added", "_cipher", "_local", "_short", "_whole")

    def __init__(self, secret: bytes) -> None:
        self._cipher = Cipher(algorithms.AES256(secret), modes.ECB())  # noqa: S305 -- the building block of CMAC
        self._local = threading.local()
        self._whole = _doubled(int.from_bytes(self._encryptor().update(_ZEROS), "big"))
        self._short = _doubled(self._whole)
        # By the bytes that are left, this block included: a last block is filled up, and has a subkey added.
        filled = [_number(bytes(length) + _FILLING[length], "big") ^ self._short for length in range(BLOCK)]
        contents = b"".join(map(_bytes, [*filled, self._whole, 0]))
        self._added: Wide = np.frombuffer(contents, dtype=_WIDE)

    def _encryptor(self) -> CipherContext:
        """Return the encryptor of this thread: one cannot be used by two at a time."""
        try:
            found: CipherContext = self._local.encryptor
        except AttributeError:
            found = self._local.encryptor = self._cipher.encryptor()
        return found

    def of(self, message: bytes) -> bytes:
        """Return the 16 bytes for one message."""
        try:
            encrypt: Callable[[bytes], bytes] = self._local.update
        except AttributeError:
            encrypt = self._local.update = self._encryptor().update
        state = 0
        while len(message) > BLOCK:
            state = _number(encrypt((state ^ _number(message[:BLOCK], "big")).to_bytes(BLOCK, "big")), "big")
            message = message[BLOCK:]
        last = _number(message + _FILLING[len(message)], "big")
        subkey = self._whole if len(message) == BLOCK else self._short
        return encrypt((state ^ last ^ subkey).to_bytes(BLOCK, "big"))

    def of_column(self, strings: pa.Array, lengths: I64) -> U64:
        """Return the two words (big-endian, as numbers) for each of up to PIECE_ROWS strings, none of them null."""
        width = max(1, -(-int(lengths.max(initial=0)) // BLOCK))
        blocks = _padded(strings, width)
        left = lengths
        state = np.zeros(len(strings), dtype=_WIDE)
        for step in range(width):
            # All that is added to a block of zeros and text, besides the state, follows from how much text is left.
            here = self._added.take(left, mode="clip")
            numbers = here.view(np.uint64)
            numbers ^= np.ascontiguousarray(blocks[:, step]).view(np.uint64)
            if not step:
                state = self._encrypted(here)
            else:
                numbers ^= state.view(np.uint64)
                rows = np.flatnonzero(left > 0)
                state[rows] = self._encrypted(here.take(rows))
            left = left - BLOCK
        return state.view(">u8").astype(np.uint64).reshape(-1, 2)

    def _encrypted(self, blocks: Wide) -> Wide:
        out = np.empty(blocks.nbytes + BLOCK - 1, dtype=np.uint8)
        self._encryptor().update_into(blocks.data.cast("B"), out.data)
        return out[: blocks.nbytes].view(_WIDE)


def _bytes(block: int) -> bytes:
    return block.to_bytes(BLOCK, "big")


def _doubled(subkey: int) -> int:
    shifted = (subkey << 1) % (_HIGHEST << 1)
    return shifted ^ _CARRY if subkey & _HIGHEST else shifted


def _padded(strings: pa.Array, width: int) -> Wide:
    """Return the bytes of each string as a row of `width` blocks, filled up with zeros."""
    # Only here: it makes all its functions when it is imported, and most commands need none of them.
    import pyarrow.compute as pc  # noqa: PLC0415

    padded = pc.ascii_rpad(strings, width=width * BLOCK, padding="\0")
    found: Wide = np.frombuffer(padded.buffers()[2], dtype=_WIDE, count=len(strings) * width)
    return found.reshape(len(strings), width)
