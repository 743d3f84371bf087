"""What everybody would wait for is done at the start, keeps nobody out, and breaks nothing."""

from __future__ import annotations

import asyncio
import gc
import logging
import socket
import threading

import httpx2
import pytest
import uvicorn

from consentry.control_plane.own_settings import OwnSettings, OwnUse
from consentry.errors import IntegrityError, UnavailableError
from consentry.oversight.lease import DEFAULT_TTL_MS
from consentry.service import server
from consentry.service.platforms import Platform
from consentry.service.verbs import Verbs
from consentry.service.warming import PATIENCE_S, Preparing, warm
from end_to_end.network import fresh
from service.at_work import in_thread, once_ready, prepare


def test_a_server_prepares_what_the_first_page_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    plain = OwnSettings.uses

    def uses(self: OwnSettings, person: str) -> list[OwnUse]:
        asked.append(person)
        return plain(self, person)

    monkeypatch.setattr(OwnSettings, "uses", uses)
    with fresh() as (folder, deployment):
        prepare(folder, deployment)
        before = deployment.ledger.head()
        with in_thread(deployment) as ask:
            assert ask("GET", "/healthz").status == 200
        assert asked == ["0" * 32]
        assert deployment.ledger.head() == before, "looking leaves nothing"


@pytest.mark.parametrize(
    "error", [IntegrityError("corpus-damaged", "it is damaged", help="restore it"), RuntimeError("ada")]
)
def test_what_cannot_be_prepared_stops_nothing_and_names_nobody(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, error: Exception
) -> None:
    def fails(*_: object) -> list[OwnUse]:
        raise error

    monkeypatch.setattr(OwnSettings, "uses", fails)
    with fresh() as (_, deployment), caplog.at_level(logging.INFO, "consentry.service"):
        verbs = Verbs(deployment.control, threads=1)
        try:
            settled: list[int] = []
            asyncio.run(warm(verbs, settled=lambda: settled.append(1)))
            assert settled == [1], "the server goes on all the same"
        finally:
            verbs.close()
    assert "ada" not in caplog.text
    assert len(caplog.records) == 1


@pytest.mark.parametrize("several", [False, True])
def test_a_server_of_its_own_searches_for_garbage_only_in_what_comes_later(
    monkeypatch: pytest.MonkeyPatch, *, several: bool
) -> None:
    frozen = threading.Event()
    plain = server._run

    def run(running: uvicorn.Server, listener: socket.socket) -> None:
        thread = threading.Thread(target=plain, args=(running, listener))
        thread.start()
        found = frozen.wait(30)
        running.should_exit = True
        thread.join()
        assert found

    monkeypatch.setattr(server, "_run", run)
    monkeypatch.setattr(gc, "freeze", frozen.set)
    with fresh() as (folder, deployment):
        prepare(folder, deployment)
        if several:
            deployment.close()
            server.serve_platforms([Platform(name="one", host="one.test", home=deployment.settings.home)], port=0)
        else:
            server.serve(deployment, port=0)


def test_a_server_within_another_program_leaves_its_memory_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    frozen: list[int] = []
    monkeypatch.setattr(gc, "freeze", lambda: frozen.append(1))
    with fresh() as (folder, deployment):
        prepare(folder, deployment)
        with server.serving(deployment) as (url, _):
            assert httpx2.get(f"{url}/healthz").status_code == 200
    assert not frozen


def test_a_server_is_not_ready_before_and_keeps_nobody_out(monkeypatch: pytest.MonkeyPatch) -> None:
    go_on, plain = threading.Event(), OwnSettings.uses

    def uses(self: OwnSettings, person: str) -> list[OwnUse]:
        assert go_on.wait(30)
        return plain(self, person)

    with fresh() as (folder, deployment):
        prepare(folder, deployment)
        monkeypatch.setattr(OwnSettings, "uses", uses)
        with in_thread(deployment) as ask:
            answer = ask("GET", "/readyz")
            assert (answer.status, answer.code) == (503, "serve-preparing")
            assert ask("GET", "/healthz").status == 200
            assert ask("GET", "/transparency").status == 200
            go_on.set()
            assert once_ready(ask.url).status_code == 200


def test_a_server_that_prepares_for_long_is_called_ready_all_the_same() -> None:
    with pytest.raises(UnavailableError):
        Preparing(patience=60).require_over()
    Preparing(patience=0).require_over()
    assert PATIENCE_S < DEFAULT_TTL_MS / 1000 / 2, "jobs that are only led here by a balancer renew in time"
