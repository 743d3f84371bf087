"""A server with data in it, for programs of other people."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import httpx2
import pytest

from consentry.accounts.access import Role
from consentry.bootstrap import Deployment
from end_to_end.network import fresh
from service.at_work import Caller, in_thread, platform_key, prepare


@dataclass
class Place:
    """Where it is, and the keys and sessions to ask with, by role."""

    deployment: Deployment
    ask: Caller
    shown: dict[Role, tuple[str, str]]


@pytest.fixture(scope="session")
def place() -> Iterator[Place]:
    with fresh() as (folder, deployment):
        release = prepare(folder, deployment)
        with deployment.admission() as admission:
            admission.add("olga", roles=frozenset({Role.PRIVACY_OFFICER}), password="")
            session = admission.admit("olga", subject="https://idp.example/#olga")
            admission.add("adam", roles=frozenset({Role.ADMINISTRATOR}), password="")
            other = admission.admit("adam", subject="https://idp.example/#adam")
        with in_thread(deployment) as ask:
            shown = {
                Role.WORKLOAD: ("Authorization", f"Bearer {platform_key(deployment)}"),
                Role.PRIVACY_OFFICER: ("Cookie", f"__Host-consentry={session}"),
                Role.ADMINISTRATOR: ("Cookie", f"__Host-consentry={other}"),
            }
            _seed(ask, session, release)
            yield Place(deployment, ask, shown)


def _seed(ask: Caller, session: str, release: str) -> None:
    ask.lease(release)
    headers = {"cookie": f"__Host-consentry={session}", "sec-fetch-site": "same-origin"}
    with httpx2.Client(base_url=ask.url, headers=headers) as officer:
        concern = {"case": "concern", "title": "a concern", "reference": "letter 1"}
        assert officer.post("/v1/cases", json=concern).status_code == 201
        order = {"case": "suspended", "scope": {"areas": ["FR"]}, "reference": "letter 2"}
        assert officer.post("/v1/orders", json=order).status_code == 201
        notice = {"notice": "told", "text": "We use…", "languages": ["en"], "channel": "e-mail", "audience": "all"}
        assert officer.post("/v1/notices", json=notice).status_code == 201
