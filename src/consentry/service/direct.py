"""Addresses that are asked before every use: found by their very name, and answered without the framework in between.

They are described, listed and guarded like any other, and pass the same bounds, the same shield and the same figures.
What is left out is what takes longest: the search for a route, and the solving of dependencies.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterable
from typing import Any, ClassVar, TypeVar, cast

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from fastapi.routing import APIRoute
from pydantic import BaseModel, ValidationError
from starlette.types import ASGIApp, Receive, Scope, Send

from consentry.errors import ConsentryError
from consentry.service.bodies import JSON
from consentry.service.gate import Needs
from consentry.service.problems import malformed, ours

Handler = Callable[[Request], Coroutine[Any, Any, Response]]
_Model = TypeVar("_Model", bound=BaseModel)


class DirectRoute(APIRoute):
    """An address whose function takes the request and reads it itself: `read`."""

    handled: ClassVar[frozenset[Callable[..., Any]]] = frozenset()
    """Dependencies that somebody else sees to."""

    def get_route_handler(self) -> Handler:
        """Return what answers.

        Raises:
            TypeError: it depends on something that nobody would ask. That is a mistake in the program.
        """
        for each in self.dependant.dependencies:
            if each.dependencies or not (isinstance(each.call, Needs) or each.call in self.handled):
                raise TypeError(f"{self.path} depends on what is not asked here: {each.call}")
        guards = [each.call for each in self.dependant.dependencies if isinstance(each.call, Needs)]
        endpoint = cast("Handler", self.endpoint)

        async def handle(request: Request) -> Response:
            for guard in guards:
                await guard(request)
            return await endpoint(request)

        return handle


class Direct:
    """Middleware, the innermost: what is sent to one of these addresses is answered here, all else behind it."""

    def __init__(self, app: ASGIApp, *, routes: Iterable[DirectRoute]) -> None:
        self.app = app
        self._found = {
            (method, route.path): (route, route.get_route_handler())
            for route in routes
            for method in route.methods or ()
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: D102
        found = self._found.get((scope["method"], scope["path"])) if scope["type"] == "http" else None
        if found is None:
            await self.app(scope, receive, send)
            return
        scope["route"], handle = found
        request = Request(scope, receive)
        try:
            answer = await handle(request)
        except ConsentryError as error:
            answer = await ours(request, error)
        except RequestValidationError as error:
            answer = await malformed(request, error)
        await answer(scope, receive, send)


def read(model: type[_Model], request: Request) -> _Model:
    """Return what a request says.

    Raises:
        RequestValidationError: it does not fit.
    """
    try:
        return model.model_validate(request.scope.get(JSON))
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False)
        raise RequestValidationError([{**each, "loc": ("body", *each["loc"])} for each in found]) from None


def takes(model: type[BaseModel]) -> dict[str, Any]:
    """Return what the description of an address says of the body that its function reads itself."""
    schema = {"$ref": f"#/components/schemas/{model.__name__}"}
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}
