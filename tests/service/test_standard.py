"""What a security standard asks of a whole server (OWASP ASVS 5), asked of one that runs as it does for people.

docs/asvs.csv says which requirement each of these is for.
"""

from __future__ import annotations

import ast
import json
import logging
import re
import socket
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, urlsplit

import httpx2
import pytest
from fastapi.routing import APIRoute

from consentry.accounts.access import Role
from consentry.accounts.account import digest_of
from consentry.accounts.admission import Admission
from consentry.bootstrap import Deployment, open_deployment
from consentry.errors import StateError
from consentry.service.app import LOOKED_AT, ROUTERS
from consentry.service.gate import COOKIE, addresses
from consentry.service.logs import ACCESS, AccessLog, JsonLines
from consentry.service.server import serving
from service.visitor import PASSWORD, Visitor, words

SOURCE = Path(__file__).parents[2] / "src" / "consentry"
OPEN = ("/", "/sign-in", "/object", "/transparency", "/transparency.json", "/accessibility", "/docs", "/openapi.json")


@dataclass
class Place:
    deployment: Deployment
    url: str
    token: str

    def say(self, request: str) -> str:
        """Send bytes as they are, and return everything that comes back."""
        parts = urlsplit(self.url)
        with socket.create_connection((parts.hostname or "", parts.port or 0), timeout=10) as connection:
            connection.sendall(request.replace("\n", "\r\n").encode())
            with suppress(OSError):  # It has closed already.
                connection.shutdown(socket.SHUT_WR)
                return connection.makefile("rb").read().decode("utf-8", "replace")
        return ""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    deployment = open_deployment(tmp_path_factory.mktemp("standard") / "home", embedded=True)
    with deployment.admission() as admission:
        admission.add("olga", roles=frozenset({Role.PRIVACY_OFFICER}), password=PASSWORD)
    with serving(deployment) as (url, token):
        yield Place(deployment, url, token)
    deployment.close()


@pytest.fixture
def olga(place: Place) -> Visitor:
    visitor = Visitor(place.url)
    assert visitor.post("/sign-in", {"handle": "olga", "password": PASSWORD}).status_code == 303
    return visitor


def test_a_page_tells_its_type_and_its_characters(place: Place) -> None:
    expected = {
        "/": "text/html; charset=utf-8",
        "/static/site.css": "text/css; charset=utf-8",
        "/static/jobs.js": "text/javascript; charset=utf-8",
        "/static/me.js": "text/javascript; charset=utf-8",
        "/static/mark.svg": "image/svg+xml; charset=utf-8",
        "/openapi.json": "application/json",
        "/healthz": "application/json",
        "/nowhere": "application/problem+json",
    }
    for path, kind in expected.items():
        headers = httpx2.get(place.url + path).headers
        assert headers["content-type"] == kind, path
        assert not {"server", "x-powered-by"} & set(headers)


def test_a_browser_asks_whether_a_file_of_ours_has_changed_and_gets_it_once(place: Place) -> None:
    for path in ("/static/site.css", "/static/mark.svg"):
        first = httpx2.get(place.url + path)
        kept = {"if-none-match": first.headers["etag"]}
        again = httpx2.get(place.url + path, headers=kept)
        assert (first.status_code, again.status_code, again.content) == (200, 304, b"")
        for answer in (first, again):
            assert answer.headers["cache-control"] == "no-cache", "kept, and never used unasked"
        other = httpx2.get(place.url + path, headers={"if-none-match": '"another"'})
        assert (other.status_code, other.content) == (200, first.content)
    for path in ("/", "/static/nowhere.css"):
        assert httpx2.get(place.url + path).headers["cache-control"] == "no-store"


@pytest.mark.parametrize("method", ["TRACE", "CONNECT", "PATCH", "PROPFIND", "OPTIONS"])
def test_a_method_that_no_address_names_is_refused(place: Place, method: str) -> None:
    for path in ("/sign-in", "/v1/orders", "/static/site.css"):
        answer = httpx2.request(method, place.url + path, headers={"x-echo": "a secret"})
        assert answer.status_code == 405, path
        assert "a secret" not in answer.text


def test_whoever_looks_whether_it_is_there_gets_no_body(place: Place) -> None:
    """Uptime checks, and what checks links, ask with HEAD."""
    assert {"/", "/healthz", "/readyz", "/transparency", "/openapi.json", "/object"} <= LOOKED_AT
    for path in sorted(LOOKED_AT):
        shown, looked = (httpx2.request(method, place.url + path) for method in ("GET", "HEAD"))
        assert (looked.status_code, looked.content) == (shown.status_code, b""), path
        changing = {"x-request-id", "date"}
        assert [each for each in looked.headers.items() if each[0] not in changing] == [
            each for each in shown.headers.items() if each[0] not in changing
        ], path
    refused = httpx2.request("PUT", place.url + "/healthz")
    assert (refused.status_code, refused.headers["allow"]) == (405, "GET, HEAD")
    for route in addresses(ROUTERS):
        if "GET" in (route.methods or ()) and route.path not in LOOKED_AT:
            path = re.sub(r"\{\w+\}", "x1", route.path)
            assert httpx2.head(place.url + path).status_code == 405, (path, "nothing comes of looking")


def test_asking_changes_nothing() -> None:
    """What is asked for with GET begins a session at most, and that by a secret that is good once."""
    begins = {"/me/enter", "/sign-in/organisation/back", "/me/sign-in/back"}
    asked = [route for route in addresses(ROUTERS) if "GET" in (route.methods or ())]
    assert begins <= {route.path for route in asked}
    changing = (
        "record",
        "issue",
        "approve",
        "withdraw",
        "revoke",
        "add_key",
        "set_password",
        "disable",
        "spend",
        "admit",
    )
    assert {route.path for route in asked if _calls(route) & set(changing)} <= begins


def _calls(route: APIRoute) -> set[str]:
    tree = ast.parse(Path(route.endpoint.__code__.co_filename).read_text("utf-8"))
    found = [each for each in ast.walk(tree) if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef)]
    (whole,) = [each for each in found if each.name == route.endpoint.__name__]
    calls = [each.func for each in ast.walk(whole) if isinstance(each, ast.Call)]
    return {each.attr for each in calls if isinstance(each, ast.Attribute)}


def test_nothing_that_a_request_says_of_its_way_here_is_believed(place: Place) -> None:
    lies = {"x-forwarded-proto": "https", "x-forwarded-for": "10.0.0.1", "x-forwarded-host": "evil.example"}
    found = httpx2.get(f"{place.url}/.well-known/authzen-configuration", headers=lies).json()
    assert found["policy_decision_point"] == place.url
    for path in ("/", "/console", "/v1/orders", "/healthz"):
        answer = httpx2.get(place.url + path, headers={**lies, "accept": "text/html"})
        assert "evil.example" not in f"{answer.text} {answer.headers}"
        assert not answer.headers.get("location", "/").startswith("http"), "led away from plain HTTP without a word"


@pytest.mark.parametrize(
    "head",
    [
        "Content-Length: 3\nContent-Length: 4\n",
        "Content-Length: -1\n",
        "Content-Length: +3\n",
        "Transfer-Encoding: chunked, identity\n",
        "Transfer-Encoding: xchunked\n",
        "X: a\0b\n",
        "X : a\n",
    ],
)
def test_where_a_request_ends_is_never_in_doubt(place: Place, head: str) -> None:
    smuggled = "GET /healthz HTTP/1.1\nHost: x\n\n"
    answer = place.say(f"POST /sign-in HTTP/1.1\nHost: x\n{head}\nabc{smuggled}")
    assert answer.startswith(("HTTP/1.1 400", "HTTP/1.1 501")), answer[:80]
    assert '"status":"ok"' not in answer
    assert answer.count("HTTP/1.1 ") == 1, "the connection is closed with it"


def test_a_chunked_request_is_read_by_its_chunks(place: Place) -> None:
    head = "POST /v1/orders HTTP/1.1\nHost: x\nContent-Type: application/json\nConnection: close\n"
    answer = place.say(f"{head}Transfer-Encoding: chunked\nContent-Length: 1\n\n2\n{{}}\n0\n\n")
    assert answer.count("HTTP/1.1 ") == 1
    assert answer.startswith(("HTTP/1.1 400", "HTTP/1.1 401", "HTTP/1.1 403")), answer[:80]


def test_a_head_without_an_end_is_refused(place: Place) -> None:
    answer = place.say("GET / HTTP/1.1\nHost: x\nX: " + "a" * (1 << 20) + "\n\n")
    assert answer == "" or answer.startswith(("HTTP/1.1 400", "HTTP/1.1 431"))


def test_nothing_is_served_from_a_folder_but_what_is_meant(place: Place) -> None:
    for path in ("/static/", "/static", "/.git/config", "/static/../site.py", "/static/%2e%2e/site.py", "/docs/", "/x"):
        answer = httpx2.get(place.url + path)
        assert answer.status_code == 404, path
        assert "import " not in answer.text
    files = sorted(path.name for path in (SOURCE / "service" / "static").iterdir())
    assert files == ["jobs.js", "mark.svg", "me.js", "site.css"]


def test_a_cookie_is_small_and_for_this_host_only(place: Place, olga: Visitor) -> None:
    answer = Visitor(place.url).post("/sign-in", {"handle": "olga", "password": PASSWORD})
    spoken = Visitor(place.url).get("/?lang=fr")
    for line in (*answer.headers.get_list("set-cookie"), *spoken.headers.get_list("set-cookie")):
        name, _, rest = line.partition("=")
        attributes = {part.strip().lower() for part in rest.split(";")[1:]}
        assert name.startswith("__Host-")
        assert {"secure", "httponly", "path=/"} <= attributes
        assert attributes & {"samesite=lax", "samesite=strict"}
        assert not [each for each in attributes if each.startswith("domain")]
        assert len(line.partition(";")[0]) < 4096
    assert len(olga.cookies[COOKIE]) >= 43, "256 bits"


def test_signing_in_again_gives_another_session_and_ends_the_one_before(olga: Visitor) -> None:
    before = dict(olga.cookies)
    assert olga.post("/sign-in", {"handle": "olga", "password": PASSWORD}).status_code == 303
    assert olga.cookies[COOKIE] != before[COOKIE]
    assert olga.get("/console/orders").status_code == 200
    olga.cookies = before
    assert olga.get("/console/orders").status_code == 303, "led to the form"


def test_somebody_gets_a_new_password_for_the_one_they_have(place: Place) -> None:
    with place.deployment.admission() as admission:
        admission.add("nora", roles=frozenset({Role.AUTHORITY}), areas=frozenset({"UK"}), password=PASSWORD)
        admission.add("oscar", roles=frozenset({Role.SUPPORT}), password="")
        elsewhere = admission.admit("oscar", subject="https://idp.example/#1")
    here, there = Visitor(place.url), Visitor(place.url)
    for visitor in (here, there):
        visitor.post("/sign-in", {"handle": "nora", "password": PASSWORD})
    assert "Your password" in words(here.get("/console/password"))
    wrong = here.post("/console/password", {"password": "some other password"})
    assert (wrong.status_code, "password is wrong" in words(wrong)) == (422, True)
    assert there.get("/authority").status_code == 200, "nothing has changed"
    made = re.search(r"<code>([\w-]{39})</code>", here.post("/console/password", {"password": PASSWORD}).text)
    assert made is not None
    assert made[1] not in here.get("/console/password").text, "shown once"
    assert (here.get("/authority").status_code, there.get("/authority").status_code) == (200, 303)
    for password, status in ((PASSWORD, 422), (made[1], 303)):
        assert Visitor(place.url).post("/sign-in", {"handle": "nora", "password": password}).status_code == status
    assert Visitor(place.url).post("/console/password", {"password": PASSWORD}).headers["location"] == (
        "/sign-in?next=/console/password"
    )
    assert Visitor(place.url, {COOKIE: elsewhere}).get("/console/password").status_code == 409


def test_somebody_sees_where_they_are_signed_in_and_ends_it_there(place: Place) -> None:
    with place.deployment.admission() as admission:
        for handle in ("vera", "walt"):
            admission.add(handle, roles=frozenset({Role.SUPPORT}), password=PASSWORD)
        _, key = admission.add_key("trainer", roles=frozenset({Role.WORKLOAD}), by="ada")
    here, there, other = (Visitor(place.url) for _ in range(3))
    for visitor, handle in ((here, "vera"), (there, "vera"), (other, "walt")):
        visitor.post("/sign-in", {"handle": handle, "password": PASSWORD})
    shown = here.get("/console/sessions")
    (own, first, second) = (_sessions(visitor.get("/console/sessions").text) for visitor in (here, there, other))
    assert len(own) == len(first) == 2
    assert len(second) == 1
    assert shown.text.count("this one") == 1
    secret = there.cookies[COOKIE]
    assert secret not in shown.text
    (mine,) = (each for each in own if each == digest_of(secret)[: len(each)])
    assert other.post(f"/console/sessions/{mine}/end", {}).status_code == 303
    assert there.get("/console/overview").status_code == 200, "nobody ends another's"
    assert "has ended" in words(here.follow(here.post(f"/console/sessions/{mine}/end", {})))
    assert (here.get("/console/overview").status_code, there.get("/console/overview").status_code) == (200, 303)
    (left,) = _sessions(here.get("/console/sessions").text)
    here.post(f"/console/sessions/{left}/end", {})
    assert here.get("/console/sessions").headers["location"] == "/sign-in?next=/console/sessions"
    program = Visitor(place.url).get("/console/sessions", authorization=f"Bearer {key}")
    assert program.status_code == 409


def _sessions(text: str) -> list[str]:
    return re.findall(r'action="/console/sessions/([0-9a-f]+)/end"', text)


def test_a_new_password_is_shown_though_nobody_can_sign_in_with_it_yet(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    with place.deployment.admission() as admission:
        admission.add("petra", roles=frozenset({Role.SUPPORT}), password=PASSWORD)
    visitor, plain = Visitor(place.url), Admission.sign_in
    visitor.post("/sign-in", {"handle": "petra", "password": PASSWORD})

    def busy(self: Admission, handle: str, password: str, **more: str) -> str:
        if password != PASSWORD:
            raise StateError("sign-in-busy", "too many sign in", help="try again")
        return plain(self, handle, password, **more)

    monkeypatch.setattr(Admission, "sign_in", busy)
    made = re.search(r"<code>([\w-]{39})</code>", visitor.post("/console/password", {"password": PASSWORD}).text)
    assert made is not None
    monkeypatch.undo()
    assert visitor.post("/sign-in", {"handle": "petra", "password": made[1]}).status_code == 303


def test_whoever_sits_at_a_browser_guesses_no_faster(place: Place) -> None:
    with place.deployment.admission() as admission:
        admission.add("otto", roles=frozenset({Role.SUPPORT}), password=PASSWORD)
    visitor = Visitor(place.url)
    visitor.post("/sign-in", {"handle": "otto", "password": PASSWORD})
    for _ in range(10):
        visitor.post("/console/password", {"password": "a guess that is wrong"})
    assert "too many wrong passwords" in words(visitor.post("/console/password", {"password": PASSWORD}))


def test_a_session_that_nobody_was_given_is_not_taken_over(place: Place) -> None:
    visitor = Visitor(place.url, cookies={COOKIE: "x" * 43})
    assert "Sign in" in words(visitor.get("/"))
    answer = visitor.post("/sign-in", {"handle": "olga", "password": PASSWORD})
    assert answer.status_code == 303
    assert visitor.cookies[COOKIE] != "x" * 43


def test_every_page_for_people_leads_out(olga: Visitor) -> None:
    for path in ("/", "/console/overview", "/console/orders", "/console/cases", "/transparency", "/docs"):
        assert 'action="/sign-out"' in olga.get(path).text, path


def test_a_password_field_hides_and_can_be_filled_in(place: Place) -> None:
    text = Visitor(place.url).get("/sign-in").text
    (field,) = [part for part in text.split("<input") if 'name="password"' in part.partition(">")[0]]
    assert 'type="password"' in field
    assert 'autocomplete="current-password"' in field
    scripts = [each.read_text("utf-8") for each in (SOURCE / "service" / "static").glob("*.js")]
    assert not any("paste" in each for each in [*scripts, text])


def test_no_page_asks_for_anything_from_elsewhere(olga: Visitor) -> None:
    for path in (*OPEN, "/console/overview", "/console/jobs"):
        text = olga.get(path).text
        for mark in (' src="http', ' src="//', "<iframe", "<object", "<embed", "<base", 'rel="preconnect"'):
            assert mark not in text, (path, mark)
        for line in text.split("<link")[1:]:
            assert 'href="/' in line.partition(">")[0] or "http" not in line.partition(">")[0], path


@pytest.mark.parametrize("script", ["jobs.js", "me.js"])
def test_a_script_keeps_nothing_and_writes_no_markup(script: str) -> None:
    text = (SOURCE / "service" / "static" / script).read_text("utf-8")
    for word in ("innerHTML", "outerHTML", "insertAdjacent", "document.write", "eval(", "new Function", "postMessage"):
        assert word not in text
    for word in ("localStorage", "sessionStorage", "indexedDB", "document.cookie", "callback"):
        assert word not in text
    assert '"use strict"' in text


def test_a_parameter_that_is_given_twice_is_one_and_from_one_place(place: Place, olga: Visitor) -> None:
    answer = olga.get("/console/orders?sort=order&sort=-order&q=a&q=b")
    assert answer.status_code == 200
    first = Visitor(place.url).post(
        "/sign-in?password=x&handle=olga", {"handle": "olga", "password": "wrong wrong wrong"}
    )
    assert first.status_code == 422
    query = Visitor(place.url).post(f"/sign-in?handle=olga&password={PASSWORD.replace(' ', '%20')}")
    assert query.status_code == 422, "what belongs into the form is not taken from the address"


@pytest.mark.parametrize("said", ["' OR '1'='1", "olga' --", 'olga"; DROP TABLE accounts; --', "olga\\", "%", "o_ga"])
def test_words_of_a_database_are_words(place: Place, olga: Visitor, said: str) -> None:
    wrong = Visitor(place.url).post("/sign-in", {"handle": said, "password": PASSWORD})
    assert (wrong.status_code, "The name or the password is wrong" in words(wrong)) == (422, True)
    assert olga.get(f"/console/cases/{quote(said, safe='')}").status_code == 404
    assert olga.get(f"/console/orders?q={quote(said)}").status_code == 200
    with place.deployment.admission() as admission:
        assert "olga" in [each.handle for each in admission.all()]


def test_a_new_deployment_has_no_account_and_no_key(tmp_path: Path) -> None:
    deployment = open_deployment(tmp_path / "home", embedded=True)
    with deployment.admission() as admission:
        assert (admission.all(), admission.all_keys()) == ([], [])
    deployment.close()


def test_a_field_that_nobody_asked_for_is_refused(place: Place) -> None:
    headers = {"authorization": f"Bearer {place.token}"}
    body = {"release": "r", "job": "j", "model": "m", "nonce": "n", "roles": ["administrator"]}
    answer = httpx2.post(f"{place.url}/v1/leases", json=body, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (422, "serve-malformed")


def test_what_was_refused_is_one_line_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    log = AccessLog()
    with caplog.at_level(logging.INFO, ACCESS.name):
        log.answered(method="POST", route="/sign-in", status=422, seconds=0.1, ident="a\nb")
        log.answered(method="GET", route="/v1/orders", status=403, seconds=0.1, ident="")
    lines = [JsonLines().format(each) for each in caplog.records if each.name == ACCESS.name]
    assert [json.loads(line)["status"] for line in lines] == [422, 403]
    assert not any("\n" in line for line in lines), "one line, whatever a caller calls a request"
    assert all(json.loads(line)["at"].endswith("+00:00") for line in lines)
