"""Descriptors: which column of a platform's files is what.

A corpus descriptor names the Parquet files of a corpus and gives columns *roles*; a people descriptor does the same for
the table of people. Both are TOML that the platform's own people write:

    >>> network = parse_corpus('''
    ... [corpus]
    ... name = "network"
    ... files = ["items/*.parquet"]
    ... [columns]
    ... item = "id"
    ... author = "author_id"
    ... category = "kind"
    ... [categories]
    ... "status_update" = "post"
    ... ''')
    >>> network.columns["author"], network.categories["status_update"]
    ('author_id', <Category.POST: 'post'>)

Rules:

* A role comes from a column, or is the same for every item (`[constants]`), never both. No column has two roles.
* Only `involves` may be a path: `mentions.id` is the field `id` in the elements of the list column `mentions`.
* A null author, and a null among the involved people, is a gap. A null or empty list of involved people is nobody.
* The platform's words for categories, visibilities, ages and accounts are mapped to ours. A word that is neither mapped
  nor ours counts as `unknown` (of an account: `unclear`), which is a gap.
* What `[constants]` says about people is the platform's own word for it: `age = "adult"` states that everybody is.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import pyarrow as pa

from consentry.corpus.descriptor_source import DescriptorSource
from consentry.corpus.file_patterns import matching
from consentry.corpus.place_names import replaced_codes
from consentry.digests import Digest, digest_json
from consentry.errors import CorpusError, DescriptorError, PeopleError, raise_all
from consentry.policy.jurisdictions import known_place, part_advice
from consentry.policy.line_map import KeyPath
from consentry.policy.policy_table import nearest
from consentry.policy.vocabulary import Account, Age, Category, Visibility

_MOST_NAMED = 50
"""Columns of a file that a help line lists."""
_COUNTRY = re.compile(r"[A-Z]{2}")
_Word = TypeVar("_Word", bound=StrEnum)


class _Accepted(NamedTuple):
    """Which column types a role accepts, and how to say it. Unless it is `needed`, a column of nulls only will do."""

    words: str
    test: Callable[[pa.DataType], bool]
    needed: bool = False


def _plain(kind: pa.DataType) -> pa.DataType:
    """See through a dictionary encoding."""
    return kind.value_type if pa.types.is_dictionary(kind) else kind


def _is_text(kind: pa.DataType) -> bool:
    kind = _plain(kind)
    return any(test(kind) for test in (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view))


def _is_id(kind: pa.DataType) -> bool:
    return _is_text(kind) or pa.types.is_integer(_plain(kind))


def _is_moment(kind: pa.DataType) -> bool:
    return any(test(kind) for test in (pa.types.is_timestamp, pa.types.is_date, pa.types.is_integer))


def _is_birth(kind: pa.DataType) -> bool:
    return _is_moment(kind) or _is_text(kind)


def _is_picture(kind: pa.DataType) -> bool:
    return _is_text(kind) or pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_struct(kind)


_ID = _Accepted("strings or integers", _is_id)
_OWN_ID = _Accepted("strings or integers", _is_id, needed=True)
_TEXT = _Accepted("strings", _is_text)
_MOMENT = _Accepted("timestamps, dates, or whole seconds since 1970", _is_moment)
_PICTURE = _Accepted("paths (strings), bytes, or structs of both", _is_picture)
_BORN = _Accepted("whole numbers, dates, or texts such as `1985` or `1985-04-01`", _is_birth)
_INVOLVED = _Accepted("strings or integers, lists of them, or a path into lists of structs (`mentions.id`)", _is_id)

CORPUS_ROLES: Mapping[str, _Accepted] = {
    "item": _OWN_ID,
    "author": _ID,
    "involves": _INVOLVED,
    "category": _TEXT,
    "visibility": _TEXT,
    "created": _MOMENT,
    "licence": _TEXT,
    "text": _TEXT,
    "image": _PICTURE,
}
"""What a column of a corpus can be."""

PEOPLE_ROLES: Mapping[str, _Accepted] = {
    "person": _OWN_ID,
    "country": _TEXT,
    "location": _TEXT,
    "phone": _TEXT,
    "locale": _TEXT,
    "time_zone": _TEXT,
    "ip_country": _TEXT,
    "birth_year": _BORN,
    "age": _TEXT,
    "account": _TEXT,
    "same_as": _ID,
}
"""What a column of a people table can be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CorpusDescriptor:
    """Which files and columns make up a corpus.

    `columns` maps roles to column paths and `constants` roles to words of ours; `created_zone` is the zone of times
    that carry none.
    """

    name: str
    files: tuple[str, ...]
    columns: Mapping[str, str]
    constants: Mapping[str, str]
    created_zone: str | None
    categories: Mapping[str, Category]
    visibilities: Mapping[str, Visibility]

    def to_json(self) -> dict[str, Any]:
        """Return the descriptor as plain values, the same for the same meaning."""
        return asdict(self)

    @property
    def digest(self) -> Digest:
        """Identifies what the descriptor says, whatever the layout of its text."""
        return digest_json(self.to_json())


@dataclass(frozen=True, slots=True, kw_only=True)
class PeopleDescriptor:
    """Which files and columns make up a people table; `constants` holds words of ours, or a country code."""

    files: tuple[str, ...]
    columns: Mapping[str, str]
    constants: Mapping[str, str]
    ages: Mapping[str, Age]
    accounts: Mapping[str, Account]

    def to_json(self) -> dict[str, Any]:
        """Return the descriptor as plain values, the same for the same meaning."""
        return asdict(self)

    @property
    def digest(self) -> Digest:
        """Identifies what the descriptor says, whatever the layout of its text."""
        return digest_json(self.to_json())


def parse_corpus(text: str, *, filename: str = "corpus.toml", queried: bool = False) -> CorpusDescriptor:
    """Read a corpus descriptor; it need not name files if the rows come from a query.

    Raises:
        DescriptorError: with the line, if the text cannot be used.
    """
    source = DescriptorSource.parse(text, filename)
    source.require_kind("corpus")
    source.only(None, ("corpus", "columns", "constants", "created", "categories", "visibilities"))
    source.only("corpus", ("name", "files"))
    source.only("created", ("zone",))
    categories = source.mapping("categories", Category)
    visibilities = source.mapping("visibilities", Visibility)
    columns = source.columns(CORPUS_ROLES, required=("item", "author"))
    constants = source.constants(
        {
            "category": lambda word, path: _ours(word, path, source=source, words=Category, mapping=categories),
            "visibility": lambda word, path: _ours(word, path, source=source, words=Visibility, mapping=visibilities),
            "licence": lambda word, _path: word,
        },
        columns=columns,
    )
    if "category" not in {**source.table("columns"), **source.table("constants")}:
        source.note(source.missing(("columns",), "category", advice="name a column, or write `[constants] category`"))
    name, files, zone = source.name("corpus"), source.files("corpus", queried=queried), source.zone("created")
    source.require_sound()
    return CorpusDescriptor(
        name=name,
        files=files,
        columns=columns,
        constants=constants,
        created_zone=zone,
        categories=categories,
        visibilities=visibilities,
    )


def parse_people(text: str, *, filename: str = "people.toml", queried: bool = False) -> PeopleDescriptor:
    """Read a people descriptor; it need not name files if the rows come from a query.

    Raises:
        DescriptorError: with the line, if the text cannot be used.
    """
    source = DescriptorSource.parse(text, filename)
    source.require_kind("people")
    source.only(None, ("people", "columns", "constants", "ages", "accounts"))
    source.only("people", ("files",))
    ages = source.mapping("ages", Age)
    accounts = source.mapping("accounts", Account)
    columns = source.columns(PEOPLE_ROLES, required=("person",))
    constants = source.constants(
        {
            "country": lambda word, path: _country(word, path, source=source),
            "age": lambda word, path: _ours(word, path, source=source, words=Age, mapping=ages),
            "account": lambda word, path: _ours(word, path, source=source, words=Account, mapping=accounts),
        },
        columns=columns,
    )
    if "birth_year" in columns and "age" in columns | constants:
        twice = "a person's age comes from both `birth_year` and `age`"
        advice = "keep the one the platform trusts"
        source.note(source.error(("columns", "birth_year"), "descriptor-column-twice", message=twice, advice=advice))
    files = source.files("people", queried=queried)
    source.require_sound()
    return PeopleDescriptor(files=files, columns=columns, constants=constants, ages=ages, accounts=accounts)


def _ours(
    word: str, path: KeyPath, *, source: DescriptorSource, words: type[_Word], mapping: Mapping[str, _Word]
) -> str:
    return str(mapping[word] if word in mapping else source.word(path, word, words=words))


def _country(word: str, path: KeyPath, *, source: DescriptorSource) -> str:
    if not known_place(word) and not (_COUNTRY.fullmatch(word) and word in replaced_codes()):
        raise source.error(
            path,
            "descriptor-unknown-word",
            message=f"`{word}` is no country code",
            advice=part_advice(word) or "use ISO 3166-1 alpha-2 (`FR`) or a subdivision (`CA-QC`)",
        )
    return word


def resolve_files(descriptor: CorpusDescriptor | PeopleDescriptor, base: Path) -> list[Path]:
    """Return the files a descriptor in folder `base` names, each once, sorted by name.

    A pattern that names a folder means the Parquet files in and below it, except those beginning with `.` or `_`.

    Raises:
        DescriptorError: a pattern that matches no file.
    """
    # By what they lead to: one file in two spellings would be registered twice.
    found: dict[Path, Path] = {}
    for pattern in descriptor.files:
        files = matching(base, pattern)
        if not files:
            raise DescriptorError(
                "descriptor-no-files",
                f"`{pattern}` matches no file in `{base}`",
                help="patterns are relative to the descriptor's folder; take out those that are not needed",
            )
        for file in files:
            found.setdefault(file.resolve(), file)
    return sorted(found.values())


def check_schema(descriptor: CorpusDescriptor | PeopleDescriptor, schema: pa.Schema, *, filename: str) -> None:
    """Check that a file has the columns a descriptor names, with types their roles accept.

    Raises:
        CorpusError: a column is missing or of the wrong type; PeopleError if the descriptor is one of people.
    """
    of_corpus = isinstance(descriptor, CorpusDescriptor)
    roles = CORPUS_ROLES if of_corpus else PEOPLE_ROLES
    zone = descriptor.created_zone if isinstance(descriptor, CorpusDescriptor) else None
    family, kind = ("corpus", CorpusError) if of_corpus else ("people", PeopleError)
    found = (
        _misfit(schema, role, column, accepted=roles[role], zone=zone) for role, column in descriptor.columns.items()
    )
    raise_all(
        [
            kind(f"{family}-{each.code}", each.message, help=each.advice, where=filename)
            for each in found
            if each is not None
        ]
    )


class _Misfit(NamedTuple):
    code: str
    message: str
    advice: str


def _misfit(schema: pa.Schema, role: str, column: str, *, accepted: _Accepted, zone: str | None) -> _Misfit | None:
    first = column.split(".", maxsplit=1)[0]
    if schema.names.count(first) > 1:
        return _Misfit(
            "column-twice",
            f"there are two columns `{first}`, of which one is to be the {role}",
            "rename one of them: nobody can say which is meant",
        )
    kind = _type_at(schema, column, in_lists=role == "involves")
    plain = next((name for name in _prefixes(column) if kind is not None and name in schema.names), None)
    if plain is not None:
        return _Misfit(
            "column-twice",
            f"there is a column `{plain}`, and `{first}` has a field of that path, of which one is to be the {role}",
            "rename one of them: nobody can say which is meant",
        )
    if kind is None:
        return _Misfit(
            "missing-column",
            f"there is no column `{column}`, which is to be the {role}",
            _columns_there_are(column, schema.names),
        )
    if pa.types.is_null(kind) and not accepted.needed:
        return None
    if not accepted.test(kind):
        return _Misfit(
            "wrong-type",
            f"column `{column}` holds `{kind}` and cannot be the {role}",
            f"a column with this role holds {accepted.words}",
        )
    if pa.types.is_timestamp(kind) and kind.tz is None and zone is None:
        return _Misfit(
            "time-without-zone",
            f"column `{column}` holds times without a zone",
            'say which zone they are in: [created] zone = "UTC" in the descriptor',
        )
    return None


def _columns_there_are(column: str, names: list[str]) -> str:
    """Say which column may be meant, and which ones there are."""
    shown = ", ".join(f"`{each}`" for each in names[:_MOST_NAMED])
    more = f" and {len(names) - _MOST_NAMED:,} more" if len(names) > _MOST_NAMED else ""
    meant = nearest(column, names)
    asked = f"{meant} " if meant.startswith("did you mean") else ""
    return f"{asked}name it in the descriptor, or write the file with it; the columns are: {shown}{more}"


def _prefixes(column: str) -> list[str]:
    """Return the beginnings of a path that could be the names of columns themselves: of `a.b.c`, `a.b` and `a.b.c`."""
    parts = column.split(".")
    return [".".join(parts[:count]) for count in range(2, len(parts) + 1)]


def _type_at(schema: pa.Schema, column: str, *, in_lists: bool) -> pa.DataType | None:
    """Return the type of the values at a column path, None if it leads nowhere."""
    first, *fields = column.split(".")
    if first not in schema.names:
        return None
    kind: pa.DataType = schema.field(first).type
    if in_lists and (pa.types.is_list(kind) or pa.types.is_large_list(kind)):
        kind = kind.value_type
    for name in fields:
        if pa.types.is_null(kind):
            return kind
        if not pa.types.is_struct(kind) or kind.get_field_index(name) < 0:
            return None
        kind = kind.field(name).type
    return kind
