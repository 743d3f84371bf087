"""Thousands of requests that nobody honest sends: each is refused, none breaks the server, and nothing grows."""

from __future__ import annotations

import random
import resource
import socket
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from urllib.parse import urlsplit

import pytest

from api.conftest import Place

PATHS = ("/access/v1/evaluation", "/access/v1/evaluations", "/v1/choices", "/v1/leases", "/v1/models")
_GOOD = (
    b'{"subject": {"type": "person", "id": "us"}, "action": {"name": "train-ai"}, '
    b'"resource": {"type": "content", "id": "1"}}'
)
_COUNT, _MANY = 2_000, 20_000


def _bodies(chance: random.Random) -> Iterator[bytes]:
    """Yield bodies that are wrong, each in its own way, for ever."""
    while True:
        deep = chance.randrange(100, 10_000)
        at = chance.randrange(len(_GOOD))
        yield chance.choice(
            [
                b'{"choices": [], "choices": []}',
                b'{"choices": NaN}',
                b'{"ttl_s": Infinity, "release": "r", "job": "j", "model": "m", "nonce": "n"}',
                b'{"ttl_s": 1e999, "release": "r", "job": "j", "model": "m", "nonce": "n"}',
                b"[" * deep + b"]" * deep,
                b'{"a":' * deep + b"1" + b"}" * deep,
                b'{"subject": {"type": "person", "id": "\\ud800"}}',
                b'{"subject": {"type": "person", "id": "\\u0000"}}',
                b"\xff\xfe" + chance.randbytes(40),
                chance.randbytes(chance.randrange(1, 300)),
                _GOOD[:at],
                _GOOD[:at] + chance.randbytes(3) + _GOOD[at:],
                _GOOD[:at] + b"\xc0\x80" + _GOOD[at:],
                b'{"choices": [' + b'{"person": "x"},' * 500 + b"{}]}",
                b"1" * deep,
                b'"' + b"x" * 100_000 + b'"',
                b'{"model": "' + b"x" * 1_100_000 + b'"}',
                b"",
            ]
        )


def _send(place: Place, body: bytes, *, path: str, token: str) -> int:
    """Send one request over a connection of its own, and return the status; 0: the server closed without a word."""
    parts = urlsplit(place.ask.url)
    head = (
        f"POST {path} HTTP/1.1\r\nHost: {parts.netloc}\r\nAuthorization: Bearer {token}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    with socket.create_connection((parts.hostname or "", parts.port or 0), timeout=30) as connection:
        with suppress(OSError):  # It has answered before it read all.
            connection.sendall(head.encode() + body)
        try:
            line = connection.makefile("rb").readline()
        except ConnectionError:
            return 0
    return int(line.split()[1]) if line else 0


def _attack(place: Place, count: int) -> Counter[int]:
    chance, found = random.Random(7), Counter[int]()
    for number, body in zip(range(count), _bodies(chance), strict=False):
        found[_send(place, body, path=PATHS[number % len(PATHS)], token=place.ask.token)] += 1
    return found


def test_hostile_requests_are_refused(place: Place) -> None:
    _attack(place, 300)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    found = _attack(place, _COUNT)
    assert not [status for status in found if status >= 500 or 200 <= status < 300], found
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 40_000, "kilobytes"
    assert place.ask("GET", "/healthz").status == 200


@pytest.mark.slow
def test_a_campaign_of_hostile_requests(place: Place) -> None:
    _attack(place, 1_000)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    found = _attack(place, _MANY)
    assert not [status for status in found if status >= 500 or 200 <= status < 300], found
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 60_000, "kilobytes"


def test_slow_clients_hold_nothing_but_their_connections(place: Place) -> None:
    parts = urlsplit(place.ask.url)
    address = (parts.hostname or "", parts.port or 0)
    slow = [socket.create_connection(address, timeout=30) for _ in range(60)]
    try:
        for number, each in enumerate(slow):
            each.sendall(b"POST /v1/choices HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n")
            if number % 2:
                each.sendall(b"Content-Length: 1000\r\n\r\n{")
        began = time.monotonic()
        assert place.ask("GET", "/v1/leases").status == 200
        assert time.monotonic() - began < 5
    finally:
        for each in slow:
            each.close()


def test_a_body_that_does_not_come_is_not_waited_for(place: Place) -> None:
    parts = urlsplit(place.ask.url)
    with socket.create_connection((parts.hostname or "", parts.port or 0), timeout=40) as connection:
        connection.sendall(
            b"POST /v1/choices HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{"
        )
        assert connection.makefile("rb").readline().split()[1] == b"408"
