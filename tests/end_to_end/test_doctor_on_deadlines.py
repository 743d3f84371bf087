"""What `consentry doctor` says of models and conditions that are late."""

from __future__ import annotations

from pathlib import Path

from consentry.bootstrap import Deployment
from consentry.clock import now
from consentry.doctor.examination import examine
from consentry.ledger.case_events import ConditionAdded
from consentry.ledger.lineage_events import Remedy
from consentry.ledger.oversight_events import Origin
from consentry.oversight.model_standing import Stage
from consentry.oversight.order import Scope
from consentry.policy.vocabulary import Reach
from consentry.service.server import serving
from end_to_end.model_steps import DAY, stage, train
from end_to_end.test_story import build, say
from end_to_end.test_story import place as place  # noqa: PLC0414 - a fixture


def said(folder: Path, *, days: int = 0) -> dict[str, str]:
    found = examine(folder / "home", at=now() + days * DAY)
    return {each.name: each.found for each in found if each.name.startswith(("model ", "condition "))}


def test_it_names_the_models_whose_deadline_passed_and_no_others(place: tuple[Path, Deployment]) -> None:
    folder, deployment = place
    models, release = deployment.control.models, build(deployment)
    train(deployment, release, "read", [[0, 0, 3]])
    train(deployment, release, "spared", [[0, 3, 4], [1, 0, 3]])
    train(deployment, release, "silent", None)
    models.register("tuned", base="read")
    models.register("gone")
    assert said(folder, days=400) == {}
    say(deployment, "bo", reach=Reach.EVERYTHING)
    models.withdraw("gone", "case 7", by="ml")
    assert said(folder) == {}
    late = said(folder, days=31)
    assert late.keys() == {"model read", "model silent", "model tuned"}
    assert late["model read"].startswith("overdue since")
    assert late["model read"].endswith(": affected")
    assert said(folder, days=400).keys() == late.keys() | {"model gone"}
    for name in ("read", "silent", "tuned"):
        models.choose_remedy(name, Remedy.RETRAIN, by="ml")
    assert said(folder, days=31) == {}
    assert said(folder, days=91)["model read"].endswith(": remedy chosen")
    train(deployment, build(deployment), "read", [[0, 0, 1]])
    models.finish_remedy("read", by="ml")
    assert said(folder, days=400).keys() == {"model silent", "model tuned", "model gone"}
    assert stage(deployment, "tuned") == Stage.REMEDY_CHOSEN


def test_a_release_that_was_withdrawn_is_a_loss_and_what_cannot_be_read_is_said(place: tuple[Path, Deployment]) -> None:
    folder, deployment = place
    release = build(deployment)
    train(deployment, release, "m", [[0, 0, 3]])
    deployment.control.releases.withdraw(release, "case 7", by="olga")
    assert said(folder, days=31).keys() == {"model m"}
    for each in (folder / "home" / "objects").iterdir():
        if each.is_file() and each.read_bytes().startswith(b"[["):
            each.unlink()
    assert said(folder)["model m"] == "nobody can tell where it stands: objects are gone or damaged"


def test_a_condition_with_a_check_is_overdue_while_the_check_says_no(place: tuple[Path, Deployment]) -> None:
    folder, deployment = place
    control = deployment.control
    control.orders.suspend(Scope(), case="c", origin=Origin.OWN_DECISION, reference="x")
    policy = control.desk.present().state.policies[-1].name
    for name, check, parameters in (
        ("minors", "no-minors", ()),
        ("none", "categories-out", ("post",)),
        ("steps", "objection-steps", ("2",)),
    ):
        control.conditions.add(
            ConditionAdded(
                case="c",
                condition=name,
                title=f"title of {name}",
                owner="ann",
                due=now() - DAY,
                check=check,
                policy=policy,
                parameters=parameters,
                by="ann",
            )
        )
    found = said(folder)
    assert found.keys() == {"condition none", "condition steps"}
    assert found["condition none"].startswith(f"overdue, {policy} ")
    assert found["condition steps"] == "overdue, no form for objections is served: start the server: title of steps"
    with serving(deployment):
        assert said(folder).keys() == {"condition none"}
    control.cases.prohibit("c", by="ann", reference="y")
    assert said(folder) == {}
