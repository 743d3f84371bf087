"""A deployment with a release and staff of every role, and each of them with a browser."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from consentry.accounts.access import Role
from consentry.bootstrap import Deployment
from consentry.ledger.events import Body
from end_to_end.network import made_once
from service.at_work import Caller, in_thread, prepare
from service.visitor import Visitor

STAFF = {
    "olga": Role.PRIVACY_OFFICER,
    "petra": Role.PRIVACY_OFFICER,
    "paul": Role.POLICY_APPROVER,
    "mel": Role.ML_ENGINEER,
    "sue": Role.SUPPORT,
    "ada": Role.ADMINISTRATOR,
    "audrey": Role.AUDITOR,
    "ico": Role.AUTHORITY,
}
OVERSEERS = {"olga", "petra", "paul", "mel", "audrey"}
HOSTILE = "<script>alert(1)</script>'\"><img src=x>"


@dataclass
class Office:
    """A served deployment, and who works there."""

    deployment: Deployment
    release: str
    folder: Path
    ask: Caller
    cookies: dict[str, str] = field(default_factory=dict)

    def visitor(self, handle: str = "") -> Visitor:
        """Return a browser, with somebody signed in."""
        from consentry.service.gate import COOKIE

        return Visitor(self.ask.url, {COOKIE: self.cookies[handle]} if handle else {})

    def events(self, kind: type[Body]) -> list[Body]:
        """Return everything of a kind that was said."""
        return [each.body for each in self.deployment.control.desk.parts.ledger.read() if isinstance(each.body, kind)]

    def statuses(self, path: str) -> dict[str, int]:
        """Return who is answered what at an address; nobody is under an empty name."""
        return {name: self.visitor(name).get(path).status_code for name in ("", *STAFF)}


def _empty(_folder: Path, _deployment: Deployment) -> str:
    return ""


@contextmanager
def office(*, filled: bool = True) -> Iterator[Office]:
    """Serve a deployment; one that is not filled has nothing in it."""
    with (
        made_once(prepare if filled else _empty) as (folder, deployment, release),
        deployment.admission() as admission,
        in_thread(deployment) as ask,
    ):
        made = Office(deployment, release, folder, ask)
        for handle, role in STAFF.items():
            areas = frozenset({"UK"}) if role is Role.AUTHORITY else frozenset[str]()
            admission.add(handle, roles=frozenset({role}), areas=areas, password="")
            made.cookies[handle] = admission.admit(handle, subject=f"https://idp.example/#{handle}")
        yield made


def may(statuses: dict[str, int]) -> set[str]:
    """Return who saw a page; everybody else was sent to sign in, or refused."""
    others = {name: status for name, status in statuses.items() if status != 200}
    assert others.pop("", 303) == 303, "who is not signed in is led to where one does"
    assert set(others.values()) <= {403}, others
    return {name for name, status in statuses.items() if status == 200}


@pytest.fixture(scope="module")
def place() -> Iterator[Office]:
    """Yield one for all the tests of a module, which change nothing in it."""
    with office() as made:
        yield made
