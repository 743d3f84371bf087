"""What every answer says to browsers, and what a browser may send from another site: nothing that changes anything.

Sources: Content Security Policy Level 3; Fetch Metadata Request Headers; OWASP ASVS 5, chapters 3.4 and 3.5.
"""

from __future__ import annotations

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from consentry.errors import StateError
from consentry.served_form import FORM_PATH
from consentry.service.own_address import sent_from_here
from consentry.service.problems import outside

POLICY = "; ".join(
    (
        "default-src 'none'",
        "style-src 'self'",
        "script-src 'self'",
        "img-src 'self' data:",
        "font-src 'self'",
        "connect-src 'self'",
        "object-src 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
    )
)
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_ALWAYS = (
    (b"content-security-policy", POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), microphone=(), geolocation=()"),
    (b"strict-transport-security", b"max-age=31536000; includeSubDomains"),
    (b"cache-control", b"no-store"),
)
"""Unless an answer says something else."""


class Shield:
    """Middleware: security headers on every answer, and no change by a page of another site."""

    def __init__(self, app: ASGIApp, *, site_url: str = "") -> None:
        self.app = app
        self.site_url = site_url

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: D102
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                said = {name.lower() for name, _ in message["headers"]}
                message["headers"] = [*message["headers"], *(each for each in _ALWAYS if each[0] not in said)]
            await send(message)

        if scope["method"] not in _SAFE and not _for_anybody(scope["path"]) and not self._comes_from_here(scope):
            refusal = StateError(
                "access-other-site",
                "a page of another site sent this",
                help="open the page here and send the form from there",
            )
            await outside(scope, refusal)(scope, receive, sending)
            return
        await self.app(scope, receive, sending)

    def _comes_from_here(self, scope: Scope) -> bool:
        """Say whether a request that changes something was sent by one of our pages, or by no browser at all."""
        headers = Headers(scope=scope)
        site = headers.get("sec-fetch-site")
        if site is not None:
            return site in {"same-origin", "none"}
        origin = headers.get("origin")
        if origin is not None:
            return sent_from_here(origin, scope, site_url=self.site_url)
        # Every browser of the last five years sends one of the two with a form. A program has no cookie.
        return "cookie" not in headers


def _for_anybody(path: str) -> bool:
    """Say whether what is sent there does the same whoever sends it, so that no page can abuse anybody's session.

    Objections are: no cookie is looked at. Over plain HTTP some browsers say `Origin: null` for our own form, and an
    objection that is refused counts for more than one that another site has sent.
    """
    return path == FORM_PATH or path.startswith(f"{FORM_PATH}/")
