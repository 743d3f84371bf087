"""Whoever objects by the form, and the staff who answer: each with a browser."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

from consentry.accounts.access import Role
from consentry.bootstrap import Deployment
from consentry.control_plane.objections import objection_of
from consentry.oversight.objection import ObjectionState
from service.visitor import Visitor, signed_in, words

HOSTILE = "<script>alert(1)</script> '\"><img src=x onerror=alert(2)> {{ 7*7 }}"
GOOD = {"find": "https://network.example/posts/g1", "answer_to": "zoe@example.org"}
STAFF = sorted(set(Role) - {Role.MEMBER, Role.WORKLOAD, Role.PLATFORM, Role.AUTHORITY})


@dataclass
class There:
    deployment: Deployment
    release: str
    url: str

    def visitor(self) -> Visitor:
        return Visitor(self.url)

    def staff(self, handle: str = "olga") -> Visitor:
        return signed_in(self.url, handle)

    def file(self, visitor: Visitor | None = None, **said: str) -> str:
        """Send the form and return the address of the private page."""
        answer = (visitor or self.visitor()).post("/object", {**GOOD, **said})
        assert answer.status_code == 303, words(answer)
        return urlsplit(answer.headers["location"]).path

    def total(self) -> int:
        return self.deployment.control.objection_queue.list(frozenset(ObjectionState)).total


def secret_of(address: str) -> str:
    return address.rsplit("/", 1)[1]


def in_console(address: str) -> str:
    return f"/console/objections/{objection_of(secret_of(address))}"
