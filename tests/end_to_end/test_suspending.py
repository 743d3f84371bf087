"""An order stops builds, answers and leases from its position on; what is outside of its scope goes on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from threading import Thread

import pytest

from consentry.bootstrap import Deployment, open_deployment
from consentry.control_plane import newest_word
from consentry.errors import ConsentryError
from consentry.ledger.lineage_events import Remedy
from consentry.ledger.oversight_events import LeaseEnd, OrderEnd, Origin
from consentry.oversight.lease import Lease
from consentry.oversight.order import Order, Scope
from consentry.policy.library import shipped
from consentry.policy.vocabulary import Category, Purpose, Reach, Visibility
from consentry.release import materialise
from consentry.release.manifest import EXCLUSIONS
from consentry.release.materialise import CopyFormat
from consentry.release.snapshot import Use
from end_to_end.network import RawItem, RawPerson, fresh, write_corpus, write_people
from end_to_end.test_story import BEFORE, NOW, eligible, say

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
    with fresh() as (folder, deployment):
        deployment.control.statements.register_corpus(write_corpus(folder, [ITEMS[:3], ITEMS[3:]]))
        deployment.control.statements.load_people(write_people(folder / "people", PEOPLE))
        deployment.control.statements.publish(shipped()[POLICY], POLICY)
        yield folder, deployment


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


def test_no_lease_in_its_scope_is_granted_or_renewed_and_others_go_on(place: tuple[Path, Deployment]) -> None:
    _, deployment = place
    old = build(deployment)
    lease, secret = grant(deployment, old)
    renew(deployment, lease, secret)
    order = suspend(deployment)
    with pytest.raises(ConsentryError) as caught:
        renew(deployment, lease, secret, 2)
    assert caught.value.code == "lease-revoked"
    assert refusal(deployment, old) == "lease-suspended"
    newer = build(deployment)
    other, other_secret = grant(deployment, newer)
    renew(deployment, other, other_secret)
    assert other.fence > order.position > lease.fence


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


def test_an_order_elsewhere_leaves_a_lease_alone(place: tuple[Path, Deployment]) -> None:
    _, deployment = place
    lease, secret = grant(deployment, build(deployment))
    suspend(deployment, Scope(areas=frozenset({"CH"})))
    suspend(deployment, Scope(categories=frozenset({Category.IMAGE})))
    suspend(deployment, Scope(purposes=frozenset({Purpose.SERVE})))
    suspend(deployment, Scope(models=frozenset({"drafts"}), areas=frozenset({"CH"})))
    renew(deployment, lease, secret)
    assert [order.drained is not None for order in deployment.control.orders.every()] == [True] * 4


def test_a_window_stops_only_who_reads_items_of_then(place: tuple[Path, Deployment]) -> None:
    _, deployment = place
    release = build(deployment)
    lease, secret = grant(deployment, release)
    brazil = Scope(areas=frozenset({"BR"}), created_from=BEFORE - 86_400, created_before=BEFORE + 86_400)
    plan = deployment.control.orders.what_if(brazil)
    assert plan["corpora"]["network"]["items"] == 1  # n1: nobody knows when it was created
    suspend(deployment, Scope(areas=frozenset({"US"}), created_from=BEFORE + 1))
    renew(deployment, lease, secret)
    suspend(deployment, brazil)
    with pytest.raises(ConsentryError):
        renew(deployment, lease, secret, 2)


def test_one_model_only(place: tuple[Path, Deployment]) -> None:
    _, deployment = place
    release = build(deployment)
    lease, secret = grant(deployment, release, "drafts")
    other, other_secret = grant(deployment, release, "other")
    suspend(deployment, Scope(models=frozenset({"drafts"})))
    assert refusal(deployment, release, "drafts") == "lease-suspended"
    with pytest.raises(ConsentryError):
        renew(deployment, lease, secret)
    renew(deployment, other, other_secret)
    newer = build(deployment)
    assert eligible(deployment, newer) == EVERYTHING
    assert refusal(deployment, newer, "drafts") == "lease-suspended", "a release is for no model"


def test_an_order_that_names_a_model_stops_what_is_built_on_it(place: tuple[Path, Deployment]) -> None:
    _, deployment = place
    control = deployment.control
    release = build(deployment)
    control.models.register("base", releases=[release])
    control.models.register("mid", base="base")
    lease, secret = grant(deployment, release, "tuned")
    control.models.register("tuned", base="mid")
    other, other_secret = grant(deployment, release, "other")
    scope = Scope(models=frozenset({"base"}))
    foreseen = control.orders.what_if(scope)
    assert foreseen["leases"] == [lease.lease]
    assert foreseen["models"] == foreseen["no_longer_served"] == ["base", "mid", "tuned"]
    order = suspend(deployment, scope)
    for each in ("base", "mid", "tuned"):
        assert refusal(deployment, release, each) == "lease-suspended"
    with pytest.raises(ConsentryError, match=r"lease-revoked"):
        renew(deployment, lease, secret)
    renew(deployment, other, other_secret)
    assert [each.lease for each in control.orders.made_to_stop(order)] == [lease.lease]
    control.leases.end(lease.lease, secret=secret, how=LeaseEnd.STOPPED, step=1)
    (known,) = control.orders.every()
    assert known.drained is not None
    assert known.drained.stopped == 1
    # Said later, it is built on it as well.
    control.models.register("other", base="tuned")
    with pytest.raises(ConsentryError, match=r"lease-revoked"):
        renew(deployment, other, other_secret, sequence=2)
    suspend(deployment, Scope(models=frozenset({"mid"})))
    assert control.orders.what_if(Scope(models=frozenset({"tuned"})))["models"] == ["other", "tuned"]


def test_training_anew_gives_nothing_back_to_a_lease_that_was_made_to_stop(place: tuple[Path, Deployment]) -> None:
    _, deployment = place
    control = deployment.control
    release = build(deployment)
    control.models.register("base", releases=[release])
    control.models.register("other", releases=[release])
    control.models.register("tuned", base="base")
    lease, secret = grant(deployment, release, "tuned")
    suspend(deployment, Scope(models=frozenset({"base"})))
    control.models.withdraw("base", "case 7", by="ml")
    control.models.choose_remedy("tuned", Remedy.RETRAIN, by="ml")
    control.models.register("tuned", base="other")
    assert refusal(deployment, release, "tuned") == "lease-suspended", "it is not done yet"
    control.models.finish_remedy("tuned", by="ml")
    with pytest.raises(ConsentryError, match=r"lease-revoked"):
        renew(deployment, lease, secret)
    grant(deployment, release, "tuned")


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


def test_drained_is_said_once_every_job_has_stopped(place: tuple[Path, Deployment]) -> None:
    _, deployment = place
    release = build(deployment)
    first, second = grant(deployment, release), grant(deployment, release)
    suspend(deployment)
    deployment.control.leases.end(first[0].lease, secret=first[1], how=LeaseEnd.STOPPED, step=12)
    assert deployment.control.orders.every()[0].drained is None
    for _ in range(2):
        deployment.control.leases.end(second[0].lease, secret=second[1], how=LeaseEnd.STOPPED, step=14)
    drained = deployment.control.orders.every()[0].drained
    assert drained is not None
    assert (drained.stopped, drained.expired, drained.released) == (2, 0, 0)
    jobs = deployment.control.leases.jobs()
    assert [job["order"] for job in jobs] == ["ico-2024.1"] * 2
    kinds = [event.kind for event in deployment.ledger.read(deployment.control.orders.every()[0].position)]
    assert kinds == ["order.issued", "lease.ended", "lease.ended", "order.drained"]


def test_a_job_that_is_never_heard_of_again_expires(place: tuple[Path, Deployment]) -> None:
    _, deployment = place
    lease, _ = grant(deployment, build(deployment))
    suspend(deployment)
    now = deployment.control.desk.parts.uptime() + 120
    deployment.control.desk.parts = replace(deployment.control.desk.parts, uptime=lambda: now)
    assert deployment.control.leases.expire() == [lease.lease]
    drained = deployment.control.orders.every()[0].drained
    assert drained is not None
    assert drained.expired == 1
    assert deployment.control.leases.expire() == []


def test_a_lease_that_is_granted_long_after_the_start_is_not_taken_for_an_old_one(
    place: tuple[Path, Deployment], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever looks for late leases while one is granted must find it with its time still to run."""
    _, deployment = place
    control, release = deployment.control, build(deployment)
    now = control.desk.parts.uptime() + 3_600
    control.desk.parts = replace(control.desk.parts, uptime=lambda: now)
    looked: list[list[str]] = []

    def look(*_: object, **__: object) -> None:
        thread = Thread(target=lambda: looked.append(control.leases.expire()))
        thread.start()
        thread.join(10)

    monkeypatch.setattr(newest_word, "write_down", look)
    lease, secret = grant(deployment, release)
    assert looked == [[]]
    renew(deployment, lease, secret)


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


def test_what_if_counts_and_records_nothing(place: tuple[Path, Deployment]) -> None:
    _, deployment = place
    release = build(deployment)
    lease, _ = grant(deployment, release)
    head = deployment.ledger.head()
    found = deployment.control.orders.what_if(UK)
    assert found["corpora"] == {"network": {"items": 2, "of": 5, "people": 1}}
    assert found["releases"] == {release: 2}
    assert (found["leases"], found["models"]) == ([lease.lease], ["drafts"])
    assert deployment.ledger.head() == head


def test_what_if_names_the_models_that_never_held_a_lease(place: tuple[Path, Deployment]) -> None:
    _, deployment = place
    control = deployment.control
    release = build(deployment)
    control.models.register("offline", releases=[release])
    control.models.register("tuned", base="offline")
    control.models.register("apart")
    found = control.orders.what_if(UK)
    assert found["models"] == found["no_longer_served"] == ["offline", "tuned"]
    named = control.orders.what_if(Scope(models=frozenset({"apart"})))
    assert named["models"] == named["no_longer_served"] == ["apart"]
    control.orders.suspend(UK, case="uk", origin=Origin.OWN_DECISION, reference="a test")
    served = {each: control.models.may_serve(each)["may"] for each in ("offline", "tuned", "apart")}
    assert served == {"offline": False, "tuned": False, "apart": True}, "as it was foreseen"


def test_what_if_counts_what_each_release_holds(place: tuple[Path, Deployment]) -> None:
    folder, deployment = place
    control = deployment.control
    before = build(deployment)
    order = suspend(deployment)
    without = build(deployment)
    deployment.ledger.append(control.orders.ends([order.order], OrderEnd.WITHDRAWN))
    everywhere = Scope(purposes=frozenset({Purpose.TRAIN_GENAI}))
    assert control.orders.what_if(everywhere)["releases"] == {before: 5, without: 3}
    assert control.orders.what_if(UK)["releases"] == {before: 2}
    images = control.orders.what_if(Scope(categories=frozenset({Category.IMAGE})))
    assert (images["releases"], images["corpora"]["network"]["items"]) == ({}, 0)
    # What cannot be read may hold anything.
    (control.desk.releases / without / EXCLUSIONS).write_bytes(b"something else")
    assert control.orders.what_if(UK)["releases"] == {before: 2, without: 1}
    # Rows mean nothing in other bytes: one may be hit for each file that nobody has as it was.
    write_corpus(folder, [ITEMS[:2], ITEMS[3:]])
    control.statements.register_corpus(folder / "corpus.toml")
    assert control.orders.what_if(Scope(areas=frozenset({"CH"})))["releases"] == {before: 1, without: 1}


def test_what_if_leaves_out_what_amendments_took_out_and_names_the_release_all_the_same(
    place: tuple[Path, Deployment],
) -> None:
    _, deployment = place
    control = deployment.control
    release = build(deployment)
    lease, secret = grant(deployment, release)
    assert control.orders.what_if(UK)["releases"] == {release: 2}
    say(deployment, "us", reach=Reach.EVERYTHING)
    control.amendments.amend()
    # Of the two items that involve somebody in the UK, one is by who refused.
    assert control.orders.what_if(UK)["releases"] == {release: 1}
    say(deployment, "gb", reach=Reach.EVERYTHING)
    control.amendments.amend()
    found = control.orders.what_if(UK)
    assert (found["releases"], found["leases"]) == ({release: 0}, [lease.lease])
    suspend(deployment)
    with pytest.raises(ConsentryError, match=r"lease-revoked"):
        renew(deployment, lease, secret)


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


def test_consumption_and_model_checkpoints(place: tuple[Path, Deployment]) -> None:
    _, deployment = place
    control = deployment.control
    lease, secret = grant(deployment, build(deployment))
    for _ in range(2):
        control.leases.consumed(
            lease.lease, secret=secret, from_step=1, to_step=2, amendment=0, ranges=[[0, 0, 2], [1, 0, 1]]
        )
    content = "sha256:" + "0" * 64
    control.leases.model_checkpoint(lease.lease, secret=secret, step=2, name="step-2", content=content)
    suspend(deployment)
    with pytest.raises(ConsentryError) as caught:
        control.leases.model_checkpoint(lease.lease, secret=secret, step=3, name="step-3", content=content)
    assert caught.value.code == "lease-revoked"
    (job,) = control.leases.jobs()
    assert (job["step"], job["items"], job["model_checkpoints"], job["quarantined"]) == (2, 3, 1, 1)


@pytest.mark.parametrize(
    "ranges", [[[2, 0, 1]], [[0, 1, 1]], [[0, 0, 9]], [[0, 0, 2], [0, 1, 3]], [[1, 0, 1], [0, 0, 1]]]
)
def test_ranges_that_are_none_are_refused(place: tuple[Path, Deployment], ranges: list[list[int]]) -> None:
    _, deployment = place
    lease, secret = grant(deployment, build(deployment))
    with pytest.raises(ConsentryError) as caught:
        deployment.control.leases.consumed(
            lease.lease, secret=secret, from_step=1, to_step=1, amendment=0, ranges=ranges
        )
    assert caught.value.code == "lease-ranges"


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
