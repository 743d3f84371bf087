"""A model that was trained anew where no job of ours did it: the word of two people, and other weights."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from consentry.bootstrap import Deployment, open_deployment
from consentry.ledger.lineage_events import Remedy
from consentry.ledger.oversight_events import ModelCheckpointWritten
from consentry.oversight.model_standing import Stage
from consentry.policy.vocabulary import Reach
from end_to_end.model_steps import code_of, stage, train
from end_to_end.network import RawItem, populated
from end_to_end.test_story import BEFORE, ITEMS, PEOPLE, POLICY, build, say
from end_to_end.test_story import place as place  # noqa: PLC0414 - a fixture

OLD, NEW, OTHER = (f"sha256:{digit * 64}" for digit in "0ab")


@pytest.fixture(params=[Remedy.RETRAIN, Remedy.RETRAIN_SHARD])
def affected(place: tuple[Path, Deployment], request: pytest.FixtureRequest) -> tuple[Deployment, str]:
    """A model `m` that lost something, with a remedy chosen, and a release that was built since."""
    _, deployment = place
    models = deployment.control.models
    train(deployment, build(deployment), "m", [[0, 0, 3]])
    models.register("m", digest=OLD)
    say(deployment, "bo", reach=Reach.EVERYTHING)
    since = build(deployment)
    models.choose_remedy("m", request.param, by="ml")
    return deployment, since


def finish(deployment: Deployment, digest: str | None = None) -> Callable[[], object]:
    return lambda: deployment.control.models.finish_remedy("m", by="ml", digest=digest)


def approve(deployment: Deployment, by: str) -> Callable[[], object]:
    return lambda: deployment.control.models.approve_remedy("m", by=by)


def test_one_person_cannot_say_that_a_model_was_trained_anew(affected: tuple[Deployment, str]) -> None:
    deployment, since = affected
    models = deployment.control.models
    assert not models.show("m")["takes_two"]
    assert code_of(approve(deployment, "legal")) == "model-not-now", "nothing was said of it yet"
    models.register("m", releases=[since])
    assert models.show("m")["takes_two"]
    for call in (finish(deployment), finish(deployment, NEW), approve(deployment, "legal")):
        assert code_of(call) == "model-weights-same", "which weights it has now is not known"
    models.register("m", digest=OLD)
    assert code_of(finish(deployment)) == "model-weights-same", "they are those of before"
    models.register("m", digest=NEW)
    assert code_of(finish(deployment)) == "model-approvals-missing"
    approve(deployment, "legal")()
    assert code_of(approve(deployment, "legal")) == "model-approved-before"
    assert code_of(finish(deployment)) == "model-approvals-missing"
    assert stage(deployment, "m") == Stage.REMEDY_CHOSEN
    approve(deployment, "privacy")()
    assert code_of(finish(deployment, OTHER)) == "model-weights-same", "nobody approved those"
    finish(deployment, NEW)()
    assert stage(deployment, "m") == Stage.REMEDIED
    assert models.may_serve("m")["may"]


def test_what_is_registered_after_an_approval_was_approved_by_nobody(affected: tuple[Deployment, str]) -> None:
    deployment, since = affected
    models = deployment.control.models
    models.register("m", releases=[since], digest=NEW)
    for by in ("legal", "privacy"):
        approve(deployment, by)()
    models.register("m", digest=OTHER)
    assert models.show("m")["remedy"]["approved"] == []
    assert code_of(finish(deployment)) == "model-approvals-missing"
    again = open_deployment(deployment.control.desk.parts.home)
    assert again.control.models.show("m")["remedy"]["approved"] == []
    again.close()


def test_what_is_registered_while_somebody_approves_was_not_looked_at(
    affected: tuple[Deployment, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    deployment, since = affected
    models = deployment.control.models
    models.register("m", releases=[since], digest=NEW)
    chosen = models._chosen

    def chosen_before_more_is_said(name: str) -> object:
        found = chosen(name)
        models.register("m", digest=OTHER)
        return found

    monkeypatch.setattr(models, "_chosen", chosen_before_more_is_said)
    assert code_of(approve(deployment, "legal")) == "model-not-now"
    monkeypatch.undo()
    assert models.show("m")["remedy"]["approved"] == []


def test_another_base_that_one_person_names_takes_off_no_mark(affected: tuple[Deployment, str]) -> None:
    deployment, _ = affected
    models = deployment.control.models
    models.register("other")
    models.register("m", base="other")
    assert code_of(finish(deployment)) == "model-weights-same"


def test_a_job_that_trained_another_model_shows_nothing_of_this_one(affected: tuple[Deployment, str]) -> None:
    deployment, since = affected
    models = deployment.control.models
    idle, busy = train(deployment, since, "n", []), train(deployment, since, "n", [[0, 0, 1]])
    models.register("m", leases=[idle])
    assert code_of(finish(deployment)) == "model-not-retrained"
    models.register("m", leases=[busy])
    assert code_of(finish(deployment)) == "model-weights-same"


def test_weights_that_a_job_kept_before_are_none_that_are_new(place: tuple[Path, Deployment]) -> None:
    _, deployment = place
    models = deployment.control.models
    lease = train(deployment, build(deployment), "m", [[0, 0, 3]])
    models.say(ModelCheckpointWritten(lease=lease, name="last", step=5, digest=NEW, quarantined=False))
    say(deployment, "bo", reach=Reach.EVERYTHING)
    models.choose_remedy("m", Remedy.RETRAIN, by="ml")
    models.register("m", releases=[build(deployment)], digest=NEW)
    assert code_of(finish(deployment)) == "model-weights-same"


def test_a_job_of_ours_needs_nobody_to_approve(affected: tuple[Deployment, str]) -> None:
    deployment, since = affected
    train(deployment, since, "m", [[0, 0, 1]])
    assert not deployment.control.models.show("m")["takes_two"]
    assert code_of(approve(deployment, "legal")) == "model-not-now", "its training is in the ledger"
    assert code_of(finish(deployment, OLD)) == "model-weights-same", "a job trained, and this is not what came of it"
    finish(deployment, NEW)()
    assert stage(deployment, "m") == Stage.REMEDIED
    assert deployment.control.models.show("m")["digest"] == NEW


@pytest.fixture
def many() -> Iterator[tuple[Deployment, str]]:
    """A model `m` that was trained on nine items, of which one left, and a release that was built since."""
    items = [RawItem(id=f"a{number}", author="ada", created=BEFORE) for number in range(8)]
    with populated([[*items, ITEMS[2]]], PEOPLE, POLICY) as (_, deployment):
        train(deployment, build(deployment), "m", [[0, 0, 5]])
        train(deployment, build(deployment), "m", [[0, 3, 9]])
        say(deployment, "bo", reach=Reach.EVERYTHING)
        since = build(deployment)
        deployment.control.models.choose_remedy("m", Remedy.RETRAIN, by="ml")
        yield deployment, since


def test_a_few_rows_are_no_training_of_the_whole(many: tuple[Deployment, str]) -> None:
    deployment, since = many
    models = deployment.control.models
    train(deployment, since, "m", [[0, 0, 1]])
    assert models.show("m")["takes_two"], "it may be what was there before, and one step"
    assert code_of(finish(deployment, NEW)) == "model-weights-same"
    train(deployment, since, "m", [[0, 0, 3]])
    assert code_of(finish(deployment)) == "model-weights-same", "what was read twice counts once"
    train(deployment, since, "m", [[0, 2, 4]])
    assert not models.show("m")["takes_two"], "four of eight"
    finish(deployment, NEW)()
    assert stage(deployment, "m") == Stage.REMEDIED


def test_a_release_that_was_withdrawn_as_a_whole_is_still_what_it_was_trained_on(many: tuple[Deployment, str]) -> None:
    deployment, since = many
    for name in deployment.control.releases.archive.sealed():
        if name != since:
            deployment.control.releases.withdraw(name, "case 7", by="olga")
    deployment.control.models.choose_remedy("m", Remedy.RETRAIN, by="ml")
    train(deployment, since, "m", [[0, 0, 1]])
    assert code_of(finish(deployment, NEW)) == "model-weights-same", "what is in it may be read by another release"
    train(deployment, since, "m", [[0, 0, 4]])
    finish(deployment, NEW)()
    assert stage(deployment, "m") == Stage.REMEDIED


@pytest.mark.parametrize("ranges", [None, [[0, 0, 8]]])
def test_a_job_that_does_not_say_all_that_it_consumed_shows_nothing(
    many: tuple[Deployment, str], ranges: list[list[int]] | None
) -> None:
    deployment, since = many
    models = deployment.control.models
    lease = train(deployment, since, "m", ranges)
    models.say(ModelCheckpointWritten(lease=lease, name="last", step=500, digest=NEW, quarantined=False))
    assert models.show("m")["takes_two"]
    assert code_of(finish(deployment, NEW)) == "model-weights-same"
    models.register("m", digest=NEW)
    for by in ("legal", "privacy"):
        approve(deployment, by)()
    finish(deployment, NEW)()
    assert stage(deployment, "m") == Stage.REMEDIED


def test_what_left_and_is_read_again_is_a_loss_again(many: tuple[Deployment, str]) -> None:
    deployment, _ = many
    before = next(iter(deployment.control.releases.archive.sealed()))
    train(deployment, before, "m", [[0, 0, 9]])
    finish(deployment)()
    assert stage(deployment, "m") == Stage.AFFECTED


def test_a_shard_was_trained_anew_only_where_a_job_read_the_files_that_lost_something(
    place: tuple[Path, Deployment],
) -> None:
    _, deployment = place
    models = deployment.control.models
    train(deployment, build(deployment), "m", [[0, 0, 3], [1, 0, 2]])
    say(deployment, "bo", reach=Reach.EVERYTHING)
    models.choose_remedy("m", Remedy.RETRAIN_SHARD, by="ml")
    since = build(deployment)
    train(deployment, since, "m", [[1, 0, 1]])
    assert code_of(finish(deployment)) == "model-weights-same", "that file lost nothing"
    assert models.show("m")["takes_two"]
    train(deployment, since, "m", [[0, 0, 1]])
    assert not models.show("m")["takes_two"]
    finish(deployment)()
    assert stage(deployment, "m") == Stage.REMEDIED


def test_of_a_shard_of_a_withdrawn_release_nobody_knows_what_it_saw(place: tuple[Path, Deployment]) -> None:
    _, deployment = place
    control, release = deployment.control, build(deployment)
    train(deployment, release, "m", [[0, 0, 3]])
    control.releases.withdraw(release, "case 7", by="olga")
    control.models.choose_remedy("m", Remedy.RETRAIN_SHARD, by="ml")
    train(deployment, build(deployment), "m", [[0, 0, 1], [1, 0, 1]])
    assert code_of(finish(deployment)) == "model-weights-same"
    control.models.register("m", digest=NEW)
    for by in ("legal", "privacy"):
        approve(deployment, by)()
    finish(deployment)()
    assert stage(deployment, "m") == Stage.REMEDIED
