"""Stores of fsspec behind the same fence: what is refused never has its note."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from threading import Barrier, Thread
from typing import Any
from uuid import uuid4

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from fsspec.implementations.dirfs import DirFileSystem
from fsspec.implementations.memory import MemoryFileSystem

from consentry.errors import ConflictError, ConsentryError
from consentry.training.client import Lease, hold
from consentry.training.fsspec import FsspecFolder, _creates_in_one_step
from consentry.training.model_checkpoints import ModelCheckpoints, OvertakenError
from train import s3_server
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


@pytest.fixture(scope="module")
def s3() -> Iterator[str]:
    with s3_server.running() as address:
        yield address


@pytest.fixture(params=["memory", "file", "s3"])
def address(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "s3":
        return bucket(request.getfixturevalue("s3"), monkeypatch)
    return f"memory://{tmp_path.name}" if request.param == "memory" else f"file://{tmp_path}/models"


def bucket(server: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """Make a bucket that any client here finds, and return the address of a folder in it."""
    monkeypatch.setitem(fsspec.config.conf, "s3", {"endpoint_url": server, "key": "key", "secret": "secret"})
    name = f"models-{uuid4().hex}"
    fsspec.filesystem("s3").mkdir(name)
    return f"s3://{name}/small"


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
        def put(self, folder: Path, target: str, *, fence: int | None) -> None:
            super().put(folder, target, fence=fence)
            if fence is not None:
                FsspecFolder(address).fence(new.fence)

    with (
        held(url, tmp_path) as old,
        held(url, tmp_path) as new,
        pytest.raises(ConflictError, match=r"checkpoint-fence-stale"),
    ):
        save(Overtaken(address), old, "old")
    assert kept(address) == set()
    assert reasons(address) == ["checkpoint-fence-stale"]


def content(folder: Path, words: bytes = b"weights") -> Path:
    (folder / "parts").mkdir(parents=True)
    (folder / "parts" / "weights").write_bytes(words)
    (folder / "consentry.json").write_bytes(b"{}")
    return folder


def test_whoever_is_overtaken_between_its_look_and_its_word_keeps_nothing(tmp_path: Path, address: str) -> None:
    class Overtaken(FsspecFolder):
        def _say(self, entry: dict[str, Any]) -> bool:
            if "kept" in entry:
                FsspecFolder(address).fence(9)
            return super()._say(entry)

    old = Overtaken(address)
    assert old.fence(7) == 7
    with pytest.raises(OvertakenError):
        old.put(content(tmp_path / "c"), "one", fence=7)
    assert kept(address) == set()
    assert FsspecFolder(address).fence(8) == 9


def test_the_highest_fence_is_never_forgotten(address: str) -> None:
    """With one object for the fence, an older lease that had looked before would have written over the newer one."""

    class Slow(FsspecFolder):
        def _say(self, entry: dict[str, Any]) -> bool:
            if entry == {"fence": 7}:
                FsspecFolder(address).fence(9)
            return super()._say(entry)

    assert Slow(address).fence(7) == 9
    assert FsspecFolder(address).fence(1) == 9


def test_a_name_that_was_kept_is_not_given_again_and_one_that_a_crash_left_is(tmp_path: Path, address: str) -> None:
    store, root = fsspec.core.url_to_fs(address)

    class Crash(FsspecFolder):
        def _say(self, entry: dict[str, Any]) -> bool:
            if "kept" in entry:
                raise KeyboardInterrupt
            return super()._say(entry)

    crashing = Crash(address)
    crashing.fence(7)
    with pytest.raises(KeyboardInterrupt):
        crashing.put(content(tmp_path / "a", b"of before the crash"), "one", fence=7)
    assert kept(address) == set()
    place = FsspecFolder(address)
    place.fence(8)
    place.put(content(tmp_path / "b"), "one", fence=8)
    assert store.cat_file(f"{root}/one/parts/weights") == b"weights"
    place.fence(9)
    with pytest.raises(FileExistsError):
        place.put(content(tmp_path / "c", b"another"), "one", fence=9)
    place.withdraw("one", "quarantine/one-8-1", note=b"{}")
    with pytest.raises(FileExistsError):
        place.put(content(tmp_path / "d", b"another"), "one", fence=9)
    assert store.cat_file(f"{root}/quarantine/one-8-1/parts/weights") == b"weights"


def test_what_was_kept_before_there_was_a_log_is_not_touched(tmp_path: Path, address: str) -> None:
    store, root = fsspec.core.url_to_fs(address)
    store.makedirs(f"{root}/one", exist_ok=True)
    store.pipe_file(f"{root}/one/consentry.json", b"{}")
    place = FsspecFolder(address)
    place.fence(7)
    with pytest.raises(FileExistsError):
        place.put(content(tmp_path / "c"), "one", fence=7)
    assert store.cat_file(f"{root}/one/consentry.json") == b"{}"


def test_a_store_that_writes_over_what_is_there_is_refused(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    place = FsspecFolder(address)

    monkeypatch.setattr(place, "_create", lambda *_: True)
    with pytest.raises(ConsentryError) as caught:
        place.fence(7)
    assert caught.value.code == "checkpoint-store-overwrites"
    assert FsspecFolder(address).fence(0) == 0


@pytest.mark.parametrize("kind", ["wrapped", "inherited", "no mode"])
def test_a_store_of_which_nobody_knows_is_refused(tmp_path: Path, kind: str) -> None:
    class Inherits(MemoryFileSystem):  # type: ignore[misc]
        pipe_file = fsspec.AbstractFileSystem.pipe_file

    class NoMode(MemoryFileSystem):  # type: ignore[misc]
        def pipe_file(self, path: str, value: bytes) -> None:
            self.store[path] = value

    place = FsspecFolder(f"file://{tmp_path}/models")
    stores = {
        "wrapped": lambda: DirFileSystem(str(tmp_path), place._store),
        "inherited": Inherits,
        "no mode": NoMode,
    }
    place._store = stores[kind]()
    with pytest.raises(ConsentryError) as caught:
        place.fence(7)
    assert caught.value.code == "checkpoint-store-overwrites"


@pytest.mark.parametrize("protocol", ["ftp", "hdfs", "hf", "tar"])
def test_clients_that_look_and_then_write_are_refused_unasked(protocol: str) -> None:
    """They are named in docs/training.md. Nothing is connected to: what a client can do stands in its class."""
    kind = fsspec.get_filesystem_class(protocol)
    bare = type(kind)("Bare", (kind,), {"__del__": lambda _: None})
    assert not _creates_in_one_step(object.__new__(bare))


@pytest.mark.parametrize("kind", ["simplecache", "filecache", "blockcache", "dir"])
def test_what_stands_before_a_store_that_could_is_refused(tmp_path: Path, address: str, kind: str) -> None:
    store, root = fsspec.core.url_to_fs(address)
    place = FsspecFolder(address)
    before = {"path": root} if kind == "dir" else {"cache_storage": str(tmp_path / "cache")}
    place._store = fsspec.filesystem(kind, fs=store, **before)
    with pytest.raises(ConsentryError) as caught:
        place.fence(7)
    assert caught.value.code == "checkpoint-store-overwrites"


def test_a_fence_of_before_there_was_a_log_still_holds(address: str) -> None:
    store, root = fsspec.core.url_to_fs(address)
    store.makedirs(f"{root}/.consentry", exist_ok=True)
    store.pipe_file(f"{root}/.consentry/fence.json", b'{"fence": 9}')
    assert FsspecFolder(address).fence(7) == 9
    assert FsspecFolder(address).fence(10) == 10


def test_an_entry_whose_answer_was_lost_is_known_again(tmp_path: Path, address: str) -> None:
    class Lost(FsspecFolder):
        def _create(self, path: str, value: dict[str, Any]) -> bool:
            return super()._create(path, value) and "/log/" not in path

    place = Lost(address)
    assert place.fence(7) == 7
    place.put(content(tmp_path / "c"), "one", fence=7)
    assert kept(address) == {"one"}


def test_a_note_that_failed_is_written_by_the_same_lease_and_by_no_other(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, address: str
) -> None:
    folder, place = content(tmp_path / "c"), FsspecFolder(address)
    put_file = place._store.put_file

    def fails(source: str, target: str) -> None:
        if target.endswith("one/consentry.json"):
            raise OSError("the store is away")
        put_file(source, target)

    place.fence(7)
    with monkeypatch.context() as away:
        away.setattr(place._store, "put_file", fails)
        with pytest.raises(OSError, match="away"):
            place.put(folder, "one", fence=7)
    place.put(folder, "one", fence=7)
    assert kept(address) == {"one"}
    with pytest.raises(FileExistsError):
        place.put(folder, "one", fence=7)
    place._store.rm_file(f"{place._root}/one/consentry.json")
    FsspecFolder(address).fence(8)
    with pytest.raises(FileExistsError):
        FsspecFolder(address).put(folder, "one", fence=8)


def test_what_a_store_that_fails_did_not_keep_is_told_and_in_quarantine(url: str, tmp_path: Path, address: str) -> None:
    class Fails(FsspecFolder):
        def put(self, folder: Path, target: str, *, fence: int | None) -> None:
            if fence is not None:
                raise OSError("the store is away")
            super().put(folder, target, fence=fence)

    with held(url, tmp_path) as lease, pytest.raises(ConsentryError, match=r"checkpoint-store-failed"):
        save(Fails(address), lease, "one")
    assert reasons(address) == ["checkpoint-store-failed"]


class LooksThenWrites(FsspecFolder):
    """The control: what all stores inherit looks whether an object is there, and then writes it."""

    def _create(self, path: str, value: dict[str, Any]) -> bool:
        self._store.makedirs(path.rpartition("/")[0], exist_ok=True)
        if self._store.exists(path):
            return False
        time.sleep(0.002)
        self._store.pipe_file(path, json.dumps(value).encode())
        return True


def race(kind: type[FsspecFolder], address: str, folder: Path, *, leases: int = 12) -> list[str]:
    """Let leases keep a model checkpoint each, all at a time; return what contradicts the order of the fences."""
    content(folder)
    begun = Barrier(leases)
    kept: list[tuple[int, int]] = []
    unreadable: list[str] = []

    def keep(fence: int) -> None:
        place = kind(address)
        place._store.exists(address)  # to connect takes some clients longer than all that follows
        begun.wait()
        for step in range(4):
            if place.fence(fence) > fence:
                return
            try:
                place.put(folder, f"{fence}-{step}", fence=fence)
            except OvertakenError:
                return
            kept.append((fence, step))

    def try_to_keep(fence: int) -> None:
        try:
            keep(fence)
        except ValueError:
            unreadable.append(f"{fence} read an entry that was not written to its end")

    threads = [Thread(target=try_to_keep, args=(fence,)) for fence in range(1, leases + 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if unreadable:
        return unreadable
    log = FsspecFolder(address)
    log.fence(0)
    entries = log._read
    wrong, highest = [], 0
    for entry in entries:
        if entry["fence"] < highest:
            wrong.append(f"{entry} after fence {highest}")
        highest = max(highest, entry["fence"])
    said = [each["kept"] for each in entries if "kept" in each]
    wrong += [f"{fence}-{step} was kept and is not in the log" for fence, step in kept if f"{fence}-{step}" not in said]
    return wrong if highest == leases else [*wrong, f"the highest fence is {highest}"]


def test_of_leases_that_write_at_a_time_none_keeps_anything_after_a_later_one(tmp_path: Path, address: str) -> None:
    leases = 6 if address.startswith("s3") else 12
    assert race(FsspecFolder, address, tmp_path / "content", leases=leases) == []


@pytest.mark.parametrize("address", ["memory", "file"], indirect=True)
def test_control_without_a_store_that_refuses_the_race_is_lost(tmp_path: Path, address: str) -> None:
    lost = (race(LooksThenWrites, f"{address}/{again}", tmp_path / f"content-{again}") for again in range(5))
    assert any(lost)


def overtaken_at_its_word(kind: type[FsspecFolder], address: str, folder: Path) -> tuple[set[str], int]:
    """Let lease 9 write between the last look of lease 7 and its word; return what is kept, and the highest fence."""
    old = kind(address)
    pipe_file = old._store.pipe_file

    def late(path: str, value: bytes, **mode: str) -> None:
        if b'"kept"' in value:
            FsspecFolder(address).fence(9)
        pipe_file(path, value, **mode)

    old.fence(7)
    with pytest.MonkeyPatch.context() as between, suppress(OvertakenError):
        between.setattr(old._store, "pipe_file", late)
        old.put(content(folder), "one", fence=7)
    return kept(address), FsspecFolder(address).fence(0)


@pytest.mark.parametrize("address", ["memory", "s3"], indirect=True)
def test_a_word_that_comes_after_a_later_lease_is_refused_by_the_store_itself(tmp_path: Path, address: str) -> None:
    assert overtaken_at_its_word(FsspecFolder, address, tmp_path / "c") == (set(), 9)


@pytest.mark.parametrize("address", ["memory", "s3"], indirect=True)
def test_control_a_store_that_is_not_told_to_refuse_forgets_the_later_lease(tmp_path: Path, address: str) -> None:
    assert overtaken_at_its_word(LooksThenWrites, address, tmp_path / "c") == ({"one"}, 7)
