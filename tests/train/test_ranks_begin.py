"""Ranks of which one is off before the first word of all, or where nobody looks: the other one does not wait for ever.

Beside them run controls, the same without what this is about, which must wait on.
"""

from __future__ import annotations

import signal
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from train.test_ranks import END_S
from train.test_training import START_S, Elsewhere, Job
from training.small_server import CREDENTIAL, SmallPlane, serving
from training.test_client import within

TTL_S, MORE_S = 5.0, 3.0
BEGIN_S, LONG_S = 3.0, 600.0
PROGRAM = "train.ranks_that_begin"


class Ranks:
    """Two ranks, of which the first stands still."""

    def __init__(self, url: str, folder: Path, *arguments: str) -> None:
        at = Elsewhere(url=url, credential=CREDENTIAL)
        self.folder = folder
        self.jobs = [
            Job(str(number), at, *arguments, folder=folder, ttl_s=TTL_S, program=PROGRAM) for number in range(2)
        ]

    def still(self) -> float:
        """Wait until the first one stands still, and return since when."""
        assert within(lambda: self.said("still") is not None or self.ended(), START_S)
        assert not self.ended(), [path.read_text() for path in self.folder.glob("e*")]
        return float(self.said("still")["at"])

    def said(self, name: str) -> Any:
        return self.jobs[0].said(name)

    def ended(self) -> bool:
        return any(job.process.poll() is not None for job in self.jobs)

    def stopped(self) -> dict[str, Any]:
        """Return what the second one said when it stopped, having ended."""
        assert self.jobs[1].ends(TTL_S + END_S) == 75, [path.read_text() for path in self.folder.glob("e*")]
        said: dict[str, Any] = self.said("stopped-1")
        assert self.jobs[0].process.poll() is None, "a control: nobody ended the one that stands still"
        return said


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    pq.write_table(pa.table({"text": ["a", "b", "c"]}), tmp_path / "0.parquet")
    with serving(SmallPlane([tmp_path / "0.parquet"])) as address:
        yield address


@contextmanager
def two(url: str, folder: Path, *arguments: str) -> Iterator[Ranks]:
    ranks = Ranks(url, folder, *arguments)
    try:
        yield ranks
    finally:
        for job in ranks.jobs:
            job.kill()


def unused_port() -> str:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return str(listening.getsockname()[1])


def wait_on(control: Ranks, since: float, seconds: float) -> None:
    """Fail unless the second one of a control waits for longer than it took where nothing was left out."""
    time.sleep(max(since + seconds + MORE_S - time.monotonic(), 0))
    assert control.jobs[1].process.poll() is None


def test_a_rank_that_is_off_before_the_first_word_is_named_once_its_lease_is_over(url: str, tmp_path: Path) -> None:
    held = ("held", str(BEGIN_S), "file")
    with two(url, tmp_path / "whole", *held, "whole") as ranks, two(url, tmp_path / "c", *held, "control") as control:
        since, control_since = ranks.still(), control.still()
        said = ranks.stopped()
        assert (said["code"], said["message"][-3:]) == ("lease-ranks-missing", "`0`")
        took_s = said["at"] - since
        assert took_s > BEGIN_S + TTL_S / 2, "a control: while its lease is granted it is waited for"
        assert took_s < 3 * TTL_S + BEGIN_S
        wait_on(control, control_since, took_s)


def test_a_rank_that_never_begins_is_named_after_a_while_and_not_before(url: str, tmp_path: Path) -> None:
    with (
        two(url, tmp_path / "whole", "never", str(BEGIN_S), "file", "whole") as ranks,
        two(url, tmp_path / "c", "never", str(LONG_S), "file", "whole") as control,
    ):
        ranks.still()
        said = ranks.stopped()
        assert (said["code"], said["message"][-3:]) == ("lease-ranks-missing", "`0`")
        assert within(lambda: control.said("begun-1") is not None, START_S)
        wait_on(control, time.monotonic(), BEGIN_S)


def test_a_rank_that_never_begins_and_has_the_store_is_named_as_well(url: str, tmp_path: Path) -> None:
    """The store answers nobody then. Who asks in there waits for ever, and keeps nothing from ending."""
    with two(url, tmp_path / "whole", "never", str(BEGIN_S), unused_port(), "whole") as ranks:
        ranks.still()
        said = ranks.stopped()
        assert (said["code"], said["message"][-3:]) == ("lease-ranks-missing", "`0`")


def test_a_rank_that_has_begun_is_waited_for_however_late_its_first_word_is(url: str, tmp_path: Path) -> None:
    with two(url, tmp_path / "whole", "slow", str(BEGIN_S), unused_port(), "whole") as ranks:
        since = ranks.still()
        assert within(lambda: all(job.step(f"-{n}") > 3 for n, job in enumerate(ranks.jobs)) or ranks.ended(), 90)
        assert not ranks.ended(), [path.read_text() for path in ranks.folder.glob("e*")]
        assert time.monotonic() - since > 2 * BEGIN_S, "a control: later than one that has not begun may be"


def test_a_backward_pass_in_a_group_that_nobody_named_fails_when_the_lease_of_a_rank_is_over(
    url: str, tmp_path: Path
) -> None:
    third = ("third", str(LONG_S), "file")
    with two(url, tmp_path / "whole", *third, "whole") as ranks, two(url, tmp_path / "c", *third, "control") as control:
        since, control_since = ranks.still(), control.still()
        assert ranks.jobs[1].ends(TTL_S + END_S) not in (0, 75, -signal.SIGKILL)
        said = ranks.said("failed-1")
        assert not said["over"], "a control: its own lease is renewed"
        took_s = said["at"] - since
        assert took_s < 3 * TTL_S
        wait_on(control, control_since, took_s)
        assert control.said("failed-1") is None
