"""Models know what they were trained on: what is withdrawn marks them, and who asks for a person finds them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from consentry.bootstrap import Deployment, open_deployment
from consentry.errors import ConsentryError
from consentry.ledger.lineage_events import Destroyed, Remedy
from consentry.ledger.oversight_events import LeaseEnd, OrderEnd, Origin
from consentry.oversight.model_standing import Stage
from consentry.oversight.order import Scope
from consentry.policy.library import shipped
from consentry.policy.vocabulary import Purpose, Reach
from end_to_end.network import fresh, write_corpus, write_items, write_people
from end_to_end.test_story import GENAI, ITEMS, PEOPLE, POLICY, build, say

DAY = 86_400


@pytest.fixture
def place() -> Iterator[tuple[Path, Deployment]]:
    with fresh() as (folder, deployment):
        deployment.control.statements.register_corpus(write_corpus(folder, [ITEMS[:4], ITEMS[4:]]))
        deployment.control.statements.load_people(write_people(folder / "people", PEOPLE))
        deployment.control.statements.publish(shipped()[POLICY], POLICY)
        yield folder, deployment


def train(
    deployment: Deployment, release: str, model: str, ranges: list[list[int]] | None, *, amendment: int = 0
) -> str:
    """Train a model under a lease, on some rows of the release (a1, a2, b1, c1 | g1, x1, n1); None: say nothing."""
    control = deployment.control
    lease, secret = control.leases.grant(release, job=f"job-{model}", model=model)
    if ranges is not None:
        control.leases.consumed(lease.lease, secret=secret, from_step=0, to_step=5, amendment=amendment, ranges=ranges)
    control.leases.end(lease.lease, secret=secret, how=LeaseEnd.RELEASED, step=5)
    return lease.lease


def stage(deployment: Deployment, model: str) -> str:
    return str(deployment.control.models.show(model)["stage"])


def at(deployment: Deployment, later: int) -> None:
    """Move the clock."""
    clock = deployment.control.desk.parts.clock
    object.__setattr__(deployment.control.desk.parts, "clock", lambda: clock() + later)


def code_of(call: Any) -> str:
    with pytest.raises(ConsentryError) as caught:
        call()
    return caught.value.code


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
    assert control.models.show("with-bo")["withdrawn_since"] == {"items": 1, "people": 1, "releases": []}
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


def test_a_model_of_a_release_that_cannot_be_amended_any_more_is_affected(place: tuple[Path, Deployment]) -> None:
    folder, deployment = place
    control, release = deployment.control, build(deployment)
    train(deployment, release, "m", None)
    write_items(folder / "items" / "0.parquet", ITEMS[:3])
    control.statements.register_corpus(folder / "corpus.toml")
    assert stage(deployment, "m") == Stage.CLEAR
    say(deployment, "bo", reach=Reach.EVERYTHING)
    assert stage(deployment, "m") == Stage.AFFECTED
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
    write_items(folder / "items" / "0.parquet", ITEMS[:4])
    control.statements.register_corpus(folder / "corpus.toml")
    assert stage(deployment, "m") == Stage.AFFECTED, "now it is known what left"
    assert control.amendments.newest(release) == 1


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
    control.models.register("tuned", base="other")
    assert not control.models.may_serve("tuned")["may"]
    assert control.models.finish_remedy("tuned", by="ml").stage is Stage.REMEDIED
    assert control.models.may_serve("tuned")["may"]
    assert control.models.show("tuned")["ancestry"] == ["other"]


def test_a_base_that_is_destroyed_goes_on_holding_what_is_built_on_it(place: tuple[Path, Deployment]) -> None:
    folder, deployment = place
    control = deployment.control
    control.models.register("base")
    control.models.register("tuned", base="base")
    control.models.withdraw("base", "case 7", by="ml")
    (folder / "weights").mkdir()
    (folder / "weights" / "model.safetensors").write_bytes(b"weights")
    control.destruction.destroy(Destroyed.MODEL, "base", folder=folder / "weights", by="ops")
    assert (stage(deployment, "base"), stage(deployment, "tuned")) == (Stage.DESTROYED, Stage.AFFECTED)
    assert control.models.show("base")["deadline"] is None
    assert not control.models.may_serve("tuned")["may"]


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
    assert found["releases"] == [{"release": first, "known": True, "sealed_with": 1, "removed": 1, "withdrawn": False}]
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


def copies(folder: Path) -> Path:
    target = folder / "copies"
    (target / "deep" / "empty").mkdir(parents=True)
    (target / "one.bin").write_bytes(b"one")
    (target / "deep" / "two.bin").write_bytes(b"two")
    return target


def test_a_certificate_of_destruction(place: tuple[Path, Deployment]) -> None:
    folder, deployment = place
    control, release, target = deployment.control, build(deployment), copies(folder)

    def destroy(where: Path = target) -> dict[str, Any]:
        return control.destruction.destroy(Destroyed.RELEASE, release, folder=where, by="operations")

    assert code_of(destroy) == "release-not-withdrawn"
    control.releases.withdraw(release, "case 7", by="olga")
    assert code_of(lambda: destroy(folder / "nowhere")) == "destruction-folder"
    assert code_of(lambda: destroy(folder)) == "destruction-folder-in-use"
    assert code_of(lambda: destroy(folder / "home" / "releases")) == "destruction-folder-in-use"
    assert code_of(lambda: destroy(folder / "items")) == "destruction-folder-in-use"
    (target / "link").symlink_to(folder / "items")
    assert code_of(destroy) == "destruction-not-plain"
    (target / "link").unlink()
    done = destroy()
    assert (done["files"], done["bytes"], target.exists()) == (2, 6, False)
    (certificate,) = control.destruction.certificates(Destroyed.RELEASE, release)
    assert certificate["problem"] == ""
    statement = certificate["statement"]
    assert [file["path"] for file in statement["files"]] == ["deep/two.bin", "one.bin"]
    assert statement["destroyed"]["by"] == "operations"
    assert not [each for each in control.releases.verify(release) if each.problem]
    path = folder / "home" / "objects" / certificate["certificate"].removeprefix("sha256:")
    path.write_bytes(json.dumps({**json.loads(path.read_bytes()), "payload": "e30="}).encode())
    assert [each.check for each in control.releases.verify(release) if each.problem] == ["certificate 1"]


def test_a_destruction_that_was_interrupted_is_finished(
    place: tuple[Path, Deployment], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, deployment = place
    control, target = deployment.control, copies(folder)
    control.models.register("m")
    control.models.withdraw("m", "case 7", by="ml")
    unlink = Path.unlink
    done: list[Path] = []

    def once(path: Path, missing_ok: bool = False) -> None:
        if path.is_relative_to(target):
            if done:
                raise KeyboardInterrupt
            done.append(path)
        unlink(path, missing_ok=missing_ok)

    monkeypatch.setattr(Path, "unlink", once)
    with pytest.raises(KeyboardInterrupt):
        control.destruction.destroy(Destroyed.MODEL, "m", folder=target, by="operations")
    monkeypatch.undo()
    assert stage(deployment, "m") == Stage.WITHDRAWN
    elsewhere = copies(folder / "elsewhere")

    def again(where: Path = target) -> dict[str, Any]:
        return control.destruction.destroy(Destroyed.MODEL, "m", folder=where, by="operations")

    assert code_of(lambda: again(elsewhere)) == "destruction-other-folder"
    (target / "one.bin").write_bytes(b"new")
    assert code_of(again) == "destruction-file-changed"
    (target / "one.bin").write_bytes(b"one")
    (target / "three.bin").write_bytes(b"three")
    assert code_of(again) == "destruction-files-left"
    (target / "three.bin").unlink()
    assert again()["files"] == 2
    assert stage(deployment, "m") == Stage.DESTROYED
    assert not control.models.may_serve("m")["may"]
    assert again(elsewhere)["files"] == 2
    assert len(control.destruction.certificates(Destroyed.MODEL, "m")) == 2
    assert code_of(lambda: control.models.withdraw("m", "again", by="ml")) == "model-already-withdrawn"
    assert replace(control.models.standing("m"), losses=()).stage is Stage.DESTROYED
