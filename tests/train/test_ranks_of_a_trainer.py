"""A Hugging Face Trainer on two ranks, as torchrun starts them: they stop at one step, and share the rows."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import torch
from pyroaring import BitMap64

from consentry.training.transformers import ROWS_FILE
from train.ranks_in_trainer import BATCH, MICRO_BATCHES
from train.released import Served, text_column
from train.test_training import START_S
from train.turned import require_no_step_after, turning
from training.jobs import ROOT
from training.test_client import within

RANKS = 2


class Torchrun:
    """Two ranks of one job."""

    def __init__(self, at: Served, folder: Path, *, trainer: str = "of a release") -> None:
        folder.mkdir()
        self.folder = folder
        environment = {
            **os.environ,
            "CONSENTRY_URL": at.url,
            "CONSENTRY_TOKEN": at.credential,
            "JOB_RELEASE": at.release,
            "JOB_COLUMN": text_column(),
            "JOB_FOLDER": str(folder),
            "JOB_TRAINER": trainer,
            "JOB_TTL": "60",
            "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT / "tests")]),
        }
        started = [sys.executable, "-P", "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(RANKS)]
        with (folder / "errors").open("wb") as errors:
            self.process = subprocess.Popen(
                [*started, "-m", "train.ranks_in_trainer"],
                env=environment,
                stdout=errors,
                stderr=errors,
                start_new_session=True,
            )

    def said(self, name: str) -> list[Any]:
        """Return what each rank said."""
        paths = [self.folder / f"{name}-{number}" for number in range(RANKS)]
        return [json.loads(path.read_text()) if path.exists() else None for path in paths]

    def train(self, steps: int) -> bool:
        """Say whether each rank has taken so many steps."""
        return all(said is not None and said["step"] >= steps for said in self.said("step"))

    def begin(self, steps: int) -> None:
        assert within(lambda: self.train(steps) or self.process.poll() is not None, START_S)
        assert self.process.poll() is None, (self.folder / "errors").read_text()


@contextmanager
def torchrun(at: Served, folder: Path, **other: str) -> Iterator[Torchrun]:
    job = Torchrun(at, folder, **other)
    try:
        yield job
    finally:
        job.process.terminate()  # it ends its ranks
        job.process.wait(60)


def test_an_order_stops_both_ranks_at_one_step_and_each_row_was_trained_on_once(real: Served, tmp_path: Path) -> None:
    excluded = real.excluded()
    with torchrun(real, tmp_path / "job") as job:
        job.begin(5)
        with ExitStack() as looking:
            turned = [looking.enter_context(turning(job.folder, f"-{number}")) for number in range(RANKS)]
            real.order()
            ordered_at = time.monotonic()
            assert job.process.wait(60) != 0
    stopped, last = job.said("stopped"), job.said("step")
    codes = {each["code"] for each in stopped}
    assert codes <= {"lease-revoked", "lease-over-elsewhere", "lease-over-in-worker"}, codes
    assert last[0]["step"] == last[1]["step"] >= 5
    for rank in range(RANKS):
        assert stopped[rank]["at"] < ordered_at + 10  # far below the time to live
        require_no_step_after(turned[rank], job.folder, f"-{rank}")
    steps = last[0]["step"]
    # Torchrun ends a rank that says farewell more slowly than the other one: its watchdog says the rest.
    assert within(lambda: [each["state"] for each in real.control.leases.jobs()] == ["stopped"] * RANKS, 30)
    assert within(lambda: all(real.steps(job) == set(range(1, steps + 1)) for job in ranks()), 30)
    rows = [real.rows_of(job) for job in ranks()]
    assert not rows[0] & rows[1]
    assert [len(each) for each in rows] == [steps * BATCH * MICRO_BATCHES] * RANKS
    assert not real.rows() & excluded


def ranks() -> list[str]:
    return [f"run-rank-{number}" for number in range(RANKS)]


def test_a_bare_trainer_on_two_ranks_is_refused(real: Served, tmp_path: Path) -> None:
    with torchrun(real, tmp_path / "job", trainer="bare") as job:
        assert job.process.wait(START_S + 60) != 0
    assert "trainer-deals-out" in job.said("ended")
    assert job.said("step") == [None, None]
    assert real.rows() == set()


def test_one_rank_keeps_the_random_numbers_of_all(real: Served, tmp_path: Path) -> None:
    with torchrun(real, tmp_path / "job", trainer="keeping") as job:
        assert job.process.wait(START_S + 60) == 0, (job.folder / "errors").read_text()
    kept = job.folder / "models-0" / "step-2"
    states = [torch.load(kept / f"rng_state_{rank}.pth", weights_only=False) for rank in range(RANKS)]
    assert all({"python", "numpy", "cpu"} <= each.keys() for each in states)
    rows = sum(len(real.rows_of(each)) for each in ranks())
    done = json.loads((kept / ROWS_FILE).read_bytes())["done"]
    assert sum(len(BitMap64.deserialize(base64.b64decode(each))) for each in done.values()) == rows
    assert not list((job.folder / "models-1").glob("step-*")), "the first rank writes"
