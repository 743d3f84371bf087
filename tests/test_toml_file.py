"""What no hand writes is refused before the parser sees it, and nothing else is."""

from __future__ import annotations

import time
import tomllib
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from consentry.corpus.descriptor import parse_corpus
from consentry.corpus.registration import read_descriptor
from consentry.errors import DescriptorError, InputError, PolicyError
from consentry.policy.library import shipped
from consentry.policy.policy_parser import check
from consentry.service.platforms import read_platforms
from consentry.settings import read_settings
from consentry.toml_file import LONGEST, MOST_PARTS, NotUtf8Error, TomlError, parse, read

ROOT = Path(__file__).parents[1]
NINE = ".".join("abcdefghi")
MANY = ".".join(["a"] * 50_000)


def refused(text: str) -> TomlError:
    with pytest.raises(TomlError) as caught:
        parse(text)
    return caught.value


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (f"{NINE} = 1", 1),
        (f"x = 1\n{NINE} = 1", 2),
        (f"[{NINE}]", 1),
        (f"\n[[ {NINE} ]]", 2),
        (f"x = {{ y = 1, {NINE} = 1 }}", 1),
        (f"x = [\n  1, # one\n  {{ {NINE} = 1 }},\n]", 3),
        ('"a" . b\t.c.\'d\'.e.f."g".h.i = 1', 1),
        (f'x = """\n"""\n{NINE} = 1', 3),
        (f"x = ''''quoted''''\n{NINE} = 1", 2),
        (f'x = """"quoted"""""\n{NINE} = 1', 2),
        (f"x = '\\'\n{NINE} = 1", 2),
        (f'x = 1 # it\'s """\n{NINE} = 1', 2),
        (f"x = 1\r\n{NINE} = 1\r\n", 2),
        (f"\ufeff{NINE} = 1", 1),
        (f"{MANY} = 1", 1),
        (f"[{MANY}]\nb = 1", 1),
    ],
)
def test_a_key_of_many_parts(text: str, line: int) -> None:
    begun = time.process_time()
    error = refused(text)
    assert time.process_time() - begun < 5, "the parser takes minutes for the longest of these"
    assert (error.message, error.line) == ("a key has more than 8 parts", line)
    assert error.help


@pytest.mark.parametrize(
    "value",
    [
        f'"{NINE}"',
        f"'{NINE}'",
        f'"""\n{NINE} = 1\n"""',
        f"'''\n{NINE} = 1\n'''",
        f"1 # {NINE} = 1",
        f'"\\"{NINE}"',
        f'["a.b", 1.5, 2.5, 3.5, 4.5, 5.5, 6.5, 7.5, 8.5, 9.5, "{NINE}", # {NINE}\n]',
        "{ a.b = 1.5, c.d = 2.5, e.f = 3.5, g.h = 4.5, i.j = 5.5 }",
        '"""a\\"""" # b',
        "[" * 32 + "]" * 32,
    ],
)
def test_dots_that_divide_no_key_are_taken(value: str) -> None:
    text = f'a.b.c.d.e.f.g.h = {value}\n"{NINE}" = 1\n'
    assert parse(text) == tomllib.loads(text)


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("x = " + "[" * 33 + "]" * 33, 1, "nested more than 32 deep"),
        ("x = 1\ny = " + "[" * 100_000, 2, "nested more than 32 deep"),
        ("x = " + "{a=" * 100_000, 1, "nested more than 32 deep"),
        ("x = 1\ny = " + "1" * 5_000, 2, "more than 1,000 characters"),
        ("x = -" + "1" * 5_000, 1, "more than 1,000 characters"),
        ("\n" + "a" * 1_001 + " = 1", 2, "more than 1,000 characters"),
        ("x = 1\n" * (LONGEST // 6 + 1), LONGEST // 6 + 1, "more than 1,000,000 bytes"),
        ('x = "' + "é" * 500_000 + '"', 1, "more than 1,000,000 bytes"),
        ("x = 1 1", 1, "this is not TOML: expected newline"),
        ("x = [\n1,\n\n", 2, "this is not TOML: invalid value"),
        ("x = 1\nx = 2\n", 2, "this is not TOML: cannot overwrite a value"),
        ("x = 2010-02-31", 1, "`2010-02-31` is no date"),
        ("x = 1\ny = [2024-13-01]", 2, "`2024-13-01` is no date"),
        ("x = 2024-13-01T10:00:00Z", 1, "`2024-13-01` is no date"),
        ('x = "2024-13-01" 1', 1, "this is not TOML: expected newline"),
        ("x = 1 1 # not 2024-13-01", 1, "this is not TOML: expected newline"),
        ("\ud800 = 1", 1, "this is not TOML"),
        ("x = '\0'", 1, "this is not TOML"),
    ],
)
def test_other_things_that_nobody_writes(text: str, line: int, message: str) -> None:
    error = refused(text)
    assert message in error.message
    assert error.line == line


@pytest.mark.parametrize("quote", ['"', "'", '"""', "'''", '"""\\"""', '"\\', "\\", '"\n'])
def test_time_grows_with_the_length_whatever_is_never_closed(quote: str) -> None:
    begun = time.process_time()
    refused("x = 1\ny = " + quote * (900_000 // len(quote)))
    assert time.process_time() - begun < 10


_PIECES = st.sampled_from(
    [*"abc._-=#[]{},\n\t \"'\\", '"""', "'''", '\\"', "\r\n", "1", "1.5", "a.b", "[[", "]]", "2010-01-01", "é", "true"]
)


@given(st.lists(_PIECES, max_size=60).map("".join))
@example("a = '''\n''' # x\n[a.b]\n")
@example("''.''.''.''.''.''.''.''.''=1")
@example('""".a.b.c.d.e.f.g.h.i = 1')
def test_a_text_has_the_values_that_the_parser_gives_or_is_refused(text: str) -> None:
    try:
        expected = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        with pytest.raises(TomlError):
            parse(text)
        return
    if deepest(expected) <= MOST_PARTS:
        assert parse(text) == expected
    else:
        with suppress(TomlError):
            assert parse(text) == expected


def deepest(value: object) -> int:
    within = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    return 0 if within is None else 1 + max(map(deepest, within), default=0)


def test_what_is_shipped_and_shown_is_taken() -> None:
    files = [path for path in ROOT.rglob("*.toml") if not {".run", ".git"} & {*path.parts}]
    assert len(files) >= len(shipped())
    for path in files:
        assert parse(read(path)) == tomllib.loads(path.read_text("utf-8")), path


def test_a_file_is_read_without_the_mark_of_an_editor_and_no_further_than_it_may_be_long(tmp_path: Path) -> None:
    path = tmp_path / "x.toml"
    path.write_bytes(b"\xef\xbb\xbfx = 1\r\n")
    assert read(path) == "x = 1\r\n"
    assert parse("\ufeffx = 1\r\n") == {"x": 1}
    path.write_bytes(b"x = 1\ny = '\xff'\n")
    with pytest.raises(NotUtf8Error) as caught:
        read(path)
    assert (caught.value.line, caught.value.help) == (2, "save it as UTF-8")
    path.write_bytes("x = 1\n".encode("utf-16"))
    with pytest.raises(NotUtf8Error):
        read(path)
    # The limit cuts a letter in two: too long, and not badly written.
    path.write_bytes(b"#" + "é".encode() * (LONGEST // 2))
    with pytest.raises(TomlError, match="more than 1,000,000 bytes"):
        read(path)
    with pytest.raises(TomlError, match="more than 1,000,000 bytes"):
        read(Path("/dev/zero"))


@pytest.mark.parametrize("text", [f"x = 1\n{NINE} = 1", "x = 1\ny = " + "[" * 5_000, "x = 1\ny = " + "1" * 5_000])
def test_whoever_reads_toml_says_where(text: str, tmp_path: Path) -> None:
    path = tmp_path / "consentry.toml"
    path.write_text(text, "utf-8")
    (problem,) = check(text, "p.toml")
    assert (problem.code, problem.where) == ("policy-syntax", "p.toml:2")
    errors: list[InputError] = [problem.error()]
    for attempt in (
        lambda: parse_corpus(text, filename=str(path)),
        lambda: read_descriptor(path),
        lambda: read_settings(tmp_path),
        lambda: read_platforms(path),
    ):
        with pytest.raises(InputError) as caught:
            attempt()
        assert caught.value.where == f"{path}:2"
        errors.append(caught.value)
    assert [type(each) for each in errors] == [PolicyError, DescriptorError, DescriptorError, InputError, InputError]
    assert {each.code.partition("-")[2] for each in errors} == {"syntax"}
    assert len({each.help for each in errors}) == 1


def test_it_is_parsed_in_one_place() -> None:
    """Two would be read within bounds in one of them."""
    users = [path.name for path in (ROOT / "src").rglob("*.py") if "tomllib" in path.read_text("utf-8")]
    assert users == ["toml_file.py"]
    readers = [path for path in (ROOT / "src").rglob("*.py") if "TomlConfigSettingsSource" in path.read_text("utf-8")]
    assert readers == []
