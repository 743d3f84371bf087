"""Jobs to run as processes of their own: what they do when their lease is over differs."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]

HEAD = """
import os, sys, threading, time
from pathlib import Path
from typing import Any
from consentry.errors import ConsentryError, LeaseOverError
from consentry.training.client import hold
folder = Path(os.environ["JOB_FOLDER"])
context = hold("r", job="j", model="m", ttl_s=float(os.environ["JOB_TTL"]), state_folder=folder / "state",
    watchdog=os.environ["JOB_WATCHDOG"] == "yes")
lease = context.__enter__()
def step(number):
    lease.committed(number, [(0, number % 3, number % 3 + 1)])
    (folder / "beat.new").write_text(str(number))
    (folder / "beat.new").replace(folder / "beat")  # killed at any moment, it is whole
    time.sleep(0.01)
number = 0
print("held", flush=True)
"""
SWALLOWS = (
    HEAD
    + """
while True:
    number += 1
    try:
        lease.check(number)
    except Exception:
        pass
    step(number)
"""
)
HANGS = (
    HEAD
    + """
step(1)
threading.Event().wait()
"""
)
DEVICE_HANGS = (
    HEAD
    + """
step(1)
lease.wait_for_devices = threading.Event().wait
context.__exit__(None, None, None)
"""
)
CRASHES = (
    HEAD
    + """
for number in range(1, 6):
    step(number)
os._exit(3)
"""
)
STARTS_SLOWLY = (
    HEAD.replace("context = hold(", "sys.executable = os.environ['JOB_INTERPRETER']\ncontext = hold(")
    + """
lease.check(1)
step(1)
context.__exit__(None, None, None)
"""
)


def start(
    program: str,
    *,
    url: str,
    folder: Path,
    ttl_s: float = 1.0,
    watchdog: bool = True,
    leads: bool = True,
    places: tuple[Path, ...] = (),
) -> Job:
    """Start a job, and return once it holds its lease. In `places` it looks for modules first."""
    folder.mkdir(exist_ok=True)
    environment = {
        **os.environ,
        "CONSENTRY_URL": url,
        "CONSENTRY_TOKEN": "workload",
        "JOB_FOLDER": str(folder),
        "JOB_TTL": str(ttl_s),
        "JOB_WATCHDOG": "yes" if watchdog else "no",
        "PYTHONPATH": os.pathsep.join(map(str, [*places, ROOT / "src", ROOT / "tests"])),
    }
    process = subprocess.Popen(
        [sys.executable, "-P", "-c", program],
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=leads,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def deadlines(job: subprocess.Popen[Any]) -> list[Path]:
    """Return the files of the deadlines that a job has in memory; none if it is gone."""
    if job.poll() is not None:
        return []
    try:
        lines = Path(f"/proc/{job.pid}/maps").read_text().splitlines()
    except OSError:
        return []
    return [Path(path) for line in lines if "/consentry-lease-" in (path := line.split(maxsplit=5)[-1])]


def kill(job: subprocess.Popen[Any]) -> None:
    """Kill a job, and leave nothing of it in memory if it has no watchdog that would see to that."""
    left = deadlines(job)
    job.kill()
    job.communicate()
    for path in left:
        path.unlink(missing_ok=True)


def freeze(job: subprocess.Popen[Any]) -> None:
    """Stop a job, and return when it stands still."""
    os.kill(job.pid, signal.SIGSTOP)
    while any(state(task / "stat") != "T" for task in Path(f"/proc/{job.pid}/task").iterdir()):
        assert job.poll() is None, "it ended before it could be frozen"
        time.sleep(0.005)


def state(stat: Path) -> str:
    """Return the state of a process or thread, Z if it is gone."""
    try:
        return stat.read_text().rpartition(")")[2].split()[0]
    except OSError:
        return "Z"


Job = subprocess.Popen[str]
