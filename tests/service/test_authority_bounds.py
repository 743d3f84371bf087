"""Outside its own pages an authority learns nothing, also not whether something is there.

The addresses are those of the router, and their names are those of things that are there and concern others only.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx2
import pytest

from consentry.accounts.access import Action
from consentry.ledger.oversight_events import Origin
from consentry.oversight.order import Scope
from consentry.policy.vocabulary import Purpose
from consentry.service.app import ROUTERS
from consentry.service.gate import COOKIE, actions_of, addresses
from service.staff import Office, office

NOTHING = {"number": "1", "index": "0", "position": "1"}
OPEN = {Action.ANYONE, Action.HOLDER}
ADDRESSES = [
    (method, route.path)
    for route in addresses(ROUTERS)
    for method in sorted(route.methods or ())
    if not actions_of(route) <= OPEN
    and not (route.path.startswith(("/authority", "/v1/authority/")) and "{" not in route.path)
]


def _names(path: str) -> list[str]:
    return [each.partition("}")[0] for each in path.split("{")[1:]]


def _things(own: Office) -> dict[str, str]:
    """Return the names of things that are there, by the names that addresses have for them."""
    control = own.deployment.control
    lease = own.ask.lease(own.release, model="modelo").granted["lease"]
    scope = Scope(areas=frozenset({"BR"}), purposes=frozenset({Purpose.TRAIN_GENAI}))
    control.orders.suspend(scope, case="br-2026", origin=Origin.BINDING_ORDER, reference="carta")
    control.reports.schedule("br-2026", "first", title="Relatorio", due=2_000_000_000, by="olga")
    control.reports.deliver("br-2026", "first", position=None, by="olga")
    control.notices.write("aviso", b"Texto", languages=["pt"], channel="mail", audience="all")
    (order,) = control.orders.every()
    policy = control.desk.present().state.policies[0]
    return {
        "case": "br-2026",
        "name": "br-2026",
        "report": "first",
        "order": order.order,
        "model": "modelo",
        "release": own.release,
        "lease": lease,
        "notice": "aviso",
        "number": "1",
        "index": "0",
        "position": str(policy.position),
        "handle": "olga",
    }


def _filled(path: str, things: dict[str, str]) -> str:
    for name in _names(path):
        path = path.replace(f"{{{name}}}", things.get(name, "x1"))
    return path


@dataclass
class Place:
    """A server where things of others are."""

    own: Office
    client: httpx2.Client
    things: dict[str, str]

    def ask(self, who: str, method: str, path: str) -> httpx2.Response:
        sent = {"cookie": f"{COOKIE}={self.own.cookies[who]}", "sec-fetch-site": "same-origin"}
        body: dict[str, Any] = (
            {} if method != "POST" else {"json" if path.startswith(("/v1/", "/access/")) else "data": {}}
        )
        return self.client.request(method, path, headers={**sent, "accept": "application/json"}, **body)


@pytest.fixture(scope="module")
def place() -> Iterator[Place]:
    with office() as own, httpx2.Client(base_url=own.ask.url, timeout=60) as client:
        yield Place(own, client, _things(own))


def test_an_authority_learns_nothing_of_others_outside_its_pages(place: Place) -> None:
    wrong = []
    for method, path in ADDRESSES:
        there = place.ask("ico", method, _filled(path, place.things))
        made_up = place.ask("ico", method, _filled(path, NOTHING)) if "{" in path else there
        if {there.status_code, made_up.status_code} - {403, 404}:
            wrong.append(f"{method} {path}: {there.status_code}")
        elif there.json()["code"] != made_up.json()["code"]:
            wrong.append(f"{method} {path}: tells whether something is there")
    assert not wrong


def test_there_is_something_to_learn(place: Place) -> None:
    paths = {path for method, path in ADDRESSES if method == "GET" and {*_names(path)} & {"model", "case", "order"}}
    seen = {path for path in paths if place.ask("olga", "GET", _filled(path, place.things)).status_code == 200}
    assert {"/v1/models/{model}/serving", "/v1/cases/{case}", "/v1/orders/{order}"} <= seen


@pytest.mark.parametrize("model", ["modelo", "no-such-model"])
def test_whether_a_model_may_be_served_is_not_for_an_authority(place: Place, model: str) -> None:
    answer = place.ask("ico", "GET", f"/v1/models/{model}/serving")
    assert (answer.status_code, answer.json()["code"]) == (403, "access-denied")
    assert "modelo" not in answer.text
