"""The newest event that was acknowledged, noted outside the ledger: a ledger that lost it is noticed.

A ledger that was restored from a backup of yesterday has forgotten the refusals since, and cannot know it. So a file
beside it names the newest event, by its position and the commitment to it. It is written after every commit and before
anybody is told, in place and without a flush: that costs microseconds. A loss of power can leave an older note, which
still stands; whatever stops this program alone leaves the newest.

Two notes take turns, so that one that was written in part never hides the one before it.
"""

from __future__ import annotations

import fcntl
import os
import struct
from pathlib import Path
from threading import Lock
from typing import NamedTuple
from zlib import crc32

from consentry.errors import IntegrityError

FILE = "acknowledged"
_NOTE = struct.Struct("<Q32sI")
_BODY = struct.Struct("<Q32s")
_APART = 64
"""Where the second note begins. Each lies within one sector of a disk."""
_SIZE = 2 * _APART


class Noted(NamedTuple):
    """An event that was acknowledged."""

    position: int
    commitment: bytes


class Acknowledged:
    """Owns the file. Any number of threads and processes may note; the highest position stays."""

    def __init__(self, home: Path) -> None:
        self._file = os.open(home / FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._mutex = Lock()
        size = os.fstat(self._file).st_size
        if size < _SIZE:
            # Room is made now: later on a full disk is no reason not to note. What is noted already is left as it is.
            os.pwrite(self._file, bytes(_SIZE - size), size)

    def newest(self) -> Noted | None:
        """Return the newest event that was noted, None if none was.

        Raises:
            IntegrityError: something was noted, and cannot be read.
        """
        content = os.pread(self._file, _SIZE, 0)
        notes = [note for start in (0, _APART) if (note := _read(content[start : start + _NOTE.size])) is not None]
        if not notes and any(content):
            raise IntegrityError(
                "ledger-newest-damaged",
                f"`{FILE}` cannot be read",
                help="it names the newest event: see that the ledger is the newest there is, then say so: "
                "consentry ledger accept-older",
            )
        return max(notes, default=None)

    def note(self, position: int, commitment: bytes) -> None:
        """Note an event that is durable, unless a later one is noted."""
        body = _BODY.pack(position, commitment)
        with self._mutex:
            fcntl.lockf(self._file, fcntl.LOCK_EX, _SIZE, 0)
            try:
                content = os.pread(self._file, _SIZE, 0)
                first, second = (_read(content[start : start + _NOTE.size]) for start in (0, _APART))
                known = [each.position for each in (first, second) if each is not None]
                if known and position <= max(known):
                    return
                older = 0 if first is None or (second is not None and first < second) else _APART
                os.pwrite(self._file, body + struct.pack("<I", crc32(body)), older)
            finally:
                fcntl.lockf(self._file, fcntl.LOCK_UN, _SIZE, 0)

    def take_for_newest(self, position: int, commitment: bytes) -> None:
        """Note an event in place of whatever is noted: the ledger that had it is lost."""
        body = _BODY.pack(position, commitment)
        with self._mutex:
            for start in (0, _APART):
                os.pwrite(self._file, body + struct.pack("<I", crc32(body)), start)

    def close(self) -> None:
        """Let go of the file."""
        with self._mutex:
            file, self._file = self._file, -1
            if file >= 0:
                os.close(file)


def older(message: str) -> IntegrityError:
    """Return the error for a ledger that has forgotten something."""
    return IntegrityError(
        "ledger-older",
        message,
        help="this is an older copy, which has forgotten what was said since: restore the newest one. If it is lost "
        "for good: consentry ledger accept-older",
    )


def _read(content: bytes) -> Noted | None:
    if len(content) < _NOTE.size:
        return None
    position, commitment, checksum = _NOTE.unpack(content)
    valid = any(content) and checksum == crc32(_BODY.pack(position, commitment))
    return Noted(position, commitment) if valid else None
