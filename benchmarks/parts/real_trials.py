"""Trials in which something of a job with the real client fails: may it take a step later than its time to live allows?

Each job is a process with its watchdog beside it, at a time to live of 1 s. What goes wrong, for some jobs at a time:

* an order; the server killed; the server stopped, so that it takes connections and answers nothing;
* an order, while answers are lost, late and replayed, and nothing else is amiss (`relay.py`);
* an order, after the server's wall clock was set a day forward, or back;
* an order, and the job frozen past its deadline: its watchdog has to kill it;
* an order, and job and watchdog frozen past the deadline and continued: nothing of the job may step any more;
* an order, and a job that swallows the error and goes on: its watchdog has to kill it;
* the watchdog killed: the job stops at its next step;
* the server killed, and the words in shared memory that hold the deadline overwritten, so that it seems far away;
* the server killed, and the file of these words cut to nothing;
* the server replaced at its address by one with a copy of the home of before the leases: it knows none of them.

A job notes the time of each step, read before it asks whether it may, in memory that outlives it. The control are jobs
without a watchdog that swallow the error: they have to go on.
"""

from __future__ import annotations

import shutil
import signal
import struct
import tempfile
import time
from collections import Counter
from contextlib import suppress
from os import kill
from pathlib import Path
from typing import NamedTuple

from rich.console import Console

from consentry.training.http import Requests
from parts.deployed import Deployed
from parts.holder import clock
from parts.jobs import Client
from parts.measuring import Line, share
from parts.orders import Orders
from parts.relay import Relay
from parts.server import Server

LOG = Console(stderr=True)
TTL_S, STEP_S, TOGETHER, START_S = 1.0, 0.01, 4, 60.0
ENDED_S = 20.0
"""By when a process has to be gone: one that has stopped says farewell to a server that is not there for up to 15 s."""
FAREWELLS = 3
"""After how many further trials it is waited for the end of jobs: those that stopped only say farewell."""
_FAR_NS = 1 << 62
_AMISS_S = 0.5
"""For how long answers have been mistreated when the order is given."""
SWALLOWED, MISTREATED, UNKNOWN = "order, error swallowed", "order, answers lost, late and replayed", "lease not known"
FORWARD, BACK = "order, wall clock of the server a day forward", "order, wall clock of the server a day back"
MODES = (
    "order",
    "server killed",
    "server stopped",
    "order, job frozen",
    "order, job and watchdog frozen",
    SWALLOWED,
    "watchdog killed",
    "server killed, deadline damaged",
    "server killed, deadline cut off",
    MISTREATED,
    FORWARD,
    BACK,
    UNKNOWN,
)
CONTROL = (SWALLOWED,)


class Place(NamedTuple):
    """What jobs run against: a server, one whose ledger knows no lease, what stands before both, and who suspends."""

    server: Server
    unknowing: Server
    relay: Relay
    orders: Orders
    release: str
    column: str

    def address(self, mode: str) -> dict[str, str]:
        """Return where jobs find the server: behind the relay only where that does something."""
        self.relay.upstream = self.server.ask["url"]
        return {**self.server.ask, "url": self.relay.url} if mode in (MISTREATED, UNKNOWN) else self.server.ask

    def order(self, model: str) -> float:
        """Suspend what one model is trained on; return when that was acknowledged."""
        self.orders.give(models=[model])
        return self.orders.given()[1]


class Happened(NamedTuple):
    """What went wrong with some jobs, since when their time to live counts, and which of them had their lease then."""

    mode: str
    since: float
    begun: list[Client]
    living: list[Client]
    folder: tempfile.TemporaryDirectory[str]

    def settle(self) -> tuple[list[float], int]:
        """Wait until all have ended; return how late each took its last step, and how many went on."""
        with self.folder:
            over = sum(not each.ended(self.since + ENDED_S - clock()) for each in self.begun)
            return [max(0.0, each.last_step() - self.since) for each in self.living], over


def real_trials(deployed: Deployed, *, number: int, control: bool = False) -> list[Line]:
    """Run trials and say how late the last step of each was."""
    release, column = deployed.build(), deployed.text_column()
    with tempfile.TemporaryDirectory() as folder:
        before = Path(folder, "home")
        shutil.copytree(deployed.home, before)
        server, relay = Server(deployed.home, jumping=True), Relay(seed=7)
        place = Place(server, Server(before), relay, Orders(deployed.home), release, column)
        lines = _run(place, number=number, control=control)
        place.orders.close()
        relay.close()
        server.kill(signal.SIGTERM)
    return lines


def _run(place: Place, *, number: int, control: bool) -> list[Line]:
    modes = CONTROL if control else MODES
    together = min(TOGETHER, -(-number // len(modes)))
    late: dict[str, list[float]] = {mode: [] for mode in modes}
    lost = done = batch = 0
    over: Counter[str] = Counter()
    waiting: list[Happened] = []
    while waiting or (done < number and batch < 3 * number):
        if done < number and batch < 3 * number:
            happened = _trial(place, modes[batch % len(modes)], batch=batch, together=together, watchdog=not control)
            waiting.append(happened)
            done, batch, lost = done + len(happened.living), batch + 1, lost + together - len(happened.living)
            if len(waiting) <= FAREWELLS and done < number:
                continue
        mode = waiting[0].mode
        steps, went_on = waiting.pop(0).settle()
        late[mode] += steps
        over[mode] += went_on
        LOG.print(f"{mode}: last step after {max(late[mode], default=0):.3f} s; {lost} lost their lease before")
    lines = _lines(late, lost=lost, over=over, control=control)
    return lines if control else [*lines, Line("answers lost, late, replayed", _said(place.relay))]


def _trial(place: Place, mode: str, *, batch: int, together: int, watchdog: bool) -> Happened:
    """Start some jobs and let something go wrong."""
    place.server.start()
    warm(place.server, place.release)
    folder = tempfile.TemporaryDirectory()
    begun = _begun(place, mode, Path(folder.name), batch=batch, together=together, watchdog=watchdog)
    # On a machine with too much to do some lose their lease before anything goes wrong: those prove nothing.
    jobs = [each for each in begun if each.began(START_S)]
    since = happen(mode, place, jobs, model=f"real-{batch}")
    return Happened(mode, since, begun, [each for each in jobs if each.went_on_until(since)], folder)


def _begun(place: Place, mode: str, folder: Path, *, batch: int, together: int, watchdog: bool) -> list[Client]:
    """Start some jobs, each with a name and a model of its own."""
    if mode == UNKNOWN:
        place.unknowing.start()
        warm(place.unknowing, place.release)
    return [
        Client(
            place.address(mode),
            release=place.release,
            model=f"real-{batch}",
            ttl_s=TTL_S,
            step_s=STEP_S,
            column=place.column,
            job=f"real-{batch}-{each}",
            folder=str(folder),
            beat=str(folder / f"beat-{each}"),
            swallow=mode == SWALLOWED,
            watchdog=watchdog,
        )
        for each in range(together)
    ]


def _said(relay: Relay) -> str:
    return ", ".join(str(count) for count in relay.counts.values())


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


def happen(mode: str, place: Place, jobs: list[Client], *, model: str) -> float:
    """Let something go wrong; return from when on the time to live counts."""
    server, since = place.server, clock()
    if mode.startswith("server killed"):
        server.kill()
    elif mode == "server stopped":
        server.send(signal.SIGSTOP)
    elif mode in (FORWARD, BACK):
        server.send(signal.SIGUSR1 if mode == FORWARD else signal.SIGUSR2)
    elif mode == MISTREATED:
        place.relay.mistreats = True
        time.sleep(_AMISS_S)
    elif mode == UNKNOWN:
        place.relay.upstream = place.unknowing.ask["url"]
        server.kill()
    elif mode == "watchdog killed":
        for pid in [pid for each in jobs for pid in each.children()]:
            _signal(pid, signal.SIGKILL)
    frozen = _freeze(mode, jobs)
    if mode.startswith("order"):
        acknowledged = place.order(model)
        since = since if frozen else acknowledged
    for each in jobs if "deadline" in mode else ():
        damage(each, cut="cut off" in mode)
    if "watchdog frozen" in mode or mode in ("server stopped", MISTREATED, UNKNOWN):
        time.sleep(1.5 * TTL_S)
    _mend(mode, place, frozen)
    return since


def _freeze(mode: str, jobs: list[Client]) -> list[int]:
    """Stop jobs, and their watchdogs too if that is asked for; return which processes."""
    frozen = [each.process.pid for each in jobs] if "frozen" in mode else []
    if "watchdog frozen" in mode:
        frozen += [pid for each in jobs for pid in each.children()]
    for pid in frozen:
        _signal(pid, signal.SIGSTOP)
    return frozen


def _mend(mode: str, place: Place, frozen: list[int]) -> None:
    """Let go on what has to show now that it takes no step, and what the next jobs need."""
    for pid in frozen if "watchdog frozen" in mode else ():
        _signal(pid, signal.SIGCONT)
    if mode == "server stopped":
        place.server.send(signal.SIGCONT)
    elif mode == MISTREATED:
        place.relay.mistreats = False
    elif mode == UNKNOWN:
        place.unknowing.kill(signal.SIGTERM)


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
