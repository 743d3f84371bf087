"""Tags of languages are kept in one way of writing, and what names no language is none."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consentry.oversight.language import as_written, canonical
from consentry.service.languages import LANGUAGES


@pytest.mark.parametrize(
    ("tag", "kept"),
    [
        ("EN", "en"),
        ("en ", "en"),
        ("\ten\n", "en"),
        ("en_GB", "en-GB"),
        ("EN-gb", "en-GB"),
        ("en-UK", "en-GB"),
        ("zh_hant-hk", "zh-Hant-HK"),
        ("SR-LATN", "sr-Latn"),
        ("es-419", "es-419"),
        ("ca-VALENCIA", "ca-valencia"),
        ("de-1996", "de-1996"),
        ("de-CH-1901", "de-CH-1901"),
        ("cym", "cy"),
        ("wel", "cy"),
        ("ara", "ar"),
        ("iw", "he"),
        ("gsw", "gsw"),
        *((code, code) for code in LANGUAGES),
    ],
)
def test_a_tag_is_kept_in_one_way(tag: str, kept: str) -> None:
    assert canonical(tag) == as_written(tag) == canonical(kept) == kept


@pytest.mark.parametrize(
    "tag",
    [
        "",
        "e",
        "xx",
        "English",
        "mul",
        "und",
        "zxx",
        "en-XX",
        "en-ZZ",
        "en-999",
        "en-Qaaa",
        "en-Zzzz",
        "en-GB-GB",
        "en-nonsense",
        "de-1996-1996",
        "en--GB",
        "en-",
        "-en",
        "en GB",
        "en;q=1",
        "x-ours",
        "i-klingon",
        "de-u-co-phonebk",
        "en-a-bbb",
        "\u212ak",
        "е\u0441",
    ],
)
def test_what_names_no_language_is_none(tag: str) -> None:
    assert canonical(tag) is None
    assert as_written(tag) == tag.strip().replace("_", "-"), "what was kept before is still shown"


@given(st.text(max_size=20) | st.from_regex(r"[A-Za-z]{2,3}([-_][A-Za-z0-9]{2,8}){0,3}", fullmatch=True))
def test_what_is_kept_is_kept_again(tag: str) -> None:
    kept = canonical(tag)
    assert kept is None or canonical(kept) == kept
    assert kept == canonical(tag.swapcase().replace("-", "_")) or not tag.isascii()
    assert as_written(as_written(tag)) == as_written(tag)
