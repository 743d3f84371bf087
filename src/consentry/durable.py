"""Files that are whole after a crash: the old content or the new, never a part. The only place where files are flushed.

What is written goes to a neighbour, is flushed, and takes the name in one step; then the folder is flushed, so that the
name survives a loss of power as well.
"""

from __future__ import annotations

import fcntl
import os
import secrets
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from stat import S_ISREG
from typing import IO

from consentry.exhausted import walked

_FLUSHING = 4
_REWRITTEN = 1 << 20


def replace_file(path: Path, content: bytes, *, mode: int = 0o644, shared: bool = False) -> None:
    """Write a file durably, replacing what was there.

    One writer at a time, unless `shared`: then a writer that is killed leaves a neighbour that nobody overwrites.
    """
    own = f".{secrets.token_hex(8)}" if shared else ""
    staged = path.with_name(f".{path.name}{own}.staged")
    try:
        with flushed(staged, mode=mode) as stream:
            stream.write(content)
        take_name(staged, path)
    except BaseException:
        staged.unlink(missing_ok=True)
        raise


def sweep(path: Path) -> None:
    """Remove what a writer of a file that was killed left beside it. Nobody may be writing the file now."""
    path.with_name(f".{path.name}.staged").unlink(missing_ok=True)


@contextmanager
def flushed(path: Path, *, mode: int = 0o644) -> Iterator[IO[bytes]]:
    """Open a file for writing from its beginning; when the block ends its content is on disk, its name not yet."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, mode), "wb") as stream:
        yield stream
        flush(stream)


def flush(stream: IO[bytes]) -> None:
    """Bring what was written to disk."""
    stream.flush()
    os.fsync(stream.fileno())


def reserve(path: Path) -> None:
    """Take the room on disk that a file says it has: writing to a mapped page without room kills the process.

    Raises:
        OSError: there is not as much.
    """
    size = path.stat().st_size
    with path.open("r+b") as stream:
        if hasattr(os, "posix_fallocate"):  # macOS has none
            os.posix_fallocate(stream.fileno(), 0, size)
            return
        content = stream.read(_REWRITTEN)
        while content:
            stream.seek(-len(content), os.SEEK_CUR)
            stream.write(content)
            content = stream.read(_REWRITTEN)
        flush(stream)


def take_name(staged: Path, path: Path) -> None:
    """Give a file or folder whose content is on disk its name; a file of that name is replaced."""
    staged.replace(path)
    sync(path.parent)


def sync(path: Path) -> None:
    """Flush a file, or the names in a folder."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_tree(folder: Path) -> None:
    """Flush everything in a folder and below; several files at a time, which a disk does in one go.

    What a link leads to is somebody else's, and a special file has nothing to flush.

    Raises:
        OSError: something cannot be flushed, or a folder cannot be read.
    """
    with ThreadPoolExecutor(_FLUSHING) as pool:
        for root, _, names in walked(folder):
            # What is asked for is waited for: an error is raised here, before any name is flushed.
            paths = (root / name for name in names)
            list(pool.map(sync, [path for path in paths if S_ISREG(path.lstat().st_mode)]))
            sync(root)


@contextmanager
def only_one(path: Path, *, wait: bool = True) -> Iterator[None]:
    """Hold the lock file `path`: one thread of one process at a time. The system frees it if the process dies.

    Whoever holds it may remove it: those who wait go on with a new one.

    Raises:
        BlockingIOError: somebody else holds it, and `wait` is false.
    """
    while True:
        with path.open("ab") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _is_named(lock, path):
                yield
                return


def _is_named(stream: IO[bytes], path: Path) -> bool:
    """Say whether an open file still has its name."""
    try:
        return os.path.samestat(os.fstat(stream.fileno()), path.stat())
    except FileNotFoundError:
        return False
