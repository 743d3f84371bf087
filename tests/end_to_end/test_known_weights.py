"""A model is destroyed once all weights that are known of it are: by a certificate, or by the word of two people."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from consentry.bootstrap import Deployment, open_deployment
from consentry.cli.main import cli
from consentry.digests import digest
from consentry.ledger.lineage_events import Destroyed
from consentry.ledger.oversight_events import ModelCheckpointWritten
from consentry.oversight.model_standing import Stage
from consentry.training.model_checkpoints import digest_folder
from end_to_end.model_steps import code_of, stage, train
from end_to_end.test_story import build
from end_to_end.test_story import place as place  # noqa: PLC0414 - a fixture

REASON = "the training program rotated it away"


def put(folder: Path, name: str, content: bytes) -> Path:
    """Write a folder with one file in it."""
    folder.mkdir(parents=True)
    (folder / name).write_bytes(content)
    return folder


def destroy(deployment: Deployment, folder: Path) -> dict[str, Any]:
    return deployment.control.destruction.destroy(Destroyed.MODEL, "secret", folder=folder, by="ops")


def known(deployment: Deployment) -> dict[str, str]:
    """Return what the newest certificate says of the weights that are known."""
    certificate = deployment.control.destruction.certificates(Destroyed.MODEL, "secret")[-1]
    assert certificate["problem"] == ""
    return {each["as"]: each["deleted"] for each in certificate["statement"]["known"]}


@pytest.fixture
def withdrawn(place: tuple[Path, Deployment]) -> tuple[Path, Deployment]:
    """A model of which a registered file and a model checkpoint are known; it is withdrawn."""
    folder, deployment = place
    models = deployment.control.models
    lease = train(deployment, build(deployment), "secret", [[0, 0, 3]])
    kept = put(folder / "store" / "step-5", "adapter.bin", b"checkpoint")
    body = ModelCheckpointWritten(lease=lease, name="step-5", step=5, digest=digest_folder(kept), quarantined=False)
    models.say(body)
    # The store notes whose it is after it was digested.
    (kept / "consentry.json").write_bytes(b"{}")
    put(folder / "weights", "model.safetensors", b"weights")
    models.register("secret", digest=digest(b"weights"))
    models.withdraw("secret", "case 7", by="ml")
    return folder, deployment


def test_deleting_another_folder_destroys_no_model(withdrawn: tuple[Path, Deployment]) -> None:
    folder, deployment = withdrawn
    done = destroy(deployment, put(folder / "unrelated", "notes.txt", b"nothing of it"))
    assert [each["as"] for each in done["left"]] == ["registered", "model checkpoint step-5"]
    assert known(deployment) == {"registered": "not", "model checkpoint step-5": "not"}
    assert stage(deployment, "secret") == Stage.WITHDRAWN
    assert deployment.control.models.show("secret")["deadline"] is not None
    assert deployment.control.models.show("secret")["left"] == done["left"]


def test_it_is_destroyed_once_all_that_is_known_is_deleted(withdrawn: tuple[Path, Deployment]) -> None:
    folder, deployment = withdrawn
    assert [each["as"] for each in destroy(deployment, folder / "weights")["left"]] == ["model checkpoint step-5"]
    assert known(deployment) == {"registered": "here", "model checkpoint step-5": "not"}
    assert stage(deployment, "secret") == Stage.WITHDRAWN
    # The folder that holds it is named; beside it lies something else.
    put(folder / "store" / "other", "x", b"x")
    assert destroy(deployment, folder / "store")["left"] == []
    assert known(deployment) == {"registered": "before", "model checkpoint step-5": "here"}
    assert stage(deployment, "secret") == Stage.DESTROYED
    deployment.close()
    again = open_deployment(folder / "home")
    assert stage(again, "secret") == Stage.DESTROYED
    again.close()


def test_two_people_say_that_the_rest_is_gone(withdrawn: tuple[Path, Deployment]) -> None:
    folder, deployment = withdrawn
    destruction = deployment.control.destruction
    destroy(deployment, folder / "weights")
    for by, reason, code in (("Ann Smith", REASON, "case-handle"), ("ml", " ", "model-reason-missing")):
        assert code_of(lambda by=by, why=reason: destruction.say_gone("secret", reason=why, by=by)) == code
    (left,) = destruction.say_gone("secret", reason=REASON, by="ml")["left"]
    assert (left["as"], left["said_gone_by"]) == ("model checkpoint step-5", ["ml"])
    assert code_of(lambda: destruction.say_gone("secret", reason=REASON, by="ml")) == "model-approved-before"
    assert stage(deployment, "secret") == Stage.WITHDRAWN
    assert destruction.say_gone("secret", reason=REASON, by="privacy")["left"] == []
    assert stage(deployment, "secret") == Stage.DESTROYED
    assert code_of(lambda: destruction.say_gone("secret", reason=REASON, by="legal")) == "model-nothing-left"


def test_where_nothing_was_known_a_folder_shows_nothing_and_two_people_answer_for_it(
    place: tuple[Path, Deployment],
) -> None:
    folder, deployment = place
    control = deployment.control
    control.models.register("secret", releases=[build(deployment)])
    control.models.withdraw("secret", "case 7", by="ml")
    done = destroy(deployment, put(folder / "unrelated", "notes.txt", b"nothing of it"))
    assert (done["left"], done["unrecorded"]) == ([], {"said_gone_by": []})
    certificate = control.destruction.certificates(Destroyed.MODEL, "secret")[-1]
    assert (certificate["statement"]["recorded"], certificate["statement"]["known"]) == (False, [])
    assert stage(deployment, "secret") == Stage.WITHDRAWN
    assert control.models.show("secret")["deadline"] is not None
    # Whoever finds a digest for it afterwards says no more than that.
    control.models.register("secret", digest=digest(b"more of it"))
    again = destroy(deployment, put(folder / "made up", "more.txt", b"more of it"))
    assert (again["left"], again["unrecorded"]) == ([], {"said_gone_by": []})
    assert stage(deployment, "secret") == Stage.WITHDRAWN
    say = control.destruction.say_gone
    assert say("secret", reason=REASON, by="ml")["unrecorded"] == {"said_gone_by": ["ml"]}
    assert code_of(lambda: say("secret", reason=REASON, by="ml")) == "model-approved-before"
    assert stage(deployment, "secret") == Stage.WITHDRAWN
    assert say("secret", reason=REASON, by="privacy")["unrecorded"] is None
    assert stage(deployment, "secret") == Stage.DESTROYED
    assert code_of(lambda: say("secret", reason=REASON, by="legal")) == "model-nothing-left"
    deployment.close()
    reopened = open_deployment(folder / "home")
    assert stage(reopened, "secret") == Stage.DESTROYED
    reopened.close()


def test_a_certificate_says_that_weights_were_known(withdrawn: tuple[Path, Deployment]) -> None:
    folder, deployment = withdrawn
    destroy(deployment, folder / "weights")
    (certificate,) = deployment.control.destruction.certificates(Destroyed.MODEL, "secret")
    assert certificate["statement"]["recorded"] is True
    assert deployment.control.models.show("secret")["unrecorded"] is None


def test_nobody_says_of_a_model_that_is_in_use_that_it_is_gone(place: tuple[Path, Deployment]) -> None:
    _, deployment = place
    deployment.control.models.register("secret", digest=digest(b"weights"))
    say = deployment.control.destruction.say_gone
    assert code_of(lambda: say("secret", reason=REASON, by="ml")) == "model-not-withdrawn"


def test_a_folder_that_was_registered_as_a_whole_is_known_again(place: tuple[Path, Deployment]) -> None:
    folder, deployment = place
    weights = put(folder / "weights" / "deep", "a.bin", b"a").parent
    (weights / "b.bin").write_bytes(b"b")
    deployment.control.models.register("secret", digest=digest_folder(weights))
    deployment.control.models.withdraw("secret", "case 7", by="ml")
    assert destroy(deployment, weights)["left"] == []
    assert stage(deployment, "secret") == Stage.DESTROYED


def saying(home: Path) -> Callable[..., str]:
    def said(*words: str) -> str:
        found = CliRunner().invoke(cli, ["--home", str(home), *words], catch_exceptions=False)
        assert found.exit_code == 0
        return " ".join(found.output.split())

    return said


def test_the_command_line_says_that_nothing_was_known_and_two_people_end_it(place: tuple[Path, Deployment]) -> None:
    folder, deployment = place
    deployment.control.models.register("secret")
    deployment.control.models.withdraw("secret", "case 7", by="ml")
    deployment.close()
    said = saying(folder / "home")
    target = str(put(folder / "weights", "model.bin", b"weights"))
    told = said("model", "destroy", "secret", "--folder", target, "--by", "ops", "--yes")
    assert "No weights of it were known when it was withdrawn" in told
    assert "nobody did yet. It is not destroyed yet." in told
    assert "nobody yet, and two have to" in said("model", "show", "secret")
    assert "no weights of the model were known when it was withdrawn" in said("model", "certificate", "secret")
    assert "ml did. It is not destroyed yet." in said("model", "gone", "secret", "--reason", REASON, "--by", "ml")
    assert "not destroyed" not in said("model", "gone", "secret", "--reason", REASON, "--by", "privacy")
    assert "destroyed" in said("model", "list")


def test_the_command_line_names_each_digest_that_is_left_in_a_line(withdrawn: tuple[Path, Deployment]) -> None:
    folder, deployment = withdrawn
    destroy(deployment, put(folder / "unrelated", "notes.txt", b"nothing of it"))
    deployment.close()
    shown = saying(folder / "home")("model", "show", "secret")
    assert shown.count("not known to be gone") == 2
    assert "\\n" not in shown


def test_the_command_line_says_what_is_left_and_two_people_end_it(withdrawn: tuple[Path, Deployment]) -> None:
    folder, deployment = withdrawn
    deployment.close()
    said = saying(folder / "home")
    told = said("model", "destroy", "secret", "--folder", str(folder / "weights"), "--by", "ops", "--yes")
    assert "Not known to be gone: 1 digest of its weights. It is not destroyed yet." in told
    assert "model checkpoint step-5" in said("model", "show", "secret")
    assert "It is not destroyed yet" in said("model", "gone", "secret", "--reason", REASON, "--by", "ml")
    assert "It is not destroyed yet" not in said("model", "gone", "secret", "--reason", REASON, "--by", "privacy")
    assert "destroyed" in said("model", "list")
