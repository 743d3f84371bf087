"""Files that are whole after a crash: the old content or the new, never a part.

What is written goes to a neighbour, is flushed, and takes the name in one step; then the folder is flushed, so that the
name survives a loss of power as well.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def replace_file(path: Path, content: bytes) -> None:
    """Write a file durably, replacing what was there. One writer at a time per path."""
    staged = path.with_name(path.name + ".staged")
    try:
        with staged.open("wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        staged.replace(path)
    except BaseException:
        staged.unlink(missing_ok=True)
        raise
    sync(path.parent)


def sync(path: Path) -> None:
    """Flush a file, or the names in a folder."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_tree(folder: Path) -> None:
    """Flush everything in a folder and below."""
    for root, _, names in os.walk(folder):
        for name in names:
            sync(Path(root, name))
        sync(Path(root))


@contextmanager
def only_one(path: Path) -> Iterator[None]:
    """Hold the lock file `path`: one thread of one process at a time. The system frees it if the process dies."""
    with path.open("ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
