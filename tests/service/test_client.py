"""The Python client against a server, and against its description: each operation has a method, or says why not."""

from __future__ import annotations

import inspect
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx2
import pytest

from consentry.bootstrap import Deployment
from consentry.client.api import Consentry, OutcomeUnknownError, RefusedError
from consentry.control_plane.models import ModelVerbs
from consentry.errors import ConsentryError, InputError, UnavailableError
from end_to_end.network import fresh
from service.at_work import Caller, in_thread, platform_key, prepare
from service.client_answers import calls

LEFT_OUT = {
    "/v1/leases/{}": "of the job that holds the lease: consentry.training",
    "/v1/webhooks": "of administrators, who have sessions and the command line",
    "/metrics": "for Prometheus",
    "/healthz": "for who spreads load",
    "/.well-known/": "for other clients",
    "POST /v1/leases": "of training jobs: consentry.training",
}


ASKED_FOR = {(each.method.upper(), each.path) for each in calls()}
"""Read here, before there is a server: CPython 3.11 cannot make syntax trees on two threads at a time (gh-106905)."""


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
    operations = {
        (method.upper(), re.sub(r"\{[^}]*\}", "{}", path))
        for path, methods in served[1]("GET", "/openapi.json").json["paths"].items()
        for method in methods
    }
    missing = {
        (method, path)
        for method, path in operations - ASKED_FOR
        if not path.startswith(tuple(LEFT_OUT)) and f"{method} {path}" not in LEFT_OUT
    }
    assert not missing
    assert operations >= ASKED_FOR, "a method asks for what is not there"


def test_each_method_is_tried() -> None:
    modules = ("test_client.py", "test_client_cases.py", "test_client_steps.py", "test_signed_concerns.py")
    tried = "".join(Path(__file__).with_name(name).read_text() for name in modules)
    methods = [name for name, _ in inspect.getmembers(Consentry, inspect.isfunction) if not name.startswith("_")]
    assert not [name for name in methods if f".{name}(" not in tried and name != "close"]


NO_KEY = {
    "/access/v1/evaluation": "a question",
    "/access/v1/evaluations": "a question",
    "/v1/authority/drafts": "a question",
    "/v1/choices/preview": "a question",
    "/v1/choices/read": "a question",
    "/v1/orders/what-if": "a question",
    "/v1/policy-sets/check": "a question",
    "/v1/releases/plan": "a question",
    "/v1/releases/{release}/compare": "a question",
    "/v1/releases/{release}/explain": "a question",
    "/v1/leases": "its answer holds a secret",
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
    head = served[0].ledger.head()
    foreseen = consentry.preview_refusal("us", purpose="train-genai")
    own = foreseen["leaving"]["own"]
    assert own is not None
    assert foreseen["releases"] == {served[2]: own}
    assert foreseen["next_release"] == own > 0
    assert served[0].ledger.head() == head
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


class Scripted(httpx2.BaseTransport):
    """A server that answers as a script says, the last of it for ever."""

    def __init__(self, *script: httpx2.Response | httpx2.TransportError) -> None:
        self.script, self.asked = list(script), list[httpx2.Request]()

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        self.asked.append(request)
        found = self.script.pop(0) if len(self.script) > 1 else self.script[0]
        if isinstance(found, httpx2.TransportError):
            raise found
        return found


def problem(status: int, code: str, **headers: str) -> httpx2.Response:
    return httpx2.Response(status, json={"code": code, "title": "t", "detail": "d"}, headers=headers)


DONE = {"positions": [7]}


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Let a clock of its own go on when the client waits."""
    found: list[float] = []
    clock = SimpleNamespace(sleep=found.append, monotonic=lambda: sum(found))
    monkeypatch.setattr("consentry.client.connection.time", clock)
    return found


def scripted(*script: httpx2.Response | httpx2.TransportError) -> tuple[Scripted, Consentry]:
    server = Scripted(*script)
    return server, Consentry("http://server", key="k", transport=server)


def test_a_write_that_the_server_knows_nothing_of_is_not_sent_again(waits: list[float]) -> None:
    server, consentry = scripted(problem(503, "ledger-outcome-unknown", **{"retry-after": "1"}))
    with pytest.raises(OutcomeUnknownError, match="ledger-outcome-unknown"):
        consentry.record_choices([])
    with pytest.raises(OutcomeUnknownError, match="ledger-outcome-unknown"):
        consentry.file_objection(find="me", answer_to="me")
    assert len(server.asked) == 2
    assert not waits


def test_a_write_that_an_own_try_began_is_waited_for(waits: list[float]) -> None:
    server, consentry = scripted(
        httpx2.ReadTimeout("slow"),
        problem(409, "idempotency-running"),
        problem(409, "idempotency-running", **{"retry-after": "7"}),
        httpx2.Response(201, json=DONE),
    )
    assert consentry.record_choices([]) == DONE
    assert len({each.headers["idempotency-key"] for each in server.asked}) == 1
    assert waits == [0.2, 0.4, 7.0]


def test_a_write_that_stays_begun_is_unknown(waits: list[float]) -> None:
    server, consentry = scripted(httpx2.ReadTimeout("slow"), problem(409, "idempotency-running"))
    with pytest.raises(OutcomeUnknownError, match="it is not known whether this was done") as caught:
        consentry.record_choices([])
    assert caught.value.code == "idempotency-running"
    assert 20 < sum(waits) <= 31
    assert len(server.asked) < 15
    waits.clear()
    with pytest.raises(OutcomeUnknownError):
        consentry.build_release("c", policy="p", timeout=300)
    assert 290 < sum(waits) <= 300, "as long as one try may take"
    waits.clear()
    with (
        Consentry("http://server", key="k", timeout=100, transport=server) as patient,
        pytest.raises(OutcomeUnknownError),
    ):
        patient.record_choices([])
    assert 90 < sum(waits) <= 100


def test_a_wait_that_is_too_long_is_not_waited(waits: list[float]) -> None:
    _, consentry = scripted(problem(409, "idempotency-running", **{"retry-after": "3600"}))
    with pytest.raises(OutcomeUnknownError):
        consentry.record_choices([])
    _, consentry = scripted(problem(503, "ledger-unavailable", **{"retry-after": "3600"}))
    with pytest.raises(RefusedError, match="ledger-unavailable"):
        consentry.record_choices([])
    assert not waits


@pytest.mark.parametrize(
    ("failure", "write", "read"),
    [
        (httpx2.ConnectError("refused"), UnavailableError, UnavailableError),
        (httpx2.ReadError("broken"), OutcomeUnknownError, UnavailableError),
        (httpx2.ReadTimeout("slow"), OutcomeUnknownError, UnavailableError),
        (httpx2.Response(504), OutcomeUnknownError, RefusedError),
        (problem(503, "ledger-unavailable"), RefusedError, RefusedError),
    ],
)
def test_only_what_may_have_arrived_is_unknown(
    waits: list[float],
    failure: httpx2.Response | httpx2.TransportError,
    write: type[ConsentryError],
    read: type[ConsentryError],
) -> None:
    server, consentry = scripted(failure)
    with pytest.raises(write):
        consentry.record_choices([])
    with pytest.raises(read):
        consentry.model("m")
    with pytest.raises(read):
        consentry.what_if({})
    assert len(server.asked) == 12
    assert len(waits) == 9


def slowly(register: Callable[..., int], seconds: float) -> Callable[..., int]:
    def found(*given: Any, **more: Any) -> int:
        time.sleep(seconds)
        return register(*given, **more)

    return found


def test_a_write_that_takes_longer_than_a_try_is_done_once(
    served: tuple[Deployment, Caller, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    deployment, ask, release = served
    monkeypatch.setattr(ModelVerbs, "register", slowly(ModelVerbs.register, 1.5))
    before = deployment.ledger.head()
    with Consentry(ask.url, key=platform_key(deployment), timeout=0.5) as consentry:
        assert consentry.register_model("slow", releases=[release])["position"] == before
    assert deployment.ledger.head() == before + 1


def test_what_the_ledger_does_not_know_is_raised_as_that(consentry: Consentry, monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[str] = []

    def broken(_: ModelVerbs, name: str, **_more: Any) -> int:
        tried.append(name)
        raise UnavailableError("ledger-outcome-unknown", "the commit was not confirmed", help="read the ledger")

    monkeypatch.setattr(ModelVerbs, "register", broken)
    with pytest.raises(OutcomeUnknownError, match="ledger-outcome-unknown"):
        consentry.register_model("who-knows")
    assert tried == ["who-knows"]


def test_a_name_is_one_part_of_an_address() -> None:
    server, consentry = scripted(httpx2.Response(200, json={}))
    consentry.objection("../leases")
    consentry.meet_condition("a/b", "c?d#e", text="t")
    consentry.model("%2e%2e")
    assert [each.url.raw_path for each in server.asked] == [
        b"/v1/objections/..%2Fleases",
        b"/v1/cases/a%2Fb/conditions/c%3Fd%23e/evidence",
        b"/v1/models/%252e%252e",
    ]
    for name in ("", ".", ".."):
        with pytest.raises(InputError, match="serve-malformed"):
            consentry.objection(name)
    assert len(server.asked) == 3


def test_a_name_reaches_no_other_address(consentry: Consentry) -> None:
    with pytest.raises(RefusedError) as caught:
        consentry.model("../leases")
    assert caught.value.status == 404
