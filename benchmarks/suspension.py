"""From an order to the last job that has stopped: 200 holders of leases, and trials in which something goes wrong.

    ./run bench suspension [--holders 200] [--rounds 3] [--items 30000] [--trials 200] [--clients 20] [--real 36]
                           [--people 1000000]
    ./run bench suspension --scale 0.2 [--data DIR] [--home DIR]

The server is `consentry serve` in a process of its own, the orders come from another, the holders from a third. All
times are of the boot clock, which they share. Every other order names a window of dates: whether such an order hits a
release no count tells, so the server looks at every row. With `--scale` the items are those of `./run bench corpus`, 50
million at 1, and only this part runs.

Their clock starts in a process that is open already, once it knows the newest event. An operator waits for more: the
command `consentry suspend` is measured as well, from the start of its process on, with 20 holders. It opens the ledger
alone: so it is measured once more in a ledger in which many people made a choice (`--people`), beside the same command
where nobody did, and beside `consentry case list`, which opens all of the deployment. They take turns.

The second part runs trials at a time to live of 1 s. In each, a job loses its right to read, and how is mixed: an
order; an order that no watch tells of, while answers are lost, late and replayed; the server killed, or stopped so that
it takes connections and answers nothing; an order and either of that; no answer arriving any more; the holder frozen
past its deadline and continued; an order while the holder stands still for less than that; an order after the server's
wall clock was set a day forward or back. No job may take a step later than its time to live afterwards. `--control` is
the same with holders that forget their deadlines, and has to fail. `--full` runs 1,000 trials.

The holders of both are simulated, many in a process. The third part has jobs with the client that trainers use, each in
a process of its own with its watchdog beside it. A tenth of them are frozen before the order: their watchdogs have to
kill them by the end of their time to live. The fourth part has such jobs at a time to live of 1 s, and what fails is on
their side as well; `parts/real_trials.py` says what. There the control are jobs without a watchdog that go on.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from parts.deployment import CORPUS, POLICY_NAME, prepare
from parts.holder import clock
from parts.jobs import Client
from parts.measuring import Line, share, show
from parts.real_trials import real_trials
from parts.server import Server
from rich.console import Console

from consentry.bootstrap import open_deployment
from consentry.ledger.events import ChoiceMade, Source
from consentry.ledger.oversight_events import Origin
from consentry.oversight.order import Scope
from consentry.policy.choice import Choice
from consentry.policy.library import shipped
from consentry.policy.vocabulary import ChoiceState, Purpose
from corpus import DATA, Shape, ensure

LOG = Console(stderr=True)
POLICY = "september-2024"
HOLDER = Path(__file__).parent / "parts" / "holder.py"
AREAS = ("IN", "US", "BR", "CA", "AU", "JP", "MX", "PH", "ID", "NG")
COMMAND_AREAS, COMMAND_HOLDERS = AREAS[6:9], 20
WINDOW = {"created_from": 1_577_836_800, "created_before": 1_609_459_200}  # 2020
TOGETHER = 5_000
"""Choices that are recorded in one append."""
TTL_S = 1.0
BATCH = 20
CLIENTS_TTL_S, CLIENTS_TOGETHER, CLIENTS_START_S = 10.0, 4, 120.0
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
_TOLD = ("order", "lossy", "wall clock set")
"""Their time to live counts from when the order was acknowledged: nobody but the server can extend a lease by then."""


class Orders:
    """A process that suspends when it is told to."""

    def __init__(self, home: Path) -> None:
        line = [sys.executable, __file__, "--orders", str(home)]
        self._process = subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)  # noqa: S603
        self._line()

    def _line(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline()

    def give(self, **scope: Any) -> None:
        """Ask for an order; do not wait."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(scope) + "\n")
        self._process.stdin.flush()

    def given(self) -> tuple[float, float]:
        """Return when it was asked for, and when it was acknowledged."""
        asked, acknowledged = json.loads(self._line())
        return asked, acknowledged

    def close(self) -> None:
        """Ask for no more."""
        self._process.communicate()


def give_orders(home: Path) -> None:
    """Be the process that suspends."""
    deployment = open_deployment(home)
    deployment.control.desk.present()
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    for line in sys.stdin:
        given: dict[str, Any] = json.loads(line)
        named: dict[str, Any] = {
            name: frozenset(each) if isinstance(each, list) else each for name, each in given.items()
        }
        scope = Scope(**named)
        deployment.control.desk.present()
        asked = clock()
        deployment.control.orders.suspend(scope, case="measured", origin=Origin.OWN_DECISION, reference="a benchmark")
        sys.stdout.write(json.dumps([asked, clock()]) + "\n")
        sys.stdout.flush()
    deployment.close()


class Holders:
    """A process with holders that have begun."""

    def __init__(self, **ask: Any) -> None:
        ask = {"deadlines": True, "lossy": False, "watching": True, "step_s": 0.02, "seed": 7, "together": 2, **ask}
        line = [sys.executable, str(HOLDER), json.dumps(ask)]
        self.process = subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)  # noqa: S603
        assert self.process.stdout is not None
        if self.process.stdout.readline().strip() != "ready":
            raise SystemExit("the holders got no leases")

    def say(self, word: str) -> None:
        """Tell all of them something."""
        assert self.process.stdin is not None
        self.process.stdin.write(word + "\n")
        self.process.stdin.flush()

    def finish(self) -> list[dict[str, Any]]:
        """Return what became of them."""
        self.say("finish")
        assert self.process.stdout is not None
        found: list[dict[str, Any]] = json.loads(self.process.stdout.readline())
        self.process.wait()
        return found


class Deployed(NamedTuple):
    """A deployment under test, with one corpus and one policy set."""

    home: Path
    corpus: str
    policy: str

    def build(self) -> str:
        """Build a release as of now."""
        deployment = open_deployment(self.home, embedded=True)
        built = deployment.control.releases.build(self.corpus, Purpose.TRAIN_GENAI, policy=self.policy).manifest
        deployment.close()
        if not built.eligible:
            raise SystemExit("nothing is eligible")
        return built.release


@contextmanager
def small(items: int) -> Iterator[Deployed]:
    """Yield a deployment with a synthetic network."""
    with tempfile.TemporaryDirectory() as name:
        home = Path(name, "home")
        LOG.print(f"making a network of {items:,} items ...")
        deployment = open_deployment(home, embedded=True)
        deployment.generate_network(home / "content", people=max(2, items // 10), items=items, seed=7)
        deployment.control.statements.register_corpus(home / "content" / "corpus.toml")
        deployment.control.statements.load_people(home / "content" / "people.toml")
        deployment.control.statements.publish(shipped()[POLICY], POLICY)
        deployment.close()
        yield Deployed(home, "synthetic-network", POLICY)


@contextmanager
def large(scale: float, data: Path, where: Path | None) -> Iterator[Deployed]:
    """Yield a deployment with the corpus of `./run bench corpus`, people and choices included."""
    shape = Shape().scaled(scale)
    LOG.print(f"making a deployment of {shape.items:,} items ...")
    folder = ensure(data, shape)
    with tempfile.TemporaryDirectory(dir=where, prefix="suspension-") as name:
        home = prepare(folder, threads=2, log=LOG, home=Path(name, "home"))
        deployment = open_deployment(home, embedded=True)
        deployment.control.statements.register_corpus(folder / "corpus.toml")
        deployment.close()
        yield Deployed(home, CORPUS, POLICY_NAME)


def rounds(deployed: Deployed, *, holders: int, times: int, patience_s: float) -> list[Line]:
    """Measure how long it takes until every holder denies; wait for the last of them for `patience_s`."""
    home, release = deployed.home, deployed.build()
    server, orders = Server(home), Orders(home)
    server.start()
    # What the first who asks a server has to wait for is no matter of suspensions.
    Holders(**server.ask, release=release, model="drafts", ttl_s=600, holders=1).finish()
    denied: dict[str, list[float]] = {"whole": [], "dated": []}
    after: list[float] = []
    recorded: list[float] = []
    for number in range(times):
        held = Holders(
            **server.ask, release=release, model="drafts", ttl_s=60, holders=holders, step_s=0.1, together=20
        )
        time.sleep(2)
        orders.give(areas=[AREAS[number % len(AREAS)]], **(WINDOW if number % 2 else {}))
        asked, acknowledged = orders.given()
        time.sleep(patience_s)
        found = held.finish()
        # By the watch, or by a renewal that was refused.
        if others := [each for each in found if each["over"] not in ("revoked", "lease-revoked")]:
            raise SystemExit(f"not all were told: {others[:3]}")
        recorded.append(acknowledged - asked)
        denied["dated" if number % 2 else "whole"] += [each["over_at"] - asked for each in found]
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
        Line("asked to `drained` in the ledger", f"{max(drained):.3f} s", f"largest of {len(drained)}"),
    ]


def by_command(deployed: Deployed, *, holders: int, patience_s: float) -> list[Line]:
    """Measure the whole command, as an operator gives it: from the start of its process on, opening included."""
    release, server = deployed.build(), Server(deployed.home)
    server.start()
    Holders(**server.ask, release=release, model="drafts", ttl_s=600, holders=1).finish()
    denied: list[float] = []
    ended: list[float] = []
    worked: list[float] = []
    for area in COMMAND_AREAS:
        held = Holders(
            **server.ask, release=release, model="drafts", ttl_s=60, holders=holders, step_s=0.1, together=20
        )
        time.sleep(2)
        words = ["suspend", "--case", "by-command", "--area", area, "--reference", "a benchmark"]
        line = [sys.executable, "-m", "consentry", "--home", str(deployed.home), *words]
        asked, before = clock(), _processor_s()
        subprocess.run(line, check=True, stdout=subprocess.DEVNULL)  # noqa: S603 - ours
        ended.append(clock() - asked)
        worked.append(_processor_s() - before)
        time.sleep(patience_s)
        found = held.finish()
        if others := [each for each in found if each["over"] not in ("revoked", "lease-revoked")]:
            raise SystemExit(f"not all were told: {others[:3]}")
        denied += [each["over_at"] - asked for each in found]
        release = deployed.build()
    server.kill(signal.SIGTERM)
    return [
        Line("the command `consentry suspend`, until it ends", f"{max(ended):.3f} s", f"largest of {len(ended)}"),
        Line("its processor time", f"{max(worked):.3f} s", f"largest of {len(worked)}"),
        Line("its start to denied, last", f"{max(denied):.3f} s", f"{len(denied)} holders"),
    ]


def beside_people(people: int, *, times: int) -> list[Line]:
    """Measure the command where many people made a choice, where nobody did, and a command that opens everything."""
    with tempfile.TemporaryDirectory() as name:
        many, few = Path(name, "many"), Path(name, "few")
        LOG.print(f"recording a choice of {people:,} people ...")
        for home, count in ((many, people), (few, 0)):
            _record(home, count)
        said = f"{people:,} people"
        words = ["suspend", "--case", "measured", "--area", COMMAND_AREAS[0], "--reference", "a benchmark"]
        asked = {
            "where nobody chose": (few, words),
            said: (many, words),
            "listing": (many, ["order", "list"]),
            "everything": (many, ["case", "list"]),
        }
        took: dict[str, list[float]] = {what: [] for what in asked}
        for turn in range(1 + times):
            for what, (home, given) in asked.items():
                line = [sys.executable, "-m", "consentry", "--home", str(home), *given]
                began = clock()
                subprocess.run(line, check=True, stdout=subprocess.DEVNULL)  # noqa: S603 - ours
                if turn:  # The first writes byte code down.
                    took[what].append(clock() - began)
    most = {what: max(each) for what, each in took.items()}
    here = statistics.median(took[said])
    more, less = (statistics.median(took[what]) / here for what in ("everything", "where nobody chose"))
    return [
        Line("`consentry suspend`, nobody chose", f"{most['where nobody chose']:.3f} s", f"largest of {times}"),
        Line(
            f"`consentry suspend`, {said} chose",
            f"{most[said]:.3f} s",
            f"{1 / less:.2f} of that",
            "< 1.5",
            less > 1 / 1.5,
        ),
        Line("`consentry order list` there", f"{most['listing']:.3f} s"),
        Line("`consentry case list` there, which opens everything", f"{most['everything']:.3f} s", f"{more:.1f} times"),
    ]


def _record(home: Path, people: int) -> None:
    """Make a deployment in which so many people made a choice, with what it keeps so that it opens quickly."""
    deployment = open_deployment(home, embedded=True)
    deployment.control.statements.publish(shipped()[POLICY], POLICY)
    choice = Choice(purpose=Purpose.TRAIN_AI, state=ChoiceState.REFUSED, at=WINDOW["created_from"])
    for first in range(0, people, TOGETHER):
        some = range(first, min(first + TOGETHER, people))
        deployment.ledger.append(
            [ChoiceMade(person=deployment.person(str(each)), choice=choice, source=Source.FORM) for each in some]
        )
    deployment.control.desk.present()
    deployment.close()


def _processor_s() -> float:
    """Return the processor time of the processes that were waited for."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


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


def trials(deployed: Deployed, *, number: int, deadlines: bool) -> list[Line]:
    """Run trials and say how late the last step of each was."""
    home, release = deployed.home, deployed.build()
    server, orders = Server(home, jumping=True), Orders(home)
    late: dict[str, list[float]] = {mode: [] for mode in MODES}
    troubles: dict[str, int] = {"lost": 0, "late": 0, "replayed": 0}
    done = batch = 0
    while done < number:
        mode = MODES[batch % len(MODES)]
        server.start()
        all_, living, since = trial(server, orders, mode, release, batch=batch, deadlines=deadlines)
        # On a machine with too much to do some lose their lease before anything goes wrong: those prove nothing.
        found = [each for each in all_ if each["over_at"] >= living and each["last_step"] is not None]
        late[mode] += [each["last_step"] - since for each in found]
        troubles = {key: count + sum(each[key] for each in found) for key, count in troubles.items()}
        done, batch = done + len(found), batch + 1
        LOG.print(f"{done} trials: {mode}, last step after {max(late[mode], default=0):.3f} s")
    orders.close()
    server.kill(signal.SIGTERM)
    over = sum(each > TTL_S for values in late.values() for each in values)
    lines = [
        Line(f"last step after: {mode}", f"{max(values):.3f} s", f"{len(values)} jobs, p50 {share(values, 0.5):.3f} s")
        for mode, values in late.items()
        if values
    ]
    lines.append(Line("answers lost, late, replayed", ", ".join(str(count) for count in troubles.values())))
    goal = "0" if deadlines else "more than 0: the control"
    lines.append(
        Line("last step later than the time to live", str(over), f"{done} trials", goal, (over == 0) is deadlines)
    )
    return lines


def trial(
    server: Server, orders: Orders, mode: str, release: str, *, batch: int, deadlines: bool
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
        holders=BATCH,
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
        orders.give(models=[model])
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


def real_clients(deployed: Deployed, *, number: int) -> list[Line]:
    """Measure how long it takes until the last job with the real client has stopped, or was killed."""
    home, release = deployed.home, deployed.build()
    server, orders, column = Server(home), Orders(home), text_column(deployed)
    server.start()
    asked = {"release": release, "model": "clients", "ttl_s": CLIENTS_TTL_S, "step_s": 0.1, "column": column}
    clients: list[Client] = []
    with tempfile.TemporaryDirectory() as folder:
        for start in range(0, number, CLIENTS_TOGETHER):
            some = range(start, min(start + CLIENTS_TOGETHER, number))
            begun = [Client(server.ask, **asked, job=f"client-{each}", folder=folder) for each in some]
            clients += [each for each in begun if each.began(CLIENTS_START_S)]
        LOG.print(f"{len(clients)} of {number} clients are at work")
        frozen, living = clients[: number // 10], clients[number // 10 :]
        for each in frozen:
            each.freeze()
        since = clock()
        orders.give(areas=[AREAS[-1]])
        asked_at, acknowledged = orders.given()
        over = [each for each in clients if not each.ended(asked_at + 3 * CLIENTS_TTL_S - clock())]
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
    goal = f"< {CLIENTS_TTL_S:g} s"
    return [
        Line("asked to denied, p50", f"{share(denied, 0.5):.3f} s", f"{len(denied)} clients"),
        Line("asked to denied, p99", f"{p99:.3f} s", "", "< 1 s", p99 < 1),
        Line("asked to denied, last", f"{last:.3f} s", "", goal, last < CLIENTS_TTL_S),
        Line("acknowledged to the last step taken", f"{max(steps):.3f} s"),
        Line("killed by their watchdogs, last", f"{ended:.3f} s", f"{frozen} frozen", goal, ended < CLIENTS_TTL_S),
        Line("killed that were not frozen", str(len(killed) - frozen)),
        Line("went on", str(over), "", "0", over == 0),
    ]


def text_column(deployed: Deployed) -> str:
    """Return the column of texts of the corpus."""
    deployment = open_deployment(deployed.home, embedded=True)
    column = deployment.control.desk.corpus(deployed.corpus).descriptor.columns["text"]
    deployment.close()
    return column


def fail(deployed: Deployed, *, number: int, control: bool) -> list[Line]:
    """Run trials of jobs with the real client at a time to live of 1 s."""
    release, column = deployed.build(), text_column(deployed)
    server, orders = Server(deployed.home), Orders(deployed.home)

    def order(model: str) -> float:
        orders.give(models=[model])
        return orders.given()[1]

    lines = real_trials(server, order, release=release, column=column, number=number, control=control)
    orders.close()
    server.kill(signal.SIGTERM)
    return lines


def measure_all(given: argparse.Namespace, deployed: Deployed) -> None:
    """Measure what is asked for, on a small deployment."""
    if given.rounds:
        show("Suspension", rounds(deployed, holders=given.holders, times=given.rounds, patience_s=3))
        show("Suspension, by the whole command", by_command(deployed, holders=COMMAND_HOLDERS, patience_s=3))
    if given.people:
        show(f"The command beside {given.people:,} people", beside_people(given.people, times=5))
    number = 1_000 if given.full else given.trials
    if number:
        title = f"Trials at a time to live of {TTL_S:g} s"
        show(title, trials(deployed, number=number, deadlines=not given.control))
    if given.clients:
        title = f"Jobs with the real client, at a time to live of {CLIENTS_TTL_S:g} s"
        show(title, real_clients(deployed, number=given.clients))
    if given.real:
        title = f"Jobs with the real client that fail, at a time to live of {TTL_S:g} s"
        show(title, fail(deployed, number=given.real, control=given.control))


def main() -> None:
    """Measure."""
    if sys.argv[1:2] == ["--orders"]:
        give_orders(Path(sys.argv[2]))
        return
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--holders", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--items", type=int, default=30_000)
    parser.add_argument("--trials", type=int, default=200)
    parser.add_argument("--clients", type=int, default=20)
    parser.add_argument("--real", type=int, default=36)
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
            show(title, rounds(deployed, holders=given.holders, times=given.rounds, patience_s=15))
        return
    with small(given.items) as deployed:
        measure_all(given, deployed)


if __name__ == "__main__":
    main()
