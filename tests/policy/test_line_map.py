from __future__ import annotations

import tomllib
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from consentry.policy.line_map import KeyPath, line_at, line_map

TEXT = '''\
# a comment with [brackets] and = signs
title = """a
b # no comment, [not] = a table
"""
plain = 'its' # a comment
[[permit]] # the first
id = "a"
where.outside = [ # areas
  "EU", # with a comment
  'x#]',

  "UK"]
created = { from = 2010-01-01 00:00:00Z, "before" = 2020-01-01 }
"quoted.key" = 1
[permit.deep."a.b"]
x = [[1, 2],
  [{ y = 1, z.w = "}" }]]
quotes = """a""\\"""" # ends with a quote
literal = \'\'\'
[[permit]]
\'\'\'
[[permit]]
id = "b"
  [[permit.part]]
  n = 1
  [[permit.part]]
  n = 2
'''


def test_every_table_key_and_member_has_its_line() -> None:
    tomllib.loads(TEXT)
    assert line_map(TEXT) == {
        (): 1,
        ("title",): 2,
        ("plain",): 5,
        ("permit",): 6,
        ("permit", 0): 6,
        ("permit", 0, "id"): 7,
        ("permit", 0, "where"): 8,
        ("permit", 0, "where", "outside"): 8,
        ("permit", 0, "where", "outside", 0): 9,
        ("permit", 0, "where", "outside", 1): 10,
        ("permit", 0, "where", "outside", 2): 12,
        ("permit", 0, "created"): 13,
        ("permit", 0, "created", "from"): 13,
        ("permit", 0, "created", "before"): 13,
        ("permit", 0, "quoted.key"): 14,
        ("permit", 0, "deep"): 15,
        ("permit", 0, "deep", "a.b"): 15,
        ("permit", 0, "deep", "a.b", "x"): 16,
        ("permit", 0, "deep", "a.b", "x", 0): 16,
        ("permit", 0, "deep", "a.b", "x", 0, 0): 16,
        ("permit", 0, "deep", "a.b", "x", 0, 1): 16,
        ("permit", 0, "deep", "a.b", "x", 1): 17,
        ("permit", 0, "deep", "a.b", "x", 1, 0): 17,
        ("permit", 0, "deep", "a.b", "x", 1, 0, "y"): 17,
        ("permit", 0, "deep", "a.b", "x", 1, 0, "z"): 17,
        ("permit", 0, "deep", "a.b", "x", 1, 0, "z", "w"): 17,
        ("permit", 0, "deep", "a.b", "quotes"): 18,
        ("permit", 0, "deep", "a.b", "literal"): 19,
        ("permit", 1): 22,
        ("permit", 1, "id"): 23,
        ("permit", 1, "part"): 24,
        ("permit", 1, "part", 0): 24,
        ("permit", 1, "part", 0, "n"): 25,
        ("permit", 1, "part", 1): 26,
        ("permit", 1, "part", 1, "n"): 27,
    }


def test_lines_that_end_as_on_windows() -> None:
    assert line_map(TEXT.replace("\n", "\r\n")) == line_map(TEXT)


def test_what_has_no_line_has_that_of_what_is_around_it() -> None:
    lines = line_map(TEXT)
    assert line_at(lines, ("permit", 0, "missing")) == 6
    assert line_at(lines, ("permit", 0, "where", "inside", 3)) == 8
    assert line_at(lines, ("missing",)) == 1


def test_nothing_is_on_line_one() -> None:
    assert line_map("") == {(): 1}


_NOISE = st.sampled_from(["", "\n", '# [x] = "y\n', "\n\n  # '''\n", "\t\n"])
_STRING = st.sampled_from(['"a#]}"', "'b=[\"'", '"""\nc"""', "'''d\n\n'''", '"\\"\\\\"', '""""e"""""', "''", '""'])
_SCALAR = st.sampled_from(["1", "-1.5e3", "true", "2010-01-01", "2010-01-01 10:00:00Z", "2010-01-01T10:00:00+02:00"])


@st.composite
def _array(draw: st.DrawFn) -> str:
    members = draw(st.lists(_STRING | _SCALAR, max_size=3))
    return "[" + "".join(f"{draw(_NOISE)}{member}{draw(_NOISE)},{draw(_NOISE)}" for member in members) + "]"


@st.composite
def _document(draw: st.DrawFn) -> tuple[str, dict[KeyPath, int]]:
    """A text, and the line of each key as counted while writing it."""
    text = draw(_NOISE)
    expected: dict[KeyPath, int] = {}
    if text and not text.endswith("\n"):
        text += "\n"
    for number in range(draw(st.integers(0, 3))):
        expected["t", number] = text.count("\n") + 1
        text += "[[t]]\n"
        for key in draw(st.lists(st.sampled_from(["a", "b", "c.d", '"e f"']), unique=True)):
            path: KeyPath = tuple(part.strip('"') for part in key.split("."))
            expected["t", number, *path] = text.count("\n") + 1
            text += f"{key} = {draw(_STRING | _SCALAR | _array())} # end\n{draw(_NOISE)}"
    return text, expected


@given(_document())
def test_lines_are_those_counted_while_writing(document: tuple[str, dict[KeyPath, int]]) -> None:
    text, expected = document
    tomllib.loads(text)
    lines = line_map(text)
    assert {path: lines[path] for path in expected} == expected


def paths(value: Any, path: KeyPath = ()) -> set[KeyPath]:
    found = {path}
    if isinstance(value, dict):
        for key, member in value.items():
            found |= paths(member, (*path, key))
    elif isinstance(value, list):
        for number, member in enumerate(value):
            found |= paths(member, (*path, number))
    return found


@given(_document())
def test_everything_in_the_parsed_text_has_a_line_and_nothing_else(document: tuple[str, Any]) -> None:
    text = document[0]
    assert set(line_map(text)) == paths(tomllib.loads(text))
