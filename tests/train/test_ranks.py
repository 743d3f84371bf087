"""Ranks of which one stands still: the other one has stopped when the time to live is over, whatever it waits for.

Each case has a control, the same with a reduce that waits as long as `torch.distributed` does, which must not stop.
"""

from __future__ import annotations

import shutil
import signal
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from service.at_work import served
from train.ranks_that_stand_still import GOOD_STEPS, PATIENCE_S
from train.released import Released
from train.test_training import START_S, At, Elsewhere, Job
from training.jobs import state
from training.small_server import CREDENTIAL, SmallPlane, serving
from training.test_client import within

TTL_S = 10.0
END_S = 90.0  # to end a process on a busy machine, once it has stopped
PROGRAM = "train.ranks_that_stand_still"


class Ranks:
    """Two ranks, of which the first stands still."""

    def __init__(self, place: str, plane: SmallPlane, jobs: list[Job]) -> None:
        self.plane, self.jobs = plane, jobs
        self._whole = place not in ("stuck", "slow")

    def stand(self) -> float:
        """Wait until the first one stands still, and return since when."""
        first = self.jobs[0]
        assert within(lambda: first.said("still") is not None or self._ended(), START_S)
        assert not self._ended(), [path.read_text() for path in first.folder.glob("e*")]
        if self._whole:
            assert within(lambda: state(Path(f"/proc/{first.process.pid}/stat")) == "T")
        return float(first.said("still")["at"])

    def _ended(self) -> bool:
        return any(job.process.poll() is not None for job in self.jobs)

    def stopped(self) -> dict[str, Any]:
        """Return what the second one said when it stopped, having ended."""
        assert self.jobs[1].ends(TTL_S + END_S) == 75
        said: dict[str, Any] = self.jobs[1].said("stopped-1")
        return said


@contextmanager
def standing_still(place: str, wait: str, tmp_path: Path, *, real: At | None = None) -> Iterator[Ranks]:
    pq.write_table(pa.table({"text": ["a", "b", "c"]}), tmp_path / "0.parquet")
    plane = SmallPlane([tmp_path / "0.parquet"])
    small: AbstractContextManager[str] = serving(plane) if real is None else nullcontext("")
    with small as url:
        at = Elsewhere(url=url, credential=CREDENTIAL) if real is None else real
        jobs = [
            Job(str(number), at, place, wait, folder=tmp_path / "job", ttl_s=TTL_S, program=PROGRAM)
            for number in range(2)
        ]
        try:
            yield Ranks(place, plane, jobs)
        finally:
            for job in jobs:
                job.kill()


@pytest.mark.parametrize("place", ["between", "after"])
def test_who_knows_that_another_rank_is_over_waits_no_longer_than_the_time_to_live(tmp_path: Path, place: str) -> None:
    with standing_still(place, "bounded", tmp_path) as ranks:
        since = ranks.stand()
        said = ranks.stopped()
        assert said["code"] == "lease-over-elsewhere"
        assert said["at"] - since < TTL_S
        assert ranks.jobs[0].process.poll() is None, "a control: nobody ended the one that stands still"


def test_control_without_a_bound_it_waits_for_a_rank_that_does_not_let_it_go(tmp_path: Path) -> None:
    with standing_still("between", "unbounded", tmp_path) as ranks:
        ranks.stand()
        time.sleep(TTL_S + 2)
        assert ranks.jobs[1].process.poll() is None
        assert ranks.jobs[1].said("stopped-1") is None


@pytest.mark.parametrize("how", ["order", "silence"])
def test_who_waits_for_a_word_gives_up_before_its_own_deadline(tmp_path: Path, how: str) -> None:
    with standing_still("before", "bounded", tmp_path) as ranks:
        ranks.stand()
        time.sleep(TTL_S / 4)  # it waits: neither lease is over
        assert ranks.jobs[1].process.poll() is None
        happened_at = time.monotonic()
        happen(ranks.plane, how)
        said = ranks.stopped()
        assert said["code"] == {"order": "lease-revoked", "silence": "lease-expired"}[how]
        assert said["at"] - happened_at < TTL_S


def require_given_up(ranks: Ranks) -> None:
    """Fail unless the second one stops once the lease of the first one is over, and not before."""
    since = ranks.stand()
    said = ranks.stopped()
    assert said["code"] == "lease-over-elsewhere"
    # Renewed a third of a time to live before, at most, and some more on a busy machine. A server waits 5 % longer.
    assert TTL_S / 3 < said["at"] - since < 2 * TTL_S
    assert ranks.jobs[0].process.poll() is None, "a control: nobody ended the one that stands still"


def test_who_waits_for_a_rank_that_nobody_renews_gives_up_although_its_own_lease_is_renewed(tmp_path: Path) -> None:
    with standing_still("before", "bounded", tmp_path) as ranks:
        require_given_up(ranks)


def test_control_who_does_not_ask_about_the_other_rank_waits_on(tmp_path: Path) -> None:
    with standing_still("before", "deaf", tmp_path) as ranks:
        ranks.stand()
        time.sleep(2 * TTL_S)
        assert ranks.jobs[1].process.poll() is None
        assert ranks.jobs[1].said("stopped-1") is None


def test_the_first_backward_pass_of_a_model_elsewhere_fails_when_the_lease_of_a_rank_is_over(tmp_path: Path) -> None:
    """The ranks agree in a group of their own, and the model joins its gradients in the world."""
    with standing_still("apart", "bounded", tmp_path) as ranks:
        since = ranks.stand()
        assert ranks.jobs[1].ends(TTL_S + END_S) not in (0, 75, -signal.SIGKILL)
        said = ranks.jobs[1].said("failed-1")
        assert not said["over"], "a control: its own lease is renewed"
        assert TTL_S / 3 < said["at"] - since < 2 * TTL_S
        assert ranks.jobs[0].process.poll() is None, "a control: nobody ended the one that stands still"


def test_control_who_does_not_ask_waits_on_in_the_backward_pass(tmp_path: Path) -> None:
    with standing_still("apart", "deaf", tmp_path) as ranks:
        ranks.stand()
        time.sleep(2 * TTL_S)
        assert ranks.jobs[1].process.poll() is None
        assert ranks.jobs[1].said("failed-1") is None


def test_a_real_server_says_that_a_rank_is_not_renewed(released: Released, tmp_path: Path) -> None:
    shutil.copytree(released.home, tmp_path / "home")
    with served(tmp_path / "home") as server:
        at = Elsewhere(url=server.ask.url, credential=server.ask.token, release=released.name)
        with standing_still("before", "bounded", tmp_path, real=at) as ranks:
            require_given_up(ranks)


def test_who_waits_for_a_rank_that_is_slow_and_renewed_waits_and_goes_on(tmp_path: Path) -> None:
    with standing_still("slow", "bounded", tmp_path) as ranks:
        since = ranks.stand()
        assert within(lambda: all(job.step(f"-{n}") > GOOD_STEPS + 3 for n, job in enumerate(ranks.jobs)), 90)
        assert time.monotonic() - since > 1.5 * TTL_S, "a control: it did wait for longer than a lease lives"
        assert [job.process.poll() for job in ranks.jobs] == [None, None]
        assert any(path == "/v1/leases" and not body for path, body in ranks.plane.asked), "and it did ask"


def test_who_is_told_how_long_to_wait_gives_up_although_its_own_lease_is_renewed(tmp_path: Path) -> None:
    with standing_still("before", "patient", tmp_path) as ranks:
        since = ranks.stand()
        said = ranks.stopped()
        assert said["code"] == "lease-over-elsewhere"
        assert PATIENCE_S - 0.1 <= said["at"] - since < PATIENCE_S + TTL_S
        assert ranks.jobs[0].process.poll() is None, "a control: nobody ended the one that stands still"


def test_control_without_a_bound_it_waits_on_when_its_own_lease_is_over(tmp_path: Path) -> None:
    with standing_still("before", "unbounded", tmp_path) as ranks:
        ranks.stand()
        happen(ranks.plane, "order")
        time.sleep(TTL_S + 2)
        assert ranks.jobs[1].process.poll() is None
        assert ranks.jobs[1].said("stopped-1") is None


def happen(plane: SmallPlane, how: str) -> None:
    if how == "order":
        plane.revoke()
    else:
        plane.silent.set()


def test_a_rank_that_is_stuck_and_lost_its_watchdog_ends_and_so_does_who_waits_for_it(tmp_path: Path) -> None:
    with standing_still("stuck", "bounded", tmp_path) as ranks:
        since = ranks.stand()
        assert ranks.jobs[0].ends(TTL_S + END_S) == -signal.SIGKILL
        assert time.monotonic() - since < TTL_S + 1  # a process takes a moment to end
        assert ranks.jobs[1].ends(END_S) not in (0, 75)  # it saw a connection close: its own lease is not over
