"""Writes to a ledger for ever and says on standard output what was acknowledged. Made to be killed.

usage: crash_writer.py STORE ADDRESS SEED
"""

from __future__ import annotations

import json
import os
import random
import sys
import threading
from pathlib import Path

from consentry.ledger.postgres import open_postgres
from consentry.ledger.sql import SqlLedger
from consentry.ledger.sqlite import open_sqlite
from ledger.sayings import chose, person, sealed

THREADS = 3
STRIDE = 1_000_000


def acknowledge(**what: object) -> None:
    os.write(1, json.dumps(what).encode() + b"\n")  # one write: lines of different threads stay whole


def write(ledger: SqlLedger, *, first: int, rng: random.Random) -> None:
    number = first
    while True:
        size = rng.randint(1, 4)
        given = ledger.append([chose(number + offset) for offset in range(size)])
        acknowledge(said={position: person(number + offset) for offset, position in enumerate(given)})
        number += size
        if rng.random() < 0.2:
            with ledger.sealing() as session:
                position = session.append([sealed(f"r{number}", session.position)])[0]
            acknowledge(sealed=position)
        if rng.random() < 0.2:
            ledger.erase([person(number - 1)])
            acknowledge(erased=person(number - 1))


def main() -> None:
    store, address, seed = sys.argv[1:]
    ledger = (
        open_sqlite(Path(address), clock=lambda: 1_000)
        if store == "sqlite"
        else open_postgres(address, clock=lambda: 1_000, replica="none")
    )
    for thread in range(THREADS):
        options = {"first": thread * STRIDE, "rng": random.Random(f"{seed} {thread}")}
        threading.Thread(target=write, args=(ledger,), kwargs=options).start()


if __name__ == "__main__":
    main()
