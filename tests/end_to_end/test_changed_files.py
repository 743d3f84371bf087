"""Content files that are changed after they were registered, also with their size and time put back."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from end_to_end.terminal import Terminal, build, ready, terminal

__all__ = ["ready", "terminal"]


def test_a_file_changed_between_sidecar_and_build(ready: Terminal) -> None:
    file = ready.folder / "items" / "0.parquet"
    content = file.read_bytes()
    os.utime(file, ns=(1, 1))
    ready.fails("corpus-file-changed", "release", "build", "network", "--policy", "september-2024")
    file.unlink()
    error = ready.fails("corpus-file-changed", "release", "build", "network", "--policy", "september-2024")
    assert error["message"] == "`items/0.parquet` is gone"
    assert error["help"].startswith("restore it, or register")
    file.write_bytes(content)
    ready.run("corpus", "register", ready.folder / "corpus.toml")
    assert build(ready)["counts"]["items"] == 3


def swap(file: Path) -> None:
    """Give ada's items to somebody else whom nobody knows: other bytes, as many, and the modification time put back."""
    stat, content = file.stat(), file.read_bytes()
    assert b"ada" in content
    file.write_bytes(content.replace(b"ada", b"eva"))
    os.utime(file, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert (file.stat().st_size, file.stat().st_mtime_ns) == (stat.st_size, stat.st_mtime_ns)


def test_a_file_changed_between_sidecar_and_build_with_its_size_and_time(ready: Terminal) -> None:
    swap(ready.folder / "items" / "0.parquet")
    ready.fails("corpus-file-changed", "release", "build", "network", "--policy", "september-2024")
    ready.fails("corpus-file-changed", "corpus", "show", "network")
    done = ready.run("corpus", "register", ready.folder / "corpus.toml")
    assert (done["built"], done["kept"]) == (1, 0)
    assert build(ready)["counts"]["eligible"] == 0


def test_a_file_changed_between_build_and_copy_with_its_size_and_time(ready: Terminal) -> None:
    name, file = build(ready)["release"], ready.folder / "items" / "0.parquet"
    ready.run("release", "table", name)
    swap(file)
    for words in (("materialise", name, ready.folder / "copy"), ("table", name)):
        ready.fails("corpus-file-changed", "release", *words)
    assert not (ready.folder / "copy").exists()
    ready.run("corpus", "register", ready.folder / "corpus.toml")
    ready.fails("release-file-changed", "release", "materialise", name, ready.folder / "copy")


def test_a_content_file_that_was_put_back_from_a_copy_is_the_same(ready: Terminal) -> None:
    name, file = build(ready)["release"], ready.folder / "items" / "0.parquet"
    copy = shutil.copy2(file, ready.folder / "aside")
    file.unlink()
    shutil.copy2(copy, file)
    assert ready.run("release", "materialise", name, ready.folder / "copy")["items"] == 2
    assert ready.run("corpus", "register", ready.folder / "corpus.toml")["kept"] == 1
    assert build(ready)["counts"]["eligible"] == 2
