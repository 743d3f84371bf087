"""An order stops the leases in its scope, whatever they are built on; jobs elsewhere go on, and it drains."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from threading import Thread

import pytest

from consentry.bootstrap import Deployment
from consentry.control_plane import newest_word
from consentry.control_plane.lease_standing import LeaseStanding
from consentry.control_plane.leases import LeaseVerbs
from consentry.errors import ConsentryError
from consentry.ledger.lineage_events import Remedy
from consentry.ledger.oversight_events import LeaseEnd
from consentry.oversight.lease import Lease
from consentry.oversight.order import Scope
from consentry.policy.vocabulary import Category, Purpose
from end_to_end.suspended_network import EVERYTHING, build, grant, refusal, renew, suspend
from end_to_end.suspended_network import place as place  # noqa: PLC0414 - a fixture
from end_to_end.test_story import BEFORE, eligible


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
    control.models.register("tuned", base="other", digest=f"sha256:{'a' * 64}")
    for by in ("privacy", "legal"):
        control.models.approve_remedy("tuned", by=by)
    assert refusal(deployment, release, "tuned") == "lease-suspended", "it is not done yet"
    control.models.finish_remedy("tuned", by="ml")
    with pytest.raises(ConsentryError, match=r"lease-revoked"):
        renew(deployment, lease, secret)
    grant(deployment, release, "tuned")


def test_a_job_that_failed_is_told_from_one_that_was_stopped(place: tuple[Path, Deployment]) -> None:
    _, deployment = place
    control = deployment.control
    release = build(deployment)
    before, during, heeds = (grant(deployment, release) for _ in range(3))
    control.leases.end(before[0].lease, secret=before[1], how=LeaseEnd.FAILED, step=3)
    order = suspend(deployment)
    for (lease, secret), how in ((during, LeaseEnd.FAILED), (heeds, LeaseEnd.STOPPED), (during, LeaseEnd.STOPPED)):
        control.leases.end(lease.lease, secret=secret, how=how, step=4)
    jobs = [(job["state"], job["order"]) for job in control.leases.jobs()]
    assert jobs == [("failed", None), ("failed", order.order), ("stopped", order.order)]
    assert control.leases.jobs()[0]["why"].endswith("is over: it ended when its job failed")
    drained = control.orders.every()[0].drained
    assert drained is not None
    assert (drained.stopped, drained.expired, drained.released, drained.failed, drained.leases) == (1, 0, 0, 1, 2)
    assert control.leases.states() == {"failed": 2, "stopped": 1}


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


def test_a_revoked_lease_names_its_order_before_its_job_is_heard_of_and_of_ended_ones_nothing_is_asked(
    place: tuple[Path, Deployment], monkeypatch: pytest.MonkeyPatch
) -> None:
    _, deployment = place
    leases, release = deployment.control.leases, build(deployment)
    for _ in range(3):
        lease, secret = grant(deployment, release)
        leases.end(lease.lease, secret=secret, how=LeaseEnd.RELEASED, step=1)
    revoked, _ = grant(deployment, release)
    order = suspend(deployment)
    asked: list[str] = []
    plain = LeaseVerbs._standing

    def watched(verbs: LeaseVerbs, lease: Lease) -> LeaseStanding:
        asked.append(lease.lease)
        return plain(verbs, lease)

    monkeypatch.setattr(LeaseVerbs, "_standing", watched)
    every = leases.jobs()
    assert [each["state"] for each in every] == ["released"] * 3 + ["revoked"]
    assert [each["order"] for each in every] == [None] * 3 + [order.order]
    assert [each["orders"] for each in every] == [[], [], [], [order.order]]
    assert leases.jobs(watched=1) == every[2:], "of those that ended, the one that ended last"
    assert leases.states() == {"released": 3, "revoked": 1}
    assert asked == [revoked.lease] * 3


def test_how_far_an_order_is_is_told_until_an_hour_after_it_was_drained(place: tuple[Path, Deployment]) -> None:
    _, deployment = place
    control, release = deployment.control, build(deployment)
    (first, first_secret), (second, second_secret) = (grant(deployment, release) for _ in range(2))
    suspend(deployment, Scope(areas=frozenset({"CH"})))
    order = suspend(deployment)
    told = {"order": order.order, "at": order.at, "leases": 2, "drained_at": None, "took_ms": None}
    assert control.orders.draining() == [{**told, "over": 0}]
    control.leases.end(first.lease, secret=first_secret, how=LeaseEnd.STOPPED, step=1)
    assert control.orders.draining() == [{**told, "over": 1}]
    control.leases.end(second.lease, secret=second_secret, how=LeaseEnd.RELEASED, step=1)
    drained = control.orders.get(order.order).drained
    assert drained is not None
    last = {**told, "over": 2, "drained_at": drained.at, "took_ms": drained.took_ms}
    for later, expected in ((3_600, [last]), (3_601, [])):
        control.desk.parts = replace(control.desk.parts, clock=partial(int, drained.at + later))
        assert control.orders.draining() == expected


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
