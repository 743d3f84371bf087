"""Signing in with an organisation: who comes back is who was sent, and what the provider says holds."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from joserfc.jwk import RSAKey

from consentry.accounts.access import Role
from consentry.bootstrap import open_deployment
from consentry.errors import StateError, UnavailableError
from consentry.service import oidc
from consentry.service.oidc import COOKIE, Provider
from service.at_work import in_thread
from service.provider import Idp, provider
from service.visitor import Visitor, words

SITE = "https://consentry.example"


@dataclass
class There:
    url: str
    idp: Idp
    person: str

    def visitor(self) -> Visitor:
        return Visitor(self.url)

    def come_back(self, visitor: Visitor, at: str = "/sign-in/organisation") -> str:
        """Go to the provider and return the path that it sends the browser back to."""
        away = visitor.get(at)
        assert away.status_code == 303, words(away)
        return self.idp.authorize(away.headers["location"]).removeprefix(SITE)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[There]:
    with provider() as idp, pytest.MonkeyPatch.context() as patch:
        for name, value in {
            "SITE_URL": SITE,
            "OIDC_ISSUER": idp.url,
            "OIDC_CLIENT_ID": "consentry",
            "OIDC_CLIENT_SECRET": "a secret",
            "MEMBER_ISSUER": idp.url,
            "MEMBER_CLIENT_ID": "consentry-members",
        }.items():
            patch.setenv(f"CONSENTRY_{name}", value)
        deployment = open_deployment(tmp_path_factory.mktemp("elsewhere") / "home", embedded=True)
        with deployment.admission() as admission:
            admission.add("olga", roles=frozenset({Role.PRIVACY_OFFICER}), password="")
        with in_thread(deployment) as ask:
            yield There(ask.url, idp, deployment.person("member 7"))
        deployment.close()


@pytest.fixture
def there(running: There) -> There:
    running.idp.claims = {"sub": "1", "preferred_username": "olga"}
    running.idp.signs_with, running.idp.unsigned = None, False
    return running


EMBEDDING = Path(__file__).parents[2] / "docs" / "embedding.md"


@contextmanager
def platform(names: dict[str, Any], *, person: str) -> Iterator[None]:
    """Serve the provider that the document writes down, for somebody who is signed in there."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            if parts.path == "/authorise":
                self.send_response(303)
                query = {name: values[0] for name, values in parse_qs(parts.query).items()}
                self.send_header("location", names["authorise"](query, person))
                self.end_headers()
            else:
                self._say(names["keys" if parts.path == "/keys" else "configuration"]())

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"])).decode()
            self._say(names["token"]({name: values[0] for name, values in parse_qs(body).items()}))

        def _say(self, body: object) -> None:
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.end_headers()
            self.wfile.write(json.dumps(body).encode())

        def log_message(self, *_: Any) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    names["ISSUER"] = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_the_login_of_the_document_signs_a_member_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    chapter = EMBEDDING.read_text("utf-8").partition("## With OpenID Connect")[2]
    python, plain = (chapter.partition(f"```{kind}\n")[2].partition("```")[0] for kind in ("python", "text"))
    names: dict[str, Any] = {}
    exec(compile(python, str(EMBEDDING), "exec", dont_inherit=True), names)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    site = f"http://127.0.0.1:{port}"
    names["CALLBACK"] = f"{site}/me/sign-in/back"
    with platform(names, person="member 7"):
        given = {"SITE_URL": site, "MEMBER_ISSUER": names["ISSUER"], "MEMBER_CLIENT_ID": names["CLIENT"]}
        for name, value in given.items():
            monkeypatch.setenv(f"CONSENTRY_{name}", value)
        deployment = open_deployment(tmp_path / "home", embedded=True)
        with in_thread(deployment, port=port):
            environment = {**os.environ, "SITE": site, "JAR": str(tmp_path / "jar")}
            done = subprocess.run(
                ["sh", "-eu", "-c", plain], env=environment, capture_output=True, text=True, timeout=60, check=True
            )
            assert done.stdout == f"303 {site}/me", done.stderr
            visitor = Visitor(site)
            at_platform = visitor.get("/me/sign-in").headers["location"]
            query = {name: values[0] for name, values in parse_qs(urlsplit(at_platform).query).items()}
            assert visitor.get(names["authorise"](query, "member 7").removeprefix(site)).status_code == 303
            assert "Hello Ada" in words(visitor.get("/me?lang=en"))
            person = deployment.person("member 7").encode()
            assert any(person in file.read_bytes() for file in deployment.settings.home.glob("accounts*"))
        deployment.close()


def test_staff_sign_in_with_their_organisation(there: There) -> None:
    visitor = there.visitor()
    assert "Sign in with your organisation" in words(visitor.get("/sign-in"))
    answer = visitor.get(there.come_back(visitor, "/sign-in/organisation?next=/transparency"))
    assert (answer.status_code, answer.headers["location"]) == (303, "/transparency")
    assert "olga" in words(visitor.get("/"))
    assert COOKIE not in visitor.cookies


def test_a_member_is_known_by_their_pseudonym(there: There) -> None:
    there.idp.claims = {"sub": "member 7", "name": "Ada <b>Lovelace</b>"}
    visitor = there.visitor()
    answer = visitor.get(there.come_back(visitor, "/me/sign-in"))
    assert answer.headers["location"] == "/me"
    assert "Ada <b>Lovelace</b>" in words(visitor.get("/")), "shown as it is, as text"
    assert "<b>Lovelace" not in visitor.get("/").text


def test_somebody_else_with_the_same_name_is_refused(there: There) -> None:
    first = there.visitor()
    first.get(there.come_back(first))
    there.idp.claims = {"sub": "2", "preferred_username": "olga"}
    second = there.visitor()
    answer = second.get(there.come_back(second))
    assert answer.status_code == 409
    assert "have no account here" in words(answer)
    assert not second.is_signed_in


@pytest.mark.parametrize("name", [None, 7, "", "otto", ["olga"]])
def test_without_an_account_nobody_is_let_in(there: There, name: object) -> None:
    there.idp.claims = {"sub": "3", "preferred_username": name}
    visitor = there.visitor()
    assert "have no account here" in words(visitor.get(there.come_back(visitor)))


def test_what_was_begun_counts_once_and_in_one_browser(there: There) -> None:
    visitor, thief = there.visitor(), there.visitor()
    path = there.come_back(visitor)
    assert "was not begun here" in words(thief.get(path))
    assert "was not begun here" in words(visitor.get(path.replace("state=", "state=x")))
    assert not visitor.is_signed_in
    path = there.come_back(visitor)
    assert visitor.get(path).status_code == 303
    assert "was not begun here" in words(visitor.get(path)), "once"


def test_a_state_of_the_other_provider_does_not_count(there: There) -> None:
    visitor = there.visitor()
    path = there.come_back(visitor, "/me/sign-in").replace("/me/sign-in", "/sign-in/organisation")
    assert "was not begun here" in words(visitor.get(path))


@pytest.mark.parametrize(
    "claims",
    [
        {"iss": "https://other.example"},
        {"aud": "somebody-else"},
        {"exp": 1},
        {"nbf": 32_503_680_000},
        {"iat": 32_503_680_000},
        {"nonce": "another"},
        {"nonce": None},
        {"sub": None},
        {"aud": ["consentry", "other"], "azp": "other"},
    ],
)
def test_claims_that_do_not_hold(there: There, claims: dict[str, object]) -> None:
    there.idp.claims = {**there.idp.claims, **claims}
    visitor = there.visitor()
    answer = visitor.get(there.come_back(visitor))
    assert answer.status_code == 409
    assert "what the provider says does not hold" in words(answer)
    assert not visitor.is_signed_in


def test_a_signature_of_another_key_or_none_does_not_hold(there: There) -> None:
    visitor = there.visitor()
    there.idp.signs_with = RSAKey.generate_key(2048, {"kid": "one"})
    assert "does not hold" in words(visitor.get(there.come_back(visitor)))
    there.idp.unsigned = True
    assert "does not hold" in words(visitor.get(there.come_back(visitor)))
    assert not visitor.is_signed_in


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"issuer": "https://other.example"}, "calls itself otherwise"),
        ({"token_endpoint": "ftp://login.example/token"}, "others could listen to"),
        ({"jwks_uri": None}, "others could listen to"),
    ],
)
def test_a_provider_that_says_something_else_of_itself(there: There, changed: dict[str, object], said: str) -> None:
    found = {
        "issuer": there.idp.url,
        **dict.fromkeys(("authorization_endpoint", "token_endpoint", "jwks_uri"), f"{there.idp.url}/x"),
    }
    known = Provider(issuer=there.idp.url, client_id="consentry", client_secret="")
    at = f"{there.idp.url}/.well-known/openid-configuration"
    known._read[at] = (time.monotonic(), {**found, **changed})
    with pytest.raises(StateError, match=said):
        known._metadata()
    known._read[at] = (time.monotonic(), found)
    assert known._metadata() == found


def test_a_provider_that_changed_its_key_is_asked_for_it_but_not_by_every_token(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    callback = f"{SITE}/sign-in/organisation/back"
    with (
        provider() as idp,
        closing(open_deployment(tmp_path / "home", embedded=True)) as deployment,
        deployment.admission() as admission,
    ):
        known = Provider(issuer=idp.url, client_id="consentry", client_secret="")

        def sign_in() -> str:
            begun = known.begin(admission, callback=callback, next="/")
            back = parse_qs(urlsplit(idp.authorize(begun.address)).query)
            answer = {name: values[0] for name, values in back.items()}
            claims, _ = known.finish(admission, callback=callback, secret=begun.secret, answer=answer)
            return str(claims["sub"])

        assert [sign_in(), sign_in()] == ["1", "1"]
        assert idp.keys_fetched == 1, "they are remembered"
        idp.key = RSAKey.generate_key(2048, {"kid": "two", "use": "sig"})
        with pytest.raises(StateError, match="does not hold"):
            sign_in()
        assert idp.keys_fetched == 1, "a moment ago they were fetched"
        monkeypatch.setattr(oidc, "KEYS_AGAIN_S", 0.0)
        assert sign_in() == "1", "with the key that the provider signs with by now"
        assert idp.keys_fetched == 2
        idp.signs_with = RSAKey.generate_key(2048, {"kid": "three"})
        with pytest.raises(StateError, match="does not hold"):
            sign_in()
        assert idp.keys_fetched == 3, "once for a token, and it is not among them"
        monkeypatch.setattr(oidc, "KEYS_AGAIN_S", 60.0)
        for _ in range(5):
            with pytest.raises(StateError, match="does not hold"):
                sign_in()
        assert idp.keys_fetched == 3, "whoever sends such tokens"


def test_somebody_who_changed_their_mind(there: There) -> None:
    visitor = there.visitor()
    path = there.come_back(visitor)
    denied = path.partition("?")[0] + "?error=access_denied&" + path.partition("&")[2]
    assert "did not sign you in" in words(visitor.get(denied))


def test_a_provider_that_hangs_holds_up_few_and_is_left_alone_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(oidc, "_TIMEOUT_S", 1.0)
    with socket.create_server(("127.0.0.1", 0), backlog=128) as silent, ThreadPoolExecutor(40) as pool:
        found = Provider(
            issuer=f"http://127.0.0.1:{silent.getsockname()[1]}", client_id="consentry", client_secret="a secret"
        )

        def ask(_: int) -> str:
            with pytest.raises(UnavailableError) as caught:
                found._metadata()
            return caught.value.code

        assert set(pool.map(ask, range(40))) == {"sign-in-unavailable"}
        # Whoever waits has a connection, which nobody accepted before.
        assert 0 < connections(silent) <= oidc._AT_ONCE
        assert set(pool.map(ask, range(40))) == {"sign-in-unavailable"}
        assert connections(silent) == 0, "what failed a moment ago is not asked again"
        found._silent_until = 0.0
        assert set(pool.map(ask, range(40))) == {"sign-in-unavailable"}
        assert 0 < connections(silent) <= oidc._AT_ONCE, "a turn is given back by whoever waited in vain"


def connections(listening: socket.socket) -> int:
    """Return how many came since this was asked last."""
    listening.setblocking(False)
    found = 0
    with suppress(BlockingIOError):
        while True:
            listening.accept()[0].close()
            found += 1
    return found


def test_a_provider_that_is_there_again_is_asked_again(
    running: There,
) -> None:
    found = Provider(issuer=running.idp.url, client_id="consentry", client_secret="a secret")
    found._silent_until = time.monotonic() + 0.2
    with pytest.raises(UnavailableError):
        found._metadata()
    time.sleep(0.3)
    assert found._metadata()["issuer"] == running.idp.url
    # What is known already needs nobody to be asked.
    found._silent_until = time.monotonic() + 60
    assert found._metadata()["issuer"] == running.idp.url
