from __future__ import annotations

import base64
import datetime as dt
import decimal
import json
import resource
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyroaring import BitMap64

from consentry.digests import digest_file
from consentry.errors import ConflictError, InputError, IntegrityError, UnavailableError
from consentry.release.arrow_leaves import replace_leaves, without_dictionary
from consentry.release.data_file import DataFile
from consentry.release.materialise import CopyFormat, materialise
from consentry.release.reader import iter_batches


def data_file(path: Path, table: pa.Table, excluded: list[int] | None = None, **options: Any) -> DataFile:
    pq.write_table(table, path, **options)
    bitmap = BitMap64(excluded).serialize() if excluded else b""
    return DataFile(path=path, size=path.stat().st_size, rows=table.num_rows, excluded=bitmap)


def items(rows: int, start: int = 0) -> pa.Table:
    ids = range(start, start + rows)
    return pa.table(
        {"id": ids, "text": [f"é{i}" if i % 7 else None for i in ids], "tags": [["t"] * (i % 3) for i in ids]}
    )


@pytest.fixture
def files(tmp_path: Path) -> list[DataFile]:
    """A row group wholly excluded and one wholly eligible; a file wholly excluded, one not at all, one without rows."""
    return [
        data_file(tmp_path / "a.parquet", items(100), [*range(20, 40), 41, 99], row_group_size=20),
        data_file(tmp_path / "b.parquet", items(10, 1000), list(range(10))),
        data_file(tmp_path / "c.parquet", items(30, 2000)),
        data_file(tmp_path / "d.parquet", items(0)),
    ]


ELIGIBLE = [*range(20), 40, *range(42, 99), *range(2000, 2030)]


class TestReader:
    def test_eligible_rows_in_order(self, files: list[DataFile]) -> None:
        batches = list(iter_batches(files, ["id"], batch_rows=7))
        assert [id_ for batch in batches for id_ in batch["id"].to_pylist()] == ELIGIBLE
        assert all(0 < batch.num_rows <= 7 for batch in batches)
        assert all(batch.schema.names == ["id"] for batch in batches)

    def test_wholly_excluded_row_groups_are_not_read(self, tmp_path: Path) -> None:
        """Damage in a row group that is excluded does not matter; in any other it does."""
        file = data_file(tmp_path / "x.parquet", items(100), list(range(50)), row_group_size=50, compression="zstd")
        with pq.ParquetFile(file.path) as opened:
            chunk = opened.metadata.row_group(0).column(0)
        content = bytearray(file.path.read_bytes())
        start = chunk.dictionary_page_offset or chunk.data_page_offset
        content[start : start + chunk.total_compressed_size] = bytes(chunk.total_compressed_size)
        file.path.write_bytes(content)
        assert sum(batch.num_rows for batch in iter_batches([file])) == 50
        unfiltered = DataFile(path=file.path, size=file.size, rows=file.rows, excluded=b"")
        with pytest.raises(OSError, match=r"Parquet|deserialize|page|thrift"):
            list(iter_batches([unfiltered]))

    @settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
    @given(st.sets(st.integers(0, 59)), st.integers(1, 70), st.integers(1, 70))
    def test_any_exclusion_any_batch_any_row_group(
        self, tmp_path: Path, excluded: set[int], batch_rows: int, group_rows: int
    ) -> None:
        file = data_file(tmp_path / "p.parquet", items(60), sorted(excluded), row_group_size=group_rows)
        read = [id_ for batch in iter_batches([file], batch_rows=batch_rows) for id_ in batch["id"].to_pylist()]
        assert read == [id_ for id_ in range(60) if id_ not in excluded]

    def test_dictionaries_do_not_carry_what_is_excluded(self, tmp_path: Path) -> None:
        (batch,) = iter_batches([data_file(tmp_path / "x.parquet", words(), [1])])
        assert batch.schema.types == [pa.string(), pa.list_(pa.field("element", pa.string()))]
        assert batch.to_pylist() == [{"word": "fine", "words": ["fine"]}]

    def test_an_unknown_column_is_named(self, files: list[DataFile]) -> None:
        with pytest.raises(InputError, match="`txt`") as caught:
            list(iter_batches(files, ["txt"]))
        assert caught.value.code == "release-column-unknown"
        assert "`text`" in caught.value.help

    def test_a_changed_file_is_refused(self, files: list[DataFile]) -> None:
        files[0].path.write_bytes(files[0].path.read_bytes() + b"\0")
        with pytest.raises(IntegrityError) as caught:
            list(iter_batches(files))
        assert caught.value.code == "release-file-changed"


def words() -> pa.Table:
    """Two rows, dictionary-encoded at the top and inside a list; the second is to be excluded."""
    word = pa.array(["fine", "secret-word"]).dictionary_encode()
    nested = pa.array([["fine"], ["secret-word"]]).cast(pa.list_(word.type))
    return pa.table({"word": word, "words": nested})


def pinned(path: Path) -> DataFile:
    """Write a file of two people whose words are of equal length, and pin it with its digest."""
    file = data_file(path, pa.table({"id": [1, 2], "by": ["ada", "eva"]}), [1], compression="none")
    return replace(file, digest=digest_file(path))


@pytest.mark.parametrize("kind", CopyFormat)
class TestOtherBytes:
    """A file of the same size and rows, with another person's item where one was that may be used."""

    def test_a_swapped_file_is_not_copied(self, tmp_path: Path, kind: CopyFormat) -> None:
        file = pinned(tmp_path / "x.parquet")
        assert materialise([file], tmp_path / "sound", format=kind).rows == 1
        content = file.path.read_bytes()
        file.path.write_bytes(content.replace(b"eva", b"...").replace(b"ada", b"eva").replace(b"...", b"ada"))
        assert pq.read_table(file.path)["by"].to_pylist() == ["eva", "ada"]
        with pytest.raises(IntegrityError, match="other bytes") as caught:
            materialise([file], tmp_path / "copy", format=kind)
        assert caught.value.code == "release-file-changed"
        assert not (tmp_path / "copy").exists()

    @pytest.mark.parametrize("act", ["swapped and put back", "gone"])
    def test_a_file_that_is_touched_while_it_is_copied_is_refused(
        self, tmp_path: Path, kind: CopyFormat, act: str
    ) -> None:
        file = pinned(tmp_path / "x.parquet")
        content = file.path.read_bytes()

        def touch(_: int) -> None:
            if act == "gone":
                file.path.unlink()
            else:
                file.path.write_bytes(content.replace(b"ada", b"eva"))
                file.path.write_bytes(content)

        with pytest.raises(IntegrityError) as caught:
            materialise([file], tmp_path / "copy", format=kind, progress=touch)
        assert caught.value.code == "release-file-changed"
        assert not (tmp_path / "copy").exists()


class TestParquet:
    def test_eligible_rows_with_schema_and_metadata(self, tmp_path: Path, files: list[DataFile]) -> None:
        table = items(10).replace_schema_metadata({"origin": "test"})
        file = data_file(tmp_path / "m.parquet", table, [3])
        report = materialise([*files, file], tmp_path / "copy")
        copies = [pq.read_table(path) for path in report.files]
        assert [id_ for copy in copies for id_ in copy["id"].to_pylist()] == [*ELIGIBLE, 0, 1, 2, *range(4, 10)]
        assert [path.name for path in report.files] == ["00000.parquet", "00002.parquet", "00004.parquet"]
        assert copies[-1].schema.equals(pq.read_schema(file.path), check_metadata=True)
        assert copies[-1].to_pylist() == [row for row in table.to_pylist() if row["id"] != 3]
        assert (report.rows, report.excluded) == (len(ELIGIBLE) + 9, 33)
        assert report.size == sum(path.stat().st_size for path in report.files)

    def test_no_byte_of_an_excluded_row_is_in_the_copy(self, tmp_path: Path) -> None:
        """Uncompressed values would show; a dictionary page once held those of all rows."""
        report = materialise([data_file(tmp_path / "x.parquet", words(), [1])], tmp_path / "copy")
        (path,) = report.files
        with pq.ParquetFile(path) as copy:
            plain = copy.read()
        pq.write_table(plain, tmp_path / "plain.parquet", compression="none")
        assert b"secret-word" not in (tmp_path / "plain.parquet").read_bytes()
        assert b"secret-word" not in path.read_bytes()

    def test_columns_can_be_chosen(self, tmp_path: Path, files: list[DataFile]) -> None:
        report = materialise(files, tmp_path / "copy", columns=["text"])
        assert all(pq.read_schema(path).names == ["text"] for path in report.files)

    @pytest.mark.parametrize("kind", CopyFormat)
    def test_progress_counts_the_rows_that_are_written(
        self, tmp_path: Path, files: list[DataFile], kind: CopyFormat
    ) -> None:
        told: list[int] = []
        report = materialise(files, tmp_path / "copy", format=kind, progress=told.append)
        assert sum(told) == report.rows == len(ELIGIBLE)
        assert len(told) > len(report.files), "not only when a file is done"


class TestJsonl:
    def test_one_item_a_line(self, tmp_path: Path, files: list[DataFile]) -> None:
        report = materialise(files, tmp_path / "copy", format=CopyFormat.JSONL)
        lines = [json.loads(line) for path in report.files for line in path.read_text(encoding="utf-8").splitlines()]
        assert [line["id"] for line in lines] == ELIGIBLE
        assert lines[1] == {"id": 1, "text": "é1", "tags": ["t"]}
        assert report.rows == len(ELIGIBLE)

    def test_what_json_has_no_form_for(self, tmp_path: Path) -> None:
        moment = dt.datetime(2024, 9, 18, 1, 2, 3, 4, tzinfo=dt.UTC)
        table = pa.table(
            {
                "at": pa.array([moment]),
                "fine": pa.array([1], pa.timestamp("ns")),
                "day": [dt.date(2024, 9, 18)],
                "bytes": [b"\x00\xff"],
                "price": [decimal.Decimal("1.10")],
                "ratio": [float("nan")],
                "ratios": [[float("inf"), 0.5]],
                "line": ["a\u2028b\n"],
                "counts": pa.array([[("a", 1)]], pa.map_(pa.string(), pa.int64())),
            }
        )
        report = materialise([data_file(tmp_path / "x.parquet", table)], tmp_path / "copy", format=CopyFormat.JSONL)
        (line,) = report.files[0].read_text(encoding="utf-8").removesuffix("\n").split("\n")
        assert json.loads(line) == {
            "at": "2024-09-18T01:02:03.000004+00:00",
            "fine": "1970-01-01 00:00:00.000000001",
            "day": "2024-09-18",
            "bytes": base64.b64encode(b"\x00\xff").decode(),
            "price": "1.10",
            "ratio": None,
            "ratios": [None, 0.5],
            "line": "a\u2028b\n",
            "counts": [["a", 1]],
        }


@pytest.mark.parametrize("form", list(CopyFormat))
class TestWholeOrNotAtAll:
    @pytest.fixture
    def large(self, tmp_path: Path) -> Iterator[DataFile]:
        """A file to copy onto a disk that is too small: the system itself refuses to write beyond 100 kB."""
        file = data_file(tmp_path / "large.parquet", pa.table({"id": range(200_000)}), [1])
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
        yield file
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    def test_a_full_disk_leaves_nothing(self, tmp_path: Path, form: CopyFormat, large: DataFile) -> None:
        with pytest.raises(UnavailableError) as caught:
            materialise([large], tmp_path / "copy", format=form)
        assert caught.value.code == "release-disk-full"
        assert [path.name for path in tmp_path.iterdir()] == ["large.parquet"]

    def test_a_file_that_changed_leaves_nothing(self, tmp_path: Path, form: CopyFormat, files: list[DataFile]) -> None:
        files[2].path.unlink()
        with pytest.raises(IntegrityError):
            materialise(files, tmp_path / "copy", format=form)
        assert {path.name for path in tmp_path.iterdir()} == {"a.parquet", "b.parquet", "d.parquet"}

    def test_a_copy_is_never_written_over(self, tmp_path: Path, form: CopyFormat, files: list[DataFile]) -> None:
        materialise(files, tmp_path / "copy", format=form)
        with pytest.raises(ConflictError):
            materialise(files, tmp_path / "copy", format=form)


def test_leaves_of_every_kind_of_nesting() -> None:
    word = pa.dictionary(pa.int32(), pa.string())
    field: pa.Field[Any] = pa.field("w", word, nullable=False, metadata={"k": "v"})
    nested = pa.struct([field, ("m", pa.map_(pa.string(), pa.large_list(word))), ("f", pa.list_(word, 2))])
    changed = replace_leaves(nested, without_dictionary)
    expected = [field.with_type(pa.string()), pa.field("m", pa.map_(pa.string(), pa.large_list(pa.string())))]
    assert changed == pa.struct([*expected, pa.field("f", pa.list_(pa.string(), 2))])
    assert changed.field(0).metadata == {b"k": b"v"}
    assert not changed.field(0).nullable
