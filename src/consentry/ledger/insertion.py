"""Rows that are inserted many to a statement.

A driver gives up Python's lock for each statement, and while others compute it waits for it afterwards: a hundred rows,
one a statement, wait a hundred times. A statement for every number of rows would be as many to prepare, so there are a
few, and a batch is made up of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from itertools import chain

from sqlalchemy import Table
from sqlalchemy.engine import Connection

_SIZES = (64, 8, 1)
"""Rows to a statement, the most first. With six columns the largest has 384 parameters; an old SQLite allows 999."""


def insert_rows(connection: Connection, table: Table, rows: Sequence[Sequence[object]]) -> None:
    """Insert rows in their order, each with a value for every column, as the driver takes it."""
    done = 0
    while done < len(rows):
        size = next(each for each in _SIZES if each <= len(rows) - done)
        values = tuple(chain.from_iterable(rows[done : done + size]))
        connection.exec_driver_sql(_statement(table, size, connection.dialect.paramstyle), values)
        done += size


@cache
def _statement(table: Table, size: int, style: str) -> str:
    place = "?" if style == "qmark" else "%s"
    row = f"({', '.join([place] * len(table.columns))})"
    columns = ", ".join(table.columns.keys())
    return f"INSERT INTO {table.name} ({columns}) VALUES {', '.join([row] * size)}"  # noqa: S608 - names of our own
