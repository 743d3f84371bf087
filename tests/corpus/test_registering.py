"""Registering a corpus: what is new is built, what is the same is kept, and what fails leaves the one before."""

from __future__ import annotations

import json
from collections.abc import Collection
from pathlib import Path
from typing import Any

import pytest
from content_files import DESCRIPTOR, Plain, put_back, swapped, write

from consentry.corpus.registration import forget_earlier, open_as_of, open_corpus, register
from consentry.digests import Digest
from consentry.errors import ConflictError, CorpusError, DescriptorError, IntegrityError, NotFoundError
from consentry.progress import Progress
from consentry.runners.local import LocalRunner


@pytest.fixture
def corpora(tmp_path: Path) -> Path:
    (tmp_path / "content").mkdir()
    (tmp_path / "content" / "corpus.toml").write_text(DESCRIPTOR)
    write(tmp_path / "content" / "a.parquet", ["p1"], [None])
    return tmp_path


def registered(folder: Path, *, wanted: Collection[Digest] = (), progress: Progress | None = None) -> Any:
    done = register(
        folder / "content" / "corpus.toml",
        folder / "corpora",
        identities=lambda _: Plain(),
        threads=LocalRunner(2),
        progress=progress,
    )
    forget_earlier(folder / "corpora", done.corpus.name, wanted=wanted)
    return done


def test_registering_again_builds_what_is_new_and_keeps_the_rest(corpora: Path) -> None:
    first = registered(corpora)
    assert (first.built, first.kept) == (1, 0)
    write(corpora / "content" / "b.parquet", ["p2"], [None], first=1)
    second = registered(corpora)
    assert (second.built, second.kept) == (1, 1)
    opened = open_corpus(corpora / "corpora", "n")
    assert opened.snapshot == second.corpus.snapshot != first.corpus.snapshot
    assert [sidecar.pin.path for sidecar in opened.sidecars] == ["a.parquet", "b.parquet"]
    (corpora / "content" / "b.parquet").unlink()
    assert registered(corpora).corpus.snapshot == first.corpus.snapshot
    assert len(list((corpora / "corpora" / "n" / "sidecars").iterdir())) == 1


def test_other_bytes_of_the_same_size_and_time_are_registered_beside_the_old(corpora: Path) -> None:
    """What is in force stays whole until the new one is: their sidecars have different folders, again and again."""
    first = registered(corpora).corpus
    known = {first.snapshot}
    for old, new in ((b"p1", b"p2"), (b"p2", b"p3"), (b"p3", b"p4")):
        before = open_corpus(corpora / "corpora", "n")
        swapped(corpora / "content" / "a.parquet", old, new)
        with pytest.raises(CorpusError, match="corpus-file-changed"):
            before.check_files()
        done = registered(corpora)
        assert (done.built, done.kept) == (1, 0)
        assert done.corpus.sidecars[0].folder != before.sidecars[0].folder
        assert done.corpus.sidecars[0].person.tolist() == [int(new[1:])]
        known.add(done.corpus.snapshot)
        assert registered(corpora).kept == 1
    assert len(known) == 4
    assert len(list((corpora / "corpora" / "n" / "sidecars").iterdir())) == 1


def test_what_a_release_was_made_from_stays_while_it_is_wanted(corpora: Path) -> None:
    first = registered(corpora).corpus
    for old, new in ((b"p1", b"p2"), (b"p2", b"p3")):
        swapped(corpora / "content" / "a.parquet", old, new)
        newest = registered(corpora, wanted={first.snapshot}).corpus
        kept = open_as_of(corpora / "corpora", "n", snapshot=first.snapshot)
        assert kept is not None
        assert kept.sidecars[0].person.tolist() == [1]
        assert open_corpus(corpora / "corpora", "n").snapshot == newest.snapshot
        assert len(list((corpora / "corpora" / "n" / "sidecars").iterdir())) == 2
    registered(corpora)
    assert open_as_of(corpora / "corpora", "n", snapshot=first.snapshot) is None
    assert len(list((corpora / "corpora" / "n" / "sidecars").iterdir())) == 1


class Checked:
    """How many bytes of sidecars are read to see whether they are what was built."""

    bytes = 0

    def begin(self, what: str, *, total: int | None, unit: str) -> None:
        if (what, unit) == ("checking sidecars", "bytes"):
            self.bytes += total or 0

    def __call__(self, done: int) -> None:
        """Count what is done."""


def test_what_a_file_was_before_is_not_read_again(corpora: Path) -> None:
    """It is kept for releases that were sealed with it. It could not be built anew."""
    first = registered(corpora).corpus
    write(corpora / "content" / "a.parquet", ["p1", "p2"], [None, None])
    now = registered(corpora, wanted=[first.snapshot]).corpus
    assert len(list((corpora / "corpora" / "n" / "sidecars").iterdir())) == 2
    checked = Checked()
    registered(corpora, wanted=[first.snapshot], progress=checked)
    assert checked.bytes == sum(path.stat().st_size for path in now.sidecars[0].folder.glob("*.npy"))


@pytest.mark.parametrize("damaged", [b"{", b"{}", b'{"sidecars": null}'])
def test_a_damaged_head_is_said_and_registering_again_mends_it(corpora: Path, damaged: bytes) -> None:
    first = registered(corpora).corpus
    (corpora / "corpora" / "n" / "corpus.json").write_bytes(damaged)
    with pytest.raises(IntegrityError, match="corpus-memory-damaged"):
        open_corpus(corpora / "corpora", "n")
    assert registered(corpora).corpus.snapshot == first.snapshot
    assert open_corpus(corpora / "corpora", "n").snapshot == first.snapshot


def test_content_that_was_put_back_stays_registered(corpora: Path) -> None:
    first = registered(corpora).corpus
    put_back(corpora / "content" / "a.parquet")
    open_corpus(corpora / "corpora", "n").check_files()
    put_back(corpora / "content" / "a.parquet")
    again = registered(corpora)
    assert (again.built, again.kept, again.corpus.snapshot) == (0, 1, first.snapshot)


def test_a_failed_registration_leaves_the_snapshot_before(corpora: Path) -> None:
    before = registered(corpora).corpus.snapshot
    write(corpora / "content" / "a.parquet", ["p2", "p3"], [None, None])
    write(corpora / "content" / "b.parquet", ["p2"], [None])  # the same id
    with pytest.raises(CorpusError, match="corpus-duplicate-item-id") as caught:
        registered(corpora)
    assert caught.value.message == (
        "1 item has an id that another item has, in `a.parquet`, `b.parquet`:"
        " one is in row 1 of `a.parquet` and in row 1 of `b.parquet`"
    )
    assert open_corpus(corpora / "corpora", "n").snapshot == before
    with pytest.raises(CorpusError, match="corpus-file-changed"):
        open_corpus(corpora / "corpora", "n").check_files()


def test_codes_mean_what_they_meant_when_they_were_written(corpora: Path) -> None:
    """Lost or swapped classes give no code another meaning, and registering mends it."""
    write(corpora / "content" / "a.parquet", ["p1", "p1"], [None, None], kinds=["post", "image"])
    first = registered(corpora).corpus
    file = corpora / "corpora" / "n" / "item_classes.json"
    post, image = json.loads(file.read_bytes())
    for wrong in (None, b"[]", b"{", json.dumps([image, post]).encode(), json.dumps([post]).encode()):
        if wrong is None:
            file.unlink()
        else:
            file.write_bytes(wrong)
        with pytest.raises(ConflictError, match="corpus-classes-changed"):
            open_corpus(corpora / "corpora", "n")
        write(corpora / "content" / "b.parquet", ["p1"], [None], kinds=["comment"], first=2)
        done = registered(corpora)
        opened = open_corpus(corpora / "corpora", "n")
        assert [str(opened.items[code].category) for code in opened.sidecars[0].klass] == ["post", "image"]
        assert [str(opened.items[code].category) for code in opened.sidecars[1].klass] == ["comment"]
        assert done.built == 2
        (corpora / "content" / "b.parquet").unlink()
        assert registered(corpora).corpus.snapshot == first.snapshot
    # More classes than the sidecars know are no harm.
    file.write_bytes(json.dumps([*json.loads(file.read_bytes()), ["article", "public", ""]]).encode())
    assert open_corpus(corpora / "corpora", "n").snapshot == first.snapshot
    assert registered(corpora).built == 0


def test_another_descriptor_is_another_snapshot(corpora: Path) -> None:
    before = registered(corpora).corpus.snapshot
    text = DESCRIPTOR + '[categories]\n"haiku" = "post"\n'
    (corpora / "content" / "corpus.toml").write_text(text)
    assert registered(corpora).corpus.snapshot != before


def test_what_cannot_be_opened(corpora: Path) -> None:
    with pytest.raises(NotFoundError, match="corpus-unknown"):
        open_corpus(corpora / "corpora", "n")
    (corpora / "content" / "corpus.toml").write_bytes(b"\xff")
    with pytest.raises(DescriptorError, match="descriptor-unreadable"):
        registered(corpora)
