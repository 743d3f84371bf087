"""Serving a model only as long as the control plane says that it may be served.

    gate = ServingGate("drafts")
    app = asgi(app, gate)           # or wsgi(app, gate)

The gate asks in the background and holds the answer in memory for the time it came with; a request is answered from
memory, in a microsecond. A model that is held, by an order, because it was withdrawn, or because nothing was done about
it in time, is answered with 503 and the reason. No answer, or one that nobody understands, changes nothing: when the
time of the last one is over, the model is held. The time is counted on the boot clock, from before the question.

Requests that are being answered when the model comes to be held are finished. A websocket that is open is closed, with
1013, at the first message that comes then; the application hears that it was closed, and not the message.

Standard library only. The thread is started by the first request of each process, so servers may fork. The requests of
the first moment wait for the first answer, and stop nobody else: an ASGI application waits beside its event loop, that
of asyncio. On another one give the gate its start first: `with gate:`.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import random
import threading
from collections.abc import Awaitable, Callable, Coroutine, Iterable, MutableMapping
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Any, NamedTuple
from urllib.parse import quote, urlsplit

from consentry.errors import InputError
from consentry.training.boot_clock import boot_seconds

DEFAULT_URL = "http://127.0.0.1:8799"
TTL_LEAST_S, TTL_MOST_S = 1.0, 3600.0
_MARGIN, _MARGIN_LEAST_S = 0.01, 0.05
_AGAIN_S = 1.0
_TIMEOUT_S = 5.0
_MOST_BYTES = 1 << 20
_UNKNOWN = 404
_HELD = {"code": 1013, "reason": "the model is held"}
"""Why a websocket is closed; by the code, it may be tried again later."""
_log = logging.getLogger(__name__)

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
AsgiApp = Callable[[Any, Receive, Send], Coroutine[Any, Any, None]]
StartResponse = Callable[..., Any]
WsgiApp = Callable[[dict[str, Any], StartResponse], Iterable[bytes]]


class Verdict(NamedTuple):
    """Whether the model may be served, and if not, why."""

    may: bool
    reasons: tuple[str, ...] = ()


class _Held(NamedTuple):
    """An answer, and until when it counts."""

    verdict: Verdict
    until: float
    ttl_s: float


class ServingGate:
    """Asks whether one model may be served. Its methods may be called from any thread."""

    def __init__(
        self,
        model: str,
        *,
        url: str | None = None,
        token: str | None = None,
        clock: Callable[[], float] = boot_seconds,
        timeout_s: float = _TIMEOUT_S,
    ) -> None:
        """Prepare to ask; nothing is asked before `start` or the first request.

        Args:
            model: its name, as the control plane knows it.
            url: of the control plane; else CONSENTRY_URL, else this machine.
            token: of the workload; else CONSENTRY_TOKEN.
            clock: the boot clock.
            timeout_s: how long an answer is waited for.

        Raises:
            InputError: the address is none.
        """
        self.model = model
        address = urlsplit(url or os.environ.get("CONSENTRY_URL", DEFAULT_URL))
        if address.scheme not in ("http", "https") or not address.hostname:
            raise InputError(
                "model-serving-url",
                f"`{address.geturl()}` is no address of a control plane",
                help="give one that begins with http:// or https://, or set CONSENTRY_URL",
            )
        self._address = address
        self._token = os.environ.get("CONSENTRY_TOKEN", "") if token is None else token
        self._clock, self._timeout_s = clock, timeout_s
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._done = threading.Event()
        self._asked = threading.Event()
        self._held: _Held | None = None

    def start(self, *, wait_s: float = 0.0) -> ServingGate:
        """Begin to ask, and wait at most so long until the first question was answered, or failed."""
        with self._lock:
            if not self._done.is_set() and not self._is_alive():
                self._thread = threading.Thread(target=self._ask_on, name="consentry-serving", daemon=True)
                self._thread.start()
        self._asked.wait(wait_s)
        return self

    def close(self) -> None:
        """Ask no longer. What was answered last counts until its time is over."""
        self._done.set()

    def __enter__(self) -> ServingGate:
        return self.start(wait_s=self._timeout_s)

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def is_asking(self) -> bool:
        """Whether it asks by now, and has asked before, so that a verdict is given from memory."""
        return self._is_alive() and self._asked.is_set()

    def _is_alive(self) -> bool:
        return self._thread is not None and self._thread.is_alive()

    def verdict(self) -> Verdict:
        """Say whether the model may be served now, from memory; the first one waits for an answer."""
        if not self.is_asking:
            # The first requests of this process, or of one that was forked: give the answer a moment.
            self.start(wait_s=0.0 if self._held is not None else self._timeout_s)
        held = self._held
        if held is None:
            return Verdict(may=False, reasons=("the control plane has not said that it may be served",))
        if held.verdict.may and self._clock() >= held.until:
            return Verdict(may=False, reasons=("the control plane has not confirmed in time that it may be served",))
        return held.verdict

    def _ask_on(self) -> None:
        while not self._done.is_set():
            try:
                self._ask()
            except Exception as error:
                # Whatever it is: without an answer the model is held when the time is over.
                _log.warning("whether model `%s` may be served is not known: %s", self.model, type(error).__name__)
            self._asked.set()
            self._done.wait(self._pause())

    def _pause(self) -> float:
        held = self._held
        if held is None or not held.ttl_s:
            return _AGAIN_S
        if self._clock() >= held.until - held.ttl_s / 2:
            return min(_AGAIN_S, held.ttl_s / 6)
        return held.ttl_s / 3 * random.uniform(0.8, 1.0)  # noqa: S311 - so that not all hosts ask at once

    def _ask(self) -> None:
        asked_at = self._clock()
        status, body = self._request()
        if status == _UNKNOWN:
            self._held = _Held(Verdict(may=False, reasons=(str(body.get("title", "it is not known")),)), asked_at, 0.0)
            return
        may, reasons, ttl_s = body["may"], body["reasons"], body["ttl_s"]
        understood = status == 200 and body["model"] == self.model and isinstance(may, bool)
        counted = isinstance(ttl_s, int | float) and TTL_LEAST_S <= ttl_s <= TTL_MOST_S
        if not understood or not counted or not isinstance(reasons, list):
            raise ValueError("an answer to something else")
        until = asked_at + ttl_s - max(_MARGIN * ttl_s, _MARGIN_LEAST_S)
        self._held = _Held(Verdict(may, tuple(map(str, reasons))), until, float(ttl_s))

    def _request(self) -> tuple[int, dict[str, Any]]:
        kind = HTTPSConnection if self._address.scheme == "https" else HTTPConnection
        connection = kind(str(self._address.hostname), self._address.port, timeout=self._timeout_s)
        try:
            path = f"{self._address.path.rstrip('/')}/v1/models/{quote(self.model, safe='')}/serving"
            connection.request("GET", path, headers={"Authorization": f"Bearer {self._token}"})
            answer = connection.getresponse()
            body = json.loads(answer.read(_MOST_BYTES))
        except HTTPException as error:
            raise OSError("the answer was cut off") from error
        finally:
            connection.close()
        if not isinstance(body, dict):
            raise ValueError("an answer that is no document")
        return answer.status, body


def _problem(gate: ServingGate, verdict: Verdict) -> tuple[bytes, list[tuple[str, str]]]:
    body = json.dumps(
        {
            "type": "about:blank",
            "status": 503,
            "title": f"model `{gate.model}` is held: {'; '.join(verdict.reasons)}",
            "detail": f"ask again later; its operator sees why with: consentry model may-serve {gate.model}",
            "code": "model-held",
        }
    ).encode()
    headers = [
        ("Content-Type", "application/problem+json"),
        ("Content-Length", str(len(body))),
        ("Retry-After", "60"),
        ("Cache-Control", "no-store"),
    ]
    return body, headers


def asgi(app: AsgiApp, gate: ServingGate) -> AsgiApp:
    """Return an ASGI application that answers only while the model may be served."""

    async def gated(scope: Any, receive: Receive, send: Send) -> None:
        kind = scope["type"]
        if kind not in ("http", "websocket") or (verdict := await _verdict(gate)).may:
            await app(scope, *(_while_it_may(gate, receive, send) if kind == "websocket" else (receive, send)))
            return
        if kind == "websocket":
            await receive()
            await send({"type": "websocket.close", **_HELD})
            return
        body, headers = _problem(gate, verdict)
        raw = [(name.lower().encode(), value.encode()) for name, value in headers]
        await send({"type": "http.response.start", "status": 503, "headers": raw})
        await send({"type": "http.response.body", "body": b"" if scope.get("method") == "HEAD" else body})

    return gated


def _while_it_may(gate: ServingGate, receive: Receive, send: Send) -> tuple[Receive, Send]:
    """Return what a websocket hears and says until the first message that comes when the model is held."""
    closed = False

    async def hear() -> Message:
        nonlocal closed
        if not closed:
            message = await receive()
            if message["type"] != "websocket.receive" or (await _verdict(gate)).may:
                return message
            closed = True
            await send({"type": "websocket.close", **_HELD})
        return {"type": "websocket.disconnect", **_HELD}

    async def say(message: Message) -> None:
        if not closed:
            await send(message)

    return hear, say


async def _verdict(gate: ServingGate) -> Verdict:
    return gate.verdict() if gate.is_asking else await asyncio.to_thread(gate.verdict)


def wsgi(app: WsgiApp, gate: ServingGate) -> WsgiApp:
    """Return a WSGI application that answers only while the model may be served."""

    def gated(environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        verdict = gate.verdict()
        if verdict.may:
            return app(environ, start_response)
        body, headers = _problem(gate, verdict)
        start_response("503 Service Unavailable", headers)
        return [b"" if environ.get("REQUEST_METHOD") == "HEAD" else body]

    return gated
