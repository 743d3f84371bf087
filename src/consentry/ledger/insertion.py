"""Rows of an append, inserted in few words.

A driver gives up Python's lock for each statement, and while others compute it waits for it afterwards: a hundred rows,
one a statement, wait a hundred times. SQLite takes many rows a statement. A statement for every number of rows would be
as many to prepare, so there are a few, and a batch is made up of them. PostgreSQL has a way of its own (`postgres`).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from itertools import chain
from typing import Protocol

from sqlalchemy import Table
from sqlalchemy.engine import Connection

Rows = Sequence[tuple[object, ...]]
"""Each with a value for every column of its table, as the driver takes it."""

_SIZES = (64, 8, 1)
"""Rows to a statement, the most first. With six columns the largest has 384 parameters; an old SQLite allows 999."""


class Insert(Protocol):
    """How a store inserts rows, at least one, in their order."""

    def __call__(self, connection: Connection, table: Table, *, rows: Rows) -> None:
        """Insert them."""
        ...


def insert_together(connection: Connection, table: Table, *, rows: Rows) -> None:
    """Insert many rows a statement."""
    done = 0
    while done < len(rows):
        size = next(each for each in _SIZES if each <= len(rows) - done)
        connection.exec_driver_sql(insertion(table, size), tuple(chain.from_iterable(rows[done : done + size])))
        done += size


@cache
def insertion(table: Table, size: int = 1, *, place: str = "?") -> str:
    """Return the statement that inserts so many rows, with `place` where a value belongs."""
    row = f"({', '.join([place] * len(table.columns))})"
    return f"INSERT INTO {columns(table)} VALUES {', '.join([row] * size)}"  # noqa: S608 - names of our own


def columns(table: Table) -> str:
    """Return a table with its columns, as statements name them."""
    return f"{table.name} ({', '.join(table.columns.keys())})"
