"""Every address of the service is asked as everybody, and the answer is what the table says.

The addresses are those of the router, so a new one is asked as soon as it is there; one without an action is not served
at all (`test_pages.py`), and one that is served without standing in `ROUTERS` fails here. Where one server serves
several platforms, everybody of one of them is asked about the addresses of the other, where they are nobody.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from starlette.routing import Mount

from consentry.accounts.access import TABLE, Action, Role, Scope
from consentry.bootstrap import Deployment, open_deployment
from consentry.service.app import ROUTERS, create_app
from consentry.service.gate import COOKIE, Needs, actions_of, addresses
from service import tenants
from service.at_work import in_thread

STAFF: list[Role] = [each for each in Role if each not in {Role.MEMBER, Role.WORKLOAD, Role.PLATFORM}]
PROGRAMS: tuple[Role, ...] = (Role.PLATFORM, Role.WORKLOAD, Role.ML_ENGINEER, Role.AUDITOR)
ADDRESSES = [
    (method, route)
    for route in addresses(ROUTERS)
    for method in sorted(route.methods or ())
    if (method, route.path) != ("POST", "/sign-out")
]


@dataclass
class Somebody:
    """Who asks, as what, and with what in their hand. `role` is None for who opens nothing."""

    name: str
    role: Role | None
    headers: dict[str, str]


@dataclass
class Place:
    """A server, and everybody who may come to it."""

    client: httpx2.Client
    people: dict[str, Somebody]


NAMES = [
    *(f"{role}-session" for role in STAFF),
    *(f"{role}-key" for role in PROGRAMS),
    "member-session",
    "token",
    "nobody",
    "expired-key",
    "revoked-key",
    "ended-session",
    "disabled-account",
    "key-of-another-deployment",
    "token-of-another-deployment",
]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("access")
    deployment, other = (open_deployment(folder / name, embedded=True) for name in ("home", "other"))
    with in_thread(other) as elsewhere, in_thread(deployment) as ask, httpx2.Client(base_url=ask.url) as client:
        people = _people(deployment)
        people["token"] = Somebody("token", Role.WORKLOAD, _key(ask.token))
        people["token-of-another-deployment"] = Somebody("other", None, _key(elsewhere.token))
        with other.admission() as admission:
            _, secret = admission.add_key("theirs", roles=frozenset({Role.WORKLOAD}), by="olga")
        people["key-of-another-deployment"] = Somebody("other", None, _key(secret))
        yield Place(client, people)
    deployment.close()
    other.close()


@dataclass
class Neighbours:
    """Two platforms in one server: the people of `theirs`, who ask `ours`."""

    served: tenants.Tenants
    ours: Place
    theirs: Place
    unknown: dict[str, dict[tuple[str, str], int]]
    """What is answered to a cookie and to a key that nobody has, by address."""


@pytest.fixture(scope="module")
def neighbours(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Neighbours]:
    folder = tmp_path_factory.mktemp("neighbours")
    with (
        tenants.served(folder, "ours", "theirs") as served,
        served.client("ours") as here,
        served.client("theirs") as there,
    ):
        # The same handles, roles, pseudonyms and names of keys on both sides: none of them may count.
        own, people = (_people(served.homes[name]) for name in ("ours", "theirs"))
        people["token"] = Somebody("token", Role.WORKLOAD, _key(served.token("theirs")))
        view = json.loads((served.homes["theirs"].settings.home / "serve.json").read_bytes())["view"]
        people["view-token"] = Somebody("view", None, _key(view))
        ours = Place(here, own)
        unknown = {
            kind: {
                (method, route.path): _ask(ours, Somebody(kind, None, headers), method, _filled(route)).status_code
                for method, route in ADDRESSES
            }
            for kind, headers in {"cookie": _session("x" * 43), "authorization": _key("ck_" + "x" * 43)}.items()
        }
        yield Neighbours(served, ours, Place(there, people), unknown)


def _people(deployment: Deployment) -> dict[str, Somebody]:
    found = {"nobody": Somebody("nobody", None, {})}

    def add(name: str, role: Role | None, headers: dict[str, str]) -> None:
        found[name] = Somebody(name, role, headers)

    with deployment.admission() as admission:
        for role in STAFF:
            areas = frozenset({"UK"}) if role is Role.AUTHORITY else frozenset[str]()
            admission.add(f"a-{role}", roles=frozenset({role}), areas=areas, password="")
            add(
                f"{role}-session",
                role,
                _session(admission.admit(f"a-{role}", subject=f"https://idp.example/#a-{role}")),
            )
        for program in PROGRAMS:
            _, secret = admission.add_key("k", roles=frozenset({program}), by="olga")
            add(f"{program}-key", program, _key(secret))
        add("member-session", Role.MEMBER, _session(admission.admit_member("0" * 32, {})))
        workload = frozenset({Role.WORKLOAD})
        add("expired-key", None, _key(admission.add_key("k", roles=workload, by="olga", expires_at=1)[1]))
        revoked, secret = admission.add_key("k", roles=workload, by="olga")
        admission.revoke_key(revoked.ident)
        add("revoked-key", None, _key(secret))
        ended = admission.admit("a-privacy-officer", subject="https://idp.example/#a-privacy-officer")
        admission.sign_out(ended)
        add("ended-session", None, _session(ended))
        admission.add("gone", roles=frozenset({Role.PRIVACY_OFFICER}), password="")
        left = admission.admit("gone", subject="https://idp.example/#gone")
        admission.disable("gone")
        add("disabled-account", None, _session(left))
    return found


def _key(secret: str) -> dict[str, str]:
    return {"authorization": f"Bearer {secret}"}


def _session(secret: str) -> dict[str, str]:
    return {"cookie": f"{COOKIE}={secret}", "sec-fetch-site": "same-origin"}


def _ask(place: Place, who: Somebody, method: str, path: str) -> httpx2.Response:
    more: dict[str, Any] = {}
    if method == "POST":
        more = {"json": {}} if path.startswith(("/v1/", "/access/")) else {"data": {}}
    headers = {**who.headers, "accept": "application/json"}
    if path.endswith("/events"):  # goes on for ever
        with place.client.stream(method, path, headers=headers) as answer:
            if answer.status_code != 200:
                answer.read()
            return answer
    return place.client.request(method, path, headers=headers, **more)


def _filled(route: APIRoute) -> str:
    path = route.path
    for name in route.param_convertors:
        value = "1" if name in {"index", "number"} else "x1"
        path = path.replace(f"{{{name}}}", value)
    return path


def scopes_of(route: APIRoute) -> frozenset[Scope]:
    """Return the scopes in which it is enough to be allowed to do what an address needs."""
    return frozenset(Scope).intersection(*(each.scopes for each in _needs(route.dependant)))


def _needs(dependant: Dependant) -> Iterator[Needs]:
    if isinstance(dependant.call, Needs):
        yield dependant.call
    for each in dependant.dependencies:
        yield from _needs(each)


@pytest.mark.parametrize("name", NAMES)
def test_every_address_answers_as_the_table_says(place: Place, name: str) -> None:
    who, wrong = place.people[name], []
    for method, route in ADDRESSES:
        answer = _ask(place, who, method, _filled(route))
        status = answer.status_code
        if not _as_it_should_be(status, actions_of(route), who, scopes=scopes_of(route)):
            wrong.append(f"{method} {route.path}: {status}")
    assert not wrong, f"{name}: {wrong}"


def _as_it_should_be(
    status: int, actions: set[Action], who: Somebody, *, scopes: frozenset[Scope] = frozenset(Scope)
) -> bool:
    if status >= 500:
        return False
    if actions <= {Action.ANYONE}:
        return status not in {401, 403}
    if Action.HOLDER in actions:
        return status in {401, 403, 404, 422}
    if who.role is None:
        return status == 401
    allowed = all(TABLE[action].get(who.role) in scopes for action in actions - {Action.ANYONE})
    return status not in {401, 403} if allowed else status == 403


def test_what_is_for_some_areas_only_is_under_authority() -> None:
    partial = {action for action, row in TABLE.items() if Scope.AREAS in row.values()}
    given: set[Action] = set()
    for _, route in ADDRESSES:
        if Scope.AREAS in scopes_of(route) and (asked := actions_of(route) & partial):
            assert route.path.startswith(("/authority", "/v1/authority/")), (
                f"{route.path} looks at nobody's jurisdictions"
            )
            given |= asked
    assert given == partial, "the table says of an authority what no address gives it"


def test_the_check_notices_what_is_wrong() -> None:
    officer, nobody = Somebody("olga", Role.PRIVACY_OFFICER, {}), Somebody("nobody", None, {})
    assert not _as_it_should_be(200, {Action.METRICS_READ}, officer)
    assert not _as_it_should_be(200, {Action.ORDER_READ}, nobody)
    assert not _as_it_should_be(403, {Action.ORDER_READ}, officer)
    assert not _as_it_should_be(500, {Action.ANYONE}, nobody)
    assert not _as_it_should_be(200, {Action.HOLDER}, officer)


def test_nothing_is_served_but_these_addresses(tmp_path: Path) -> None:
    deployment = open_deployment(tmp_path / "home", embedded=True)
    with deployment.admission() as admission:
        app = create_app(deployment, admission, token="t" * 20)
        served = {(route.path, frozenset(route.methods or ())) for route in _routes(app.routes)}
        app.state.verbs.close()
        app.state.watch.close()
    deployment.close()
    assert served == {(route.path, frozenset(route.methods or ())) for route in addresses(ROUTERS)}


def _routes(found: list[Any]) -> Iterator[APIRoute]:
    """Yield every address, and fail for what is none and not the folder of static files."""
    for each in found:
        if isinstance(each, APIRoute):
            yield each
        elif isinstance(each, Mount):
            assert each.path == "/static"
        else:
            included: Callable[..., Any] = each.original_router
            yield from _routes(included.routes)  # type: ignore[attr-defined]


def test_signing_out_needs_nobody(place: Place) -> None:
    for name in ("nobody", "expired-key"):
        assert _ask(place, place.people[name], "POST", "/sign-out").status_code == 303


OF_NEIGHBOURS = [*(f"{role}-session" for role in STAFF), *(f"{role}-key" for role in PROGRAMS)]
OF_NEIGHBOURS += ["member-session", "token", "view-token"]


@pytest.mark.parametrize("name", OF_NEIGHBOURS)
def test_everybody_of_another_platform_is_nobody_here(neighbours: Neighbours, name: str) -> None:
    theirs = Somebody(name, None, neighbours.theirs.people[name].headers)
    unknown = neighbours.unknown["cookie" if "cookie" in theirs.headers else "authorization"]
    wrong = []
    for method, route in ADDRESSES:
        answer = _ask(neighbours.ours, theirs, method, _filled(route))
        good = _as_it_should_be(answer.status_code, actions_of(route), theirs, scopes=scopes_of(route))
        if not good or answer.status_code != unknown[method, route.path]:
            wrong.append(f"{method} {route.path}: {answer.status_code}, not {unknown[method, route.path]}")
    assert not wrong, f"{name}: {wrong}"


@pytest.mark.parametrize("name", ["privacy-officer-session", "workload-key"])
def test_where_they_belong_the_same_people_are_who_they_are(neighbours: Neighbours, name: str) -> None:
    who, wrong, let_in = neighbours.theirs.people[name], [], 0
    for method, route in ADDRESSES:
        status = _ask(neighbours.theirs, who, method, _filled(route)).status_code
        let_in += status not in {401, 403}
        if not _as_it_should_be(status, actions_of(route), who, scopes=scopes_of(route)):
            wrong.append(f"{method} {route.path}: {status}")
    assert not wrong, f"{name}: {wrong}"
    nobody = neighbours.unknown["cookie"].values()
    assert let_in > sum(status not in {401, 403} for status in nobody), "or the test above would prove nothing"


def test_no_address_is_served_under_another_name(neighbours: Neighbours) -> None:
    who = neighbours.ours.people["privacy-officer-session"]
    with httpx2.Client(base_url=neighbours.served.url) as client:
        found = {
            (method, route.path): _ask(Place(client, {}), who, method, _filled(route)).status_code
            for method, route in ADDRESSES
        }
    assert {path for (_, path), status in found.items() if status != 421} == {"/healthz", "/readyz"}
