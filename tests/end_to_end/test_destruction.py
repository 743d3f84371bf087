"""What is withdrawn is destroyed with a certificate, and whatever was built on it stays held."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from consentry.bootstrap import Deployment
from consentry.digests import digest
from consentry.ledger.lineage_events import Destroyed
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
