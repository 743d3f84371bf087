"""Arrow types in Iceberg's words, and the mapping from column names to Iceberg's field ids. Pure.

Iceberg finds columns by number, not by name. Files that Iceberg wrote carry the numbers, and those are taken over. All
other files carry none; for them the table has a *name mapping*. A file with numbers on some columns only is refused:
readers disagree about what it means.

Every column must have an Iceberg type, because a reader looks at all columns of a file, not only at those asked for:

| Arrow | Iceberg |
|---|---|
| bool, float, double, date32, time64[us] | boolean, float, double, date, time |
| int8, int16, int32, uint8, uint16; int64 | int; long |
| string, large_string, string_view | string |
| binary, large_binary, binary_view; fixed_size_binary(n) | binary; fixed[n] |
| decimal128(p, s) | decimal(p,s) |
| timestamp[s, ms, us], without zone; in UTC | timestamp; timestamptz |
| timestamp[ns] | timestamp_ns, timestamptz_ns, in format version 3 only |
| dictionary | the type of its values |
| list, large_list, fixed_size_list; struct; map | list; struct; map |
| all other types, and unsigned integers of 32 and 64 bits | refused |

Unsigned integers of 32 bits are refused though a long holds them: Parquet stores them in 32 bits, and readers that take
those for signed return other values.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import pyarrow as pa
from pyarrow import types

from consentry.errors import CorpusError

FormatVersion = Literal[2, 3]
Document = dict[str, Any]
FIELD_ID_KEY = b"PARQUET:field_id"
_UTC = frozenset({"UTC", "utc", "+00:00", "Etc/UTC", "Z"})
_PROMOTIONS = (("int", "long"), ("float", "double"))


@dataclass(frozen=True, slots=True, kw_only=True)
class TableSchema:
    """An Iceberg schema: its JSON form, the name mapping for files without ids, and the largest id in it."""

    document: Document
    name_mapping: list[Document]
    last_column_id: int


def table_schema(schema: pa.Schema, *, format_version: FormatVersion) -> TableSchema:
    """Return `schema` as an Iceberg schema.

    Raises:
        CorpusError: a column that Iceberg cannot describe, two columns of one name, or ids on some columns only.
    """
    _refuse_duplicates(schema)
    number = _numbering(schema)
    fields, mapping = _struct(list(schema), "", number=number, version=format_version)
    document = {"type": "struct", "schema-id": 0, "fields": fields}
    return TableSchema(document=document, name_mapping=mapping, last_column_id=max(_ids(document), default=0))


def united(schemas: Iterable[pa.Schema]) -> pa.Schema:
    """Return a schema that has the columns of all: in order of appearance, of the widest type that one has.

    What no table can hold together stays as it came first; `check_file` says of which file it differs.
    """
    return pa.schema(_united(list(schemas)))


def _united(structs: Sequence[Iterable[pa.Field[Any]]]) -> list[pa.Field[Any]]:
    found: dict[str, pa.Field[Any]] = {}
    twice: list[pa.Field[Any]] = []
    for struct in structs:
        own = list(struct)
        names = [field.name for field in own]
        twice += [field for place, field in enumerate(own) if field.name in names[:place]]
        for field in own:
            before = found.get(field.name)
            found[field.name] = field if before is None else before.with_type(_wider(before.type, field.type))
    return [*found.values(), *twice]


def _wider(one: Any, other: Any) -> Any:
    """Return a type that both can be read as, `one` if there is none."""
    if types.is_struct(one) and types.is_struct(other):
        return pa.struct(_united([_children(one), _children(other)]))
    if _is_list(one) and _is_list(other):
        element = one.value_field
        return pa.list_(element.with_type(_wider(element.type, other.value_type)))
    if types.is_map(one) and types.is_map(other):
        item = one.item_field
        return pa.map_(one.key_field, item.with_type(_wider(item.type, other.item_type)))
    return other if (_PLAIN.get(one), _PLAIN.get(other)) in _PROMOTIONS else one


def check_file(schema: pa.Schema, table: TableSchema, *, format_version: FormatVersion, where: str) -> None:
    """Check that a file with `schema` can be read as `table`: same types (or narrower), and the same ids if it has any.

    Raises:
        CorpusError: it cannot.
    """
    try:
        document = table_schema(schema, format_version=format_version).document
    except CorpusError as error:
        raise CorpusError(error.code, error.message, help=error.help, where=where) from error
    with_ids = any(field.metadata and FIELD_ID_KEY in field.metadata for field in schema)
    _check_struct(
        document["fields"], table.document["fields"], comparison=_Comparison(where=where, with_ids=with_ids), path=""
    )


def _refuse_duplicates(schema: pa.Schema) -> None:
    seen: set[str] = set()
    for name in schema.names:
        if name in seen:
            raise CorpusError(
                "release-column-twice",
                f"two columns are named `{name}`",
                help="give every column a name of its own",
            )
        seen.add(name)


def _numbering(schema: pa.Schema) -> Callable[[pa.Field[Any]], int]:
    """Return what numbers a field: the ids it carries if all fields carry one, else a counter."""
    marked = [_given_id(field) is not None for field in _all_fields(schema)]
    if not any(marked):
        counter = itertools.count(1)
        return lambda _field: next(counter)
    if all(marked):
        return lambda field: _given_id(field) or 0
    raise CorpusError(
        "release-field-ids-partial",
        "some columns carry an Iceberg field id and some do not",
        help="write the files again, with ids on all columns (nested ones as well) or on none",
    )


def _given_id(field: pa.Field[Any]) -> int | None:
    given = (field.metadata or {}).get(FIELD_ID_KEY)
    return None if given is None else int(given)


def _all_fields(fields: Any) -> Iterator[pa.Field[Any]]:
    for field in fields:
        yield field
        yield from _all_fields(_children(field.type))


def _children(arrow: Any) -> list[pa.Field[Any]]:
    if types.is_map(arrow):
        return [arrow.key_field, arrow.item_field]
    if types.is_struct(arrow):
        return [arrow.field(place) for place in range(arrow.num_fields)]
    return [arrow.value_field] if _is_list(arrow) else []


def _is_list(arrow: Any) -> bool:
    return bool(types.is_list(arrow) or types.is_large_list(arrow) or types.is_fixed_size_list(arrow))


def _struct(
    fields: Sequence[pa.Field[Any]], path: str, *, number: Callable[[pa.Field[Any]], int], version: FormatVersion
) -> tuple[list[Document], list[Document]]:
    """Return the fields of a struct and their name mapping. Siblings are numbered before their children."""
    ids = [number(field) for field in fields]
    described: list[Document] = []
    mapping: list[Document] = []
    for id_, field in zip(ids, fields, strict=True):
        type_, nested = _type(field.type, f"{path}{field.name}", number=number, version=version)
        # Optional even where the files have no nulls: a file that lacks the column reads as null.
        described.append({"id": id_, "name": field.name, "required": False, "type": type_})
        mapping.append(_mapped(id_, [field.name], nested))
    return described, mapping


def _mapped(id_: int, names: Sequence[str], nested: list[Document]) -> Document:
    mapped: Document = {"field-id": id_, "names": list(dict.fromkeys(names))}
    return {**mapped, "fields": nested} if nested else mapped


def _type(
    arrow: Any, path: str, *, number: Callable[[pa.Field[Any]], int], version: FormatVersion
) -> tuple[str | Document, list[Document]]:
    if types.is_dictionary(arrow):
        return _type(arrow.value_type, path, number=number, version=version)
    if types.is_struct(arrow):
        fields, mapping = _struct(_children(arrow), f"{path}.", number=number, version=version)
        return {"type": "struct", "fields": fields}, mapping
    if types.is_map(arrow):
        return _map(arrow, path, number=number, version=version)
    if _is_list(arrow):
        return _list(arrow, path, number=number, version=version)
    return _primitive(arrow, path, version), []


def _list(
    arrow: Any, path: str, *, number: Callable[[pa.Field[Any]], int], version: FormatVersion
) -> tuple[Document, list[Document]]:
    element = arrow.value_field
    id_ = number(element)
    type_, nested = _type(element.type, f"{path}.element", number=number, version=version)
    document = {"type": "list", "element-id": id_, "element-required": False, "element": type_}
    return document, [_mapped(id_, ["element", element.name], nested)]


def _map(
    arrow: Any, path: str, *, number: Callable[[pa.Field[Any]], int], version: FormatVersion
) -> tuple[Document, list[Document]]:
    key_id, value_id = number(arrow.key_field), number(arrow.item_field)
    key, key_nested = _type(arrow.key_type, f"{path}.key", number=number, version=version)
    value, value_nested = _type(arrow.item_type, f"{path}.value", number=number, version=version)
    document = {
        "type": "map",
        "key-id": key_id,
        "key": key,
        "value-id": value_id,
        "value-required": False,
        "value": value,
    }
    mapping = [
        _mapped(key_id, ["key", arrow.key_field.name], key_nested),
        _mapped(value_id, ["value", arrow.item_field.name], value_nested),
    ]
    return document, mapping


_PLAIN: Mapping[Any, str] = {
    pa.bool_(): "boolean",
    pa.int8(): "int",
    pa.int16(): "int",
    pa.int32(): "int",
    pa.uint8(): "int",
    pa.uint16(): "int",
    pa.int64(): "long",
    pa.float32(): "float",
    pa.float64(): "double",
    pa.date32(): "date",
    pa.time64("us"): "time",
    pa.string(): "string",
    pa.large_string(): "string",
    pa.string_view(): "string",
    pa.binary(): "binary",
    pa.large_binary(): "binary",
    pa.binary_view(): "binary",
}

_ADVICE: Sequence[tuple[Callable[[Any], bool], str]] = (
    (types.is_uint32, "store it as int64"),
    (types.is_uint64, "store it as int64, decimal128(20, 0) or string"),
    (types.is_float16, "store it as float32"),
    (types.is_date64, "store it as date32"),
    (types.is_time, "store it as time64 in microseconds"),
    (types.is_timestamp, "store it in microseconds, without zone or in UTC; nanoseconds need format version 3"),
    (types.is_null, "give it the type that it has where it is not empty"),
    (types.is_decimal256, "store it as decimal128 with at most 38 digits"),
)


def _primitive(arrow: Any, path: str, version: FormatVersion) -> str:
    """Return Iceberg's name for a type without parts; `path` names the column in the error."""
    if plain := _PLAIN.get(arrow):
        return plain
    if types.is_fixed_size_binary(arrow):
        return f"fixed[{arrow.byte_width}]"
    if types.is_decimal128(arrow):
        return f"decimal({arrow.precision},{arrow.scale})"
    if types.is_timestamp(arrow) and (arrow.tz is None or arrow.tz in _UTC):
        kind = "timestamp" if arrow.tz is None else "timestamptz"
        if arrow.unit != "ns":
            return kind
        if version >= 3:
            return f"{kind}_ns"
    advice = next((advice for holds, advice in _ADVICE if holds(arrow)), "store it as another type")
    raise CorpusError(
        "release-type-unsupported",
        f"column `{path}` has type `{arrow}`, which an Iceberg table of format version {version} cannot describe",
        help=f"{advice}; or leave the Iceberg table out and materialise the release",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Comparison:
    where: str
    with_ids: bool


def _check_struct(
    file_fields: Sequence[Document], table_fields: Sequence[Document], *, comparison: _Comparison, path: str
) -> None:
    by_name = {field["name"]: field for field in table_fields}
    for field in file_fields:
        column = f"{path}{field['name']}"
        expected = by_name.get(field["name"])
        if expected is None:
            raise _differs(comparison, f"column `{column}` is not in the table")
        if comparison.with_ids and field["id"] != expected["id"]:
            raise _differs(comparison, f"column `{column}` has field id {field['id']} in place of {expected['id']}")
        _check_type(field["type"], expected["type"], comparison=comparison, path=column)


def _check_type(file_type: Any, table_type: Any, *, comparison: _Comparison, path: str) -> None:
    if isinstance(file_type, str) or isinstance(table_type, str):
        if file_type != table_type and (file_type, table_type) not in _PROMOTIONS:
            raise _differs(comparison, f"column `{path}` is {_kind(file_type)} in place of {_kind(table_type)}")
        return
    if file_type["type"] != table_type["type"]:
        raise _differs(comparison, f"column `{path}` is {_kind(file_type)} in place of {_kind(table_type)}")
    if file_type["type"] == "struct":
        _check_struct(file_type["fields"], table_type["fields"], comparison=comparison, path=f"{path}.")
        return
    for part in ("element", "key", "value"):
        if part in file_type:
            if comparison.with_ids and file_type[f"{part}-id"] != table_type[f"{part}-id"]:
                raise _differs(comparison, f"column `{path}.{part}` has another field id than in the table")
            _check_type(file_type[part], table_type[part], comparison=comparison, path=f"{path}.{part}")


def _kind(type_: Any) -> str:
    return f"`{type_ if isinstance(type_, str) else type_['type']}`"


def _differs(comparison: _Comparison, message: str) -> CorpusError:
    return CorpusError(
        "release-schema-differs",
        message,
        help="write the files of a corpus with one schema, or register them as two corpora",
        where=comparison.where,
    )


def _ids(document: Any) -> Iterator[int]:
    if isinstance(document, dict):
        for key, value in document.items():
            if key in {"id", "element-id", "key-id", "value-id"}:
                yield value
            else:
                yield from _ids(value)
    elif isinstance(document, list):
        for member in document:
            yield from _ids(member)
