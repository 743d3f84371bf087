"""Requests that nobody honest sends: each is answered, none breaks the server, and nothing grows.

`./run bench hostile` sends twenty thousand and says what was answered.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from urllib.parse import urlsplit

import pytest

from consentry.service.bodies import PATIENCE_S
from service import hostile
from service.hostile import KEEP_BYTES, KEEP_FILES, Place

COUNT, MANY = 1_500, 20_000
WARM = 1_000


@pytest.fixture(scope="module")
def there() -> Iterator[Place]:
    with hostile.place() as found:
        yield found


@pytest.fixture(scope="module")
def waited(there: Place) -> Iterator[Future[dict[str, bytes]]]:
    """What takes its time is begun first, and looked at last."""
    with ThreadPoolExecutor(1) as thread:
        yield thread.submit(_wait, there)


@pytest.mark.usefixtures("waited")
@pytest.mark.parametrize("count", [COUNT, pytest.param(MANY, marks=pytest.mark.slow)])
def test_hostile_requests_break_nothing(there: Place, count: int) -> None:
    hostile.attack(there, WARM, seed=1)
    memory, files = there.held_bytes(), there.open_files()
    found = hostile.attack(there, count)
    assert not found.broken, found.broken
    assert sum(found.statuses.values()) == count
    refused = sum(number for status, number in found.statuses.items() if 400 <= status < 500)
    assert refused > count / 2, found.statuses
    assert there.held_bytes() - memory < KEEP_BYTES
    assert there.open_files() - files < KEEP_FILES
    assert there.process.ask("GET", "/healthz").status == 200


@pytest.mark.parametrize("count", [1_500, pytest.param(MANY, marks=pytest.mark.slow)])
def test_hostile_queries_break_nothing(there: Place, count: int) -> None:
    hostile.attack(there, WARM, seed=1, by_query=True)
    memory, files = there.held_bytes(), there.open_files()
    found = hostile.attack(there, count, by_query=True)
    assert not found.broken, found.broken
    assert sum(found.statuses.values()) == count
    assert found.statuses[200] > count / 10, "most lists make the best of it"
    assert there.held_bytes() - memory < KEEP_BYTES
    assert there.open_files() - files < KEEP_FILES
    assert there.process.ask("GET", "/healthz").status == 200


def test_queries_are_sent_to_every_page_that_is_read() -> None:
    found = {each.path for each in hostile.readable()}
    assert {"/me/items", "/console/objections", "/authority", "/v1/orders", "/transparency"} <= found
    assert len(found) > len(hostile.targets()) / 2


def test_slow_clients_hold_nothing_but_their_connections(there: Place) -> None:
    with hostile.slow_clients(there):
        began = time.monotonic()
        assert there.process.ask("GET", "/v1/leases").status == 200
        assert time.monotonic() - began < 5


def test_what_does_not_come_is_not_waited_for(waited: Future[dict[str, bytes]]) -> None:
    """Neither for a body, nor for a head, nor for the head of the next request of a connection."""
    answers = waited.result()
    assert answers["body"].split()[1] == b"408"
    assert (answers["head"], answers["nothing"]) == (b"", b"")
    assert answers["next"].count(b"HTTP/1.1") == 1


def _wait(there: Place) -> dict[str, bytes]:
    """Begin requests and do not end them, and return what came until the server closed."""
    head = b"POST /v1/choices HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    began = {
        "body": head + b"Content-Length: 9\r\n\r\n{",
        "head": head,
        "nothing": b"",
        "next": b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\nGET /",
    }
    parts = urlsplit(there.process.ask.url)
    with ExitStack() as opened:
        waiting = {}
        for name, content in began.items():
            address = (parts.hostname or "", parts.port or 0)
            waiting[name] = opened.enter_context(socket.create_connection(address, timeout=PATIENCE_S + 40))
            waiting[name].sendall(content)
        # More of the head is no reason to wait longer.
        time.sleep(PATIENCE_S / 2)
        waiting["head"].sendall(b"X-More: 1\r\n")
        waiting["next"].sendall(b"healthz")
        return {name: each.makefile("rb").read() for name, each in waiting.items()}


def test_the_campaign_notices_a_server_that_breaks() -> None:
    found = hostile.Found()
    found.note(500, "/v1/choices: json, NaN")
    assert found.broken
