"""The description of the interface (OpenAPI 3.1), and a page that shows it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import cache
from typing import Any

from fastapi import APIRouter, Depends, FastAPI, Request
from fastapi.openapi.utils import get_openapi
from fastapi.responses import Response
from pydantic.json_schema import models_json_schema

from consentry import __version__
from consentry.accounts.access import Action
from consentry.service.api import choices, decisions
from consentry.service.gate import COOKIE, Needs, actions_of
from consentry.service.site import page

ROUTER = APIRouter(dependencies=[Depends(Needs(Action.ANYONE))], include_in_schema=False)
PARTS = ("/v1/", "/access/", "/.well-known/authzen", "/healthz", "/readyz", "/version", "/metrics")
_OPEN = frozenset({Action.ANYONE})
_ABOUT = (
    "Errors are problem documents (RFC 9457): go by `code`. Times are seconds since 1970 (UTC). Lists page by `limit` "
    "and `after`. Writes that take an `Idempotency-Key` can be sent again."
)
_PROBLEM = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
_HOLDER = "leaseSecret"


@ROUTER.get("/openapi.json")
async def document(request: Request) -> Response:
    """Return the description of the interface."""
    return Response(json.dumps(described(request.app), sort_keys=True), media_type="application/json")


@ROUTER.get("/docs")
def show(request: Request) -> Response:
    """Show the description."""
    return page(request, "api.html", document=described(request.app), nouns=_nouns(described(request.app)))


@cache
def described(app: FastAPI) -> dict[str, Any]:
    """Return the description of the interface of an application."""
    routes = [each for each in app.state.addresses if each.path.startswith(PARTS)]
    found = get_openapi(
        title="Consentry", version=__version__, openapi_version="3.1.0", description=_ABOUT, routes=routes
    )
    _, extra = models_json_schema(
        [(model, "validation") for model in (*decisions.DESCRIBED, *choices.DESCRIBED)],
        ref_template="#/components/schemas/{model}",
    )
    schemas = found["components"]["schemas"]
    for name, schema in extra["$defs"].items():
        schemas.setdefault(name, schema)
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    for schema in schemas.values():
        for field in schema.get("properties", {}).values():
            # Said twice it counts once: that is not refused.
            field.pop("uniqueItems", None)
    found["components"]["securitySchemes"] = {
        "key": {"type": "http", "scheme": "bearer", "description": "An API key, or the token of workloads."},
        "session": {"type": "apiKey", "in": "cookie", "name": COOKIE},
        _HOLDER: {"type": "http", "scheme": "bearer", "description": "The secret of the lease."},
    }
    for route in routes:
        for method in route.methods:
            _complete(found["paths"][route.path_format][method.lower()], actions_of(route), route.path)
    return found


def _complete(operation: dict[str, Any], actions: set[Action], path: str) -> None:
    """Add what every address has: the errors that can be anywhere, and who may ask."""
    responses = operation["responses"]
    if "HTTPValidationError" in str(responses.get("422")):
        del responses["422"]
    general = {"405": "serve-method", "500": "internal-error", "503": "ledger-unavailable"}
    takes_key = any(each["name"] == "Idempotency-Key" for each in operation.get("parameters", ()))
    general |= {"422": "serve-malformed idempotency-other" if takes_key else "serve-malformed"}
    if "requestBody" in operation:
        general |= {
            "408": "serve-body-too-slow",
            "413": "serve-body-too-large",
            "415": "serve-media-type",
        }
    if not actions <= _OPEN:
        general |= {"401": "access-unknown serve-token-wrong", "403": "access-denied"}
        operation["security"] = [{_HOLDER: []}] if actions == {Action.HOLDER} else [{"key": []}, {"session": []}]
    if "{" in path:
        general |= {"404": "serve-no-such-address"}
    for status, codes in general.items():
        words = f"`{'`, `'.join(codes.split())}`"
        if status in responses:
            known = responses[status]["description"]
            responses[status]["description"] = known if words in known else f"{known}, {words}"
        else:
            responses[status] = {"description": words, "content": _PROBLEM}
    operation["x-consentry-actions"] = sorted(actions)


def _nouns(document: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """Return the addresses by noun, for the page."""
    found: dict[str, list[dict[str, Any]]] = {}
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            noun = (operation.get("tags") or ["other"])[0]
            found.setdefault(noun, []).append(
                {
                    "method": method.upper(),
                    "path": path,
                    "summary": operation.get("description") or operation["summary"],
                    "actions": operation["x-consentry-actions"],
                    "given": _schema_name(operation.get("requestBody", {}).get("content", {})),
                    "answers": [
                        (status, _schema_name(each.get("content", {})), each["description"])
                        for status, each in sorted(operation["responses"].items())
                    ],
                }
            )
    return found


def _schema_name(content: dict[str, Any]) -> str:
    names: Iterable[str] = (each.get("schema", {}).get("$ref", "") for each in content.values())
    return next((name.rpartition("/")[2] for name in names if name), "")
