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
from contextlib import contextmanager
from io import StringIO
from pathlib import Path
from typing import Any, cast

import pytest
from rich.console import Console

from consentry.cli.job_list import by_interest
from consentry.cli.job_list import screen as screen_of
from consentry.cli.output import Output
from service.at_work import home, said, served, suspend_elsewhere, until

LINES, COLUMNS, PATIENCE_S = 24, 110, 30
_COMMANDS = re.compile(rb"\x1b\[[0-9;?]*[A-Za-z]")


@pytest.fixture
def place() -> Iterator[tuple[Path, str]]:
    with home() as found:
        yield found


class Screen:
    """A terminal on which `jobs --watch` writes."""

    def __init__(self, folder: Path) -> None:
        self._ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", LINES, COLUMNS, 0, 0))
        command = [sys.executable, "-P", "-m", "consentry", "--home", str(folder), "jobs", "--watch"]
        unset = ("COLUMNS", "LINES")
        environment = {**{name: value for name, value in os.environ.items() if name not in unset}, "TERM": "xterm"}
        self._running = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env=environment)
        os.close(theirs)
        self._seen = b""

    @property
    def text(self) -> str:
        return _COMMANDS.sub(b"", self._seen).decode()

    def until(self, wanted: Callable[[str], bool]) -> str:
        """Return what is written from here on until it is what is wanted, or time is over."""
        before, over = len(self.text), time.monotonic() + PATIENCE_S
        while not wanted(self.text[before:]) and time.monotonic() < over:
            if select.select([self._ours], [], [], 0.2)[0]:
                self._seen += os.read(self._ours, 1 << 16)
        return self.text[before:]

    def close(self) -> None:
        self._running.send_signal(signal.SIGINT)
        self._running.wait(PATIENCE_S)
        os.close(self._ours)


@contextmanager
def screen(folder: Path) -> Iterator[Screen]:
    found = Screen(folder)
    try:
        yield found
    finally:
        found.close()


def watched(folder: Path, wanted: Callable[[str], bool]) -> str:
    """Return what `jobs --watch` writes to a terminal until it is what is wanted, or time is over."""
    with screen(folder) as found:
        return found.until(wanted)


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
        suspend_elsewhere(folder, "--area", "GB")
        both = ["ico-2024.1", "ico-2024.2"]

        def seen() -> list[tuple[str, str | None, list[str]]]:
            told = json.loads(said(folder, "--json", "jobs"))["leases"]
            return [(each["state"], each["order"], each["orders"]) for each in told]

        assert seen() == [("revoked", both[0], both), ("released", None, [])]
        shown = said(folder, "jobs")
        assert "stopped by" in shown
        assert ", ".join(both) in shown
        held.end("stopped", 12)
        assert seen() == [("stopped", both[0], both), ("released", None, [])]


def test_it_follows_an_order_from_when_it_is_given_until_it_is_drained(place: tuple[Path, str]) -> None:
    folder, release = place
    with served(folder) as server, screen(folder) as shown:
        first, second = (server.ask.lease(release, job=f"job-{number}") for number in range(2))
        assert "revoked" not in shown.until(lambda text: text.count("granted") >= 2)
        suspend_elsewhere(folder, "--area", "UK")
        told = shown.until(lambda text: "0 of 2 leases ended" in text)
        assert re.search(r"revoked +ico-2024\.1 ", told)
        assert re.search(r"ico-2024\.1: given \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC, 0 of 2 leases ended", told)
        first.end("stopped", 3)
        assert "1 of 2 leases ended" in shown.until(lambda text: "1 of 2 leases ended" in text)
        second.end("stopped", 3)
        line = re.compile(r"ico-2024\.1: given [^,]+ UTC, drained after \d+\.\d s, 2 leases")
        assert line.search(shown.until(lambda text: line.search(text) is not None))
        assert line.search(said(folder, "jobs"))


def test_how_far_orders_are_is_told_in_the_document_of_those_that_stop_what_is_shown(place: tuple[Path, str]) -> None:
    folder, release = place

    def orders(*words: str) -> list[dict[str, Any]]:
        told: list[dict[str, Any]] = json.loads(said(folder, "--json", "jobs", *words))["orders"]
        return told

    with served(folder) as server:
        held = server.ask.lease(release)
        server.ask.lease(release, job="done").end("released", 1)
        suspend_elsewhere(folder, "--area", "CH")
        assert orders() == [], "it hits nothing that is read"
        suspend_elsewhere(folder, "--area", "UK")
        (found,) = orders()
        assert (found["order"], found["leases"], found["over"]) == ("ico-2024.2", 1, 0)
        assert (found["drained_at"], found["took_ms"]) == (None, None)
        assert orders("--job", "job-1") == [found]
        assert orders("--job", "done") == []
        held.end("stopped", 12)
        until(lambda: orders()[0]["drained_at"] is not None)
        (drained,) = orders()
        assert (drained["leases"], drained["over"]) == (1, 1)
        assert drained["at"] <= drained["drained_at"]
        assert drained["took_ms"] > 0
    assert orders() == [drained], "the ledger says it as the server did"


def test_of_orders_on_a_screen_those_that_are_not_drained_come_first_and_as_many_as_fit() -> None:
    orders = [
        {"order": f"case.{number}", "at": number, "leases": 1, "over": 0, "drained_at": drained, "took_ms": None}
        for number, drained in enumerate([7, None, 9, 7, None])
    ]
    out = Output(as_json=False)
    out.console = Console(file=StringIO(), width=COLUMNS, height=11)
    out.console.print(screen_of(out, {"leases": [], "orders": orders, "live": True}, chosen=False))
    written = cast("StringIO", out.console.file).getvalue().splitlines()
    assert [line.partition(":")[0] for line in written[1:]] == ["case.4", "case.1", "case.2"]
    assert written[2].endswith("0 of 1 lease ended")
    assert written[3].endswith("drained after a time that is unknown, 1 lease")
