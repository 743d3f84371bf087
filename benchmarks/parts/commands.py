"""Suspending as an operator does it: by a command, from the start of its process on."""

from __future__ import annotations

import resource
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console

from consentry.bootstrap import open_deployment
from consentry.ledger.events import ChoiceMade, Source
from consentry.policy.choice import Choice
from consentry.policy.library import shipped
from consentry.policy.vocabulary import ChoiceState, Purpose
from parts.deployed import POLICY, Deployed
from parts.holder import clock
from parts.holders import Holders
from parts.measuring import Line, share
from parts.server import Server

LOG = Console(stderr=True)
AREAS, HOLDERS = ("MX", "PH", "ID"), 20
WINDOW = ["--created-from", "2020-01-01", "--created-before", "2021-01-01"]
TOGETHER = 5_000
"""Choices that are recorded in one append."""
_CHOSEN_AT = 1_577_836_800


def by_command(
    deployed: Deployed, *, times: int, patience_s: float, holders: int = HOLDERS, dated: bool = False
) -> list[Line]:
    """Measure the whole command, as an operator gives it: from the start of its process on, opening included.

    `dated`: the order names a window of dates as well, so the server looks at every row.
    """
    release, server = deployed.build(), Server(deployed.home)
    server.start()
    Holders(**server.ask, release=release, model="drafts", ttl_s=600, holders=1).finish()
    denied: list[float] = []
    ended: list[float] = []
    worked: list[float] = []
    for area in AREAS[:times]:
        held = Holders(
            **server.ask, release=release, model="drafts", ttl_s=60, holders=holders, step_s=0.1, together=20
        )
        time.sleep(2)
        words = ["suspend", "--case", "by-command", "--area", area, "--reference", "a benchmark"]
        words += WINDOW if dated else []
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
        Line("its start to denied, p99", f"{share(denied, 0.99):.3f} s", f"{len(denied)} holders"),
        Line("its start to denied, last", f"{max(denied):.3f} s"),
    ]


def beside_people(people: int, *, times: int) -> list[Line]:
    """Measure the command where many people made a choice, where nobody did, and a command that opens everything."""
    with tempfile.TemporaryDirectory() as name:
        many, few = Path(name, "many"), Path(name, "few")
        LOG.print(f"recording a choice of {people:,} people ...")
        for home, count in ((many, people), (few, 0)):
            _record(home, count)
        said = f"{people:,} people"
        words = ["suspend", "--case", "measured", "--area", AREAS[0], "--reference", "a benchmark"]
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
    choice = Choice(purpose=Purpose.TRAIN_AI, state=ChoiceState.REFUSED, at=_CHOSEN_AT)
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
