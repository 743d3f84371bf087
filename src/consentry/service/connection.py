"""A connection of HTTP/1.1: parsed in C, with bounds on what comes before a body.

What a request says before its body has to be here within seconds and within some kilobytes: who sends it byte by byte,
or without an end, holds a connection and nothing else. Bodies have bounds of their own (`bodies.py`).
"""

from __future__ import annotations

import asyncio

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

LARGEST_HEAD = 1 << 16
"""Bytes of a request line with its headers."""
PATIENCE_S = 20.0
"""From the first byte of a request to the end of its headers, and from a connection to its first byte."""


class Connection(HttpToolsProtocol):
    """Gives up a request whose head is too long or too late.

    Invariant: `_due` is set whenever the next thing to come is (the rest of) a head on a connection that has not
    answered yet; between two requests the time-out of kept connections holds.
    """

    _due: asyncio.TimerHandle | None = None
    _read = 0
    """Bytes that came since the last head was complete; they may belong to a body, then `_in_head` is false."""
    _in_head = True

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # noqa: D102
        super().connection_made(transport)
        self._expect()

    def data_received(self, data: bytes) -> None:  # noqa: D102
        if self._in_head:
            if self._due is None:
                self._expect()
            self._read += len(data)
        super().data_received(data)
        if self._in_head and self._read > LARGEST_HEAD and not self.transport.is_closing():
            self.send_400_response("The head of the request is too long.")

    def on_message_begin(self) -> None:  # noqa: D102
        self._in_head = True
        super().on_message_begin()

    def on_headers_complete(self) -> None:  # noqa: D102
        self._in_head, self._read = False, 0
        self._forget()
        super().on_headers_complete()

    def on_message_complete(self) -> None:  # noqa: D102
        self._in_head = True
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """Close a connection on which something was refused that is still being sent: nobody reads it."""
        if self.cycle.more_body:
            self.transport.close()
        super().on_response_complete()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: D102
        self._forget()
        super().connection_lost(exc)

    def _expect(self) -> None:
        self._due = self.loop.call_later(PATIENCE_S, self._give_up)

    def _forget(self) -> None:
        if self._due is not None:
            self._due.cancel()
            self._due = None

    def _give_up(self) -> None:
        if not self.transport.is_closing():
            self.transport.close()
