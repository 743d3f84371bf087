from __future__ import annotations

import os
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from consentry.corpus.descriptor import CorpusDescriptor, PeopleDescriptor, parse_corpus, parse_people
from consentry.corpus.folder import RowWriter, new_folder, to_toml
from consentry.errors import CorpusError
from consentry.policy.vocabulary import Account, Category, Visibility

TEXT = st.text(min_size=1, max_size=20, alphabet=st.characters(exclude_categories=["Cs"])).filter(str.strip)


@given(TEXT, st.dictionaries(TEXT, st.sampled_from(Category)), st.dictionaries(TEXT, st.sampled_from(Visibility)))
def test_a_written_corpus_descriptor_reads_back_the_same(
    word: str, categories: dict[str, Category], visibilities: dict[str, Visibility]
) -> None:
    descriptor = CorpusDescriptor(
        name="network",
        files=("items/*.parquet", word),
        columns={"item": "id", "author": "by", "category": "kind"},
        constants={"licence": word},
        created_zone="Europe/Paris",
        categories=categories,
        visibilities=visibilities,
    )
    assert parse_corpus(to_toml(descriptor)) == descriptor


@given(st.dictionaries(TEXT, st.sampled_from(Account)))
def test_a_written_people_descriptor_reads_back_the_same(accounts: dict[str, Account]) -> None:
    descriptor = PeopleDescriptor(
        files=("people.parquet",), columns={"person": "id"}, constants={}, ages={}, accounts=accounts
    )
    assert parse_people(to_toml(descriptor)) == descriptor


def stop_half_way(staged: Path) -> None:
    (staged / "items" / "a.parquet").touch()
    raise KeyboardInterrupt


def test_a_folder_appears_complete_or_not_at_all(tmp_path: Path) -> None:
    folder = tmp_path / "network"
    with pytest.raises(KeyboardInterrupt), new_folder(folder) as staged:
        stop_half_way(staged)
    assert list(tmp_path.iterdir()) == []
    with new_folder(folder) as staged:
        (staged / "items" / "b.parquet").touch()
        assert not folder.exists()
    assert [path.name for path in folder.rglob("*.parquet")] == ["b.parquet"]
    assert list(tmp_path.iterdir()) == [folder]


def test_all_of_it_is_on_disk_before_it_has_its_name_and_then_the_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A loss of power would leave empty files behind the name."""
    flushed: list[tuple[str, bool]] = []
    fsync = os.fsync

    def flush(descriptor: int) -> None:
        path = Path(f"/proc/self/fd/{descriptor}").readlink()
        flushed.append((path.name, (tmp_path / "network").exists()))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", flush)
    with new_folder(tmp_path / "network") as staged:
        (staged / "corpus.toml").write_text("content")
        (staged / "items" / "b.parquet").write_bytes(b"content")
    *before, name = flushed
    assert {each for each, _ in before} == {"corpus.toml", "b.parquet", "items", ".network.staged"}
    assert not any(named for _, named in before)
    assert name == (tmp_path.name, True)


def test_what_a_killed_attempt_left_is_replaced(tmp_path: Path) -> None:
    (tmp_path / ".network.staged" / "items").mkdir(parents=True)
    (tmp_path / ".network.staged" / "items" / "half.parquet").touch()
    with new_folder(tmp_path / "network"):
        pass
    assert list((tmp_path / "network" / "items").iterdir()) == []


def test_a_folder_that_is_there_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "network").mkdir()
    (tmp_path / "network" / "kept").touch()
    with pytest.raises(CorpusError) as caught, new_folder(tmp_path / "network"):
        pytest.fail("the block must not run")
    assert caught.value.code == "corpus-folder-exists"
    assert (tmp_path / "network" / "kept").exists()


def test_rows_are_written_in_batches_bounded_by_rows_and_characters(tmp_path: Path) -> None:
    schema = pa.schema([("id", pa.int64()), ("text", pa.string())])
    rows = [(number, "x" * (3_000_000 if number % 10_000 == 0 else 1)) for number in range(25_000)]
    with RowWriter(tmp_path / "a.parquet", schema) as writer:
        for row in rows:
            writer.add(row)
    file = pq.ParquetFile(tmp_path / "a.parquet")
    assert writer.rows == 25_000
    assert file.metadata.num_row_groups == 3
    assert file.read().column("id").to_pylist() == [number for number, _ in rows]
