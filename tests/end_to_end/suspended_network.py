"""A network whose use for training is suspended: its content, and short ways to suspend, build and hold a lease."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from consentry.bootstrap import Deployment
from consentry.errors import ConsentryError
from consentry.ledger.oversight_events import Origin
from consentry.oversight.lease import Lease
from consentry.oversight.order import Order, Scope
from consentry.policy.vocabulary import Purpose
from end_to_end.network import RawItem, RawPerson, populated
from end_to_end.test_story import BEFORE, NOW

POLICY = "august-2024"
ITEMS = (
    RawItem(id="u1", author="us", created=BEFORE),
    RawItem(id="g1", author="gb", created=BEFORE),
    RawItem(id="g2", author="us", created=BEFORE, involves=("gb",)),
    RawItem(id="b1", author="br", created=BEFORE - 86_400 * 30),
    RawItem(id="n1", author="br"),
)
PEOPLE = (RawPerson(id="us"), RawPerson(id="gb", country="GB"), RawPerson(id="br", country="BR"))
UK = Scope(areas=frozenset({"UK"}))
EVERYTHING = {"u1", "g1", "g2", "b1", "n1"}


@pytest.fixture
def place() -> Iterator[tuple[Path, Deployment]]:
    with populated([ITEMS[:3], ITEMS[3:]], PEOPLE, POLICY) as started:
        yield started


def build(deployment: Deployment, purpose: Purpose = Purpose.TRAIN_GENAI) -> str:
    return deployment.control.releases.build("network", purpose, policy=POLICY, at=NOW).manifest.release


def suspend(deployment: Deployment, scope: Scope = UK) -> Order:
    return deployment.control.orders.suspend(
        scope, case="ico-2024", origin=Origin.AUTHORITY_REQUEST, reference="letter of 20 September"
    )


def grant(deployment: Deployment, release: str, model: str = "drafts") -> tuple[Lease, str]:
    return deployment.control.leases.grant(release, job="job-1", model=model, ttl_ms=60_000)


def refusal(deployment: Deployment, release: str, model: str = "drafts") -> str:
    with pytest.raises(ConsentryError) as caught:
        grant(deployment, release, model)
    return caught.value.code


def renew(deployment: Deployment, lease: Lease, secret: str, sequence: int = 1) -> Lease:
    return deployment.control.leases.renew(
        lease.lease, secret=secret, job=lease.job, fence=lease.fence, sequence=sequence, step=None
    )
