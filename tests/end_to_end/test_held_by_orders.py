"""Which models an order holds from being served: by what is in their weights, and by each part of its scope."""

from __future__ import annotations

from pathlib import Path

from consentry.bootstrap import Deployment
from consentry.ledger.lineage_events import Remedy
from consentry.policy.vocabulary import Reach
from end_to_end.model_steps import train
from end_to_end.suspended_network import UK, build, suspend
from end_to_end.suspended_network import place as place  # noqa: PLC0414 - a fixture
from end_to_end.test_order_foretold import held
from end_to_end.test_story import NOW, say

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
