"""Ranks that torchrun starts again: what the killed ones left in the store of their group ends nobody."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

from train.ranks_that_begin_again import STEPS
from train.test_ranks_begin import url
from train.test_training import START_S, Elsewhere, Job
from training.small_server import CREDENTIAL

__all__ = ["url"]  # a fixture

TTL_S = 2.0
LAUNCHED = ("--nproc-per-node", "2", "--max-restarts", "1", "-m", "train.ranks_that_begin_again")


class Launched:
    """A job of two ranks that were started, started again, and have ended."""

    def __init__(self, url: str, folder: Path, how: str) -> None:
        at = Elsewhere(url=url, credential=CREDENTIAL)
        job = Job("--standalone", at, *LAUNCHED, how, folder=folder, ttl_s=TTL_S, program="torch.distributed.run")
        self._job = job
        try:
            self.status = job.process.wait(3 * START_S)
        except subprocess.TimeoutExpired:
            job.process.terminate()  # it ends its ranks
            job.process.wait(START_S)
            raise

    def said(self, name: str) -> list[Any]:
        """Return what each rank said."""
        return [self._job.said(f"{name}-{number}") for number in range(2)]

    def require_what_was_killed_is_in_the_store(self) -> None:
        """Fail unless this is about what it is meant to be about."""
        begun = [str(fence) for fence in self.said("begun")]
        assert self.said("left") == [begun, begun], (self._job.folder / "errors---standalone").read_text()


def test_ranks_that_are_started_again_wait_for_each_other_whatever_the_killed_ones_left(
    url: str,
    tmp_path: Path,
) -> None:
    job = Launched(url, tmp_path / "job", "whole")
    job.require_what_was_killed_is_in_the_store()
    assert job.said("step") == [{"step": STEPS}] * 2
    assert job.status == 0


def test_control_who_believes_what_the_killed_ones_left_ends_the_others(
    url: str,
    tmp_path: Path,
) -> None:
    job = Launched(url, tmp_path / "job", "believed")
    job.require_what_was_killed_is_in_the_store()
    assert job.said("ended")[0] == "lease-over-elsewhere"
    assert job.said("step") == [None, None]
    assert job.status != 0
