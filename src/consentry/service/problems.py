"""Errors as answers: `application/problem+json` (RFC 9457) with our stable code.

What nobody foresaw says nothing of what it was about, neither to the caller nor to the log: it can be somebody's data.
"""

from __future__ import annotations

import logging
import traceback
from http import HTTPStatus
from pathlib import Path
from urllib.parse import urlencode

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, RedirectResponse, Response
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from consentry.errors import ConsentryError, InputError, IntegrityError, NotFoundError, StateError, UnavailableError
from consentry.exhausted import disk_full, no_room
from consentry.service.logs import REQUEST
from consentry.service.problem_words import PROBLEMS, read_in_vain
from consentry.service.request_words import misfit
from consentry.service.site import RETRY_S, away, page, wants_page

LOG = logging.getLogger("consentry.service")
_SOURCE = Path(__file__).parents[1]
_SHOWN = 200

_BY_CODE = {
    "lease-not-yours": 403,
    "serve-token-wrong": 401,
    "serve-body-too-large": 413,
    "serve-body-too-slow": 408,
    "serve-media-type": 415,
    "access-unknown": 401,
    "idempotency-other": 422,
    "access-denied": 403,
    "account-elsewhere": 409,
    "sign-in-busy": 503,
    "access-other-site": 403,
    "platform-unknown-host": 421,
}
_BY_KIND: tuple[tuple[type[ConsentryError], int], ...] = (
    (NotFoundError, 404),
    (UnavailableError, 503),
    (StateError, 409),
    (InputError, 422),
    (IntegrityError, 500),
)
_OF_HTTP = {
    400: ("serve-malformed", "the request cannot be understood"),
    404: ("serve-no-such-address", "nothing is at this address"),
    405: ("serve-method", "this address takes another method"),
}


def status_of(error: ConsentryError) -> int:
    """Return the status of the answer that an error becomes."""
    kinds = (status for kind, status in _BY_KIND if isinstance(error, kind))
    return _BY_CODE.get(error.code) or next(kinds, 500)


def require_refusal(error: ConsentryError) -> None:
    """Raise an error that no other input mends: a store that does not answer, or what is damaged.

    It is an answer of its own. Shown with a form it would read as if what was typed were wrong.
    """
    if status_of(error) >= HTTPStatus.INTERNAL_SERVER_ERROR:
        raise error


def answer(error: ConsentryError, status: int | None = None) -> JSONResponse:
    """Return an error as an answer."""
    found = status or status_of(error)
    # After what did not come in time nobody knows where the next request would begin.
    headers = {401: {"WWW-Authenticate": "Bearer"}, 408: {"Connection": "close"}, 503: {"Retry-After": RETRY_S}}
    body = {
        "type": "about:blank",
        "status": found,
        "title": error.message,
        "detail": error.help,
        "code": error.code,
        "request_id": REQUEST.get(),
    }
    return JSONResponse(body, found, headers=headers.get(found), media_type="application/problem+json")


def install(app: FastAPI) -> None:
    """Make every error of an application an answer of this form."""
    app.add_exception_handler(ConsentryError, ours)
    app.add_exception_handler(RequestValidationError, malformed)
    app.add_exception_handler(HTTPException, _of_http)
    app.add_middleware(Unforeseen)


async def ours(request: Request, error: Exception) -> Response:
    """Answer one of our errors."""
    assert isinstance(error, ConsentryError)
    return _shown(request, error)


def outside(scope: Scope, error: ConsentryError) -> Response:
    """Return an error for a request that no address was found for: a page to somebody with a browser, as elsewhere."""
    if "app" not in scope:
        return answer(error)
    try:
        return _shown(Request(scope), error)
    except Exception as another:
        LOG.error("%s", unforeseen(another))
        return answer(error)


def _shown(request: Request, error: ConsentryError, status: int | None = None) -> Response:
    """Return an error as a page to somebody with a browser, else as a document."""
    if not wants_page(request):
        return answer(error, status)
    found = status or status_of(error)
    if found == HTTPStatus.UNAUTHORIZED and _is_of_member(request):
        # They have no password here: the platform sends them again.
        return away(request, status=found)
    if found == HTTPStatus.UNAUTHORIZED and request.method == "GET":
        return RedirectResponse(f"/sign-in?{urlencode({'next': request.url.path})}", HTTPStatus.SEE_OTHER)
    plain = PROBLEMS.get(error.code)
    if request.method in ("GET", "HEAD"):
        error, plain = read_in_vain(error)
    return page(request, "problem.html", status=found, error=error, plain=plain, reason=found, problem=None)


def _is_of_member(request: Request) -> bool:
    return request.url.path == "/me" or request.url.path.startswith("/me/")


async def malformed(request: Request, error: Exception) -> Response:
    """Answer that a request does not fit what its address takes."""
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    # What was given is not repeated.
    place = ".".join(str(part) for part in first["loc"])[:_SHOWN]
    return _shown(
        request,
        InputError(
            "serve-malformed",
            f"the request does not fit: `{place}` {misfit(first)[:_SHOWN]}",
            help="/docs says what each request holds",
        ),
    )


async def _of_http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    code, message = _OF_HTTP.get(error.status_code, ("serve-malformed", "the request cannot be answered"))
    problem = ConsentryError(code, message, help="/docs lists the requests")
    shown = _shown(request, problem, error.status_code)
    shown.headers.update(error.headers or {})
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        shown.headers["allow"] = ", ".join(_methods_of(request))
    return shown


def _methods_of(request: Request) -> list[str]:
    """Return the methods that an address takes. The framework names only those of one handler."""
    path = request.url.path
    fit = [route for route in request.app.state.addresses if route.path_regex.match(path)]
    # What is meant by its very name is not meant as the value of a parameter.
    named = [route for route in fit if route.path == path] or fit
    also = {"HEAD"} if path in request.app.state.looked_at else set()
    return sorted({method for route in named for method in route.methods} | also)


def unforeseen(error: Exception) -> ConsentryError:
    """Return the error that is shown for one that nobody foresaw: where it was, and of what kind."""
    if (found := no_room(error) or disk_full(error)) is not None:
        return found
    frames = traceback.extract_tb(error.__traceback__)
    place = [each for each in frames if _SOURCE in Path(each.filename).parents or not each.filename][-1:]
    where = f" in `{Path(place[0].filename).name}:{place[0].lineno}`" if place else ""
    return ConsentryError(
        "internal-error",
        f"unexpected `{type(error).__name__}`{where}",
        help="this is a mistake in the program: report it",
    )


class Unforeseen:
    """Middleware: what nobody foresaw becomes an answer, and a line in the log that names no data."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: D102
        begun = False

        async def sending(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self.app(scope, receive, sending)
        except Exception as error:
            if scope["type"] != "http":
                raise
            shown = unforeseen(error)
            LOG.error("%s", shown)
            if not begun:
                await outside(scope, shown)(scope, receive, send)
