"""Models know what they were trained on: what is withdrawn marks them, and who asks for a person finds them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from consentry.bootstrap import Deployment, open_deployment
from consentry.cli.main import cli
from consentry.ledger.lineage_events import Remedy
from consentry.ledger.oversight_events import LeaseEnd, OrderEnd, Origin
from consentry.oversight.model_standing import Stage
from consentry.oversight.order import Scope
from consentry.policy.vocabulary import Purpose, Reach
from end_to_end.model_steps import DAY, at, code_of, stage, train
from end_to_end.network import RawPerson, register_other_bytes, write_people
from end_to_end.test_story import GENAI, ITEMS, PEOPLE, build, say
from end_to_end.test_story import place as place  # noqa: PLC0414 - a fixture


def test_only_who_was_trained_on_it_is_affected(place: tuple[Path, Deployment]) -> None:
    _, deployment = place
    control, release = deployment.control, build(deployment)
    train(deployment, release, "with-bo", [[0, 0, 3]])
    train(deployment, release, "without-bo", [[0, 3, 4], [1, 0, 3]])
    train(deployment, release, "silent", None)
    control.models.register("tuned", base="with-bo")
    control.models.register("offline", releases=[release])
    assert {each["stage"] for each in control.models.every()} == {Stage.CLEAR}
    say(deployment, "bo", reach=Reach.EVERYTHING)
    found = {each["model"]: each["stage"] for each in control.models.every()}
    affected, clear = Stage.AFFECTED, Stage.CLEAR
    assert found == {
        "with-bo": affected,
        "without-bo": clear,
        "silent": affected,
        "tuned": affected,
        "offline": affected,
    }
    assert control.models.show("tuned")["inherited"] == ["with-bo"]
    assert control.models.show("with-bo")["withdrawn_since"] == {
        "items": 1, "people": 1, "items_of_unknown_people": 0, "items_not_known": 0, "releases": [],
    }  # fmt: skip
    train(deployment, release, "later", [[0, 0, 4]], amendment=1)
    assert stage(deployment, "later") == clear
    train(deployment, release, "late-to-hear", [[0, 0, 4]], amendment=0)
    assert stage(deployment, "late-to-hear") == affected, "it was trained on what had left already"
    train(deployment, release, "boaster", [[0, 0, 4]], amendment=99)
    say(deployment, "cy", reach=Reach.EVERYTHING)
    assert stage(deployment, "boaster") == affected
    assert control.models.show("with-bo")["withdrawn_since"]["people"] == 2
    assert control.models.show("with-bo")["withdrawn_since"]["items"] == 2


def test_a_withdrawn_release_affects_whoever_used_it_and_the_clock_runs(place: tuple[Path, Deployment]) -> None:
    _, deployment = place
    control, release = deployment.control, build(deployment)
    train(deployment, release, "m", [[0, 0, 1]])
    control.releases.withdraw(release, "case 7", by="olga")
    found = control.models.show("m")
    assert (found["stage"], found["withdrawn_since"]["releases"]) == (Stage.AFFECTED, [release])
    assert control.models.may_serve("m")["may"]
    at(deployment, 31 * DAY)
    assert control.models.may_serve("m") == {
        "model": "m",
        "may": False,
        "stage": "affected",
        "reasons": ["it is affected, and the deadline for the next step has passed"],
    }
    control.models.choose_remedy("m", Remedy.DROP_ADAPTER, by="ml")
    assert control.models.may_serve("m")["may"]
    at(deployment, 91 * DAY)
    assert not control.models.may_serve("m")["may"]
    # Nothing shows that an adapter is gone: it is the word of two people, as where nothing is done.
    assert code_of(lambda: control.models.finish_remedy("m", by="ml")) == "model-approvals-missing"
    control.models.approve_remedy("m", by="privacy")
    assert code_of(lambda: control.models.approve_remedy("m", by="privacy")) == "model-approved-before"
    assert code_of(lambda: control.models.finish_remedy("m", by="privacy")) == "model-approvals-missing"
    assert not control.models.may_serve("m")["may"]
    control.models.approve_remedy("m", by="legal")
    control.models.finish_remedy("m", by="ml")
    assert control.models.may_serve("m")["may"]
    assert stage(deployment, "m") == Stage.REMEDIED


def test_a_model_of_a_release_that_cannot_be_amended_any_more_is_affected(place: tuple[Path, Deployment]) -> None:
    folder, deployment = place
    control, release = deployment.control, build(deployment)
    train(deployment, release, "m", None)
    register_other_bytes(folder, deployment, ITEMS[:3], kept=False)
    assert stage(deployment, "m") == Stage.CLEAR
    say(deployment, "bo", reach=Reach.EVERYTHING)
    assert stage(deployment, "m") == Stage.AFFECTED
    left = control.models.show("m")["withdrawn_since"]
    assert (left["items"], left["items_not_known"]) == (0, 3), "it may be all that the release holds"
    assert "not known: up to 3 items, of files that are gone or changed" in shown(folder)
    assert control.models.every()[0]["deadline"] is not None
    control.models.choose_remedy("m", Remedy.DROP_ADAPTER, by="ml")
    for handle in ("privacy", "legal"):
        control.models.approve_remedy("m", by=handle)
    assert control.models.finish_remedy("m", by="ml").stage is Stage.REMEDIED
    control.statements.erase([deployment.person("cy")])
    assert stage(deployment, "m") == Stage.AFFECTED
    again = open_deployment(folder / "home")
    assert stage(again, "m") == Stage.AFFECTED
    again.close()
    register_other_bytes(folder, deployment, ITEMS[:4])
    assert stage(deployment, "m") == Stage.AFFECTED, "now it is known what left"
    assert control.amendments.newest(release) == 1
    left = control.models.show("m")["withdrawn_since"]
    assert (left["items_not_known"], left["items_of_unknown_people"]) == (0, 0)
    register_other_bytes(folder, deployment, ITEMS[:3], kept=False)
    then = control.models.show("m")["withdrawn_since"]
    assert (then["people"], then["items_of_unknown_people"]) == (0, then["items"]), "nobody knows whose they were"
    assert then["items"] == left["items"] > 0
    assert f"({left['items']} of people that are not known any more)" in shown(folder)


def shown(folder: Path) -> str:
    return " ".join(said(folder, "model", "show", "m").split())


def said(folder: Path, *command: str) -> str:
    found = CliRunner().invoke(cli, ["--home", str(folder / "home"), *command], catch_exceptions=False)
    return found.output


def test_a_job_that_did_not_say_what_all_its_steps_consumed_consumed_everything(
    place: tuple[Path, Deployment],
) -> None:
    _, deployment = place
    control, release = deployment.control, build(deployment)
    lease, secret = control.leases.grant(release, job="job-1", model="m")

    def consumed(first: int, last: int) -> None:
        control.leases.consumed(
            lease.lease, secret=secret, from_step=first, to_step=last, amendment=0, ranges=[[0, 3, 4]]
        )

    consumed(0, 5)
    control.leases.end(lease.lease, secret=secret, how=LeaseEnd.EXPIRED, step=90)
    say(deployment, "bo", reach=Reach.EVERYTHING)
    assert stage(deployment, "m") == Stage.AFFECTED
    assert [each["model"] for each in control.people.uses_of("bo")["models"]] == ["m"]
    consumed(6, 89)  # its journal was found
    assert stage(deployment, "m") == Stage.CLEAR
    assert control.people.uses_of("bo")["models"] == []


def test_steps_on_no_rows_are_not_believed(place: tuple[Path, Deployment]) -> None:
    """A loader that lost the identities of its rows reports every step, and nothing of any."""
    _, deployment = place
    release = build(deployment)
    train(deployment, release, "silent", [])
    train(deployment, release, "other", [[0, 3, 4]])
    say(deployment, "bo", reach=Reach.EVERYTHING)
    assert stage(deployment, "silent") == Stage.AFFECTED
    assert stage(deployment, "other") == Stage.CLEAR, "it said what it consumed, and nothing of bo's"
    assert [each["model"] for each in deployment.control.people.uses_of("bo")["models"]] == ["silent"]


def test_what_is_registered_must_be_known(place: tuple[Path, Deployment]) -> None:
    _, deployment = place
    control = deployment.control
    control.models.register("a")
    control.models.register("b", base="a")
    for call, code in (
        (lambda: control.models.register("a", base="b"), "model-base-cycle"),
        (lambda: control.models.register("Big Model"), "model-name"),
        (lambda: control.models.register("m" * 101), "model-name"),
        (lambda: control.models.register("c", digest="of ada@example.org"), "model-digest"),
        (lambda: control.models.register("c", base="nowhere"), "model-unknown"),
        (lambda: control.models.register("c", releases=["nowhere"]), "release-unknown"),
        (lambda: control.models.register("c", leases=["nowhere"]), "lease-unknown"),
        (lambda: control.models.show("nowhere"), "model-unknown"),
        (lambda: control.models.may_serve("nowhere"), "model-unknown"),
    ):
        assert code_of(call) == code


def test_orders_hold_models_from_being_served(place: tuple[Path, Deployment]) -> None:
    _, deployment = place
    control, release = deployment.control, build(deployment)
    train(deployment, release, "m", None)
    control.models.register("tuned", base="m")
    control.models.register("unrelated")

    def suspend(scope: Scope) -> list[bool]:
        order = control.orders.suspend(scope, case="c-1", origin=Origin.OWN_DECISION, reference="note")
        found = [bool(control.models.may_serve(each)["may"]) for each in ("m", "tuned", "unrelated")]
        control.desk.parts.ledger.append(control.orders.ends([order.order], OrderEnd.LIFTED))
        return found

    assert suspend(Scope(models=frozenset({"m"}))) == [False, False, True]
    assert suspend(Scope(models=frozenset({"tuned"}))) == [True, False, True]
    assert suspend(Scope(areas=frozenset({"BR"}), purposes=frozenset({Purpose.SERVE}))) == [False, False, True]
    assert suspend(Scope(areas=frozenset({"UK"}), purposes=frozenset({Purpose.SERVE}))) == [True, True, True]
    assert suspend(Scope(areas=frozenset({"BR"}), purposes=frozenset({GENAI}))) == [True, True, True]
    assert suspend(Scope(areas=frozenset({"BR"}))) == [False, False, True]


def test_what_holds_a_model_is_said_wherever_it_is_looked_at(place: tuple[Path, Deployment]) -> None:
    folder, deployment = place
    control = deployment.control
    train(deployment, build(deployment), "m", None)
    control.models.register("unrelated")
    assert "served yes" in shown(folder)
    control.orders.suspend(Scope(areas=frozenset({"BR"})), case="c-1", origin=Origin.OWN_DECISION, reference="note")
    reasons = control.models.may_serve("m")["reasons"]
    assert f"stands clear served held held because {reasons[0]}" in shown(folder)
    assert [line.split() for line in said(folder, "model", "list").splitlines()] == [
        ["model", "base", "stands", "served", "next", "step", "until"],
        ["m", "clear", "held"],
        ["unrelated", "clear", "yes"],
    ]
    assert (held := json.loads(said(folder, "--json", "model", "show", "m")))["held"]
    assert held["why"] == reasons
    listed = json.loads(said(folder, "--json", "model", "list"))["models"]
    assert [each["why"] for each in listed] == [reasons, []]


def test_model_checkpoints_before_and_after_a_suspension(place: tuple[Path, Deployment]) -> None:
    _, deployment = place
    control = deployment.control
    lease, secret = control.leases.grant(build(deployment), job="job-1", model="m")
    content = "sha256:" + "0" * 64
    control.leases.model_checkpoint(lease.lease, secret=secret, step=1, name="one", content=content)
    (job,) = control.models.show("m")["jobs"]
    assert [each["stands"] for each in job["model_checkpoints"]] == [""]
    control.orders.suspend(Scope(areas=frozenset({"BR"})), case="c-1", origin=Origin.OWN_DECISION, reference="note")
    assert (
        code_of(
            lambda: control.leases.model_checkpoint(lease.lease, secret=secret, step=2, name="two", content=content)
        )
        == "lease-revoked"
    )
    (job,) = control.models.show("m")["jobs"]
    assert [each["stands"] for each in job["model_checkpoints"]] == ["trained before", "quarantined"]


@pytest.mark.parametrize("reading", [True, False])
def test_a_later_order_marks_them_though_an_older_one_stops_the_job_too(
    place: tuple[Path, Deployment], reading: bool
) -> None:
    folder, deployment = place
    control = deployment.control

    def suspend(area: str) -> str:
        scope = Scope(areas=frozenset({area}))
        return control.orders.suspend(scope, case="c-1", origin=Origin.OWN_DECISION, reference="note").order

    def found() -> list[tuple[str, str | None]]:
        (job,) = control.models.show("m")["jobs"]
        return [(each["stands"], each["order"]) for each in job["model_checkpoints"]]

    older = suspend("JP")
    lease, secret = control.leases.grant(build(deployment), job="job-1", model="m")
    content = "sha256:" + "0" * 64
    for step, name in enumerate(("one", "two"), start=1):
        control.leases.model_checkpoint(lease.lease, secret=secret, step=step, name=name, content=content)
    if not reading:
        control.leases.end(lease.lease, secret=secret, how=LeaseEnd.RELEASED, step=2)
    assert found() == [("", None)] * 2
    moved = (PEOPLE[0], RawPerson(id="bo", country="JP"), *PEOPLE[2:])
    control.statements.load_people(write_people(folder / "people", moved))
    assert found() == [("", older)] * 2, "nobody was there when they were written"
    later = suspend("GB")
    assert found() == [("", older)] * 2, "nothing of GB is in the release"
    later = suspend("US")
    assert found() == [("trained before", later)] * 2


def test_what_used_the_content_of_a_person(place: tuple[Path, Deployment]) -> None:
    folder, deployment = place
    control, first = deployment.control, build(deployment)
    train(deployment, first, "on-ada", [[0, 0, 1]])
    train(deployment, first, "on-bo", [[0, 1, 3]])
    train(deployment, first, "on-gb", [[1, 0, 3]])
    control.models.register("tuned", base="on-bo")
    say(deployment, "bo", reach=Reach.EVERYTHING)
    second = build(deployment)
    found = control.people.uses_of("bo")
    counts = {"known": True, "sealed_with": 1, "removed": 1}
    assert found["releases"] == [{"release": first, **counts, "withdrawn": False, "barred_by": None}]
    assert found["models"] == [
        {"model": "on-bo", "items": 1, "through": []},
        {"model": "tuned", "items": 0, "through": ["on-bo"]},
    ]
    found = control.people.uses_of("cy")  # the other account of ada
    assert [each["release"] for each in found["releases"]] == [first, second]
    assert [(each["sealed_with"], each["removed"]) for each in found["releases"]] == [(3, 1), (2, 0)]
    assert {each["model"]: each["items"] for each in found["models"]} == {"on-ada": 1, "on-bo": 1, "tuned": 0}
    seats = control.desk.parts.people.seats
    nobody = control.people.uses_of("never-heard-of")
    assert (nobody["accounts"], nobody["releases"], nobody["models"]) == (0, [], [])
    assert control.desk.parts.people.seats == seats, "who is asked about gets no seat"
    deployment.close()
    again = open_deployment(folder / "home")
    assert [each["model"] for each in again.control.people.uses_of("bo")["models"]] == ["on-bo", "tuned"]
    again.close()


@pytest.mark.parametrize("meanwhile", [False, True])
def test_a_model_that_is_registered_while_models_are_looked_at_waits_until_it_is_asked_again(
    place: tuple[Path, Deployment], meanwhile: bool
) -> None:
    _, deployment = place
    control, release = deployment.control, build(deployment)
    train(deployment, release, "first", [[0, 0, 3]])

    class Registering:
        """Registers one behind the last that is looked at."""

        def begin(self, what: str, *, total: int | None, unit: str) -> None:
            self.looking = (what, total, unit) == ("looking at models", 1, "models")

        def __call__(self, done: int) -> None:
            assert done == 1
            if self.looking and meanwhile:
                control.models.register("second", base="first", releases=[release])

    assert [each["model"] for each in control.people.uses_of("bo", progress=Registering())["models"]] == ["first"]
    assert len(control.people.uses_of("bo")["models"]) == 1 + meanwhile
