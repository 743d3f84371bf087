"""Whatever is changed in a sealed release or its files, verifying finds it; an untouched copy passes."""

from __future__ import annotations

import base64
import json
import os
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from consentry.bootstrap import Deployment
from consentry.digests import canonical_json
from consentry.policy.library import shipped
from consentry.policy.vocabulary import Purpose
from consentry.release.deletion_vector import frame
from consentry.release.manifest import (
    ENVELOPE,
    EXCLUSIONS,
    MANIFEST,
    TALLIES,
    Manifest,
    envelope,
    open_envelope,
    pre_authentication,
)
from consentry.storage import Ed25519Signer
from end_to_end.network import RawItem, RawPerson, fresh, write_corpus, write_people

NOW = 1_730_000_000


@pytest.fixture
def sealed() -> Iterator[tuple[Deployment, Manifest, Path, Path]]:
    with fresh() as (folder, deployment):
        people = [RawPerson(id=f"p{number}", country=("US", "GB")[number % 2]) for number in range(20)]
        kinds = ("post", "pic")
        items = [RawItem(id=f"i{n}", author=f"p{n % 20}", category=kinds[n % 2], created=n) for n in range(200)]
        deployment.control.statements.register_corpus(write_corpus(folder, [items[:90], items[90:]]))
        deployment.control.statements.load_people(write_people(folder / "people", people))
        deployment.control.statements.publish(shipped()["september-2024"], "september-2024")
        manifest = deployment.control.releases.build(
            "network", Purpose.TRAIN_GENAI, policy="september-2024", at=NOW
        ).manifest
        yield deployment, manifest, folder / "home" / "releases" / manifest.release, folder / "items"


Release = tuple[Deployment, Manifest, Path, Path]


def problems(deployment: Deployment, manifest: Manifest, *, decide: bool = False) -> set[str]:
    return {each.code for each in deployment.control.releases.verify(manifest.release, decide=decide) if each.problem}


def flip(path: Path, at: int) -> None:
    content = bytearray(path.read_bytes())
    content[at] ^= 1
    path.write_bytes(content)


def test_an_untouched_release_passes_and_so_does_a_copy(sealed: Release) -> None:
    deployment, manifest, folder, items = sealed
    assert problems(deployment, manifest, decide=True) == set()
    for place in (folder, items):
        copy = place.with_name(place.name + "-copy")
        shutil.copytree(place, copy)
        shutil.rmtree(place)
        copy.rename(place)
    assert problems(deployment, manifest, decide=True) == set()


@pytest.mark.parametrize("name", [MANIFEST, ENVELOPE, EXCLUSIONS, TALLIES])
def test_every_flipped_byte_is_found(sealed: Release, name: str) -> None:
    deployment, manifest, folder, _ = sealed
    path = folder / name
    whole = path.read_bytes()
    for at in sorted({*range(0, len(whole), max(1, len(whole) // 40)), len(whole) - 1}):
        flip(path, at)
        assert problems(deployment, manifest), f"byte {at} of {name}"
        path.write_bytes(whole)
    assert problems(deployment, manifest) == set()


@pytest.mark.parametrize("name", [MANIFEST, ENVELOPE, EXCLUSIONS, TALLIES])
@pytest.mark.parametrize("change", ["missing", "empty", "shortened", "lengthened"])
def test_missing_and_torn_documents_are_found(sealed: Release, name: str, change: str) -> None:
    deployment, manifest, folder, _ = sealed
    path = folder / name
    whole = path.read_bytes()
    path.unlink()
    if change != "missing":
        path.write_bytes({"empty": b"", "shortened": whole[:-1], "lengthened": whole + b"\n"}[change])
    assert problems(deployment, manifest), change


def test_a_missing_folder_is_found(sealed: Release) -> None:
    deployment, manifest, folder, _ = sealed
    shutil.rmtree(folder)
    assert problems(deployment, manifest) == {"release-folder-missing"}


def test_swapped_bitmaps_are_found(sealed: Release) -> None:
    deployment, manifest, folder, _ = sealed
    first, second = (each.bitmap for each in manifest.files)
    whole = (folder / EXCLUSIONS).read_bytes()
    one, other = (whole[pin.offset : pin.offset + pin.length] for pin in (first, second))
    (folder / EXCLUSIONS).write_bytes(other + one)
    assert problems(deployment, manifest) == {"release-damaged"}


def test_a_bitmap_emptied_with_a_sound_frame_is_found(sealed: Release) -> None:
    deployment, manifest, folder, _ = sealed
    whole = (folder / EXCLUSIONS).read_bytes()
    pin = manifest.files[0].bitmap
    nothing = frame(bytes(8))
    (folder / EXCLUSIONS).write_bytes(nothing.ljust(pin.length, b"\0") + whole[pin.length :])
    assert problems(deployment, manifest) == {"release-damaged"}


def edited(manifest: Manifest, key: str, value: object) -> bytes:
    return canonical_json({**manifest.to_json(), key: value})


@pytest.mark.parametrize(
    ("key", "value"),
    [("purpose", "serve"), ("position", 1), ("tallies", "sha256:" + "0" * 64), ("decided_at", 5), ("corpus", "other")],
)
def test_an_edited_manifest_is_found_even_if_signed_again(sealed: Release, key: str, value: object) -> None:
    deployment, manifest, folder, _ = sealed
    payload = edited(manifest, key, value)
    signer = deployment.control.desk.parts.signer
    (folder / MANIFEST).write_bytes(payload)
    (folder / ENVELOPE).write_bytes(
        envelope(payload, key_id=signer.key_id, signature=signer.sign(pre_authentication(payload)))
    )
    assert problems(deployment, manifest) == {"release-damaged"}


def test_a_forged_signature_is_found(sealed: Release) -> None:
    deployment, manifest, folder, _ = sealed
    payload, key_id, _ = open_envelope((folder / ENVELOPE).read_bytes())
    stranger = Ed25519Signer(bytes(range(32)))
    forgeries: list[Callable[[], bytes]] = [
        lambda: envelope(payload, key_id=key_id, signature=stranger.sign(pre_authentication(payload))),
        lambda: envelope(payload, key_id=stranger.key_id, signature=stranger.sign(pre_authentication(payload))),
        lambda: envelope(payload, key_id=key_id, signature=b""),
        lambda: envelope(payload, key_id=key_id, signature=deployment.control.desk.parts.signer.sign(payload)),
    ]
    for forge in forgeries:
        (folder / ENVELOPE).write_bytes(forge())
        assert problems(deployment, manifest) == {"release-damaged"}


def test_a_signature_over_another_manifest_is_found(sealed: Release) -> None:
    deployment, manifest, folder, _ = sealed
    payload = edited(manifest, "decided_at", 7)
    signer = deployment.control.desk.parts.signer
    signature = signer.sign(pre_authentication(payload))
    (folder / ENVELOPE).write_bytes(envelope(payload, key_id=signer.key_id, signature=signature))
    assert problems(deployment, manifest) == {"release-damaged"}


def test_an_envelope_of_another_shape_is_found(sealed: Release) -> None:
    deployment, manifest, folder, _ = sealed
    body = json.loads((folder / ENVELOPE).read_bytes())
    shapes: list[object] = [
        {**body, "payloadType": "text/plain"},
        {**body, "signatures": []},
        {**body, "signatures": body["signatures"] * 2},
        {**body, "payload": base64.b64encode(b"{}").decode()},
        [],
        {"payload": 5},
    ]
    for broken in shapes:
        (folder / ENVELOPE).write_text(json.dumps(broken))
        assert problems(deployment, manifest) & {"release-damaged", "release-envelope-damaged"}


def test_edited_tallies_are_found(sealed: Release) -> None:
    deployment, manifest, folder, _ = sealed
    text = (folder / TALLIES).read_text()
    edited_text = re.sub(r"\b\d+\b", lambda found: str(int(found[0]) + 1), text, count=1)
    assert edited_text != text
    (folder / TALLIES).write_text(edited_text)
    assert problems(deployment, manifest) == {"release-damaged"}


def test_a_changed_content_file_is_found(sealed: Release) -> None:
    deployment, manifest, _, items = sealed
    path = items / "0.parquet"
    stat = path.stat()
    flip(path, 20)
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))  # same size, same time
    assert problems(deployment, manifest) == {"release-file-changed"}
    path.unlink()
    assert problems(deployment, manifest) == {"release-file-changed"}


def test_a_sidecar_that_was_edited_shows_when_everything_is_decided_again(sealed: Release) -> None:
    deployment, manifest, folder, _ = sealed
    assert problems(deployment, manifest, decide=True) == set()
    for array in (folder.parents[1] / "corpora").rglob("person.npy"):
        flip(array, array.stat().st_size - 4)
    assert problems(deployment, manifest) == {"corpus-sidecar-damaged"}
    assert problems(deployment, manifest, decide=True) & {"release-not-reproduced", "corpus-sidecar-damaged"}
    assert "corpus-sidecar-wrong" in problems(deployment, manifest, decide=True)


@pytest.mark.parametrize("array", ["person", "klass", "created", "item", "posting_person", "posting_row"])
def test_a_sidecar_that_was_edited_before_the_seal_is_found(sealed: Release, array: str) -> None:
    """What is decided from it agrees with itself, so only the content shows it."""
    deployment, _, folder, _ = sealed
    path = next((folder.parents[1] / "corpora").rglob(f"{array}.npy"))
    values = np.load(path).copy()
    values[0], values[1] = values[1], values[0] if values[0] != values[1] else values[0] + 1
    np.save(path, values)
    deployment.control.releases.drafts._drafts.clear()
    built = deployment.control.releases.build("network", Purpose.TRAIN_GENAI, policy="september-2024", at=NOW).manifest
    assert problems(deployment, built) == {"corpus-sidecar-damaged"}
    assert problems(deployment, built, decide=True) == {"corpus-sidecar-wrong"}
    assert deployment.control.desk.parts.people.seats == 21  # nobody was given a seat by looking
    assert not list((folder.parents[1]).glob(".recheck-*"))
