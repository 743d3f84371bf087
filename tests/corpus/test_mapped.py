"""Arrays are mapped without a file that stays open, and what is no array of ours is refused."""

from __future__ import annotations

import gc
from pathlib import Path

import numpy as np
import pytest

from consentry.corpus import mapped as module
from consentry.corpus.mapped import let_go, mapped
from consentry.errors import UnavailableError
from open_files import open_files_left

_MANY = 200_000


def written(path: Path, array: module.Array) -> Path:
    np.save(path, array)
    return path


@pytest.mark.parametrize("count", [0, 10, _MANY])
def test_an_array_is_read_as_it_was_written_and_nobody_writes_into_it(tmp_path: Path, count: int) -> None:
    found = mapped(written(tmp_path / "a.npy", np.arange(count, dtype=np.uint32)))
    let_go(found)
    assert (found == np.arange(count, dtype=np.uint32)).all()
    assert found.dtype == np.uint32
    with pytest.raises(ValueError, match="read-only"):
        found[:] = 1


def test_more_arrays_are_mapped_than_files_may_be_open(tmp_path: Path) -> None:
    path = written(tmp_path / "a.npy", np.arange(_MANY, dtype=np.uint32))
    with open_files_left(20):
        several = [mapped(path) for _ in range(60)]
        with pytest.raises(OSError, match="Too many open files"):  # the control: as NumPy maps
            [np.load(path, mmap_mode="r") for _ in range(60)]
    assert {int(each[-1]) for each in several} == {_MANY - 1}


def test_what_looks_into_a_mapped_array_keeps_it_also_when_its_file_is_gone(tmp_path: Path) -> None:
    path = written(tmp_path / "a.npy", np.arange(_MANY, dtype=np.uint32))
    part = mapped(path)[::2][1:]
    path.unlink()
    gc.collect()
    assert int(part.sum()) == sum(range(2, _MANY, 2))


def test_it_is_said_that_no_more_can_be_opened_or_mapped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written(tmp_path / "a.npy", np.arange(_MANY, dtype=np.uint32))
    with open_files_left(0), pytest.raises(UnavailableError, match="too many open files") as refused:
        mapped(path)
    assert refused.value.code == "system-exhausted"
    monkeypatch.setattr(module, "PROT_READ", -1)
    with pytest.raises(OSError, match=r"\[Errno"):
        mapped(path)


@pytest.mark.parametrize(
    "array", [np.zeros((2, 2), np.uint32), np.zeros(3, np.int64), np.zeros(3), np.array(["a"]), np.zeros((), np.uint8)]
)
def test_an_array_of_another_kind_is_refused(tmp_path: Path, array: module.Array) -> None:
    with pytest.raises(ValueError, match="another kind"):
        mapped(written(tmp_path / "a.npy", array))


@pytest.mark.parametrize("count", [3, _MANY])
@pytest.mark.parametrize("by", [-1, 1])
def test_a_file_of_another_size_than_its_array_is_refused(tmp_path: Path, count: int, by: int) -> None:
    path = written(tmp_path / "a.npy", np.zeros(count, np.uint32))
    content = path.read_bytes()
    path.write_bytes(content[:by] if by < 0 else content + bytes(by))
    with pytest.raises(ValueError, match="another size"):
        mapped(path)
