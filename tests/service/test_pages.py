"""What holds for every page: who may see it, what it tells browsers, and what another site cannot do."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from consentry.accounts.access import TABLE, Action, Role
from consentry.bootstrap import Deployment
from consentry.service.app import ROUTERS
from consentry.service.gate import COOKIE, actions_of, addresses
from consentry.service.languages import LANGUAGES
from consentry.service.pages.sign_in import BROWSER_COOKIE
from service.at_work import in_thread
from service.visitor import PASSWORD, Visitor, words


@pytest.fixture
def visitor(place_of_pages: tuple[Deployment, str]) -> Visitor:
    return Visitor(place_of_pages[1])


@pytest.fixture(scope="module")
def place_of_pages(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Deployment, str]]:
    from consentry.bootstrap import open_deployment

    deployment = open_deployment(tmp_path_factory.mktemp("pages") / "home", embedded=True)
    with deployment.admission() as admission:
        admission.add("olga", roles=frozenset({Role.PRIVACY_OFFICER}), password=PASSWORD)
        admission.add("otto", roles=frozenset({Role.PRIVACY_OFFICER}), password=PASSWORD)
        admission.add("ico", roles=frozenset({Role.AUTHORITY}), areas=frozenset({"UK"}), password=PASSWORD)
    with in_thread(deployment) as ask:
        yield deployment, ask.url
    deployment.close()


def test_every_address_names_an_action_and_the_table_knows_it() -> None:
    named = {action for route in addresses(ROUTERS) for action in actions_of(route)}
    assert named <= {Action.ANYONE, Action.HOLDER, *TABLE}


def test_an_address_without_an_action_is_not_served() -> None:
    from fastapi import APIRouter

    bare = APIRouter()
    bare.get("/bare")(lambda: None)
    with pytest.raises(TypeError, match="/bare"):
        addresses([*ROUTERS, bare])


def test_every_page_tells_browsers_to_be_strict(visitor: Visitor) -> None:
    for path in ("/", "/sign-in", "/nowhere", "/static/site.css", "/healthz"):
        headers = visitor.get(path).headers
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert "object-src 'none'" in policy
        assert "base-uri 'none'" in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["strict-transport-security"] == "max-age=31536000; includeSubDomains"
        assert headers["cross-origin-opener-policy"] == headers["cross-origin-resource-policy"] == "same-origin"
        assert headers["cache-control"] == ("no-cache" if path.startswith("/static/") else "no-store")
        assert not [name for name in headers if name.startswith("access-control-")]


def test_pages_hold_no_script_or_style_of_their_own(visitor: Visitor) -> None:
    for path in ("/", "/sign-in", "/nowhere"):
        text = visitor.get(path).text
        assert not re.search(r"<style|\sstyle=|\son[a-z]+=|<script(?![^>]*src=)", text)


def test_signing_in_and_out(visitor: Visitor) -> None:
    wrong = visitor.post("/sign-in", {"handle": "olga", "password": "something else entirely"})
    assert wrong.status_code == 422
    assert "The name or the password is wrong" in words(wrong)
    assert not visitor.is_signed_in
    right = visitor.post("/sign-in", {"handle": "olga", "password": PASSWORD, "next": "/"})
    assert right.headers["location"] == "/"
    cookie = next(line for line in right.headers.get_list("set-cookie") if line.startswith(COOKIE))
    assert {"Secure", "HttpOnly", "Path=/", "SameSite=lax"} <= {part.strip() for part in cookie.split(";")}
    assert "olga" in words(visitor.follow(right))
    old = dict(visitor.cookies)
    left = visitor.post("/sign-out")
    assert (left.status_code, left.headers["clear-site-data"]) == (303, '"cache", "storage"')
    assert "Sign in" in words(visitor.get("/"))
    visitor.cookies = old
    assert "olga" not in words(visitor.get("/")), "a session that ended opens nothing"


@pytest.mark.parametrize(
    "address", ["//evil.example", "https://evil.example", "/\\evil.example", "javascript:x", "/a\r\nb"]
)
def test_signing_in_leads_nowhere_else(visitor: Visitor, address: str) -> None:
    answer = visitor.post("/sign-in", {"handle": "olga", "password": PASSWORD, "next": address})
    assert answer.headers["location"] == "/console"


@pytest.mark.parametrize(
    "headers",
    [
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"sec-fetch-site": "cross-site", "origin": "null"},
    ],
)
def test_another_site_changes_nothing(visitor: Visitor, headers: dict[str, str]) -> None:
    answer = visitor.post("/sign-in", {"handle": "olga", "password": PASSWORD}, **headers)
    assert answer.status_code == 403
    assert "access-other-site" in words(answer)
    assert "Another site has sent this from your browser" in words(answer)
    assert not visitor.is_signed_in


def test_wrong_passwords_are_bounded(visitor: Visitor) -> None:
    for _ in range(10):
        visitor.post("/sign-in", {"handle": "ico", "password": "wrong"})
    answer = visitor.post("/sign-in", {"handle": "ico", "password": PASSWORD})
    assert "too many wrong passwords" in words(answer)


def test_nobody_locks_a_browser_out_that_signed_in_before(visitor: Visitor) -> None:
    visitor.post("/sign-in", {"handle": "otto", "password": PASSWORD})
    assert visitor.is_signed_in
    mark = visitor.cookies[BROWSER_COOKIE]
    visitor.post("/sign-out")
    stranger = Visitor(visitor.url)
    for _ in range(10):
        stranger.post("/sign-in", {"handle": "otto", "password": "wrong"})
    assert "too many" in words(stranger.post("/sign-in", {"handle": "otto", "password": PASSWORD}))
    stranger.cookies[BROWSER_COOKIE] = mark[:-1] + ("0" if mark[-1] != "0" else "1")
    assert "too many" in words(stranger.post("/sign-in", {"handle": "otto", "password": PASSWORD}))
    assert visitor.cookies == {BROWSER_COOKIE: mark}
    visitor.post("/sign-in", {"handle": "otto", "password": PASSWORD})
    assert visitor.is_signed_in


@pytest.mark.parametrize("code", sorted(LANGUAGES))
def test_every_language_has_its_direction(visitor: Visitor, code: str) -> None:
    answer = visitor.get(f"/?lang={code}")
    direction = "rtl" if code == "ar" else "ltr"
    assert f'<html lang="{code}" dir="{direction}">' in answer.text
    assert f'<html lang="{code}"' in visitor.get("/").text, "the choice is remembered"


def test_the_browser_says_which_language(visitor: Visitor) -> None:
    visitor.language = "fr-CA,fr;q=0.8,en;q=0.5"
    assert '<html lang="fr"' in visitor.get("/").text
    for header, code in {
        "xx": "en",
        "": "en",
        "DE-AT": "de",
        "en;q=0.2, cy;q=0.9": "cy",
        "fr;q=0, es;q=nan, de;q=7, ar;q=0.1": "ar",
        "*, , ;;q=": "en",
    }.items():
        visitor.language = header
        assert f'<html lang="{code}"' in visitor.get("/").text, header


def test_what_is_not_there_is_a_page_for_a_browser_and_a_document_for_a_program(visitor: Visitor) -> None:
    assert "Nothing is at this address" in words(visitor.get("/nowhere"))
    assert visitor.get("/nowhere", accept="*/*").json()["code"] == "serve-no-such-address"
