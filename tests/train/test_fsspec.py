"""Stores of fsspec behind the same fence: what is refused never has its note."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from consentry.errors import ConflictError, ConsentryError
from consentry.training.client import Lease, hold
from consentry.training.fsspec import FsspecFolder
from consentry.training.model_checkpoints import ModelCheckpoints
from training.small_server import CREDENTIAL, SmallPlane, serving
from training.test_client import over_within


@pytest.fixture
def plane(tmp_path: Path) -> SmallPlane:
    pq.write_table(pa.table({"text": ["a"]}), tmp_path / "0.parquet")
    return SmallPlane([tmp_path / "0.parquet"])


@pytest.fixture
def url(plane: SmallPlane) -> Iterator[str]:
    with serving(plane) as address:
        yield address


@pytest.fixture(params=["memory", "file"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return f"memory://{tmp_path.name}" if request.param == "memory" else f"file://{tmp_path}/models"


def held(url: str, folder: Path, job: str = "j") -> Any:
    return hold("r", job=job, model="m", url=url, credential=CREDENTIAL, state_folder=folder / "state", watchdog=False)


def save(place: FsspecFolder, lease: Lease, name: str) -> None:
    with ModelCheckpoints(place, lease).writing(name, step=1) as folder:
        (folder / "parts").mkdir()
        (folder / "parts" / "weights").write_bytes(b"weights")


def kept(address: str) -> set[str]:
    store, root = fsspec.core.url_to_fs(address)
    store.invalidate_cache()
    found = store.find(root) if store.exists(root) else []
    return {path.split("/")[-2] for path in found if path.endswith("/consentry.json")}


def reasons(address: str) -> list[str]:
    store, root = fsspec.core.url_to_fs(address)
    notes = [path for path in store.find(root) if path.endswith("quarantine.json")]
    return sorted(json.loads(store.cat_file(path))["reason"] for path in notes)


def test_a_living_lease_keeps_one_that_is_over_does_not(
    plane: SmallPlane, url: str, tmp_path: Path, address: str
) -> None:
    place = FsspecFolder(address)
    with held(url, tmp_path) as lease:
        save(place, lease, "one")
        with pytest.raises(ConflictError, match=r"checkpoint-exists"):
            save(place, lease, "one")
        plane.revoke()
        over_within(lease)
        with pytest.raises(ConsentryError, match=r"lease-revoked"):
            save(place, lease, "two")
    assert kept(address) == {"one"}
    assert reasons(address) == ["checkpoint-exists", "lease-revoked"]


def test_an_old_fence_is_refused(url: str, tmp_path: Path, address: str) -> None:
    with held(url, tmp_path) as old, held(url, tmp_path) as new:
        save(FsspecFolder(address), new, "new")
        with pytest.raises(ConflictError, match=r"checkpoint-fence-stale"):
            save(FsspecFolder(address), old, "old")
    assert kept(address) == {"new"}


def test_whoever_was_overtaken_while_it_wrote_takes_it_back(url: str, tmp_path: Path, address: str) -> None:
    class Overtaken(FsspecFolder):
        def put(self, folder: Path, target: str) -> None:
            super().put(folder, target)
            if "/" not in target:
                FsspecFolder(address).fence(new.fence)

    with (
        held(url, tmp_path) as old,
        held(url, tmp_path) as new,
        pytest.raises(ConflictError, match=r"checkpoint-fence-stale"),
    ):
        save(Overtaken(address), old, "old")
    assert kept(address) == set()
    assert reasons(address) == ["checkpoint-fence-stale"]
