from __future__ import annotations

import json
from enum import IntEnum, StrEnum
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consentry.digests import MAX_SAFE_INTEGER, canonical_json, commitment, digest, digest_file, digest_json

_TEXT = st.text(alphabet=st.characters(codec="utf-8"))
_SCALAR = st.none() | st.booleans() | st.integers(-MAX_SAFE_INTEGER, MAX_SAFE_INTEGER) | _TEXT
_VALUE = st.recursive(_SCALAR, lambda inner: st.lists(inner) | st.dictionaries(_TEXT, inner), max_leaves=20)


class Word(StrEnum):
    A = "a"


class Number(IntEnum):
    ONE = 1


def test_keys_in_the_order_of_the_standard() -> None:
    """RFC 8785 section 3.2.3, the sorting example."""
    value = {
        "\u20ac": "Euro Sign",
        "\r": "Carriage Return",
        "\ufb33": "Hebrew Letter Dalet With Dagesh",
        "1": "One",
        "\U0001f600": "Emoji: Grinning Face",
        "\u0080": "Control",
        "\u00f6": "Latin Small Letter O With Diaeresis",
    }
    ordered = [
        "Carriage Return",
        "One",
        "Control",
        "Latin Small Letter O With Diaeresis",
        "Euro Sign",
        "Emoji: Grinning Face",
        "Hebrew Letter Dalet With Dagesh",
    ]
    assert list(json.loads(canonical_json(value)).values()) == ordered


def test_strings_as_in_the_standard() -> None:
    """RFC 8785 section 3.2.2, the string and the literals of the example."""
    value = {"string": "\u20ac$\u000f\u000aA'\u0042\u0022\u005c\\\"/", "literals": [None, True, False]}
    expected = '{"literals":[null,true,false],"string":"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}'
    assert canonical_json(value) == expected.encode()


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("", b'""'),
        ("\b\t\n\f\r", b'"\\b\\t\\n\\f\\r"'),
        ("\x00\x1f\x7f", b'"\\u0000\\u001f\x7f"'),
        ("</script>", b'"</script>"'),
        ("\u2028", b'"\xe2\x80\xa8"'),
        ([], b"[]"),
        ({}, b"{}"),
        ((1, 2), b"[1,2]"),
        (-0, b"0"),
        (MAX_SAFE_INTEGER, b"9007199254740991"),
        (Word.A, b'"a"'),
        ({Word.A: Number.ONE}, b'{"a":1}'),
    ],
)
def test_values(value: Any, expected: bytes) -> None:
    assert canonical_json(value) == expected


@pytest.mark.parametrize("value", [1.0, float("nan"), b"a", bytearray(), {1: 2}, {None: 1}, {1, 2}, object(), [0.5]])
def test_what_has_no_canonical_form_is_refused(value: Any) -> None:
    with pytest.raises(TypeError):
        canonical_json(value)


@pytest.mark.parametrize("value", [MAX_SAFE_INTEGER + 1, -MAX_SAFE_INTEGER - 1, "\ud800", {"\udfff": 1}])
def test_what_others_would_read_differently_is_refused(value: Any) -> None:
    with pytest.raises(ValueError, match=r"outside|surrogates"):
        canonical_json(value)


@given(_VALUE)
def test_reading_it_back_gives_the_value(value: Any) -> None:
    assert json.loads(canonical_json(value)) == value


@given(_VALUE)
def test_writing_it_again_gives_the_bytes(value: Any) -> None:
    once = canonical_json(value)
    assert canonical_json(json.loads(once)) == once


@given(st.dictionaries(_TEXT, st.integers(0, 9)), st.randoms())
def test_the_order_of_keys_means_nothing(value: dict[str, int], random: Random) -> None:
    keys = list(value)
    random.shuffle(keys)
    assert digest_json({key: value[key] for key in keys}) == digest_json(value)


@given(st.dictionaries(_TEXT, st.none()))
def test_keys_are_in_utf_16_order(value: dict[str, None]) -> None:
    written = list(json.loads(canonical_json(value)))
    assert [key.encode("utf-16-be") for key in written] == sorted(key.encode("utf-16-be") for key in value)


def test_the_digest_of_a_file_is_that_of_its_bytes(tmp_path: Path) -> None:
    content = bytes(range(256)) * 5000  # more than one chunk
    path = tmp_path / "a"
    path.write_bytes(content)
    assert digest_file(path) == digest(content)


def test_a_known_digest() -> None:
    assert digest(b"abc") == "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_a_commitment_depends_on_salt_and_document() -> None:
    one = commitment(salt=b"\x01" * 32, document=b"a")
    assert len(one) == 32
    assert one == commitment(salt=b"\x01" * 32, document=b"a")
    assert one != commitment(salt=b"\x02" * 32, document=b"a")
    assert one != commitment(salt=b"\x01" * 32, document=b"b")


@pytest.mark.parametrize("size", [0, 16, 31, 33])
def test_a_short_salt_hides_nothing_and_is_refused(size: int) -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        commitment(salt=b"a" * size, document=b"")
