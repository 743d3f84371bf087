"""The schema of a table: every type of Arrow that Iceberg has, ids and names all the way down, and the rest refused."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest

from consentry.errors import CorpusError
from consentry.release.iceberg_schema import FormatVersion, check_file, table_schema, united

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


NARROW = pa.schema(
    [
        ("id", pa.int32()),
        ("kind", pa.dictionary(pa.int32(), pa.string())),
        ("who", pa.struct([("age", pa.int32())])),
        ("scores", pa.list_(pa.float32())),
        ("counts", pa.map_(pa.string(), pa.int32())),
    ]
)
WIDE = pa.schema(
    [
        ("counts", pa.map_(pa.string(), pa.int64())),
        ("scores", pa.large_list(pa.float64())),
        ("who", pa.struct([("age", pa.int64()), ("name", pa.string())])),
        ("kind", pa.string()),
        ("id", pa.int64()),
        ("lang", pa.string()),
    ]
)


class TestUnited:
    @pytest.mark.parametrize("version", VERSIONS)
    @pytest.mark.parametrize("schemas", [(NARROW, WIDE), (WIDE, NARROW), (NARROW, WIDE, NARROW)])
    def test_every_file_can_be_read_by_it_whichever_comes_first(
        self, schemas: tuple[pa.Schema, ...], version: FormatVersion
    ) -> None:
        table = table_schema(united(schemas), format_version=version)
        for schema in schemas:
            check_file(schema, table, format_version=version, where="a.parquet")
        types = {field["name"]: field["type"] for field in table.document["fields"]}
        assert set(types) == {*NARROW.names, *WIDE.names}
        assert (types["id"], types["kind"]) == ("long", "string")
        assert types["scores"]["element"] == "double"
        assert types["counts"]["value"] == "long"
        assert {field["name"]: field["type"] for field in types["who"]["fields"]} == {"age": "long", "name": "string"}

    def test_one_file_alone_stays_as_it_is(self) -> None:
        assert united([WIDE]).equals(WIDE)
        twice = pa.schema([("a", pa.string()), ("a", pa.int64())])
        with pytest.raises(CorpusError, match="release-column-twice"):
            table_schema(united([twice]), format_version=2)

    def test_what_no_type_holds_is_said_of_the_file(self) -> None:
        one, other = pa.schema([("a", pa.int64())]), pa.schema([("a", pa.string())])
        table = table_schema(united([one, other]), format_version=2)
        with pytest.raises(CorpusError, match="column `a` is `string` in place of `long`"):
            check_file(other, table, format_version=2, where="b.parquet")

    def test_field_ids_are_kept(self) -> None:
        def numbered(name: str, id_: int) -> pa.Field[Any]:
            return pa.field(name, pa.int32(), metadata={"PARQUET:field_id": str(id_)})

        found = united([pa.schema([numbered("a", 7)]), pa.schema([numbered("b", 3), numbered("a", 7)])])
        document = table_schema(found, format_version=2).document
        assert [(field["id"], field["name"]) for field in document["fields"]] == [(7, "a"), (3, "b")]
