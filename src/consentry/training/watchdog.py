"""A process that kills a job at the deadline of its lease, whatever the job is doing.

    python -m consentry.training.watchdog JOB DEADLINE-FILE JOURNAL

It is a child of the job in a session of its own, so what is sent to the job's group does not reach it. It reads the
deadline from shared memory and asks nobody. It ends when the job says that it stopped or is gone; a job that is gone
makes it kill nothing. It then says for the job how that ended: one that was gone while its lease held has failed. A job
is killed with all of its descendants, and with its process group if it leads it: if it does not, it was started by a
script that has other things to do.

It writes one byte when it watches, and keeps that pipe open: the job goes on only while there is a watchdog.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from consentry.errors import ConsentryError
from consentry.training.lease_requests import deliver
from consentry.training.shared_deadline import LeaseState, SharedDeadline

_MODULE = b"consentry.training.watchdog"
_GLANCE_S = 0.1
_DELIVERY_TRIES = 5


def watch(shared: SharedDeadline, *, job: int, kill: Callable[[int], None], glance_s: float = _GLANCE_S) -> str:
    """Watch until there is nothing to watch; return how it ended: `stopped`, `gone` or `killed`."""
    while True:
        if os.getppid() != job:  # the job is gone: its number may be somebody else's by now
            return "gone"
        if shared.state is LeaseState.STOPPED:
            return "stopped"
        remaining = shared.remaining_s()
        if remaining <= 0:
            kill(job)
            return "killed"
        time.sleep(min(remaining, glance_s))


def kill_job(job: int) -> None:
    """Kill a job with its descendants, and its process group if it leads it."""
    with suppress(ProcessLookupError):
        os.kill(job, signal.SIGSTOP)  # at once: to find its descendants takes a while, and afterwards nobody can
    family = _descendants(job)
    with suppress(ProcessLookupError):  # it ended by itself meanwhile
        if os.getpgid(job) == job:
            os.killpg(job, signal.SIGKILL)
    for process in [job, *family]:  # the job first: then nothing it waits for is started again
        with suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)


def kill_this_job() -> None:
    """Kill this process as `kill_job` would, but itself last: a thread of a job whose watchdog does not do it."""
    job = os.getpid()
    for process in _descendants(job):
        with suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)
    if os.getpgid(job) == job:
        os.killpg(job, signal.SIGKILL)
    os.kill(job, signal.SIGKILL)


def _descendants(job: int) -> list[int]:
    """Return the processes below a job; not its watchdogs, which still have something to deliver."""
    parents: dict[int, int] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            after_name = (folder / "stat").read_text("utf-8", "replace").rpartition(")")[2].split()
            if _MODULE in (folder / "cmdline").read_bytes():
                continue
        except OSError:
            continue
        parents[int(folder.name)] = int(after_name[1])
    family, new = set[int](), {job}
    while new:
        new = {process for process, parent in parents.items() if parent in new} - family
        family |= new
    return sorted(family)


def main() -> None:
    """Watch the process that started us."""
    job, path, journal = int(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3])
    shared = SharedDeadline(path)
    os.write(sys.stdout.fileno(), b"w")
    ended = watch(shared, job=job, kill=kill_job)
    if ended == "stopped":
        return
    how = "failed" if ended == "gone" and not shared.is_over() else "stopped"
    shared.end(LeaseState.STOPPED)
    path.unlink(missing_ok=True)
    for attempt in range(_DELIVERY_TRIES):
        try:
            if not journal.exists() or deliver(journal, how=how, timeout_s=5):
                return
        except ConsentryError:
            return  # refused: it is kept
        time.sleep(2**attempt)


if __name__ == "__main__":
    main()
