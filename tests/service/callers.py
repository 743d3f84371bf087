"""A served deployment with an officer, an authority and a program, and what the program asks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import httpx2
import pytest

from consentry.accounts.access import Role
from consentry.bootstrap import Deployment
from consentry.service.gate import COOKIE
from end_to_end.network import made_once
from service.at_work import Caller, in_thread, prepare


@dataclass
class Place:
    deployment: Deployment
    release: str
    ask: Caller
    officer: httpx2.Client
    authority: httpx2.Client
    program: httpx2.Client


@pytest.fixture(scope="module")
def place() -> Iterator[Place]:
    with made_once(prepare) as (_, deployment, release):
        with deployment.admission() as admission:
            admission.add("olga", roles=frozenset({Role.PRIVACY_OFFICER}), password="")
            admission.add("ico", roles=frozenset({Role.AUTHORITY}), areas=frozenset({"UK"}), password="")
            _, key = admission.add_key("platform", roles=frozenset({Role.PLATFORM, Role.WORKLOAD}), by="olga")
            cookies = [admission.admit(each, subject=f"https://idp.example/#{each}") for each in ("olga", "ico")]
        with in_thread(deployment) as ask:
            client = partial(httpx2.Client, base_url=ask.url, timeout=30)
            officer, authority = (
                client(headers={"cookie": f"{COOKIE}={each}", "sec-fetch-site": "same-origin"}) for each in cookies
            )
            program = client(headers={"authorization": f"Bearer {key}"})
            with officer, authority, program:
                yield Place(deployment, release, ask, officer, authority, program)


def asked(person: str = "us", purpose: str = "train-genai", **kind: str) -> dict[str, Any]:
    properties = {"category": "post", "visibility": "public", **kind}
    return {
        "subject": {"type": "person", "id": person},
        "action": {"name": purpose},
        "resource": {"type": "content", "id": "new", "properties": properties},
    }


def decide(place: Place, body: dict[str, Any]) -> dict[str, Any]:
    answer = place.program.post("/access/v1/evaluation", json=body)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def choose(place: Place, person: str, state: str = "refused", key: str | None = None, **more: Any) -> httpx2.Response:
    body = {"choices": [{"person": person, "purpose": "train-genai", "state": state, **more}]}
    headers = {} if key is None else {"idempotency-key": key}
    return place.program.post("/v1/choices", json=body, headers=headers)
