"""The clocks of the host that a job runs on: one that is set while it runs, and one without a boot clock.

Each job is a process, its watchdog another one, and both see the clocks of `another_host`.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from consentry.training.boot_clock import boot_seconds
from training import jobs
from training.small_server import SmallPlane
from training.test_client import within

DAY_S = 86_400
TTL_S = 4.0
KILLED_S = 60.0  # at most, from the deadline to the end of a process on a busy machine
HOST = Path(__file__).parent / "another_host"

BEATS = (
    jobs.HEAD
    + """
import json
from consentry.training.boot_clock import boot_seconds
heeded = 0.0
while True:
    number += 1
    now = boot_seconds()
    try:
        lease.check(number)
        heeded, over = now, None
    except LeaseOverError as error:
        over = error.code
    lease.committed(number, [(0, number % 3, number % 3 + 1)])
    said = {"heeded": heeded, "over": over, "boot": time.clock_gettime(time.CLOCK_MONOTONIC), "wall": time.time()}
    (folder / "beat.new").write_text(json.dumps(said))
    (folder / "beat.new").replace(folder / "beat")  # killed at any moment, it is whole
    time.sleep(0.01)
"""
)
BY_THE_WALL = (
    "import time\nfrom consentry.training import boot_clock\nboot_clock._CLOCK = time.CLOCK_REALTIME\n" + BEATS
)
WITHOUT_BOOT_CLOCK = (
    f"import sys\nsys.path.insert(0, {str(HOST)!r})\n"
    "sys.modules.pop('sitecustomize', None)\n"  # a system may have one of its own
    "import sitecustomize\n"
)


def start(program: str, *, url: str, folder: Path, ttl_s: float = TTL_S, watchdog: bool = True) -> jobs.Job:
    """Start a job on the other host."""
    return jobs.start(program, url=url, folder=folder, ttl_s=ttl_s, watchdog=watchdog, places=(HOST,))


class WallClock:
    """The wall clock of the other host, which may be set at any moment."""

    def __init__(self, path: Path) -> None:
        path.write_bytes(bytes(8))
        self._path = path

    def set(self, ahead_s: int) -> None:
        """Set it."""
        with self._path.open("r+b") as stream:
            stream.write(ahead_s.to_bytes(8, sys.byteorder, signed=True))


@pytest.fixture
def wall(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> WallClock:
    monkeypatch.setenv("HOST_WALL_CLOCK", str(tmp_path / "wall"))
    return WallClock(tmp_path / "wall")


def beat(folder: Path) -> dict[str, Any]:
    path = folder / "beat"
    return dict(json.loads(path.read_text())) if path.exists() else {"heeded": 0.0, "over": None, "wall": 0.0}


def is_set(folder: Path, ahead_s: int) -> bool:
    return bool(abs(beat(folder)["wall"] - time.time() - ahead_s) < DAY_S / 2)


def goes_on(job: jobs.Job, folder: Path) -> None:
    """Wait until a job has taken steps for longer than a lease lives that nobody renews."""
    until = boot_seconds() + 1.3 * TTL_S
    assert within(lambda: beat(folder)["heeded"] > until or job.poll() is not None or beat(folder)["over"], 60)
    assert (job.poll(), beat(folder)["over"]) == (None, None)


@pytest.mark.parametrize("last", [DAY_S, -DAY_S])
def test_a_job_whose_wall_clock_is_set_neither_stops_early_nor_goes_on(
    plane: SmallPlane, url: str, tmp_path: Path, wall: WallClock, last: int
) -> None:
    folder = tmp_path / "job"
    job = start(BEATS, url=url, folder=folder)
    try:
        for ahead_s in (-last, last):
            wall.set(ahead_s)
            assert within(partial(is_set, folder, ahead_s), 30), "a control: the job sees that"
            goes_on(job, folder)
        plane.silent.set()
        silent_at = boot_seconds()
        wall.set(-last)
        assert job.wait(TTL_S + KILLED_S) == -signal.SIGKILL, "it goes on after the error, and the watchdog kills it"
    finally:
        jobs.kill(job)
    assert beat(folder)["heeded"] < silent_at + TTL_S


def test_control_a_job_that_went_by_its_wall_clock_would_stop_early(url: str, tmp_path: Path, wall: WallClock) -> None:
    folder = tmp_path / "job"
    job = start(BY_THE_WALL, url=url, folder=folder, ttl_s=60, watchdog=False)
    try:
        assert within(lambda: beat(folder)["heeded"] > 0)
        wall.set(DAY_S)
        assert within(lambda: beat(folder)["over"] == "lease-expired", 30)
    finally:
        jobs.kill(job)


def test_without_a_boot_clock_a_job_and_its_watchdog_go_by_the_monotonic_one(
    plane: SmallPlane, url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOST_WITHOUT_BOOT_CLOCK", "yes")
    folder = tmp_path / "job"
    job = start(BEATS, url=url, folder=folder)
    try:
        assert within(lambda: beat(folder)["heeded"] > boot_seconds() + DAY_S / 2, 30), (
            "a control: it has another clock"
        )
        until = boot_seconds() + DAY_S + 1.3 * TTL_S
        assert within(lambda: beat(folder)["heeded"] > until or job.poll() is not None, 60)
        assert job.poll() is None, "its watchdog knows the deadline to be ahead"
        plane.silent.set()
        silent_at = time.clock_gettime(time.CLOCK_MONOTONIC) + DAY_S
        assert job.wait(TTL_S + KILLED_S) == -signal.SIGKILL, "and knows when it was"
    finally:
        jobs.kill(job)
    assert beat(folder)["heeded"] < silent_at + TTL_S


def test_control_a_watchdog_on_another_clock_kills_a_job_that_is_renewed(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOST_WITHOUT_BOOT_CLOCK", "yes")
    program = WITHOUT_BOOT_CLOCK + BEATS.replace("\ncontext = hold", '\nprint("held", flush=True)\ncontext = hold', 1)
    job = jobs.start(program, url=url, folder=tmp_path / "job", ttl_s=60)
    try:
        assert job.wait(KILLED_S) == -signal.SIGKILL
    finally:
        jobs.kill(job)


def test_the_clock_of_the_server_falls_back_as_that_of_a_job_does() -> None:
    program = (
        "import time\n"
        "from consentry import clock\n"
        "from consentry.training import boot_clock\n"
        "shown = time.clock_gettime(time.CLOCK_MONOTONIC)\n"
        "assert boot_clock._CLOCK == time.CLOCK_MONOTONIC\n"
        "assert shown <= boot_clock.boot_seconds() <= boot_clock.boot_ns() / 1e9 <= clock.uptime() < shown + 60\n"
    )
    places = os.pathsep.join([str(HOST), str(jobs.ROOT / "src")])
    environment = {**os.environ, "PYTHONPATH": places, "HOST_WITHOUT_BOOT_CLOCK": "yes"}
    done = subprocess.run([sys.executable, "-P", "-c", program], env=environment, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
