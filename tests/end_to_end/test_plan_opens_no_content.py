"""`release plan` opens no content: it is answered from the census, which is counted from sidecars.

It is watched twice. An audit hook hears of every file that Python opens. What Arrow opens by itself it does not hear
of: the kernel tells that, where it is Linux. Looking at the state of a file opens nothing.
"""

from __future__ import annotations

import ctypes
import os
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow.parquet as pq

from end_to_end.network import RawItem, write_items
from end_to_end.terminal import Terminal, build, ready, terminal

__all__ = ["ready", "terminal"]

ROOT = Path(__file__).parents[2]
WATCHED = """
import os, sys
opened = set()
def look(name, given):
    if name == "open" and isinstance(given[0], str | bytes | os.PathLike):
        opened.add(os.path.abspath(os.fsdecode(given[0])))
sys.addaudithook(look)
from consentry.cli.main import main
try:
    main(sys.argv[2:])
except SystemExit as end:
    with open(sys.argv[1], "w") as stream:
        print(end.code, *sorted(opened), sep="\\n", file=stream)
"""
PLAN = ("release", "plan", "network", "--policy", "september-2024")


_IN_OPEN = 0x20
_EVENT = struct.Struct("iIII")


@contextmanager
def told_by_the_kernel(folder: Path) -> Iterator[Callable[[], set[str]]]:
    """Yield what returns the names of the files in a folder that anybody opened since; none where it is not Linux."""
    if sys.platform != "linux":
        yield set
        return
    libc = ctypes.CDLL(None, use_errno=True)
    descriptor = libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
    assert descriptor >= 0
    assert libc.inotify_add_watch(descriptor, os.fsencode(folder), _IN_OPEN) >= 0

    def opened() -> set[str]:
        found: set[str] = set()
        try:
            told = os.read(descriptor, 1 << 20)
        except BlockingIOError:
            return found
        while told:
            *_, length = _EVENT.unpack_from(told)
            name = told[_EVENT.size : _EVENT.size + length].rstrip(b"\0")
            found.add(os.fsdecode(name))
            told = told[_EVENT.size + length :]
        return found - {""}  # the folder itself, which is listed

    try:
        yield opened
    finally:
        os.close(descriptor)


def opened_by(ready: Terminal, *words: object) -> set[str]:
    """Run a command, and return the names of the content files that were opened."""
    log, folder = ready.folder / "opened", ready.folder / "items"
    with told_by_the_kernel(folder) as told:
        done = subprocess.run(
            [sys.executable, "-P", "-c", WATCHED, log, "--home", ready.home, "--json", *map(str, words)],
            env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
            capture_output=True,
            text=True,
            check=False,
        )
        by_anybody = told()
    status, *heard = log.read_text().splitlines()
    assert (status, done.returncode) == ("0", 0), done.stderr[-2000:]
    assert heard, "nothing was heard of"
    content = folder.resolve()
    return by_anybody | {Path(path).name for path in heard if Path(path).resolve().parent == content}


def test_a_plan_opens_no_content(ready: Terminal) -> None:
    assert opened_by(ready, *PLAN) == set()
    ready.run("choice", "record", "ada", "refused")
    assert opened_by(ready, *PLAN) == set(), "nor when it is planned anew"


def test_control_who_opens_content_is_heard(ready: Terminal) -> None:
    release = build(ready)["release"]
    assert opened_by(ready, "release", "verify", release) == {"0.parquet"}
    write_items(ready.folder / "items" / "1.parquet", [RawItem(id="another", author="ada")])
    assert opened_by(ready, "corpus", "register", ready.folder / "corpus.toml") == {"1.parquet"}


def test_control_the_kernel_tells_what_arrow_opens(ready: Terminal) -> None:
    with told_by_the_kernel(ready.folder / "items") as told:
        pq.read_table(ready.folder / "items" / "0.parquet")
        assert told() == ({"0.parquet"} if sys.platform == "linux" else set())
        assert told() == set()
