"""Whatever is changed in a sidecar shows, and nothing else does."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from content_files import DESCRIPTOR, Plain, put_back, write

from consentry.corpus.descriptor import parse_corpus
from consentry.corpus.intact import altered, replaced
from consentry.corpus.item_classes import ItemClasses
from consentry.corpus.sidecar import load, still_of
from consentry.corpus.sidecar_build import build
from consentry.digests import canonical_json
from consentry.runners.local import LocalRunner

ARRAYS = ("person", "klass", "created", "involved_row", "involved_person", "item", "posting_person", "posting_row")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    build(
        write(tmp_path / "a.parquet", ["p1", "p2"], [["p2"], None]),
        tmp_path / "s",
        name="a.parquet",
        descriptor=parse_corpus(DESCRIPTOR),
        identities=Plain(),
        classes=ItemClasses(),
        keep_classes=lambda: None,
    )
    return tmp_path / "s"


def is_altered(folder: Path, descriptor: str | None = None) -> bool:
    return bool(altered([folder], threads=LocalRunner(2), descriptor=descriptor))


@pytest.mark.parametrize("array", ARRAYS)
def test_each_bit_of_each_array_counts(folder: Path, array: str) -> None:
    path = folder / f"{array}.npy"
    whole = path.read_bytes()
    assert not is_altered(folder)
    for content in (whole[:-1] + bytes([whole[-1] ^ 1]), whole[:-1], whole + b"\0", whole[:9] + b" " + whole[10:]):
        path.write_bytes(content)
        assert is_altered(folder)
    path.unlink()
    assert is_altered(folder)
    path.mkdir()
    assert is_altered(folder), "what cannot be read"


def test_so_does_what_the_head_says(folder: Path) -> None:
    body = json.loads((folder / "sidecar.json").read_bytes())
    for other in ({"seats": 9}, {"dated": False}, {"pin": {**body["pin"], "digest": "sha256:other"}}, {"digest": ""}):
        (folder / "sidecar.json").write_bytes(canonical_json({**body, **other}))
        assert is_altered(folder)


def test_what_is_noted_of_a_file_that_was_put_back_is_no_change(folder: Path) -> None:
    before = (folder / "sidecar.json").read_bytes()
    put_back(folder.parent / "a.parquet")
    assert still_of(load(folder), folder.parent / "a.parquet")
    assert (folder / "sidecar.json").read_bytes() != before
    assert not is_altered(folder)


def test_what_is_no_sidecar_or_of_another_descriptor_or_file_is_passed_over(folder: Path) -> None:
    (folder / "item.npy").unlink()
    assert is_altered(folder, parse_corpus(DESCRIPTOR).digest)
    assert not is_altered(folder, "sha256:other")
    size = (folder.parent / "a.parquet").stat().st_size
    for sizes, told in (({"a.parquet": size}, True), ({"a.parquet": size + 1}, False), ({"b.parquet": size}, False)):
        assert bool(altered([folder], threads=LocalRunner(2), sizes=sizes)) == told
    (folder / "sidecar.json").write_bytes(b"{}")
    assert not is_altered(folder)
    assert not is_altered(folder / "nothing")


def test_the_same_in_place_of_it_mends_nothing(folder: Path) -> None:
    body = json.loads((folder / "sidecar.json").read_bytes())
    (folder / "sidecar.json").write_bytes(canonical_json({**body, "digest": ""}))
    bad = altered([folder], threads=LocalRunner(2))
    assert replaced(bad, by={load(folder).pin: folder}) == ({"s": "s"}, frozenset())
    assert replaced(bad, by={}) == ({}, frozenset())
