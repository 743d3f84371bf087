"""Trials in which something of many simulated jobs goes wrong: may one step later than its time to live allows?

What goes wrong is an incident: one order, one server that is killed. Several jobs meet it together, each with its own
time of renewal and its own luck, and each is a trial. So there are fewer incidents than trials, and both are told.

Of the orders every other one is for a country whose content the release holds, as long as there are enough of them:
after it another release is built, for nobody is granted that one any more. The others name the model of the jobs.
"""

from __future__ import annotations

import signal
import time
from typing import Any

from rich.console import Console

from parts.deployed import Deployed
from parts.holder import clock
from parts.holders import Holders
from parts.measuring import Line, share
from parts.orders import Orders
from parts.server import Server

LOG = Console(stderr=True)
TTL_S = 1.0
TOGETHER = 20
"""How many jobs meet an incident."""
MODES = (
    "order",
    "lossy",
    "killed",
    "cut",
    "frozen",
    "order and killed",
    "paused",
    "standing still",
    "order and paused",
    "wall clock set",
)
_BY_ORDER = frozenset(MODES) - {"killed", "cut", "paused"}
_LEFT = 8
"""So many countries stay: without any nobody has anything to read."""
_TOLD = ("order", "lossy", "wall clock set")
"""Their time to live counts from when the order was acknowledged: nobody but the server can extend a lease by then."""


def trials(deployed: Deployed, *, number: int, deadlines: bool, together: int = TOGETHER) -> list[Line]:
    """Run trials, so many of them in an incident, and say how late the last step of each was."""
    home, release = deployed.home, deployed.build()
    server, orders = Server(home, jumping=True), Orders(home)
    late: dict[str, list[float]] = {mode: [] for mode in MODES}
    incidents = dict.fromkeys(MODES, 0)
    troubles: dict[str, int] = {"lost": 0, "late": 0, "replayed": 0}
    done = batch = before = countries = 0
    while done < number:
        mode = MODES[batch % len(MODES)]
        server.start()
        scope = {"models": [f"batch-{batch}"]}
        if mode in _BY_ORDER and (batch // len(MODES) + batch) % 2:
            held = deployed.countries(release)
            if len(held) > _LEFT:
                scope, countries = {"areas": held[:1]}, countries + 1
        all_, living, since = trial(
            server, orders, mode, release, scope=scope, batch=batch, deadlines=deadlines, together=together
        )
        if "areas" in scope:
            release = deployed.build()
        # On a machine with too much to do some lose their lease before anything goes wrong: those prove nothing.
        found = [each for each in all_ if each["over_at"] >= living and each["last_step"] is not None]
        before += len(all_) - len(found)
        late[mode] += [each["last_step"] - since for each in found]
        troubles = {key: count + sum(each[key] for each in found) for key, count in troubles.items()}
        done, batch, incidents[mode] = done + len(found), batch + 1, incidents[mode] + bool(found)
        LOG.print(f"{done} trials: {mode}, last step after {max(late[mode], default=0):.3f} s")
    orders.close()
    server.kill(signal.SIGTERM)
    over = sum(each > TTL_S for values in late.values() for each in values)
    lines = [
        Line(
            f"last step after: {mode}",
            f"{max(values):.3f} s",
            f"jobs: {len(values)}, incidents: {incidents[mode]}, p50 {share(values, 0.5):.3f} s",
        )
        for mode, values in late.items()
        if values
    ]
    lines.append(Line("incidents by an order for a country", str(countries), f"of {batch}"))
    lines.append(Line("jobs that ended before anything went wrong", str(before), f"not among the {done}"))
    lines.append(Line("answers lost, late, replayed", ", ".join(str(count) for count in troubles.values())))
    goal = "0" if deadlines else "more than 0: the control"
    lines.append(
        Line(
            "last step later than the time to live",
            str(over),
            f"trials: {done}, incidents: {sum(incidents.values())}",
            goal,
            (over == 0) is deadlines,
        )
    )
    return lines


def trial(
    server: Server,
    orders: Orders,
    mode: str,
    release: str,
    *,
    scope: dict[str, list[str]],
    batch: int,
    deadlines: bool,
    together: int,
) -> tuple[list[dict[str, Any]], float, float]:
    """Let one thing go wrong for a batch of jobs.

    Return what became of them, when it began to go wrong, and from when on their time to live counts.
    """
    model, lossy = f"batch-{batch}", mode == "lossy"
    held = Holders(
        **server.ask,
        release=release,
        model=model,
        ttl_s=TTL_S,
        holders=together,
        deadlines=deadlines,
        lossy=lossy,
        watching=not lossy,
        seed=batch,
    )
    time.sleep(0.7 + 0.05 * (batch % 7))
    living = since = clock()
    if mode in ("frozen", "standing still"):
        held.process.send_signal(signal.SIGSTOP)
    if mode == "wall clock set":
        server.send(signal.SIGUSR1 if batch % 20 < 10 else signal.SIGUSR2)
    if mode in _BY_ORDER:
        orders.give(**scope)
        if mode == "order and killed":
            server.kill()
        asked, acknowledged = orders.given()
        # A killed server can extend nothing from then on, and neither can an order that was acknowledged.
        since = acknowledged if mode in _TOLD else min(since, asked)
    elif mode == "killed":
        server.kill()
    elif mode == "cut":
        held.say("cut")
        since = clock()
    if mode in ("paused", "order and paused"):
        server.send(signal.SIGSTOP)
    if mode == "standing still":
        time.sleep(TTL_S * 0.4)
        held.process.send_signal(signal.SIGCONT)
    time.sleep(TTL_S * 1.5)
    if mode == "frozen":
        held.process.send_signal(signal.SIGCONT)
        time.sleep(0.3)
    if mode in ("paused", "order and paused"):  # now it answers what it was asked before
        server.send(signal.SIGCONT)
        time.sleep(0.3)
    return held.finish(), living, since
