"""The platform's own ids, read again from content files."""

from __future__ import annotations

import pytest
from content_files import DESCRIPTOR, Plain, write
from hypothesis import given, settings
from hypothesis import strategies as st

from consentry.corpus import item_ids
from consentry.corpus.item_ids import read_ids, stretches
from consentry.corpus.registration import Corpus, register
from consentry.errors import CorpusError
from consentry.runners.local import LocalRunner

ROWS, GROUP = 23, 5


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    folder = tmp_path_factory.mktemp("content")
    (folder / "corpus.toml").write_text(DESCRIPTOR)
    write(folder / "a.parquet", ["p1"] * ROWS, [None] * ROWS, group=GROUP)
    write(folder / "b.parquet", ["p1"] * ROWS, [None] * ROWS, group=GROUP, first=ROWS)
    done = register(folder / "corpus.toml", folder / "corpora", identities=lambda _: Plain(), threads=LocalRunner(2))
    return done.corpus


@given(file=st.integers(0, 1), rows=st.lists(st.integers(0, ROWS - 1)), batch=st.integers(1, GROUP + 1))
@settings(deadline=None, max_examples=60)
def test_each_row_has_the_id_of_its_item(corpus: Corpus, file: int, rows: list[int], batch: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(item_ids, "_BATCH_ROWS", batch)
        parts = stretches(corpus, file, rows=rows)
        found = [read_ids(each) for each in parts]
    assert {row: name for each in found for row, name in each.items()} == {row: f"i{file * ROWS + row}" for row in rows}
    assert [each.group for each in parts] == list(dict.fromkeys(row // GROUP for row in rows)), "no others are read"


def test_a_file_that_is_another_one_now_is_not_read(corpus: Corpus) -> None:
    path = corpus.path(corpus.sidecars[1])
    before = path.read_bytes()
    path.write_bytes(before + b"more")
    with pytest.raises(CorpusError, match="changed"):
        stretches(corpus, 1, rows=[7])
    path.unlink()
    with pytest.raises(CorpusError):
        stretches(corpus, 1, rows=[7])
    path.write_bytes(before)
