"""The Python client against a server, and against its description: each operation has a method, or says why not."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from consentry.bootstrap import Deployment
from consentry.client.api import Consentry, RefusedError
from consentry.errors import UnavailableError
from end_to_end.network import fresh
from service.at_work import Caller, in_thread, platform_key, prepare

LEFT_OUT = {
    "/v1/leases/{}": "of the job that holds the lease: consentry.training",
    "/v1/webhooks": "of administrators, who have sessions and the command line",
    "/metrics": "for Prometheus",
    "/healthz": "for who spreads load",
    "/.well-known/": "for other clients",
    "POST /v1/leases": "of training jobs: consentry.training",
}


@pytest.fixture(scope="module")
def served() -> Iterator[tuple[Deployment, Caller, str]]:
    with fresh() as (folder, deployment):
        release = prepare(folder, deployment)
        with in_thread(deployment) as ask:
            yield deployment, ask, release


@pytest.fixture
def consentry(served: tuple[Deployment, Caller, str]) -> Iterator[Consentry]:
    deployment, ask, _ = served
    with Consentry(ask.url, key=platform_key(deployment)) as found:
        yield found


def test_each_operation_has_a_method(served: tuple[Deployment, Caller, str]) -> None:
    written = re.sub(r"\{[^}]*\}", "{}", inspect.getsource(Consentry))
    calls = set(re.findall(r'_(get|file|post|once|write|rows)\(f?"([^"]+)"', written))
    known = {("GET" if verb in {"get", "file", "rows"} else "POST", path) for verb, path in calls}
    operations = {
        (method.upper(), re.sub(r"\{[^}]*\}", "{}", path))
        for path, methods in served[1]("GET", "/openapi.json").json["paths"].items()
        for method in methods
    }
    missing = {
        (method, path)
        for method, path in operations - known
        if not path.startswith(tuple(LEFT_OUT)) and f"{method} {path}" not in LEFT_OUT
    }
    assert not missing
    assert known <= operations, "a method asks for what is not there"


def test_each_method_is_tried() -> None:
    tried = "".join(Path(__file__).with_name(name).read_text() for name in ("test_client.py", "test_client_steps.py"))
    methods = [name for name, _ in inspect.getmembers(Consentry, inspect.isfunction) if not name.startswith("_")]
    assert not [name for name in methods if f".{name}(" not in tried and name != "close"]


NO_KEY = {
    "/access/v1/evaluation": "a question",
    "/access/v1/evaluations": "a question",
    "/v1/choices/read": "a question",
    "/v1/orders/what-if": "a question",
    "/v1/policy-sets/check": "a question",
    "/v1/releases/plan": "a question",
    "/v1/releases/{release}/compare": "a question",
    "/v1/releases/{release}/explain": "a question",
    "/v1/leases": "its answer holds a secret",
    "/v1/objections": "its answer holds a secret",
    "/v1/webhooks": "its answer holds a secret",
    "/v1/webhooks/{webhook}/replay": "it goes back to a position: twice is once",
}


def test_each_write_takes_an_idempotency_key(served: tuple[Deployment, Caller, str]) -> None:
    paths = served[1]("GET", "/openapi.json").json["paths"]
    without = {
        path
        for path, methods in paths.items()
        if "post" in methods
        and "Idempotency-Key" not in {each["name"] for each in methods["post"].get("parameters", ())}
    }
    # What a job says of its lease is numbered, and said again it is the same.
    assert {each for each in without if not each.startswith("/v1/leases/{lease}/")} == set(NO_KEY)


def test_what_a_platform_does(served: tuple[Deployment, Caller, str], consentry: Consentry) -> None:
    assert consentry.may("us", purpose="train-genai", category="post", visibility="public")
    assert not consentry.may("us", purpose="train-genai", category="unknown")
    said = consentry.record_choices([{"person": "us", "purpose": "train-genai", "state": "refused"}])
    assert len(said["positions"]) == 1
    assert not consentry.may("us", purpose="train-genai", category="post", visibility="public")
    consentry.register_model("drafts", releases=[served[2]])
    assert [each["model"] for each in consentry.models()] == ["drafts"]
    assert consentry.may_serve("drafts")["may"] is True
    assert consentry.leases() == []
    assert consentry.ready()["status"] == "ready"


def test_what_is_refused_is_raised_with_its_code(consentry: Consentry) -> None:
    with pytest.raises(RefusedError) as caught:
        consentry.model("nobody-knows")
    assert (caught.value.status, caught.value.code) == (404, "model-unknown")
    with pytest.raises(RefusedError, match="access-denied"):
        list(consentry.orders())


def test_a_write_whose_answer_is_lost_is_done_once(served: tuple[Deployment, Caller, str]) -> None:
    deployment, ask, _ = served
    lost = [True, False]

    class Losing(httpx2.HTTPTransport):
        def handle_request(self, request: httpx2.Request) -> httpx2.Response:
            answer = super().handle_request(request)
            if lost and lost.pop(0):
                answer.read()
                raise httpx2.ReadError("lost", request=request)
            return answer

    before = deployment.ledger.head()
    with Consentry(ask.url, key=platform_key(deployment), transport=Losing()) as consentry:
        consentry.record_choices([{"person": "gb", "purpose": "train-ai", "state": "allowed"}])
    assert deployment.ledger.head() == before + 1


def test_without_a_server_nothing_is_permitted() -> None:
    with Consentry("http://127.0.0.1:9", key="k", timeout=0.2) as consentry, pytest.raises(UnavailableError):
        consentry.may("us", purpose="train-genai", category="post")
