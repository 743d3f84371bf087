"""The head of a ledger in PostgreSQL, asked for while the server is away: one wait, and no more."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread

import pytest

from consentry.errors import UnavailableError
from consentry.ledger.postgres import Look, _engine, insert
from consentry.ledger.sql import SqlLedger

ASKED_OFTEN = 20
"""After so many questions the head is asked for over a connection of its own."""


@contextmanager
def nobody_home() -> Iterator[tuple[str, list[int]]]:
    """Yield the URL of a server that hangs up, and who called."""
    calls: list[int] = []
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def hang_up() -> None:
            while True:
                try:
                    connection, (_, port) = listening.accept()
                except OSError:
                    return
                if listening.fileno() < 0:
                    return
                calls.append(port)
                connection.close()

        answering = Thread(target=hang_up, daemon=True)
        answering.start()
        port = listening.getsockname()[1]
        yield f"postgresql://postgres@127.0.0.1:{port}/none?sslmode=disable&gssencmode=disable", calls
        listening.shutdown(socket.SHUT_RDWR)
    answering.join(5)


def test_each_question_waits_for_a_server_that_is_away_once() -> None:
    with nobody_home() as (url, calls):
        engine = _engine(url, 5)
        look = Look(engine)
        ledger = SqlLedger(engine, clock=lambda: 0, insert_rows=insert, look=look, closing=look.close)
        for asked in range(1, ASKED_OFTEN + 1):
            with pytest.raises(UnavailableError, match="does not answer"):
                ledger.head()
            assert len(calls) == asked
        ledger.close()
