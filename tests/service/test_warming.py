"""What everybody would wait for is done at the start, keeps nobody out, and breaks nothing."""

from __future__ import annotations

import asyncio
import logging

import pytest

from consentry.control_plane.own_settings import OwnSettings, OwnUse
from consentry.errors import IntegrityError
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
            asyncio.run(warm(verbs))
        finally:
            verbs.close()
    assert "ada" not in caplog.text
    assert len(caplog.records) == 1
