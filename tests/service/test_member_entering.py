"""A member comes in by a link of the platform: once, as themselves, and in one session."""

from __future__ import annotations

import json
import logging
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

import service.members as member
from consentry.accounts.member_link import LinkKeys
from consentry.bootstrap import Deployment
from consentry.service.logs import JsonLines
from consentry.service.problems import LOG
from service.at_work import said
from service.members import Come, token_for
from service.visitor import Visitor, words

place = member.place


def test_a_member_comes_in_once_by_a_link(place: tuple[Deployment, Come, str]) -> None:
    deployment, come, url = place
    visitor = come("us", name="Ada <b>", back="https://example.com/settings", locale="fr-CA")
    page = visitor.get("/me")
    assert "Ada &lt;b&gt;" in page.text
    assert 'href="https://example.com/settings"' in page.text
    assert '<html lang="fr"' in visitor.get("/me?lang=fr").text
    token = token_for(deployment, "us")
    assert Visitor(url).get(f"/me/enter?token={token}").status_code == 303
    again = Visitor(url)
    answer = again.get(f"/me/enter?token={token}")
    assert answer.status_code == 422
    assert "It was used before" in words(answer)
    assert "Go back to the settings of the platform and click again" in words(answer)
    assert not again.is_signed_in


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"exp": 1_600_000_000}, "It is too old"),
        ({"aud": "elsewhere"}, "It is for another site"),
        ({"jti": "x"}, "The platform made it in a wrong way"),
    ],
)
def test_a_link_that_is_not_good(place: tuple[Deployment, Come, str], changed: dict[str, Any], said: str) -> None:
    deployment, _, url = place
    visitor = Visitor(url)
    answer = visitor.get(f"/me/enter?token={token_for(deployment, 'us', **changed)}")
    assert answer.status_code == 422
    assert said in words(answer)
    assert not visitor.is_signed_in


@pytest.mark.parametrize(
    ("changed", "code", "reason"),
    [
        ({"exp": 1_600_000_000}, "sign-in-link-expired", "the link is over"),
        ({"aud": "https://other.example"}, "sign-in-link-elsewhere", "the link is for another site"),
        ({"jti": "x"}, "sign-in-link-incomplete", "the link cannot be used: it has no name of its own (`jti`)"),
        ({"signature": None}, "sign-in-link-damaged", "bad-signature"),
        ({"dots": None}, "sign-in-link-damaged", "decode-error"),
        ({"used": None}, "sign-in-link-used", "the link was used before"),
    ],
)
def test_a_link_that_is_refused_leaves_a_line_that_says_why_and_nothing_of_the_person(
    place: tuple[Deployment, Come, str],
    caplog: pytest.LogCaptureFixture,
    changed: dict[str, Any],
    code: str,
    reason: str,
) -> None:
    deployment, _, url = place
    claims = {name: each for name, each in changed.items() if name in {"exp", "aud", "jti"}}
    token = token_for(deployment, "us", name="Ada Lovelace", **claims)
    head, payload, signature = token.split(".")
    if "signature" in changed:
        token = f"{head}.{payload}.{signature[::-1]}"
    elif "dots" in changed:
        token = head + payload + signature
    elif "used" in changed:
        assert Visitor(url).get(f"/me/enter?token={token}").status_code == 303
    with caplog.at_level(logging.INFO, LOG.name):
        assert Visitor(url).get(f"/me/enter?token={token}").status_code == 422
    (record,) = [each for each in caplog.records if each.name == LOG.name]
    line = json.loads(JsonLines().format(record))
    assert (line["level"], line["message"]) == ("warning", f"a link of the platform was refused: {code}")
    assert (line["code"], line["reason"]) == (code, reason)
    assert set(line) == {"at", "level", "logger", "message", "code", "reason"} | (set(line) & {"request_id"})
    for told in ("Ada", deployment.person("us"), token[:20], claims.get("aud", "example.com")):
        assert told not in json.dumps(line)


def test_without_a_session_the_page_says_where_to_come_from(place: tuple[Deployment, Come, str]) -> None:
    _, _, url = place
    for path in ("/me", "/me/items", "/me/history", "/me/uses", "/me/check"):
        answer = Visitor(url).get(path)
        assert answer.status_code == 401
        assert "Open this page from the platform" in words(answer)
    answer = Visitor(url).post("/me/choices", {"purpose": "train-genai", "answer": "no"})
    assert answer.status_code == 401
    assert "Nothing was saved" in words(answer)


def test_who_is_in_the_session_is_a_pseudonym(place: tuple[Deployment, Come, str]) -> None:
    deployment, come, _ = place
    come("a-very-recognisable-id")
    for file in deployment.settings.home.rglob("*"):
        if file.is_file():
            assert b"a-very-recognisable-id" not in file.read_bytes(), file


def test_coming_in_again_ends_the_session_before(place: tuple[Deployment, Come, str]) -> None:
    deployment, come, _ = place
    visitor = come("us")
    old = dict(visitor.cookies)
    visitor.get(f"/me/enter?token={token_for(deployment, 'us')}")
    assert visitor.cookies != old
    visitor.cookies = old
    assert visitor.get("/me").status_code == 401


def test_the_command_makes_a_link(place: tuple[Deployment, Come, str]) -> None:
    deployment, _, url = place
    link = json.loads(said(deployment.settings.home, "--json", "account", "member-link", "us", "--url", url))["link"]
    visitor = Visitor(url)
    assert visitor.get(link.removeprefix(url)).status_code == 303
    assert visitor.is_signed_in


EMBEDDING = Path(__file__).parents[2] / "docs" / "embedding.md"


def test_the_plain_example_of_the_document_signs_in(place: tuple[Deployment, Come, str]) -> None:
    deployment, _, url = place
    keys = LinkKeys(deployment.settings.home / "keys")
    keys.shared()
    block = EMBEDDING.read_text("utf-8").partition("<!-- plain:")[2].partition("```text\n")[2].partition("```")[0]
    environment = {
        **os.environ,
        "PERSON": "us",
        "AUDIENCE": deployment.settings.audience,
        "KEY_FILE": str(keys.folder / "link.key"),
        "SITE": url,
    }
    done = subprocess.run(
        ["sh", "-eu", "-c", block], env=environment, capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout == f"303 {url}/me", done.stderr


def test_the_python_example_of_the_document_signs_in(place: tuple[Deployment, Come, str]) -> None:
    deployment, _, url = place
    block = EMBEDDING.read_text("utf-8").partition("```python\n")[2].partition("```")[0]
    namespace: dict[str, Any] = {}
    exec(compile(block, str(EMBEDDING), "exec", dont_inherit=True), namespace)
    key = LinkKeys(deployment.settings.home / "keys").shared()
    link = namespace["member_link"](url, "us", audience=deployment.settings.audience, key=key, name="Ada")
    visitor = Visitor(url)
    assert visitor.get(link[link.index("/me/enter") :]).status_code == 303
    assert "Hello Ada" in words(visitor.get("/me"))


def test_a_link_does_not_put_somebody_in_the_place_of_somebody_else(place: tuple[Deployment, Come, str]) -> None:
    deployment, come, _ = place
    visitor = come("gb")
    path = f"/me/enter?token={token_for(deployment, 'us')}"
    answer = visitor.get(path)
    assert answer.status_code == 422
    assert "Somebody else is signed in in this browser" in words(answer)
    assert visitor.get("/me").status_code == 200, "whoever was signed in still is"
    visitor.post("/sign-out")
    assert visitor.get(path).status_code == 303, "the link was not used up"
    assert visitor.get(f"/me/enter?token={token_for(deployment, 'us')}").status_code == 303, "the same person again"
