"""Only a lease that lives, and the latest one, leaves a model checkpoint. Everything else is found in quarantine."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import pytest

from consentry.errors import ConflictError, ConsentryError, InputError, IntegrityError
from consentry.training.client import Lease, hold
from consentry.training.model_checkpoints import LocalFolder, ModelCheckpoints, digest_folder
from training import jobs
from training.small_server import CREDENTIAL, SmallPlane
from training.test_client import over_within, within

Holding = Callable[..., AbstractContextManager[Lease]]


@pytest.fixture
def holding(url: str, tmp_path: Path) -> Holding:
    def holding(**other: Any) -> AbstractContextManager[Lease]:
        fixed: dict[str, Any] = {"job": "j", "model": "m", "ttl_s": 60, "credential": CREDENTIAL, "watchdog": False}
        return hold("r", **{**fixed, "url": url, "state_folder": tmp_path / "state", **other})

    return holding


def save(folder: Path, lease: Lease, name: str = "step-3", *, step: int = 3, place: Any = None) -> None:
    with ModelCheckpoints(place or LocalFolder(folder), lease).writing(name, step=step) as target:
        (target / "parts").mkdir()
        (target / "parts" / "weights").write_bytes(b"weights")


def seen(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.name not in (".consentry", "quarantine"))


def quarantined(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(path.read_bytes()) for path in sorted(folder.glob("quarantine/*/quarantine.json"))]


def test_what_a_living_lease_writes_is_kept_as_a_whole(plane: SmallPlane, holding: Holding, tmp_path: Path) -> None:
    models = tmp_path / "models"
    with holding() as lease:
        save(models, lease)
    assert seen(models) == ["step-3"]
    assert (models / "step-3" / "parts" / "weights").read_bytes() == b"weights"
    note = json.loads((models / "step-3" / "consentry.json").read_bytes())
    (models / "step-3" / "consentry.json").unlink()
    digest = digest_folder(models / "step-3")
    assert note == {"lease": "lease-11", "fence": 11, "step": 3, "digest": digest, "position": 12}
    assert plane.checkpoints == [{"step": 3, "name": "step-3", "digest": digest}]
    assert list((models / ".consentry" / "staged").iterdir()) == []


def test_after_an_order_it_goes_to_quarantine_and_the_control_plane_notes_it(
    plane: SmallPlane, holding: Holding, tmp_path: Path
) -> None:
    models = tmp_path / "models"
    with holding() as lease:
        save(models, lease, "before", step=1)
        plane.revoke()
        over_within(lease)
        with pytest.raises(ConsentryError, match=r"lease-revoked"):
            save(models, lease)
    assert seen(models) == ["before"]
    (note,) = quarantined(models)
    assert note == {"lease": "lease-11", "fence": 11, "step": 3, "digest": note["digest"], "reason": "lease-revoked"}
    assert [each["name"] for each in plane.quarantined] == ["step-3"]
    assert (models / "quarantine" / "step-3-11-3" / "parts" / "weights").read_bytes() == b"weights"


def test_the_control_plane_refuses_before_the_job_has_heard(
    plane: SmallPlane, holding: Holding, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Lease, "_watch", lambda _: None)
    with holding() as lease:
        plane.revoke()
        lease.check()
        with pytest.raises(ConsentryError, match=r"lease-revoked"):
            save(tmp_path / "models", lease)
    assert seen(tmp_path / "models") == []
    assert [note["reason"] for note in quarantined(tmp_path / "models")] == ["lease-revoked"]


def test_without_an_answer_nothing_is_kept(plane: SmallPlane, holding: Holding, tmp_path: Path) -> None:
    with holding(ttl_s=1) as lease:
        plane.silent.set()
        with pytest.raises(ConsentryError, match=r"lease-expired"):
            save(tmp_path / "models", lease)
        plane.silent.clear()
    assert seen(tmp_path / "models") == []
    assert [note["reason"] for note in quarantined(tmp_path / "models")] == ["lease-expired"]


def test_an_old_fence_is_refused(holding: Holding, tmp_path: Path) -> None:
    models = tmp_path / "models"
    with holding() as old, holding() as new:
        save(models, old, "old-1", step=1)
        save(models, new, "new-1", step=1)
        with pytest.raises(ConflictError, match=r"checkpoint-fence-stale"):
            save(models, old, "old-2", step=2)
        save(models, new, "new-2", step=2)
    assert seen(models) == ["new-1", "new-2", "old-1"]
    assert [(note["fence"], note["reason"]) for note in quarantined(models)] == [(11, "checkpoint-fence-stale")]


def test_a_name_is_taken_once(holding: Holding, tmp_path: Path) -> None:
    models = tmp_path / "models"
    with holding() as lease:
        save(models, lease)
        for _ in range(2):
            with pytest.raises(ConflictError, match=r"checkpoint-exists"):
                save(models, lease)
    assert seen(models) == ["step-3"]
    assert len(quarantined(models)) == 2


@pytest.mark.parametrize("name", ["", "../x", "a/b", ".hidden", "quarantine", "x" * 101, "a\n"])
def test_a_name_is_one(holding: Holding, tmp_path: Path, name: str) -> None:
    with holding() as lease, pytest.raises(InputError, match=r"checkpoint-name"):
        save(tmp_path / "models", lease, name)


def test_a_failed_writing_leaves_nothing(holding: Holding, tmp_path: Path) -> None:
    def fail(lease: Lease) -> None:
        with ModelCheckpoints(LocalFolder(tmp_path / "models"), lease).writing("x", step=1):
            raise RuntimeError("of the model")

    with holding() as lease, pytest.raises(RuntimeError, match="of the model"):
        fail(lease)
    assert seen(tmp_path / "models") == []
    assert list((tmp_path / "models" / ".consentry" / "staged").iterdir()) == []


@pytest.mark.parametrize("content", [b"", b"[7]", b"{}", b'{"fence": "x"}', b'{"fence": 1e999}', b"\xff"])
def test_a_damaged_fence_loses_nothing(holding: Holding, tmp_path: Path, content: bytes) -> None:
    models = tmp_path / "models"
    with holding() as lease:
        save(models, lease, "before", step=1)
        (models / ".consentry" / "fence.json").write_bytes(content)
        with pytest.raises(IntegrityError, match=r"checkpoint-fence-damaged"):
            save(models, lease)
        assert seen(models) == ["before"]
        assert [note["reason"] for note in quarantined(models)] == ["checkpoint-fence-damaged"]
        assert (models / "quarantine" / "step-3-11-3" / "parts" / "weights").read_bytes() == b"weights"
        (models / ".consentry" / "fence.json").unlink()  # as the help says
        save(models, lease, "after", step=4)
    assert seen(models) == ["after", "before"]


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
def test_what_was_written_is_set_aside_whatever_happens(
    holding: Holding, tmp_path: Path, error: type[BaseException], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: Lease, step: int | None = None) -> None:
        raise error(step)

    with holding() as lease, monkeypatch.context() as patched:
        patched.setattr(Lease, "check", fail)
        with pytest.raises(error):
            save(tmp_path / "models", lease)
    assert seen(tmp_path / "models") == []
    assert [note["reason"] for note in quarantined(tmp_path / "models")] == [error.__name__]


@pytest.mark.parametrize("what", ["folder", "file", "nowhere", "pipe"])
def test_a_model_checkpoint_with_a_link_is_not_confirmed(
    plane: SmallPlane, holding: Holding, tmp_path: Path, what: str
) -> None:
    """Its digest would not hold what the link leads to, which anybody may change afterwards."""
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_bytes(b"weights")

    def save_with(lease: Lease) -> None:
        with ModelCheckpoints(LocalFolder(tmp_path / "models"), lease).writing("x", step=1) as target:
            (target / "config").write_bytes(b"{}")
            if what == "pipe":
                os.mkfifo(target / "weights")
            else:
                (target / "weights").symlink_to(tmp_path / what)

    with holding() as lease, pytest.raises(InputError, match=r"checkpoint-not-plain"):
        save_with(lease)
    assert plane.checkpoints == []
    assert seen(tmp_path / "models") == []
    assert [(note["reason"], note["digest"]) for note in quarantined(tmp_path / "models")] == [
        ("checkpoint-not-plain", None)
    ]


class Frozen(LocalFolder):
    """Stands still at the worst moment: all was asked, and nothing has its name yet."""

    def put(self, folder: Path, target: str, *, fence: int | None) -> None:
        if fence is not None:
            time.sleep(1.2)
        super().put(folder, target, fence=fence)


class Unfenced(Frozen):
    """The control: no fence, and no lock."""

    def only_one(self) -> AbstractContextManager[None]:
        return nullcontext()

    def fence(self, own: int) -> int:
        return own


@pytest.mark.parametrize(("place", "kept"), [(Frozen, []), (Unfenced, ["step-3"])], ids=["fence", "control"])
def test_a_job_that_wakes_up_too_late_takes_back_what_it_wrote(
    holding: Holding, tmp_path: Path, place: type[Frozen], kept: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The job does not even look at its lease: the fence alone must do."""
    models = tmp_path / "models"
    with holding(ttl_s=1) as old, holding() as new:
        monkeypatch.setattr(old, "check", lambda _=None: None)
        frozen = place(models)
        if place is Frozen:
            LocalFolder(models).fence(new.fence)
            with pytest.raises(ConflictError, match=r"checkpoint-fence-stale"):
                save(models, old, place=frozen)
        else:
            save(models, old, place=frozen)
    assert seen(models) == kept


def test_the_lease_is_looked_at_once_more_after_the_name(plane: SmallPlane, holding: Holding, tmp_path: Path) -> None:
    models = tmp_path / "models"
    with holding(ttl_s=1) as lease:
        lease._done.set()  # nothing renews
        with pytest.raises(ConsentryError, match=r"lease-expired"):
            save(models, lease, place=Frozen(models))
    assert seen(models) == []
    assert [note["reason"] for note in quarantined(models)] == ["lease-expired"]
    assert plane.checkpoints == plane.quarantined  # it was confirmed, and then told to be in quarantine
    assert len(plane.quarantined) == 1


SAVES = (
    jobs.HEAD
    + """
from consentry.training.model_checkpoints import LocalFolder, ModelCheckpoints
checkpoints = ModelCheckpoints(LocalFolder(folder / "models"), lease)
while True:
    number += 1
    try:
        with checkpoints.writing(f"step-{number}", step=number) as target:
            (target / "weights").write_bytes(bytes(1 << 16))
            (folder / "beat").write_text(str(number))
    except ConsentryError as error:
        (folder / "refused").write_text(error.code)
"""
)
SAVES_PLAINLY = SAVES.replace(
    'with checkpoints.writing(f"step-{number}", step=number) as target:',
    'target = folder / "models" / f"step-{number}"; target.mkdir(parents=True)\n        if True:',
)


@pytest.mark.parametrize(("program", "writes"), [(SAVES, False), (SAVES_PLAINLY, True)], ids=["fence", "control"])
def test_a_job_frozen_past_its_deadline_writes_no_model_checkpoint(
    url: str, tmp_path: Path, program: str, writes: bool
) -> None:
    """Without a watchdog, so that the job wakes up at all."""
    folder = tmp_path / "job"
    models = folder / "models"
    job = jobs.start(program, url=url, folder=folder, watchdog=False)
    assert within(lambda: models.is_dir() and len(seen(models)) > 2)
    jobs.freeze(job)
    before = seen(models)
    time.sleep(1.3)
    began = time.time()
    os.kill(job.pid, signal.SIGCONT)
    if writes:
        assert within(lambda: len(seen(models)) > len(before) + 2)
    else:
        assert within(lambda: (folder / "refused").exists() and (folder / "refused").read_text() == "lease-expired")
        assert set(seen(models)) <= set(before)  # one that had just got its name is taken back as well
        assert len(quarantined(models)) > 0
        assert all(path.stat().st_mtime < began for path in models.glob("step-*"))
    job.kill()
    job.communicate()


def test_a_job_killed_while_it_writes_leaves_whole_model_checkpoints_only(url: str, tmp_path: Path) -> None:
    models = tmp_path / "job" / "models"
    for attempt in range(5):
        job = jobs.start(SAVES.replace("step-{number}", f"step-{attempt}-{{number}}"), url=url, folder=tmp_path / "job")
        assert within(lambda: models.is_dir() and len(seen(models)) > attempt * 2)  # noqa: B023  # called at once
        job.kill()
        job.communicate()
    for name in seen(models):
        note = json.loads((models / name / "consentry.json").read_bytes())
        (models / name / "consentry.json").unlink()
        assert digest_folder(models / name) == note["digest"]
