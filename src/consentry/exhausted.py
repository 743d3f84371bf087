"""Where the system gives this process no more: no further open file, no further mapping, no further room on a disk.

Nothing is known of a file that cannot be opened or mapped. Who takes such an error for one about the file says that it
is damaged or gone, and has it built anew or removed. INVARIANT: whoever concludes something about data from an
`OSError` asks here first.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from fnmatch import fnmatch
from pathlib import Path

from consentry.errors import UnavailableError

_SIGNS = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM})
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


def no_room(error: BaseException) -> UnavailableError | None:
    """Return what to say of an error by which the system gives no more; None if it is another one."""
    more = "allow this process more open files (ulimit -n) and mappings (vm.max_map_count); nothing is damaged"
    return _of_system(error, _SIGNS, "system-exhausted", help=more)


def require_room(error: BaseException) -> None:
    """Refuse to conclude anything from an error by which the system gives no more; of others nothing is said.

    Raises:
        UnavailableError: it is such an error.
    """
    if (found := no_room(error)) is not None:
        raise found from error


def disk_full(error: BaseException) -> UnavailableError | None:
    """Return what to say of an error by which the system says that nothing more can be stored; None of another one."""
    safe = "free some space and try again; what was recorded before is safe"
    return _of_system(error, _FULL, "system-disk-full", help=safe)


def _of_system(error: BaseException, signs: frozenset[int], code: str, *, help: str) -> UnavailableError | None:
    if not isinstance(error, OSError) or error.errno not in signs:
        return None
    about = f"`{error.filename}`: " if error.filename is not None else ""
    return UnavailableError(code, f"{about}{os.strerror(error.errno).lower()}", help=help)


@contextmanager
def full_as(code: str, message: str, *, help: str) -> Iterator[None]:
    """Say of what is done in the block, or in a function that is decorated, what a full disk means for it.

    Raises:
        UnavailableError: nothing more can be stored.
    """
    try:
        yield
    except OSError as error:
        if disk_full(error) is None:
            raise
        about = f": `{error.filename}`" if error.filename is not None else ""
        raise UnavailableError(code, f"{message}{about}", help=help) from error


def listed(folder: Path, pattern: str = "*") -> list[Path]:
    """Return what is in a folder under names of a pattern, in order; nothing if there is no such folder.

    `Path.glob` takes a folder that cannot be opened for an empty one, from Python 3.13 on.

    Raises:
        OSError: the folder cannot be read.
    """
    try:
        return sorted(each for each in folder.iterdir() if fnmatch(each.name, pattern))
    except (FileNotFoundError, NotADirectoryError):
        return []


def walked(folder: Path) -> Iterator[tuple[Path, list[str], list[str]]]:
    """Yield a folder and all below it, each with the names of the folders and of everything else in it.

    `os.walk` passes over a folder that cannot be opened.

    Raises:
        OSError: a folder cannot be read.
    """

    def refuse(error: OSError) -> None:
        raise error

    for root, folders, names in os.walk(folder, onerror=refuse):
        yield Path(root), folders, names
