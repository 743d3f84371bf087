"""A connection to a Consentry server: who is asking, tries, pages of lists, and refusals as errors."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator, Mapping
from types import TracebackType
from typing import Any, Self, TypeVar
from urllib.parse import quote

import httpx2

from consentry.errors import ConsentryError, InputError, UnavailableError

_A = TypeVar("_A")
"""What an answer is: a type of `answers.py`, `model_answers.py`, `oversight_answers.py` or `staff_answers.py`."""
Json = dict[str, Any]
Query = Mapping[str, str | list[str]]
_TRIES, _FIRST_WAIT_S, _LONGEST_WAIT_S = 4, 0.2, 5.0
_PATIENCE_S = 30.0
"""For how long a write is asked about that a try of our own may have begun; longer if a try may take longer."""
_MOST_ASKED_WAIT_S = 60.0
"""A server that says `Retry-After` a longer time is not asked again."""
_AGAIN = frozenset({502, 503, 504})
_OF_PROXIES = frozenset({502, 504})
_UNKNOWN, _RUNNING = "ledger-outcome-unknown", "idempotency-running"
_NOTHING_SENT = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout)
_COOKIE = "__Host-consentry"


class RefusedError(ConsentryError):
    """The server refused. `code` is its code, `status` the status of the answer, `detail` what to do about it."""

    def __init__(self, status: int, problem: Mapping[str, Any]) -> None:
        super().__init__(
            str(problem.get("code", "serve-no-answer")),
            str(problem.get("title", f"the server answered with status {status}")),
            help=str(problem.get("detail", "is this a Consentry server?")),
        )
        self.status = status

    @property
    def detail(self) -> str:
        """What the server says to do about it; the same as `help`."""
        return self.help


class OutcomeUnknownError(ConsentryError):
    """A write may have been done, or not: read, then decide. The client does not send it again.

    `code` says how that came: `ledger-outcome-unknown` (the server does not know), `idempotency-running` (it did not
    say in time, or was stopped in between), `serve-no-answer` (the request may have arrived, and no answer came).
    """

    def __init__(self, code: str, why: str) -> None:
        super().__init__(
            code,
            f"it is not known whether this was done: {why}",
            help="read whether it was done, then decide; sent again by another call it may be done twice",
        )


class Connection:
    """A connection to a server. Several threads may share one.

    Args:
        url: of the server.
        key: an API key, or the token of workloads. It is a program, and agrees to nothing that takes two people.
        session: instead of a key, the cookie of somebody who signed in: what is done is done by them.
        timeout: seconds for each try. A write that takes longer is waited for as long again, 30 seconds at least.
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
        self._timeout_s = timeout
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

    def _rows(self, path: str, name: str, _row: type[_A], *, query: Query | None = None) -> Iterator[_A]:
        after: str | None = None
        while True:
            asked = {**(query or {}), "limit": "1000", **({} if after is None else {"after": after})}
            part: Json = self._get(path, dict, asked)
            rows: list[_A] = part[name]
            yield from rows
            after = part["next"]
            if after is None:
                return

    def _get(self, path: str, answer: type[_A], query: Query | None = None) -> _A:
        return self._ask("GET", path, answer, params=dict(query or {}))

    def _file(self, path: str, query: Query | None = None) -> bytes:
        return self._answer("GET", path, params=dict(query or {})).content

    def _post(self, path: str, answer: type[_A], body: Json) -> _A:
        return self._ask("POST", path, answer, json=body)

    def _write(self, path: str, answer: type[_A], body: Json, **more: Any) -> _A:
        key = {"idempotency-key": str(uuid.uuid4())}
        return self._ask("POST", path, answer, write=True, json=body, headers=key, **more)

    def _ask(self, method: str, path: str, _answer: type[_A], **more: Any) -> _A:
        """Return an answer, which is what the server's description says: it is not looked through again here."""
        found: _A = self._answer(method, path, **more).json()
        return found

    def _answer(self, method: str, path: str, *, write: bool = False, **more: Any) -> httpx2.Response:
        asking = _Asking(write=write, tries=_TRIES, patience_s=max(_PATIENCE_S, more.get("timeout", self._timeout_s)))
        while True:
            try:
                answer = self._http.request(method, path, **more)
            except httpx2.TransportError as error:
                wait_s = asking.failed(error)
            else:
                if answer.is_success:
                    return answer
                wait_s = asking.refused(answer)
            time.sleep(wait_s)


def address(template: str, *parts: object) -> str:
    """Return an address with names in it, each as one part of the path whatever it holds.

    Raises:
        InputError: a name is empty, `.` or `..`, which in an address mean another one.
    """
    named = [str(each) for each in parts]
    for each in named:
        if each in ("", ".", ".."):
            raise InputError(
                "serve-malformed", f"`{each}` cannot be a name in an address", help="which one? give its name"
            )
    return template.format(*(quote(each, safe="") for each in named))


class _Asking:
    """How often a request was sent, and whether a write may have arrived. Says how long to wait, or raises."""

    def __init__(self, *, write: bool, tries: int, patience_s: float) -> None:
        self._write, self._left, self._patience_s = write, tries, patience_s
        self._sent = 0
        self._until: float | None = None
        self._may_be_done = False

    def failed(self, error: httpx2.TransportError) -> float:
        """No answer came."""
        self._left -= 1
        self._may_be_done |= self._write and not isinstance(error, _NOTHING_SENT)
        if self._left:
            return self._wait_s()
        why = f"no answer from the server: {type(error).__name__}"
        if self._may_be_done:
            raise OutcomeUnknownError("serve-no-answer", why) from None
        raise UnavailableError("serve-no-answer", why, help="is it running?") from None

    def refused(self, answer: httpx2.Response) -> float:
        """An answer came, and it is no success."""
        refusal = RefusedError(answer.status_code, _problem(answer))
        wait_s = max(self._wait_s(), _retry_after_s(answer))
        if refusal.code == _UNKNOWN:
            raise OutcomeUnknownError(refusal.code, refusal.message)
        if refusal.code == _RUNNING:
            self._until = self._until or time.monotonic() + self._patience_s
            if time.monotonic() + wait_s < self._until:
                return wait_s
            raise OutcomeUnknownError(refusal.code, refusal.message)
        if answer.status_code not in _AGAIN:
            raise refusal
        self._left -= 1
        self._may_be_done |= self._write and answer.status_code in _OF_PROXIES
        if self._left and wait_s <= _MOST_ASKED_WAIT_S:
            return wait_s
        if self._may_be_done:
            raise OutcomeUnknownError(refusal.code, refusal.message)
        raise refusal

    def _wait_s(self) -> float:
        self._sent += 1
        return float(min(_FIRST_WAIT_S * 2 ** min(self._sent - 1, 10), _LONGEST_WAIT_S))


def _retry_after_s(answer: httpx2.Response) -> float:
    """Return what `Retry-After` says, if it says seconds."""
    said = answer.headers.get("retry-after", "").strip()
    return float(said) if said.isascii() and said.isdecimal() else 0.0


def _problem(answer: httpx2.Response) -> Mapping[str, Any]:
    try:
        found = answer.json()
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
