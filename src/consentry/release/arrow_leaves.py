"""Changing the leaves of Arrow types, however deep they are nested.

>>> import pyarrow as pa
>>> replace_leaves(pa.list_(pa.dictionary(pa.int32(), pa.string())), without_dictionary)
ListType(list<item: string>)
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pyarrow as pa
from pyarrow import types

Change = Callable[[Any], Any]


def without_dictionary(leaf: Any) -> Any:
    """Return the type of the values of a dictionary type, and any other type as it is."""
    return leaf.value_type if types.is_dictionary(leaf) else leaf


def replace_in_schema(schema: pa.Schema, change: Change) -> pa.Schema:
    """Return `schema` with every leaf changed; names, metadata and nullability stay."""
    return pa.schema([_field(field, change) for field in schema], metadata=schema.metadata)


def replace_leaves(arrow: Any, change: Change) -> Any:
    """Return a type with every leaf changed."""
    if types.is_struct(arrow):
        return pa.struct([_field(arrow.field(place), change) for place in range(arrow.num_fields)])
    if types.is_map(arrow):
        return pa.map_(_field(arrow.key_field, change), _field(arrow.item_field, change), arrow.keys_sorted)
    if types.is_fixed_size_list(arrow):
        return pa.list_(_field(arrow.value_field, change), arrow.list_size)
    if types.is_large_list(arrow):
        return pa.large_list(_field(arrow.value_field, change))
    if types.is_list(arrow):
        return pa.list_(_field(arrow.value_field, change))
    return change(arrow)


def _field(field: Any, change: Change) -> Any:
    return field.with_type(replace_leaves(field.type, change))
