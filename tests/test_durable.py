"""A file holds the old content or the new, whatever happens while it is written."""

from __future__ import annotations

import os
import stat
import threading
from pathlib import Path

import pytest

from consentry.durable import replace_file, sync_tree


def test_a_write_that_fails_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "file"
    replace_file(target, b"old")

    def full(_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        replace_file(target, b"new")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    assert target.read_bytes() == b"old"


def test_everything_in_a_folder_is_flushed_before_the_names_in_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "inner").mkdir()
    files = [tmp_path / name for name in ("a", "b", "c", "d", "e", "inner/f")]
    for file in files:
        file.write_bytes(b"content")
    flushed: list[Path] = []
    monkeypatch.setattr(os, "fsync", lambda descriptor: flushed.append(Path(f"/proc/self/fd/{descriptor}").readlink()))
    sync_tree(tmp_path)
    assert sorted(flushed) == sorted([*files, tmp_path, tmp_path / "inner"])
    for file in files:
        assert flushed.index(file) < flushed.index(file.parent)


def test_a_file_that_cannot_be_flushed_is_an_error_and_its_name_is_not_flushed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in "abcdefgh":
        (tmp_path / name).write_bytes(b"content")
    flushed: list[Path] = []

    def failing(descriptor: int) -> None:
        path = Path(f"/proc/self/fd/{descriptor}").readlink()
        if path.name == "g":
            raise OSError(5, "Input/output error")
        flushed.append(path)

    monkeypatch.setattr(os, "fsync", failing)
    with pytest.raises(OSError, match="Input/output"):
        sync_tree(tmp_path)
    assert tmp_path not in flushed


def test_a_file_is_made_with_the_mode_it_keeps(tmp_path: Path) -> None:
    replace_file(tmp_path / "secret", b"x", mode=0o600)
    assert stat.S_IMODE((tmp_path / "secret").stat().st_mode) == 0o600


def test_many_may_write_one_shared_file_at_a_time(tmp_path: Path) -> None:
    contents = [bytes([number]) * 100_000 for number in range(8)]
    writers = [
        threading.Thread(target=replace_file, args=(tmp_path / "file", content), kwargs={"shared": True})
        for content in contents
    ]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert (tmp_path / "file").read_bytes() in contents
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
