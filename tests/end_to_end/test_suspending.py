"""An order stops builds, answers and leases from its position on; what is outside of its scope goes on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from consentry.bootstrap import Deployment, open_deployment
from consentry.errors import ConsentryError
from consentry.ledger.oversight_events import OrderEnd, Origin
from consentry.oversight.order import Order, Scope
from consentry.policy.library import shipped
from consentry.policy.vocabulary import Category, Purpose, Visibility
from consentry.release import materialise
from consentry.release.materialise import CopyFormat
from consentry.release.snapshot import Use
from end_to_end.network import write_people
from end_to_end.suspended_network import EVERYTHING, PEOPLE, POLICY, UK, build, grant, refusal, renew, suspend
from end_to_end.suspended_network import place as place  # noqa: PLC0414 - a fixture
from end_to_end.test_story import eligible


def test_from_its_position_on_nothing_in_its_scope_is_sealed_and_may_says_no(place: tuple[Path, Deployment]) -> None:
    _, deployment = place
    use = Use(Purpose.TRAIN_GENAI, Category.POST, Visibility.PUBLIC)
    assert eligible(deployment, build(deployment)) == EVERYTHING
    assert deployment.control.people.may("gb", use, policy=POLICY)["allowed"]
    order = suspend(deployment)
    assert eligible(deployment, build(deployment)) == {"u1", "b1", "n1"}
    answer = deployment.control.people.may("gb", use, policy=POLICY)
    assert not answer["allowed"]
    assert answer["reasons"][0]["order"] == order.order
    assert "letter of 20 September" in answer["reasons"][0]["why"]
    assert deployment.control.people.may("us", use, policy=POLICY)["allowed"]


def test_examples_within_another_release_are_only_of_items_it_was_sealed_with(place: tuple[Path, Deployment]) -> None:
    _, deployment = place
    suspend(deployment, Scope(areas=frozenset({"BR"})))
    before = build(deployment)
    suspend(deployment)
    after = build(deployment)
    first, second = "suspended:ico-2024.1", "suspended:ico-2024.2"
    found = deployment.control.releases.examples(after)
    assert (found[first], found[second], found["eligible"]) == ("b1", "g1", "u1")
    within = deployment.control.releases.examples(after, within=before)
    assert within == {label: item for label, item in found.items() if label != first}


def test_a_release_explains_and_verifies_itself_by_the_orders_of_its_position(place: tuple[Path, Deployment]) -> None:
    _, deployment = place
    before = build(deployment)
    suspend(deployment)
    after = build(deployment)
    assert deployment.control.releases.explain(before, "g1").allowed
    explained = deployment.control.releases.explain(after, "g1")
    assert explained.body["reasons"][0]["reason"] == "suspended:ico-2024.1"
    assert explained.body["agrees_with_bitmap"]
    for name in (before, after):
        assert not [each.problem for each in deployment.control.releases.verify(name, decide=True) if each.problem]
    compared = deployment.control.releases.compare(before, after)
    assert [compared[side]["eligible"] for side in ("before", "after")] == [5, 3]
    assert compared["causes"]["orders"]


def test_an_order_that_comes_between_deciding_and_sealing_is_obeyed(
    place: tuple[Path, Deployment], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, deployment = place
    other = open_deployment(folder / "home")
    decide = deployment.control.releases.drafts._decide
    said: list[Order] = []

    def decide_then_suspend(*args: object, **named: object) -> object:
        decided = decide(*args, **named)  # type: ignore[arg-type]
        if not said:
            said.append(suspend(other))
        return decided

    monkeypatch.setattr(deployment.control.releases.drafts, "_decide", decide_then_suspend)
    assert eligible(deployment, build(deployment)) == {"u1", "b1", "n1"}
    assert said
    other.close()


def test_what_an_order_hits_is_not_handed_out_without_a_lease_either(place: tuple[Path, Deployment]) -> None:
    folder, deployment = place
    control = deployment.control
    old = build(deployment)
    metadata = Path(control.releases.table(old, 2)["metadata"])
    order = suspend(deployment)
    assert not metadata.exists()
    for verb in (lambda: control.releases.data_files(old), lambda: control.releases.table(old, 2)):
        with pytest.raises(ConsentryError) as caught:
            verb()
        assert caught.value.code == "release-suspended"
    with pytest.raises(ConsentryError):
        control.releases.materialise(old, folder / "copy", kind=CopyFormat.JSONL)
    assert not (folder / "copy").exists()
    assert control.releases.table(build(deployment), 2)["excluded"] == 2
    deployment.ledger.append(control.orders.ends([order.order], OrderEnd.WITHDRAWN))
    assert control.releases.table(old, 2)["excluded"] == 0


def test_who_moves_into_a_suspended_area_is_hit_by_the_order_that_is_in_force(place: tuple[Path, Deployment]) -> None:
    folder, deployment = place
    control = deployment.control
    away = [replace(each, country="US") if each.id == "gb" else each for each in PEOPLE]
    control.statements.load_people(write_people(folder / "away", away))
    before = build(deployment)
    suspend(deployment)
    after = build(deployment)
    held = [grant(deployment, release) for release in (before, after)]
    for lease, secret in held:
        renew(deployment, lease, secret)
    control.statements.load_people(write_people(folder / "home-again", PEOPLE))
    for release, (lease, secret) in zip((before, after), held, strict=True):
        assert refusal(deployment, release) == "lease-suspended"
        with pytest.raises(ConsentryError) as caught:
            renew(deployment, lease, secret, 2)
        assert caught.value.code == "lease-revoked"
        with pytest.raises(ConsentryError):
            control.releases.data_files(release)
    newest = build(deployment)
    lease, secret = grant(deployment, newest)
    control.statements.erase([deployment.person("br")])
    control.statements.link(deployment.person("us"), deployment.person("somebody-new"))
    renew(deployment, lease, secret)


def test_an_earlier_time_of_decision_does_not_lead_around_an_order(place: tuple[Path, Deployment]) -> None:
    folder, deployment = place
    control = deployment.control
    texas = [replace(each, country="US-TX") if each.id == "us" else each for each in PEOPLE]
    control.statements.load_people(write_people(folder / "texas", texas))
    suspend(deployment, Scope(areas=frozenset({"US-STATE-LAW"})))
    built = control.releases.build("network", Purpose.TRAIN_GENAI, policy=POLICY)
    assert eligible(deployment, built.manifest.release) == {"g1", "b1", "n1"}
    with pytest.raises(ConsentryError) as caught:
        control.releases.build("network", Purpose.TRAIN_GENAI, policy=POLICY, at=1_709_000_000)  # Texas had no such law
    assert caught.value.code == "release-time-before-order"


def test_an_earlier_time_of_decision_does_not_lead_around_a_law(place: tuple[Path, Deployment]) -> None:
    _, deployment = place
    control = deployment.control
    outside = shipped()["september-2024"].replace("outside = [", 'outside = ["US-STATE-LAW", ')
    control.statements.publish(outside, "september-2024")
    with pytest.raises(ConsentryError) as caught:
        control.releases.build("network", Purpose.TRAIN_GENAI, policy="september-2024", at=1_709_000_000)
    assert caught.value.code == "release-time-other-places"
    control.releases.build("network", Purpose.TRAIN_GENAI, policy="september-2024")


def test_a_copy_that_is_overtaken_by_an_order_does_not_appear(
    place: tuple[Path, Deployment], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, deployment = place
    release = build(deployment)
    copy = materialise._COPIES[CopyFormat.JSONL]

    def copy_slowly(*args: object, **named: object) -> int:
        if not deployment.control.orders.every():
            suspend(deployment)
        return copy(*args, **named)  # type: ignore[arg-type]

    monkeypatch.setitem(materialise._COPIES, CopyFormat.JSONL, copy_slowly)
    with pytest.raises(ConsentryError) as caught:
        deployment.control.releases.materialise(release, folder / "copy", kind=CopyFormat.JSONL)
    assert caught.value.code == "release-suspended"
    assert not (folder / "copy").exists()


@pytest.mark.parametrize("reference", ["", " ", "a\nb", "\x1b[2J", "x" * 201])
def test_a_reference_is_a_line(place: tuple[Path, Deployment], reference: str) -> None:
    _, deployment = place
    with pytest.raises(ConsentryError) as caught:
        deployment.control.orders.suspend(UK, case="c-1", origin=Origin.OWN_DECISION, reference=reference)
    assert caught.value.code == "case-text"
    assert deployment.control.orders.every() == []


def test_what_is_ended_gives_nothing_back(place: tuple[Path, Deployment]) -> None:
    _, deployment = place
    lease, secret = grant(deployment, build(deployment))
    order = suspend(deployment)
    deployment.control.desk.present()
    deployment.ledger.append(deployment.control.orders.ends([order.order], OrderEnd.LIFTED))
    with pytest.raises(ConsentryError) as caught:
        renew(deployment, lease, secret)
    assert caught.value.code == "lease-revoked"
    assert eligible(deployment, build(deployment)) == EVERYTHING


def test_orders_and_leases_are_known_again_after_a_restart(place: tuple[Path, Deployment]) -> None:
    folder, deployment = place
    lease, secret = grant(deployment, build(deployment))
    order = suspend(deployment)
    deployment.close()
    again = open_deployment(folder / "home")
    assert [each.order for each in again.control.orders.every()] == [order.order]
    with pytest.raises(ConsentryError) as caught:
        renew(again, lease, secret)
    assert caught.value.code == "lease-revoked"
    assert eligible(again, build(again)) == {"u1", "b1", "n1"}
    again.close()


def test_a_model_or_a_country_that_nobody_knows(place: tuple[Path, Deployment]) -> None:
    _, deployment = place
    for scope, code in (
        (Scope(models=frozenset({"drafs"})), "order-unknown-model"),
        (Scope(areas=frozenset({"UKK"})), "policy-unknown-area"),
    ):
        with pytest.raises(ConsentryError) as caught:
            suspend(deployment, scope)
        assert caught.value.code == code
    assert not deployment.control.orders.every()
