"""Spans of each request, for whoever collects traces (OpenTelemetry), if a tracer provider is configured.

The span of a request says what the access log says: method, address as a template, status, the id of the request, and
of several platforms which one. It never holds the path or the query, where private links stand. Names are those of the
HTTP semantic conventions, 1.23 and later. Within it each stage of the work (`stages.py`) has a span of its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial

from opentelemetry import propagate, trace
from opentelemetry.trace import ProxyTracerProvider, Span, SpanKind, StatusCode, Tracer
from starlette.datastructures import Headers
from starlette.types import Scope

from consentry import __version__
from consentry.service.logs import PLATFORM
from consentry.stages import watched_by

_NAME = "consentry"


@contextmanager
def spanned(scope: Scope) -> Iterator[Span | None]:
    """Hold a span current while a request is answered; None, and nothing done, where nobody collects."""
    if isinstance(trace.get_tracer_provider(), ProxyTracerProvider):
        yield None
        return
    parent = propagate.extract(Headers(scope=scope))
    tracer = trace.get_tracer(_NAME, __version__)
    with (
        tracer.start_as_current_span(
            "HTTP", parent, SpanKind.SERVER, record_exception=False, set_status_on_exception=False
        ) as span,
        watched_by(partial(_within, tracer)),
    ):
        yield span


@contextmanager
def _within(tracer: Tracer, name: str, facts: Mapping[str, int | str]) -> Iterator[None]:
    """Hold the span of a stage current. What was raised in it is not written down: messages may hold names."""
    attributes = {f"consentry.{fact}": value for fact, value in facts.items()}
    with tracer.start_as_current_span(
        name, attributes=attributes, record_exception=False, set_status_on_exception=False
    ):
        yield


def tell(span: Span, *, method: str, route: str, status: int, ident: str) -> None:
    """Write down how a request was answered."""
    span.update_name(f"{method} {route}")
    span.set_attribute("http.request.method", method)
    span.set_attribute("http.route", route)
    span.set_attribute("http.response.status_code", status)
    span.set_attribute("consentry.request_id", ident)
    if PLATFORM.get():
        span.set_attribute("consentry.platform", PLATFORM.get())
    if status >= 500:
        span.set_status(StatusCode.ERROR)
