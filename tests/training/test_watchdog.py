"""Nothing of a job runs past the deadline, whatever the job does. Every case has a control without the watchdog."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from consentry.errors import StateError
from consentry.training.boot_clock import boot_ns
from consentry.training.client import hold
from consentry.training.shared_deadline import LeaseState, SharedDeadline
from consentry.training.watchdog import kill_job, watch
from training import jobs
from training.small_server import CREDENTIAL, SmallPlane
from training.test_client import within

TTL_S = 1.0
SLACK_S = 2.0  # a busy machine; the deadline itself is checked by the clock of the job in other tests


@pytest.mark.parametrize(
    "program", [jobs.SWALLOWS, jobs.HANGS, jobs.DEVICE_HANGS], ids=["swallows", "hangs", "device hangs"]
)
@pytest.mark.parametrize("leads", [True, False])
def test_a_job_that_goes_on_is_killed(plane: SmallPlane, url: str, tmp_path: Path, program: str, leads: bool) -> None:
    job = jobs.start(program, url=url, folder=tmp_path / "job", ttl_s=TTL_S, leads=leads)
    time.sleep(0.3)
    plane.revoke()
    assert job.wait(TTL_S + SLACK_S) == -signal.SIGKILL
    job.communicate()
    assert within(lambda: [each["how"] for each in plane.lease().ends] == ["stopped"])
    trained = int((tmp_path / "job" / "beat").read_text())
    logged = {step for each in plane.lease().consumed for step in range(each[0], each[1] + 1)}
    assert logged >= set(range(1, trained + 1))  # what was committed before the kill was delivered after it
    assert within(lambda: list((tmp_path / "job" / "state").iterdir()) == [])


def test_a_job_that_stands_still_is_killed(url: str, tmp_path: Path) -> None:
    job = jobs.start(jobs.SWALLOWS, url=url, folder=tmp_path / "job", ttl_s=TTL_S)
    jobs.freeze(job)
    assert job.wait(TTL_S + SLACK_S) == -signal.SIGKILL
    job.communicate()


def test_control_without_the_watchdog_it_goes_on(plane: SmallPlane, url: str, tmp_path: Path) -> None:
    job = jobs.start(jobs.SWALLOWS, url=url, folder=tmp_path / "job", ttl_s=TTL_S, watchdog=False)
    plane.revoke()
    time.sleep(TTL_S + 0.5)
    before = (tmp_path / "job" / "beat").read_text()
    assert within(lambda: (tmp_path / "job" / "beat").read_text() not in ("", before))
    assert job.poll() is None
    jobs.kill(job)


def test_a_job_that_crashes_leaves_nothing_unsaid_and_kills_nothing(
    plane: SmallPlane, url: str, tmp_path: Path
) -> None:
    job = jobs.start(jobs.CRASHES, url=url, folder=tmp_path / "job", leads=False)  # we are in its process group
    assert job.wait(20) == 3
    job.communicate()
    assert within(lambda: plane.lease().ends == [{"how": "failed", "step": 5}])
    assert [step for each in plane.lease().consumed for step in range(each[0], each[1] + 1)] == [1, 2, 3, 4, 5]


def test_a_lease_outlives_a_slow_start_of_the_watchdog(
    plane: SmallPlane, url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a machine with much to do a process takes longer to start than a lease lives that nobody renews."""
    slow = tmp_path / "slow"
    slow.write_text(f'#!/bin/sh\nsleep {2 * TTL_S}\nexec "{sys.executable}" "$@"\n')
    slow.chmod(0o700)
    monkeypatch.setenv("JOB_INTERPRETER", str(slow))
    job = jobs.start(jobs.STARTS_SLOWLY, url=url, folder=tmp_path / "job", ttl_s=TTL_S)
    job.communicate()
    assert job.returncode == 0
    assert plane.lease().ends == [{"how": "released", "step": 1}]


def test_without_a_watchdog_that_starts_no_job_begins_and_the_lease_ends(
    plane: SmallPlane, url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = tmp_path / "broken"
    broken.write_text("#!/bin/sh\nexit 1\n")
    broken.chmod(0o700)
    began = False
    with monkeypatch.context() as at:
        at.setattr("consentry.training.watched.sys.executable", str(broken))
        with (
            pytest.raises(StateError, match="lease-watchdog-failed"),
            hold("r", job="j", model="m", url=url, credential=CREDENTIAL, state_folder=tmp_path / "state"),
        ):
            began = True
    assert not began
    assert plane.lease().ends == [{"how": "failed", "step": 0}]
    assert plane.consumed() == set()
    assert list((tmp_path / "state").iterdir()) == []


@pytest.mark.parametrize("program", [jobs.SWALLOWS, jobs.HANGS], ids=["swallows", "hangs"])
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP], ids=["gone", "stands still"])
def test_a_job_is_killed_at_the_deadline_by_a_thread_of_its_own_if_its_watchdog_does_not(
    plane: SmallPlane, url: str, tmp_path: Path, program: str, how: signal.Signals
) -> None:
    child = "import subprocess\nchild = subprocess.Popen(['sleep', '60'], start_new_session=True)\n"
    program = program.replace("number = 0\n", child + "(folder / 'child').write_text(str(child.pid))\nnumber = 0\n")
    job = jobs.start(program, url=url, folder=tmp_path / "job", ttl_s=TTL_S)
    watchdog = watchdog_of(job)
    try:
        os.kill(watchdog, how)
        if how == signal.SIGSTOP:
            time.sleep(2 * TTL_S)
            assert job.poll() is None, "a control: as long as the lease is renewed, nothing is killed"
            plane.revoke()
        assert job.wait(TTL_S + SLACK_S) == -signal.SIGKILL
        job.communicate()
        assert within(lambda: gone(int((tmp_path / "job" / "child").read_text())))
    finally:
        if how == signal.SIGSTOP:
            os.kill(watchdog, signal.SIGCONT)  # it says what the job could not
            assert within(lambda: len(plane.lease().ends) == 1)


def watchdog_of(job: subprocess.Popen[Any]) -> int:
    """Return the process that watches a job."""
    found = [
        int(folder.name)
        for folder in Path("/proc").glob("[0-9]*")
        if f"consentry.training.watchdog\0{job.pid}\0".encode() in command_line(folder)
    ]
    (watchdog,) = found
    return watchdog


def command_line(folder: Path) -> bytes:
    try:
        return (folder / "cmdline").read_bytes()
    except OSError:
        return b""


def test_a_job_that_ended_by_itself_meanwhile_is_no_error_for_who_kills_it() -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    kill_job(ended.pid)


def test_a_job_stops_when_its_watchdog_is_gone(url: str, tmp_path: Path) -> None:
    with hold(
        "r", job="j", model="m", ttl_s=60, url=url, credential=CREDENTIAL, state_folder=tmp_path / "state"
    ) as lease:
        lease.check()
        assert lease._watched is not None
        lease._watched._process.kill()
        assert within(lease.is_over)
        assert lease.release.shared.reason == "lease-watchdog-gone"


def test_children_of_a_job_die_with_it_and_a_neighbour_does_not(plane: SmallPlane, url: str, tmp_path: Path) -> None:
    children = "import subprocess\nchild = subprocess.Popen(['sleep', '60'])\n"
    program = jobs.SWALLOWS.replace(
        "number = 0\n", children + "(folder / 'child').write_text(str(child.pid))\nnumber = 0\n"
    )
    neighbour = subprocess.Popen(["sleep", "60"])  # in the group of the job, which does not lead it
    job = jobs.start(program, url=url, folder=tmp_path / "job", leads=False)
    child = int((tmp_path / "job" / "child").read_text())
    plane.revoke()
    assert job.wait(TTL_S + SLACK_S) == -signal.SIGKILL
    job.communicate()
    assert within(lambda: gone(child))
    assert neighbour.poll() is None
    neighbour.kill()
    neighbour.wait()


def test_children_in_a_session_of_their_own_die_with_a_job_that_leads_its_group(
    plane: SmallPlane, url: str, tmp_path: Path
) -> None:
    child = "import subprocess\nchild = subprocess.Popen(['sleep', '60'], start_new_session=True)\n"
    program = jobs.SWALLOWS.replace(
        "number = 0\n", child + "(folder / 'child').write_text(str(child.pid))\nnumber = 0\n"
    )
    job = jobs.start(program, url=url, folder=tmp_path / "job", ttl_s=TTL_S, leads=True)
    number = int((tmp_path / "job" / "child").read_text())
    plane.revoke()
    assert job.wait(TTL_S + SLACK_S) == -signal.SIGKILL
    job.communicate()
    assert within(lambda: not Path(f"/proc/{number}").exists() or gone(number))
    assert within(lambda: len(plane.lease().ends) == 1)  # its watchdog is below it as well, and lives on to say so


def test_a_job_that_nobody_can_kill_gets_no_lease(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("consentry.training.watched._INIT", os.getpid())
    with (
        pytest.raises(StateError, match=r"lease-watchdog-powerless"),
        hold("r", job="j", model="m", url=url, credential=CREDENTIAL, state_folder=tmp_path / "state"),
    ):
        raise AssertionError("it runs")


def gone(process: int) -> bool:
    return jobs.state(Path(f"/proc/{process}/stat")) == "Z"


def test_over_is_for_ever_in_shared_memory() -> None:
    shared = SharedDeadline.create()
    try:
        assert shared.is_over()
        later = boot_ns() / 1e9 + 100
        shared.publish(deadline=later, stops_at=later, amendment=3)
        reader = SharedDeadline(shared.path)
        assert not reader.is_over()
        shared.end(LeaseState.OVER, reason="lease-revoked")
        shared.end(LeaseState.OVER, reason="lease-expired")
        shared.publish(deadline=later + 100, stops_at=later + 100, amendment=2)
        assert reader.is_over()
        assert (reader.reason, reader.amendment) == ("lease-revoked", 3)
        assert 90 < reader.remaining_s() < 101
        shared.end(LeaseState.STOPPED)
        assert watch(reader, job=os.getppid(), kill=lambda _: None) == "stopped"
        assert watch(reader, job=0, kill=lambda _: None) == "gone"
        shared.path.write_bytes(bytes(48))
        with pytest.raises(ValueError, match="no deadline"):
            SharedDeadline(shared.path)
    finally:
        shared.path.unlink()


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param({1: 1 << 62, 2: 1 << 62}, id="deadline far away"),
        pytest.param({1: -1, 2: -1}, id="deadline long ago"),
        pytest.param({3: 77, 5: -9}, id="no such state or reason"),
        pytest.param(dict.fromkeys(range(6), 0x5A5A5A5A5A5A5A5A), id="everything"),
    ],
)
def test_damage_in_shared_memory_ends_the_lease(damage: dict[int, int]) -> None:
    shared = SharedDeadline.create()
    try:
        later = boot_ns() / 1e9 + 3600
        shared.publish(deadline=later, stops_at=later, amendment=3)
        assert not shared.is_over()
        assert shared.remaining_s() > 0
        with shared.path.open("r+b") as stream:
            for word, value in damage.items():
                stream.seek(8 * word)
                stream.write(value.to_bytes(8, sys.byteorder, signed=True))
        assert shared.is_over()
        assert shared.reason == "lease-expired"
        assert shared.remaining_s() <= 0 or shared.state is LeaseState.OVER
        killed: list[int] = []
        if shared.remaining_s() <= 0:
            assert watch(shared, job=os.getppid(), kill=killed.append) == "killed"
            assert killed == [os.getppid()]
    finally:
        shared.path.unlink()
