"""How titles, sentences and languages of a policy set are written: one line, not too long, one code a language."""

from __future__ import annotations

import pytest
from babel.core import get_global

from consentry.errors import PolicyError
from consentry.oversight.language import canonical
from consentry.policy import language_codes
from consentry.policy.language_codes import SHORT, SHORTER, advice
from consentry.policy.library import shipped
from consentry.policy.policy_parser import MOST_WAITS, check, load
from consentry.service.languages import LANGUAGES

TEXT = """\
[policy_set]
name = "good"
version = "1"
title.en = "A good one"
title.cy = "Un da"
purposes = ["train-genai"]

[[permit]]
id = "posts"
why.en = "Because."
why.cy = "Oherwydd."
legal_basis = "consent"
category = ["post"]
choice = ["allowed"]

[[example]]
title = "a post"
given = { place = "US", age = "adult", category = "post", at = 2024-01-01 }
expect = "deny"
"""


def test_the_text_is_in_order() -> None:
    assert check(TEXT, "p.toml") == []


@pytest.mark.parametrize(
    "sign", ["\\n", "\\r", "\\t", "\\u0000", "\\u007f", "\\u0085", "\\u2028", "\\u202e", "\\u2067"]
)
@pytest.mark.parametrize(
    ("old", "line"),
    [("A good one", 4), ("Un da", 5), ("Because.", 10), ("Oherwydd.", 11), ('"1"', 3), ("a post", 17)],
)
def test_a_sign_that_is_not_of_one_line(old: str, line: int, sign: str) -> None:
    new = f'"1{sign}2"' if old == '"1"' else f"{old[:2]}{sign}{old[2:]}"
    (problem,) = check(TEXT.replace(old, new, 1), "p.toml")
    assert (problem.code, problem.where) == ("policy-wrong-value", f"p.toml:{line}")
    assert "has a line break or a control character" in problem.message
    assert problem.help == "write it as one line, with spaces between the words"


def test_a_text_of_several_lines_is_named_by_the_line_it_begins_in() -> None:
    (problem,) = check(TEXT.replace('"Because."', '"""Because.\nAnd so on."""'), "p.toml")
    assert problem.where == "p.toml:10"
    folded = TEXT.replace('"Because."', '"""\nBecause \\\n  of this.\n"""')
    assert load(folded, "p.toml").rules[0].why == "Because of this."


@pytest.mark.parametrize(
    ("old", "longest", "line"),
    [("A good one", 200, 4), ("Un da", 200, 5), ("Because.", 1_000, 10), ("Oherwydd.", 1_000, 11), ("a post", 200, 17)],
)
def test_a_text_that_is_too_long(old: str, longest: int, line: int) -> None:
    assert check(TEXT.replace(old, "é" * longest, 1), "p.toml") == []
    (problem,) = check(TEXT.replace(old, "é" * (longest + 1), 1), "p.toml")
    assert (problem.code, problem.where) == ("policy-wrong-value", f"p.toml:{line}")
    assert problem.message.endswith(f"has {longest + 1:,} characters")
    assert problem.help == f"write at most {longest:,}"


@pytest.mark.parametrize(("old", "line"), [('"good"', 2), ('"1"', 3), ('"posts"', 9)])
def test_a_name_that_is_too_long(old: str, line: int) -> None:
    assert check(TEXT.replace(old, f'"{"a" * 100}"'), "p.toml") == []
    (problem,) = check(TEXT.replace(old, f'"{"a" * 101}"'), "p.toml")
    assert (problem.code, problem.where) == ("policy-wrong-value", f"p.toml:{line}")


def test_what_languages_need_is_no_control_character() -> None:
    for text in ("réponse : oui", "«\u00a0oui\u00a0»", "\u200fمرحبا", "می\u200cخواهم", "क्\u200dष", "👩\u200d🔧"):
        assert check(TEXT.replace("Un da", text), "p.toml") == []


@pytest.mark.parametrize(
    ("code", "meant"),
    [
        ("CY", "cy"),
        ("cy-GB", "cy"),
        ("cy_GB", "cy"),
        ("cym", "cy"),
        ("WEL", "cy"),
        ("ger", "de"),
        ("deu-AT", "de"),
        ("arb", "ar"),
        ("zh-Hant-HK", "zh"),
        ("GSW", "gsw"),
    ],
)
def test_a_language_has_one_code(code: str, meant: str) -> None:
    assert advice(meant) == ""
    assert f"`{meant}`" in advice(code)
    (problem,) = check(TEXT.replace("title.cy", f'title."{code}"'), "p.toml")
    assert (problem.code, problem.where) == ("policy-unknown-key", "p.toml:5")
    assert problem.message == f"`{code}` is no language in `title` of [policy_set]"
    assert problem.help == advice(code)


@pytest.mark.parametrize(
    "code", ["", " ", "xx", "e", "Welsh", "und", "mul", "zxx", "mis", "qaa", "x-ours", "c y", "сy"]
)
def test_what_names_no_language(code: str) -> None:
    assert advice(code) == "use a code of ISO 639 in lower case: `cy`, `fr`"


def test_the_languages_of_the_pages_and_those_without_a_short_code_are_taken() -> None:
    for code in (*LANGUAGES, "no", "nb", "gsw", "haw", "fil"):
        assert advice(code) == ""


def test_the_codes_are_those_of_an_independent_list() -> None:
    for long, short in SHORTER.items():
        assert canonical(long) in {short, canonical(short)}, (long, short)
    aliases = get_global("language_aliases")
    meant = {long: short for long, short in aliases.items() if len(long) == 3 and isinstance(short, str)}
    missing = {long: short for long, short in meant.items() if short in SHORT and SHORTER.get(long) != short}
    assert missing == {"twi": "ak"}, "Twi has a code of its own"
    assert len(SHORT) == 183
    assert all(len(long) == 3 and len(short) == 2 for long, short in SHORTER.items())
    assert len(language_codes._ALL) == len(SHORTER), "none stands twice"


OLD = (
    TEXT.replace("A good one", "A" * 300).replace("Because.", "Because.\\nAnd so on.").replace("title.cy", "title.cym")
)


def test_a_set_that_was_accepted_before_there_were_limits_is_read_for_ever() -> None:
    with pytest.raises(PolicyError, match="policy-wrong-value"):
        load(OLD, "p.toml")
    policy = load(OLD, "p.toml", accepted=True)
    assert (len(policy.title), policy.title_in) == (300, (("cym", "Un da"),))
    assert policy.rules[0].why == "Because.\nAnd so on."
    assert load(OLD + "#" * 1_000_000, "p.toml", accepted=True).digest == policy.digest
    with pytest.raises(PolicyError, match="policy-missing-key"):
        load(OLD.replace('version = "1"', ""), "p.toml", accepted=True)


@pytest.mark.parametrize("name", shipped())
def test_what_is_shipped_has_room_to_spare(name: str) -> None:
    policy = load(shipped()[name], name)
    assert max(len(text) for text in (policy.title, *dict(policy.title_in).values())) < 190
    assert max(len(text) for rule in policy.rules for text in (rule.why, *dict(rule.why_in).values())) < 600


def _waiting(waits: int) -> str:
    rule = """\
[[permit]]
id = "r{n}"
why.en = "Because."
legal_basis = "legitimate-interests"
notice = { id = "n{n}", days = 1 }
"""
    return TEXT + "".join(rule.replace("{n}", str(number)) for number in range(waits))


def test_a_set_waits_for_no_more_notices_than_can_be_compared() -> None:
    assert check(_waiting(MOST_WAITS), "p.toml") == []
    (problem,) = check(_waiting(MOST_WAITS + 1), "p.toml")
    last = len(_waiting(MOST_WAITS + 1).splitlines())
    assert (problem.code, problem.where) == ("policy-wrong-value", f"p.toml:{last}")
    assert problem.message == f"permit `r{MOST_WAITS}` waits for one notice more than the {MOST_WAITS} of a set"


def test_one_that_was_published_with_more_is_read() -> None:
    assert len(load(_waiting(MOST_WAITS + 1), "p.toml", accepted=True).rules) == MOST_WAITS + 2
