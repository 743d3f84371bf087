"""Every answer says by which id its request is known, and so do problems, the log and spans."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from consentry.bootstrap import open_deployment
from consentry.service import app as application
from consentry.service.figures import request_id
from consentry.service.logs import ACCESS, PLATFORM, REQUEST, AccessLog, JsonLines
from consentry.service.traces import tell
from service.at_work import Caller, in_thread, platform_key

ID = "x-request-id"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Caller, str]]:
    """A server that writes a log, and the key of a program."""
    plain = application.create_app
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("service.at_work.create_app", lambda *a, **k: plain(*a, **k, log=AccessLog()))
        deployment = open_deployment(tmp_path_factory.mktemp("ids") / "home", embedded=True)
        with in_thread(deployment) as ask:
            yield ask, platform_key(deployment)
        deployment.close()


@pytest.mark.parametrize(
    ("method", "path", "headers", "content", "status"),
    [
        ("GET", "/", {}, None, 200),
        ("GET", "/static/site.css", {}, None, 200),
        ("GET", "/healthz", {}, None, 200),
        ("GET", "/nowhere", {}, None, 404),
        ("GET", "/nowhere", {"accept": "text/html"}, None, 404),
        ("DELETE", "/healthz", {}, None, 405),
        ("GET", "/v1/leases", {}, None, 401),
        ("POST", "/sign-in", {"origin": "https://elsewhere.example"}, b"", 403),
        ("POST", "/access/v1/evaluation", {"content-type": "application/json"}, b"{", 422),
        ("POST", "/access/v1/evaluation", {"content-type": "application/json"}, b"x" * (1 << 21), 413),
    ],
)
def test_every_answer_has_the_id_that_was_given_or_one_that_is_made(
    served: tuple[Caller, str], method: str, path: str, headers: dict[str, str], content: bytes | None, status: int
) -> None:
    ask, _ = served
    with httpx2.Client(base_url=ask.url) as client:
        own = client.request(method, path, headers={**headers, ID: "a-17"}, content=content)
        made = [client.request(method, path, headers=headers, content=content) for _ in range(2)]
    assert own.status_code == status, own.text
    assert own.headers[ID] == "a-17"
    ids = {each.headers[ID] for each in made}
    assert len(ids) == 2
    assert all(ids)
    for answer in (own, *made):
        if answer.headers["content-type"] == "application/problem+json":
            assert answer.json()["request_id"] == answer.headers[ID]


def test_an_answer_on_the_direct_way_has_one_too(served: tuple[Caller, str]) -> None:
    ask, key = served
    headers = {"authorization": f"Bearer {key}", ID: "b-1"}
    answer = httpx2.post(f"{ask.url}/access/v1/evaluations", headers=headers, json={})
    assert answer.status_code == 422
    assert answer.headers[ID] == answer.json()["request_id"] == "b-1"


@pytest.mark.parametrize("given", ["", "two words", "x" * 201, "é", "a\tb"])
def test_what_could_not_be_written_down_is_replaced(given: str) -> None:
    scope = {"headers": [(b"x-request-id", given.encode())]}
    made = request_id(scope)
    assert made != given.encode()
    assert made.decode().isascii()
    assert made != request_id(scope)


def test_the_log_has_it(served: tuple[Caller, str], caplog: pytest.LogCaptureFixture) -> None:
    ask, _ = served
    with caplog.at_level(logging.INFO, ACCESS.name):
        answer = httpx2.get(f"{ask.url}/healthz")
        deadline = 100
        while deadline and not [each for each in caplog.records if each.name == ACCESS.name]:
            deadline -= 1
            httpx2.get(f"{ask.url}/healthz")
    lines = [json.loads(JsonLines().format(each)) for each in caplog.records if each.name == ACCESS.name]
    assert answer.headers[ID] in [line["request_id"] for line in lines]


def test_every_line_that_is_logged_while_a_request_is_answered_has_it() -> None:
    line = logging.LogRecord("consentry.service", logging.ERROR, str(Path(__file__)), 1, "it failed", None, None)
    assert "request_id" not in json.loads(JsonLines().format(line))
    mark = REQUEST.set("c-1")
    try:
        assert json.loads(JsonLines().format(line))["request_id"] == "c-1"
    finally:
        REQUEST.reset(mark)


def test_a_span_names_the_platform_where_there_are_several() -> None:
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    tracer = provider.get_tracer("test")
    for platform in ("", "network"):
        mark = PLATFORM.set(platform)
        with tracer.start_as_current_span("HTTP") as span:
            tell(span, method="GET", route="/healthz", status=200, ident="d-1")
        PLATFORM.reset(mark)
    alone, several = (dict(each.attributes or {}) for each in exporter.get_finished_spans())
    assert "consentry.platform" not in alone
    assert several == {**alone, "consentry.platform": "network"}
    provider.shutdown()
