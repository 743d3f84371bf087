"""Sidecars hold what their file holds: every seat, class, date and posting, whatever the types and sizes."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from content_files import DESCRIPTOR, Plain, put_back, swapped, write
from hypothesis import given, settings
from hypothesis import strategies as st

from consentry.corpus import sidecar, sidecar_build
from consentry.corpus.columns import UNKNOWN_DATE
from consentry.corpus.descriptor import parse_corpus
from consentry.corpus.item_classes import ItemClasses
from consentry.corpus.sidecar import NOBODY, Sidecar, Stamp, load, still_of, usable
from consentry.corpus.sidecar_build import build
from consentry.digests import digest_file
from consentry.durable import only_one
from consentry.errors import ConflictError, CorpusError, IntegrityError


def built(source: Path, folder: Path, descriptor: str = DESCRIPTOR) -> Sidecar:
    classes = ItemClasses()
    build(
        source,
        folder,
        name=source.name,
        descriptor=parse_corpus(descriptor),
        identities=Plain(),
        classes=classes,
        keep_classes=lambda: None,
    )
    return load(folder)


def check(sidecar: Sidecar, by: list[str | None], involved: list[list[str | None] | None]) -> None:
    seats = [int(each[1:]) if each else NOBODY for each in by]
    pairs = [(row, int(each[1:]) if each else NOBODY) for row, some in enumerate(involved) for each in some or []]
    assert sidecar.rows == len(by)
    assert sidecar.person.tolist() == seats
    assert list(zip(sidecar.involved_row.tolist(), sidecar.involved_person.tolist(), strict=True)) == pairs
    postings = {(seat, row) for row, seat in enumerate(seats)} | {(seat, row) for row, seat in pairs}
    found = set(zip(sidecar.posting_person.tolist(), sidecar.posting_row.tolist(), strict=True))
    assert found == postings
    assert sidecar.posting_person.tolist() == sorted(sidecar.posting_person.tolist())
    assert sidecar.seats == max((seat for seat, _ in postings), default=0) + 1
    for asked in ([], [0], [1], sorted({seat for seat, _ in postings}), [3, 99], list(range(1, 6))):
        rows = sorted({row for seat, row in postings if seat in asked})
        assert sidecar.rows_of(np.array(asked, dtype=np.uint32)).tolist() == rows
    for row in range(0, len(by), max(1, len(by) // 20)):
        assert sidecar.find(row) == [row]
    assert sidecar.find(10**9) == []


PEOPLE = st.none() | st.just("") | st.integers(1, 9).map("p{}".format)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(PEOPLE, st.none() | st.lists(PEOPLE, max_size=4)), max_size=30),
    st.integers(1, 9),
    st.integers(1, 9),
)
def test_a_sidecar_holds_what_the_file_holds(
    tmp_path_factory: pytest.TempPathFactory,
    rows: list[tuple[str | None, list[str | None] | None]],
    group: int,
    batch: int,
) -> None:
    folder = tmp_path_factory.mktemp("file")
    by, involved = [row[0] for row in rows], [row[1] for row in rows]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sidecar_build, "_BATCH_ROWS", batch)  # batches that begin and end inside row groups
        check(built(write(folder / "a.parquet", by, involved, group=group), folder / "s"), by, involved)


@pytest.mark.parametrize("rows", [0, 1, 65_535, 65_537, 300_000])
def test_sizes(tmp_path: Path, rows: int) -> None:
    by: list[str | None] = [f"p{row % 7}" if row % 11 else None for row in range(rows)]
    involved: list[list[str | None] | None] = [["p3", None] if not row % 1_000 else None for row in range(rows)]
    check(built(write(tmp_path / "a.parquet", by, involved, group=70_000), tmp_path / "s"), by, involved)


def test_dates_words_and_oddities(tmp_path: Path) -> None:
    source = write(
        tmp_path / "a.parquet",
        ["p1", None, "p2", "p2"],
        [None, [None], [], ["p1"]],
        kinds=["post", "haiku", None, "unknown"],
        at=[0, None, -1, 2**32 - 1],
    )
    sidecar = built(source, tmp_path / "s")
    assert sidecar.created is not None
    assert sidecar.created.tolist() == [0, UNKNOWN_DATE, UNKNOWN_DATE, UNKNOWN_DATE]
    odd = sidecar.oddities
    assert (odd.null_authors, odd.unknown_involved, odd.dates_out_of_range, odd.unknown_dates) == (1, 1, 2, 3)
    assert odd.words == {"category": {"haiku": 1}}
    assert len(set(sidecar.klass.tolist())) == 2


def good(folder: Path, source: Path, *, descriptor: str = parse_corpus(DESCRIPTOR).digest) -> bool:
    """Say whether a sidecar is usable with the item classes it was built with."""
    return usable(folder, source, descriptor=descriptor, pin_of_classes=lambda _: load(folder).classes)


def test_a_sidecar_is_of_one_file_as_it_is_now_and_of_one_descriptor(tmp_path: Path) -> None:
    source = write(tmp_path / "a.parquet", ["p1"], [None])
    assert not good(tmp_path / "s", source)
    built(source, tmp_path / "s")
    assert good(tmp_path / "s", source)
    assert not good(tmp_path / "s", source, descriptor="sha256:other")
    stat = source.stat()
    os.utime(source, ns=(0, stat.st_mtime_ns + 1))
    assert not good(tmp_path / "s", source)


@pytest.fixture
def digested(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """List the files whose digest is asked for to find out whether they are the same."""
    paths: list[Path] = []

    def noting(path: Path) -> str:
        paths.append(path)
        return digest_file(path)

    monkeypatch.setattr(sidecar, "digest_file", noting)
    return paths


def test_other_bytes_of_the_same_size_and_time_are_another_file(tmp_path: Path, digested: list[Path]) -> None:
    source = write(tmp_path / "a.parquet", ["p1"], [None])
    found = built(source, tmp_path / "s")
    assert still_of(found, source)
    assert digested == []
    swapped(source, b"p1", b"p2")
    assert not still_of(found, source)
    assert not good(tmp_path / "s", source)
    swapped(source, b"p2", b"p1")
    assert still_of(found, source)
    source.unlink()
    assert not still_of(found, source)


def test_a_file_that_was_put_back_is_read_once_and_noted(tmp_path: Path, digested: list[Path]) -> None:
    source = write(tmp_path / "a.parquet", ["p1"], [None])
    found = built(source, tmp_path / "s")
    put_back(source)
    for _ in range(3):
        assert still_of(found, source)
        assert still_of(load(tmp_path / "s"), source)
        assert good(tmp_path / "s", source)
    assert digested == [source]
    assert load(tmp_path / "s").pin == found.pin
    assert [path.name for path in (tmp_path / "s").iterdir() if path.name.startswith(".")] == []


def test_what_another_one_is_noting_is_left_to_it(tmp_path: Path, digested: list[Path]) -> None:
    source = write(tmp_path / "a.parquet", ["p1"], [None])
    found = built(source, tmp_path / "s")
    put_back(source)
    (tmp_path / "s" / ".sidecar.json.staged").write_bytes(b"of one that was killed")
    with only_one(tmp_path / "s" / "lock"):
        assert still_of(found, source)
    assert still_of(found, source)
    assert still_of(found, source)
    assert digested == [source, source]
    assert not (tmp_path / "s" / ".sidecar.json.staged").exists()


def test_a_sidecar_of_before_inodes_were_noted_is_read_once(tmp_path: Path, digested: list[Path]) -> None:
    source = write(tmp_path / "a.parquet", ["p1"], [None])
    built(source, tmp_path / "s")
    head = tmp_path / "s" / "sidecar.json"
    body = json.loads(head.read_bytes())
    head.write_text(json.dumps({name: value for name, value in body.items() if name not in {"ctime_ns", "inode"}}))
    assert load(tmp_path / "s").file_stamp == Stamp(source.stat().st_mtime_ns)
    assert good(tmp_path / "s", source)
    assert good(tmp_path / "s", source)
    assert digested == [source]
    assert json.loads(head.read_bytes()) == body


def test_what_is_noted_about_another_file_counts_for_nothing(tmp_path: Path) -> None:
    """Its folder may have been given to another file while it was open."""
    source = write(tmp_path / "a.parquet", ["p1"], [None])
    found = built(source, tmp_path / "s")
    swapped(source, b"p1", b"p2")
    built(source, tmp_path / "s")
    assert good(tmp_path / "s", source)
    assert not still_of(found, source)


@pytest.mark.parametrize(
    "damage", ["head", "torn head", "array", "short array", "short dates", "half a pair", "older format"]
)
def test_a_damaged_sidecar_is_none(tmp_path: Path, damage: str) -> None:
    source = write(tmp_path / "a.parquet", ["p1", "p2"], [None, None])
    built(source, tmp_path / "s")
    head, array = tmp_path / "s" / "sidecar.json", tmp_path / "s" / "item.npy"
    if damage == "head":
        head.unlink()
    elif damage == "torn head":
        head.write_bytes(head.read_bytes()[:20])
    elif damage == "array":
        array.unlink()
    elif damage == "short array":
        np.save(array, np.zeros(1, dtype=np.uint64))
    elif damage in ("short dates", "half a pair"):
        name = {"short dates": "created", "half a pair": "posting_row"}[damage]
        np.save(tmp_path / "s" / f"{name}.npy", np.zeros(1, dtype=np.uint32))
    else:
        head.write_text(json.dumps({**json.loads(head.read_bytes()), "format": 0}))
    assert not good(tmp_path / "s", source)
    if damage != "older format":
        with pytest.raises(ConflictError, match="corpus-sidecar-missing"):
            load(tmp_path / "s")


@pytest.mark.parametrize(
    ("was", "is_"),
    [(b"", b""), (b"(2,)", b"(2,("), (b"<u8", b"|08"), (b"<u8", b"<i8"), (b"<u8", b"<f8"), (b"(2,), ", b"(2,1),")],
)
def test_so_is_one_with_a_damaged_header(tmp_path: Path, was: bytes, is_: bytes) -> None:
    source = write(tmp_path / "a.parquet", ["p1", "p2"], [None, None])
    built(source, tmp_path / "s")
    array = tmp_path / "s" / "item.npy"
    array.write_bytes(array.read_bytes().replace(was, is_) if was else b"")
    assert not good(tmp_path / "s", source)
    with pytest.raises(ConflictError, match="corpus-sidecar-missing"):
        load(tmp_path / "s")


def test_rows_that_are_not_there_are_not_looked_up(tmp_path: Path) -> None:
    by: list[str | None] = ["p1", "p2", "p1", "p2"]
    whole = built(write(tmp_path / "a.parquet", by, [["p2"], None, ["p3", "p2"], None]), tmp_path / "s")

    def check_range(sidecar: Sidecar) -> None:
        for start in (0, 2):
            sidecar.check_range(slice(start, start + 2), seats=4, classes=1)

    def with_(name: str, *values: int) -> Sidecar:
        fields: dict[str, Any] = {name: np.array(values, dtype=np.uint32)}
        return replace(whole, **fields)

    check_range(whole)
    for damaged in (
        with_("person", 1, 2, 1, 4),
        with_("klass", 0, 0, 1, 0),
        with_("involved_person", 2, 3, 9),
        with_("involved_row", 0, 2, 4),
        with_("involved_row", 2, 0, 2),
        with_("involved_row", 3, 2, 2),
        with_("involved_row", 0, 3, 2),
        with_("involved_row", 9, 0, 2),
    ):
        with pytest.raises(IntegrityError, match="corpus-sidecar-damaged"):
            check_range(damaged)
    with pytest.raises(IntegrityError, match="corpus-sidecar-damaged"):
        with_("posting_row", *[9] * whole.posting_row.size).rows_of(np.array([1], dtype=np.uint32))


def test_what_is_mapped_stays_when_the_folder_is_removed(tmp_path: Path) -> None:
    sidecar = built(write(tmp_path / "a.parquet", ["p1", "p2"], [["p2"], None]), tmp_path / "s")
    for path in (tmp_path / "s").iterdir():
        path.unlink()
    assert sidecar.rows_of(np.array([2], dtype=np.uint32)).tolist() == [0, 1]
    assert sidecar.find(1) == [1]


def test_a_file_that_changes_while_it_is_read_is_refused(tmp_path: Path) -> None:
    source = write(tmp_path / "a.parquet", ["p1"], [None])

    def touch() -> None:
        os.utime(source, ns=(1, 1))

    class Touching(Plain):
        def item_keys(self, ids: pa.Array) -> npt.NDArray[np.uint64]:
            touch()
            return super().item_keys(ids)

    with pytest.raises(CorpusError, match="corpus-file-changed"):
        build(
            source,
            tmp_path / "s",
            name="a",
            descriptor=parse_corpus(DESCRIPTOR),
            identities=Touching(),
            classes=ItemClasses(),
            keep_classes=lambda: None,
        )
    assert [path.name for path in tmp_path.iterdir()] == ["a.parquet"]


def test_unreadable_text_is_a_damaged_file(tmp_path: Path) -> None:
    broken = pa.Array.from_buffers(pa.string(), 1, [None, pa.py_buffer(b"\0\0\0\0\2\0\0\0"), pa.py_buffer(b"\xff\xfe")])
    table = pq.read_table(write(tmp_path / "a.parquet", ["p1"], [None]))
    pq.write_table(table.set_column(3, "kind", broken), tmp_path / "a.parquet")
    with pytest.raises(CorpusError, match="corpus-damaged"):
        built(tmp_path / "a.parquet", tmp_path / "s")


@pytest.mark.parametrize(
    "kind", [pa.string_view(), pa.dictionary(pa.int16(), pa.large_string()), pa.large_string(), pa.string()]
)
def test_every_kind_of_text(tmp_path: Path, kind: pa.DataType) -> None:
    source = write(tmp_path / "a.parquet", ["p1", "p2", None], [["p2"], None, []])
    table = pq.read_table(source)
    for index, name in ((0, "id"), (1, "by"), (3, "kind"), (5, "rights")):
        table = table.set_column(index, name, pa.array(table[name].to_pylist(), kind))
    pq.write_table(table, source)
    sidecar = built(source, tmp_path / "s")
    assert sidecar.person.tolist() == [1, 2, 0]
    assert sidecar.find(2) == [2]
