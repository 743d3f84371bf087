"""Figures of a running server, for Prometheus. They name addresses, states and outcomes, and nobody."""

from __future__ import annotations

import itertools
import time
from uuid import uuid4

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from consentry.accounts.web_state import Endpoints, EndpointState
from consentry.service.logs import REQUEST, AccessLog
from consentry.service.traces import spanned, tell
from consentry.service.verbs import Verbs

KIND = CONTENT_TYPE_LATEST
_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60)
_NOWHERE = "(none)"
_BEGUN, _COUNT = f"{uuid4().hex[:12]}-".encode(), itertools.count()
"""Ids of requests that came without one: no two are the same, of this process or of another."""
_GONE = 499
"""Whoever asked hung up before there was an answer."""


class Figures:
    """The figures of one application, in a registry of its own; of several platforms each names itself."""

    def __init__(self, platform: str = "") -> None:
        self.registry = CollectorRegistry()
        if platform:
            named = Gauge("consentry_platform_info", "Whose figures these are.", ("platform",), registry=self.registry)
            named.labels(platform).set(1)
        self._seconds = Histogram(
            "consentry_http_request_duration_seconds",
            "Time to answer, by address, method and status.",
            ("method", "route", "status"),
            buckets=_BUCKETS,
            registry=self.registry,
        )
        self._found: dict[tuple[str, str, int], Histogram] = {}
        self._commits = Histogram(
            "consentry_ledger_commit_duration_seconds",
            "Time from when events were to be recorded until they were durable.",
            buckets=_BUCKETS,
            registry=self.registry,
        )
        self.committed = self._commits.observe
        self._decisions = Counter(
            "consentry_decisions", "Decisions about new content.", ("outcome",), registry=self.registry
        )
        self._permitted = self._decisions.labels("permit")
        self._denied = self._decisions.labels("deny")
        self._leases = Gauge("consentry_leases", "Leases by state.", ("state",), registry=self.registry)
        self._position = Gauge("consentry_ledger_position", "Events in the ledger.", registry=self.registry)
        self._orders = Gauge("consentry_orders_in_force", "Suspensions in force.", registry=self.registry)
        self._objections = Gauge(
            "consentry_objections_waiting", "Objections without an answer.", ("overdue",), registry=self.registry
        )
        self._webhooks = Gauge("consentry_webhooks", "Webhooks by state.", ("state",), registry=self.registry)
        self._behind = Gauge(
            "consentry_webhook_events_behind", "Events to go of the webhook that has most.", registry=self.registry
        )

    def answered(self, *, method: str, route: str, status: int, seconds: float) -> None:
        """Count an answer."""
        found = self._found.get((method, route, status))
        if found is None:
            found = self._found[method, route, status] = self._seconds.labels(method, route, str(status))
        found.observe(seconds)

    def decided(self, *, permitted: int, denied: int) -> None:
        """Count decisions."""
        if permitted:
            self._permitted.inc(permitted)
        if denied:
            self._denied.inc(denied)

    def text(self, verbs: Verbs, web: Endpoints) -> bytes:
        """Return all figures as Prometheus reads them, those of the ledger and of webhooks as they are now."""
        control = verbs.control
        states = control.leases.states()
        with control.desk.lock:
            present = control.desk.present()
            position, held = present.position, sum(1 for _ in present.overseen.orders.in_force())
        self._leases.clear()
        for state, count in states.items():
            self._leases.labels(state).set(count)
        self._position.set(position)
        self._orders.set(held)
        waiting, late = (len(control.objection_queue.select(overdue=each)) for each in (False, True))
        self._objections.labels("no").set(waiting - late)
        self._objections.labels("yes").set(late)
        hooks = web.endpoints()
        for state in EndpointState:
            self._webhooks.labels(state).set(sum(each.state(position) is state for each in hooks))
        self._behind.set(max((position - each.position for each in hooks), default=0))
        return generate_latest(self.registry)


class Observed:
    """Middleware: counts, logs and traces every answer, and says by which id the request is known.

    INVARIANT: while a request is answered, `REQUEST` is its id, and every answer carries it as `x-request-id`.
    """

    def __init__(self, app: ASGIApp, *, figures: Figures, log: AccessLog | None) -> None:
        self.app = app
        self.figures = figures
        self.log = log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: D102
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        began = time.perf_counter()
        status = _GONE
        ident = request_id(scope)
        known_as = ident.decode()
        mark = REQUEST.set(known_as)

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], (b"x-request-id", ident)]
            await send(message)

        with spanned(scope) as span:
            try:
                await self.app(scope, receive, sending)
            except Exception:
                status = 500 if status == _GONE else status
                raise
            finally:
                REQUEST.reset(mark)
                seconds = time.perf_counter() - began
                method, route = _named(scope)
                self.figures.answered(method=method, route=route, status=status, seconds=seconds)
                if self.log is not None:
                    self.log.answered(method=method, route=route, status=status, seconds=seconds, ident=known_as)
                if span is not None:
                    tell(span, method=method, route=route, status=status, ident=known_as)


_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


def _named(scope: Scope) -> tuple[str, str]:
    """Return method and address as they may be written down: the template, never what stood in its place."""
    route: BaseRoute | None = scope.get("route")
    found = getattr(route, "path", None)
    method = scope["method"] if scope["method"] in _METHODS else "other"
    return method, found if isinstance(found, str) else _NOWHERE


def request_id(scope: Scope) -> bytes:
    """Return the id that the caller gave a request, if it is one that can be written down; else one that is made."""
    for name, value in scope["headers"]:
        if name == b"x-request-id" and _plain(value):
            return bytes(value)
    return b"%s%x" % (_BEGUN, next(_COUNT))


def _plain(value: bytes) -> bool:
    return 0 < len(value) <= 200 and all(0x21 <= each < 0x7F for each in value)
