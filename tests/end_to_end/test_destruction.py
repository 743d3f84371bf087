"""What is withdrawn is destroyed with a certificate, and whatever was built on it stays held."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from consentry.bootstrap import Deployment
from consentry.digests import digest
from consentry.ledger.lineage_events import Destroyed, DestructionBegun, DestructionCertified
from consentry.oversight.destruction import Listed, Plan
from consentry.oversight.model_standing import Stage
from end_to_end.model_steps import code_of, stage
from end_to_end.test_story import build
from end_to_end.test_story import place as place  # noqa: PLC0414 - a fixture


def test_a_base_that_is_destroyed_goes_on_holding_what_is_built_on_it(place: tuple[Path, Deployment]) -> None:
    folder, deployment = place
    control = deployment.control
    control.models.register("base", digest=digest(b"weights"))
    control.models.register("tuned", base="base")
    control.models.withdraw("base", "case 7", by="ml")
    (folder / "weights").mkdir()
    (folder / "weights" / "model.safetensors").write_bytes(b"weights")
    control.destruction.destroy(Destroyed.MODEL, "base", folder=folder / "weights", by="ops")
    assert (stage(deployment, "base"), stage(deployment, "tuned")) == (Stage.DESTROYED, Stage.AFFECTED)
    assert control.models.show("base")["deadline"] is None
    assert not control.models.may_serve("tuned")["may"]


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
    (folder / "empty" / "deep").mkdir(parents=True)
    assert code_of(lambda: destroy(folder / "empty")) == "destruction-nothing"
    assert (folder / "empty" / "deep").is_dir()
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
    assert control.destruction.certificates(Destroyed.RELEASE, release)[0]["code"] == "object-damaged"


def test_a_destruction_that_was_interrupted_is_finished(
    place: tuple[Path, Deployment], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, deployment = place
    control, target = deployment.control, copies(folder)
    control.models.register("m", digest=digest(b"one"))
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


def begun_by(deployment: Deployment, plan: bytes) -> str:
    """Begin the destruction of a withdrawn model with these bytes for a plan."""
    control = deployment.control
    control.models.register("m", digest=digest(b"one"))
    control.models.withdraw("m", "case 7", by="ml")
    document = control.desk.parts.objects.put(plan)
    control.models.say(DestructionBegun(what=Destroyed.MODEL, name="m", plan=document, files=2, by="operations"))
    return document


def plan_of(target: Path) -> Plan:
    files = [
        Listed(path=path, size=(target / path).stat().st_size, digest=digest((target / path).read_bytes()))
        for path in ("deep/two.bin", "one.bin")
    ]
    return Plan(what=Destroyed.MODEL, name="m", folder=str(target), files=tuple(files))


NO_PLANS = [
    pytest.param(lambda plan: plan[:0], id="empty"),
    pytest.param(lambda plan: b"[%b]" % plan, id="a list"),
    pytest.param(lambda plan: b"\xff" + plan, id="no text"),
    pytest.param(lambda plan: plan + b" ", id="not canonical"),
    pytest.param(lambda plan: plan.replace(b"destruction-plan", b"another-plan"), id="another format"),
    pytest.param(lambda plan: plan.replace(b'"size"', b'"length"'), id="another field"),
]


@pytest.mark.parametrize("spoil", NO_PLANS)
def test_nothing_is_deleted_by_what_is_no_plan(place: tuple[Path, Deployment], spoil: Callable[[bytes], bytes]) -> None:
    folder, deployment = place
    target = copies(folder)
    plan = plan_of(target).to_bytes()
    assert spoil(plan) != plan
    begun_by(deployment, spoil(plan))
    destroy = partial(deployment.control.destruction.destroy, Destroyed.MODEL, "m", folder=target, by="operations")
    assert code_of(destroy) == "destruction-damaged"
    assert plan_of(target).to_bytes() == plan, "all files are there"
    assert stage(deployment, "m") == Stage.WITHDRAWN


def test_nothing_is_deleted_by_a_plan_that_was_spoilt(place: tuple[Path, Deployment]) -> None:
    folder, deployment = place
    target = copies(folder)
    plan = plan_of(target).to_bytes()
    document = begun_by(deployment, plan)
    path = folder / "home" / "objects" / document.removeprefix("sha256:")
    path.write_bytes(plan.replace(b"one.bin", b"two.bin"))
    destroy = partial(deployment.control.destruction.destroy, Destroyed.MODEL, "m", folder=target, by="operations")
    assert code_of(destroy) == "object-damaged"
    assert plan_of(target).to_bytes() == plan, "all files are there"
    path.write_bytes(plan)
    assert destroy()["files"] == 2
    assert not target.exists()


def test_a_certificate_about_something_else_is_none(place: tuple[Path, Deployment]) -> None:
    """Signed by this deployment, and of another model."""
    folder, deployment = place
    control = deployment.control
    for name in ("m", "other"):
        control.models.register(name, digest=digest(b"one"))
        control.models.withdraw(name, "case 7", by="ml")
    certificate = control.destruction.destroy(Destroyed.MODEL, "m", folder=copies(folder), by="ops")["certificate"]
    plan = control.desk.parts.objects.put(replace(plan_of(copies(folder)), name="other").to_bytes())
    begun: dict[str, Any] = {"what": Destroyed.MODEL, "name": "other", "plan": plan, "by": "ops"}
    control.models.say(DestructionBegun(**begun, files=2))
    control.models.say(DestructionCertified(**begun, certificate=certificate, deleted=(), recorded=True))
    assert [each["code"] for each in control.destruction.certificates(Destroyed.MODEL, "other")] == [
        "destruction-damaged"
    ]
