"""A training job of the demo that ends too early: the error says how it ended, and what it said last."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from consentry.cli.demo_job import Job
from consentry.errors import ConsentryError

BEGAN = """
import json, os, signal, sys
def say(what, **facts):
    print(json.dumps({"said": what, "uptime": 1.0, **facts}), flush=True)
say("began", fence=7)
"""


LAST = 'it said {"said": "began", "fence": 7}'


@contextmanager
def job(program: str) -> Iterator[Job]:
    with (
        tempfile.TemporaryFile("w+") as complaints,
        subprocess.Popen(
            [sys.executable, "-c", BEGAN + program],
            stdout=subprocess.PIPE,
            stderr=complaints,
            text=True,
            env={**os.environ, "PYTHONWARNINGS": "ignore"},
        ) as process,
    ):
        yield Job(process, complaints)


@pytest.mark.parametrize(
    ("program", "end"),
    [
        ("", 'exit status 0; it said {"said": "began", "fence": 7}'),
        (
            "say('stopped', code='lease-expired', why='the lease is over'); sys.exit(75)",
            'exit status 75; it said {"said": "stopped", "code": "lease-expired", "why": "the lease is over"}',
        ),
        (
            "os.kill(os.getpid(), signal.SIGKILL)",
            f"killed by SIGKILL (its lease ran out while it went on, or memory did); {LAST}",
        ),
        (
            "print('{\"said\": \"trai', flush=True); print('error: no room', file=sys.stderr); sys.exit(1)",
            'exit status 1; it said {"said": "began", "fence": 7}; {"said": "trai; error: no room',
        ),
        (
            "os.kill(os.getpid(), signal.SIGTERM)",
            'killed by SIGTERM; it said {"said": "began", "fence": 7}',
        ),
    ],
)
def test_it_says_how_the_job_ended(program: str, end: str) -> None:
    with job(program) as running, pytest.raises(ConsentryError) as caught:
        running.until("done")
    assert caught.value.code == "demo-job-failed"
    assert caught.value.message == f"the training job ended without saying `done`: {end}"


def test_what_it_waited_for_is_returned() -> None:
    with job("say('training', step=1); say('training', step=21); say('done', step=30)") as running:
        assert running.until("training", step=20)["step"] == 21
        assert running.until("done")["step"] == 30
        assert running.last_step() == 30
