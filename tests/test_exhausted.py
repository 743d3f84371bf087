"""An error by which the system gives no more says nothing about a file; every other one does."""

from __future__ import annotations

import errno
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from consentry.control_plane.once_recorded import once_recorded
from consentry.corpus import heads
from consentry.corpus.descriptor_source import read_text
from consentry.corpus.file_patterns import matching
from consentry.corpus.intact import is_lost
from consentry.corpus.sidecar import ClassesPin, usable
from consentry.digests import plain_files
from consentry.durable import sync_tree
from consentry.errors import UnavailableError
from consentry.exhausted import disk_full, full_as, listed, no_room, require_room, walked
from consentry.release.data_file import DataFile, open_pinned
from consentry.release.manifest import sealed_in
from consentry.service.problems import status_of, unforeseen
from consentry.settings import read_settings
from consentry.storage import Keys
from open_files import open_files_left


@pytest.mark.parametrize("number", [errno.EMFILE, errno.ENFILE, errno.ENOMEM])
def test_it_is_said(number: int) -> None:
    error = OSError(number, "words of the system", "a.npy")
    found = no_room(error)
    assert found is not None
    assert (found.code, found.message.partition(":")[0]) == ("system-exhausted", "`a.npy`")
    with pytest.raises(UnavailableError) as refused:
        require_room(error)
    assert refused.value.__cause__ is error
    shown = unforeseen(error)
    assert (shown.code, status_of(shown)) == ("system-exhausted", 503)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_a_full_disk_is_said_also_by_the_service(number: int) -> None:
    shown = unforeseen(OSError(number, "words of the system", "a.npy"))
    assert (shown.code, shown.message.partition(":")[0], status_of(shown)) == ("system-disk-full", "`a.npy`", 503)


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (OSError(errno.ENOSPC, "words of the system", "home/a.npy"), "no space left to work: `home/a.npy`"),
        (OSError(errno.EDQUOT, "words of the system"), "no space left to work"),
    ],
    ids=["of a file", "of none that is known"],
)
def test_a_full_disk_is_said_with_the_file_that_tells_which_one(error: OSError, message: str) -> None:
    with pytest.raises(UnavailableError) as told, full_as("a-disk-full", "no space left to work", help="free some"):
        raise error
    assert (told.value.code, told.value.message, told.value.__cause__) == ("a-disk-full", message, error)


def test_once_something_is_recorded_a_full_disk_does_not_say_that_nothing_was() -> None:
    with pytest.raises(UnavailableError) as told, once_recorded():
        raise OSError(errno.ENOSPC, "words of the system", "a.npy")
    assert told.value.code == "ledger-outcome-unknown"
    with pytest.raises(OSError, match="words of the system"), once_recorded(anything=False):
        raise OSError(errno.ENOSPC, "words of the system", "a.npy")


@pytest.mark.parametrize("error", [FileNotFoundError(errno.ENOENT, "gone"), OSError("text alone"), ValueError("bytes")])
def test_another_error_is_about_the_file(error: Exception) -> None:
    assert no_room(error) is None
    assert disk_full(error) is None
    require_room(error)


def test_what_is_in_a_folder_is_listed(tmp_path: Path) -> None:
    for name in ("b.npy", "a.npy", "a.json"):
        (tmp_path / name).touch()
    assert [each.name for each in listed(tmp_path, "*.npy")] == ["a.npy", "b.npy"]
    assert len(listed(tmp_path)) == 3
    assert listed(tmp_path / "none") == listed(tmp_path / "a.npy") == []


def _no_classes(count: int) -> ClassesPin:
    raise AssertionError(count)


LOOKS: dict[str, Callable[[Path], object]] = {
    "a folder": listed,
    "all below it": lambda path: list(walked(path)),
    "the files in it": lambda path: list(plain_files(path)),
    "flushing it": sync_tree,
    "what a pattern names": lambda path: matching(path, "*.parquet"),
    "what is below a folder": lambda path: matching(path.parent, path.name),
    "what is anywhere below": lambda path: matching(path, "**/*"),
    "a descriptor": lambda path: read_text(path / "corpus.toml", like=""),
    "heads": lambda path: list(heads.readable(path / "corpus.json")),
    "earlier heads": heads.documents,
    "whether a sidecar is lost": is_lost,
    "whether one can be used": lambda path: usable(path, path, descriptor="", pin_of_classes=_no_classes),
    "settings": read_settings,
    "keys": lambda path: Keys(path / "keys").as_they_are(texts=False),
    "content": lambda path: open_pinned(
        DataFile(path=path / "a.parquet", size=(path / "a.parquet").stat().st_size, rows=1, excluded=b"")
    ).close(),
    "signed manifests": lambda path: list(sealed_in(path)),
}


@pytest.mark.parametrize("look", LOOKS.values(), ids=LOOKS)
def test_where_no_file_may_be_opened_nothing_is_concluded(tmp_path: Path, look: Callable[[Path], object]) -> None:
    Keys(tmp_path / "keys").signer(create=True)
    Keys(tmp_path / "keys").pseudonym_key(create=True)
    pq.write_table(pa.table({"id": [1]}), tmp_path / "a.parquet")
    (tmp_path / "earlier").mkdir()
    for name in ("corpus.toml", "corpus.json", "consentry.toml"):
        (tmp_path / name).touch()
    look(tmp_path)  # with enough of them there is an answer
    with open_files_left(0), pytest.raises((OSError, UnavailableError)) as refused:
        look(tmp_path)
    assert isinstance(refused.value, UnavailableError) or no_room(refused.value) is not None
