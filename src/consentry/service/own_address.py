"""By which address people reach this server: `site_url` says it, and a request only where it cannot mislead anybody.

Whoever asks writes any `Host` they like, and what is made of it may be kept, shown or followed by others. Without
`site_url` believed are loopback, the very address of the socket that was asked, and the host of a platform where
several are served, which the request had to name to come this far.
"""

from __future__ import annotations

import ipaddress
from contextlib import suppress
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.types import Scope

_LOCALHOST = "localhost"


class _Named(NamedTuple):
    host: str
    port: int | None


def address_of(request: Request) -> str | None:
    """Return the address of this server, without a slash at its end; None: nobody said it."""
    state = request.app.state
    site: str = state.deployment.settings.site_url
    if site:
        return site.rstrip("/")
    asked = request.headers.get("host", "")
    named = _named(asked)
    if named is None or not (_is_of_this_machine(named, request.scope) or named.host == state.host):
        return None
    return f"{request.url.scheme}://{asked}"


def sent_from_here(origin: str, scope: Scope, *, site_url: str) -> bool:
    """Say whether a page of this server sent a request, by the `Origin` that came with it.

    Where the scheme is known it counts: that of `site_url`, or of the socket whose port was asked. Behind a proxy that
    nobody told this server of it is not: what came to the proxy with TLS comes to us without.
    """
    host = Headers(scope=scope).get("host", "")
    try:
        said, site = urlsplit(origin), urlsplit(site_url)
    except ValueError:
        return False
    if not host or said.netloc != host:
        return False
    if said.netloc == site.netloc:
        return said.scheme == site.scheme
    named = _named(host)
    is_direct = named is not None and named.port is not None and named.port == _listening(scope)[1]
    return said.scheme == scope["scheme"] if is_direct else said.scheme in {"http", "https"}


def _named(host: str) -> _Named | None:
    with suppress(ValueError):
        found = urlsplit(f"//{host}")
        if found.netloc == host and found.hostname and found.username is None:
            return _Named(found.hostname, found.port)
    return None


def _is_of_this_machine(named: _Named, scope: Scope) -> bool:
    if named.host == _LOCALHOST:
        return True
    with suppress(ValueError):
        address, (own, port) = ipaddress.ip_address(named.host), _listening(scope)
        return address.is_loopback or (str(address) == own and named.port == port)
    return False


def _listening(scope: Scope) -> tuple[Any, Any]:
    """Return address and port of the socket that was asked."""
    found: tuple[Any, Any] | None = scope.get("server")
    return found or (None, None)
