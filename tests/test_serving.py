"""A model is served only while an answer that says so counts, whatever happens to the control plane."""

from __future__ import annotations

import asyncio
import io
import itertools
import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

import pytest

from consentry.errors import InputError
from consentry.training.serving import ServingGate, asgi, wsgi


class ControlPlane(BaseHTTPRequestHandler):
    answer: ClassVar[Any] = {}
    status: ClassVar[int] = 200
    asked: ClassVar[list[tuple[str, str | None]]] = []

    def do_GET(self) -> None:
        cls = type(self)
        cls.asked.append((self.path, self.headers["Authorization"]))
        body = cls.answer if isinstance(cls.answer, bytes) else json.dumps(cls.answer).encode()
        self.send_response(cls.status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


def says(may: bool, *reasons: str, ttl_s: float = 60.0, model: str = "drafts") -> dict[str, Any]:
    return {"model": model, "may": may, "reasons": list(reasons), "ttl_s": ttl_s}


@pytest.fixture
def server() -> Iterator[ThreadingHTTPServer]:
    ControlPlane.answer, ControlPlane.status, ControlPlane.asked = says(True), 200, []
    found = ThreadingHTTPServer(("127.0.0.1", 0), ControlPlane)
    thread = threading.Thread(target=found.serve_forever, args=(0.01,))
    thread.start()
    yield found
    found.shutdown()
    thread.join()
    found.server_close()


def gate_to(server: ThreadingHTTPServer, **more: Any) -> ServingGate:
    return ServingGate("drafts", url=f"http://127.0.0.1:{server.server_port}", token="secret", **more)


async def hello_asgi(_scope: Any, _receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"hello"})


def hello_wsgi(_environ: dict[str, Any], start_response: Any) -> list[bytes]:
    start_response("200 OK", [])
    return [b"hello"]


def call_asgi(gate: ServingGate, scope: dict[str, Any] | None = None) -> list[Any]:
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        return {"type": "websocket.connect"}

    async def send(message: Any) -> None:
        sent.append(message)

    asyncio.run(asgi(hello_asgi, gate)({"type": "http", "method": "GET", **(scope or {})}, receive, send))
    return sent


def call_wsgi(gate: ServingGate, method: str = "GET") -> tuple[str, dict[str, str], bytes]:
    found: list[Any] = []
    environ = {"REQUEST_METHOD": method, "wsgi.input": io.BytesIO()}
    body = b"".join(wsgi(hello_wsgi, gate)(environ, lambda status, headers: found.extend((status, dict(headers)))))
    return found[0], found[1], body


def test_a_model_that_may_is_served_and_one_that_may_not_is_answered_with_the_reason(
    server: ThreadingHTTPServer,
) -> None:
    with gate_to(server) as gate:
        assert call_asgi(gate)[1]["body"] == b"hello"
        assert call_wsgi(gate) == ("200 OK", {}, b"hello")
    assert ControlPlane.asked[0] == ("/v1/models/drafts/serving", "Bearer secret")
    ControlPlane.answer = says(False, "order c-1.1 (letter) suspends its use")
    with gate_to(server) as gate:
        start, end = call_asgi(gate)
        assert (start["status"], dict(start["headers"])[b"content-type"]) == (503, b"application/problem+json")
        problem = json.loads(end["body"])
        assert problem["code"] == "model-held"
        assert "order c-1.1 (letter) suspends its use" in problem["title"]
        status, headers, body = call_wsgi(gate)
        assert (status, json.loads(body)) == ("503 Service Unavailable", problem)
        assert headers["Content-Length"] == str(len(body))
        assert call_wsgi(gate, "HEAD")[2] == b""
        (closed,) = call_asgi(gate, {"type": "websocket"})
        assert (closed["type"], closed["code"]) == ("websocket.close", 1013)
        assert call_asgi(gate, {"type": "lifespan"})[0]["status"] == 200


@pytest.mark.parametrize("held", [True, False])
def test_a_websocket_that_is_open_is_closed_at_the_first_message_once_the_model_is_held(
    server: ThreadingHTTPServer, *, held: bool
) -> None:
    clock, sent, heard = [0.0], list[Any](), list[Any]()

    async def chat(_scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        while heard[-1:] != ["websocket.disconnect"]:
            message = await receive()
            heard.append(message["type"])
            await send({"type": "websocket.send", "text": f"answer to {message.get('text')}"})
        assert await receive() == message, "closed stays closed"

    async def come() -> dict[str, Any]:
        text = next(texts)
        if text == "two" and held:
            clock[0] += 86_400
        kinds = {None: "connect", "": "disconnect"}
        return {"type": f"websocket.{kinds.get(text, 'receive')}", "text": text}

    async def send(message: Any) -> None:
        sent.append(message)

    texts = iter([None, "one", "two", "", ""])
    with gate_to(server, clock=lambda: clock[0]) as gate:
        asyncio.run(asgi(chat, gate)({"type": "websocket"}, come, send))
    said = [each.get("text", each["type"]) for each in sent]
    if held:
        assert said == ["websocket.accept", "answer to one", "websocket.close"], "what is said to a closed one is lost"
        assert sent[-1]["code"] == 1013
        assert next(texts) == "", "of a closed one nothing is awaited"
    else:
        assert said == ["websocket.accept", "answer to one", "answer to two", "answer to "]


def test_who_waits_for_the_first_answer_stops_nobody_else() -> None:
    looked: list[float] = []

    async def others() -> None:
        while True:
            looked.append(time.monotonic())
            await asyncio.sleep(0.01)

    async def receive() -> dict[str, Any]:
        return {"type": "http.request"}

    async def send(message: Any) -> None:
        sent.append(message)

    async def both() -> float:
        beside, begun = asyncio.create_task(others()), time.monotonic()
        await asgi(hello_asgi, gate)({"type": "http", "method": "GET"}, receive, send)
        beside.cancel()
        return time.monotonic() - begun

    sent: list[Any] = []
    with socket.create_server(("127.0.0.1", 0)) as silent:  # it takes the question, and never answers
        gate = ServingGate("drafts", url=f"http://127.0.0.1:{silent.getsockname()[1]}", token="t", timeout_s=2.0)
        took = asyncio.run(both())
        gate.close()
    assert sent[0]["status"] == 503
    assert took > 1.5, "a control: it did wait"
    assert max(after - before for before, after in itertools.pairwise(looked)) < 1


def test_all_requests_of_the_first_moment_wait_for_the_first_answer(server: ThreadingHTTPServer) -> None:
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request"}

    async def send(message: Any) -> None:
        sent.append(message)

    async def all_at_once() -> None:
        app = asgi(hello_asgi, gate)
        await asyncio.gather(*(app({"type": "http", "method": "GET"}, receive, send) for _ in range(20)))

    gate = gate_to(server)
    asyncio.run(all_at_once())
    gate.close()
    assert [each["status"] for each in sent if "status" in each] == [200] * 20
    assert len(ControlPlane.asked) == 1


def test_an_order_arrives_within_the_time_to_live(server: ThreadingHTTPServer) -> None:
    ControlPlane.answer = says(True, ttl_s=1.0)
    with gate_to(server) as gate:
        assert gate.verdict().may
        ControlPlane.answer = says(False, "held", ttl_s=1.0)
        until = time.monotonic() + 1.0
        while gate.verdict().may and time.monotonic() < until:
            time.sleep(0.01)
        assert gate.verdict().reasons == ("held",)
        ControlPlane.answer = says(True, ttl_s=1.0)
        time.sleep(0.6)
        assert gate.verdict().may


@pytest.mark.parametrize(
    ("status", "answer"),
    [
        (200, b"no document"),
        (200, [1]),
        (200, says(True, model="another")),
        (200, says(True, ttl_s=0.5)),
        (200, says(True, ttl_s=1e9)),
        (200, {**says(True), "may": "yes"}),
        (200, {"model": "drafts", "may": True}),
        (500, says(True)),
        (401, {"title": "who are you"}),
    ],
)
def test_an_answer_that_nobody_understands_opens_nothing(server: ThreadingHTTPServer, status: int, answer: Any) -> None:
    ControlPlane.status, ControlPlane.answer = status, answer
    with gate_to(server) as gate:
        assert not gate.verdict().may


def test_without_answers_the_model_is_held_when_the_time_is_over(server: ThreadingHTTPServer) -> None:
    now = [100.0]
    with gate_to(server, clock=lambda: now[0]) as gate:
        ControlPlane.status = 500
        now[0] = 159.3
        assert gate.verdict().may
        now[0] = 159.4  # 1 % earlier than said
        assert gate.verdict().reasons == ("the control plane has not confirmed in time that it may be served",)


def test_a_model_that_nobody_knows_is_held(server: ThreadingHTTPServer) -> None:
    ControlPlane.status, ControlPlane.answer = 404, {"title": "no model `drafts`", "code": "model-unknown"}
    with gate_to(server) as gate:
        assert gate.verdict() == (False, ("no model `drafts`",))


def test_nobody_answers() -> None:
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        port = nobody.getsockname()[1]
    with ServingGate("drafts", url=f"http://127.0.0.1:{port}", token="") as gate:
        assert not gate.verdict().may
        assert call_wsgi(gate)[0].startswith("503")


def test_a_process_that_was_forked_asks_for_itself(server: ThreadingHTTPServer) -> None:
    program = (
        "import os, sys\n"
        "from consentry.training.serving import ServingGate\n"
        "gate = ServingGate('drafts', url=sys.argv[1], token='')\n"
        "assert gate.start(wait_s=5).verdict().may\n"
        "if os.fork() == 0:\n"
        "    assert gate.verdict().may and gate._thread.is_alive()\n"
        "    os._exit(7)\n"
        "sys.exit(os.waitstatus_to_exitcode(os.wait()[1]))\n"
    )
    url = f"http://127.0.0.1:{server.server_port}"
    done = subprocess.run([sys.executable, "-c", program, url], env={**os.environ}, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (7, b"")


@pytest.mark.parametrize("url", ["ftp://somewhere", "somewhere", "http://"])
def test_an_address_that_is_none(url: str) -> None:
    with pytest.raises(InputError) as caught:
        ServingGate("drafts", url=url)
    assert caught.value.code == "model-serving-url"
