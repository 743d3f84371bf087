"""Who watches jobs at a terminal sees those that read now, however many came before; and what stopped the others."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from consentry.cli.job_list import by_interest
from service.at_work import home, said, served, suspend_elsewhere

LINES, COLUMNS, PATIENCE_S = 24, 110, 30
_COMMANDS = re.compile(rb"\x1b\[[0-9;?]*[A-Za-z]")


@pytest.fixture
def place() -> Iterator[tuple[Path, str]]:
    with home() as found:
        yield found


def watched(folder: Path, wanted: Callable[[str], bool]) -> str:
    """Return what `jobs --watch` writes to a terminal until it is what is wanted, or time is over."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", LINES, COLUMNS, 0, 0))
    command = [sys.executable, "-P", "-m", "consentry", "--home", str(folder), "jobs", "--watch"]
    unset = ("COLUMNS", "LINES")
    environment = {**{name: value for name, value in os.environ.items() if name not in unset}, "TERM": "xterm"}
    running = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env=environment)
    os.close(theirs)
    seen, until = b"", time.monotonic() + PATIENCE_S
    try:
        while not wanted(_COMMANDS.sub(b"", seen).decode()) and time.monotonic() < until:
            if select.select([ours], [], [], 0.2)[0]:
                seen += os.read(ours, 1 << 16)
    finally:
        running.send_signal(signal.SIGINT)
        running.wait(PATIENCE_S)
        os.close(ours)
    return _COMMANDS.sub(b"", seen).decode()


def test_a_job_that_reads_now_is_seen_below_any_number_of_those_that_ended(place: tuple[Path, str]) -> None:
    folder, release = place
    with served(folder) as server:
        for number in range(30):
            server.ask.lease(release, job=f"old-{number}").end("released", number)
        server.ask.lease(release, job="running-now")
        shown = watched(folder, lambda text: f"more: consentry --home {folder} jobs" in text)
    first = shown[: shown.index("more: consentry")].replace("\r", "").splitlines()
    assert "time left" in first[0]
    assert "running-now" in first[1]
    assert "old-29" in first[2], "then those that ended last"
    assert "old-0 " not in shown
    assert len(first) < LINES
    assert first[-1] == f"and {31 - (len(first) - 2)} "


def test_of_none_it_says_so(place: tuple[Path, str]) -> None:
    folder, _ = place
    with served(folder):
        assert "No job was ever given a lease." in watched(folder, lambda text: "No job" in text)


def test_those_that_did_not_end_come_first_and_the_newest_of_them() -> None:
    leases: list[dict[str, Any]] = [
        {"fence": 1, "ended_at": None},
        {"fence": 2, "ended_at": 9},
        {"fence": 3, "ended_at": 7},
        {"fence": 4, "ended_at": None},
        {"fence": 5, "ended_at": 9},
    ]
    assert [each["fence"] for each in by_interest(leases)] == [4, 1, 5, 2, 3]


def test_what_stopped_a_job_is_named_before_anything_was_heard_of_it_and_after(place: tuple[Path, str]) -> None:
    folder, release = place
    with served(folder) as server:
        held = server.ask.lease(release)
        server.ask.lease(release, job="done").end("released", 1)
        suspend_elsewhere(folder, "--area", "UK")

        def seen() -> list[tuple[str, str | None]]:
            told = json.loads(said(folder, "--json", "jobs"))["leases"]
            return [(each["state"], each["order"]) for each in told]

        assert seen() == [("revoked", "ico-2024.1"), ("released", None)]
        assert "stopped by" in said(folder, "jobs")
        held.end("stopped", 12)
        assert seen() == [("stopped", "ico-2024.1"), ("released", None)]
