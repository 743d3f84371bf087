"""From an order to the last job that has stopped: 200 holders of leases, and trials in which something goes wrong.

    ./run bench suspension [--holders 200] [--rounds 3] [--items 30000] [--trials 200] [--clients 20] [--real 52]
                           [--people 1000000] [--together 20] [--points may interface grant build gate]
    ./run bench suspension --scale 0.2 [--data DIR] [--home DIR]

The server is `consentry serve` in a process of its own, the orders come from another, the holders from a third. All
times are of the boot clock, which they share. Every other order names a window of dates: whether such an order hits a
release no count tells, so the server looks at every row. With `--scale` the items are those of `./run bench corpus`, 50
million at 1, and only this part runs.

Beside the holders other decision points ask on and on: a snapshot in memory, the interface over HTTP, a grant, a build
and a serving gate (`parts/points.py`). The first three have to turn at once; a build takes its time, and a serving gate
turns within what its answer is good for.

Their clock starts in a process that is open already, once it knows the newest event. An operator waits for more: the
command `consentry suspend` is measured as well, from the start of its process on, with 20 holders. It opens the ledger
alone: so it is measured once more in a ledger in which many people made a choice (`--people`), beside the same command
where nobody did, and beside `consentry case list`, which opens all of the deployment. They take turns.

The second part runs trials at a time to live of 1 s. In each, a job loses its right to read, and how is mixed: an
order; an order that no watch tells of, while answers are lost, late and replayed; the server killed, or stopped so that
it takes connections and answers nothing; an order and either of that; no answer arriving any more; the holder frozen
past its deadline and continued; an order while the holder stands still for less than that; an order after the server's
wall clock was set a day forward or back. Half of the orders are for a country, half for the model. No job may take a
step later than its time to live afterwards. `--control` is the same with holders that forget their deadlines, and has
to fail. `--full` runs 1,000 trials. Twenty jobs meet each such incident together, so 1,000 trials are some fifty
incidents: what differs within one is when each job last renewed and what it hears. With `--together 1` each trial is an
incident of its own, and takes several seconds: hours for 1,000.

The holders of both are simulated, many in a process. The third part has jobs with the client that trainers use, each in
a process of its own with its watchdog beside it. A tenth of them are frozen before the order: their watchdogs have to
kill them by the end of their time to live. The fourth part has such jobs at a time to live of 1 s, and what fails is on
their side as well; `parts/real_trials.py` says in which thirteen ways. There the control are jobs without a watchdog
that go on.
"""

from __future__ import annotations

import argparse
import os
import signal
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from parts import real_clients
from parts.commands import beside_people, by_command
from parts.deployed import Deployed, large, small
from parts.holders import Holders
from parts.measuring import Line, share, show
from parts.orders import Orders
from parts.points import Points
from parts.real_trials import real_trials
from parts.server import Server
from parts.trials import TOGETHER, TTL_S, trials

from consentry.bootstrap import open_deployment
from corpus import DATA, Shape

AT_ONCE = ("may", "interface", "grant")
"""Decision points that turn at once. A build takes its time, and a serving gate what its answer is good for."""
IN_TIME_S = {**dict.fromkeys(AT_ONCE, 1.0), "build": 10.0, "gate": 60.0}
AREAS = ("IN", "US", "BR", "CA", "AU", "JP", "MX", "PH", "ID", "NG")
WINDOW = {"created_from": 1_577_836_800, "created_before": 1_609_459_200}  # 2020


def rounds(deployed: Deployed, *, holders: int, times: int, patience_s: float, points: Sequence[str]) -> list[Line]:
    """Measure how long it takes until every holder denies; wait for the last of them for `patience_s`.

    `points`: the other decision points that ask meanwhile, see `parts/points.py`.
    """
    home, release, key = deployed.home, deployed.build(), deployed.key()
    server, orders = Server(home), Orders(home)
    server.start()
    # What the first who asks a server has to wait for is no matter of suspensions.
    Holders(**server.ask, release=release, model="drafts", ttl_s=600, holders=1).finish()
    denied: dict[str, list[float]] = {"whole": [], "dated": []}
    after: list[float] = []
    recorded: list[float] = []
    others: dict[str, list[float]] = {name: [] for name in points}
    for number in range(times):
        area, dated = AREAS[number % len(AREAS)], number % 2
        ask = {**server.ask, "release": release, "model": f"drafts-{number}"}
        held = Holders(**ask, ttl_s=60, holders=holders, step_s=0.1, together=20)
        # What a window of dates leaves to people is no "no": only of whole countries may all of these be told.
        asking = None if dated or not points else Points(**beside(deployed, ask, key=key, area=area, points=points))
        time.sleep(2)
        orders.give(areas=[area], **(WINDOW if dated else {}))
        asked, acknowledged = orders.given()
        time.sleep(patience_s)
        if asking is not None:
            for name, at in asking.finish(wait_s=30).items():
                others[name].append(float("inf") if at is None else at - asked)
        found = held.finish()
        # By the watch, or by a renewal that was refused.
        if untold := [each for each in found if each["over"] not in ("revoked", "lease-revoked")]:
            raise SystemExit(f"not all were told: {untold[:3]}")
        recorded.append(acknowledged - asked)
        denied["dated" if dated else "whole"] += [each["over_at"] - asked for each in found]
        after += [max(0.0, each["over_at"] - acknowledged) for each in found]
        if number + 1 < times:
            release = deployed.build()
    orders.close()
    server.kill(signal.SIGTERM)
    drained = drains(home)
    return [
        Line("order, from asked to acknowledged", f"{max(recorded):.3f} s", f"largest of {times}"),
        *denied_lines("asked to denied", denied["whole"]),
        *denied_lines("a window of dates: asked to denied", denied["dated"]),
        Line("acknowledged to denied, p99", f"{share(after, 0.99):.3f} s", "", "< 1 s", share(after, 0.99) < 1),
        *points_lines(others, denied["whole"]),
        Line("asked to `drained` in the ledger", f"{max(drained):.3f} s", f"largest of {len(drained)}"),
    ]


def beside(deployed: Deployed, ask: dict[str, str], *, key: str, area: str, points: Sequence[str]) -> dict[str, Any]:
    """Return what the other decision points have to know."""
    known = {"home": deployed.home, "people": str(deployed.people), "corpus": deployed.corpus}
    return {**known, **ask, "policy": deployed.policy, "key": key, "area": area, "points": list(points)}


def points_lines(others: dict[str, list[float]], holders: list[float]) -> list[Line]:
    """Say when the other decision points were told no, and the p99 of all that have to turn at once."""
    told = [(name, seconds) for name, seconds in others.items() if seconds]
    lines = [
        Line(
            f"asked to denied: {name}",
            f"{max(seconds):.3f} s",
            f"largest of {len(seconds)}",
            f"< {IN_TIME_S[name]:g} s",
            max(seconds) < IN_TIME_S[name],
        )
        for name, seconds in told
    ]
    if not lines:
        return []
    every = [*holders, *(each for name, seconds in told if name in AT_ONCE for each in seconds)]
    p99 = share(every, 0.99)
    what = f"asked to denied, p99 of holders and {', '.join(name for name, _ in told if name in AT_ONCE)}"
    return [*lines, Line(what, f"{p99:.3f} s", f"{len(every)} decision points", "< 1 s", p99 < 1)]


def denied_lines(what: str, seconds: list[float]) -> list[Line]:
    """Say how long it took until holders were denied."""
    if not seconds:
        return []
    p99 = share(seconds, 0.99)
    return [
        Line(f"{what}, p50", f"{share(seconds, 0.5):.3f} s", f"{len(seconds)} holders"),
        Line(f"{what}, p99", f"{p99:.3f} s", "", "< 1 s", p99 < 1),
        Line(f"{what}, last", f"{max(seconds):.3f} s"),
    ]


def drains(home: Path) -> list[float]:
    """Return how long each order took until nobody read against it."""
    deployment = open_deployment(home, embedded=True)
    found = [order.drained for order in deployment.control.orders.every()]
    deployment.close()
    took = [None if each is None else each.took_ms for each in found]
    return [float("nan") if each is None else each / 1000 for each in took] or [float("nan")]


def measure_all(given: argparse.Namespace, deployed: Deployed) -> None:
    """Measure what is asked for, on a small deployment."""
    if given.rounds:
        show(
            "Suspension",
            rounds(deployed, holders=given.holders, times=given.rounds, patience_s=3, points=given.points),
        )
        show("Suspension, by the whole command", by_command(deployed, times=given.rounds, patience_s=3))
    if given.people:
        show(
            f"The command beside {given.people:,} people",
            beside_people(given.people, times=max(1, 2 * given.rounds - 1)),
        )
    number = 1_000 if given.full else given.trials
    if number:
        title = f"Trials at a time to live of {TTL_S:g} s"
        show(title, trials(deployed, number=number, deadlines=not given.control, together=given.together))
    if given.clients:
        title = f"Jobs with the real client, at a time to live of {real_clients.TTL_S:g} s"
        show(title, real_clients.real_clients(deployed, number=given.clients))
    if given.real:
        title = f"Jobs with the real client that fail, at a time to live of {TTL_S:g} s"
        show(title, real_trials(deployed, number=given.real, control=given.control))


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--holders", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--points", nargs="*", choices=tuple(IN_TIME_S), default=tuple(IN_TIME_S), metavar="POINT")
    parser.add_argument("--items", type=int, default=30_000)
    parser.add_argument("--trials", type=int, default=200)
    parser.add_argument("--together", type=int, default=TOGETHER, help="how many jobs of the trials meet an incident")
    parser.add_argument("--clients", type=int, default=20)
    parser.add_argument("--real", type=int, default=52, help="jobs; each way to fail takes its share")
    parser.add_argument("--people", type=int, default=1_000_000, help="who made a choice, beside the command")
    parser.add_argument("--scale", type=float, default=None, help="1 is 50 million items of 5 million people")
    parser.add_argument("--data", type=Path, default=DATA, metavar="DIR", help="where the corpus is")
    parser.add_argument("--home", type=Path, default=None, metavar="DIR", help="where that deployment is made")
    parser.add_argument("--control", action="store_true")
    parser.add_argument("--full", action="store_true")
    given = parser.parse_args()
    for name in [name for name in os.environ if name.startswith("CONSENTRY_")]:
        del os.environ[name]
    if given.scale:
        with large(given.scale, given.data, given.home) as deployed:
            title = f"Suspension, {Shape().scaled(given.scale).items:,} items"
            show(title, rounds(deployed, holders=given.holders, times=given.rounds, patience_s=15, points=AT_ONCE))
            found = by_command(deployed, times=given.rounds, patience_s=15, holders=given.holders, dated=True)
            show("Suspension of a country and a year, by the whole command", found)
        return
    with small(given.items) as deployed:
        measure_all(given, deployed)


if __name__ == "__main__":
    main()
