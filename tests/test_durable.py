"""A file holds the old content or the new, whatever happens while it is written."""

from __future__ import annotations

import os
import stat
import threading
from pathlib import Path

import pytest

from consentry.durable import replace_file


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
