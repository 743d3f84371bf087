"""The gate before a served model, against `consentry serve`: it turns with an order, and with a server that is gone.

An answer counts for seconds there and not for a minute, so that a test need not wait for one to be over.
"""

from __future__ import annotations

import json
import signal
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from consentry.training.boot_clock import boot_seconds
from consentry.training.serving import ServingGate
from service.at_work import Process, home, suspend_elsewhere, until
from service.short_answers import TTL_S
from test_serving import call_asgi, call_wsgi

SHORT = ("-P", str(Path(__file__).with_name("short_answers.py")))
MODEL = "drafts"
TRIES = 20


@dataclass(kw_only=True)
class Behind:
    """A gate before a model that may be served, in both middlewares, and the server that it asks."""

    gate: ServingGate
    server: Process

    def is_open(self) -> bool:
        """Say whether requests are let in; the same through both. It may turn while they are asked: then once more."""
        for _ in range(TRIES):
            before, wsgi, after = self._asgi(), int(call_wsgi(self.gate)[0].split()[0]), self._asgi()
            assert {before, wsgi, after} <= {200, 503}
            if before == wsgi == after:
                return before == 200
        raise AssertionError("one lets in what the other one does not")

    def _asgi(self) -> int:
        return int(call_asgi(self.gate)[0]["status"])

    def begin_anew(self) -> None:
        """Have a server where the one was that is gone."""
        self.server = Process(self.server.home, program=SHORT, port=urlsplit(self.server.ask.url).port or 0)

    def last_open(self, *, seconds: float = 60) -> float:
        """Wait until nobody is let in, and return when the last request came that was."""
        last, deadline = 0.0, time.monotonic() + seconds
        while time.monotonic() < deadline:
            asked_at = boot_seconds()
            if self._asgi() == 200:
                last = asked_at
            elif call_wsgi(self.gate)[0].startswith("503"):
                return last
            time.sleep(0.01)
        raise AssertionError("it stays open")

    def why(self) -> str:
        """Return what a request is told that is not let in."""
        return str(json.loads(call_wsgi(self.gate)[2])["title"])


def train(server: Process, release: str) -> None:
    """Train a model on what is of the United States and of the United Kingdom."""
    held = server.ask.lease(release, model=MODEL)
    said = {"from_step": 0, "to_step": 1, "amendment": 0, "ranges": [[0, 0, 2]]}
    assert held("POST", "consumption", said).status == 204
    assert held.end("released", 1).status == 204


def may_be_served(server: Process) -> bool:
    return bool(server.ask("GET", f"/v1/models/{MODEL}/serving").json["may"])


@contextmanager
def reserved() -> Iterator[int]:
    """Yield a port that nobody else takes, and that a server may listen at, go, and come back to.

    It is bound and not listened at: the system gives it to nobody who asks for any port, and lets whoever names it
    have it, as both say that an address may be used again.
    """
    with socket.socket() as holder:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        holder.bind(("127.0.0.1", 0))
        yield int(holder.getsockname()[1])


@pytest.fixture
def behind() -> Iterator[Behind]:
    with home() as (folder, release), reserved() as port:
        server = Process(folder, program=SHORT, port=port)
        found: list[Behind] = []
        try:
            train(server, release)
            assert server.ask("GET", f"/v1/models/{MODEL}/serving").json["ttl_s"] == TTL_S
            with ServingGate(MODEL, url=server.ask.url, token=server.ask.token) as gate:
                found.append(Behind(gate=gate, server=server))
                until(found[0].is_open)
                yield found[0]
        finally:
            (found[0].server if found else server).kill()


def is_confirmed(behind: Behind) -> bool:
    """Say whether it is open by an answer that was asked for from now on: what counts now is over then."""
    ends = boot_seconds() + 1.5 * TTL_S
    while boot_seconds() < ends:
        time.sleep(0.1)
    until(behind.is_open, 30)  # a machine with much to do may once be late
    return True


def test_an_order_closes_a_gate_that_is_open_before_the_answer_is_over(behind: Behind) -> None:
    assert is_confirmed(behind), "a control"
    suspend_elsewhere(behind.server.home, "--area", "UK")
    ordered_at = boot_seconds()
    assert behind.last_open() < ordered_at + TTL_S
    until(lambda: "ico-2024.1" in behind.why())
    assert not may_be_served(behind.server)


def test_an_order_about_something_else_closes_nothing(behind: Behind) -> None:
    suspend_elsewhere(behind.server.home, "--area", "CH")
    assert is_confirmed(behind)
    assert may_be_served(behind.server)


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP], ids=["gone", "silent"])
def test_a_gate_closes_when_nobody_answers_and_opens_when_somebody_does(behind: Behind, how: signal.Signals) -> None:
    behind.server.process.send_signal(how)
    if how == signal.SIGKILL:
        behind.server.process.communicate()
    gone_at = boot_seconds()
    assert behind.last_open() < gone_at + TTL_S
    assert "has not confirmed in time" in behind.why()
    if how == signal.SIGKILL:
        behind.begin_anew()
    else:
        behind.server.process.send_signal(signal.SIGCONT)
    until(behind.is_open, 60)
    assert is_confirmed(behind)


def test_what_came_meanwhile_keeps_a_gate_closed(behind: Behind) -> None:
    """The order was given while the server was gone: who comes back says so, and opens nothing."""
    behind.server.kill()
    assert behind.last_open() > 0
    suspend_elsewhere(behind.server.home, "--area", "UK")
    opened: list[float] = []
    behind.begin_anew()
    until(lambda: "ico-2024.1" in behind.why() or _noted(opened, behind.is_open), 60)
    assert opened == []


def _noted(found: list[float], holds: Callable[[], bool]) -> bool:
    if holds():
        found.append(boot_seconds())
    return bool(found)
