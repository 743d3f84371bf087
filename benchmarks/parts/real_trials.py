"""Trials in which something of a job with the real client fails: may it take a step later than its time to live allows?

Each job is a process with its watchdog beside it, at a time to live of 1 s. What goes wrong, for four jobs at a time:

* an order; the server killed; the server stopped, so that it takes connections and answers nothing;
* an order, and the job frozen past its deadline: its watchdog has to kill it;
* an order, and job and watchdog frozen past the deadline and continued: nothing of the job may step any more;
* an order, and a job that swallows the error and goes on: its watchdog has to kill it;
* the watchdog killed: the job stops at its next step;
* the server killed, and the words in shared memory that hold the deadline overwritten, so that it seems far away;
* the server killed, and the file of these words cut to nothing.

A job notes the time of each step, read before it asks whether it may, in memory that outlives it. The control are jobs
without a watchdog that swallow the error: they have to go on.
"""

from __future__ import annotations

import signal
import struct
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from os import kill

from rich.console import Console

from consentry.training.http import Requests
from parts.holder import clock
from parts.jobs import Client
from parts.measuring import Line, share
from parts.server import Server

LOG = Console(stderr=True)
TTL_S, STEP_S, TOGETHER, START_S = 1.0, 0.01, 4, 60.0
ENDED_S = 20.0
"""By when a process has to be gone: one that has stopped says farewell to a server that is not there for up to 15 s."""
_FAR_NS = 1 << 62
MODES = (
    "order",
    "server killed",
    "server stopped",
    "order, job frozen",
    "order, job and watchdog frozen",
    "order, error swallowed",
    "watchdog killed",
    "server killed, deadline damaged",
    "server killed, deadline cut off",
)
CONTROL = ("order, error swallowed",)
Order = Callable[[str], float]
"""Suspends what one model is trained on; returns when that was acknowledged."""


def real_trials(
    server: Server, order: Order, *, release: str, column: str, number: int, control: bool = False
) -> list[Line]:
    """Run trials and say how late the last step of each was."""
    modes = CONTROL if control else MODES
    late: dict[str, list[float]] = {mode: [] for mode in modes}
    lost = batch = 0
    over: Counter[str] = Counter()
    while sum(map(len, late.values())) < number and batch < 3 * number:
        mode = modes[batch % len(modes)]
        server.start()
        warm(server, release)
        with tempfile.TemporaryDirectory() as folder:
            asked = {"release": release, "model": f"real-{batch}", "ttl_s": TTL_S, "step_s": STEP_S, "column": column}
            swallow = mode == "order, error swallowed"
            begun = [
                Client(
                    server.ask,
                    **asked,
                    job=f"real-{batch}-{each}",
                    folder=folder,
                    beat=f"{folder}/beat-{each}",
                    swallow=swallow,
                    watchdog=not control,
                )
                for each in range(TOGETHER)
            ]
            # On a machine with too much to do some lose their lease before anything goes wrong: those prove nothing.
            jobs = [each for each in begun if each.began(START_S)]
            since = happen(mode, server, order, jobs, model=f"real-{batch}")
            jobs = [each for each in jobs if each.went_on_until(since)]
            lost += TOGETHER - len(jobs)
            over[mode] += sum(not each.ended(since + ENDED_S - clock()) for each in begun)
            late[mode] += [max(0.0, each.last_step() - since) for each in jobs]
        batch += 1
        LOG.print(f"{mode}: last step after {max(late[mode], default=0):.3f} s; {lost} lost their lease before")
    return _lines(late, lost=lost, over=over, control=control)


def _lines(late: dict[str, list[float]], *, lost: int, over: Counter[str], control: bool) -> list[Line]:
    too_late = sum(each > TTL_S for values in late.values() for each in values)
    done, goal = sum(map(len, late.values())), "more than 0: the control" if control else "0"
    lines = [
        Line(f"last step after: {mode}", f"{max(values):.3f} s", f"{len(values)} jobs, p50 {share(values, 0.5):.3f} s")
        for mode, values in late.items()
        if values
    ]
    lines.append(Line("lost their lease before anything went wrong", str(lost)))
    went_on, modes = over.total(), "; ".join(f"{mode}: {count}" for mode, count in over.items() if count)
    lines.append(Line("processes that went on", str(went_on), modes, goal, (went_on == 0) is not control))
    what = "last step later than the time to live"
    return [*lines, Line(what, str(too_late), f"{done} trials", goal, (too_late == 0) is not control)]


def warm(server: Server, release: str) -> None:
    """Ask a server that may just have been started for a lease: the first one takes longer than jobs have here."""
    asked = {"release": release, "job": "first", "model": "first", "ttl_s": 60, "nonce": "first"}
    there = server.ask
    Requests(there["url"]).send("POST", "/v1/leases", secret=there["token"], body=asked, timeout_s=120)


def happen(mode: str, server: Server, order: Order, jobs: list[Client], *, model: str) -> float:
    """Let something go wrong; return from when on the time to live counts."""
    since = clock()
    if mode.startswith("server killed"):
        server.kill()
    if mode == "server stopped":
        server.send(signal.SIGSTOP)
    frozen = [each.process.pid for each in jobs] if "frozen" in mode else []
    if "watchdog frozen" in mode:
        frozen += [pid for each in jobs for pid in each.children()]
    for pid in frozen:
        _signal(pid, signal.SIGSTOP)
    if mode.startswith("order"):
        acknowledged = order(model)
        since = since if frozen else acknowledged
    if mode == "watchdog killed":
        for pid in [pid for each in jobs for pid in each.children()]:
            _signal(pid, signal.SIGKILL)
    for each in jobs if "deadline" in mode else ():
        damage(each, cut="cut off" in mode)
    if "watchdog frozen" in mode or mode == "server stopped":
        time.sleep(1.5 * TTL_S)
    for pid in frozen if "watchdog frozen" in mode else ():
        _signal(pid, signal.SIGCONT)
    if mode == "server stopped":
        server.send(signal.SIGCONT)
    return since


def damage(job: Client, *, cut: bool) -> None:
    """Overwrite the deadline of a job, or cut the file off that holds it."""
    path = job.deadline_file()
    if path is None:
        return
    with path.open("r+b") as stream:
        if cut:
            stream.truncate(0)
            return
        stream.seek(8)
        stream.write(struct.pack("=qq", _FAR_NS, _FAR_NS))


def _signal(pid: int, number: int) -> None:
    with suppress(ProcessLookupError):
        kill(pid, number)
