"""A model that was trained anew on next to nothing is not: it takes two people, as where no job did it."""

from __future__ import annotations

from pathlib import Path

import pytest

from consentry.bootstrap import Deployment
from consentry.cli.main import main
from consentry.clock import now
from consentry.doctor.examination import examine
from consentry.doctor.finding import State
from consentry.ledger.lineage_events import Remedy
from consentry.ledger.oversight_events import LeaseEnd
from consentry.oversight.model_standing import Stage
from consentry.policy.vocabulary import Reach
from end_to_end.model_steps import code_of, stage, train
from end_to_end.test_story import build, say
from end_to_end.test_story import place as place  # noqa: PLC0414 - a fixture


def finish(deployment: Deployment) -> str:
    """Say that the remedy for `m` is done, by one person, and return what that is refused for."""
    return code_of(lambda: deployment.control.models.finish_remedy("m", by="anna"))


def test_a_release_that_was_withdrawn_as_a_whole_still_says_how_much_it_was(place: tuple[Path, Deployment]) -> None:
    _, deployment = place
    control, release = deployment.control, build(deployment)
    train(deployment, release, "m", None)
    control.releases.withdraw(release, "case 7", by="olga")
    since = build(deployment)
    control.models.choose_remedy("m", Remedy.RETRAIN, by="anna")
    train(deployment, since, "m", [[0, 0, 1]])
    assert finish(deployment) == "model-weights-same", "one item of three"
    train(deployment, since, "m", [[0, 0, 3]])
    control.models.finish_remedy("m", by="anna")
    assert stage(deployment, "m") == Stage.REMEDIED


def test_where_nothing_is_left_to_measure_by_one_row_is_not_enough(place: tuple[Path, Deployment]) -> None:
    _, deployment = place
    control, release = deployment.control, build(deployment)
    train(deployment, release, "m", [[0, 2, 3]])
    say(deployment, "bo", reach=Reach.EVERYTHING)
    control.models.choose_remedy("m", Remedy.RETRAIN, by="anna")
    train(deployment, release, "m", [[0, 0, 1]], amendment=1)
    assert finish(deployment) == "model-weights-same"


def test_a_job_that_is_not_over_shows_nothing_yet(place: tuple[Path, Deployment]) -> None:
    _, deployment = place
    control, release = deployment.control, build(deployment)
    train(deployment, release, "m", None)
    say(deployment, "bo", reach=Reach.EVERYTHING)
    control.models.choose_remedy("m", Remedy.RETRAIN, by="anna")
    lease, secret = control.leases.grant(release, job="again", model="m")
    steps = {"from_step": 0, "to_step": 0, "amendment": 1}
    control.leases.consumed(lease.lease, secret=secret, ranges=[[0, 0, 4]], **steps)
    assert finish(deployment) == "model-weights-same", "it may read on, and has not said what"
    control.leases.end(lease.lease, secret=secret, how=LeaseEnd.RELEASED, step=1)
    control.models.finish_remedy("m", by="anna")
    assert stage(deployment, "m") == Stage.REMEDIED


@pytest.mark.parametrize("remedy", [Remedy.RETRAIN, Remedy.RETRAIN_SHARD])
def test_rows_that_the_release_leaves_out_are_no_training(place: tuple[Path, Deployment], remedy: Remedy) -> None:
    _, deployment = place
    control, release = deployment.control, build(deployment)
    train(deployment, release, "m", None)
    say(deployment, "bo", reach=Reach.EVERYTHING)
    control.models.choose_remedy("m", remedy, by="anna")
    train(deployment, release, "m", [[0, 1, 2], [1, 0, 2]], amendment=1)
    assert finish(deployment) == "model-weights-same"


def test_a_job_that_tells_rows_it_was_not_given_is_named(
    place: tuple[Path, Deployment], capsys: pytest.CaptureFixture[str]
) -> None:
    folder, deployment = place
    release = build(deployment)
    train(deployment, release, "other", [[0, 0, 1], [0, 2, 4]])
    train(deployment, release, "m", [[0, 1, 3], [1, 0, 2]])
    train(deployment, release, "silent", None)
    counts = [deployment.control.models.show(name)["jobs"][0]["not_given"] for name in ("other", "m", "silent")]
    assert counts == [0, 3, 0]
    home = folder / "home"
    (found,) = [each for each in examine(home, at=now()) if each.name.startswith("job ")]
    assert (found.name, found.state) == ("job job-m", State.MISSING)
    assert found.found.endswith(": 3")
    with pytest.raises(SystemExit):
        main(["--home", str(home), "model", "show", "m"])
    assert f"job-m said that it was trained on 3 items that {release} leaves out." in " ".join(
        capsys.readouterr().out.split()
    )


@pytest.mark.parametrize("own", [None, [[0, 0, 1]]])
def test_a_model_that_is_mostly_its_base_is_measured_by_what_that_was_trained_on(
    place: tuple[Path, Deployment], own: list[list[int]] | None
) -> None:
    _, deployment = place
    control, release = deployment.control, build(deployment)
    models = control.models
    train(deployment, release, "base", None)
    if own is not None:
        train(deployment, release, "m", own)
    models.register("m", base="base", digest="sha256:" + "1" * 64)
    control.releases.withdraw(release, "case 7", by="olga")
    since = build(deployment)
    models.choose_remedy("m", Remedy.RETRAIN, by="anna")
    train(deployment, since, "fresh", [[0, 0, 1]])
    models.register("said", releases=[since])
    for base in ("fresh", "said"):
        models.register("m", base=base)
    train(deployment, since, "m", [[0, 0, 1]])
    assert models.show("m")["takes_two"]
    assert finish(deployment) == "model-weights-same", "one item of three, and a base of which no job said what it read"
    train(deployment, since, "fresh", [[0, 2, 4]])
    models.register("m", base="fresh")
    assert finish(deployment) == "model-weights-same", "it is built on the base as that was when it was said first"
    train(deployment, since, "better", [[0, 2, 4]])
    models.register("m", base="better")
    models.finish_remedy("m", by="anna")
    assert stage(deployment, "m") == Stage.REMEDIED


def test_a_base_that_stays_says_as_much_as_before(place: tuple[Path, Deployment]) -> None:
    _, deployment = place
    control, first = deployment.control, build(deployment)
    control.models.register("base", releases=[first])
    release = build(deployment)
    train(deployment, release, "m", [[0, 2, 4]])
    control.models.register("m", base="base")
    control.releases.withdraw(release, "case 7", by="olga")
    control.models.choose_remedy("m", Remedy.RETRAIN, by="anna")
    train(deployment, first, "m", [[0, 0, 1]])
    control.models.finish_remedy("m", by="anna")
    assert stage(deployment, "m") == Stage.REMEDIED
