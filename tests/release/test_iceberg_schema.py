"""The schema of a table: every type of Arrow that Iceberg has, ids and names all the way down, and the rest refused."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest

from consentry.errors import CorpusError
from consentry.release.iceberg_schema import FormatVersion, table_schema

VERSIONS: tuple[FormatVersion, ...] = (2, 3)


class TestSchema:
    @pytest.mark.parametrize("version", VERSIONS)
    @pytest.mark.parametrize(
        ("arrow", "iceberg"),
        [
            (pa.int8(), "int"),
            (pa.uint16(), "int"),
            (pa.int64(), "long"),
            (pa.large_string(), "string"),
            (pa.dictionary(pa.int32(), pa.string()), "string"),
            (pa.large_binary(), "binary"),
            (pa.binary(16), "fixed[16]"),
            (pa.decimal128(12, 2), "decimal(12,2)"),
            (pa.timestamp("ms"), "timestamp"),
            (pa.timestamp("us", "UTC"), "timestamptz"),
            (pa.date32(), "date"),
            (pa.time64("us"), "time"),
        ],
    )
    def test_types(self, arrow: pa.DataType, iceberg: str, version: FormatVersion) -> None:
        schema = table_schema(pa.schema([("c", arrow)]), format_version=version)
        assert schema.document["fields"] == [{"id": 1, "name": "c", "required": False, "type": iceberg}]

    @pytest.mark.parametrize(
        ("arrow", "advice"),
        [
            (pa.uint32(), "int64"),
            (pa.uint64(), "string"),
            (pa.timestamp("ns"), "format version 3"),
            (pa.timestamp("us", "Europe/London"), "in UTC"),
            (pa.date64(), "date32"),
            (pa.float16(), "float32"),
            (pa.duration("s"), "another type"),
            (pa.null(), "where it is not empty"),
        ],
    )
    def test_what_cannot_be_described_is_refused_with_advice(self, arrow: pa.DataType, advice: str) -> None:
        nested = pa.schema([("outer", pa.list_(pa.struct([("inner", arrow)])))])
        with pytest.raises(CorpusError, match=r"`outer\.element\.inner`") as caught:
            table_schema(nested, format_version=2)
        assert caught.value.code == "release-type-unsupported"
        assert advice in caught.value.help

    def test_nanoseconds_are_in_version_three(self) -> None:
        schema = pa.schema([("a", pa.timestamp("ns")), ("b", pa.timestamp("ns", "UTC"))])
        fields = table_schema(schema, format_version=3).document["fields"]
        assert [field["type"] for field in fields] == ["timestamp_ns", "timestamptz_ns"]

    def test_nested_types_have_ids_and_names_all_the_way_down(self) -> None:
        person = pa.struct([("id", pa.string()), ("names", pa.list_(pa.string()))])
        schema = table_schema(
            pa.schema([("involves", pa.list_(person)), ("counts", pa.map_(pa.string(), pa.int32()))]), format_version=2
        )
        assert schema.name_mapping == [
            {
                "field-id": 1,
                "names": ["involves"],
                "fields": [
                    {
                        "field-id": 3,
                        "names": ["element", "item"],
                        "fields": [
                            {"field-id": 4, "names": ["id"]},
                            {
                                "field-id": 5,
                                "names": ["names"],
                                "fields": [{"field-id": 6, "names": ["element", "item"]}],
                            },
                        ],
                    }
                ],
            },
            {
                "field-id": 2,
                "names": ["counts"],
                "fields": [{"field-id": 7, "names": ["key"]}, {"field-id": 8, "names": ["value"]}],
            },
        ]
        assert schema.last_column_id == 8

    def test_two_columns_of_one_name_are_refused(self) -> None:
        with pytest.raises(CorpusError) as caught:
            table_schema(pa.schema([("a", pa.string()), ("a", pa.int64())]), format_version=2)
        assert caught.value.code == "release-column-twice"

    def test_field_ids_on_some_columns_are_refused(self) -> None:
        numbered: pa.Field[Any] = pa.field("a", pa.string(), metadata={"PARQUET:field_id": "1"})
        with pytest.raises(CorpusError) as caught:
            table_schema(pa.schema([numbered, pa.field("b", pa.string())]), format_version=2)
        assert caught.value.code == "release-field-ids-partial"
