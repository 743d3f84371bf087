"""What every part of the interface has in common: strict bodies, complete answers, errors, and lists in pages."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Annotated, Any, NamedTuple, TypeVar

from fastapi import Path, Query
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from consentry.errors import InputError
from consentry.policy.vocabulary import Category, Purpose, Visibility
from consentry.service.request_words import form

LARGEST_NUMBER = (1 << 53) - 1
"""The largest whole number that every JSON reader keeps."""
MOST_ROWS = 1000
_NAME = form(r"^[a-z0-9]+(-[a-z0-9]+)*$", "must be lower-case letters, digits and single hyphens")
_T = TypeVar("_T")


def _one_line(text: str) -> str:
    if not text.strip() or not text.isprintable():
        raise ValueError("must be one line of printable characters, not only spaces")
    return text


def whole_number(value: Any) -> Any:
    """Return 256 for 256.0: to JSON, and to its schemas, that is one number. Anything else stays as it is."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def utf8(text: str) -> str:
    """Return a text, if it can be stored and answered.

    Raises:
        ValueError: half of a surrogate pair, or NUL.
    """
    if not text.isprintable() and any(0xD800 <= ord(each) < 0xE000 or each == "\0" for each in text):
        raise ValueError("must be text that UTF-8 can hold, without NUL")
    return text


Word = Annotated[str, Field(pattern=_NAME, max_length=100, examples=["august-2024"])]
"""A name given by us or by staff: lower-case letters, digits and single hyphens."""
Line = Annotated[
    str,
    Field(min_length=1, max_length=200, pattern=form(
        r"^[ -~\u00a1-\u00ac\u00ae-\u02ff]*[!-~\u00a1-\u00ac\u00ae-\u02ff][ -~\u00a1-\u00ac\u00ae-\u02ff]*$",
        "must be one line in Latin letters, not only spaces")),
    AfterValidator(_one_line),
]  # fmt: skip
"""One line of text. It stays in the ledger: no personal data."""
NO_NUL = form(r"^[^\x00]*$", "must be text without NUL")
"""What `utf8` asks for, as far as a schema can say it: half of a surrogate pair is no text to begin with."""
Ident = Annotated[str, Field(min_length=1, max_length=200, pattern=NO_NUL), AfterValidator(utf8)]
"""An id of a person or an item as the platform has it. It is pseudonymised before anything is stored."""
Text = Annotated[
    str,
    Field(
        min_length=1,
        max_length=10_000,
        pattern=form(r"^[^\x00]*[^\s\x00][^\x00]*$", "must be text without NUL, not only spaces"),
    ),
    AfterValidator(utf8),
]
"""Some lines of somebody's words. They are kept encrypted, and can be erased."""
Area = Annotated[
    str,
    Field(
        pattern=form(r"^[A-Z]{2,9}(-[A-Z0-9]{1,3})?$", "must be a code of a place in capitals, such as UK or CA-QC"),
        examples=["UK"],
    ),
]
"""An ISO 3166 code, or a group of places: UK, EU, EEA."""
Whole = Annotated[int, Field(strict=True, ge=0, le=LARGEST_NUMBER), BeforeValidator(whole_number)]
Moment = Annotated[
    int, Field(strict=True, ge=0, le=253_402_300_799, examples=[1_730_000_000]), BeforeValidator(whole_number)
]
"""Whole seconds since 1970-01-01T00:00:00Z."""
Position = Annotated[int, Field(ge=0)]
"""A place in the ledger."""
Yes = Annotated[bool, Field(strict=True)]
Sha256 = Annotated[str, Field(pattern=form(r"^sha256:[0-9a-f]{64}$", "must be `sha256:` and 64 of 0-9 and a-f"))]

_CALLED = form(r"^[0-9A-Za-z][0-9A-Za-z._-]{0,199}$", "must be letters, digits, dots, hyphens and underscores")
Released = Annotated[str, Field(pattern=_CALLED)]
"""The name of a release or a lease, in a body."""

Named = Annotated[str, Path(pattern=_NAME, max_length=100)]
"""The name of something, in an address."""
Called = Annotated[str, Path(pattern=_CALLED)]
"""The name of a release, an order or a lease, in an address."""
Limit = Annotated[int, Query(ge=1, le=MOST_ROWS, description="How many, at most.")]
After = Annotated[
    str | None,
    Query(
        pattern=form(r"^[!-~]{1,200}$", "must be 1 to 200 printable characters of ASCII, without a space"),
        description="Go on after this: what `next` of the last answer said.",
    ),
]


class Body(BaseModel):
    """What a request says. A name nobody knows is refused: one spelled wrong must not silently be the default."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True, frozen=True)


class Answer(BaseModel):
    """What is answered. Every field is always there, and the description says so."""

    model_config = ConfigDict(
        extra="forbid", from_attributes=True, frozen=True, json_schema_serialization_defaults_required=True
    )


class Problem(Answer):
    """An error (RFC 9457). Go by `code`: it stays the same for ever, and docs/errors.md explains it."""

    type: str = Field(examples=["about:blank"])
    status: int = Field(examples=[404])
    title: str = Field(description="What is wrong.")
    detail: str = Field(description="What to do about it.")
    code: str = Field(examples=["release-unknown"], pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")
    request_id: str = Field(description="Of the request, as in `x-request-id` and in the log.")


class Said(Answer):
    """Something was recorded."""

    position: Position


class ScopeBody(Body):
    """What an order is about; a part that is left out, or empty, means all."""

    areas: frozenset[Area] = frozenset()
    purposes: frozenset[Purpose] = frozenset()
    categories: frozenset[Category] = frozenset()
    visibilities: frozenset[Visibility] = frozenset()
    created_from: Moment | None = None
    created_before: Moment | None = None
    models: frozenset[Word] = frozenset()


class ScopeAnswer(Answer):
    """What an order is about; an empty part means all."""

    areas: list[str]
    purposes: list[Purpose]
    categories: list[Category]
    visibilities: list[Visibility]
    created_from: int | None
    created_before: int | None
    models: list[str]


def problems(named: Mapping[int, str] | None = None) -> dict[int | str, dict[str, Any]]:
    """Return the errors of an address for its description: a status, and the codes it can have there."""
    schema = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {
        status: {"description": f"`{'`, `'.join(codes.split())}`", "content": schema}
        for status, codes in (named or {}).items()
    }


class Part(NamedTuple):
    """A part of a list, and what to ask for to have the next one."""

    rows: list[Any]
    next: str | None


def part(
    rows: Iterable[_T],
    key: Callable[[_T], str],
    *,
    limit: int,
    after: str | None,
    keep: Callable[[_T], bool] = lambda _: True,
) -> Part:
    """Return at most `limit` rows after the one whose key is `after`. Rows keep their order, and are only added to.

    `keep` says which of them are asked for: a list can go on after one that was and is no more.

    Raises:
        InputError: no row has this key.
    """
    every = list(rows)
    start = 0
    if after is not None:
        start = next((index + 1 for index, row in enumerate(every) if key(row) == after), -1)
        if start < 0:
            raise InputError("list-cursor", "nothing in this list has the key of `after`", help="begin without `after`")
    rest = [row for row in every[start:] if keep(row)]
    found = rest[:limit]
    return Part(found, key(found[-1]) if len(rest) > limit else None)
