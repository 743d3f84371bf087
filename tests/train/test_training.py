"""Real training on a release: it stops when it may not go on, whatever happens to whom."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from train.released import Released, make, small_plane
from training.jobs import ROOT, freeze
from training.small_server import CREDENTIAL, SmallPlane, serving
from training.test_client import within

TTL_S = 2.0
START_S = 90  # to import torch on a busy machine


class Job:
    """A training job as a process that leads its group."""

    def __init__(self, what: str, *, url: str, release: str, folder: Path, ttl_s: float, watchdog: bool = True) -> None:
        folder.mkdir(exist_ok=True)
        self.folder = folder
        environment = {
            **os.environ,
            "CONSENTRY_URL": url,
            "CONSENTRY_TOKEN": CREDENTIAL,
            "JOB_RELEASE": release,
            "JOB_FOLDER": str(folder),
            "JOB_TTL": str(ttl_s),
            "JOB_WATCHDOG": "yes" if watchdog else "no",
            "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT / "tests")]),
        }
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-m", "train.jobs_in_torch", what],
            env=environment,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )

    def said(self, name: str) -> Any:
        path = self.folder / name
        return json.loads(path.read_text()) if path.exists() else None

    def step(self, mark: str = "") -> int:
        said = self.said(f"step{mark}")
        return said["step"] if said else 0

    def trains(self, steps: int = 5, mark: str = "") -> None:
        assert within(lambda: self.step(mark) >= steps or self.process.poll() is not None, START_S)
        assert self.process.poll() is None, self.process.stderr and self.process.stderr.read()

    def ends(self, seconds: float) -> int:
        try:
            return self.process.wait(seconds)
        finally:
            self.kill()

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate()


@pytest.fixture(scope="module")
def released(tmp_path_factory: pytest.TempPathFactory) -> Released:
    return make(tmp_path_factory.mktemp("released"))


@pytest.fixture
def plane(released: Released) -> SmallPlane:
    return small_plane(released)


@pytest.fixture
def url(plane: SmallPlane) -> Iterator[str]:
    with serving(plane) as address:
        yield address


def test_an_order_stops_a_job_before_its_next_step(plane: SmallPlane, url: str, tmp_path: Path) -> None:
    job = Job("plain", url=url, release="r", folder=tmp_path / "job", ttl_s=60)
    job.trains(20)
    ordered_at = time.monotonic()
    plane.revoke()
    assert job.ends(30) == 75
    stopped = job.said("stopped")
    assert stopped["code"] == "lease-revoked"
    assert stopped["at"] - ordered_at < 5  # far below the time to live
    assert job.said("step")["at"] <= stopped["at"]
    assert plane.lease().ends == [{"how": "stopped", "step": job.step()}]
    logged = {step for each in plane.lease().consumed for step in range(each[0], each[1] + 1)}
    assert logged == set(range(1, job.step() + 1))


def test_what_was_trained_on_is_eligible_and_logged(plane: SmallPlane, url: str, tmp_path: Path) -> None:
    job = Job("plain", url=url, release="r", folder=tmp_path / "job", ttl_s=2)
    job.trains(30)
    first_loss = 5.6  # about log(257): nothing is learned yet
    assert within(lambda: (job.said("step") or {"loss": 9})["loss"] < first_loss - 1)
    plane.revoke()
    assert job.ends(30) == 75
    excluded = {(file, row) for file, rows in plane.excluded.items() for row in rows}
    assert len(plane.consumed()) > 50
    assert not plane.consumed() & excluded
    assert excluded, "a control: the release leaves something out"


def test_a_dead_control_plane_stops_a_job_within_the_time_to_live(released: Released, tmp_path: Path) -> None:
    paths = [str(path) for path in small_plane(released).paths]
    server = subprocess.Popen(
        [sys.executable, "-P", "-m", "training.small_server", *paths],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT / "tests")])},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert server.stdout is not None
    job = Job("plain", url=server.stdout.readline().strip(), release="r", folder=tmp_path / "job", ttl_s=TTL_S)
    job.trains(5)
    time.sleep(TTL_S)  # renewed at least once
    assert job.process.poll() is None
    server.kill()
    killed_at = time.monotonic()
    server.communicate()
    assert job.ends(30) == 75
    assert job.said("step")["at"] - killed_at < TTL_S
    assert job.said("stopped")["code"] == "lease-expired"
    assert len(list((tmp_path / "job" / "state").glob("*.jsonl"))) == 1  # what was consumed is kept


def test_a_job_that_swallows_it_is_killed(plane: SmallPlane, url: str, tmp_path: Path) -> None:
    job = Job("swallow", url=url, release="r", folder=tmp_path / "job", ttl_s=TTL_S)
    job.trains()
    plane.revoke()
    revoked_at = time.monotonic()
    assert job.ends(30) == -signal.SIGKILL
    assert job.said("step")["at"] - revoked_at < TTL_S
    assert within(lambda: len(plane.lease().ends) == 1)


def test_control_without_the_watchdog_a_job_that_swallows_it_goes_on(
    plane: SmallPlane, url: str, tmp_path: Path
) -> None:
    job = Job("swallow", url=url, release="r", folder=tmp_path / "job", ttl_s=TTL_S, watchdog=False)
    job.trains()
    plane.revoke()
    time.sleep(TTL_S + 0.5)
    before = job.step()
    assert within(lambda: job.step() > before + 5)
    assert job.process.poll() is None
    job.kill()


@pytest.mark.parametrize("watchdog", [True, False])
def test_a_frozen_job_writes_no_model_checkpoint(url: str, tmp_path: Path, watchdog: bool) -> None:
    job = Job("checkpoints", url=url, release="r", folder=tmp_path / "job", ttl_s=TTL_S, watchdog=watchdog)
    job.trains(11)
    freeze(job.process)
    before = {path.name for path in (tmp_path / "job" / "models").glob("step-*")}
    assert len(before) >= 1
    time.sleep(TTL_S + 0.3)
    os.kill(job.process.pid, signal.SIGCONT)
    assert job.ends(30) == (-signal.SIGKILL if watchdog else 75)
    assert {path.name for path in (tmp_path / "job" / "models").glob("step-*")} <= before


@pytest.mark.parametrize("how", ["order", "silence"])
def test_two_ranks_stop_at_the_same_step(plane: SmallPlane, url: str, tmp_path: Path, how: str) -> None:
    (tmp_path / "job").mkdir()
    ttl_s = 60 if how == "order" else 15
    jobs = [Job(f"rank{n}", url=url, release="r", folder=tmp_path / "job", ttl_s=ttl_s) for n in range(2)]
    for number, job in enumerate(jobs):
        job.trains(5, mark=f"-{number}")
    if how == "order":
        plane.revoke()
    else:
        plane.silent.set()
    assert [job.ends(60) for job in jobs] == [75, 75]
    assert jobs[0].step("-0") == jobs[1].step("-1") >= 5
    codes = {jobs[0].said("stopped-0")["code"], jobs[1].said("stopped-1")["code"]}
    assert codes <= {"lease-revoked", "lease-expired", "lease-over-elsewhere"}
    rows = [
        {
            (file, row)
            for each in lease.consumed.values()
            for file, first, end in each["ranges"]
            for row in range(first, end)
        }
        for lease in plane.leases.values()
    ]
    if jobs[0].step("-0") < 10 and how == "order":  # still the first epoch
        assert not rows[0] & rows[1]


def test_a_rank_that_is_killed_leaves_nobody_hanging(url: str, tmp_path: Path) -> None:
    (tmp_path / "job").mkdir()
    jobs = [Job(f"rank{n}", url=url, release="r", folder=tmp_path / "job", ttl_s=60) for n in range(2)]
    for number, job in enumerate(jobs):
        job.trains(5, mark=f"-{number}")
    os.kill(jobs[0].process.pid, signal.SIGKILL)
    jobs[0].kill()
    assert jobs[1].ends(60) != 0
