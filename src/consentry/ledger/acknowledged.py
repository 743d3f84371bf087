"""The newest event that was acknowledged, noted outside the ledger: a ledger that lost it is noticed.

A ledger that was restored from a backup of yesterday has forgotten the refusals since, and cannot know it. So a file
beside it names the newest event, by its position and the commitment to it. It is written after every commit and before
anybody is told, in place and without a flush: that costs microseconds. A loss of power can leave an older note, which
still stands; whatever stops this program alone leaves the newest.

Two notes take turns, so that one that was written in part never hides the one before it.

Who restores a whole home restores the note with it. So there can be a second file in a folder elsewhere, which is not
restored with the home: it is written with the first, under the id of the ledger, and the newest of both counts.
"""

from __future__ import annotations

import fcntl
import os
import struct
from pathlib import Path
from threading import Lock
from typing import NamedTuple
from zlib import crc32

from consentry.errors import InputError, IntegrityError

FILE = "acknowledged"
_NOTE = struct.Struct("<Q32sI")
_BODY = struct.Struct("<Q32s")
_APART = 64
"""Where the second note begins. Each lies within one sector of a disk."""
_SIZE = 2 * _APART
GO_ON = "consentry ledger accept-older --by HANDLE --reference TEXT"


class Noted(NamedTuple):
    """An event that was acknowledged."""

    position: int
    commitment: bytes


class Acknowledged:
    """What was acknowledged, as the file in the home and a second one say."""

    def __init__(self, home: Path, *, second: Path | None = None, ledger: str = "") -> None:
        """Open the files.

        Args:
            home: the folder of the deployment.
            second: a folder elsewhere, if there is one; it has to be there.
            ledger: the id of the ledger, which names the file in it.
        """
        self._notes = [_Note(home / FILE)]
        if second is not None:
            try:
                _require_elsewhere(second, home=home)
                self._notes.append(_Note(second / f"{FILE}-{ledger}"))
            except BaseException:
                self.close()
                raise

    def newest(self) -> Noted | None:
        """Return the newest event that was noted anywhere, None if none was.

        Raises:
            IntegrityError: something was noted, and cannot be read.
        """
        return max((noted for each in self._notes if (noted := each.newest()) is not None), default=None)

    def note(self, position: int, commitment: bytes) -> None:
        """Note an event that is durable, wherever no later one is noted.

        Raises:
            OSError: it cannot be noted somewhere.
        """
        failed: OSError | None = None
        for each in self._notes:
            try:
                each.note(position, commitment)
            except OSError as error:
                failed = error
        if failed is not None:
            raise failed

    def take_for_newest(self, position: int, commitment: bytes) -> None:
        """Note an event in place of whatever is noted: the ledger that had it is lost."""
        for each in self._notes:
            each.take_for_newest(position, commitment)

    def close(self) -> None:
        """Let go of the files."""
        for each in self._notes:
            each.close()


def _require_elsewhere(second: Path, *, home: Path) -> None:
    """Refuse a folder that is not there, as one whose disk is not mounted, or that would be restored with the home."""
    if second.is_dir() and not second.resolve().is_relative_to(home.resolve()):
        return
    raise InputError(
        "ledger-note-folder",
        f"`{second}` is {'in the home' if second.is_dir() else 'no folder'}: the second note of the newest event "
        "is kept there",
        help="mount its disk, or name a folder outside of the home in the setting `acknowledged_folder`",
    )


class _Note:
    """Owns one file. Any number of threads and processes may note; the highest position stays."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
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
        return _newest(os.pread(self._file, _SIZE, 0), self._path)

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


def noted_in(path: Path) -> Noted | None:
    """Return the newest event that a file names, None if it is not there or names none. It is not opened for writing.

    Raises:
        IntegrityError: something was noted, and cannot be read.
    """
    try:
        return _newest(path.read_bytes()[:_SIZE], path)
    except FileNotFoundError:
        return None


def _newest(content: bytes, path: Path) -> Noted | None:
    notes = [note for start in (0, _APART) if (note := _read(content[start : start + _NOTE.size])) is not None]
    if not notes and any(content):
        raise IntegrityError(
            "ledger-newest-damaged",
            f"`{path}` cannot be read",
            help=f"it names the newest event: see that the ledger is the newest there is, then say so: {GO_ON}",
        )
    return max(notes, default=None)


def older(message: str) -> IntegrityError:
    """Return the error for a ledger that has forgotten something."""
    return IntegrityError(
        "ledger-older",
        message,
        help="this is an older copy, which has forgotten what was said since: restore the newest one. If it is lost "
        f"for good: {GO_ON}",
    )


def _read(content: bytes) -> Noted | None:
    if len(content) < _NOTE.size:
        return None
    position, commitment, checksum = _NOTE.unpack(content)
    valid = any(content) and checksum == crc32(_BODY.pack(position, commitment))
    return Noted(position, commitment) if valid else None
