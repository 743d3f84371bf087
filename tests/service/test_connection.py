"""What may be sent before a body: only so much, only so slowly, and nothing that two readers understand differently."""

from __future__ import annotations

import asyncio
import socket
import threading
import time

import pytest
from starlette.types import Receive, Scope, Send

from consentry.service import connection
from consentry.service.server import _config, _run, _Server
from service.conftest import Place

HEAD = b"GET /healthz HTTP/1.1\r\nHost: here\r\n"


def opened(place: Place) -> socket.socket:
    host, port = place.ask.url.removeprefix("http://").split(":")
    return socket.create_connection((host, int(port)), timeout=20)


def answered(sent: socket.socket) -> bytes:
    """Return all that comes until the other end hangs up."""
    found = b""
    try:
        while part := sent.recv(1 << 16):
            found += part
    except ConnectionResetError:
        pass
    return found


def test_a_head_without_an_end_is_refused(place: Place) -> None:
    with opened(place) as sent:
        sent.sendall(HEAD)
        try:
            for _ in range(4 * connection.LARGEST_HEAD // 1000):
                sent.sendall(b"x-more: " + b"a" * 990 + b"\r\n")
        except OSError:
            pass
        assert answered(sent)[:12] in {b"HTTP/1.1 400", b""}
    assert place.ask("GET", "/healthz").status == 200


def test_a_head_just_small_enough_is_read(place: Place) -> None:
    with opened(place) as sent:
        more = b"x-more: " + b"a" * (connection.LARGEST_HEAD - 200) + b"\r\n"
        sent.sendall(HEAD + more + b"Connection: close\r\n\r\n")
        assert answered(sent).startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize("first", [b"", HEAD, b"G"])
def test_who_sends_no_head_is_not_waited_for(place: Place, monkeypatch: pytest.MonkeyPatch, first: bytes) -> None:
    monkeypatch.setattr(connection, "PATIENCE_S", 0.3)
    with opened(place) as sent:
        sent.sendall(first)
        began = time.monotonic()
        assert answered(sent) == b""
        assert 0.1 < time.monotonic() - began < 10


def test_byte_by_byte_does_not_help(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "PATIENCE_S", 0.3)
    with opened(place) as sent:
        began = time.monotonic()
        sent.sendall(HEAD)
        try:
            while time.monotonic() - began < 10:
                sent.sendall(b"x")
                time.sleep(0.05)
        except OSError:
            pass
        assert 0.1 < time.monotonic() - began < 8


def test_a_second_request_has_the_same_bounds(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "PATIENCE_S", 0.3)
    with opened(place) as sent:
        sent.sendall(HEAD + b"\r\n")
        assert sent.recv(1 << 16).startswith(b"HTTP/1.1 200")
        sent.sendall(HEAD)
        assert answered(sent)[:12] != b"HTTP/1.1 200"


def test_requests_sent_at_once_are_answered_in_turn(place: Place) -> None:
    with opened(place) as sent:
        sent.sendall((HEAD + b"\r\n") * 20 + HEAD + b"Connection: close\r\n\r\n")
        assert answered(sent).count(b"HTTP/1.1 200") == 21


REFUSED = (
    b"POST /sign-out HTTP/1.1\r\nHost: here\r\nSec-Fetch-Site: cross-site\r\n"
    b"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: %d\r\n\r\n"
)


def test_who_was_refused_while_sending_reads_why_and_may_go_on(place: Place) -> None:
    with opened(place) as sent:
        sent.sendall(REFUSED % 300_000)
        answer = sent.recv(1 << 16)
        assert answer.startswith(b"HTTP/1.1 403")
        sent.sendall(b"a" * 300_000)
        sent.sendall(HEAD + b"Connection: close\r\n\r\n")
        assert b"HTTP/1.1 200" in answered(sent)


def test_what_was_refused_is_read_for_a_moment_only(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "LINGER_S", 0.3)
    with opened(place) as sent:
        sent.sendall(REFUSED % 300_000)
        began = time.monotonic()
        assert answered(sent).startswith(b"HTTP/1.1 403")
        assert time.monotonic() - began < 10


def test_what_was_refused_is_read_up_to_a_size_only(place: Place) -> None:
    with opened(place) as sent:
        sent.sendall(REFUSED % 900_000_000)
        passed = 0
        try:
            while passed < 900_000_000:
                passed += sent.send(b"a" * (1 << 16))
        except OSError:
            pass
        assert passed < 10 * connection.LARGEST_REST


CHUNKED = (
    b"POST /v1/choices HTTP/1.1\r\nHost: here\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"2\r\n{}\r\n"
)


@pytest.mark.parametrize("more", [b"x: " + b"a" * 1000 + b"\r\n", b"a" * 1000, b"1;" + b"b" * 1000 + b"\r\na\r\n"])
@pytest.mark.parametrize("begins", [b"0\r\n", b"0\r\nx: ", b""])
def test_what_follows_a_body_in_chunks_has_an_end(place: Place, begins: bytes, more: bytes) -> None:
    with opened(place) as sent:
        sent.sendall(CHUNKED + begins)
        passed = 0
        try:
            while passed < 20 * connection.LARGEST_REST:
                passed += sent.send(more * 64)
        except OSError:
            pass
        assert passed < 10 * connection.LARGEST_REST
    assert place.ask("GET", "/healthz").status == 200


def test_a_body_that_comes_late_after_an_answer_before_it_is_read(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "LINGER_S", 0.2)
    asked = CHUNKED.partition(b"Transfer")[0] + b"Content-Length: 4\r\n\r\n"
    with opened(place) as sent:
        sent.sendall(HEAD + b"\r\n" + asked + b"{ ")
        time.sleep(0.8)
        sent.sendall(b" }" + HEAD + b"Connection: close\r\n\r\n")
        found = answered(sent)
        assert found.count(b"HTTP/1.1 200") == 2
        assert found.count(b"HTTP/1.1 401") == 1


@pytest.mark.parametrize(
    "head",
    [
        b"POST /healthz HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST /healthz HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
        b"GET /healthz HTTP/1.1\r\nHost: h\r\nX: a\nY: b\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost : h\r\n\r\n",
        b"GET /\xff\xfe HTTP/1.1\r\nHost: h\r\n\r\n",
        b"CONNECT a:1 HTTP/1.1\r\nHost: h\r\n\r\n",
        b"GET /healthz HTTP/9.9\r\nHost: h\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    ],
)
def test_what_readers_disagree_about_is_no_request(place: Place, head: bytes) -> None:
    with opened(place) as sent:
        sent.sendall(head)
        assert answered(sent).startswith(b"HTTP/1.1 400")
    assert place.ask("GET", "/healthz").status == 200


def test_an_answer_comes_in_one_piece(place: Place) -> None:
    with opened(place) as sent:
        for _ in range(200):
            sent.sendall(HEAD + b"\r\n")
            head, _, body = sent.recv(1 << 16).partition(b"\r\n\r\n")
            length = int(head.partition(b"content-length: ")[2].partition(b"\r\n")[0])
            assert len(body) == length > 0


def test_the_head_of_what_is_streamed_is_not_held_back() -> None:
    going_on = threading.Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            for step in ("startup", "shutdown"):
                await receive()
                await send({"type": f"lifespan.{step}.complete"})
            return
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await asyncio.to_thread(going_on.wait, 20)
        for number in range(3):
            await send({"type": "http.response.body", "body": b"part %d" % number, "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    class Nobody:
        def stop(self) -> None:
            return None

    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = _Server(_config(app), Nobody())
        running = threading.Thread(target=_run, args=(server, listener))
        running.start()
        try:
            with socket.create_connection(listener.getsockname(), timeout=10) as sent:
                sent.sendall(HEAD + b"Connection: close\r\n\r\n")
                head = sent.recv(1 << 16)
                assert head.startswith(b"HTTP/1.1 200")
                assert head.endswith(b"\r\n\r\n"), "what follows was not there yet"
                going_on.set()
                rest = answered(sent)
            assert rest == b"6\r\npart 0\r\n6\r\npart 1\r\n6\r\npart 2\r\n0\r\n\r\n"
        finally:
            going_on.set()
            server.leave()
            running.join()
