"""What is done about a model that lost items or its base: chosen by one, approved by others, and proved."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import product
from pathlib import Path

import pytest

from consentry.bootstrap import Deployment, open_deployment
from consentry.ledger.lineage_events import Destroyed, Remedy
from consentry.ledger.oversight_events import Origin
from consentry.oversight.model_standing import Stage
from consentry.oversight.order import Scope
from consentry.policy.vocabulary import Reach
from end_to_end.model_steps import DAY, at, code_of, stage, train
from end_to_end.test_story import build, say
from end_to_end.test_story import place as place  # noqa: PLC0414 - a fixture

WEIGHTS = f"sha256:{'a' * 64}"


def test_every_remedy_has_its_proof(place: tuple[Path, Deployment]) -> None:
    folder, deployment = place
    control, release = deployment.control, build(deployment)
    train(deployment, release, "m", None)
    assert code_of(lambda: control.models.choose_remedy("m", Remedy.RETRAIN, by="ml")) == "model-not-now"
    say(deployment, "bo", reach=Reach.EVERYTHING)
    assert code_of(lambda: control.models.finish_remedy("m", by="ml")) == "model-not-now"
    assert code_of(lambda: control.models.choose_remedy("m", Remedy.ACCEPT, by="ml")) == "model-reason-missing"
    verbs: tuple[Callable[[str], object], ...] = (
        lambda by: control.models.choose_remedy("m", Remedy.RETRAIN, by=by),
        lambda by: control.models.finish_remedy("m", by=by),
        lambda by: control.models.withdraw("m", "case 7", by=by),
        lambda by: control.destruction.destroy(Destroyed.MODEL, "m", folder=folder / "weights", by=by),
    )
    for nobody, verb in product(("", " ", "Ann Smith", "ann@example.org", "ML"), verbs):
        assert code_of(partial(verb, nobody)) == "case-handle"
    control.models.choose_remedy("m", Remedy.ACCEPT, by="ml", reason="one post of 5 million")
    control.models.approve_remedy("m", by="privacy")
    assert code_of(lambda: control.models.approve_remedy("m", by="privacy")) == "model-approved-before"
    assert code_of(lambda: control.models.finish_remedy("m", by="ml")) == "model-approvals-missing"
    control.models.approve_remedy("m", by="legal")
    assert control.models.finish_remedy("m", by="ml").stage is Stage.REMEDIED
    say(deployment, "cy", reach=Reach.EVERYTHING, items=("c1",))
    control.models.choose_remedy("m", Remedy.RETRAIN, by="ml")
    assert code_of(lambda: control.models.approve_remedy("m", by="privacy")) == "model-not-now"
    assert code_of(lambda: control.models.finish_remedy("m", by="ml")) == "model-not-retrained"
    train(deployment, build(deployment), "m", None)
    assert code_of(lambda: control.models.finish_remedy("m", by="ml")) == "model-not-retrained", (
        "a lease is no training"
    )
    train(deployment, build(deployment), "m", [])
    assert code_of(lambda: control.models.finish_remedy("m", by="ml")) == "model-not-retrained", (
        "nor are steps on nothing"
    )
    train(deployment, build(deployment), "m", [[0, 0, 1]])
    assert control.models.finish_remedy("m", by="ml").stage is Stage.REMEDIED
    say(deployment, "nobody-else", reach=Reach.EVERYTHING)
    assert stage(deployment, "m") == Stage.REMEDIED


def test_one_person_does_not_approve_twice_by_writing_their_handle_differently(place: tuple[Path, Deployment]) -> None:
    _, deployment = place
    control, release = deployment.control, build(deployment)
    train(deployment, release, "m", None)
    say(deployment, "bo", reach=Reach.EVERYTHING)
    control.models.choose_remedy("m", Remedy.ACCEPT, by="ml", reason="one post of 5 million")
    control.models.approve_remedy("m", by="legal")
    for spelling in ("Legal", "legal ", " legal", "lеgal", "\uff4cegal", "le\u00adgal"):
        assert code_of(lambda by=spelling: control.models.approve_remedy("m", by=by)) == "case-handle"
    assert code_of(lambda: control.models.finish_remedy("m", by="ml")) == "model-approvals-missing"


def test_an_approval_is_of_the_choice_that_was_looked_at(
    place: tuple[Path, Deployment], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, deployment = place
    control, release = deployment.control, build(deployment)
    train(deployment, release, "m", None)
    say(deployment, "bo", reach=Reach.EVERYTHING)
    control.models.choose_remedy("m", Remedy.ACCEPT, by="ml", reason="one post of 5 million")
    control.models.approve_remedy("m", by="privacy")
    chosen, other = control.models._chosen, open_deployment(folder / "home")

    def chosen_before_another(name: str) -> object:
        found = chosen(name)
        other.control.models.choose_remedy("m", Remedy.ACCEPT, by="ml", reason="nobody will notice")
        return found

    monkeypatch.setattr(control.models, "_chosen", chosen_before_another)
    for call in (
        lambda: control.models.approve_remedy("m", by="legal"),
        lambda: control.models.finish_remedy("m", by="ml"),
    ):
        assert code_of(call) in ("model-not-now", "model-approvals-missing")
    monkeypatch.undo()
    assert control.models.show("m")["remedy"]["approved"] == []
    other.close()


def test_training_anew_takes_no_mark_off_that_the_base_still_has(place: tuple[Path, Deployment]) -> None:
    _, deployment = place
    control, release = deployment.control, build(deployment)
    train(deployment, release, "base", None)
    control.models.register("m", base="base")
    say(deployment, "bo", reach=Reach.EVERYTHING)
    control.models.choose_remedy("m", Remedy.RETRAIN, by="ml")
    train(deployment, build(deployment), "m", [[0, 0, 1]])
    assert control.models.finish_remedy("m", by="ml").stage is Stage.AFFECTED
    control.models.choose_remedy("base", Remedy.RETRAIN, by="ml")
    train(deployment, build(deployment), "base", [[0, 0, 1]])
    control.models.finish_remedy("base", by="ml")
    assert stage(deployment, "base") == Stage.REMEDIED
    assert stage(deployment, "m") == Stage.AFFECTED, "it was made of the base as that was before"
    assert control.models.show("m")["withdrawn_since"]["items"] == 1
    control.models.choose_remedy("m", Remedy.RETRAIN, by="ml")
    train(deployment, build(deployment), "m", [[0, 0, 1]])
    assert control.models.finish_remedy("m", by="ml").stage is Stage.REMEDIED
    assert control.models.show("m")["withdrawn_since"]["items"] == 0


def test_dropping_an_adapter_leaves_the_base_and_what_that_lost(place: tuple[Path, Deployment]) -> None:
    _, deployment = place
    control, release = deployment.control, build(deployment)
    train(deployment, release, "base", [[0, 0, 3]])
    control.models.register("adapter", base="base")
    say(deployment, "bo", reach=Reach.EVERYTHING)
    assert [stage(deployment, each) for each in ("base", "adapter")] == [Stage.AFFECTED] * 2
    for remedy in (Remedy.DROP_ADAPTER, Remedy.RETRAIN_SHARD):
        nothing = partial(control.models.choose_remedy, "adapter", remedy, by="ml")
        assert code_of(nothing) == "model-not-now", "it would do nothing"
    train(deployment, release, "adapter", [[0, 0, 4]], amendment=0)
    control.models.choose_remedy("adapter", Remedy.DROP_ADAPTER, by="ml")
    for handle in ("privacy", "legal"):
        control.models.approve_remedy("adapter", by=handle)
    assert control.models.finish_remedy("adapter", by="ml").stage is Stage.AFFECTED
    assert {each["through"] for each in control.models.show("adapter")["losses"]} == {"base"}
    control.models.choose_remedy("base", Remedy.ACCEPT, by="ml", reason="one post of 5 million")
    for handle in ("privacy", "legal"):
        control.models.approve_remedy("base", by=handle)
    control.models.finish_remedy("base", by="ml")
    assert [stage(deployment, each) for each in ("base", "adapter")] == [Stage.REMEDIED] * 2


def test_a_base_that_is_withdrawn_holds_what_is_built_on_it_until_that_is_accepted_or_trained_anew(
    place: tuple[Path, Deployment],
) -> None:
    _, deployment = place
    control, release = deployment.control, build(deployment)
    train(deployment, release, "base", None)
    control.models.register("mid", base="base")
    train(deployment, release, "tuned", None)
    control.models.register("tuned", base="mid")
    control.models.register("other", releases=[release])
    position = control.models.withdraw("mid", "case 7", by="ml")
    assert control.models.may_serve("base")["may"]
    held = control.models.may_serve("tuned")
    reason = f"model `mid`, which it is built on, was withdrawn or destroyed at position {position}"
    assert (held["may"], held["reasons"], held["stage"]) == (False, [reason], "affected")
    shown = control.models.show("tuned")
    assert (shown["inherited"], shown["withdrawn_since"]["items"]) == (["mid"], 0)
    assert [(each["through"], each["release"]) for each in shown["losses"]] == [("mid", None)]
    assert shown["deadline"] == shown["losses"][0]["at"] + 30 * DAY
    at(deployment, 91 * DAY)
    assert control.models.show("mid")["late"], "it should have been destroyed"
    assert stage(deployment, "other") == Stage.CLEAR

    # Trained anew on another base, it holds nothing of this one any more; that it is, is known once it is done.
    control.models.choose_remedy("tuned", Remedy.RETRAIN, by="ml")
    control.models.register("tuned", base="mid")
    assert code_of(lambda: control.models.finish_remedy("tuned", by="ml")) == "model-not-retrained"
    control.models.choose_remedy("tuned", Remedy.RETRAIN, by="ml")
    control.models.register("tuned", base="other", digest=WEIGHTS)
    for by in ("privacy", "legal"):
        control.models.approve_remedy("tuned", by=by)
    assert not control.models.may_serve("tuned")["may"]
    assert control.models.finish_remedy("tuned", by="ml").stage is Stage.REMEDIED
    assert control.models.may_serve("tuned")["may"]
    assert control.models.show("tuned")["ancestry"] == ["other"]


def test_two_people_accept_that_a_base_is_gone(place: tuple[Path, Deployment]) -> None:
    _, deployment = place
    control = deployment.control
    for name, base in (("base", None), ("tuned", "base"), ("leaf", "tuned")):
        control.models.register(name, base=base)
    control.models.withdraw("base", "case 7", by="ml")
    assert [stage(deployment, each) for each in ("tuned", "leaf")] == [Stage.AFFECTED] * 2
    control.models.choose_remedy("tuned", Remedy.ACCEPT, by="ml", reason="a licence of the base alone")
    for by in ("privacy", "legal"):
        control.models.approve_remedy("tuned", by=by)
    assert not control.models.may_serve("tuned")["may"]
    control.models.finish_remedy("tuned", by="ml")
    assert [control.models.may_serve(each)["may"] for each in ("base", "tuned", "leaf")] == [False, True, True]
    control.orders.suspend(
        Scope(models=frozenset({"base"})), case="c-1", origin=Origin.BINDING_ORDER, reference="letter of 3 May"
    )
    assert not control.models.may_serve("leaf")["may"], "what was accepted overrules no order"
