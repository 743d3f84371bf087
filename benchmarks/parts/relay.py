"""What stands between jobs and a server: answers are lost, late or replayed when it is told so. By sockets alone.

A job with the real client opens a connection for each request, so one connection here carries one request and one
answer. Where the answers come from can be changed at any moment: the address that jobs know stays.
"""

from __future__ import annotations

import random
import socket
import threading
import time
from contextlib import suppress
from urllib.parse import urlsplit

_LOST, _LATE, _REPLAYED = 0.15, 0.30, 0.45
"""Up to which draw an answer is lost, late, or an older one to the same path."""
_LATE_S = 1.5
_END = b"\r\n\r\n"
_PATIENCE_S = 60.0


class Relay:
    """An address on this machine that passes requests on; `mistreats`: not every answer arrives as it was given."""

    def __init__(self, *, seed: int) -> None:
        self.upstream = ""
        self.mistreats = False
        self.counts = {"lost": 0, "late": 0, "replayed": 0}
        self._draws = random.Random(seed)  # noqa: S311 - of a simulation
        self._before: dict[bytes, bytes] = {}
        self._lock = threading.Lock()
        self._listening = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.url = f"http://127.0.0.1:{self._listening.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Take no more requests."""
        self._listening.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._listening.accept()
                threading.Thread(target=self._pass_on, args=(connection,), daemon=True).start()

    def _pass_on(self, connection: socket.socket) -> None:
        parts = urlsplit(self.upstream)
        with connection, suppress(OSError, ValueError):
            connection.settimeout(_PATIENCE_S)
            request = _whole(connection)
            with socket.create_connection((parts.hostname or "", parts.port or 0), timeout=_PATIENCE_S) as there:
                there.sendall(request)
                answer = _to_the_end(there)
            self._send(connection, _path(request), answer)

    def _send(self, connection: socket.socket, path: bytes, answer: bytes) -> None:
        with self._lock:
            before, self._before[path] = self._before.get(path), answer
            draw, wait_s = self._draws.random() if self.mistreats else 1.0, self._draws.random() * _LATE_S
            what = _fate(draw, replayable=before is not None)
            if what is not None:
                self.counts[what] += 1
        if what == "lost":
            return
        if what == "late":
            time.sleep(wait_s)
        connection.sendall(before if what == "replayed" and before is not None else answer)


def _fate(draw: float, *, replayable: bool) -> str | None:
    if draw < _LOST:
        return "lost"
    if draw < _LATE:
        return "late"
    return "replayed" if draw < _REPLAYED and replayable else None


def _path(request: bytes) -> bytes:
    """Return method and path of a request, without what is asked for."""
    return request.split(b"\r\n", 1)[0].split(b"?", 1)[0]


def _whole(connection: socket.socket) -> bytes:
    """Read a request with its body.

    Raises:
        ValueError: whoever sends it ends before its end.
    """
    found = b""
    while _END not in found:
        found += _more(connection)
    head, _, body = found.partition(_END)
    length = next(
        (int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length")), 0
    )
    while len(body) < length:
        body += _more(connection)
    return head + _END + body


def _more(connection: socket.socket) -> bytes:
    if not (found := connection.recv(1 << 16)):
        raise ValueError("it ends too early")
    return found


def _to_the_end(connection: socket.socket) -> bytes:
    found = b""
    while more := connection.recv(1 << 16):
        found += more
    return found
