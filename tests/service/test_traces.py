"""Spans say how requests went and where their time went, go on from whoever called, and hold no private link."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from contextvars import copy_context

import httpx2
import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind

from consentry.stages import apart, stage, watched_by
from end_to_end.network import fresh
from service.clients import program
from service.conftest import Place

SECRET = "a-private-link-that-nobody-may-read"
PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> Iterator[InMemorySpanExporter]:
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(trace, "get_tracer_provider", lambda: provider)
    monkeypatch.setattr(trace, "get_tracer", provider.get_tracer)
    yield exporter
    provider.shutdown()


def finished(spans: InMemorySpanExporter) -> list[ReadableSpan]:
    """Return the spans of a request, its own first, once that is there: it ends after the answer was sent."""
    deadline = time.monotonic() + 10
    while not (found := [each for each in spans.get_finished_spans() if each.kind is SpanKind.SERVER]):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return [*found, *(each for each in spans.get_finished_spans() if each.kind is not SpanKind.SERVER)]


Facts = Mapping[str, object]


def stages(spans: InMemorySpanExporter) -> dict[str, Facts]:
    """Return what the spans within that of a request say, by their names; each has to end before it, and in it.

    Reading the ledger is left out: the server watches it, and may have read what was said a moment ago.
    """
    whole, *parts = finished(spans)
    assert whole.context is not None
    inside = {whole.context.span_id, *(each.context.span_id for each in parts if each.context is not None)}
    for each in parts:
        assert each.context is not None
        assert each.parent is not None
        assert each.context.trace_id == whole.context.trace_id
        assert each.parent.span_id in inside
        assert each.end_time is not None
        assert whole.end_time is not None
        assert each.end_time <= whole.end_time
    spans.clear()
    return {each.name: each.attributes or {} for each in parts if each.name != "ledger.read"}


def test_a_span_goes_on_from_the_caller_and_names_a_template(place: Place, spans: InMemorySpanExporter) -> None:
    headers = {"traceparent": PARENT, "x-request-id": "r-1"}
    assert httpx2.get(f"{place.ask.url}/healthz", headers=headers).status_code == 200
    (span,) = finished(spans)
    assert span.name == "GET /healthz"
    assert span.parent is not None
    assert format(span.parent.span_id, "016x") == PARENT.split("-")[2]
    assert span.attributes is not None
    assert dict(span.attributes) == {
        "http.request.method": "GET",
        "http.route": "/healthz",
        "http.response.status_code": 200,
        "consentry.request_id": "r-1",
    }


@pytest.mark.parametrize(
    "path", [f"/object/follow/{SECRET}", f"/me/enter?token={SECRET}", f"/nowhere/{SECRET}", f"/sign-in?next=/{SECRET}"]
)
def test_no_span_holds_what_stood_in_an_address(place: Place, spans: InMemorySpanExporter, path: str) -> None:
    httpx2.get(place.ask.url + path, headers={"accept": "text/html"})
    span, *parts = finished(spans)
    assert all(SECRET not in each.to_json() for each in (span, *parts))
    assert span.attributes is not None
    assert set(span.attributes) == {
        "http.request.method",
        "http.route",
        "http.response.status_code",
        "consentry.request_id",
    }


def test_spans_within_one_say_where_the_time_went(place: Place, spans: InMemorySpanExporter) -> None:
    """Each names what was done, with counts and words of our own, and nobody who asked or was asked about."""
    person, url = "a-person-that-nobody-may-read", place.ask.url
    asked = {
        "subject": {"type": "person", "id": person},
        "action": {"name": "train-genai"},
        "resource": {"type": "content", "id": "x", "properties": {"category": "post"}},
    }
    with program(place.deployment, url) as consentry:
        consentry.record_choices([{"person": person, "purpose": "train-genai", "state": "refused"}])
        assert stages(spans) == {"ledger.append": {"consentry.events": 1}}
        consentry.release(place.release)
        assert stages(spans) == {"release.open": {}}
        assert consentry.evaluate(asked)["decision"] is False
        assert stages(spans) == {"decision.snapshot": {}, "decision.evaluate": {"consentry.evaluations": 1}}
        consentry.evaluate_all({**asked, "evaluations": [{}, {}]})
        assert stages(spans)["decision.evaluate"] == {"consentry.evaluations": 2}
        consentry.build_release("network", policy="august-2024")
        assert {"release.decide", "release.seal", "ledger.hold"} <= stages(spans).keys()
    assert httpx2.get(f"{url}/transparency", headers={"accept": "text/html"}).status_code == 200
    assert stages(spans)["page.render"] == {"consentry.template": "transparency.html"}


class Watched:
    """Notes the stages that it is told of."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, dict[str, int | str]]] = []

    def __call__(self, name: str, facts: Mapping[str, int | str]) -> AbstractContextManager[object]:
        self.seen.append((name, dict(facts)))
        return nullcontext()


def test_what_is_done_for_several_is_a_stage_of_none() -> None:
    """Choices are recorded together: whoever came first must not be told to have waited for the others."""
    watched = Watched()
    with watched_by(watched), stage("ledger.append", events=1):
        apart().run(lambda: stage("ledger.append", events=2).__enter__())
        copy_context().run(lambda: stage("ledger.append", events=3).__enter__())
    with stage("ledger.append", events=4):
        pass
    assert watched.seen == [("ledger.append", {"events": 1}), ("ledger.append", {"events": 3})]


def test_reading_the_ledger_says_how_many_events_it_was() -> None:
    watched = Watched()
    with fresh() as (_, deployment), watched_by(watched):
        deployment.control.statements.link(deployment.person("a"), deployment.person("b"))
        deployment.control.desk.present()
    assert watched.seen == [("ledger.append", {"events": 1}), ("ledger.read", {"events": 1})]


def test_where_nobody_collects_nothing_is_done(place: Place) -> None:
    assert isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider)
    assert place.ask("GET", "/healthz").status == 200
