"""Connections that say nothing are closed: the head of a request has to be here in time, as its body has (`bodies.py`).

Without this whoever opens connections and sends half a head holds one of the files a process may open, for ever.
"""

from __future__ import annotations

import asyncio

from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

from consentry.service.bodies import PATIENCE_S


class Impatient(H11Protocol):
    """HTTP/1.1 as uvicorn speaks it, with an end to waiting for the head of a request."""

    patience_s = PATIENCE_S
    _head_due: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # noqa: D102
        super().connection_made(transport)
        self._wait()

    def data_received(self, data: bytes) -> None:  # noqa: D102
        super().data_received(data)
        # Between two requests of a connection the server's own time for idle ones runs, until something arrives.
        if self._has_head():
            self._stop_waiting()
        elif self._head_due is None:
            self._wait()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: D102
        self._stop_waiting()
        super().connection_lost(exc)

    def _has_head(self) -> bool:
        """Say whether a request is being answered, so that it is not its head that is waited for."""
        cycle: object = self.cycle  # none before the first request, whatever its type says
        return isinstance(cycle, RequestResponseCycle) and not cycle.response_complete

    def _wait(self) -> None:
        self._head_due = self.loop.call_later(self.patience_s, self._too_slow)

    def _stop_waiting(self) -> None:
        if self._head_due is not None:
            self._head_due.cancel()
            self._head_due = None

    def _too_slow(self) -> None:
        self._head_due = None
        if not self._has_head() and not self.transport.is_closing():
            self.transport.close()
