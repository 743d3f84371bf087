"""Requests to the control plane: plain HTTP and JSON, by the standard library, each with its own connection.

Nothing is retried and no redirect is followed here: who asks knows whether asking again is right. A secret goes into a
header and nowhere else.
"""

from __future__ import annotations

import http.client
import json
import socket
import threading
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import SplitResult, urlsplit

from consentry.errors import InputError, UnavailableError

_MOST_BYTES = 1 << 28


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the control plane answered."""

    status: int
    content: bytes

    @property
    def ok(self) -> bool:
        """Whether it did what it was asked."""
        return 200 <= self.status < 300

    def json(self) -> dict[str, Any]:
        """Return the document in the answer, an empty one if there is none."""
        try:
            document = json.loads(self.content)
        except (ValueError, RecursionError):  # a document nested a thousand times is none
            return {}
        return document if isinstance(document, dict) else {}

    def text(self, name: str) -> str:
        """Return a short text of the document, without anything that a terminal would act on."""
        value = self.json().get(name)
        return "".join(filter(str.isprintable, value))[:300] if isinstance(value, str) else ""


class Requests:
    """Requests to one control plane, one at a time. `abort` ends the one on its way and all later ones."""

    def __init__(self, url: str) -> None:
        self._url = _checked(url)
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None
        self._aborted = False

    def send(
        self, method: str, path: str, *, secret: str, timeout_s: float, body: dict[str, Any] | None = None
    ) -> Answer:
        """Send one request and return its answer, whatever its status.

        Raises:
            UnavailableError: there was no answer in time.
        """
        headers = {"Authorization": f"Bearer {secret}", "Connection": "close"}
        content = None if body is None else json.dumps(body).encode()
        if content is not None:
            headers["Content-Type"] = "application/json"
        connection = self._connection(max(timeout_s, 0.01))
        try:
            connection.connect()
            self._keep(connection.sock)
            connection.request(method, self._url.path.rstrip("/") + path, body=content, headers=headers)
            answer = connection.getresponse()
            received = answer.read(_MOST_BYTES + 1)
            if len(received) > _MOST_BYTES or not answer.isclosed():
                raise ValueError("too long")
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise no_answer(type(error).__name__) from error
        finally:
            with self._lock:
                self._socket = None
            connection.close()
        return Answer(status=answer.status, content=received)

    def abort(self) -> None:
        """End the request that is on its way, from another thread."""
        with self._lock:
            self._aborted = True
            if self._socket is not None:
                with suppress(OSError):  # it ended meanwhile
                    self._socket.shutdown(socket.SHUT_RDWR)

    def _keep(self, opened: socket.socket) -> None:
        with self._lock:
            if self._aborted:
                raise OSError("aborted")
            self._socket = opened

    def _connection(self, timeout_s: float) -> http.client.HTTPConnection:
        host, port = self._url.hostname or "", self._url.port
        if self._url.scheme == "https":
            return http.client.HTTPSConnection(host, port, timeout=timeout_s)
        return http.client.HTTPConnection(host, port, timeout=timeout_s)


def no_answer(why: str) -> UnavailableError:
    """Return the error for a control plane that does not answer."""
    return UnavailableError(
        "lease-no-answer",
        f"the control plane does not answer ({why})",
        help="is `consentry serve` running, and does CONSENTRY_URL name it?",
    )


def _checked(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        fits = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        fits = False
    if not fits:
        raise InputError(
            "lease-bad-address",
            f"`{url}` is no address of a control plane",
            help="it looks like http://127.0.0.1:8799; set CONSENTRY_URL",
        )
    return parts
