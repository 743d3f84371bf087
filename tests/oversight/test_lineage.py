"""Where models stand follows from what was withdrawn and what was done about it."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from model_sayings import DAY, TERMS, ZERO, chose, did, folded, loss, registered, standing

from consentry.ledger.events import BODIES as KINDS
from consentry.ledger.events import Body
from consentry.ledger.lineage_events import (
    Destroyed,
    DestructionBegun,
    DestructionCertified,
    DestructionCertifiedV1,
    DestructionCertifiedV2,
    ModelRegistered,
    ModelRemedied,
    ModelSaidGone,
    ModelWithdrawn,
    Remedy,
    RemedyApproved,
    RemedyChosen,
)
from consentry.ledger.oversight_events import LeaseGranted
from consentry.oversight import model_standing
from consentry.oversight.destruction import Destructions, Listed, Plan
from consentry.oversight.lineage import Models
from consentry.oversight.model_standing import Loss, Stage
from consentry.policy.policy_set import Remedies
from ledger.sayings import event


def stage(models: Models, *losses: Loss, model: str = "m") -> Stage:
    return standing(models, model, losses=lambda name: [each for each in losses if each.model == name]).stage


def test_from_clear_to_remedied_and_affected_again() -> None:
    said: list[Body] = [registered("m")]
    assert stage(folded(*said)) is Stage.CLEAR
    assert stage(folded(*said), loss(1)) is Stage.AFFECTED
    said += [registered("other"), chose("m")]
    assert stage(folded(*said), loss(1)) is Stage.REMEDY_CHOSEN
    said.append(did("m", chosen=2))
    assert stage(folded(*said), loss(1)) is Stage.REMEDIED
    assert stage(folded(*said), loss(1), loss(3)) is Stage.AFFECTED, "it was withdrawn after the remedy was chosen"
    said.append(ModelWithdrawn(model="m", reason="enough", by="ml"))
    assert stage(folded(*said), loss(1), loss(3)) is Stage.WITHDRAWN
    plan = DestructionBegun(what=Destroyed.MODEL, name="m", plan=ZERO, files=1, by="ml")
    assert stage(folded(*said, plan)) is Stage.WITHDRAWN
    assert stage(folded(*said, plan, certified(recorded=False))) is Stage.WITHDRAWN, "nobody knows what was deleted"
    alone: list[Body] = [certified(recorded=False), said_gone("ml"), said_gone("ml")]
    assert stage(folded(*said, plan, *alone)) is Stage.WITHDRAWN
    assert stage(folded(*said, plan, *alone, said_gone("legal"))) is Stage.DESTROYED
    known = [registered("m", digest=ZERO), *said]
    assert stage(folded(*known, plan, certified(ZERO, recorded=True))) is Stage.DESTROYED


def certified(*deleted: str, recorded: bool) -> DestructionCertified:
    return DestructionCertified(
        what=Destroyed.MODEL, name="m", plan=ZERO, certificate=ZERO, deleted=deleted, recorded=recorded, by="ml"
    )


def said_gone(by: str, *digests: str) -> ModelSaidGone:
    return ModelSaidGone(model="m", digests=digests, reason="rotated away", by=by)


def test_deadlines_come_from_the_policy_and_choosing_again_gives_no_more_time() -> None:
    def deadline(*bodies: Body) -> int | None:
        lost = [loss(1), loss(2)]
        return standing(folded(*bodies), "m", losses=lambda _: lost).deadline

    first = [registered("m"), registered("m"), registered("m")]
    assert deadline(*first) == 1_001 + 10 * DAY
    assert deadline(*first, chose("m")) == 1_003 + 20 * DAY
    assert deadline(*first, chose("m"), chose("m", Remedy.ACCEPT)) == 1_003 + 20 * DAY
    later = standing(folded(*first, chose("m")), "m", losses=lambda _: [loss(1), loss(5)])
    assert later.deadline == 1_005 + 10 * DAY, "what is lost after the choice has a clock of its own"
    assert later.late(1_006 + 10 * DAY)
    assert not later.late(1_005 + 10 * DAY)


def test_the_mark_is_inherited_until_it_is_accepted_for_the_base() -> None:
    said: list[Body] = [registered("base"), registered("m", "base"), registered("tuned", "m")]
    assert stage(folded(*said), loss(3, "base"), model="tuned") is Stage.AFFECTED
    assert stage(folded(*said), loss(3, "tuned"), model="base") is Stage.CLEAR
    said += [registered("x"), chose("base", Remedy.ACCEPT), did("base", 4, Remedy.ACCEPT)]
    assert stage(folded(*said), loss(3, "base"), model="tuned") is Stage.CLEAR
    assert stage(folded(*said), loss(3, "base"), loss(7, "base"), model="m") is Stage.AFFECTED


@pytest.mark.parametrize("remedy", [Remedy.DROP_ADAPTER, Remedy.RETRAIN, Remedy.RETRAIN_SHARD])
def test_what_a_base_lost_stays_in_what_was_made_of_it_before_the_base_was_changed(remedy: Remedy) -> None:
    said: list[Body] = [registered("base"), registered("m", "base"), registered("tuned", "m")]
    said += [registered("x"), chose("base", remedy), did("base", 4, remedy), registered("later", "base")]
    models, lost = folded(*said), loss(3, "base")
    found = {each: stage(models, lost, model=each) for each in ("base", "m", "tuned", "later")}
    assert found == {
        "base": Stage.REMEDIED,
        "m": Stage.AFFECTED,
        "tuned": Stage.AFFECTED,
        "later": Stage.CLEAR,
    }
    said += [chose("m", Remedy.RETRAIN), registered("m", "base"), did("m", 7, Remedy.RETRAIN)]
    assert stage(folded(*said), lost) is Stage.REMEDIED, "it was trained anew on the base as that is now"
    assert stage(folded(*said), lost, model="tuned") is Stage.AFFECTED
    # What was accepted afterwards for the base is not about what nobody saw in it any more.
    said += [registered("x"), chose("base", Remedy.ACCEPT), did("base", 11, Remedy.ACCEPT)]
    assert stage(folded(*said), lost, loss(10, "base"), model="tuned") is Stage.AFFECTED


def test_where_a_remedy_leaves_something_the_days_to_choose_for_that_go_on() -> None:
    said: list[Body] = [registered("base"), registered("m", "base"), registered("x"), registered("x"), chose("m")]
    lost = {"base": [loss(2, "base")], "m": [loss(3, "m")]}
    stands = standing(folded(*said), "m", losses=lambda name: lost.get(name, []))
    assert (stands.stage, stands.deadline) == (Stage.REMEDY_CHOSEN, 1_002 + 10 * DAY)
    done = standing(folded(*said, did("m", 4)), "m", losses=lambda name: lost.get(name, []))
    assert (done.stage, [each.model for each in done.losses]) == (Stage.AFFECTED, ["base"])
    only = standing(folded(*said), "m", losses=lambda name: lost[name] if name == "base" else [])
    assert (only.stage, only.deadline) == (Stage.AFFECTED, 1_002 + 10 * DAY), "what was chosen does nothing for it"


def gone(model: str) -> ModelWithdrawn:
    return ModelWithdrawn(model=model, reason="case 7", by="ml")


def nothing_lost(_: str) -> Sequence[Loss]:
    return []


def test_a_base_that_is_withdrawn_affects_what_is_built_on_it_and_nothing_else() -> None:
    said: list[Body] = [registered("base"), registered("mid", "base"), registered("m", "mid"), registered("apart")]
    assert {stage(folded(*said), model=each) for each in ("base", "mid", "m", "apart")} == {Stage.CLEAR}
    models = folded(*said, gone("mid"))
    found = {each: stage(models, model=each) for each in ("base", "mid", "m", "apart")}
    assert found == {
        "base": Stage.CLEAR,
        "mid": Stage.WITHDRAWN,
        "m": Stage.AFFECTED,
        "apart": Stage.CLEAR,
    }
    stands = standing(models, "m", losses=nothing_lost)
    assert [(each.model, each.release, each.position) for each in stands.losses] == [("mid", None, 4)]
    assert stands.deadline == 1_004 + 10 * DAY
    oldest = standing(folded(*said, gone("base"), gone("mid")), "m", losses=nothing_lost)
    assert [each.model for each in oldest.losses] == ["base", "mid"]


def test_a_model_that_is_withdrawn_is_destroyed_by_a_day_of_the_strictest_policy() -> None:
    models = folded(registered("base"), registered("m", "base"), gone("m"))
    assert standing(models, "m", losses=nothing_lost).deadline == 1_002 + 40 * DAY
    terms = {"m": [TERMS, Remedies(destroy_within_days=50)], "base": [Remedies(destroy_within_days=2)]}
    inherited = model_standing.standing(models, "m", losses=nothing_lost, terms=lambda name: terms[name])
    assert inherited.deadline == 1_002 + 2 * DAY
    silent = model_standing.standing(models, "m", losses=nothing_lost, terms=lambda _: [])
    assert silent.deadline == 1_002 + Remedies().destroy_within_days * DAY
    ended: list[Body] = [certified(recorded=False), said_gone("ml"), said_gone("legal")]
    for position, each in enumerate(ended, start=3):
        models.take(event(position, each))
    assert standing(models, "m", losses=nothing_lost).deadline is None


def test_only_accepting_it_or_another_base_takes_off_that_the_base_is_gone() -> None:
    said: list[Body] = [registered("base"), registered("m", "base"), registered("leaf", "m"), gone("base")]
    for remedy, left in (
        (Remedy.ACCEPT, Stage.REMEDIED),
        (Remedy.DROP_ADAPTER, Stage.AFFECTED),
        (Remedy.RETRAIN, Stage.AFFECTED),
        (Remedy.RETRAIN_SHARD, Stage.AFFECTED),
    ):
        assert stage(folded(*said, chose("m", remedy), did("m", 4, remedy))) is left, remedy
    accepted = folded(*said, chose("m", Remedy.ACCEPT), did("m", 4, Remedy.ACCEPT))
    assert stage(accepted, model="leaf") is Stage.CLEAR, "who is built on it inherits what is left"
    before = folded(registered("base"), registered("m", "base"), chose("m", Remedy.ACCEPT), did("m", 2), gone("base"))
    assert stage(before) is Stage.AFFECTED, "it was withdrawn after that was accepted"
    anew = [*said, registered("other"), chose("m", Remedy.RETRAIN), registered("m", "other")]
    assert stage(folded(*anew)) is Stage.REMEDY_CHOSEN, "until it is done, both count"
    done = folded(*anew, did("m", 5, Remedy.RETRAIN))
    assert stage(done) is Stage.REMEDIED
    assert stage(done, loss(9, "base")) is Stage.REMEDIED
    assert stage(done, loss(9, "other")) is Stage.AFFECTED
    assert stage(done, model="leaf") is Stage.AFFECTED, "it was made of the weights of before"
    assert done.ancestry("leaf") == ["leaf", "m", "other", "base"]
    leaf_too: list[Body] = [chose("leaf", Remedy.RETRAIN), registered("leaf", "m"), did("leaf", 8, Remedy.RETRAIN)]
    both = folded(*anew, did("m", 5, Remedy.RETRAIN), *leaf_too)
    assert stage(both, model="leaf") is Stage.REMEDIED
    assert both.ancestry("leaf") == ["leaf", "m", "other"]
    assert done.ancestry("leaf", at=6) == ["leaf", "m", "other", "base"]


def test_a_base_is_not_left_behind_by_saying_another_one() -> None:
    said: list[Body] = [registered("base"), registered("other"), registered("m", "base"), registered("m", "other")]
    models = folded(*said)
    assert models.ancestry("m") == ["m", "other", "base"]
    model = models.get("m")
    assert model is not None
    assert model.base == "other"
    assert stage(models, loss(1, "base")) is Stage.AFFECTED
    # What was accepted was so of the bases that were known: one that is said later brings its marks along.
    late: list[Body] = [registered("base"), registered("m"), chose("m", Remedy.ACCEPT), did("m", 2, Remedy.ACCEPT)]
    assert stage(folded(*late, registered("m", "base")), loss(1, "base")) is Stage.AFFECTED


def test_what_is_inherited_by_two_ways_is_one_loss_and_is_left_while_one_way_has_it() -> None:
    said: list[Body] = [registered("base"), registered("a", "base"), registered("b", "base")]
    said += [registered("m", "a"), registered("m", "b")]
    lost = {"base": [loss(1, "base"), loss(1, "base")]}
    assert folded(*said).ancestry("m") == ["m", "b", "a", "base"]
    assert len(standing(folded(*said), "m", losses=lambda name: lost.get(name, [])).losses) == 2
    one = [*said, chose("a", Remedy.ACCEPT), did("a", 5, Remedy.ACCEPT)]
    assert stage(folded(*one), loss(1, "base"), model="a") is Stage.REMEDIED
    assert stage(folded(*one), loss(1, "base")) is Stage.AFFECTED


def test_training_anew_leaves_what_is_inherited_and_gives_no_more_time() -> None:
    said: list[Body] = [registered("base"), registered("m", "base"), registered("x")]
    said += [chose("m", Remedy.RETRAIN), registered("m", "base"), did("m", 3, Remedy.RETRAIN)]
    assert stage(folded(*said), loss(2, "base")) is Stage.AFFECTED
    assert stage(folded(*said), loss(2, "m", used=1)) is Stage.REMEDIED
    said.append(chose("m", Remedy.RETRAIN))
    again = standing(folded(*said), "m", losses=lambda name: [loss(2, name)] if name == "base" else [])
    assert (again.stage, again.deadline) == (Stage.REMEDY_CHOSEN, 1_003 + 20 * DAY)
    for remedy, left in ((Remedy.ACCEPT, Stage.REMEDIED), (Remedy.DROP_ADAPTER, Stage.AFFECTED)):
        assert stage(folded(*said, chose("m", remedy), did("m", 7, remedy)), loss(2, "base")) is left


def test_a_model_trained_anew_is_what_it_was_trained_on_since() -> None:
    granted = LeaseGranted(lease="l", release="r", job="j", model="m", ttl_ms=1, secret=ZERO)
    models = folded(registered("m"), chose("m", Remedy.RETRAIN), granted, did("m", 1, Remedy.RETRAIN))
    model = models.get("m")
    assert model is not None
    assert [use.lease for use in model.uses] == [None, "l"]
    assert stage(models, loss(9, used=0)) is Stage.REMEDIED
    assert stage(models, loss(9, used=2)) is Stage.AFFECTED


def test_a_lease_makes_a_model_known_and_bases_may_go_in_circles_in_a_foreign_ledger() -> None:
    models = folded(
        LeaseGranted(lease="l", release="r", job="j", model="m", ttl_ms=1, secret=ZERO),
        registered("a", "b"),
        registered("b", "a"),
    )
    assert "m" in models
    assert models.ancestry("a") == ["a", "b"]
    assert stage(models, loss(3, "b"), model="a") is Stage.AFFECTED


def test_approvals_count_people() -> None:
    models = folded(
        registered("m"),
        chose("m", Remedy.ACCEPT),
        RemedyApproved(model="m", by="one"),
        RemedyApproved(model="m", by="one"),
        RemedyApproved(model="m", by="two"),
        RemedyApproved(model="nobody", by="two"),
    )
    model = models.get("m")
    assert model is not None
    assert model.choices[-1].approved == ("one", "two")


@given(
    st.lists(st.sampled_from(["register", "choose", "finish", "base"]), max_size=8),
    st.lists(st.integers(0, 9), max_size=4),
)
def test_nothing_outstanding_means_clear_or_remedied_and_the_other_way_round(
    said: Sequence[str], lost: Sequence[int]
) -> None:
    bodies: list[Body] = [registered("base"), registered("m", "base")]
    for each in said:
        chosen = [position for position, body in enumerate(bodies) if isinstance(body, RemedyChosen)]
        if each == "choose":
            bodies.append(chose("m", Remedy.ACCEPT))
        elif each == "finish" and chosen:
            bodies.append(did("m", chosen[-1], Remedy.ACCEPT))
        else:
            bodies.append(registered("m", "base"))
    models = folded(*bodies)
    found = standing(models, "m", losses=lambda name: [loss(each, name) for each in lost] if name == "base" else [])
    covered = max((body.chosen for body in bodies if isinstance(body, ModelRemedied)), default=0)
    assert sorted(each.position for each in found.losses) == sorted(each for each in lost if each >= covered)
    assert (found.stage in (Stage.CLEAR, Stage.REMEDIED)) is (not found.losses)
    assert (found.deadline is None) is (not found.losses)


def test_a_plan_comes_back_as_it_was() -> None:
    plan = Plan(what=Destroyed.MODEL, name="m", folder="f", files=(Listed(path="a", size=1, digest=ZERO),))
    assert Plan.from_bytes(plan.to_bytes()) == plan


def test_one_plan_is_open_until_it_is_certified() -> None:
    known = Destructions()
    begun = DestructionBegun(what=Destroyed.RELEASE, name="r", plan=ZERO, files=3, by="ops")
    known.take(event(0, begun))
    assert known.open(Destroyed.MODEL, "r") is None
    assert known.open(Destroyed.RELEASE, "r") is not None
    done = DestructionCertified(
        what=Destroyed.RELEASE, name="r", plan=ZERO, certificate=ZERO, deleted=(), recorded=None, by="ops"
    )
    known.take(event(1, done))
    assert known.open(Destroyed.RELEASE, "r") is None
    assert [each.certificate for each in known.of(Destroyed.RELEASE, "r")] == [ZERO]


def test_what_an_older_ledger_says_was_destroyed_stays_destroyed() -> None:
    older = DestructionCertifiedV1(what=Destroyed.MODEL, name="m", plan=ZERO, certificate=ZERO, by="ml")
    assert KINDS["destruction.certified", 1].from_json(older.to_json()) == older
    models = Models()
    said = ModelRegistered(model="m", base=None, releases=(), leases=(), digest=ZERO)
    bodies: tuple[Body, ...] = (said, ModelWithdrawn(model="m", reason="case 7", by="ml"), older)
    for position, body in enumerate(bodies):
        models.take(event(position, body))
    assert (models.left_of("m"), models.get("m") is not None) == ({ZERO: "registered"}, True)
    found = models.get("m")
    assert found is not None
    assert found.destroyed is not None


def test_what_any_folder_destroyed_in_an_older_ledger_stays_destroyed() -> None:
    older = DestructionCertifiedV2(what=Destroyed.MODEL, name="m", plan=ZERO, certificate=ZERO, deleted=(), by="ml")
    assert KINDS["destruction.certified", 2].from_json(older.to_json()) == older
    said: list[Body] = [registered("m"), gone("m")]
    assert stage(folded(*said, older)) is Stage.DESTROYED
    assert stage(folded(*said, certified(recorded=False))) is Stage.WITHDRAWN


def test_a_digest_that_is_registered_after_the_withdrawal_is_the_word_of_one_person() -> None:
    said: list[Body] = [registered("m"), gone("m"), registered("m", digest=ZERO)]
    assert stage(folded(*said, certified(ZERO, recorded=False))) is Stage.WITHDRAWN
    assert stage(folded(*said, certified(ZERO, recorded=False), said_gone("ml"), said_gone("legal"))) is Stage.DESTROYED
    assert stage(folded(*said, said_gone("ml"), said_gone("legal"))) is Stage.WITHDRAWN, "that one is left"
    assert stage(folded(*said, said_gone("ml", ZERO), said_gone("legal", ZERO))) is Stage.DESTROYED
