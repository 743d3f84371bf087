"""Who may ask: workloads by the token in `keys/workload.token`, the holder of a lease by its secret.

The token lets a job ask for leases and see all of them. It is made when a home is served for the first time; to change
it, remove the file and start the server again. Secrets of leases are kept as digests, in the ledger.

`consentry jobs` shows a token of its own, from `serve.json`: new at each start, and good for looking only. An address
that was left behind may be somebody else's by now, and that one learns nothing that opens anything.
"""

from __future__ import annotations

import hmac
import secrets
from pathlib import Path
from typing import Annotated

from fastapi import Header, Request

from consentry.accounts.account import NOBODY, Principal
from consentry.durable import replace_file
from consentry.errors import IntegrityError, StateError
from consentry.service.gate import COOKIE, NeedsAll, recognise, shown_by

TOKEN_FILE = "workload.token"  # noqa: S105 - the name of a file
_BYTES, _SHORTEST = 32, 20
_SCHEME = "bearer "


def workload_token(keys: Path) -> str:
    """Return the token of workloads, made at first use and readable by its owner only.

    Raises:
        IntegrityError: the file holds none.
    """
    path = keys / TOKEN_FILE
    if not path.exists():
        replace_file(path, secrets.token_urlsafe(_BYTES).encode(), mode=0o600)
    token = path.read_text("ascii", "replace").strip()
    if len(token) < _SHORTEST or not token.isascii():
        raise IntegrityError(
            "serve-token-damaged",
            f"`{TOKEN_FILE}` holds no token",
            help="remove it: a new one is made, and jobs have to be given it",
        )
    return token


async def shown(authorization: Annotated[str, Header()] = "") -> str:
    """Return what a request shows: the token or secret behind `Authorization: Bearer`.

    Raises:
        StateError: it shows nothing.
    """
    if not authorization.lower().startswith(_SCHEME) or not authorization[len(_SCHEME) :].strip():
        raise wrong("the request shows no token")
    return authorization[len(_SCHEME) :].strip()


def view_token() -> str:
    """Return a new token that only shows the leases, and only as long as this server runs."""
    return secrets.token_urlsafe(_BYTES)


class Program(NeedsAll):
    """Lets programs through that may do something, and tells others which token they have to show."""

    async def __call__(self, request: Request) -> Principal:  # noqa: D102
        given = request.headers.get("authorization", "")
        if given or not request.cookies.get(COOKIE):
            await shown(given)
        found = request.state.principal = await recognise(request)
        if not found.is_known:
            raise wrong("the request shows another token than this server's")
        return await super().__call__(request)


class Viewing(Program):
    """Lets whoever shows the token of `serve.json` through as well: it is good for looking only."""

    async def __call__(self, request: Request) -> Principal:  # noqa: D102
        given = shown_by(request)
        if given and hmac.compare_digest(given.encode(), request.app.state.view.encode()):
            return NOBODY
        return await super().__call__(request)


def wrong(message: str) -> StateError:
    """Return the error for a token that does not open anything."""
    return StateError(
        "serve-token-wrong", message, help="send `Authorization: Bearer TOKEN`, with the token in keys/workload.token"
    )
