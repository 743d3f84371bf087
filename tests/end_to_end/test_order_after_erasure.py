"""An order goes on hitting what it hit when somebody it was about is erased, and nothing of them is left in it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from consentry.bootstrap import Deployment, open_deployment
from consentry.corpus.population import Population
from consentry.digests import canonical_json
from consentry.errors import ConsentryError
from consentry.ledger.oversight_events import LeaseEnd, Origin
from consentry.oversight.lease import Lease
from consentry.oversight.order import Scope
from consentry.policy.vocabulary import Purpose
from end_to_end.model_steps import train
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


LINKED = (RawPerson(id="bo", country="BR"), RawPerson(id="bo-too", country="US"), RawPerson(id="al", country="BR"))
MADE = 1_700_000_000
THEIRS = tuple(RawItem(id=f"{who}-zq", author=who, created=MADE) for who in ("bo", "al"))
US = Scope(areas=frozenset({"US"}))
BOTH = pytest.mark.parametrize(
    "scope", [US, replace(US, created_from=MADE - 9, created_before=MADE + 9)], ids=["undated", "dated"]
)


class Linking(NamedTuple):
    """A deployment of somebody with an account in Brazil, of which items are, and perhaps with another in the US."""

    folder: Path
    deployment: Deployment

    def link(self) -> None:
        """Say that both are one person."""
        self.deployment.control.statements.link(self.deployment.person("bo"), self.deployment.person("bo-too"))

    def trained(self) -> str:
        """Seal a release and train a model on it."""
        release = self.deployment.control.releases.build("network", Purpose.TRAIN_GENAI, policy=POLICY)
        train(self.deployment, release.manifest.release, "drafts", [[0, 0, 2]])
        return release.manifest.release

    def erase(self, *who: str) -> None:
        """Erase people."""
        self.deployment.control.statements.erase([self.deployment.person(each) for each in who])

    def order(self, scope: Scope) -> None:
        """Give an order."""
        orders = self.deployment.control.orders
        orders.suspend(scope, case=CASE, origin=Origin.AUTHORITY_REQUEST, reference="letter")

    def forget_links(self) -> None:
        """Make the list of the erased one of before it said which seats were one person's."""
        people, path = self.deployment.control.desk.parts.people, self.folder / "home" / "people" / "erased.json"
        assert isinstance(people, Population)
        body = {name: each for name, each in json.loads(path.read_bytes()).items() if name not in {"linked", "mark"}}
        path.write_bytes(canonical_json({**body, "mark": people._mark(body)}))


@pytest.fixture
def linking() -> Iterator[Linking]:
    with populated([THEIRS], LINKED, POLICY) as place:
        yield Linking(*place)


def found(deployment: Deployment, release: str, scope: Scope) -> tuple[Sequence[str], Sequence[str], bool, bool]:
    """Return the releases and models that an order would hit, whether one bars a release, and may a model serve."""
    control = deployment.control
    asked = control.orders.what_if(scope)
    barred = control.orders.barring(release) is not None
    return [*asked["releases"]], asked["no_longer_served"], barred, control.models.may_serve("drafts")["may"]


@BOTH
@pytest.mark.parametrize("late", [False, True], ids=["linked before the seal", "linked after it"])
def test_where_a_linked_account_lived_counts_after_an_erasure(linking: Linking, scope: Scope, *, late: bool) -> None:
    if not late:
        linking.link()
    release = linking.trained()
    if late:
        linking.link()
    linking.erase("bo")
    assert found(linking.deployment, release, scope) == ([release], ["drafts"], False, True)
    linking.order(scope)
    assert found(linking.deployment, release, scope) == ([release], ["drafts"], True, False)


@BOTH
def test_an_order_that_hit_by_a_link_is_found_again_when_nothing_was_noted(linking: Linking, scope: Scope) -> None:
    linking.link()
    release = linking.trained()
    linking.order(scope)
    linking.erase("bo-too")
    linking.deployment.close()
    assert not (linking.folder / "home" / "hits").exists(), "nobody looked"
    restarted = open_deployment(linking.folder / "home")
    assert found(restarted, release, scope)[2:] == (True, False)
    restarted.close()


@BOTH
def test_people_who_are_erased_at_once_are_not_one_person(linking: Linking, scope: Scope) -> None:
    release = linking.trained()
    linking.erase("bo", "bo-too")
    linking.order(scope)
    assert found(linking.deployment, release, scope) == ([], [], False, True)


@BOTH
def test_of_people_erased_before_links_were_kept_any_may_be_one_person(linking: Linking, scope: Scope) -> None:
    release = linking.trained()
    linking.erase("bo", "bo-too")
    linking.forget_links()
    linking.deployment.close()
    restarted = open_deployment(linking.folder / "home")
    assert found(restarted, release, scope)[:2] == ([release], ["drafts"])
    assert [each["items"] for each in restarted.control.authority_view.releases(US.areas)["releases"]] == [1]
    restarted.close()
