"""Ranks whose control plane falls silent, or is gone: a real server that stands still, or is killed.

One that stands still takes connections, as its system does that for it, and answers nothing.
"""

from __future__ import annotations

import shutil
import signal
import time
from contextlib import ExitStack
from pathlib import Path

import pytest

from service.at_work import Process
from train.released import Released
from train.test_training import Elsewhere, two_jobs
from train.turned import require_no_step_after, turning

TTL_S = 15.0
END_S = 60.0


@pytest.mark.parametrize("how", [signal.SIGSTOP, signal.SIGKILL], ids=["silent", "gone"])
def test_two_ranks_end_together_within_the_time_to_live(
    released: Released, tmp_path: Path, how: signal.Signals
) -> None:
    shutil.copytree(released.home, tmp_path / "home")
    server = Process(tmp_path / "home")
    at = Elsewhere(url=server.ask.url, credential=server.ask.token, release=released.name)
    folder = tmp_path / "job"
    jobs = two_jobs("rank", at, folder=folder, ttl_s=TTL_S)
    try:
        for number, job in enumerate(jobs):
            job.trains(5, mark=f"-{number}")
        time.sleep(TTL_S)  # renewed at least once
        assert [job.process.poll() for job in jobs] == [None, None], "a control: it lasts while it is renewed"
        with ExitStack() as looking:
            turned = [looking.enter_context(turning(folder, f"-{number}")) for number in range(2)]
            server.process.send_signal(how)
            since = time.monotonic()
            ends = [job.ends(TTL_S + END_S) for job in jobs]
    finally:
        for job in jobs:
            job.kill()
        server.kill()
    last = [job.said(f"step-{number}") for number, job in enumerate(jobs)]
    for number in range(2):
        require_no_step_after(turned[number], folder, f"-{number}")
        assert last[number]["at"] - since < TTL_S
    # On a machine that is busy enough the watchdog is quicker: the other rank sees that, or is killed as well. One of
    # them may have noted a step that the other one was killed before it could note.
    assert abs(last[0]["step"] - last[1]["step"]) <= (1 if -signal.SIGKILL in ends else 0)
    if -signal.SIGKILL not in ends:
        assert ends == [75, 75], [path.read_text() for path in folder.glob("e*")]
        codes = {job.said(f"stopped-{number}")["code"] for number, job in enumerate(jobs)}
        assert codes <= {"lease-expired", "lease-over-elsewhere"}
    assert list((folder / "state-0").glob("*.jsonl")), "what was trained on is kept"
