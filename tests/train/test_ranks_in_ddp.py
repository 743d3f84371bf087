"""Two ranks of one model in DistributedDataParallel: whatever becomes of one of them, none hangs and none goes on.

The gradients are joined in the backward pass, where nobody looks at a lease: who waits there for a rank that is gone
fails when its connections close, and for one that stands still when its watchdog has killed it. If that stands still as
well, as on a machine that is off, it fails when the control plane says that the lease of that one is over.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from consentry.training.boot_clock import boot_seconds
from service.at_work import Process, suspend_elsewhere
from train.released import Released
from train.test_training import Elsewhere, Job
from train.turned import require_no_step_after, turning
from training.jobs import freeze
from training.test_client import within
from training.test_watchdog import watchdog_of

TTL_S = 15.0
END_S = 90.0  # to end a process on a busy machine, once it has stopped
RANKS = range(2)


@dataclass(kw_only=True)
class Ranks:
    """Two ranks that train, and the `consentry serve` that gave them their leases."""

    server: Process
    folder: Path
    jobs: list[Job]

    def begin(self, steps: int = 9) -> None:
        for number, job in enumerate(self.jobs):
            job.trains(steps, mark=f"-{number}")

    def ends(self) -> list[int]:
        return [job.ends(TTL_S + END_S) for job in self.jobs]

    def said(self, name: str) -> list[Any]:
        return [job.said(f"{name}-{number}") for number, job in enumerate(self.jobs)]

    def steps(self, number: int) -> list[dict[str, float]]:
        """Return the steps that a rank took, with when each was about to be checked and had been taken."""
        return [json.loads(line) for line in (self.folder / f"steps-{number}").read_text().splitlines()]

    def kept(self, number: int) -> set[str]:
        """Return the names of the model checkpoints of a rank."""
        return {path.parent.name for path in (self.folder / f"models-{number}").glob("*/consentry.json")}

    def errors(self) -> list[str]:
        return [path.read_text() for path in self.folder.glob("e*")]


@contextmanager
def two_ranks(released: Released, tmp_path: Path, *, ttl_s: float) -> Iterator[Ranks]:
    shutil.copytree(released.home, tmp_path / "home")
    server = Process(tmp_path / "home")
    at = Elsewhere(url=server.ask.url, credential=server.ask.token, release=released.name)
    folder, jobs = tmp_path / "job", list[Job]()
    try:
        for number in RANKS:
            jobs.append(Job(str(number), at, folder=folder, ttl_s=ttl_s, program="train.ranks_in_ddp"))
        yield Ranks(server=server, folder=folder, jobs=jobs)
    finally:
        for job in jobs:
            job.kill()
        server.kill()


def require_nothing_after(ranks: Ranks, number: int, *, at: float) -> None:
    """Fail if a rank took more than the one step that was on its way at a moment, or kept what no step led to."""
    steps = ranks.steps(number)
    assert sum(each["taken"] > at for each in steps) <= 1
    assert ranks.kept(number) <= {f"step-{each['step']}" for each in steps}


@pytest.mark.parametrize("how", ["killed", "stands still"])
def test_a_rank_that_is_gone_ends_the_other_one(released: Released, tmp_path: Path, how: str) -> None:
    with two_ranks(released, tmp_path, ttl_s=TTL_S) as ranks:
        ranks.begin()
        kept = [ranks.kept(number) for number in RANKS]
        assert all(kept), "a control: they do keep model checkpoints"
        first = ranks.jobs[0]
        if how == "killed":
            first.kill()
        else:
            freeze(first.process)
        gone_at, since = boot_seconds(), time.monotonic()
        ends = ranks.ends()
        took_s = time.monotonic() - since
    assert ends[0] == -signal.SIGKILL, "its watchdog ended it" if how == "stands still" else ""
    assert ends[1] not in (0, -signal.SIGKILL), ranks.errors()
    assert took_s < TTL_S + END_S
    for number in RANKS:
        require_nothing_after(ranks, number, at=gone_at)
    taken = [ranks.steps(number)[-1]["step"] for number in RANKS]
    assert abs(taken[0] - taken[1]) <= 1


def test_a_rank_that_stands_still_with_its_watchdog_ends_the_other_one(released: Released, tmp_path: Path) -> None:
    with two_ranks(released, tmp_path, ttl_s=TTL_S) as ranks:
        ranks.begin()
        first, second = ranks.jobs
        watchdog = watchdog_of(first.process)
        try:
            os.kill(watchdog, signal.SIGSTOP)
            freeze(first.process)
            gone_at, since = boot_seconds(), time.monotonic()
            assert second.ends(TTL_S + END_S) not in (0, -signal.SIGKILL), ranks.errors()
            assert ranks.steps(1)[-1]["taken"] < gone_at + TTL_S
            assert first.process.poll() is None, "a control: nobody ended the one that stands still"
            states = {each["job"]: each["state"] for each in ranks.server.ask("GET", "/v1/leases").json["leases"]}
        finally:
            os.kill(watchdog, signal.SIGKILL)
    assert states["run-rank-0"] == "expired"
    assert time.monotonic() - since < TTL_S + END_S
    require_nothing_after(ranks, 1, at=gone_at)


def test_an_order_in_the_middle_of_an_epoch_stops_both_ranks_at_one_step(
    released: Released, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Hundreds of steps, so that an epoch lasts for longer than an order may take to come.
    monkeypatch.setenv("JOB_BATCH", "1")
    monkeypatch.setenv("JOB_PAUSE", "0.25")
    with two_ranks(released, tmp_path, ttl_s=60) as ranks:
        ranks.begin()
        with ExitStack() as looking:
            turned = [looking.enter_context(turning(ranks.folder, f"-{number}")) for number in RANKS]
            suspend_elsewhere(ranks.server.home, "--area", "UK")
            ordered_at = time.monotonic()
            assert ranks.ends() == [75, 75], ranks.errors()
            assert within(lambda: all(each.at is not None for each in turned), 60)
        codes = {each["code"] for each in ranks.said("stopped")}
        leases = ranks.server.ask("GET", "/v1/leases").json["leases"]
    assert codes <= {"lease-revoked", "lease-over-elsewhere"}
    assert "lease-revoked" in codes
    first, second = ranks.said("step")
    assert first["epoch"] == second["epoch"] == 0, "a control: it came in the middle of an epoch"
    assert (first["step"], first["weights"]) == (second["step"], second["weights"]), "they hold one model"
    for number in RANKS:
        require_no_step_after(turned[number], ranks.folder, f"-{number}")
        assert ranks.said("stopped")[number]["at"] - ordered_at < 30  # far below the time to live
        assert "late" not in ranks.kept(number)
        assert ranks.kept(number) <= {f"step-{each['step']}" for each in ranks.steps(number)}
    assert {each for each in ranks.said("late") if each is not None} == {"lease-revoked"}
    assert [(each["state"], each["step"], each["order"]) for each in leases] == [
        ("stopped", first["step"], "ico-2024.1")
    ] * 2
