"""The interface for programs: decisions, choices, orders, lists, and writes that are sent again."""

from __future__ import annotations

import re
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest
from pydantic import BaseModel

from consentry.accounts.access import Role
from consentry.bootstrap import Deployment
from consentry.client.api import Consentry
from consentry.oversight.lineage import TAKE_TWO
from consentry.policy.library import shipped
from consentry.policy.policy_parser import load
from consentry.policy.vocabulary import Category, Purpose, Visibility
from consentry.release.snapshot import Use
from consentry.service.api.shape import Answer, Body
from consentry.service.gate import COOKIE
from end_to_end.network import fresh
from service.at_work import Caller, in_thread, prepare, suspend_elsewhere


@dataclass
class Place:
    deployment: Deployment
    release: str
    ask: Caller
    officer: httpx2.Client
    authority: httpx2.Client
    program: httpx2.Client


@pytest.fixture(scope="module")
def place() -> Iterator[Place]:
    with fresh() as (folder, deployment):
        release = prepare(folder, deployment)
        with deployment.admission() as admission:
            admission.add("olga", roles=frozenset({Role.PRIVACY_OFFICER}), password="")
            admission.add("ico", roles=frozenset({Role.AUTHORITY}), areas=frozenset({"UK"}), password="")
            _, key = admission.add_key("platform", roles=frozenset({Role.PLATFORM, Role.WORKLOAD}), by="olga")
            cookies = [admission.admit(each, subject=f"https://idp.example/#{each}") for each in ("olga", "ico")]
        with in_thread(deployment) as ask:
            officer, authority = (
                httpx2.Client(base_url=ask.url, headers={"cookie": f"{COOKIE}={each}", "sec-fetch-site": "same-origin"})
                for each in cookies
            )
            program = httpx2.Client(base_url=ask.url, headers={"authorization": f"Bearer {key}"})
            with officer, authority, program:
                yield Place(deployment, release, ask, officer, authority, program)


def asked(person: str = "us", purpose: str = "train-genai", **kind: str) -> dict[str, Any]:
    properties = {"category": "post", "visibility": "public", **kind}
    return {
        "subject": {"type": "person", "id": person},
        "action": {"name": purpose},
        "resource": {"type": "content", "id": "new", "properties": properties},
    }


def decide(place: Place, body: dict[str, Any]) -> dict[str, Any]:
    answer = place.program.post("/access/v1/evaluation", json=body)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def choose(place: Place, person: str, state: str = "refused", key: str | None = None, **more: Any) -> httpx2.Response:
    body = {"choices": [{"person": person, "purpose": "train-genai", "state": state, **more}]}
    headers = {} if key is None else {"idempotency-key": key}
    return place.program.post("/v1/choices", json=body, headers=headers)


def test_a_decision_says_why_and_by_what(place: Place) -> None:
    found = decide(place, asked("br"))
    assert found["decision"] is True
    assert found["context"]["policy"] == "august-2024"
    assert [each["id"] for each in found["context"]["reasons"]] == ["permitted:members-outside-europe"]
    denied = decide(place, asked("nobody-knows"))
    assert denied["decision"] is False
    assert "reason_user" in denied["context"]["reasons"][0]


def test_what_is_not_said_is_unknown_and_denied(place: Place) -> None:
    body = asked("br")
    del body["resource"]["properties"]
    assert decide(place, body)["decision"] is False


def test_a_choice_counts_in_the_next_decision(place: Place) -> None:
    assert decide(place, asked("us"))["decision"] is True
    assert choose(place, "us").status_code == 201
    found = decide(place, asked("us"))
    assert found["decision"] is False
    assert found["context"]["reasons"][0]["id"] == "refused"
    assert choose(place, "us", "unset").status_code == 201
    assert decide(place, asked("us"))["decision"] is True


def test_an_order_from_another_process_counts_at_once(place: Place) -> None:
    assert decide(place, asked("br"))["decision"] is True
    suspend_elsewhere(place.deployment.settings.home, "--area", "BR")
    found = decide(place, asked("br"))
    assert found["decision"] is False
    assert found["context"]["reasons"][0]["id"] == "suspended:ico-2024.1"


@pytest.mark.parametrize(
    ("semantic", "expected"),
    [
        (None, [True, False, True]),
        ("execute_all", [True, False, True]),
        ("deny_on_first_deny", [True, False]),
        ("permit_on_first_permit", [True]),
    ],
)
def test_several_decisions(place: Place, semantic: str | None, expected: list[bool]) -> None:
    top = asked("gb")
    others = [{}, {"subject": {"type": "person", "id": "nobody-knows"}}, {"context": {"time": "now"}}]
    body = {**top, "evaluations": others}
    if semantic is not None:
        body["options"] = {"evaluations_semantic": semantic}
    answer = place.program.post("/access/v1/evaluations", json=body).json()
    assert [each["decision"] for each in answer["evaluations"]] == expected


def test_one_of_several_that_cannot_be_decided_is_denied(place: Place) -> None:
    body = {**asked("gb"), "evaluations": [{"action": {"name": "train-ai", "properties": {"policy": "no-such"}}}, {}]}
    found = place.program.post("/access/v1/evaluations", json=body).json()["evaluations"]
    assert [each["decision"] for each in found] == [False, True]
    assert found[0]["context"]["error"]["code"] == "policy-not-published"


def test_where_several_policy_sets_decide_the_one_published_last_does(place: Place) -> None:
    """Nobody has to name it, and what the page of members goes by is what is answered."""
    text = shipped()["august-2024"].replace('name = "august-2024"', 'name = "newest"', 1)
    strict = text.replace('choice = ["unset", "allowed"]', 'choice = ["allowed"]', 1)
    control = place.deployment.control
    try:
        control.statements.publish(strict.split("[[example]]")[0], "newest.toml")
        alone = decide(place, asked("gb"))
        several = place.program.post("/access/v1/evaluations", json={**asked("gb"), "evaluations": [{}]}).json()
        deciding = control.own_settings.deciding(Purpose.TRAIN_GENAI)
        assert deciding is not None
        for found in (alone, *several["evaluations"]):
            assert found["decision"] is False
            assert found["context"]["policy"] == deciding.name == "newest"
            assert found["context"]["error"] is None
        use = Use(Purpose.TRAIN_GENAI, Category.POST, Visibility.PUBLIC)
        assert control.people.may("gb", use)["policy"]["name"] == "newest"
        named = asked("gb")
        named["action"]["properties"] = {"policy": "august-2024"}
        assert (decide(place, named)["decision"], decide(place, named)["context"]["policy"]) == (True, "august-2024")
    finally:
        control.statements.withdraw("newest")
    assert decide(place, asked("gb"))["context"]["policy"] == "august-2024", "withdrawn, it decides about nothing"


def test_a_use_about_which_no_policy_set_decides_is_not_permitted(place: Place) -> None:
    answer = place.program.post("/access/v1/evaluation", json=asked("gb", "serve"))
    assert (answer.status_code, answer.json()["code"]) == (422, "decision-policy")
    several = {**asked("gb", "serve"), "evaluations": [{}]}
    (found,) = place.program.post("/access/v1/evaluations", json=several).json()["evaluations"]
    assert found["decision"] is False
    assert found["context"]["error"]["code"] == "decision-policy"


def test_without_several_the_top_is_the_one(place: Place) -> None:
    assert place.program.post("/access/v1/evaluations", json=asked("gb")).json()["decision"] is True
    assert place.program.post("/access/v1/evaluations", json={}).status_code == 422


def test_the_id_of_a_request_comes_back(place: Place) -> None:
    answer = place.program.post("/access/v1/evaluation", json=asked("gb"), headers={"x-request-id": "a-17"})
    assert answer.headers["x-request-id"] == "a-17"


@pytest.mark.parametrize(
    "content",
    [
        b'{"subject": {"type": "person", "id": "a", "id": "b"}}',
        b'{"a": NaN}',
        b'{"a": -Infinity}',
        b"[" * 10_000 + b"]" * 10_000,
        b'{"a": "\xff"}',
        b'{"a": "\\ud800"}',
        b'{"a": 1' + b"0" * 10_000 + b"}",
        b"{",
    ],
)
def test_what_readers_disagree_about_is_refused(place: Place, content: bytes) -> None:
    for path in ("/access/v1/evaluation", "/v1/choices"):
        answer = place.program.post(path, content=content, headers={"content-type": "application/json"})
        assert (answer.status_code, answer.json()["code"]) == (422, "serve-malformed")


def test_only_json_is_taken(place: Place) -> None:
    answer = place.program.post("/v1/choices", content=b"<a/>", headers={"content-type": "text/xml"})
    assert (answer.status_code, answer.json()["code"]) == (415, "serve-media-type")


def test_a_name_nobody_knows_is_refused(place: Place) -> None:
    assert choose(place, "us", reech="everything").json()["code"] == "serve-malformed"
    body = asked("gb", visability="private")
    assert place.program.post("/access/v1/evaluation", json=body).status_code == 422


def test_all_choices_are_checked_before_one_is_recorded(place: Place) -> None:
    before = place.deployment.ledger.head()
    good = {"person": "us", "purpose": "train-ai", "state": "allowed"}
    for wrong in ({"items": ["u1"]}, {"items": ["u1"], "corpus": "no-such"}, {"at": 9_999_999_999}):
        answer = place.program.post("/v1/choices", json={"choices": [good, {**good, **wrong}]})
        assert answer.status_code in {404, 422}, answer.text
    assert place.deployment.ledger.head() == before


def test_a_write_that_is_sent_again_is_done_once(place: Place) -> None:
    first = choose(place, "gb", "allowed", key="k-1")
    head = place.deployment.ledger.head()
    again = choose(place, "gb", "allowed", key="k-1")
    assert (again.status_code, again.json()) == (201, first.json())
    assert again.headers["idempotency-replayed"] == "true"
    assert place.deployment.ledger.head() == head
    other = choose(place, "gb", "refused", key="k-1")
    assert (other.status_code, other.json()["code"]) == (422, "idempotency-other")
    assert choose(place, "gb", "allowed", key="k-2").json() != first.json()


def test_what_was_refused_can_be_sent_again(place: Place) -> None:
    assert choose(place, "gb", "allowed", key="k-3", at=9_999_999_999).status_code == 422
    assert choose(place, "gb", "allowed", key="k-3").status_code == 201


def test_a_key_belongs_to_who_sent_it(place: Place) -> None:
    with place.deployment.admission() as admission:
        _, secret = admission.add_key("another", roles=frozenset({Role.PLATFORM}), by="olga")
    first = choose(place, "gb", "allowed", key="k-4").json()
    body = {"choices": [{"person": "gb", "purpose": "train-genai", "state": "allowed"}]}
    headers = {"authorization": f"Bearer {secret}", "idempotency-key": "k-4"}
    assert httpx2.post(f"{place.ask.url}/v1/choices", json=body, headers=headers).json() != first


def test_of_many_at_a_time_one_is_done(place: Place) -> None:
    before, start = place.deployment.ledger.head(), threading.Barrier(8)

    def send(_: int) -> int:
        start.wait()
        return choose(place, "gb", "allowed", key="k-5").status_code

    with ThreadPoolExecutor(8) as threads:
        found = sorted(threads.map(send, range(8)))
    assert set(found) <= {201, 409}
    assert 201 in found
    assert place.deployment.ledger.head() == before + 1


def test_an_order_is_issued_after_a_what_if(place: Place) -> None:
    scope = {"areas": ["GB"], "purposes": ["train-genai-image"]}
    told = place.officer.post("/v1/orders/what-if", json={"scope": scope}).json()
    assert told["scope"]["areas"] == ["GB"]
    body = {"case": "images", "scope": scope, "reference": "letter 7"}
    made = place.officer.post("/v1/orders", json=body, headers={"idempotency-key": "o-1"})
    assert made.status_code == 201, made.text
    assert made.json()["by"] == "olga"
    again = place.officer.post("/v1/orders", json=body, headers={"idempotency-key": "o-1"})
    assert again.json()["order"] == made.json()["order"] == "images.1"
    assert place.officer.get("/v1/orders/images.1").json() == made.json()
    assert place.officer.get("/v1/cases/images").json()["standing"] == "suspended"
    kinds = [each["kind"] for each in place.officer.get("/v1/cases/images/timeline").json()["events"]]
    assert kinds[:2] == ["case.opened", "order.issued"]


def test_an_authority_has_its_pages_and_nothing_here(place: Place) -> None:
    """There it is shown what concerns it, without names of staff, and signs what it orders."""
    body = {"case": "british", "scope": {"areas": ["UK"], "purposes": ["serve"]}, "reference": "letter 9"}
    assert place.authority.post("/v1/orders", json=body).json()["code"] == "access-denied"
    assert place.authority.post("/v1/orders/what-if", json={}).json()["code"] == "access-denied"
    for noun in ("orders", "cases", "releases", "models", "notices", "policy-sets"):
        assert place.authority.get(f"/v1/{noun}").json()["code"] == "access-denied", noun
        assert place.authority.get(f"/v1/{noun}/x").json()["code"] == "access-denied", noun


def test_the_token_of_jobs_passes_on_no_choices(place: Place) -> None:
    """It lies on every training host: whoever has it must not say yes for anybody."""
    body = {"choices": [{"person": "gb", "purpose": "train-genai", "state": "allowed"}]}
    answer = place.ask("POST", "/v1/choices", body)
    assert (answer.status, answer.code) == (403, "access-denied")


def test_lists_have_parts(place: Place) -> None:
    for number in range(5):
        body = {"case": f"part-{number}", "title": "a concern", "reference": "letter"}
        assert place.officer.post("/v1/cases", json=body).status_code == 201
    whole = [each["case"] for each in place.officer.get("/v1/cases").json()["cases"]]
    found, after = [], None
    while True:
        page = place.officer.get("/v1/cases", params={"limit": 2, **({"after": after} if after else {})}).json()
        found += [each["case"] for each in page["cases"]]
        after = page["next"]
        if after is None:
            break
    assert found == whole
    assert place.officer.get("/v1/cases?after=nothing").json()["code"] == "list-cursor"


def test_a_release_a_model_a_notice_and_a_policy_set(place: Place) -> None:
    release = place.officer.get(f"/v1/releases/{place.release}").json()
    assert release["counts"]["items"] == 4
    body = {"model": "writer", "releases": [place.release]}
    assert place.program.post("/v1/models", json=body).status_code == 201
    assert place.program.get("/v1/models/writer").json()["releases"] == [place.release]
    written = {"notice": "settings", "text": "We use…", "languages": ["en"], "channel": "e-mail", "audience": "all"}
    assert place.officer.post("/v1/notices", json=written).json()["number"] == 1
    assert place.officer.get("/v1/notices/settings/versions/1").json()["text"] == "We use…"
    others = [{"language": "cy", "text": "Rydym yn defnyddio…"}, {"language": "fr", "text": "Nous utilisons…"}]
    second = place.officer.post("/v1/notices", json={**written, "others": others}).json()
    assert [each["languages"] for each in second["texts"]] == [["en"], ["cy"], ["fr"]]
    assert (second["number"], second["languages"], second["document"]) == (
        2,
        ["en", "cy", "fr"],
        second["texts"][0]["document"],
    )
    contents = place.officer.get("/v1/notices/settings/versions/2").json()["contents"]
    assert [each["text"] for each in contents] == ["We use…", "Rydym yn defnyddio…", "Nous utilisons…"]
    for again in ([*others, others[0]], [{"language": "en", "text": "x"}], [{"language": "EN", "text": "x"}]):
        answer = place.officer.post("/v1/notices", json={**written, "others": again})
        assert (answer.status_code, answer.json()["code"]) == (422, "notice-language-twice")
    for unknown in ({"languages": ["xx"]}, {"others": [{"language": "en-XX", "text": "x"}]}):
        answer = place.officer.post("/v1/notices", json={**written, **unknown})
        assert (answer.status_code, answer.json()["code"]) == (422, "notice-language-unknown")
    spelled = {"languages": ["EN_gb"], "others": [{"language": "CY", "text": "Rydym"}]}
    third = place.officer.post("/v1/notices", json={**written, **spelled}).json()
    assert (third["number"], third["languages"]) == (3, ["en-GB", "cy"])
    served = {"people": ["us", "gb"], "at": 1_000}
    assert place.officer.post("/v1/notices/settings/servings", json=served).status_code == 201
    assert place.officer.get("/v1/notices/settings").json()["servings"][0]["people"] == 2
    policy = place.officer.get("/v1/policy-sets/august-2024").json()
    assert policy["text"] == shipped()["august-2024"]
    loaded = load(policy["text"], "august-2024")
    assert policy["title_in"] == dict(loaded.title_in)
    assert [each["why_in"] for each in policy["rules"]] == [dict(each.why_in) for each in loaded.rules]
    assert policy["title_in"]["cy"].startswith("Ymlaen")


def test_the_figures_name_addresses_and_nobody(place: Place) -> None:
    decide(place, asked("someone-special"))
    place.program.get("/v1/models/secret-name")
    text = place.program.get("/metrics").text
    assert 'route="/access/v1/evaluation",status="200"' in text
    assert "consentry_decisions_total" in text
    assert "consentry_orders_in_force" in text
    assert "someone-special" not in text
    assert "secret-name" not in text


def test_how_it_is_with_the_server(place: Place) -> None:
    assert place.program.get("/readyz").json()["position"] == place.deployment.ledger.head()
    assert place.program.get("/version").json()["name"] == "consentry"
    known = place.program.get("/.well-known/authzen-configuration").json()
    assert known["access_evaluation_endpoint"] == f"{place.ask.url}/access/v1/evaluation"


def test_the_document_names_every_address_and_every_error(place: Place) -> None:
    document = place.program.get("/openapi.json").json()
    assert document["openapi"].startswith("3.1")
    for path, methods in document["paths"].items():
        for operation in methods.values():
            assert operation["x-consentry-actions"], path
            for status, answer in operation["responses"].items():
                if status >= "4":
                    assert list(answer["content"]) == ["application/problem+json"], (path, status)
    assert "POST /v1/choices" in place.program.get("/docs").text


def test_the_errors_of_the_document_are_explained(place: Place) -> None:
    explained = (Path(__file__).parents[2] / "docs" / "errors.md").read_text("utf-8")
    document = place.program.get("/openapi.json").json()
    named = {
        code
        for methods in document["paths"].values()
        for operation in methods.values()
        for status, answer in operation["responses"].items()
        if status >= "4"
        for code in re.findall(r"`([a-z-]+)`", answer["description"])
    }
    assert len(named) > 20
    assert {code for code in named if f"`{code}`" not in explained} == set()


def test_each_schema_has_a_name_of_its_own(place: Place) -> None:
    """Two classes of one name would be called by their modules, by the direction, or one in place of the other."""
    schemas = place.program.get("/openapi.json").json()["components"]["schemas"]
    assert [each for each in schemas if not re.fullmatch(r"[A-Za-z]+", each)] == []
    known = Counter(each.__name__ for each in (*_below(Body), *_below(Answer)))
    assert [name for name, times in known.items() if times > 1] == []


def _below(model: type[BaseModel]) -> set[type[BaseModel]]:
    found = {each for each in model.__subclasses__() if each.__module__.startswith("consentry.service.api.")}
    return found.union(*map(_below, found))


def test_approval_is_said_to_be_of_all_that_takes_two(place: Place) -> None:
    document = place.program.get("/openapi.json").json()
    told = document["paths"]["/v1/models/{model}/remedy/approvals"]["post"]["description"]
    chosen = document["components"]["schemas"]["Remedying"]["description"]
    for remedy in TAKE_TWO:
        for text in (told, chosen, str(Consentry.approve_remedy.__doc__)):
            assert f"`{remedy}`" in text
