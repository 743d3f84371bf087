"""A store that writes over what is there, behind a real server: the control plane keeps the order."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fsspec
import pytest
from fsspec.implementations.memory import MemoryFileSystem

from consentry.errors import ConsentryError, InputError
from consentry.ledger.oversight_events import Origin
from consentry.oversight.order import Scope
from consentry.training.fsspec import FsspecFolder
from train.released import Served
from train.test_fsspec import kept, reasons, save
from train.test_on_a_real_server import held
from training.test_client import over_within


class Overwrites(MemoryFileSystem):  # type: ignore[misc]
    """A client that looks whether an object is there, and then writes it."""

    protocol = ("overwrites",)
    store: dict[str, Any] = {}  # noqa: RUF012 - as its parent has it
    pseudo_dirs = [""]  # noqa: RUF012
    pipe_file = fsspec.AbstractFileSystem.pipe_file


@pytest.fixture
def address(tmp_path: Path) -> str:
    fsspec.register_implementation("overwrites", Overwrites, clobber=True)
    return f"overwrites:///{tmp_path.name}"


def code(caught: pytest.ExceptionInfo[ConsentryError]) -> str:
    return caught.value.code


def test_without_a_name_it_is_refused_and_says_what_to_do(real: Served, tmp_path: Path, address: str) -> None:
    with held(real, tmp_path, "job") as lease, pytest.raises(ConsentryError) as caught:
        save(FsspecFolder(address), lease, "one")
    assert code(caught) == "checkpoint-store-overwrites"
    assert "known_as=" in caught.value.help
    with pytest.raises(InputError) as named:
        FsspecFolder(address, known_as="a/b")
    assert code(named) == "checkpoint-place"


def test_an_older_lease_keeps_nothing_more_once_a_later_one_did(real: Served, tmp_path: Path, address: str) -> None:
    with held(real, tmp_path, "old") as old, held(real, tmp_path, "new") as new:
        save(FsspecFolder(address, known_as="models"), old, "one")
        save(FsspecFolder(address, known_as="models"), new, "two")
        for name, refused in (("three", "checkpoint-fence-stale"), ("two", "checkpoint-fence-stale")):
            with pytest.raises(ConsentryError) as caught:
                save(FsspecFolder(address, known_as="models"), old, name)
            assert code(caught) == refused
        with pytest.raises(ConsentryError) as caught:
            save(FsspecFolder(address, known_as="models"), new, "one")
        assert code(caught) == "checkpoint-exists"
        with pytest.raises(ConsentryError) as caught:
            save(FsspecFolder(address, known_as="models"), new, "two")
        assert code(caught) == "checkpoint-exists"
    assert kept(address) == {"one", "two"}
    assert reasons(address) == ["checkpoint-exists"] * 2 + ["checkpoint-fence-stale"] * 2
    store, root = fsspec.core.url_to_fs(address)
    note = json.loads(store.cat_file(f"{root}/two/consentry.json"))
    assert note["fence"] == new.fence
    assert store.cat_file(f"{root}/two/parts/weights") == b"weights"


def test_after_a_suspension_it_goes_to_quarantine(real: Served, tmp_path: Path, address: str) -> None:
    with held(real, tmp_path, "job") as lease:
        save(FsspecFolder(address, known_as="models"), lease, "before")
        scope = Scope(areas=frozenset())
        real.control.orders.suspend(scope, case="c-1", origin=Origin.OWN_DECISION, reference="note")
        over_within(lease)
        with pytest.raises(ConsentryError) as caught:
            save(FsspecFolder(address, known_as="models"), lease, "after")
    assert code(caught) == "lease-revoked"
    assert kept(address) == {"before"}
    assert reasons(address) == ["lease-revoked"]
    (job,) = real.control.models.show("small")["jobs"]
    stands = {each["name"]: each["stands"] for each in job["model_checkpoints"]}
    assert stands == {"@models/before": "trained before", "@models/after": "quarantined"}


class Late(FsspecFolder):
    """A place at which something happens between the word of the control plane and the first byte."""

    between: Callable[[], object]

    def put(self, folder: Path, target: str, *, fence: int | None) -> None:
        if fence is not None:
            self.between()
        super().put(folder, target, fence=fence)


def test_what_was_confirmed_is_written_though_a_later_lease_comes_between(
    real: Served, tmp_path: Path, address: str
) -> None:
    with held(real, tmp_path, "old") as old, held(real, tmp_path, "new") as new:
        place = Late(address, known_as="models")
        place.between = lambda: save(FsspecFolder(address, known_as="models"), new, "two")
        save(place, old, "one")
        place.between = lambda: None
        with pytest.raises(ConsentryError) as caught:
            save(place, old, "three")
        assert code(caught) == "checkpoint-fence-stale"
    assert kept(address) == {"one", "two"}
    store, root = fsspec.core.url_to_fs(address)
    one, two = (json.loads(store.cat_file(f"{root}/{name}/consentry.json")) for name in ("one", "two"))
    assert one["position"] < two["position"], "the ledger says which came first"


def test_a_lease_that_is_over_between_its_word_and_its_name_takes_it_back(
    real: Served, tmp_path: Path, address: str
) -> None:
    def suspended() -> None:
        scope = Scope(areas=frozenset())
        real.control.orders.suspend(scope, case="c-1", origin=Origin.OWN_DECISION, reference="note")
        over_within(lease)

    with held(real, tmp_path, "job") as lease:
        place = Late(address, known_as="models")
        place.between = suspended
        with pytest.raises(ConsentryError) as caught:
            save(place, lease, "one")
    assert code(caught) == "lease-revoked"
    assert kept(address) == set()
    assert reasons(address) == ["lease-revoked"]
    (job,) = real.control.models.show("small")["jobs"]
    assert [each["stands"] for each in job["model_checkpoints"]] == ["quarantined"]
