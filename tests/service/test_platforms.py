"""Several platforms in one server: kept apart, found by their host, and one that is broken holds up no other."""

from __future__ import annotations

import json
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from consentry.accounts.access import Role
from consentry.accounts.member_link import LinkKeys, claims_for
from consentry.bootstrap import Deployment, open_deployment
from consentry.errors import ConsentryError, InputError, StateError
from consentry.service import hosting as hosting_module
from consentry.service.gate import COOKIE
from consentry.service.homes import alone
from consentry.service.hosting import Hosting
from consentry.service.logs import ACCESS, AccessLog, JsonLines, TextLines
from consentry.service.platforms import MOST, asked_host, read_platforms
from consentry.service.server import _listening, serve_platforms
from consentry.settings import require_shared_environment
from service.at_work import command, prepare, said
from service.provider import provider
from service.tenants import Tenants, host, listed, running, served

BROWSER = {"accept": "text/html"}


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


def file(folder: Path, text: str) -> Path:
    path = folder / "platforms.toml"
    path.write_text(text)
    return path


def wait_until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def ready(tenants: Tenants, hosted: str = "load-balancer") -> tuple[int, Any]:
    answer = httpx2.get(f"{tenants.url}/readyz", headers={"host": hosted})
    return answer.status_code, answer.json()


def waiting_job(found: Tenants) -> Callable[[], bytes]:
    """Lease a release of platform `one`, and return what waits for a change of it and tells how it stands."""
    home = found.homes["one"]
    asked = {"release": prepare(home.settings.home.parent, home), "job": "j", "model": "m", "ttl_s": 60, "nonce": "n"}
    with found.client("one") as client:
        key = {"authorization": f"Bearer {found.token('one')}"}
        granted = client.post("/v1/leases", json=asked, headers=key).json()

    def wait() -> bytes:
        with found.client("one") as client:
            key = {"authorization": f"Bearer {granted['secret']}"}
            told = client.get(f"/v1/leases/{granted['lease']}/watch?wait=50&amendment=0", headers=key)
        return str(told.json()["state"]).encode()

    return wait


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


# One is broken


def test_a_home_that_is_locked_is_served_when_it_is_free(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    for name in ("one", "two"):
        open_deployment(tmp_path / name, embedded=True).close()
    with alone(tmp_path / "two"), served(tmp_path, "one", "two") as found:
        with found.client("two") as client:
            for path in ("/", "/readyz", "/healthz", "/v1/orders"):
                answer = client.get(path)
                assert (answer.status_code, answer.json()["code"]) == (503, "platform-unavailable")
                assert answer.headers["retry-after"]
            assert client.get("/", headers=BROWSER).status_code == 503
        assert ready(found, host("one"))[0] == 200
        assert ready(found) == (200, {"status": "partly-ready"})
        assert found.hosting.hosted[1].trouble.code == "serve-already-running"  # type: ignore[union-attr]
        (tmp_path / "two" / "serve.lock").unlink()  # the next try makes another, as if the other server had gone
        wait_until(lambda: ready(found, host("two"))[0] == 200)
        assert ready(found) == (200, {"status": "ready"})
        assert found.hosting.hosted[1].trouble is None
    assert [each.getMessage() for each in caplog.records if "after all" in each.getMessage()] == [
        "platform `two` is served after all"
    ]


def test_broken_homes_hold_up_nobody(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    names = ["good", "damaged", "missing", "other-address", "settings", "token"]
    for name in names:
        if name != "missing":
            open_deployment(tmp_path / name, embedded=True).close()
    (tmp_path / "damaged" / "ledger.db").write_bytes(b"x" * 5000)
    (tmp_path / "other-address" / "consentry.toml").write_text('site_url = "https://good.example"')
    (tmp_path / "settings" / "consentry.toml").write_text("nonsense = 1")
    (tmp_path / "token" / "keys" / "workload.token").write_text("short")
    with _listening("127.0.0.1", 0) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        hosting = Hosting(listed(tmp_path, *names), address=url, again=0.05)
        with running(hosting, listener):
            time.sleep(0.3)
            found = {each.platform.name: each.trouble and each.trouble.code for each in hosting.hosted}
            assert httpx2.get(f"{url}/readyz", headers={"host": "good.example"}).status_code == 200
            for name in names[1:]:
                assert httpx2.get(f"{url}/", headers={"host": host(name)}).status_code == 503
    damaged = found.pop("damaged")
    assert damaged
    assert found == {
        "good": None,
        "missing": "platform-no-home",
        "other-address": "platform-other-address",
        "settings": "settings-unknown-key",
        "token": "serve-token-damaged",
    }
    assert not (tmp_path / "missing").exists()
    assert not list(tmp_path.glob("*/serve.json"))
    # Tried again and again, said once.
    assert sum("platform `missing`" in each.getMessage() for each in caplog.records) == 1


def test_none_to_serve_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[Any] = []
    monkeypatch.setattr("consentry.service.server.as_text", lambda **_: None)
    with pytest.raises(StateError) as caught:
        serve_platforms(listed(tmp_path, "one", "two"), port=0, announce=lambda *given: told.append(given))
    assert caught.value.code == "platforms-none-served"
    assert len(told) == 1


def test_a_home_that_takes_long_holds_up_no_start_and_no_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("quick", "slow"):
        open_deployment(tmp_path / name, embedded=True).close()
    opening, go_on, plain = threading.Event(), threading.Event(), open_deployment

    def slowly(home: Path) -> Deployment:
        if home.name == "slow":
            opening.set()
            assert go_on.wait(60)
        return plain(home)

    monkeypatch.setattr(hosting_module, "open_deployment", slowly)
    with _listening("127.0.0.1", 0) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        hosting = Hosting(listed(tmp_path, "quick", "slow"), address=url, patience=0.2)
        with running(hosting, listener):
            assert opening.is_set()
            assert ready(Tenants(url, hosting)) == (200, {"status": "partly-ready"})
            assert ready(Tenants(url, hosting), host("slow"))[0] == 503
            threading.Timer(0.5, go_on.set).start()
        # It ended while one was being opened: what was open by then is closed again.
    for name in ("quick", "slow"):
        assert not (tmp_path / name / "serve.json").exists()
        with alone(tmp_path / name):
            pass


def test_starting_and_stopping_again_and_again(tmp_path: Path) -> None:
    for _ in range(4):
        with served(tmp_path, "one", "two") as found:
            threads = threading.active_count()
            for name in ("one", "two"):
                with found.client(name) as client:
                    assert client.get("/readyz").status_code == 200
                assert (tmp_path / name / "serve.json").exists()
        assert threading.active_count() < threads
        for name in ("one", "two"):
            assert not (tmp_path / name / "serve.json").exists()
            with alone(tmp_path / name):
                pass


def test_what_was_asked_before_the_end_is_answered(tmp_path: Path) -> None:
    body, answers = b"find=https%3A%2F%2Fx.example%2F1&answer_to=zoe%40example.org", list[bytes]()
    head = f"POST /object HTTP/1.1\r\nhost: one.example\r\ncontent-length: {len(body)}\r\n"
    head += "content-type: application/x-www-form-urlencoded\r\nconnection: close\r\n\r\n"
    with served(tmp_path, "one") as found:
        port = httpx2.URL(found.url).port
        connection = socket.create_connection(("127.0.0.1", port))
        connection.sendall(head.encode())
        wait = waiting_job(found)
        waiting = threading.Thread(target=lambda: answers.append(wait()))
        waiting.start()
        time.sleep(0.3)

        def finish() -> None:
            connection.sendall(body)
            while part := connection.recv(65_536):
                answers.append(part)

        later = threading.Timer(0.5, finish)
        later.start()
    later.join()
    waiting.join()
    connection.close()
    assert any(each.startswith(b"HTTP/1.1 303") for each in answers), answers
    assert b"granted" in answers, "who waited was sent away before"


def test_two_servers_of_the_same_platforms_share_none(tmp_path: Path) -> None:
    with served(tmp_path, "one", "two") as first, _listening("127.0.0.1", 0) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        second = Hosting(listed(tmp_path, "two", "one"), address=url, again=0.05)
        with running(second, listener):
            assert second.failed
            assert ready(Tenants(url, second))[0] == 503
        assert ready(first) == (200, {"status": "ready"})
        assert json.loads((tmp_path / "one" / "serve.json").read_bytes())["url"] == first.url


# As a process


def test_as_a_process_with_a_job_list_and_an_end(tmp_path: Path) -> None:
    for name in ("one", "two"):
        open_deployment(tmp_path / name, embedded=True).close()
    names = ("one", "two", "three")  # the third holds no deployment
    path = file(tmp_path, "".join(f'[{name}]\nhost = "{name}.example"\nhome = "{name}"\n' for name in names))
    process = command_of(path)
    try:
        wait_until(lambda: all((tmp_path / name / "serve.json").exists() for name in ("one", "two")))
        told = json.loads((tmp_path / "two" / "serve.json").read_bytes())
        assert told["host"] == "two.example"
        wait_until(lambda: httpx2.get(f"{told['url']}/readyz").json() == {"status": "partly-ready"})
        assert json.loads(said(tmp_path / "two", "--json", "jobs")) == {"live": True, "leases": []}
    finally:
        process.send_signal(signal.SIGTERM)
        out, errors = process.communicate(timeout=30)
    assert process.returncode == 0, errors
    assert "Traceback" not in errors
    assert "three: platform `three` is not served" in errors
    assert "not served: platform-no-home" in out
    assert "one.example" in out
    assert "two.example" in out
    assert not list(tmp_path.glob("*/serve.json"))


def command_of(path: Path) -> subprocess.Popen[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("CONSENTRY_")}
    line = [sys.executable, "-m", "consentry", "serve", "--port", "0", "--platforms", str(path)]
    return subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)


def test_one_home_and_several_are_not_asked_for_together(tmp_path: Path) -> None:
    process = command(tmp_path / "home", "serve", "--platforms", "x.toml")
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 2
    assert "--platforms" in errors
    assert not (tmp_path / "home").exists()


# The file


def test_the_file_lists_platforms(tmp_path: Path) -> None:
    path = file(tmp_path, '[acme]\nhost = "consent.acme.example"\nhome = "acme"\n[b-2]\nhost = "b"\nhome = "/srv/b"\n')
    one, two = read_platforms(path)
    assert (one.name, one.host, one.home) == ("acme", "consent.acme.example", tmp_path / "acme")
    assert two.home == Path("/srv/b")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a = 1",
        "[a]",
        '[a]\nhost = "a"',
        '[a]\nhost = "a"\nhome = "a"\nport = 1',
        '[a]\nhost = 1\nhome = "a"',
        '[a]\nhost = ["a"]\nhome = "a"',
        '[a]\nhost = "A.example"\nhome = "a"',
        '[a]\nhost = "https://a.example"\nhome = "a"',
        '[a]\nhost = "a.example:80"\nhome = "a"',
        '[a]\nhost = "*.example"\nhome = "a"',
        '[a]\nhost = ""\nhome = "a"',
        '[a]\nhost = "a"\nhome = " "',
        '[a]\nhost = "a"\nhome = "x\\u0000"',
        '[A]\nhost = "a"\nhome = "a"',
        '["../a"]\nhost = "a"\nhome = "a"',
        '[a]\nhost = "a"\nhome = "a"\n[b]\nhost = "a"\nhome = "b"',
        '[a]\nhost = "a"\nhome = "a"\n[b]\nhost = "b"\nhome = "./x/../a"',
        "\n".join(f'[a{n}]\nhost = "a{n}"\nhome = "a{n}"' for n in range(MOST + 1)),
    ],
)
def test_a_file_that_cannot_be_meant(tmp_path: Path, text: str) -> None:
    with pytest.raises(InputError) as caught:
        read_platforms(file(tmp_path, text))
    assert caught.value.code == "platforms-wrong"


def test_two_names_of_one_folder_are_one_home(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").symlink_to(tmp_path / "a")
    with pytest.raises(InputError, match="same home"):
        read_platforms(file(tmp_path, '[a]\nhost = "a"\nhome = "a"\n[b]\nhost = "b"\nhome = "b"'))


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    for path, code in ((tmp_path / "none", "platforms-unreadable"), (tmp_path, "platforms-unreadable")):
        with pytest.raises(InputError) as caught:
            read_platforms(path)
        assert caught.value.code == code
    for content in (b"[a", b"\xff\xfe", b"a = " + b"[" * 5000):
        (tmp_path / "x").write_bytes(content)
        with pytest.raises(InputError) as caught:
            read_platforms(tmp_path / "x")
        assert caught.value.code == "platforms-syntax"


@given(st.text(max_size=200))
def test_no_text_makes_it_fail_otherwise(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    path = tmp_path_factory.getbasetemp() / "any.toml"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    with suppress(InputError):
        read_platforms(path)


def test_settings_of_one_platform_do_not_stand_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    require_shared_environment()
    monkeypatch.setenv("CONSENTRY_THREADS", "2")
    require_shared_environment()
    for name in ("LEDGER_URL", "SITE_URL", "OIDC_CLIENT_SECRET", "CONTROLLER_NAME"):
        with monkeypatch.context() as patch:
            patch.setenv(f"CONSENTRY_{name}", "x")
            with pytest.raises(ConsentryError) as caught:
                require_shared_environment()
        assert caught.value.code == "platforms-environment"
