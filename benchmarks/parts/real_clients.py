"""How long it takes until the last job with the real client has stopped, or was killed by its watchdog."""

from __future__ import annotations

import signal
import tempfile

from rich.console import Console

from parts.deployed import Deployed
from parts.holder import clock
from parts.jobs import Client
from parts.measuring import Line, share
from parts.orders import Orders
from parts.server import Server

LOG = Console(stderr=True)
TTL_S, TOGETHER, START_S = 10.0, 4, 120.0
_AREA = "NG"


def real_clients(deployed: Deployed, *, number: int) -> list[Line]:
    """Measure how long it takes until the last job with the real client has stopped, or was killed."""
    home, release = deployed.home, deployed.build()
    server, orders, column = Server(home), Orders(home), deployed.text_column()
    server.start()
    asked = {"release": release, "model": "clients", "ttl_s": TTL_S, "step_s": 0.1, "column": column}
    clients: list[Client] = []
    with tempfile.TemporaryDirectory() as folder:
        for start in range(0, number, TOGETHER):
            some = range(start, min(start + TOGETHER, number))
            begun = [Client(server.ask, **asked, job=f"client-{each}", folder=folder) for each in some]
            clients += [each for each in begun if each.began(START_S)]
        LOG.print(f"{len(clients)} of {number} clients are at work")
        frozen, living = clients[: number // 10], clients[number // 10 :]
        for each in frozen:
            each.freeze()
        since = clock()
        orders.give(areas=[_AREA])
        asked_at, acknowledged = orders.given()
        over = [each for each in clients if not each.ended(asked_at + 3 * TTL_S - clock())]
    orders.close()
    server.kill(signal.SIGTERM)
    # On a machine with too much to do some lose their lease before anything goes wrong: those prove nothing.
    told = [each.said["stopped"] for each in living if "stopped" in each.said and each.said["stopped"]["at"] >= since]
    killed = [each.ended_at - since for each in clients if "stopped" not in each.said and each.ended_at is not None]
    return client_lines(
        denied=[each["at"] - asked_at for each in told],
        steps=[max(0.0, each["last_step"] - acknowledged) for each in told],
        killed=killed,
        frozen=len(frozen),
        over=len(over),
    )


def client_lines(*, denied: list[float], steps: list[float], killed: list[float], frozen: int, over: int) -> list[Line]:
    """Say what became of the jobs with the real client; times in seconds."""
    if not denied or len(killed) < frozen:
        raise SystemExit(f"{len(denied)} jobs were told, and {len(killed)} of {frozen} frozen ones were killed")
    p99, last, ended = share(denied, 0.99), max(denied), max(killed, default=0.0)
    goal = f"< {TTL_S:g} s"
    return [
        Line("asked to denied, p50", f"{share(denied, 0.5):.3f} s", f"{len(denied)} clients"),
        Line("asked to denied, p99", f"{p99:.3f} s", "", "< 1 s", p99 < 1),
        Line("asked to denied, last", f"{last:.3f} s", "", goal, last < TTL_S),
        Line("acknowledged to the last step taken", f"{max(steps):.3f} s"),
        Line("killed by their watchdogs, last", f"{ended:.3f} s", f"{frozen} frozen", goal, ended < TTL_S),
        Line("killed that were not frozen", str(len(killed) - frozen)),
        Line("went on", str(over), "", "0", over == 0),
    ]
