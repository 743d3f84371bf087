"""The table of a release: its metadata, manifests and deletes in versions 2 and 3, and what is refused."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import fastavro
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyroaring import BitMap64

from consentry.digests import digest_file
from consentry.errors import ConflictError, CorpusError, InputError, IntegrityError
from consentry.release import position_deletes, puffin
from consentry.release.data_file import DataFile, eligible_mask, excluded_positions
from consentry.release.deletion_vector import unframe
from consentry.release.iceberg import TableReport, write_table
from consentry.release.iceberg_schema import FormatVersion

VERSIONS: tuple[FormatVersion, ...] = (2, 3)
SEALED_AT = 1_726_617_600


def data_file(path: Path, table: pa.Table, excluded: list[int] | None = None, **options: Any) -> DataFile:
    pq.write_table(table, path, **options)
    bitmap = BitMap64(excluded).serialize() if excluded else b""
    return DataFile(path=path, size=path.stat().st_size, rows=table.num_rows, excluded=bitmap)


def items(rows: int, start: int = 0) -> pa.Table:
    ids = range(start, start + rows)
    return pa.table({"id": [f"é{i}" for i in ids], "tags": [[f"t{i}"] * (i % 3) for i in ids]})


@pytest.fixture
def files(tmp_path: Path) -> list[DataFile]:
    """Some rows excluded, all, none, and a file without rows."""
    return [
        data_file(tmp_path / "some.parquet", items(100), [0, 7, 99], row_group_size=30),
        data_file(tmp_path / "all.parquet", items(20, 1000), list(range(20))),
        data_file(tmp_path / "none.parquet", items(50, 2000)),
        data_file(tmp_path / "empty.parquet", items(0)),
    ]


def write(folder: Path, files: list[DataFile], version: FormatVersion, **changes: Any) -> TableReport:
    schema = changes.pop("schema", None) or pq.read_schema(files[0].path)
    given_ = {"schema": schema, "release": "r-1", "sealed_at": SEALED_AT, "properties": {"consentry.purpose": "test"}}
    return write_table(folder, files, format_version=version, **cast("Any", given_ | changes))


def metadata_of(report: TableReport) -> dict[str, Any]:
    return cast("dict[str, Any]", json.loads(report.metadata.read_text(encoding="utf-8")))


def avro(location: str) -> tuple[list[Any], dict[str, str]]:
    reader = fastavro.reader(io.BytesIO(Path(location.removeprefix("file://")).read_bytes()))
    return list(reader), dict(reader.metadata)


def manifests(report: TableReport) -> dict[int, tuple[Any, list[Any]]]:
    """Content of the manifest (0 data, 1 deletes) to its line in the list, and its entries."""
    listed, _ = avro(metadata_of(report)["snapshots"][0]["manifest-list"])
    return {line["content"]: (line, avro(line["manifest_path"])[0]) for line in listed}


@pytest.mark.parametrize("version", VERSIONS)
class TestTable:
    def test_the_metadata_names_files_that_are_there_with_their_sizes(
        self, tmp_path: Path, files: list[DataFile], version: FormatVersion
    ) -> None:
        report = write(tmp_path / "table", files, version)
        for line, entries in manifests(report).values():
            assert Path(line["manifest_path"].removeprefix("file://")).stat().st_size == line["manifest_length"]
            assert line["added_files_count"] == len(entries)
            assert line["added_rows_count"] == sum(entry["data_file"]["record_count"] for entry in entries)
            for entry in entries:
                file = entry["data_file"]
                assert Path(file["file_path"].removeprefix("file://")).stat().st_size == file["file_size_in_bytes"]
                assert entry["status"] == 1
                assert entry["sequence_number"] is None

    def test_only_files_with_something_eligible_are_in_it(
        self, tmp_path: Path, files: list[DataFile], version: FormatVersion
    ) -> None:
        report = write(tmp_path / "table", files, version)
        paths = [Path(entry["data_file"]["file_path"]).name for entry in manifests(report)[0][1]]
        assert paths == ["some.parquet", "none.parquet"]
        assert (report.data_files, report.rows, report.excluded, report.left_out) == (2, 150, 3, 2)

    def test_there_is_one_delete_file_for_each_file_with_exclusions(
        self, tmp_path: Path, files: list[DataFile], version: FormatVersion
    ) -> None:
        _, entries = manifests(write(tmp_path / "table", files, version))[1]
        (deletes,) = [entry["data_file"] for entry in entries]
        assert deletes["content"] == 1
        assert deletes["record_count"] == 3
        assert deletes["referenced_data_file"] == f"file://{files[0].path}"
        assert self._positions(deletes, version) == [0, 7, 99]

    @staticmethod
    def _positions(deletes: dict[str, Any], version: FormatVersion) -> list[int]:
        path = Path(deletes["file_path"].removeprefix("file://"))
        if version == 2:
            table = pq.read_table(path)
            assert set(table["file_path"].to_pylist()) == {deletes["referenced_data_file"]}
            return cast("list[int]", table["pos"].to_pylist())
        blob = puffin.read(path.read_bytes())
        assert blob.properties == {"referenced-data-file": deletes["referenced_data_file"], "cardinality": "3"}
        assert deletes["content_size_in_bytes"] == len(blob.payload)
        assert path.read_bytes()[deletes["content_offset"] :].startswith(blob.payload)
        return list(BitMap64.deserialize(unframe(blob.payload)))

    def test_nothing_excluded_needs_no_deletes(
        self, tmp_path: Path, files: list[DataFile], version: FormatVersion
    ) -> None:
        report = write(tmp_path / "table", [files[2]], version)
        assert set(manifests(report)) == {0}
        assert metadata_of(report)["snapshots"][0]["summary"]["operation"] == "append"

    def test_everything_excluded_is_a_table_without_files(
        self, tmp_path: Path, files: list[DataFile], version: FormatVersion
    ) -> None:
        report = write(tmp_path / "table", [files[1]], version)
        assert manifests(report) == {}
        assert report.data_files == 0

    def test_the_same_release_gives_the_same_bytes(
        self, tmp_path: Path, files: list[DataFile], version: FormatVersion
    ) -> None:
        first = write(tmp_path / "table", files, version)
        (tmp_path / "table").rename(tmp_path / "before")
        assert write(tmp_path / "table", files, version) == first

    def test_other_exclusions_give_another_snapshot_of_the_same_table(
        self, tmp_path: Path, files: list[DataFile], version: FormatVersion
    ) -> None:
        before = metadata_of(write(tmp_path / "before", files, version))
        after = metadata_of(write(tmp_path / "after", files[:1], version))
        assert before["table-uuid"] == after["table-uuid"]
        assert before["current-snapshot-id"] != after["current-snapshot-id"]
        assert 0 < before["current-snapshot-id"] < 2**63

    def test_the_report_digests_every_file(self, tmp_path: Path, files: list[DataFile], version: FormatVersion) -> None:
        report = write(tmp_path / "table", files, version)
        on_disk = {path for path in (tmp_path / "table").rglob("*") if path.is_file()}
        assert on_disk == {tmp_path / "table" / file.path for file in report.files}
        assert all(digest_file(tmp_path / "table" / file.path) == file.digest for file in report.files)
        assert digest_file(report.metadata) == report.digest

    def test_no_content_is_in_the_metadata(self, tmp_path: Path, version: FormatVersion) -> None:
        secret = pa.table({"id": ["a", "b"], "text": ["only-in-an-excluded-row", "fine"]})
        write(tmp_path / "table", [data_file(tmp_path / "x.parquet", secret, [0])], version)
        for path in (tmp_path / "table").rglob("*.*"):
            assert b"only-in-an-excluded-row" not in path.read_bytes()

    def test_files_that_another_table_wrote_keep_their_field_ids(self, tmp_path: Path, version: FormatVersion) -> None:
        def numbered(name: str, type_: pa.DataType, id_: int) -> pa.Field[Any]:
            return pa.field(name, type_, metadata={"PARQUET:field_id": str(id_)})

        schema = pa.schema(
            [numbered("id", pa.string(), 7), numbered("l", pa.list_(numbered("element", pa.int64(), 9)), 3)]
        )
        file = data_file(tmp_path / "x.parquet", pa.table({"id": ["a"], "l": [[1]]}, schema=schema))
        (described,) = metadata_of(write(tmp_path / "table", [file], version))["schemas"]
        assert [field["id"] for field in described["fields"]] == [7, 3]
        assert described["fields"][1]["type"]["element-id"] == 9
        assert metadata_of(write(tmp_path / "other", [file], version))["last-column-id"] == 9


def test_the_metadata_of_version_three_counts_rows_for_their_lineage(tmp_path: Path, files: list[DataFile]) -> None:
    report = write(tmp_path / "table", files, 3)
    metadata = metadata_of(report)
    assert metadata["next-row-id"] == metadata["snapshots"][0]["added-rows"] == 150
    assert metadata["snapshots"][0]["first-row-id"] == 0
    assert {content: line["first_row_id"] for content, (line, _) in manifests(report).items()} == {0: 0, 1: None}


def test_manifests_carry_what_the_format_asks_for(tmp_path: Path, files: list[DataFile]) -> None:
    report = write(tmp_path / "table", files, 2)
    for content, (line, _) in manifests(report).items():
        _, properties = avro(line["manifest_path"])
        assert properties["content"] == ("data", "deletes")[content]
        assert (properties["format-version"], properties["partition-spec"]) == ("2", "[]")
        assert json.loads(properties["schema"]) == metadata_of(report)["schemas"][0]


def test_position_deletes_are_numbered_and_bounded(tmp_path: Path, files: list[DataFile]) -> None:
    _, entries = manifests(write(tmp_path / "table", files, 2))[1]
    deletes = entries[0]["data_file"]
    schema = pq.read_schema(deletes["file_path"].removeprefix("file://"))
    numbers = [int((field.metadata or {})[b"PARQUET:field_id"]) for field in schema]
    assert numbers == [position_deletes.PATH_ID, position_deletes.POSITION_ID]
    assert not any(field.nullable for field in schema)
    upper = {bound["key"]: bound["value"] for bound in deletes["upper_bounds"]}
    assert upper == {
        position_deletes.PATH_ID: f"file://{files[0].path}".encode(),
        position_deletes.POSITION_ID: (99).to_bytes(8, "little"),
    }


def test_many_deletes_are_split_and_stay_sorted(tmp_path: Path) -> None:
    positions = np.arange(0, 5_000_000, 2, dtype=np.int64)
    position_deletes.write(tmp_path / "d.parquet", location="file:///x", positions=positions)
    with pq.ParquetFile(tmp_path / "d.parquet") as written:
        assert written.metadata.num_row_groups == 3
        assert np.array_equal(written.read(["pos"])["pos"].to_numpy(), positions)


class TestRefusals:
    def test_a_table_is_never_written_over(self, tmp_path: Path, files: list[DataFile]) -> None:
        write(tmp_path / "table", files, 2)
        with pytest.raises(ConflictError) as caught:
            write(tmp_path / "table", files, 2)
        assert caught.value.code == "release-target-exists"

    @pytest.mark.parametrize("name", ["a?b", "a#b", "a%20b"])
    def test_a_path_that_readers_cut_is_refused(self, tmp_path: Path, name: str) -> None:
        (tmp_path / name).mkdir()
        with pytest.raises(InputError) as caught:
            write(tmp_path / "table", [data_file(tmp_path / name / "x.parquet", items(3), [1])], 2)
        assert caught.value.code == "release-path-unsupported"
        assert str(caught.value.help).startswith("move the files to a folder without")
        with pytest.raises(InputError) as caught:
            write(tmp_path / "table", [data_file(tmp_path / f"{name}.parquet", items(3), [1])], 2)
        assert str(caught.value.help).startswith(f"give `{name}.parquet` a name without")
        assert not (tmp_path / "table").exists()

    @pytest.mark.parametrize(
        ("change", "code", "message"),
        [
            (lambda path: path.unlink(), "release-file-changed", "gone"),
            (lambda path: path.write_bytes(path.read_bytes() + b"x"), "release-file-changed", "bytes"),
            (lambda path: path.write_bytes(bytes(path.stat().st_size)), "release-file-changed", "not readable"),
        ],
    )
    def test_a_file_that_changed_is_refused(
        self, tmp_path: Path, files: list[DataFile], change: Callable[[Path], None], code: str, message: str
    ) -> None:
        schema = pq.read_schema(files[0].path)
        change(files[0].path)
        with pytest.raises(IntegrityError, match=message) as caught:
            write(tmp_path / "table", files, 3, schema=schema)
        assert caught.value.code == code
        assert caught.value.where == str(files[0].path)
        assert not any(path.is_dir() for path in tmp_path.iterdir())

    def test_a_file_of_the_same_size_and_other_rows_is_refused(self, tmp_path: Path) -> None:
        file = data_file(tmp_path / "x.parquet", items(10))
        pinned = DataFile(path=file.path, size=file.size, rows=11, excluded=b"")
        with pytest.raises(IntegrityError, match="10 rows"):
            write(tmp_path / "table", [pinned], 2)

    @pytest.mark.parametrize(
        ("excluded", "message"),
        [
            (b"x", "not a bitmap"),
            (BitMap64([1]).serialize()[:-1], "not a bitmap"),
            (BitMap64([1]).serialize() + b"\0", "something else"),
            (BitMap64([10]).serialize(), "position 10"),
            (BitMap64([2**40]).serialize(), "position"),
        ],
    )
    def test_damaged_exclusions_are_refused(self, tmp_path: Path, excluded: bytes, message: str) -> None:
        file = data_file(tmp_path / "x.parquet", items(10))
        broken = DataFile(path=file.path, size=file.size, rows=file.rows, excluded=excluded)
        with pytest.raises(IntegrityError, match=message) as caught:
            write(tmp_path / "table", [broken], 3)
        assert caught.value.code == "release-exclusions-damaged"

    @pytest.mark.parametrize(
        ("other", "message"),
        [
            (pa.table({"id": ["a"], "more": [1]}), "`more` is not in the table"),
            (pa.table({"id": [1]}), "`id` is `long` in place of `string`"),
            (pa.table({"tags": ["a"]}), "`tags` is `string` in place of `list`"),
            (pa.table({"tags": [[1]]}), "`tags.element` is `long` in place of `string`"),
        ],
    )
    def test_files_with_different_schemas_are_refused(self, tmp_path: Path, other: pa.Table, message: str) -> None:
        files = [data_file(tmp_path / "a.parquet", items(3)), data_file(tmp_path / "b.parquet", other)]
        with pytest.raises(CorpusError, match=message) as caught:
            write(tmp_path / "table", files, 2)
        assert caught.value.code == "release-schema-differs"
        assert caught.value.where == str(files[1].path)

    def test_a_file_with_fewer_and_narrower_columns_is_taken(self, tmp_path: Path) -> None:
        wide = data_file(tmp_path / "a.parquet", pa.table({"id": ["a"], "n": pa.array([1], pa.int64())}))
        narrow = data_file(tmp_path / "b.parquet", pa.table({"n": pa.array([1], pa.int32())}))
        assert write(tmp_path / "table", [wide, narrow], 2).data_files == 2


@given(st.integers(0, 40), st.sets(st.integers(0, 59)), st.integers(0, 20))
def test_a_mask_is_what_the_set_says(start: int, excluded: set[int], rows: int) -> None:
    file = DataFile(path=Path("x"), size=0, rows=60, excluded=BitMap64(excluded).serialize())
    mask = eligible_mask(excluded_positions(file), start=start, rows=rows)
    expected = [position not in excluded for position in range(start, start + rows)]
    assert ([True] * rows if mask is None else mask.tolist()) == expected
