"""A connection of HTTP/1.1: parsed in C, with bounds on what comes before a body.

What a request says before its body has to be here within seconds and within some kilobytes: who sends it byte by byte,
or without an end, holds a connection and nothing else. Bodies have bounds of their own (`bodies.py`).
"""

from __future__ import annotations

import asyncio
from typing import cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

LARGEST_HEAD = 1 << 16
"""Bytes of a request line with its headers."""
PATIENCE_S = 20.0
"""From the first byte of a request to the end of its headers, and from a connection to its first byte."""

LARGEST_REST = 1 << 23
"""Bytes of a body as it is sent, in however small chunks and with what follows them; what it says is bounded before."""
MORE = "consentry.more"
"""Where the scope of a request says how many bytes more than those its body may have, as `bodies.py` found out."""
LINGER_S = 2.0
"""How long a body is still read after its request was refused."""


class _Gathering(asyncio.Transport):
    """Sends the head of an answer together with what follows it at once: one call of the system, and one packet.

    INVARIANT: what is held back is sent before anything else is, and in the next turn of the loop at the latest: who
    streams an answer does not wait for its head.
    """

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__()
        self._transport = transport
        self._loop = loop
        self._held: bytes | None = None

    def write(self, data: bytes | bytearray | memoryview) -> None:
        if self._held is None:
            self._held = bytes(data)
            self._loop.call_soon(self._flush)
        else:
            held, self._held = self._held, None
            self._transport.write(b"".join((held, data)))

    def _flush(self) -> None:
        if self._held is not None:
            held, self._held = self._held, None
            self._transport.write(held)

    def close(self) -> None:
        self._flush()
        self._transport.close()

    def is_closing(self) -> bool:
        return self._transport.is_closing()


class Connection(HttpToolsProtocol):
    """Gives up a request whose head is too long or too late.

    Invariant: `_due` is set while a head is on its way, before the first byte of a connection, and while what was
    refused is still being sent. Between two requests the time-out of kept connections holds, and within a body that
    of `bodies.py`.
    """

    _due: asyncio.TimerHandle | None = None
    _read = 0
    """Bytes of the head or of the body that is on its way."""
    _in_head, _in_refused = True, False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # noqa: D102
        super().connection_made(transport)
        self.transport = _Gathering(transport, self.loop)
        self._expect(PATIENCE_S)

    def data_received(self, data: bytes) -> None:  # noqa: D102
        if self._in_head and self._due is None:
            self._expect(PATIENCE_S)
        self._read += len(data)
        super().data_received(data)
        if self._in_head and self._read > LARGEST_HEAD and not self.transport.is_closing():
            self.send_400_response("The head of the request is too long.")
        if not self._in_head and self._read > LARGEST_REST + cast("int", self.scope.get(MORE, 0)):
            self._give_up()

    def on_message_begin(self) -> None:  # noqa: D102
        self._in_head = True
        super().on_message_begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a field of the head. What follows a body in chunks is read by nobody."""
        if self._in_head:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:  # noqa: D102
        self._in_head, self._read = False, 0
        self._forget()
        super().on_headers_complete()

    def on_message_complete(self) -> None:  # noqa: D102
        self._in_head, self._read = True, 0
        super().on_message_complete()
        if self._in_refused:
            self._in_refused = False
            self._forget()
            self.timeout_keep_alive_task = self.loop.call_later(
                self.timeout_keep_alive, self.timeout_keep_alive_handler
            )

    def on_response_complete(self) -> None:
        """Read for a moment what was refused while it was sent: hung up on, the other end would lose the answer."""
        # With requests sent at once `cycle` is the newest of them, and this may be about one before it.
        if self.cycle.response_complete and self.cycle.more_body:
            self._in_refused, self._read = True, 0
            self._expect(LINGER_S)
        super().on_response_complete()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: D102
        self._forget()
        super().connection_lost(exc)

    def _expect(self, seconds: float) -> None:
        self._forget()
        self._due = self.loop.call_later(seconds, self._give_up)

    def _forget(self) -> None:
        if self._due is not None:
            self._due.cancel()
            self._due = None

    def _give_up(self) -> None:
        if not self.transport.is_closing():
            self.transport.close()
