"""What does not fit in a request, in plain words: what a value is not, or must be. What was given is not repeated.

    Word = Annotated[str, Field(pattern=form(r"^[a-z]+$", "must be lower-case letters"))]

The words for a form stand beside its pattern: nobody should have to read a regular expression to mend a request.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

_FORMS: dict[str, str] = {}
_NO_OBJECT, _NO_LIST, _NO_NUMBER = "is no object with names and values", "is no list", "is no number"
_NO_WHOLE, _NO_YES = "is no whole number", "is neither true nor false"
_MISFITS: Mapping[str, str] = MappingProxyType(
    {
        "missing": "is missing",
        "extra_forbidden": "is a name that is not known here",
        "string_type": "is no text",
        "string_too_long": "has more than {max_length} characters",
        "string_too_short": "has fewer characters than {min_length}",
        "too_long": "holds more than {max_length}",
        "too_short": "holds fewer than {min_length}",
        "literal_error": "is none of {expected}",
        "enum": "is none of {expected}",
        "greater_than_equal": "is less than {ge}",
        "less_than_equal": "is more than {le}",
        "value_error": "{error}",
        "json_invalid": "is no JSON",
        "finite_number": _NO_NUMBER,
        **dict.fromkeys(("int_type", "int_parsing", "int_parsing_size", "int_from_float"), _NO_WHOLE),
        **dict.fromkeys(("float_type", "float_parsing"), _NO_NUMBER),
        **dict.fromkeys(("bool_type", "bool_parsing"), _NO_YES),
        **dict.fromkeys(("list_type", "tuple_type", "set_type", "frozen_set_type"), _NO_LIST),
        **dict.fromkeys(("dict_type", "model_type", "model_attributes_type", "mapping_type"), _NO_OBJECT),
    }
)


def form(pattern: str, words: str) -> str:
    """Return a pattern, known from now on with what it asks for in words, which begin with `must`."""
    assert _FORMS.setdefault(pattern, words) == words, "one pattern asks for one thing"
    return pattern


def misfit(error: Mapping[str, Any]) -> str:
    """Return what is wrong with a value, after whose place it is said; `error` is one of pydantic's."""
    told, kind = error.get("ctx", {}), error.get("type", "")
    if kind == "string_pattern_mismatch" and told.get("pattern") in _FORMS:
        return _FORMS[told["pattern"]]
    if kind in _MISFITS:
        return _MISFITS[kind].format_map({"expected": "", **told})
    reason = str(error["msg"])
    return reason[:1].lower() + reason[1:]
