"""Webhooks: events of the ledger, sent to endpoints after the Standard Webhooks specification.

What is sent follows from the ledger by position, and the position of each endpoint is stored: nothing is lost over a
restart, and what may have arrived is sent again under the same id. Each endpoint has a task of its own; one that hangs
holds up no other. Events arrive in order.

An endpoint at a private address is refused when it is sent to, after its name was looked up: the connection goes to the
address that was checked (OWASP, server-side request forgery).
"""

from __future__ import annotations

import asyncio
import base64
import datetime as dt
import hashlib
import hmac
import ipaddress
import json
import socket
from collections.abc import Iterable
from contextlib import AsyncExitStack
from dataclasses import replace
from functools import cached_property
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import httpx2

from consentry.accounts.web_state import SECRET_PREFIX, Endpoint, WebState, secret_unreadable
from consentry.accounts.webhooks import KINDS, LIFTED
from consentry.errors import ConsentryError
from consentry.ledger.case_events import CaseEnd, CaseEnded
from consentry.ledger.envelope import Event
from consentry.ledger.events import Body, ChoiceMade
from consentry.ledger.objection_events import OBJECTIONS
from consentry.service.problems import LOG, unforeseen
from consentry.service.verbs import Verbs

_SLICE = 500
_LONGEST_WAIT_S = 3600
_PERSONAL = "choice.recorded"
_NOBODYS = tuple(
    ipaddress.ip_network(each)
    for each in (
        "192.0.0.0/24",
        "192.31.196.0/24",
        "192.52.193.0/24",
        "192.88.99.0/24",
        "192.175.48.0/24",
        "3fff::/20",
        "5f00::/16",
        "64:ff9b:1::/48",
        "2620:4f:8000::/48",
    )
)
"""For purposes of their own, and public by Python's lists (IANA, special-purpose address registries)."""
_TRANSLATED = ipaddress.ip_network("64:ff9b::/96")
"""The addresses of IPv4, where a network translates them (RFC 6052)."""


class Deliveries:
    """Sends what has to be sent, until it is stopped."""

    def __init__(
        self, verbs: Verbs, state: WebState, *, private: bool = False, pace: float = 0.5, timeout: float = 10.0
    ) -> None:
        self._verbs = verbs
        self._state = state
        self._private = private
        self._pace = pace
        self._timeout = timeout
        self._busy: dict[str, asyncio.Task[None]] = {}
        self._stopping = asyncio.Event()
        self._stack = AsyncExitStack()

    async def run(self) -> None:
        """Look for what has to be sent, again and again."""
        async with self._stack:
            while not self._stopping.is_set():
                try:
                    await self._start()
                except ConsentryError as error:
                    LOG.warning("webhooks wait: %s", error)
                except Exception as error:
                    LOG.error("webhooks: %s", unforeseen(error))
                try:
                    async with asyncio.timeout(self._pace):
                        await self._stopping.wait()
                except TimeoutError:
                    continue
            for task in self._busy.values():
                task.cancel()
            await asyncio.gather(*self._busy.values(), return_exceptions=True)

    def stop(self) -> None:
        """Send nothing more."""
        self._stopping.set()

    async def _start(self) -> None:
        self._busy = {ident: task for ident, task in self._busy.items() if not task.done()}
        endpoints = await self._verbs(self._state.endpoints)
        if not endpoints:
            return
        head = await self._verbs(self._verbs.control.desk.parts.ledger.head)
        now = self._verbs.control.desk.parts.clock()
        for each in endpoints:
            if each.ident not in self._busy and each.position < head and each.retry_at <= now:
                self._busy[each.ident] = asyncio.create_task(self._deliver(each, head))

    async def _deliver(self, endpoint: Endpoint, head: int) -> None:
        try:
            stop = min(head, endpoint.position + _SLICE)
            for event in await self._verbs(self._events, endpoint, stop):
                sent = message(event)
                if sent is None or (endpoint.kinds and sent["type"] not in endpoint.kinds):
                    continue
                error = await self._send(endpoint, position=event.position, sent=sent)
                position = event.position if error else event.position + 1
                moved = await self._moved(endpoint, position, error=error)
                if moved is None or error:
                    return
                endpoint = moved
            if endpoint.position < stop:
                await self._moved(endpoint, stop, error="")
        except ConsentryError as error:
            LOG.warning("webhooks wait: %s", error)
        except Exception as error:
            LOG.error("webhooks: %s", unforeseen(error))

    def _events(self, endpoint: Endpoint, stop: int) -> list[Event]:
        only_open = bool(endpoint.kinds) and _PERSONAL not in endpoint.kinds
        return list(self._verbs.control.desk.parts.ledger.read(endpoint.position, stop, only_open=only_open))

    async def _moved(self, endpoint: Endpoint, position: int, *, error: str) -> Endpoint | None:
        """Write down how far it is; None: somebody moved or removed it."""
        failures = endpoint.failures + 1 if error else 0
        wait = min(_LONGEST_WAIT_S, 2**failures) if error else 0
        moved = replace(
            endpoint,
            position=position,
            failures=failures,
            retry_at=self._verbs.control.desk.parts.clock() + wait if error else 0,
            error=error,
        )
        done = await self._verbs(self._state.advance_endpoint, moved, since=endpoint.position)
        return moved if done else None

    @cached_property
    def _client(self) -> httpx2.AsyncClient:
        """Made for the first event: to read whom this machine trusts takes longer than to start everything else."""
        client = httpx2.AsyncClient(timeout=self._timeout, follow_redirects=False, trust_env=False)
        self._stack.push_async_callback(client.aclose)
        return client

    async def _send(self, endpoint: Endpoint, *, position: int, sent: dict[str, Any]) -> str:
        """Send one event; return why it did not arrive, or nothing."""
        if not endpoint.secret:
            return secret_unreadable(endpoint.ident).message
        content = json.dumps(sent, ensure_ascii=False, separators=(",", ":")).encode()
        at = self._verbs.control.desk.parts.clock()
        parts = urlsplit(endpoint.url)
        headers = {
            **signed(f"evt_{position}", content, secret=endpoint.secret, at=at),
            "host": parts.netloc,
            "content-type": "application/json",
            "user-agent": "consentry-webhooks",
        }
        try:
            # All of it together: whoever answers byte by byte, or without an end, holds up nothing. The status is all
            # that counts, so nothing else is read.
            async with asyncio.timeout(self._timeout):
                port = parts.port or (443 if parts.scheme == "https" else 80)
                address = await self._address(parts.hostname or "", port)
                host = f"[{address}]" if ":" in address else address
                netloc = host if parts.port is None else f"{host}:{parts.port}"
                url = urlunsplit((parts.scheme, netloc, parts.path or "/", parts.query, ""))
                extensions = {"sni_hostname": parts.hostname}
                asked = self._client.stream("POST", url, content=content, headers=headers, extensions=extensions)
                async with asked as answer:
                    return "" if answer.is_success else f"status {answer.status_code}"
        except (httpx2.HTTPError, OSError, ValueError) as error:
            return type(error).__name__ if not isinstance(error, _PrivateError) else "private address"

    async def _address(self, host: str, port: int) -> str:
        """Return the address of a host that may be sent to."""
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
        addresses = [str(each[4][0]) for each in found]
        if not self._private and any(map(is_private, addresses)):
            raise _PrivateError(host)
        return addresses[0]


class _PrivateError(ValueError):
    """An address in a network of one's own."""


def is_private(address: str) -> bool:
    """Say whether an address is in a network of one's own, or is none that one server sends to."""
    found = ipaddress.ip_address(address.partition("%")[0])
    mapped = getattr(found, "ipv4_mapped", None)
    real = mapped or getattr(found, "sixtofour", None) or found
    if real in _TRANSLATED:
        real = ipaddress.IPv4Address(int(real) & 0xFFFF_FFFF)
    if any(real in network for network in _NOBODYS):
        return True
    return not real.is_global or real.is_multicast or real.is_reserved or getattr(real, "is_site_local", False)


def signed(ident: str, content: bytes, *, secret: str, at: int) -> dict[str, str]:
    """Return the headers that say who sent a message, and when (Standard Webhooks, signature v1)."""
    key = base64.b64decode(secret.removeprefix(SECRET_PREFIX))
    found = hmac.new(key, f"{ident}.{at}.".encode() + content, hashlib.sha256).digest()
    return {
        "webhook-id": ident,
        "webhook-timestamp": str(at),
        "webhook-signature": f"v1,{base64.b64encode(found).decode()}",
    }


def message(event: Event) -> dict[str, Any] | None:
    """Return what is sent of an event; None: nothing is, or it was erased."""
    body, kind = event.body, KINDS.get(event.kind)
    if body is None or kind is None:
        return None
    if isinstance(body, CaseEnded) and body.how is CaseEnd.LIFTED:
        kind = LIFTED
    return {
        "type": kind,
        "timestamp": dt.datetime.fromtimestamp(event.recorded_at, dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "data": {"position": event.position, **_data(body)},
    }


def _data(body: Body) -> dict[str, Any]:
    """Return what is sent of what an event says. Of an objection: which one, and nothing else."""
    if isinstance(body, ChoiceMade):
        return _of_choice(body)
    said = body.to_json()
    return {"objection": said["objection"]} if isinstance(body, OBJECTIONS) else said


def _of_choice(body: ChoiceMade) -> dict[str, Any]:
    """Return what is sent of a choice: the pseudonym, and no single items."""
    choice = body.choice
    words: Iterable[str] = sorted(choice.categories)
    return {
        "person": body.person,
        "purpose": choice.purpose,
        "state": choice.state,
        "reach": choice.reach,
        "at": choice.at,
        "categories": list(words),
    }
