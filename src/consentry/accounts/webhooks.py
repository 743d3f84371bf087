"""Endpoints of webhooks: where events are sent, which kinds, and signed with which secret."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Callable
from dataclasses import replace
from urllib.parse import urlsplit

from consentry.accounts.web_state import SECRET_PREFIX, Endpoint, ManagedEndpoints
from consentry.errors import InputError, NotFoundError

KINDS = {
    "choice.made": "choice.recorded",
    "order.issued": "order.issued",
    "order.drained": "order.drained",
    "order.ended": "order.ended",
    "case.opened": "case.opened",
    "case.ended": "case.ended",
    "notice.served": "notice.served",
    "policy.published": "policy.published",
    "release.sealed": "release.sealed",
    "release.amended": "release.amended",
    "release.withdrawn": "release.withdrawn",
    "model.registered": "model.registered",
    "model.remedied": "model.remedied",
    "model.withdrawn": "model.withdrawn",
    "objection.received": "objection.received",
    "objection.taken": "objection.taken",
    "objection.asked": "objection.asked",
    "objection.heard": "objection.heard",
    "objection.extended": "objection.extended",
    "objection.matched": "objection.matched",
    "objection.not-found": "objection.not-found",
    "objection.declined": "objection.declined",
    "objection.withdrawn": "objection.withdrawn",
    "policy.proposed": "policy.proposed",
    "report.scheduled": "report.scheduled",
    "report.delivered": "report.delivered",
    "statement.filed": "statement.filed",
}
"""What is sent, by the kind of the event. A case that ends by being lifted is `case.lifted`.

Notes that staff write about an objection for each other are not sent.
"""
LIFTED = "case.lifted"
SENT = frozenset({*KINDS.values(), LIFTED})
_BYTES, _LONGEST = 32, 2000


class Webhooks:
    """The endpoints of one deployment."""

    def __init__(self, store: ManagedEndpoints, *, clock: Callable[[], int]) -> None:
        self._store = store
        self._clock = clock

    def add(self, url: str, *, kinds: frozenset[str], by: str, position: int) -> Endpoint:
        """Send events from `position` on to an address.

        Raises:
            InputError: an address that cannot be sent to, or a kind that is not sent.
        """
        _check_url(url)
        unknown = kinds - SENT
        if unknown:
            raise InputError("webhook-kind", f"`{min(unknown)}` is not sent", help=f"kinds: {', '.join(sorted(SENT))}")
        made = Endpoint(
            ident=secrets.token_hex(4),
            url=url,
            kinds=kinds,
            secret=_new_secret(),
            made_by=by,
            made_at=self._clock(),
            position=position,
        )
        self._store.put_endpoint(made)
        return made

    def all(self) -> list[Endpoint]:
        """Return every endpoint, oldest first."""
        return self._store.endpoints()

    def remove(self, ident: str) -> None:
        """Send nothing more to an endpoint.

        Raises:
            NotFoundError: there is none.
        """
        if not self._store.remove_endpoint(ident):
            raise _unknown(ident)

    def exchange(self, ident: str) -> Endpoint:
        """Sign what is sent to an endpoint with a new secret from now on. What waits goes on waiting, and is sent.

        Raises:
            NotFoundError: there is none.
        """
        if not self._store.exchange_secret(ident, _new_secret()):
            raise _unknown(ident)
        return self.get(ident)

    def get(self, ident: str) -> Endpoint:
        """Return an endpoint.

        Raises:
            NotFoundError: there is none.
        """
        found = next((each for each in self._store.endpoints() if each.ident == ident), None)
        if found is None:
            raise _unknown(ident)
        return found

    def replay(self, ident: str, *, position: int) -> Endpoint:
        """Send everything from a position on once more. Receivers know again what they had: its id is the same.

        Raises:
            NotFoundError: there is no such endpoint.
        """
        moved = replace(self.get(ident), position=position, failures=0, retry_at=0, error="")
        self._store.put_endpoint(moved)
        return moved


def _new_secret() -> str:
    return SECRET_PREFIX + base64.b64encode(secrets.token_bytes(_BYTES)).decode()


def _check_url(url: str) -> None:
    try:
        parts = urlsplit(url)
        good = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        good = False
    if not good or parts.username or parts.password or parts.fragment or len(url) > _LONGEST or not url.isascii():
        raise InputError(
            "webhook-url",
            "this is no address that events can be sent to",
            help="give an http or https address without a name, a password or a `#` in it",
        )


def _unknown(ident: str) -> NotFoundError:
    return NotFoundError("webhook-unknown", f"no webhook `{ident}`", help="list them: consentry webhook list")
