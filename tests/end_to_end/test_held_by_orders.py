"""Which models an order holds from being served: by what is in their weights, and by each part of its scope."""

from __future__ import annotations

from pathlib import Path

import pytest

from consentry.bootstrap import Deployment
from consentry.control_plane.hits import Hits
from consentry.ledger.lineage_events import Remedy
from consentry.ledger.oversight_events import OrderEnd, OrderEnded
from consentry.oversight.order import Scope
from consentry.policy.vocabulary import Category, Purpose, Reach
from end_to_end.model_steps import train
from end_to_end.suspended_network import UK, build, grant, refusal, renew, suspend
from end_to_end.suspended_network import place as place  # noqa: PLC0414 - a fixture
from end_to_end.test_order_foretold import held
from end_to_end.test_story import BEFORE, NOW, say

Place = tuple[Path, Deployment]
ALL = [[0, 0, 3], [1, 0, 2]]
WITHOUT_THE_UK = [[0, 0, 1], [1, 0, 2]]


def test_a_model_that_was_trained_anew_without_what_is_suspended_is_served(place: Place) -> None:
    _, deployment = place
    control = deployment.control
    before = build(deployment)
    for name in ("old", "itself"):
        train(deployment, before, name, ALL)
    control.models.register("by-its-base", base="old")
    order = suspend(deployment)
    assert held(deployment, order.order) == ["by-its-base", "itself", "old"]
    since = build(deployment)
    train(deployment, since, "new", WITHOUT_THE_UK)
    say(deployment, "gb", reach=Reach.EVERYTHING, at=NOW)
    for name in ("itself", "by-its-base"):
        control.models.choose_remedy(name, Remedy.RETRAIN, by="ml")
    control.models.register("by-its-base", base="new")
    for name in ("itself", "by-its-base"):
        train(deployment, since, name, WITHOUT_THE_UK)
    assert held(deployment, order.order) == ["by-its-base", "itself", "old"], "nobody said that it is done"
    for name in ("itself", "by-its-base"):
        control.models.finish_remedy(name, by="ml")
    assert held(deployment, order.order) == ["old"]
    assert control.orders.what_if(UK)["no_longer_served"] == ["old"], "a dry run says the same"
    assert control.models.may_serve("itself")["may"]


SERVE = frozenset({Purpose.SERVE})
TRAINING = frozenset({Purpose.TRAIN_AI})
NAMED = frozenset({"m"})
PARTS = {
    "all of it": (Scope(models=NAMED), ["m", "tuned"], True),
    "training": (Scope(models=NAMED, purposes=TRAINING), [], True),
    "serving": (Scope(models=NAMED, purposes=SERVE), ["m", "tuned"], False),
    "an area it learned from": (Scope(models=NAMED, areas=UK.areas), ["m", "tuned"], True),
    "serving what it learned there": (Scope(models=NAMED, areas=UK.areas, purposes=SERVE), ["m", "tuned"], False),
    "training on what is there": (Scope(models=NAMED, areas=UK.areas, purposes=TRAINING), [], True),
    "another area": (Scope(models=NAMED, areas=frozenset({"CH"})), [], False),
    "other kinds": (Scope(models=NAMED, categories=frozenset({Category.IMAGE})), [], False),
    "another time": (Scope(models=NAMED, areas=UK.areas, created_before=BEFORE - 99), [], False),
    "another model": (Scope(models=frozenset({"other"}), areas=UK.areas), ["other"], False),
}


@pytest.mark.parametrize(("scope", "models", "stops"), PARTS.values(), ids=PARTS)
def test_an_order_that_names_a_model_holds_it_by_each_part_of_its_scope(
    place: Place, scope: Scope, models: list[str], stops: bool
) -> None:
    _, deployment = place
    release = build(deployment)
    lease, secret = grant(deployment, release, "m")
    train(deployment, release, "other", ALL)
    deployment.control.models.register("tuned", base="m")
    foreseen = deployment.control.orders.what_if(scope)
    order = suspend(deployment, scope)
    assert held(deployment, order.order) == foreseen["no_longer_served"] == models
    assert foreseen["leases"] == ([lease.lease] if stops else [])
    if stops:
        assert refusal(deployment, release, "m") == "lease-suspended"
    else:
        renew(deployment, lease, secret)


def test_a_model_that_is_named_and_of_which_nothing_is_known_may_have_learned_what_is_suspended(place: Place) -> None:
    _, deployment = place
    for name in ("m", "other"):
        deployment.control.models.register(name, digest=f"sha256:{'a' * 64}")
    assert deployment.control.orders.what_if(UK)["no_longer_served"] == []
    scope = Scope(models=NAMED, areas=UK.areas)
    assert deployment.control.orders.what_if(scope)["no_longer_served"] == ["m"]
    assert held(deployment, suspend(deployment, scope).order) == ["m"]
    suspend(deployment, UK)
    assert deployment.control.models.may_serve("other")["may"]


@pytest.mark.parametrize("named", ["base", "m"])
def test_what_is_built_on_what_nobody_knows_may_have_learned_it_too(place: Place, named: str) -> None:
    _, deployment = place
    control, release = deployment.control, build(deployment)
    for name in ("m", "other"):
        train(deployment, release, name, ALL)
    control.models.register("base", digest=f"sha256:{'a' * 64}")
    for name, base in (("m", "base"), ("tuned", "m"), ("twin", "other")):
        control.models.register(name, base=base)
    scope = Scope(models=frozenset({named, "twin"}), areas=frozenset({"CH"}))
    models = sorted({named, "m", "tuned"})
    assert control.orders.what_if(scope)["no_longer_served"] == models
    assert held(deployment, suspend(deployment, scope).order) == models


def test_a_list_of_models_knows_of_an_order_that_is_given_while_releases_are_brought_up_to_date(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, deployment = place
    train(deployment, build(deployment), "m", ALL)
    amendments, orders = deployment.control.models.standings.amendments, list[str]()
    plain = amendments.amend

    def amend() -> object:
        if not orders:
            orders.append("given")
            orders[:] = [suspend(deployment).order]
        return plain()

    monkeypatch.setattr(amendments, "amend", amend)
    (line,) = deployment.control.models.every()
    assert line["held"]
    assert orders[0] in line["why"][0]


def test_of_an_order_that_ended_since_it_was_looked_up_nothing_is_found_out(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is found of an order in force is kept for as long as it is: of one that ended it would stay."""
    _, deployment = place
    models, asked = deployment.control.models, list[str]()
    train(deployment, build(deployment), "m", ALL)
    order, stands = suspend(deployment), models.standing("m")
    known = models.holding.known()
    assert models.holding.reasons(models.get("m"), stands, known=known), "the control"
    deployment.ledger.append([OrderEnded(order=order.order, case=order.case, how=OrderEnd.LIFTED)])
    deployment.control.desk.present()
    monkeypatch.setattr(Hits, "found_out", lambda _self, order, _release: asked.append(order.order))
    assert models.holding.reasons(models.get("m"), stands, known=known) == []
    assert asked == []
