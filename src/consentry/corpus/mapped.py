"""Arrays of `.npy` files, mapped into memory without a file that stays open.

Python's `mmap` keeps the file open for as long as the mapping lives (until 3.13, which can do without), and NumPy maps
by it. A corpus of two hundred content files has well over a thousand arrays, where a process may have 1,024 open files
unless somebody allows it more.
"""

from __future__ import annotations

import ctypes
import os
from mmap import MADV_DONTNEED, MAP_SHARED, PROT_READ
from pathlib import Path
from threading import Lock
from tokenize import TokenError
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from consentry.exhausted import require_room

Array = npt.NDArray[Any]

_HEADERS = Lock()
_SYSTEM = ctypes.CDLL(None, use_errno=True)
_SYSTEM.mmap.restype = ctypes.c_void_p
_SYSTEM.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_ssize_t]
_SYSTEM.munmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
_SYSTEM.madvise.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
_FAILED = ctypes.c_void_p(-1).value


class _Mapping:
    """A mapped file, which is the base of one array: it lives as long as that and all that look into it."""

    def __init__(self, stream: BinaryIO, size: int) -> None:
        self.size = size
        self.address = _SYSTEM.mmap(None, size, PROT_READ, MAP_SHARED, stream.fileno(), 0)
        if self.address == _FAILED:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number), stream.name)
        # Bound here: when the process ends, what is in modules may be gone first.
        self._unmap = _SYSTEM.munmap

    def array(self, dtype: np.dtype[Any], *, count: int, offset: int) -> Array:
        # SAFETY: the caller looked that the file has `count` of them behind `offset`. NumPy keeps `self` as its base.
        data = (self.address + offset, True)
        self.__array_interface__ = {"version": 3, "shape": (count,), "typestr": dtype.str, "data": data}
        return np.asarray(self)

    def let_go(self) -> None:
        _SYSTEM.madvise(self.address, self.size, MADV_DONTNEED)

    def __del__(self) -> None:
        if hasattr(self, "_unmap"):
            self._unmap(self.address, self.size)


def mapped(path: Path) -> Array:
    """Return the array of unsigned numbers, of one dimension, that a `.npy` file holds. What is mapped stays.

    Raises:
        ValueError: the file holds something else.
        UnavailableError: this process may open or map no more.
        OSError: it cannot be read or mapped.
    """
    try:
        return _mapped(path)
    except OSError as error:
        require_room(error)
        raise


def let_go(array: Array) -> None:
    """Take what was read so far of a mapped array out of this process's memory; the system still has it."""
    if isinstance(array.base, _Mapping):
        array.base.let_go()


def _mapped(path: Path) -> Array:
    with path.open("rb") as stream:
        count, dtype = _header(stream)
        offset, size = stream.tell(), os.fstat(stream.fileno()).st_size
        if size != offset + count * dtype.itemsize:
            raise ValueError("a file has another size than its array")
        return _Mapping(stream, size).array(dtype, count=count, offset=offset)


def _header(stream: BinaryIO) -> tuple[int, np.dtype[Any]]:
    # NumPy reads it with `ast.literal_eval`, which Python 3.11 cannot do in two threads at a time (gh-106905).
    with _HEADERS:
        try:
            if np.lib.format.read_magic(stream) != (1, 0):
                raise ValueError("an array is of another format than what was built")
            shape, _, dtype = np.lib.format.read_array_header_1_0(stream)
        except (EOFError, SyntaxError, TokenError) as error:  # an empty file, a header that is no literal any more
            raise ValueError("an array has no header that can be read") from error
    if len(shape) != 1 or dtype.kind != "u":
        raise ValueError("an array is of another kind than what was built")
    return shape[0], dtype
