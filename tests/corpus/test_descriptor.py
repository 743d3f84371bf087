from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from consentry.corpus.descriptor import (
    CORPUS_ROLES,
    CorpusDescriptor,
    check_schema,
    parse_corpus,
    parse_people,
    resolve_files,
)
from consentry.errors import CorpusError, DescriptorError, PeopleError
from consentry.policy.vocabulary import Account, Age, Category, Visibility

CORPUS = """\
[corpus]
name = "network"
files = ["items/*.parquet"]

[columns]
item = "id"
author = "author_id"
involves = "mentions.id"
category = "kind"
created = "created_at"

[constants]
visibility = "everyone"
licence = "CC BY 4.0"

[created]
zone = "UTC"

[categories]
"status_update" = "post"

[visibilities]
"everyone" = "public"
"""

PEOPLE = """\
[people]
files = ["people.parquet"]
[columns]
person = "id"
location = "place"
birth_year = "born"
[constants]
account = "ok"
[accounts]
"ok" = "active"
[ages]
"18+" = "adult"
"""

FIELDS: dict[str, pa.DataType] = {
    "id": pa.string(),
    "author_id": pa.int64(),
    "mentions": pa.list_(pa.struct([("id", pa.int64()), ("name", pa.string())])),
    "kind": pa.dictionary(pa.int32(), pa.string()),
    "created_at": pa.timestamp("us"),
}
SCHEMA = pa.schema(FIELDS)


def test_a_corpus_descriptor_says_what_every_column_is() -> None:
    found = parse_corpus(CORPUS)
    assert found.name == "network"
    assert found.files == ("items/*.parquet",)
    assert found.columns["involves"] == "mentions.id"
    assert found.constants == {"visibility": "public", "licence": "CC BY 4.0"}
    assert found.categories == {"status_update": Category.POST}
    assert found.visibilities == {"everyone": Visibility.PUBLIC}
    assert found.created_zone == "UTC"


def test_a_people_descriptor_says_what_every_column_is() -> None:
    found = parse_people(PEOPLE)
    assert found.columns == {"person": "id", "location": "place", "birth_year": "born"}
    assert found.constants == {"account": "active"}
    assert found.accounts == {"ok": Account.ACTIVE}
    assert found.ages == {"18+": Age.ADULT}


@pytest.mark.parametrize(
    ("old", "new", "code", "line"),
    [
        ("[corpus]", "[corpus", "descriptor-syntax", 1),
        ('name = "network"', 'name = "network', "descriptor-syntax", 2),
        ('name = "network"\n', "", "descriptor-missing-key", 1),
        ('files = ["items/*.parquet"]\n', "", "descriptor-missing-key", 1),
        ('author = "author_id"\n', "", "descriptor-missing-key", 5),
        ('category = "kind"\n', "", "descriptor-missing-key", 5),
        ('author = "author_id"', 'autor = "author_id"', "descriptor-unknown-key", 7),
        ("[created]", "[creation]", "descriptor-unknown-key", 16),
        ('zone = "UTC"', 'zoen = "UTC"', "descriptor-unknown-key", 17),
        ('author = "author_id"', 'author = "id"', "descriptor-column-twice", 7),
        ('licence = "CC BY 4.0"', 'category = "post"', "descriptor-column-twice", 14),
        ('"status_update" = "post"', '"status_update" = "pots"', "descriptor-unknown-word", 20),
        ('visibility = "everyone"', 'visibility = "somebody"', "descriptor-unknown-word", 13),
        ('zone = "UTC"', 'zone = "Europe/Lonodn"', "descriptor-unknown-word", 17),
        ('author = "author_id"', 'author = "by.id"', "descriptor-nested-column", 7),
        ('author = "author_id"', "author = 3", "descriptor-wrong-value", 7),
        ('author = "author_id"', 'author = ""', "descriptor-wrong-value", 7),
        ('name = "network"', 'name = "../up"', "descriptor-wrong-value", 2),
        ('files = ["items/*.parquet"]', 'files = "items"', "descriptor-wrong-value", 3),
        ("[created]", "[[created]]", "descriptor-wrong-value", 16),
    ],
)
def test_a_mistake_is_named_with_its_line(old: str, new: str, code: str, line: int) -> None:
    assert CORPUS.count(old) == 1
    with pytest.raises(DescriptorError) as caught:
        parse_corpus(CORPUS.replace(old, new), filename="my.toml")
    assert (caught.value.code, caught.value.where) == (code, f"my.toml:{line}")
    assert caught.value.help


def told(text: str, parse: Callable[..., object] = parse_corpus) -> list[tuple[str, str | None]]:
    with pytest.raises(DescriptorError) as caught:
        parse(text, filename="my.toml")
    first = caught.value
    assert all(each.help for each in first.more)
    return [(each.code, each.where) for each in (first, *first.more)]


def test_all_mistakes_are_told_at_once_each_with_its_line() -> None:
    wrong = CORPUS
    for old, new in (
        ('name = "network"', 'name = "../up"'),
        ('author = "author_id"', 'autor = "author_id"'),
        ('created = "created_at"', "created = 3"),
        ('visibility = "everyone"', 'visibility = "somebody"'),
        ('zone = "UTC"', 'zone = "Europe/Lonodn"'),
        ('"status_update" = "post"', '"status_update" = "pots"'),
        ("[visibilities]", "[visible]"),
    ):
        assert wrong.count(old) == 1
        wrong = wrong.replace(old, new)
    assert sorted(told(wrong), key=lambda each: int((each[1] or "").rpartition(":")[2])) == [
        ("descriptor-wrong-value", "my.toml:2"),
        ("descriptor-unknown-key", "my.toml:7"),
        ("descriptor-wrong-value", "my.toml:10"),
        ("descriptor-unknown-word", "my.toml:13"),
        ("descriptor-unknown-word", "my.toml:17"),
        ("descriptor-unknown-word", "my.toml:20"),
        ("descriptor-unknown-key", "my.toml:22"),
    ]


def test_a_mistake_is_told_once_and_not_what_follows_from_it() -> None:
    assert told(CORPUS.replace('author = "author_id"', 'autor = "author_id"')) == [
        ("descriptor-unknown-key", "my.toml:7")
    ]
    assert told(CORPUS.replace('"everyone" = "public"', '"everyone" = "pubic"')) == [
        ("descriptor-unknown-word", "my.toml:23")
    ]
    assert told(CORPUS.replace("[created]", "[[created]]")) == [("descriptor-wrong-value", "my.toml:16")]
    assert told(CORPUS.replace('category = "kind"', "category = 3")) == [("descriptor-wrong-value", "my.toml:9")]
    several = PEOPLE.replace('account = "ok"', 'age = "18+"\ncountry = "ZZ"').replace('person = "id"\n', "")
    assert told(several, parse_people) == [
        ("descriptor-missing-key", "my.toml:3"),
        ("descriptor-unknown-word", "my.toml:8"),
        ("descriptor-column-twice", "my.toml:5"),
    ]


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        ('person = "id"\n', "", "descriptor-missing-key"),
        ('account = "ok"', 'country = "United Kingdom"', "descriptor-unknown-word"),
        ('account = "ok"', 'country = "ZZ"', "descriptor-unknown-word"),
        ('account = "ok"', 'country = "CA-PQ"', "descriptor-unknown-word"),
        ('account = "ok"', 'age = "18+"', "descriptor-column-twice"),
        ('location = "place"', 'age = "place"', "descriptor-column-twice"),
        ('location = "place"', 'locaton = "place"', "descriptor-unknown-key"),
        ('"18+" = "adult"', '"18+" = "grown-up"', "descriptor-unknown-word"),
    ],
)
def test_a_mistake_in_a_people_descriptor_is_named(old: str, new: str, code: str) -> None:
    assert PEOPLE.count(old) == 1
    with pytest.raises(DescriptorError) as caught:
        parse_people(PEOPLE.replace(old, new))
    assert caught.value.code == code


@pytest.mark.parametrize("code", ["GB", "UK", "XK", "CA-QC", "FR-974"])
def test_a_constant_country_is_a_code_that_exists(code: str) -> None:
    assert parse_people(PEOPLE.replace('account = "ok"', f'country = "{code}"')).constants["country"] == code


def test_help_suggests_the_word_that_was_meant() -> None:
    with pytest.raises(DescriptorError) as caught:
        parse_corpus(CORPUS.replace("author =", "autor ="))
    assert "`author`" in caught.value.help


def test_the_digest_is_about_the_meaning_not_the_layout() -> None:
    spaced = CORPUS.replace(" = ", "  =  ").replace("[columns]", "# a comment\n[columns]")
    assert parse_corpus(spaced).digest == parse_corpus(CORPUS).digest
    other = CORPUS.replace('"author_id"', '"writer_id"')
    assert parse_corpus(other).digest != parse_corpus(CORPUS).digest


@given(st.text(max_size=200))
def test_any_text_is_read_or_refused_with_a_line(text: str) -> None:
    for parse in (parse_corpus, parse_people):
        with pytest.raises(DescriptorError) as caught:
            parse(text)
        assert caught.value.where


@given(st.dictionaries(st.sampled_from(sorted(CORPUS_ROLES)), st.text(min_size=1, alphabet="abcd"), max_size=9))
def test_no_accepted_descriptor_uses_a_column_twice(columns: dict[str, str]) -> None:
    lines = "\n".join(f'{role} = "{column}"' for role, column in columns.items())
    text = f'[corpus]\nname = "n"\nfiles = ["f"]\n[columns]\n{lines}\n'
    try:
        found = parse_corpus(text)
    except DescriptorError:
        return
    assert len(set(found.columns.values())) == len(found.columns)
    assert {"item", "author", "category"} <= set(found.columns)


def _descriptor(*files: str) -> CorpusDescriptor:
    return parse_corpus(CORPUS.replace('"items/*.parquet"', ", ".join(f'"{file}"' for file in files)))


def test_files_are_found_once_and_sorted(tmp_path: Path) -> None:
    for name in ("items/b.parquet", "items/a.parquet", "items/.hidden.parquet", "items/deep/c.parquet", "items/x.csv"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    (tmp_path / "items/_temporary").mkdir()
    (tmp_path / "items/_temporary/d.parquet").touch()
    found = resolve_files(_descriptor("items/*.parquet", "items/a.parquet", "items"), tmp_path)
    assert [path.relative_to(tmp_path).as_posix() for path in found] == [
        "items/a.parquet",
        "items/b.parquet",
        "items/deep/c.parquet",
    ]
    (tmp_path / "link").symlink_to("items")
    for again in ("items/../items/a.parquet", f"{tmp_path}/items/a.parquet", "link/a.parquet"):
        assert resolve_files(_descriptor("items", again), tmp_path) == found
    absolute = resolve_files(_descriptor(f"{tmp_path}/items/*.parquet"), tmp_path / "elsewhere")
    assert absolute == found[:2]


def test_a_pattern_that_matches_nothing_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.parquet").touch()
    with pytest.raises(DescriptorError) as caught:
        resolve_files(_descriptor("a.parquet", "b.parquet"), tmp_path)
    assert caught.value.code == "descriptor-no-files"
    assert "b.parquet" in str(caught.value)


def refusal(schema: pa.Schema, text: str = CORPUS) -> str | None:
    """Return the code with which a schema is refused for a descriptor; None if it fits."""
    try:
        check_schema(parse_corpus(text), schema, filename="a.parquet")
    except CorpusError as error:
        return error.code
    return None


def test_a_fitting_schema_passes() -> None:
    assert refusal(SCHEMA) is None


@pytest.mark.parametrize(
    ("column", "kind", "code"),
    [
        ("author_id", None, "corpus-missing-column"),
        ("author_id", pa.float64(), "corpus-wrong-type"),
        ("id", pa.null(), "corpus-wrong-type"),
        ("id", pa.list_(pa.string()), "corpus-wrong-type"),
        ("kind", pa.int8(), "corpus-wrong-type"),
        ("created_at", pa.string(), "corpus-wrong-type"),
        ("mentions", pa.list_(pa.string()), "corpus-missing-column"),
        ("mentions", pa.list_(pa.struct([("id", pa.float32())])), "corpus-wrong-type"),
    ],
)
def test_a_schema_that_does_not_fit_is_refused(column: str, kind: pa.DataType | None, code: str) -> None:
    fields = dict(FIELDS)
    if kind is None:
        del fields[column]
    else:
        fields[column] = kind
    with pytest.raises(CorpusError) as caught:
        check_schema(parse_corpus(CORPUS), pa.schema(fields), filename="a.parquet")
    assert (caught.value.code, caught.value.where) == (code, "a.parquet")


_IN_A_STRUCT = pa.struct([("bytes", pa.binary()), ("path", pa.string())])


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        (pa.string(), None),
        (pa.large_string(), None),
        (pa.dictionary(pa.int32(), pa.string()), None),
        (pa.binary(), None),
        (pa.large_binary(), None),
        (_IN_A_STRUCT, None),
        (pa.null(), None),
        (pa.int64(), "corpus-wrong-type"),
        (pa.list_(_IN_A_STRUCT), "corpus-wrong-type"),
        (pa.list_(pa.uint8()), "corpus-wrong-type"),
    ],
    ids=str,
)
def test_pictures_are_paths_bytes_or_structs_of_both(kind: pa.DataType, code: str | None) -> None:
    described = CORPUS.replace('created = "created_at"', 'created = "created_at"\nimage = "picture"')
    assert refusal(SCHEMA.append(pa.field("picture", kind)), described) == code


def test_all_columns_that_do_not_fit_are_told_with_those_that_there_are() -> None:
    fields = {**FIELDS, "kind": pa.int8()}
    del fields["author_id"], fields["created_at"]
    with pytest.raises(CorpusError) as caught:
        check_schema(parse_corpus(CORPUS), pa.schema(fields), filename="a.parquet")
    first = caught.value
    assert [(each.code, each.where) for each in (first, *first.more)] == [
        ("corpus-missing-column", "a.parquet"),
        ("corpus-wrong-type", "a.parquet"),
        ("corpus-missing-column", "a.parquet"),
    ]
    assert first.help.endswith("the columns are: `id`, `mentions`, `kind`")
    assert first.to_json()["more"][0]["code"] == "corpus-wrong-type"


@pytest.mark.parametrize("kind", [pa.list_(pa.string()), pa.string(), pa.null()])
def test_a_column_with_the_name_of_a_path_is_refused_beside_the_path(kind: pa.DataType) -> None:
    assert refusal(SCHEMA.append(pa.field("mentions.id", kind))) == "corpus-column-twice"
    assert refusal(SCHEMA.append(pa.field("mentions.name", kind))) is None


def test_a_time_without_zone_needs_one_in_the_descriptor() -> None:
    without = CORPUS.replace('zone = "UTC"\n', "")
    assert refusal(SCHEMA, without) == "corpus-time-without-zone"
    zoned = SCHEMA.set(4, pa.field("created_at", pa.timestamp("ms", tz="Europe/Paris")))
    assert refusal(zoned, without) is None


def test_a_people_table_is_checked_as_well() -> None:
    with pytest.raises(PeopleError) as caught:
        check_schema(parse_people(PEOPLE), pa.schema({"id": pa.string()}), filename="people.parquet")
    assert caught.value.code == "people-missing-column"


POLICY = """\
[policy_set]
name = "adults"
version = "1"
"""


@pytest.mark.parametrize(
    ("read", "given_text", "looks_like", "command"),
    [
        (parse_corpus, PEOPLE, "a people descriptor", "consentry people load"),
        (parse_people, CORPUS, "a corpus descriptor", "consentry corpus register"),
        (parse_corpus, POLICY, "a policy set", "consentry policy publish"),
        (parse_people, POLICY, "a policy set", "consentry policy publish"),
    ],
)
def test_a_file_of_another_kind_is_known_by_its_table(
    read: Callable[..., object], given_text: str, looks_like: str, command: str
) -> None:
    with pytest.raises(DescriptorError) as caught:
        read("# a comment\n" + given_text, filename="given.toml")
    assert (caught.value.code, caught.value.where) == ("descriptor-other-kind", "given.toml:2")
    assert f"looks like {looks_like}" in caught.value.message
    assert f"`{command}`" in caught.value.help


@pytest.mark.parametrize("read", [parse_corpus, parse_people])
def test_a_file_that_looks_like_nothing_is_not_said_to_be_of_another_kind(read: Callable[..., object]) -> None:
    with pytest.raises(DescriptorError) as caught:
        read('[files]\nname = "x"\n')
    assert caught.value.code == "descriptor-unknown-key"
