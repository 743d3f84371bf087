"""Training on a GPU: Python is ahead of it, a kernel may take for ever, and its memory has to come back.

A machine without one skips all of this. docs/training.md says on what it was run, and when.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import torch

from consentry.errors import LeaseOverError
from consentry.training.boot_clock import boot_seconds
from consentry.training.client import Lease
from consentry.training.shared_deadline import SharedDeadline
from consentry.training.torch import ROW
from consentry.training.torch_loader import ReleaseLoader
from consentry.training.torch_ranks import check_together
from skips import NO_GPU
from train.jobs_in_torch import STUCK_AT
from train.ranks_in_trainer import BATCH, MICRO_BATCHES
from train.released import Served
from train.test_dataset import ELIGIBLE, FILES, Holding, opened
from train.test_dataset import holding as holding  # noqa: PLC0414 - a fixture
from train.test_dataset import plane as plane  # noqa: PLC0414 - a fixture
from train.test_ranks_of_a_trainer import RANKS, ranks, torchrun
from train.test_training import Job, require_frozen_to_write_nothing, two_jobs
from train.turned import require_no_step_after, turning
from training.jobs import ROOT
from training.small_server import SmallPlane
from training.test_client import over_within, within
from training.test_watchdog import watchdog_of

pytestmark = [
    pytest.mark.skipif(not torch.cuda.is_available(), reason=NO_GPU),
    pytest.mark.filterwarnings("ignore:This DataLoader will create:UserWarning"),  # more than processors
]

TTL_S = 4.0
SLOW = 40_000_000
"""Cycles of a GPU: hundredths of a second."""
GONE_S = 5.0
"""How long after its deadline a process with a GPU may still be there."""


@pytest.fixture
def on_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JOB_DEVICE", "cuda")
    monkeypatch.setenv("JOB_ADAM", "yes")


class Slow:
    """A training whose passes take a GPU hundredths of a second each, and Python next to nothing."""

    def __init__(self, lease: Lease, check: Callable[[Lease, int], None], *, commit: bool) -> None:
        self._lease, self._check = lease, check
        self._dataset = opened(lease) if commit else None
        self._rows = [row[ROW] for row in opened(lease)]
        self._weight = torch.zeros(1, device="cuda")
        self._taken: list[torch.cuda.Event] = []

    def step(self) -> int:
        """Take a step, and return how many of those before it the GPU had not taken when it was handed out."""
        torch.cuda._sleep(SLOW)  # a pass forward and back
        number = len(self._taken) + 1
        self._check(self._lease, number)
        behind = sum(not each.query() for each in self._taken)
        self._weight += 1  # the step of the optimiser
        self._taken.append(torch.cuda.Event())
        self._taken[-1].record()
        if self._dataset is not None:
            self._dataset.commit(number, self._rows[number])
        return behind


def look_only(lease: Lease, step: int) -> None:
    lease.check(step)


def is_idle() -> bool:
    return bool(torch.cuda.current_stream().query())


@pytest.mark.parametrize("commit", [True, False])
def test_no_step_is_handed_out_before_a_gpu_has_taken_the_one_before(
    plane: SmallPlane, holding: Holding, commit: bool
) -> None:
    with holding() as lease:
        slow = Slow(lease, check_together, commit=commit)
        assert [slow.step() for _ in range(20)] == [0] * 20
        plane.revoke()
        over_within(lease)
        with pytest.raises(LeaseOverError):
            slow.step()
        assert is_idle()


def test_a_gpu_need_not_stand_idle_while_the_lease_is_looked_at(holding: Holding) -> None:
    with holding() as lease:
        busy = []

        def check(lease: Lease, step: int) -> None:
            check_together(lease, step)
            busy.append(not is_idle())

        slow = Slow(lease, check, commit=True)
        for _ in range(20):
            slow.step()
        assert busy[1:] == [True] * 19, "it works on what comes before the step"


def test_control_who_looks_at_the_lease_without_waiting_has_steps_taken_after_that(
    plane: SmallPlane, holding: Holding
) -> None:
    with holding() as lease:
        slow = Slow(lease, look_only, commit=False)
        assert max(slow.step() for _ in range(20)) > 1
        plane.revoke()
        over_within(lease)
        with pytest.raises(LeaseOverError):
            slow.step()
        assert not is_idle()


def test_a_job_has_stopped_once_its_gpu_has_done_what_it_was_given(plane: SmallPlane, holding: Holding) -> None:
    with holding() as lease:
        opened(lease)
        torch.cuda._sleep(20 * SLOW)
        assert not is_idle()
    assert is_idle()
    assert [each["how"] for each in plane.lease().ends] == ["released"]


@pytest.mark.usefixtures("on_a_gpu")
def test_an_order_stops_a_job_before_its_next_step(real: Served, tmp_path: Path) -> None:
    job = Job("plain", real, folder=tmp_path / "job", ttl_s=60)
    job.trains(20)
    with turning(job.folder) as turned:
        ordered_at = time.monotonic()
        real.order()
        assert job.ends(30) == 75
    stopped, last = job.said("stopped"), job.said("step")
    assert stopped["code"] == "lease-revoked"
    assert stopped["at"] - ordered_at < 10
    require_no_step_after(turned, job.folder)
    logged = {step for each in real.consumed() for step in range(each.from_step, each.to_step + 1)}
    assert logged == set(range(1, last["step"] + 1))


@pytest.mark.usefixtures("on_a_gpu")
@pytest.mark.parametrize(("how", "watchdog"), [("swallow", True), ("stuck", True), ("stuck", False)])
def test_a_job_is_killed_at_its_deadline_and_the_memory_of_its_gpu_comes_back(
    real: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, record_property: Any, how: str, watchdog: bool
) -> None:
    """A stuck one has a kernel that runs for hours. Without its watchdog a thread of its own kills it."""
    most = int(0.6 * torch.cuda.mem_get_info()[1])
    monkeypatch.setenv("JOB_BALLAST", str(most))
    job = Job(how, real, folder=tmp_path / "job", ttl_s=TTL_S)
    job.trains(STUCK_AT - 1)
    with pytest.raises(torch.OutOfMemoryError):  # a control: the job has it
        torch.empty(most, dtype=torch.uint8, device="cuda")
    if how == "stuck":
        time.sleep(TTL_S)
        assert job.process.poll() is None, "a control: while its lease is renewed it is a job that is slow"
    shared = SharedDeadline(Path(job.said("deadline")))
    if not watchdog:
        os.kill(watchdog_of(job.process), signal.SIGKILL)
    real.order()
    assert within(shared.is_over)
    deadline = boot_seconds() + shared.remaining_s()
    shared.close()
    assert job.ends(TTL_S + 60) == -signal.SIGKILL
    gone = boot_seconds()
    room = torch.empty(most, dtype=torch.uint8, device="cuda")
    record_property("gone after the deadline, s", round(gone - deadline, 3))
    record_property("memory given to another after that, s", round(boot_seconds() - gone, 3))
    del room
    torch.cuda.empty_cache()
    assert -0.1 < gone - deadline < GONE_S
    if how == "stuck":
        assert job.step() == STUCK_AT - 1
    if watchdog:  # it says what the job could not
        assert within(lambda: real.job()["state"] == "stopped")
        logged = {step for each in real.consumed() for step in range(each.from_step, each.to_step + 1)}
        assert logged >= set(range(1, STUCK_AT + 1)), "also the step that was launched, and never done"
        assert how != "stuck" or max(logged) == STUCK_AT


@pytest.mark.usefixtures("on_a_gpu")
@pytest.mark.parametrize("watchdog", [True, False])
def test_a_frozen_job_writes_no_model_checkpoint(real: Served, tmp_path: Path, watchdog: bool) -> None:
    require_frozen_to_write_nothing(real, tmp_path / "job", watchdog=watchdog)


@pytest.mark.parametrize("workers", [0, 2])
def test_batches_in_pinned_memory_lose_what_was_removed_and_a_resumed_pass_repeats_none(
    plane: SmallPlane, holding: Holding, workers: int
) -> None:
    with holding() as lease:
        dataset = opened(lease, transform=as_numbers)
        loader = iter(ReleaseLoader(dataset, batch_size=4, num_workers=workers, pin_memory=True))
        trained = set()
        for step in range(1, 7):
            batch = next(loader)
            assert batch["numbers"].is_pinned()
            assert batch[ROW].is_pinned()
            assert batch["numbers"].to("cuda", non_blocking=True).sum().item() > 0
            dataset.commit(step, [batch[ROW][:2].cuda(), batch[ROW][2:]])  # both at once, as micro-batches may come
            trained |= rows_of(batch)
        refused = set(sorted(ELIGIBLE - trained)[::3])
        plane.amend({file: [row for each, row in refused if each == file] for file in range(FILES)})
        assert within(lambda: lease.amendment == 1)
        later = set.union(*map(rows_of, loader))
        assert later
        assert not later & (refused | trained)
        state = dataset.state_dict()
    assert plane.consumed() == trained
    with holding() as lease:
        again = opened(lease, transform=as_numbers)
        again.load_state_dict(state)
        rest = [rows_of(batch) for batch in ReleaseLoader(again, batch_size=4, num_workers=workers, pin_memory=True)]
        assert set.union(*rest) == ELIGIBLE - trained - refused


def as_numbers(row: dict[str, Any]) -> dict[str, Any]:
    return {"numbers": torch.tensor([len(row["text"]), 1])}


def rows_of(batch: Any) -> set[tuple[int, int]]:
    return {(file, row) for file, row in batch[ROW].tolist()}


@pytest.mark.usefixtures("on_a_gpu")
def test_two_ranks_that_share_a_gpu_stop_at_the_same_step(real: Served, tmp_path: Path) -> None:
    jobs = two_jobs("rank", real, folder=tmp_path / "job", ttl_s=60)
    for number, job in enumerate(jobs):
        job.trains(5, mark=f"-{number}")
    real.order()
    assert [job.ends(60) for job in jobs] == [75, 75], [path.read_text() for path in (tmp_path / "job").glob("e*")]
    last = [jobs[number].said(f"step-{number}")["step"] for number in range(2)]
    assert last[0] == last[1] >= 5


@pytest.mark.usefixtures("on_a_gpu")
def test_two_ranks_of_a_trainer_that_share_a_gpu_stop_at_one_step(real: Served, tmp_path: Path) -> None:
    """With DDP over gloo: NCCL refuses two ranks on one GPU."""
    with torchrun(real, tmp_path / "job") as job:
        job.begin(5)
        with ExitStack() as looking:
            turned = [looking.enter_context(turning(job.folder, f"-{number}")) for number in range(RANKS)]
            real.order()
            assert job.process.wait(60) != 0
    last = [each["step"] for each in job.said("step")]
    assert last[0] == last[1] >= 5
    for rank in range(RANKS):
        require_no_step_after(turned[rank], job.folder, f"-{rank}")
    assert within(lambda: all(real.steps(each) == set(range(1, last[0] + 1)) for each in ranks()), 30)
    rows = [real.rows_of(each) for each in ranks()]
    assert not rows[0] & rows[1]
    assert [len(each) for each in rows] == [last[0] * BATCH * MICRO_BATCHES] * RANKS


OVER_NCCL = """
import os, torch, torch.distributed as dist
from consentry.training import torch_groups, torch_ranks
from consentry.training.boot_clock import boot_seconds
dist.init_process_group("nccl", store=dist.HashStore(), rank=0, world_size=1)
words = torch.ones(1, dtype=torch.int32, device="cuda")
assert torch_ranks._reduced(words, lambda: 60.0, group=None)
assert words.item() == 1
print("there", flush=True)
torch.cuda._sleep(1 << 33)  # seconds
until = boot_seconds() + 0.5
assert not torch_ranks._reduced(words, lambda: until - boot_seconds(), group=None)
assert 0 <= boot_seconds() - until < 0.5
print("given up", flush=True)
torch_groups.close_connections(None)
print("closed", flush=True)
os._exit(0)
"""


def test_a_word_over_nccl_is_waited_for_no_longer_than_it_may(tmp_path: Path) -> None:
    """A group of one rank. Its word waits on the GPU, behind a kernel that takes seconds."""
    paths = {"PYTHONPATH": str(ROOT / "src") + os.pathsep + os.environ.get("PYTHONPATH", "")}
    with (tmp_path / "said").open("wb") as said:
        job = subprocess.Popen(
            [sys.executable, "-P", "-c", OVER_NCCL], env={**os.environ, **paths}, stdout=said, stderr=said
        )
        try:
            code = job.wait(60)
        except subprocess.TimeoutExpired:
            code = None
        finally:
            job.kill()
            job.wait()
    assert (code, (tmp_path / "said").read_text()) == (0, "there\ngiven up\nclosed\n")
