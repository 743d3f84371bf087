"""A disk that loses power: what was written but not flushed survives in part, torn and out of order.

It is a SQLite VFS that keeps every file in memory in two states, as the process sees it and as the platter has it. A
flush makes them equal. At the cut each unflushed sector reaches the platter or not, by the toss of a coin. Files are
made and deleted at once and for good: what a folder forgets is not modelled.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import apsw

SECTOR = 512


class PowerCutError(Exception):
    """The power is gone."""


class File:
    """One file. `pending` are the writes since the last flush: where, and what; None cuts the file there."""

    def __init__(self, content: bytes) -> None:
        self.seen = bytearray(content)
        self.platter = bytearray(content)
        self.pending: list[tuple[int, bytes | None]] = []

    def write(self, offset: int, data: bytes | None) -> None:
        change(self.seen, offset, data)
        self.pending.append((offset, data))

    def flush(self) -> None:
        self.platter[:] = self.seen
        self.pending.clear()

    def lose_power(self, rng: random.Random) -> None:
        for offset, data in self.pending:
            if data is None:
                if rng.random() < 0.5:
                    change(self.platter, offset, None)
                continue
            for start in range(0, len(data), SECTOR):
                if rng.random() < 0.5:
                    change(self.platter, offset + start, data[start : start + SECTOR])


def change(content: bytearray, offset: int, data: bytes | None) -> None:
    if data is None:
        del content[offset:]
        return
    content.extend(bytes(max(0, offset + len(data) - len(content))))
    content[offset : offset + len(data)] = data


class Disk:
    """All files, and the count of operations: the power fails at operation `cut` and stays off."""

    def __init__(self, *, cut: int, seed: int) -> None:
        self.cut = cut
        self.operations = 0
        self.files: dict[str, File] = {}
        self._rng = random.Random(seed)

    def tick(self) -> None:
        self.operations += 1
        if self.operations >= self.cut:
            raise PowerCutError

    def file(self, path: str) -> File:
        if path not in self.files:
            self.files[path] = File(Path(path).read_bytes())
        return self.files[path]

    def lose_power(self) -> None:
        for path, file in self.files.items():
            file.lose_power(self._rng)
            Path(path).write_bytes(file.platter)


class _OpenFile(apsw.VFSFile):
    def __init__(self, disk: Disk, name: str | apsw.URIFilename | None, flags: list[int]) -> None:
        super().__init__("", name, flags)
        path = name.filename() if isinstance(name, apsw.URIFilename) else name
        assert path is not None, "these tests use no nameless files"
        self._disk = disk
        self._file = disk.file(path)

    def xRead(self, amount: int, offset: int) -> bytes:  # noqa: N802
        return bytes(self._file.seen[offset : offset + amount])

    def xFileSize(self) -> int:  # noqa: N802
        return len(self._file.seen)

    def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802
        self._disk.tick()
        self._file.write(offset, bytes(data))

    def xTruncate(self, newsize: int) -> None:  # noqa: N802
        self._disk.tick()
        self._file.write(newsize, None)

    def xSync(self, flags: int) -> None:  # noqa: N802, ARG002
        self._disk.tick()
        self._file.flush()

    def xSectorSize(self) -> int:  # noqa: N802
        return SECTOR

    def xDeviceCharacteristics(self) -> int:  # noqa: N802
        return 0


class _Files(apsw.VFS):
    def __init__(self, disk: Disk, name: str) -> None:
        super().__init__(name, "")
        self._disk = disk

    def xOpen(self, name: str | apsw.URIFilename | None, flags: list[int]) -> _OpenFile:  # noqa: N802
        return _OpenFile(self._disk, name, flags)

    def xDelete(self, filename: str, syncdir: bool) -> None:  # noqa: N802
        self._disk.tick()
        self._disk.files.pop(filename, None)
        super().xDelete(filename, syncdir)


@contextmanager
def database(path: Path, disk: Disk) -> Iterator[apsw.Connection]:
    """Open a database on `disk`. When the block is left the power is lost, whether or not it was before."""
    name = f"losing-power-{id(disk)}"
    files = _Files(disk, name)
    connection: apsw.Connection | None = None
    try:
        connection = apsw.Connection(str(path), vfs=name)
        connection.execute("PRAGMA locking_mode=EXCLUSIVE")  # without it the write-ahead log needs shared memory
        yield connection
    except (PowerCutError, apsw.Error):
        if disk.operations < disk.cut:
            raise
    finally:
        disk.lose_power()
        survived = {each: Path(each).read_bytes() for each in disk.files}
        disk.cut = disk.operations + 10**9  # closing cleans up, on a disk that nobody looks at any more
        if connection is not None:
            connection.close()
        for each, content in survived.items():
            Path(each).write_bytes(content)
        files.unregister()
