"""What is logged names addresses and nobody."""

from __future__ import annotations

import json
import logging

import pytest

from consentry.bootstrap import open_deployment
from consentry.service import app as application
from consentry.service.logs import ACCESS, AccessLog, JsonLines
from service.at_work import in_thread


def test_a_line_is_json(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, ACCESS.name):
        AccessLog().answered(method="GET", route="/v1/orders/{order}", status=404, seconds=0.0123, ident="a-1")
    line = json.loads(JsonLines().format(caplog.records[-1]))
    assert line["logger"] == "consentry.access"
    assert (line["route"], line["status"], line["ms"], line["request_id"]) == ("/v1/orders/{order}", 404, 12.3, "a-1")
    assert line["at"].startswith("20")


def test_the_server_logs_the_address_and_not_what_stood_in_it(
    tmp_path_factory: pytest.TempPathFactory, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = application.create_app
    monkeypatch.setattr("service.at_work.create_app", lambda *a, **k: plain(*a, **k, log=AccessLog()))
    deployment = open_deployment(tmp_path_factory.mktemp("logs") / "home", embedded=True)
    with caplog.at_level(logging.INFO, ACCESS.name), in_thread(deployment) as ask:
        ask("GET", "/v1/models/somebody-real?q=secret")
        ask("GET", "/nowhere/somebody-real")
    deployment.close()
    lines = [JsonLines().format(each) for each in caplog.records if each.name == ACCESS.name]
    assert [json.loads(each)["route"] for each in lines] == ["/v1/models/{model}", "(none)"]
    assert "somebody" not in "".join(lines)
    assert "secret" not in "".join(lines)
