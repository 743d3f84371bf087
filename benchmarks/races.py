"""Objections, orders, seals, leases and amendments from 32 threads: does one contradict an earlier acknowledged event?

    ./run bench races [--seals 200] [--store sqlite] [--store postgres] [--seed 0] [--control] [--full]

The harness is that of the tests (`tests/end_to_end/race_of_orders.py`): three deployments of one home, where one
objection in nine reaches everything, so that every sealed release is amended, and leases are granted and renewed. The
oracle (`oracle_of_races.py`) knows the order of the ledger only. Seals are made in homes of 250, so that there is
always somebody left to refuse. `--full` seals 10,000 releases in each store; on a machine with many processors that can
be several campaigns side by side, whose seeds are apart (`--seed`). `--control` takes the head lock out, and has to
find contradictions.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from contextlib import ExitStack, nullcontext
from pathlib import Path

from parts.measuring import Line, show
from parts.stores import STORES, fresh_home, server_of
from rich.console import Console

from consentry.bootstrap import open_deployment

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
import end_to_end.race_of_orders as harness

LOG = Console(stderr=True)
EACH = 250
DEPLOYMENTS = 3


def campaign(store: str, *, seals: int, seed: int, control: bool, server: str | None) -> list[Line]:
    """Race in one home after another, each with the next seed, and count."""
    done: Counter[str] = Counter()
    refused: Counter[str] = Counter()
    began, wrong = time.monotonic(), 0
    while done["seals"] < seals:
        with fresh_home(server, quick=True) as folder, ExitStack() as stack:
            found = [open_deployment(folder / "home") for _ in range(DEPLOYMENTS)]
            for each in found:
                stack.callback(each.close)
            harness.prepare(folder, found[0])
            wanted = min(EACH, seals - done["seals"])
            with harness.without_the_head_lock() if control else nullcontext():
                race = harness.run(found, seals=wanted, seed=seed, broken=control)
                wrong += len(harness.contradictions(found[0], race))
        if not control and harness.unexpected(race):
            raise SystemExit(f"refused without a reason: {harness.unexpected(race)}")
        done, refused, seed = done + race.done + Counter(seals=race.seals), refused + race.refused, seed + 1
        LOG.print(f"{store}: {done['seals']:,} seals, {wrong} contradictions, {time.monotonic() - began:.0f} s")
    goal = "more than 0: the control" if control else "0"
    return [
        *(Line(f"{store}: {what}", f"{count:,}") for what, count in sorted(done.items())),
        Line(f"{store}: rightly refused or overtaken", f"{refused.total():,}", ", ".join(sorted(refused))),
        Line(f"{store}: contradictions", str(wrong), "", goal, (wrong > 0) is control),
    ]


def main() -> None:
    """Race."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seals", type=int, default=200)
    parser.add_argument("--store", action="append", choices=STORES)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--control", action="store_true")
    parser.add_argument("--full", action="store_true")
    given = parser.parse_args()
    lines: list[Line] = []
    for store in given.store or STORES:
        with server_of(store) as server:
            number = 10_000 if given.full else given.seals
            lines += campaign(store, seals=number, seed=given.seed, control=given.control, server=server)
    show("Races", lines)


if __name__ == "__main__":
    main()
