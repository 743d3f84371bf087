"""Ask a Consentry server from Python.

    with Consentry("https://consentry.example", key="ck_…") as consentry:
        if consentry.may("u-17", purpose="train-genai", category="post", visibility="public"):
            ...

Answers are what the server's description says (`/openapi.json`), as plain values. Reads that fail are tried again;
writes are as well, because each carries an idempotency key, so that it is done once. What is no answer is no
permission: `may` raises rather than guess.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

import httpx2

from consentry.errors import ConsentryError, UnavailableError

Json = dict[str, Any]
_TRIES, _FIRST_WAIT_S = 4, 0.2
_AGAIN = frozenset({502, 503, 504})


class RefusedError(ConsentryError):
    """The server refused. `code` is its code, `status` the status of the answer."""

    def __init__(self, status: int, problem: Mapping[str, Any]) -> None:
        super().__init__(
            str(problem.get("code", "serve-no-answer")),
            str(problem.get("title", f"the server answered with status {status}")),
            help=str(problem.get("detail", "is this a Consentry server?")),
        )
        self.status = status


class Consentry:
    """A connection to a server. Several threads may share one.

    Args:
        url: of the server.
        key: an API key, or the token of workloads.
        timeout: seconds for each try.
        transport: for tests: what carries requests.
    """

    def __init__(
        self, url: str, *, key: str, timeout: float = 10.0, transport: httpx2.BaseTransport | None = None
    ) -> None:
        headers = {"authorization": f"Bearer {key}", "accept": "application/json"}
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

    def may(
        self, person: str, *, purpose: str, category: str, visibility: str = "unknown", policy: str | None = None
    ) -> bool:
        """Say whether something new of a person may be used."""
        properties = {} if policy is None else {"policy": policy}
        asked = {
            "subject": {"type": "person", "id": person},
            "action": {"name": purpose, "properties": properties},
            "resource": {
                "type": "content",
                "id": "new",
                "properties": {"category": category, "visibility": visibility},
            },
        }
        return self.evaluate(asked)["decision"] is True

    def evaluate(self, evaluation: Json) -> Json:
        """Decide about one use (AuthZEN 1.0)."""
        return self._post("/access/v1/evaluation", evaluation)

    def evaluate_all(self, evaluations: Json) -> Json:
        """Decide about several uses (AuthZEN 1.0)."""
        return self._post("/access/v1/evaluations", evaluations)

    def record_choices(self, choices: Sequence[Json]) -> Json:
        """Record what people said; when this returns it is durable."""
        return self._write("/v1/choices", {"choices": list(choices)})

    def orders(self) -> Iterator[Json]:
        """Yield the orders, oldest first."""
        return self._rows("/v1/orders", "orders")

    def order(self, name: str) -> Json:
        """Return an order."""
        return self._get(f"/v1/orders/{quote(name)}")

    def what_if(self, scope: Json) -> Json:
        """Say what an order would hit."""
        return self._post("/v1/orders/what-if", {"scope": scope})

    def suspend(self, *, case: str, scope: Json, reference: str, origin: str = "own-decision") -> Json:
        """Suspend a use from now on."""
        body = {"case": case, "scope": scope, "reference": reference, "origin": origin}
        return self._write("/v1/orders", body)

    def cases(self) -> Iterator[Json]:
        """Yield the cases, oldest first."""
        return self._rows("/v1/cases", "cases")

    def case(self, name: str) -> Json:
        """Return a case with its register."""
        return self._get(f"/v1/cases/{quote(name)}")

    def timeline(self, case: str) -> Iterator[Json]:
        """Yield what was said of a case, oldest first."""
        return self._rows(f"/v1/cases/{quote(case)}/timeline", "events")

    def open_case(self, name: str, *, title: str, reference: str) -> Json:
        """Open a case for a concern."""
        return self._write("/v1/cases", {"case": name, "title": title, "reference": reference})

    def releases(self) -> Iterator[Json]:
        """Yield the releases, oldest first."""
        return self._rows("/v1/releases", "releases")

    def release(self, name: str) -> Json:
        """Return a release with its counts."""
        return self._get(f"/v1/releases/{quote(name)}")

    def withdraw_release(self, name: str, *, reason: str) -> Json:
        """Say that a release may no longer be read, for good."""
        return self._write(f"/v1/releases/{quote(name)}/withdrawal", {"reason": reason})

    def models(self) -> Iterator[Json]:
        """Yield the models."""
        return self._rows("/v1/models", "models")

    def model(self, name: str) -> Json:
        """Return a model with what it was trained on."""
        return self._get(f"/v1/models/{quote(name)}")

    def register_model(self, name: str, **more: Any) -> Json:
        """Say what a model comes from: `base`, `releases`, `leases`, `digest`."""
        return self._write("/v1/models", {"model": name, **more})

    def may_serve(self, model: str) -> Json:
        """Say whether a model may be served, and for how long the answer counts."""
        return self._get(f"/v1/models/{quote(model)}/serving")

    def notices(self) -> Iterator[Json]:
        """Yield the notices."""
        return self._rows("/v1/notices", "notices")

    def notice(self, name: str) -> Json:
        """Return a notice."""
        return self._get(f"/v1/notices/{quote(name)}")

    def notice_text(self, name: str, number: int) -> Json:
        """Return a version of a notice with its text."""
        return self._get(f"/v1/notices/{quote(name)}/versions/{number}")

    def write_notice(self, name: str, **body: Any) -> Json:
        """Store the next version of a notice: `text`, `languages`, `channel`, `audience`."""
        return self._write("/v1/notices", {"notice": name, **body})

    def serve_notice(self, name: str, people: Sequence[str], *, at: int) -> Json:
        """Record that people were told."""
        return self._write(f"/v1/notices/{quote(name)}/servings", {"people": list(people), "at": at})

    def policy_sets(self) -> Iterator[Json]:
        """Yield the policy sets in force."""
        return self._rows("/v1/policy-sets", "policy_sets")

    def policy_set(self, name: str) -> Json:
        """Return a policy set with its rules and its text."""
        return self._get(f"/v1/policy-sets/{quote(name)}")

    def leases(self) -> list[Json]:
        """Return every lease. Jobs hold theirs with `consentry.training`."""
        found: list[Json] = self._get("/v1/leases")["leases"]
        return found

    def ready(self) -> Json:
        """Say whether requests can be answered."""
        return self._get("/readyz")

    def version(self) -> Json:
        """Say which program answers."""
        return self._get("/version")

    def _rows(self, path: str, name: str) -> Iterator[Json]:
        after: str | None = None
        while True:
            part = self._get(path, {"limit": "1000", **({} if after is None else {"after": after})})
            yield from part[name]
            after = part["next"]
            if after is None:
                return

    def _get(self, path: str, query: Mapping[str, str] | None = None) -> Json:
        return self._ask("GET", path, params=dict(query or {}))

    def _post(self, path: str, body: Json) -> Json:
        return self._ask("POST", path, json=body)

    def _write(self, path: str, body: Json) -> Json:
        return self._ask("POST", path, json=body, headers={"idempotency-key": str(uuid.uuid4())})

    def _ask(self, method: str, path: str, **more: Any) -> Json:
        for left in reversed(range(_TRIES)):
            try:
                answer = self._http.request(method, path, **more)
            except httpx2.TransportError as error:
                if not left:
                    raise UnavailableError(
                        "serve-no-answer", f"no answer from the server: {type(error).__name__}", help="is it running?"
                    ) from None
            else:
                if answer.is_success:
                    found: Json = answer.json()
                    return found
                if answer.status_code not in _AGAIN or not left:
                    raise RefusedError(answer.status_code, _problem(answer))
            time.sleep(_FIRST_WAIT_S * 2 ** (_TRIES - 1 - left))
        raise AssertionError("unreachable")


def _problem(answer: httpx2.Response) -> Mapping[str, Any]:
    try:
        found = answer.json()
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
