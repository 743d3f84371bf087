"""A server with data in it, for programs of other people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import httpx2
import pytest

from consentry.accounts.access import Role
from consentry.bootstrap import Deployment
from consentry.policy.library import shipped
from end_to_end.network import fresh
from service.at_work import POLICY, Caller, in_thread, prepare

CALLERS: Mapping[str, frozenset[Role]] = MappingProxyType(
    {
        "programs": frozenset({Role.PLATFORM, Role.WORKLOAD, Role.ML_ENGINEER}),
        "officer": frozenset({Role.PRIVACY_OFFICER}),
        "administrator": frozenset({Role.ADMINISTRATOR}),
        "authority": frozenset({Role.AUTHORITY}),
    }
)
"""Who asks, as what. `holder` is one more: the job that holds a lease."""


@dataclass(frozen=True, kw_only=True)
class Shown:
    """The header somebody asks with, and values of parameters without which nothing would be found."""

    header: str
    value: str
    pinned: Mapping[str, str] = field(default_factory=dict)


@dataclass
class Place:
    """Where it is, and what to ask with, by caller."""

    deployment: Deployment
    ask: Caller
    shown: dict[str, Shown]


@pytest.fixture(scope="session")
def place() -> Iterator[Place]:
    with fresh() as (folder, deployment):
        release = prepare(folder, deployment)
        sessions = {}
        with deployment.admission() as admission:
            for name in ("officer", "administrator", "authority"):
                areas = frozenset({"UK"}) if name == "authority" else frozenset[str]()
                admission.add(name, roles=CALLERS[name], areas=areas, password="")
                sessions[name] = admission.admit(name, subject=f"https://idp.example/#{name}")
            _, key = admission.add_key("programs", roles=CALLERS["programs"], by="olga")
        with in_thread(deployment) as ask:
            held = ask.lease(release, ttl_s=3600).granted
            shown = {"programs": Shown(header="Authorization", value=f"Bearer {key}")}
            for name, session in sessions.items():
                shown[name] = Shown(header="Cookie", value=f"__Host-consentry={session}")
            secret = f"Bearer {held['secret']}"
            shown["holder"] = Shown(header="Authorization", value=secret, pinned={"path.lease": held["lease"]})
            _seed(ask, key, sessions["officer"])
            yield Place(deployment, ask, shown)


def _seed(ask: Caller, key: str, session: str) -> None:
    headers = {"cookie": f"__Host-consentry={session}", "sec-fetch-site": "same-origin"}
    said: list[tuple[str, dict[str, object]]] = [
        ("cases", {"case": "concern", "title": "a concern", "reference": "letter 1"}),
        ("orders", {"case": "suspended", "scope": {"areas": ["FR"]}, "reference": "letter 2"}),
        (
            "notices",
            {"notice": "told", "text": "We use…", "languages": ["en"], "channel": "e-mail", "audience": "all"},
        ),
        ("policy-proposals", {"text": shipped()[POLICY] + "\n# clearer\n", "reason": "a comment"}),
    ]
    with httpx2.Client(base_url=ask.url, headers=headers) as officer:
        for path, body in said:
            answer = officer.post(f"/v1/{path}", json=body)
            assert answer.status_code == 201, answer.content
        # What is read in once, by the first who misspells an area, is read in before answers are waited for.
        answer = officer.post("/v1/orders/what-if", json={"scope": {"areas": ["QQ"]}}, timeout=120)
        assert answer.json()["code"] == "policy-unknown-area", answer.content
    choice = {"person": "br", "purpose": "train-genai", "state": "refused"}
    assert ask("POST", "/v1/choices", {"choices": [choice]}, token=key).status == 201
    objection = {"find": "https://network.example/p/1", "answer_to": "somebody@example.org"}
    assert ask("POST", "/v1/objections", objection, token=key).status == 201
