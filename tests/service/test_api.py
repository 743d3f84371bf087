"""The interface for programs: choices, orders, lists, writes that are sent again, and its description."""

from __future__ import annotations

import hashlib
import re
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx2
import pytest
from pydantic import BaseModel

import service.callers as callers
from consentry.accounts.access import Role
from consentry.client.api import Consentry
from consentry.oversight.lineage import TAKE_TWO
from consentry.policy.library import shipped
from consentry.policy.policy_parser import load
from consentry.service.api.shape import Answer, Body
from service.callers import Place, asked, choose, decide

place = callers.place


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


def test_of_somebody_who_was_erased_nothing_is_recorded(place: Place) -> None:
    place.deployment.control.statements.erase([place.deployment.person("leaver")])
    before = place.deployment.ledger.head()
    said = [{"person": each, "purpose": "train-ai", "state": "refused"} for each in ("us", "leaver")]
    for reach in ("future", "everything"):
        answer = place.program.post("/v1/choices", json={"choices": [{**each, "reach": reach} for each in said]})
        assert (answer.status_code, answer.json()["code"]) == (422, "choice-person-erased")
        assert "choice 2" in answer.text
    assert place.deployment.ledger.head() == before
    assert place.program.post("/v1/choices/read", json={"person": "leaver"}).json()["choices"] == []


def test_what_takes_a_no_back_without_a_notice_is_named_in_the_answer(place: Place) -> None:
    said = [{"state": "refused"}, {"state": "allowed"}, {"state": "allowed", "notice": "n-1"}, {"state": "unset"}]
    body = {"choices": [{"person": "asker", "purpose": "train-ai", **each} for each in said]}
    answer = place.program.post("/v1/choices", json=body).json()
    assert answer["without_notice"] == [answer["positions"][each] for each in (1, 3)]


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


def test_an_objection_that_is_sent_again_is_one_and_its_link_is_shown_once(place: Place) -> None:
    said = {"find": "a link of zoe", "answer_to": "zoe@example.org"}
    key = {"idempotency-key": "o-7"}
    first, again = (place.program.post("/v1/objections", json=said, headers=key) for _ in range(2))
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.headers["idempotency-replayed"] == "true"
    assert first.json()["link"]
    assert again.json() == {**first.json(), "link": None}
    other = place.program.post("/v1/objections", json={**said, "reason": "r"}, headers=key)
    assert other.json()["code"] == "idempotency-other"
    kept = b"".join(each.read_bytes() for each in place.deployment.settings.home.glob("accounts.db*"))
    assert kept
    assert first.json()["link"].encode() not in kept
    assert hashlib.sha256(first.request.content + b"\0").hexdigest().encode() not in kept, "nobody can try out guesses"


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


@pytest.mark.parametrize("path", ["/v1/orders", "/v1/orders/what-if"])
@pytest.mark.parametrize(
    ("said", "code"),
    [
        ({}, "serve-malformed"),
        ({"everywhere": True}, "serve-malformed"),
        ({"scope": {}}, "order-scope"),
        ({"scope": {"areas": []}, "everywhere": False}, "order-scope"),
        ({"scope": {"areas": ["GB"]}, "everywhere": True}, "order-scope"),
    ],
)
def test_everything_is_suspended_only_if_it_is_said(
    place: Place, path: str, said: dict[str, object], code: str
) -> None:
    """It is what a scope left out would mean, and to end it takes two people."""
    rest = {} if path.endswith("what-if") else {"case": "all", "reference": "letter"}
    before = place.deployment.ledger.head()
    answer = place.officer.post(path, json={**rest, **said})
    assert (answer.status_code, answer.json()["code"]) == (422, code)
    assert place.deployment.ledger.head() == before


def test_an_authority_has_its_pages_and_nothing_here(place: Place) -> None:
    """There it is shown what concerns it, without names of staff, and signs what it orders."""
    body = {"case": "british", "scope": {"areas": ["UK"], "purposes": ["serve"]}, "reference": "letter 9"}
    assert place.authority.post("/v1/orders", json=body).json()["code"] == "access-denied"
    assert (
        place.authority.post("/v1/orders/what-if", json={"scope": {"areas": ["UK"]}}).json()["code"] == "access-denied"
    )
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


def test_models_say_what_holds_them_wherever_they_are_read(place: Place) -> None:
    for name, left in {"served": False, "gone": True}.items():
        assert place.program.post("/v1/models", json={"model": name}).status_code == 201
        if left:
            place.deployment.control.models.withdraw(name, "not wanted", by="olga")
        listed = {each["model"]: each for each in place.officer.get("/v1/models").json()["models"]}
        why = place.program.get(f"/v1/models/{name}/serving").json()["reasons"]
        assert bool(why) is left
        for model in listed[name], place.program.get(f"/v1/models/{name}").json():
            assert (model["held"], model["why"]) == (left, why)


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
    served = {"people": ["us", "gb"], "at": int(time.time())}
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
    count = "consentry_ledger_commit_duration_seconds_count"
    before = float(text.partition(f"\n{count} ")[2].split()[0])
    made = [{"person": "someone-special", "purpose": "train-genai", "state": "refused"}]
    assert place.program.post("/v1/choices", json={"choices": made}).status_code == 201
    after = float(place.program.get("/metrics").text.partition(f"\n{count} ")[2].split()[0])
    assert after > before
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


def test_the_languages_with_which_a_notice_is_refused_are_described(place: Place) -> None:
    paths = place.program.get("/openapi.json").json()["paths"]
    described = paths["/v1/notices"]["post"]["responses"]["422"]["description"]
    for languages, code in ((["AAA"], "notice-language-unknown"), (["en", "EN"], "notice-language-twice")):
        body = {"notice": "told", "text": "We use it.", "languages": languages, "channel": "mail", "audience": "all"}
        answer = place.officer.post("/v1/notices", json=body)
        assert (answer.status_code, answer.json()["code"]) == (422, code)
        assert f"`{code}`" in described
