"""Idempotency keys: a write that is sent again, because its answer got lost, is answered again and done once.

`Idempotency-Key` as the IETF draft draft-ietf-httpapi-idempotency-key-header has it. The answer is kept for a day,
under who asked, where, and the key. Only what succeeded is kept: what was refused changed nothing. A secret in an
answer is not kept: the second time it is null.

If the server is killed between doing and noting it, nobody knows: the key then says so, and nothing is done twice.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Annotated, Any

from fastapi import Depends, Header, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException

from consentry.accounts.account import digest_of
from consentry.accounts.admission import Admission
from consentry.accounts.web_state import KeptAnswer
from consentry.digests import canonical_json
from consentry.errors import ConflictError, ConsentryError, InputError, UnavailableError
from consentry.service.gate import COOKIE, actions_of, recognise, shown_by
from consentry.service.request_words import form
from consentry.service.verbs import Verbs

_UNKNOWN = "ledger-outcome-unknown"
"""Then it may have been done: the key is kept, and says that nobody knows."""
HEADER = "idempotency-key"
_WRONG = "must be 1 to 200 printable characters of ASCII, without a space"
_KEY = re.compile(form(r"^[!-~]{1,200}$", _WRONG))
_REPLAYED = {"idempotency-replayed": "true"}


_Key = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        pattern=_KEY.pattern,
        description="Of your own choice, another one for each request: sent again with it, it is done once.",
    ),
]


class Keyed:
    """Stands in the description of an address that takes a key. The key is read by `Once`.

    Args:
        not_kept: the field of its answer that is a secret, if one is.
    """

    def __init__(self, *, not_kept: str = "") -> None:
        self.not_kept = not_kept

    async def __call__(self, key: _Key = None) -> None:  # noqa: D102, ARG002 - only described here
        return


PLAIN = Keyed()
KEY = Depends(PLAIN)
"""Of an address that takes an idempotency key."""


class Once(APIRoute):
    """An address that takes an idempotency key, if it depends on `KEY`. The key is checked here."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:  # noqa: D102
        plain = super().get_route_handler()
        keyed = next((each.call for each in self.dependant.dependencies if isinstance(each.call, Keyed)), None)
        if keyed is None:
            return plain
        actions = actions_of(self)

        async def handle(request: Request) -> Response:
            key = request.headers.get(HEADER)
            if key is None:
                return await plain(request)
            who = await recognise(request)
            if not who.is_known or not all(map(who.may, actions)):
                return await plain(request)
            if not _KEY.fullmatch(key):
                raise RequestValidationError([{"loc": ("header", "Idempotency-Key"), "msg": _WRONG}])
            return await _once(request, key, plain, not_kept=keyed.not_kept)

        return handle


async def _once(
    request: Request, key: str, plain: Callable[[Request], Coroutine[Any, Any, Response]], *, not_kept: str
) -> Response:
    verbs: Verbs = request.app.state.verbs
    admission: Admission = request.app.state.admission
    clock = verbs.control.desk.parts.clock
    shown = shown_by(request) or request.cookies.get(COOKIE, "")
    name = digest_of("\0".join((digest_of(shown), request.method, request.url.path, key)))
    # By a key that is not stored: what somebody wrote could be guessed from a plain digest of it.
    said = await request.body() + b"\0" + request.url.query.encode()
    asked = hmac.new(shown.encode(), said, hashlib.sha256).hexdigest()
    kept = await verbs(admission.web.begin, name, request=asked, now=clock())
    if kept is not None:
        return _again(kept, asked)
    try:
        answer = await plain(request)
    except (ConsentryError, RequestValidationError, HTTPException) as error:
        if getattr(error, "code", "") != _UNKNOWN:
            await verbs(admission.web.forget, name)
        raise
    if answer.status_code >= 400:
        await verbs(admission.web.forget, name)
        return answer
    found = KeptAnswer(
        request=asked,
        status=answer.status_code,
        kind=answer.headers.get("content-type", ""),
        content=_without(not_kept, bytes(answer.body)),
    )
    # It is done, so it is said. Where that cannot be noted, the key goes on saying that nobody knows.
    with suppress(UnavailableError):
        await verbs(admission.web.finish, name, found)
    return answer


def _without(name: str, content: bytes) -> bytes:
    return canonical_json({**json.loads(content), name: None}) if name else content


def _again(kept: KeptAnswer, asked: str) -> Response:
    if kept.request != asked:
        raise InputError(
            "idempotency-other",
            "another request was sent with this idempotency key",
            help="use a new key for each request, and the same only to send the same again",
        )
    if kept.status is None:
        raise ConflictError(
            "idempotency-running",
            "a request with this idempotency key is being answered, or was when the server stopped",
            help="try again in a moment; if it stays so, look whether it was done before you use another key",
        )
    return Response(kept.content, kept.status, headers={**_REPLAYED, "content-type": kept.kind})
