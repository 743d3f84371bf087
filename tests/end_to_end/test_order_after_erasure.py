"""An order goes on hitting what it hit when somebody it was about is erased, and nothing of them is left in it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from consentry.bootstrap import Deployment, open_deployment
from consentry.errors import ConsentryError
from consentry.ledger.oversight_events import LeaseEnd, Origin
from consentry.oversight.lease import Lease
from consentry.oversight.order import Scope
from consentry.policy.vocabulary import Purpose
from end_to_end.network import RawItem, RawPerson, populated

POLICY, CASE, REPORT = "august-2024", "ico-2024", "monthly"
WHO, OTHER, ELSEWHERE = "olivia-of-leeds", "arthur-of-bath", "emma-of-ohio"
ITEMS = (
    RawItem(id="hers-1-zq", author=WHO),
    RawItem(id="hers-2-zq", author=WHO),
    RawItem(id="about-her-zq", author=ELSEWHERE, involves=(WHO,)),
    RawItem(id="his-zq", author=OTHER),
    RawItem(id="elsewhere-zq", author=ELSEWHERE),
)
PEOPLE = (RawPerson(id=WHO, country="GB"), RawPerson(id=OTHER, country="GB"), RawPerson(id=ELSEWHERE))
UK = Scope(areas=frozenset({"UK"}))


class Place(NamedTuple):
    """A deployment with a release that a job reads, and the pseudonym of somebody in it."""

    folder: Path
    deployment: Deployment
    release: str
    lease: Lease
    secret: str
    pseudonym: str


@pytest.fixture
def place() -> Iterator[Place]:
    with populated([ITEMS[:3], ITEMS[3:]], PEOPLE, POLICY) as (folder, deployment):
        control = deployment.control
        release = control.releases.build("network", Purpose.TRAIN_GENAI, policy=POLICY).manifest.release
        lease, secret = control.leases.grant(release, job="job-1", model="drafts")
        yield Place(folder, deployment, release, lease, secret, deployment.person(WHO))


def suspend(deployment: Deployment) -> str:
    return deployment.control.orders.suspend(UK, case=CASE, origin=Origin.AUTHORITY_REQUEST, reference="letter").order


def refused(call: Any) -> str:
    with pytest.raises(ConsentryError) as caught:
        call()
    return caught.value.code


def told(deployment: Deployment, order: str) -> dict[str, Any]:
    """Return everything that is said of an order and its case, to staff and to an authority."""
    control = deployment.control
    return {
        "what_if": control.orders.what_if(UK),
        "order": repr(control.orders.get(order)),
        "stopped": repr(control.orders.made_to_stop(control.orders.get(order))),
        "jobs": control.leases.jobs(),
        "models": control.models.every(),
        "timeline": control.cases.timeline(CASE),
        "report": control.reports.generate(CASE, REPORT),
    }


def test_what_an_order_hits_is_hit_when_people_are_erased_afterwards(place: Place) -> None:
    deployment, control = place.deployment, place.deployment.control
    order = suspend(deployment)
    control.statements.erase([place.pseudonym])
    assert refused(lambda: control.leases.grant(place.release, job="job-2", model="other")) == "lease-suspended"
    assert refused(lambda: control.releases.data_files(place.release)) == "release-suspended"
    renewal: dict[str, Any] = {
        "secret": place.secret,
        "job": "job-1",
        "fence": place.lease.fence,
        "sequence": 1,
        "step": None,
    }
    assert refused(lambda: control.leases.renew(place.lease.lease, **renewal)) == "lease-revoked"
    assert [each.lease for each in control.orders.made_to_stop(control.orders.get(order))] == [place.lease.lease]
    control.leases.end(place.lease.lease, secret=place.secret, how=LeaseEnd.STOPPED, step=3)
    drained = control.orders.get(order).drained
    assert drained is not None
    assert drained.stopped == 1


def test_the_last_person_of_a_country_is_erased_and_the_order_still_hits(place: Place) -> None:
    """What was sealed with somebody's items was trained on: that they are gone gives nothing back."""
    deployment, control = place.deployment, place.deployment.control
    suspend(deployment)
    control.statements.erase([place.pseudonym, deployment.person(OTHER)])
    assert refused(lambda: control.leases.grant(place.release, job="job-2", model="other")) == "lease-suspended"
    deployment.close()
    again = open_deployment(place.folder / "home")
    assert refused(lambda: again.control.leases.grant(place.release, job="job-2", model="other")) == "lease-suspended"
    again.close()


def test_an_order_that_comes_after_an_erasure_hits_the_same(place: Place) -> None:
    deployment, control = place.deployment, place.deployment.control
    before = control.orders.what_if(UK)
    assert (before["corpora"]["network"]["people"], before["releases"]) == (2, {place.release: 4})
    control.statements.erase([place.pseudonym])
    # Where their items lay is known, and that a release was sealed with them; who they were is not.
    # Of the counts only that goes which the erasure took out of the release.
    assert control.orders.what_if(UK) == before | {"releases": {place.release: 1}}
    order = suspend(deployment)
    assert control.orders.barring(place.release) == control.orders.get(order)


def test_nothing_of_the_person_is_in_what_is_said_or_kept_of_an_order(place: Place) -> None:
    deployment, control = place.deployment, place.deployment.control
    control.leases.consumed(
        place.lease.lease, secret=place.secret, from_step=1, to_step=2, amendment=0, ranges=[[0, 0, 3], [1, 0, 1]]
    )
    order = suspend(deployment)
    control.reports.schedule(CASE, REPORT, title="what was suspended", due=2_000_000_000, by="ann")
    control.reports.deliver(CASE, REPORT, position=None, by="ann")
    before = told(deployment, order)
    control.statements.erase([place.pseudonym])
    after = told(deployment, order)
    for said in (json.dumps(before, default=str), json.dumps(after, default=str)):
        for word in (WHO, OTHER, "zq", place.pseudonym):
            assert word not in said
    deployment.close()
    kept = {path: path.read_bytes() for path in (place.folder / "home").rglob("*") if path.is_file()}
    for sought in (WHO.encode(), b"-zq", place.pseudonym.encode(), bytes.fromhex(place.pseudonym)):
        assert [path.name for path, content in kept.items() if sought in content] == []
