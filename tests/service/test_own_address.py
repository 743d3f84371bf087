"""By which address this server is reached is not what anybody writes into a request."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import httpx2
import pytest
from starlette.requests import Request

from consentry.service.own_address import address_of, sent_from_here
from service.conftest import Place

LISTENING = ("10.0.0.5", 8799)


def scope(host: str, *, server: Any = LISTENING, scheme: str = "http") -> dict[str, Any]:
    return {
        "type": "http",
        "method": "GET",
        "path": "/object",
        "query_string": b"",
        "scheme": scheme,
        "server": server,
        "headers": [(b"host", host.encode())],
    }


def asked(host: str, *, site_url: str = "", own: str = "", server: Any = LISTENING) -> str | None:
    settings = SimpleNamespace(site_url=site_url)
    state = SimpleNamespace(deployment=SimpleNamespace(settings=settings), host=own)
    return address_of(Request({**scope(host, server=server), "app": SimpleNamespace(state=state)}))


@pytest.mark.parametrize(
    "host", ["localhost", "localhost:8799", "127.0.0.1:8799", "127.8.0.1", "[::1]:1", "10.0.0.5:8799", "LOCALHOST:80"]
)
def test_this_machine_is_believed(host: str) -> None:
    assert asked(host) == f"http://{host}"


@pytest.mark.parametrize(
    "host",
    ["evil.example", "10.0.0.5", "10.0.0.5:80", "10.0.0.6:8799", "localhost.evil.example", "", "[", "x@127.0.0.1",
     "127.0.0.1/x", "127.0.0.1:x", "127.0.0.1?x", "127.0.0.1#x", "localhost\\@evil.example", "evil.example:8799"],
)  # fmt: skip
def test_nobody_else_is(host: str) -> None:
    assert asked(host) is None
    assert asked(host, site_url="https://consent.example/") == "https://consent.example"


def test_the_host_of_a_platform_is_believed() -> None:
    assert asked("a.example:8443", own="a.example") == "http://a.example:8443"
    assert asked("b.example", own="a.example") is None
    assert asked("", own="") is None
    assert asked("127.0.0.1", server=None) == "http://127.0.0.1"


def test_without_an_address_none_is_made_up(place: Place) -> None:
    path, lie = "/.well-known/authzen-configuration", {"host": "evil.example"}
    assert httpx2.get(place.ask.url + path).json()["policy_decision_point"] == place.ask.url
    refused = httpx2.get(place.ask.url + path, headers=lie)
    assert (refused.status_code, refused.json()["code"]) == (409, "serve-no-address")
    written = {"find": "all of mine", "answer_to": "a@example.org"}
    path = httpx2.post(f"{place.ask.url}/object", data=written).headers["location"].partition("?")[0]
    assert f">{place.ask.url}{path}<" in httpx2.get(place.ask.url + path).text
    told = httpx2.get(place.ask.url + path, headers=lie).text
    assert f">{path}<" in told
    assert "evil.example" not in told


@pytest.mark.parametrize(
    ("origin", "host", "site_url", "ours"),
    [
        ("http://10.0.0.5:8799", "10.0.0.5:8799", "", True),
        ("https://10.0.0.5:8799", "10.0.0.5:8799", "", False),
        ("http://10.0.0.5:8799", "evil.example", "", False),
        ("http://evil.example", "10.0.0.5:8799", "", False),
        ("https://consent.example", "consent.example", "", True),  # a proxy that nobody told of
        ("http://consent.example", "consent.example", "", True),
        ("https://consent.example", "consent.example", "https://consent.example/", True),
        ("http://consent.example", "consent.example", "https://consent.example/", False),
        ("http://10.0.0.5:8799", "10.0.0.5:8799", "https://consent.example/", True),
        ("ftp://consent.example", "consent.example", "", False),
        ("null", "10.0.0.5:8799", "", False),
        ("null", "", "", False),
        ("", "", "", False),
        ("http://[", "[", "", False),
    ],
)
def test_a_form_is_from_here_by_host_and_scheme(origin: str, host: str, site_url: str, *, ours: bool) -> None:
    assert sent_from_here(origin, scope(host), site_url=site_url) is ours
