"""The folder of the tables: who writes one or removes one holds it, and whether any stands.

    tables/.lock            held while tables are written or removed

INVARIANT: who writes a table asks for orders with the folder held. So whoever looks after an order was given, and finds
no table, finds none of what it hits later either.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from consentry.durable import only_one

_LOCK = ".lock"


def tables_of(home: Path) -> Path:
    """Return the folder of the tables of a home; it need not be there."""
    return home / "tables"


@contextmanager
def holding(tables: Path) -> Iterator[None]:
    """Keep others from writing or removing tables."""
    tables.mkdir(parents=True, exist_ok=True)
    with only_one(tables / _LOCK):
        yield


def is_empty(tables: Path) -> bool:
    """Say whether there is no table, nor what is left of one. Who is writing one is waited for."""
    if not tables.exists():
        return True
    with holding(tables):
        return all(each.name == _LOCK for each in tables.iterdir())
