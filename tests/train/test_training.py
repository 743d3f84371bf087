"""Real training on a release: it stops when it may not go on, whatever happens to whom."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import pytest

from service.at_work import Process
from train.released import Released, Served, served, small_plane, text_column
from train.turned import require_no_step_after, turning
from training.jobs import ROOT, freeze, kill
from training.small_server import CREDENTIAL, serving
from training.test_client import within

TTL_S = 3.0
START_S = 90  # to import torch on a busy machine


class At(Protocol):
    """Where a control plane is."""

    url: str
    credential: str
    release: str


class Job:
    """A training job as a process that leads its group."""

    def __init__(
        self,
        what: str,
        at: At,
        *others: str,
        folder: Path,
        ttl_s: float,
        watchdog: bool = True,
        program: str = "train.jobs_in_torch",
    ) -> None:
        folder.mkdir(exist_ok=True)
        self.folder = folder
        environment = {
            **os.environ,
            "CONSENTRY_URL": at.url,
            "CONSENTRY_TOKEN": at.credential,
            "JOB_RELEASE": at.release,
            "JOB_COLUMN": text_column(),
            "JOB_FOLDER": str(folder),
            "JOB_TTL": str(ttl_s),
            "JOB_WATCHDOG": "yes" if watchdog else "no",
            "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT / "tests")]),
        }
        with (folder / f"errors-{what}").open("wb") as errors:
            self.process = subprocess.Popen(
                [sys.executable, "-P", "-m", program, what, *others],
                env=environment,
                stderr=errors,
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
        assert self.process.poll() is None, [path.read_text() for path in self.folder.glob("e*")]

    def ends(self, seconds: float) -> int:
        try:
            return self.process.wait(seconds)
        finally:
            self.kill()

    def kill(self) -> None:
        kill(self.process)


@dataclass(kw_only=True)
class Elsewhere:
    """A control plane in another process, or one that can be told to break."""

    url: str
    credential: str
    release: str = "r"


def test_an_order_stops_a_job_before_its_next_step(real: Served, tmp_path: Path) -> None:
    job = Job("plain", real, folder=tmp_path / "job", ttl_s=60)
    job.trains(20)
    with turning(job.folder) as turned:
        ordered_at = time.monotonic()
        real.order()
        assert job.ends(30) == 75
    stopped, last = job.said("stopped"), job.said("step")
    assert stopped["code"] == "lease-revoked"
    assert stopped["at"] - ordered_at < 10  # far below the time to live
    require_no_step_after(turned, job.folder)
    seen = real.job()
    assert (seen["state"], seen["step"], seen["order"]) == ("stopped", last["step"], "ico-2024.1")
    logged = {step for each in real.consumed() for step in range(each.from_step, each.to_step + 1)}
    assert logged == set(range(1, last["step"] + 1))


def test_control_a_job_that_does_not_heed_the_check_steps_after_the_lease_has_turned(
    real: Served, tmp_path: Path
) -> None:
    job = Job("swallow", real, folder=tmp_path / "job", ttl_s=60, watchdog=False)
    job.trains(20)
    with turning(job.folder) as turned:
        real.order()
        assert within(lambda: turned.at is not None, 30)
        before = job.step()
        assert within(lambda: job.step() > before + 5)
    job.kill()
    with pytest.raises(AssertionError, match="checked after the lease had turned, and taken"):
        require_no_step_after(turned, job.folder)


def test_a_model_learns_from_what_is_eligible_and_nothing_else(
    real: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JOB_ADAM", "yes")
    job = Job("plain", real, folder=tmp_path / "job", ttl_s=30)
    excluded = real.excluded()
    job.trains(40)
    assert within(lambda: job.said("step")["loss"] < 4.5, 60)  # log(257) is 5.5: nothing learned
    real.order()
    assert job.ends(30) == 75
    assert len(real.rows()) > 50
    assert not real.rows() & excluded
    assert excluded, "a control: the release leaves something out"


def test_a_dead_control_plane_stops_a_job_within_the_time_to_live(released: Released, tmp_path: Path) -> None:
    shutil.copytree(released.home, tmp_path / "home")
    server = Process(tmp_path / "home")
    at = Elsewhere(url=server.ask.url, credential=server.ask.token, release=released.name)
    job = Job("plain", at, folder=tmp_path / "job", ttl_s=TTL_S)
    job.trains(5)
    time.sleep(TTL_S)  # renewed at least once
    assert job.process.poll() is None, job.said("ended")
    server.process.kill()
    killed_at = time.monotonic()
    server.process.communicate()
    assert job.ends(30) in (75, -signal.SIGKILL)  # by itself, or by its watchdog if it is slow in stopping
    assert job.said("step")["at"] - killed_at < TTL_S
    journals = (tmp_path / "job" / "state").glob("*.jsonl")
    assert len(list(journals)) == 1  # what was consumed is kept


def test_a_job_that_swallows_it_is_killed(real: Served, tmp_path: Path) -> None:
    job = Job("swallow", real, folder=tmp_path / "job", ttl_s=TTL_S)
    job.trains()
    real.order()
    ordered_at = time.monotonic()
    assert job.ends(30) == -signal.SIGKILL
    assert job.said("step")["at"] - ordered_at < TTL_S
    assert within(lambda: real.job()["state"] == "stopped")  # the watchdog said it


def test_control_without_the_watchdog_a_job_that_swallows_it_goes_on(real: Served, tmp_path: Path) -> None:
    job = Job("swallow", real, folder=tmp_path / "job", ttl_s=TTL_S, watchdog=False)
    job.trains()
    real.order()
    time.sleep(TTL_S + 0.5)
    before = job.step()
    assert within(lambda: job.step() > before + 5)
    assert job.process.poll() is None
    job.kill()


def require_frozen_to_write_nothing(at: At, folder: Path, *, watchdog: bool) -> int:
    """Freeze a job until its deadline is over; return how many model checkpoints it had written."""
    job = Job("checkpoints", at, folder=folder, ttl_s=TTL_S, watchdog=watchdog)
    job.trains(11)
    freeze(job.process)
    before = {path.name for path in (folder / "models").glob("step-*")}
    assert len(before) >= 1
    time.sleep(TTL_S + 0.3)
    os.kill(job.process.pid, signal.SIGCONT)
    assert job.ends(30) == (-signal.SIGKILL if watchdog else 75)
    assert {path.name for path in (folder / "models").glob("step-*")} <= before
    return len(before)


@pytest.mark.parametrize("watchdog", [True, False])
def test_a_frozen_job_writes_no_model_checkpoint(real: Served, tmp_path: Path, watchdog: bool) -> None:
    written = require_frozen_to_write_nothing(real, tmp_path / "job", watchdog=watchdog)
    assert real.job()["model_checkpoints"] >= written


@pytest.mark.parametrize("how", ["order", "silence"])
def test_two_ranks_stop_at_the_same_step(released: Released, tmp_path: Path, how: str) -> None:
    with ExitStack() as stack:
        if how == "order":
            real = stack.enter_context(served(released, tmp_path))
            at: At = real
            happen, ttl_s = real.order, 60.0
        else:
            plane = small_plane(released)
            at = Elsewhere(url=stack.enter_context(serving(plane)), credential=CREDENTIAL)
            happen, ttl_s = plane.silent.set, 15.0
        jobs = two_jobs("rank", at, folder=tmp_path / "job", ttl_s=ttl_s)
        for number, job in enumerate(jobs):
            job.trains(5, mark=f"-{number}")
        happen()
        happened_at = time.monotonic()
        ends = [job.ends(60) for job in jobs]
    last = [jobs[number].said(f"step-{number}") for number in range(2)]
    assert max(each["at"] for each in last) - happened_at < ttl_s
    if -signal.SIGKILL in ends:
        # On a machine that is busy enough the watchdog is quicker: the other rank sees that, or is killed as well. One
        # of them may have noted a step that the other one was killed before it could note.
        assert how == "silence"
        assert 0 not in ends
        assert abs(last[0]["step"] - last[1]["step"]) <= 1
        return
    assert ends == [75, 75], [path.read_text() for path in (tmp_path / "job").glob("e*")]
    assert last[0]["step"] == last[1]["step"] >= 5
    codes = {jobs[number].said(f"stopped-{number}")["code"] for number in range(2)}
    assert codes <= {"lease-revoked", "lease-expired", "lease-over-elsewhere"}


def two_jobs(what: str, at: At, *, folder: Path, ttl_s: float) -> list[Job]:
    folder.mkdir()
    return [Job(f"{what}{number}", at, folder=folder, ttl_s=ttl_s) for number in range(2)]


def test_a_rank_that_may_not_read_any_more_stops_the_others_at_the_same_step(
    released: Released, tmp_path: Path
) -> None:
    with serving(small_plane(released)) as url:
        at = Elsewhere(url=url, credential=CREDENTIAL)
        jobs = two_jobs("alone", at, folder=tmp_path / "job", ttl_s=60)
        ends = [job.ends(START_S + 30) for job in jobs]
    assert ends == [75, 75], [path.read_text() for path in (tmp_path / "job").glob("e*")]
    assert [jobs[number].said(f"stopped-{number}") for number in range(2)] == [
        {"code": "lease-revoked", "taken": 3},
        {"code": "lease-over-elsewhere", "taken": 3},
    ]


def test_a_pass_ends_on_two_ranks_at_the_same_step_though_one_has_fewer_rows(real: Served, tmp_path: Path) -> None:
    jobs = two_jobs("once", real, folder=tmp_path / "job", ttl_s=60)
    for number, job in enumerate(jobs):
        job.trains(3, mark=f"-{number}")
    authors = real.authors()
    real.refuse(Counter(authors.values()).most_common(1)[0][0])  # in the middle of it
    assert [job.ends(120) for job in jobs] == [0, 0], [path.read_text() for path in (tmp_path / "job").glob("e*")]
    done = [jobs[number].said(f"done-{number}") for number in range(2)]
    assert done[0]["step"] == done[1]["step"] >= 3
    left = {(file, row) for each in done for file, row in each["left"]}
    assert left, "a control: one of them had rows that the other had no match for"
    assert left | real.rows() >= real.authors().keys()
    assert not left & real.rows()


def test_a_rank_that_is_killed_leaves_nobody_hanging(real: Served, tmp_path: Path) -> None:
    jobs = two_jobs("rank", real, folder=tmp_path / "job", ttl_s=60)
    for number, job in enumerate(jobs):
        job.trains(5, mark=f"-{number}")
    jobs[0].kill()
    assert jobs[1].ends(60) != 0
