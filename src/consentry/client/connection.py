"""A connection to a Consentry server: who is asking, tries, pages of lists, and refusals as errors."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator, Mapping
from types import TracebackType
from typing import Any, Self

import httpx2

from consentry.errors import ConsentryError, UnavailableError

Json = dict[str, Any]
Query = Mapping[str, str | list[str]]
_TRIES, _FIRST_WAIT_S = 4, 0.2
_AGAIN = frozenset({502, 503, 504})
_COOKIE = "__Host-consentry"


class RefusedError(ConsentryError):
    """The server refused. `code` is its code, `status` the status of the answer."""

    def __init__(self, status: int, problem: Mapping[str, Any]) -> None:
        super().__init__(
            str(problem.get("code", "serve-no-answer")),
            str(problem.get("title", f"the server answered with status {status}")),
            help=str(problem.get("detail", "is this a Consentry server?")),
        )
        self.status = status


class Connection:
    """A connection to a server. Several threads may share one.

    Args:
        url: of the server.
        key: an API key, or the token of workloads. It is a program, and agrees to nothing that takes two people.
        session: instead of a key, the cookie of somebody who signed in: what is done is done by them.
        timeout: seconds for each try.
        transport: for tests: what carries requests.
    """

    def __init__(
        self,
        url: str,
        *,
        key: str = "",
        session: str = "",
        timeout: float = 10.0,
        transport: httpx2.BaseTransport | None = None,
    ) -> None:
        shown = {"authorization": f"Bearer {key}"} if key else {}
        if session:
            # The server takes a cookie for a change from its own pages only; a program says that it is none of another.
            shown |= {"cookie": f"{_COOKIE}={session}", "sec-fetch-site": "none"}
        headers = {**shown, "accept": "application/json"}
        self._http = httpx2.Client(base_url=url, headers=headers, timeout=timeout, transport=transport)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the connections."""
        self._http.close()

    def _rows(self, path: str, name: str, query: Query | None = None) -> Iterator[Json]:
        after: str | None = None
        while True:
            part = self._get(path, {**(query or {}), "limit": "1000", **({} if after is None else {"after": after})})
            yield from part[name]
            after = part["next"]
            if after is None:
                return

    def _get(self, path: str, query: Query | None = None) -> Json:
        return self._ask("GET", path, params=dict(query or {}))

    def _file(self, path: str, query: Query | None = None) -> bytes:
        return self._answer("GET", path, params=dict(query or {})).content

    def _post(self, path: str, body: Json) -> Json:
        return self._ask("POST", path, json=body)

    def _once(self, path: str, body: Json) -> Json:
        return self._ask("POST", path, tries=1, json=body)

    def _write(self, path: str, body: Json, **more: Any) -> Json:
        return self._ask("POST", path, json=body, headers={"idempotency-key": str(uuid.uuid4())}, **more)

    def _ask(self, method: str, path: str, **more: Any) -> Json:
        found: Json = self._answer(method, path, **more).json()
        return found

    def _answer(self, method: str, path: str, *, tries: int = _TRIES, **more: Any) -> httpx2.Response:
        for left in reversed(range(tries)):
            try:
                answer = self._http.request(method, path, **more)
            except httpx2.TransportError as error:
                if not left:
                    raise UnavailableError(
                        "serve-no-answer", f"no answer from the server: {type(error).__name__}", help="is it running?"
                    ) from None
            else:
                if answer.is_success:
                    return answer
                if answer.status_code not in _AGAIN or not left:
                    raise RefusedError(answer.status_code, _problem(answer))
            time.sleep(_FIRST_WAIT_S * 2 ** (tries - 1 - left))
        raise AssertionError("unreachable")


def _problem(answer: httpx2.Response) -> Mapping[str, Any]:
    try:
        found = answer.json()
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
