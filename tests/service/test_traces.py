"""Spans say how requests went, go on from whoever called, and hold no private link."""

from __future__ import annotations

import time
from collections.abc import Iterator

import httpx2
import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

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
    """Return the spans once there is one: it ends after the answer was sent."""
    deadline = time.monotonic() + 10
    while not spans.get_finished_spans() and time.monotonic() < deadline:
        time.sleep(0.01)
    return list(spans.get_finished_spans())


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
    (span,) = finished(spans)
    assert SECRET not in span.to_json()
    assert span.attributes is not None
    assert set(span.attributes) == {
        "http.request.method",
        "http.route",
        "http.response.status_code",
        "consentry.request_id",
    }


def test_where_nobody_collects_nothing_is_done(place: Place) -> None:
    assert isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider)
    assert place.ask("GET", "/healthz").status == 200
