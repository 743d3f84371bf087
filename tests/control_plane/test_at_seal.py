"""What was known of a release's files when it was sealed: all who ask are told the same, also where that is lost."""

from __future__ import annotations

import gc
import json
import shutil
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from weakref import ref

import pytest

from consentry.bootstrap import Deployment
from consentry.control_plane import at_seal
from consentry.corpus.registration import Corpus, forget_earlier
from consentry.errors import ConsentryError, IntegrityError
from consentry.ledger.oversight_events import Origin
from consentry.oversight.order import Scope
from consentry.policy.vocabulary import Reach
from consentry.release.manifest import Manifest
from end_to_end.network import Form, RawItem, descriptor, populated, register_other_bytes, write_items
from end_to_end.test_story import BEFORE, ITEMS, PEOPLE, POLICY, build, say

Change = Callable[[Path, Deployment], None]
Loss = Callable[[Deployment], None]
FIRST, SECOND = "items/0.parquet", "items/1.parquet"
NOTHING_THERE = Scope(created_from=BEFORE + 40 * 86_400)


@pytest.fixture
def place() -> Iterator[tuple[Path, Deployment]]:
    with populated([ITEMS[:4], ITEMS[4:]], PEOPLE, POLICY) as started:
        yield started


def another_file(folder: Path, deployment: Deployment) -> None:
    write_items(folder / "items" / "9.parquet", [RawItem(id="z1", author="bo")])
    deployment.control.statements.register_corpus(folder / "corpus.toml")


def other_bytes(folder: Path, deployment: Deployment) -> None:
    register_other_bytes(folder, deployment, ITEMS[:3])


def another_descriptor(folder: Path, deployment: Deployment) -> None:
    (folder / "corpus.toml").write_text(descriptor(Form(involves="none")))
    deployment.control.statements.register_corpus(folder / "corpus.toml")


def nothing(_: Deployment) -> None:
    """Lose nothing."""


def forget(deployment: Deployment) -> None:
    forget_earlier(deployment.control.desk.corpora, "network", wanted=())


def kept(deployment: Deployment) -> Path:
    (path,) = (deployment.control.desk.corpora / "network" / "earlier").glob("*.json")
    return path


def damage(deployment: Deployment) -> None:
    kept(deployment).write_text("{")


def lose_a_sidecar(deployment: Deployment) -> None:
    registered = {each.folder for each in deployment.control.desk.opened("network").sidecars}
    for name in json.loads(kept(deployment).read_bytes())["sidecars"]:
        if (each := deployment.control.desk.corpora / "network" / "sidecars" / name) not in registered:
            shutil.rmtree(each)


def asked(call: Callable[[], object]) -> str:
    """Return the code of the error that a call ends with; nothing if it ends well."""
    try:
        call()
    except ConsentryError as error:
        return error.code
    return ""


def remembered(deployment: Deployment, manifest: Manifest) -> Corpus:
    control = deployment.control
    return control.releases.archive.at_seal.remembered(manifest, control.desk.opened(manifest.corpus))


@pytest.mark.parametrize(
    ("change", "loss", "files", "code"),
    [
        (other_bytes, nothing, [FIRST, SECOND], ""),
        (another_descriptor, nothing, [FIRST, SECOND], ""),
        (another_file, forget, [FIRST, SECOND], ""),
        (another_file, damage, [FIRST, SECOND], ""),
        (other_bytes, forget, [SECOND], ""),
        (other_bytes, lose_a_sidecar, [SECOND], ""),
        (other_bytes, damage, [], "corpus-memory-damaged"),
        (another_descriptor, forget, [], "release-descriptor-changed"),
        (another_descriptor, lose_a_sidecar, [], "release-descriptor-changed"),
        (another_descriptor, damage, [], "corpus-memory-damaged"),
    ],
)
def test_everybody_who_asks_is_told_the_same(
    place: tuple[Path, Deployment], change: Change, loss: Loss, files: list[str], code: str
) -> None:
    folder, deployment = place
    control, release = deployment.control, build(deployment)
    archive, manifest = control.releases.archive, control.releases.open(release).manifest
    change(folder, deployment)
    loss(deployment)
    for ask in (partial(archive.at_seal.open, manifest), partial(remembered, deployment, manifest)):
        assert asked(ask) == code
        assert code or [each.pin.path for each in ask().sidecars] == files
    known = archive.known_files.of(manifest)
    assert [file.pin.path for file, each in zip(manifest.files, known, strict=True) if each] == files
    lost = code or ("" if files == [FIRST, SECOND] else "release-file-changed")
    assert [asked(partial(control.releases.explain, release, item)) for item in ("a1", "n1")] == [lost, code]
    # It is about nothing in the release: what nobody knows is hit all the same, and what is not registered any more.
    control.orders.suspend(NOTHING_THERE, case="c", origin=Origin.AUTHORITY_REQUEST, reference="x")
    hit = control.releases.handouts.hits.barring(release) is not None
    assert hit is (change is other_bytes or bool(code))
    say(deployment, "stranger", reach=Reach.EVERYTHING)
    assert asked(partial(control.amendments.newest, release)) == lost


def test_what_was_asked_for_is_remembered_and_not_taken_for_what_is_on_disk(place: tuple[Path, Deployment]) -> None:
    folder, deployment = place
    manifest = deployment.control.releases.open(build(deployment)).manifest
    another_descriptor(folder, deployment)
    found = remembered(deployment, manifest)
    forget(deployment)
    assert remembered(deployment, manifest) is found
    with pytest.raises(IntegrityError, match="release-descriptor-changed"):
        deployment.control.releases.archive.at_seal.open(manifest)


def test_of_as_many_files_only_the_newest_are_remembered(
    place: tuple[Path, Deployment], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, deployment = place
    manifests = []
    for change in (other_bytes, another_file, another_descriptor):
        manifests.append(deployment.control.releases.open(build(deployment)).manifest)
        change(folder, deployment)
    monkeypatch.setattr(at_seal, "MOST_FILES", 5)  # as many as the newest two have
    first, *rest = (remembered(deployment, each) for each in manifests)
    assert all(remembered(deployment, each) is one for each, one in zip(manifests[1:], rest, strict=True))
    assert remembered(deployment, manifests[0]) is not first


def test_what_was_opened_before_the_corpus_was_registered_anew_is_let_go(place: tuple[Path, Deployment]) -> None:
    """Each file that is open takes nine of those that a process may have."""
    folder, deployment = place
    manifest = deployment.control.releases.open(build(deployment)).manifest
    other_bytes(folder, deployment)
    before = ref(remembered(deployment, manifest).sidecars[0].person)
    another_file(folder, deployment)
    assert [each.pin.path for each in remembered(deployment, manifest).sidecars] == [FIRST, SECOND]
    gc.collect()
    assert before() is None
