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
from consentry.errors import IntegrityError
from consentry.service import server
from consentry.service.platforms import Platform
from consentry.service.verbs import Verbs
from consentry.service.warming import warm
from end_to_end.network import fresh
from service.at_work import in_thread, prepare


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
