"""Several platforms in one server: kept apart, and found by their host."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from consentry.accounts.access import Role
from consentry.accounts.member_link import LinkKeys, claims_for
from consentry.service.gate import COOKIE
from consentry.service.logs import ACCESS, AccessLog, JsonLines, TextLines
from consentry.service.platforms import asked_host
from service.provider import provider
from service.tenants import BROWSER, Tenants, host, served


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tenants]:
    folder = tmp_path_factory.mktemp("platforms")
    with provider() as idp:
        idp.claims = {"sub": "1", "preferred_username": "olga"}
        for name in ("ours", "theirs"):
            (folder / name).mkdir()
            settings = {"site_url": f"https://{host(name)}", "site_name": name, "oidc_issuer": idp.url}
            settings["oidc_client_id"] = "consentry"
            lines = [f'{key} = "{value}"' for key, value in settings.items()]
            (folder / name / "consentry.toml").write_text("\n".join(lines))
        with served(folder, "ours", "theirs") as found:
            for deployment in found.homes.values():
                with deployment.admission() as admission:
                    admission.add("olga", roles=frozenset({Role.PRIVACY_OFFICER}), password="")
            yield found


# Kept apart


def test_each_host_shows_its_own_platform(place: Tenants) -> None:
    for name, other in (("ours", "theirs"), ("theirs", "ours")):
        with place.client(name) as client:
            text = client.get("/", headers=BROWSER).text
        assert name in text
        assert other not in text.replace("yours", "")


def test_a_link_of_the_other_platform_lets_nobody_in(place: Tenants) -> None:
    theirs = place.homes["theirs"]
    settings, now = theirs.settings, theirs.control.desk.parts.clock()

    def enter(name: str, audience: str) -> httpx2.Response:
        token = LinkKeys(settings.home / "keys").signed(claims_for("anna", audience=audience, now=now, facts={}))
        with place.client(name) as client:
            return client.get("/me/enter", params={"token": token}, headers={"accept": "application/json"})

    for audience in (settings.audience, place.homes["ours"].settings.audience):
        refused = enter("ours", audience)
        assert refused.status_code == 422
        assert "set-cookie" not in refused.headers
    assert enter("theirs", settings.audience).status_code == 303


def test_what_was_begun_at_one_platform_does_not_end_at_another(place: Tenants) -> None:
    issuer = place.homes["theirs"].settings.oidc_issuer
    with place.client("theirs") as theirs, place.client("ours") as ours:
        away = theirs.get("/sign-in/organisation")
        assert away.headers["location"].startswith(issuer)
        cookie = {"cookie": away.headers["set-cookie"].partition(";")[0], "accept": "application/json"}
        state = httpx2.URL(away.headers["location"]).params["state"]
        back = {"state": state, "code": "one", "iss": issuer}
        found = ours.get("/sign-in/organisation/back", params=back, headers=cookie)
        assert (found.status_code, found.json()["code"]) == (409, "sign-in-elsewhere")
        # It was not used up by that: the code is wrong, but the state is known where it was begun.
        found = theirs.get("/sign-in/organisation/back", params=back, headers=cookie)
        assert "it was not begun here" not in found.json()["title"]


def test_a_private_link_opens_nothing_elsewhere(place: Tenants) -> None:
    with place.client("theirs") as theirs, place.client("ours") as ours:
        sent = theirs.post("/object", data={"find": "https://x.example/1", "answer_to": "zoe@example.org"})
        assert sent.status_code == 303, sent.text
        address = httpx2.URL(sent.headers["location"]).path
        assert theirs.get(address).status_code == 200
        assert ours.get(address).status_code == 404
        assert ours.get(f"{address}/receipt.json").status_code == theirs.get("/object/nobody/receipt.json").status_code


@pytest.mark.parametrize(
    "sent",
    [
        {"origin": "https://theirs.example"},
        {"origin": "https://theirs.example", "sec-fetch-site": "same-site"},
        {"sec-fetch-site": "cross-site"},
        {},
    ],
)
def test_a_page_of_the_other_platform_cannot_act_for_who_is_signed_in_here(
    place: Tenants, sent: dict[str, str]
) -> None:
    with place.homes["ours"].admission() as admission:
        secret = admission.admit("olga", subject="https://idp.example/#olga")
    with place.client("ours") as client:
        headers = {"cookie": f"{COOKIE}={secret}", "accept": "application/json"}
        refused = client.post("/console/suspend", headers={**headers, **sent}, data={})
        assert (refused.status_code, refused.json()["code"]) == (403, "access-other-site")
        taken = client.post("/console/suspend", headers={**headers, "sec-fetch-site": "same-origin"}, data={})
        assert "access-other-site" not in taken.text
        assert taken.status_code != 403


def test_a_lease_of_one_platform_is_unknown_to_the_other(place: Tenants) -> None:
    asked = {"release": "r", "job": "j", "model": "m", "nonce": "n"}
    with place.client("ours") as client:
        key = {"authorization": f"Bearer {place.token('theirs')}"}
        assert client.post("/v1/leases", json=asked, headers=key).status_code == 401
        key = {"authorization": f"Bearer {place.token('ours')}"}
        assert client.post("/v1/leases", json=asked, headers=key).status_code == 404


def test_figures_are_of_one_platform_and_say_of_which(place: Tenants) -> None:
    for name in ("ours", "theirs"):
        with place.client(name) as client:
            text = client.get("/metrics", headers={"authorization": f"Bearer {place.token(name)}"}).text
        assert f'consentry_platform_info{{platform="{name}"}} 1.0' in text
        assert ("theirs" if name == "ours" else "ours") not in text


def test_the_log_says_which_platform(place: Tenants, caplog: pytest.LogCaptureFixture) -> None:
    caplog.handler.setFormatter(JsonLines())
    with (
        caplog.at_level(logging.INFO, ACCESS.name),
        served(place.homes["ours"].settings.home.parent / "logged", "one", "two") as found,
    ):
        for each in found.hosting.hosted:
            assert each.app is not None
            each.app.user_middleware[0].kwargs["log"] = AccessLog()
            each.app.middleware_stack = None
        for name in ("one", "two", "one"):
            with found.client(name) as client:
                client.get("/healthz")
    lines = [json.loads(line) for line in caplog.text.splitlines() if line.startswith("{")]
    assert [line["platform"] for line in lines if line["logger"] == ACCESS.name] == ["one", "two", "one"]
    assert TextLines().format(logging.makeLogRecord({"msg": "x"})) == "x"


# Hosts


@pytest.mark.parametrize("name", ["elsewhere.example", "127.0.0.1", "ours.example.evil.example", "ours.example:x", "["])
def test_an_unknown_host_is_refused_and_learns_nothing(place: Tenants, name: str) -> None:
    headers = {"host": name}
    for path in ("/", "/console", "/v1/orders", "/metrics", "/transparency.json", "/static/site.css"):
        answer = httpx2.get(place.url + path, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (421, "platform-unknown-host")
        assert answer.headers["content-security-policy"]
        page = httpx2.get(place.url + path, headers={**headers, **BROWSER})
        assert page.status_code == 421
        assert "<h1>" in page.text
        assert page.headers["content-type"].startswith("text/html")
        for told in (answer.text, page.text):
            assert "ours" not in told
            assert "theirs" not in told
    assert httpx2.post(place.url + "/object", headers=headers, data={}).status_code == 421
    assert httpx2.post(place.url + "/readyz", headers=headers).status_code == 421
    assert "allow" not in httpx2.options(place.url + "/", headers=headers).headers


def test_a_forwarded_host_changes_nothing(place: Tenants) -> None:
    sent = {
        "x-forwarded-host": "theirs.example",
        "forwarded": "host=theirs.example",
        "x-original-host": "theirs.example",
    }
    with place.client("ours") as client:
        assert "theirs" not in client.get("/", headers={**BROWSER, **sent}).text
    assert httpx2.get(place.url, headers={"host": "no.example", **sent}).status_code == 421


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ([b"ours.example"], "ours.example"),
        ([b"OURS.example:8799"], "ours.example"),
        ([b"ours.example."], "ours.example"),
        ([b"127.0.0.1:80"], "127.0.0.1"),
        ([], None),
        ([b"ours.example", b"ours.example"], None),
        ([b"ours.example, theirs.example"], None),
        ([b"user@ours.example"], None),
        ([b"ours.example/"], None),
        ([b"ours.example\n"], None),
        ([b"[::1]:80"], None),
        ([b"-x.example"], None),
        (["oürs.example".encode("latin-1")], None),
        ([b"a" * 300], None),
    ],
)
def test_what_a_host_is(given: list[bytes], found: str | None) -> None:
    assert asked_host(given) == found


@given(st.binary(max_size=300))
def test_no_host_makes_it_fail(given: bytes) -> None:
    found = asked_host([given])
    assert found is None or given.lower().startswith(found.encode())
