"""The words of a policy set in several languages: English is always there, and what is missing is found."""

from __future__ import annotations

import pytest
from good_policy import GOOD

from consentry.policy.policy_diff import diff
from consentry.policy.policy_parser import check, load
from consentry.policy.policy_prose import describe, describe_diff
from consentry.policy.policy_set import PolicySet

IN_TWO = GOOD.replace('why = "Because."', 'why.en = "Because."\nwhy.cy = "Oherwydd."', 1)


def test_why_is_said_in_several_languages() -> None:
    plain, told = load(GOOD, "p.toml").rules[0], load(IN_TWO, "p.toml").rules[0]
    assert (told.why, told.why_in) == ("Because.", (("cy", "Oherwydd."),))
    assert (plain.why, plain.why_in) == ("Because.", ())
    assert told.why_for("cy") == ("Oherwydd.", "cy")
    assert told.why_for("de") == told.why_for("en") == plain.why_for("cy") == ("Because.", "en")


def test_english_alone_is_the_same_set_however_it_is_written() -> None:
    alone = GOOD.replace('why = "Because."', 'why = { en = "Because." }')
    assert load(alone, "p.toml").digest == load(GOOD, "p.toml").digest != load(IN_TWO, "p.toml").digest


@pytest.mark.parametrize(
    ("old", "new", "code", "message"),
    [
        ('why.en = "Because."', "", "policy-missing-key", "has no `en`"),
        ("why.cy", "why.Welsh", "policy-unknown-key", "`Welsh` is no language"),
        ('"Oherwydd."', '" "', "policy-wrong-value", "`cy` of `why` of permit"),
        ('"Oherwydd."', "3", "policy-wrong-value", "`cy` of `why` of permit"),
    ],
)
def test_what_is_wrong_with_a_language_is_said_with_its_line(old: str, new: str, code: str, message: str) -> None:
    text = IN_TWO.replace(old, new, 1)
    (problem,) = check(text, "p.toml")
    assert problem.code == code
    assert message in problem.message
    assert problem.help
    line = int(problem.where.rpartition(":")[2])
    assert "why" in text.splitlines()[line - 1]


TITLED = IN_TWO.replace('title = "', 'title.cy = "Da."\ntitle.en = "', 1)


def test_a_title_is_said_in_several_languages() -> None:
    plain, told = load(GOOD, "p.toml"), load(TITLED, "p.toml")
    assert (told.title, told.title_in, plain.title_in) == (plain.title, (("cy", "Da."),), ())
    assert told.title_for("cy") == ("Da.", "cy")
    assert told.title_for("de") == told.title_for("en") == plain.title_for("cy") == (plain.title, "en")
    assert PolicySet.from_json(told.to_json()) == told
    assert told.digest != load(IN_TWO, "p.toml").digest
    assert "  title (cy): Da." in describe(told)
    assert "title (cy): (none) -> Da." in describe_diff(diff(load(IN_TWO, "p.toml"), told, at=0))
    alone = GOOD.replace('title = "', 'title.en = "', 1)
    assert load(alone, "p.toml").digest == plain.digest, "English alone is the same set however it is written"


@pytest.mark.parametrize(
    ("old", "new", "code", "message"),
    [
        ("title.en", "title.fr", "policy-missing-key", "`title` of [policy_set] has no `en`"),
        ("title.cy", "title.CY", "policy-unknown-key", "`CY` is no language"),
        ('"Da."', '" "', "policy-wrong-value", "`cy` of `title` of [policy_set]"),
        ('"Da."', "3", "policy-wrong-value", "`cy` of `title` of [policy_set]"),
    ],
)
def test_what_is_wrong_with_a_title_is_said_with_its_line(old: str, new: str, code: str, message: str) -> None:
    text = TITLED.replace(old, new, 1)
    (problem,) = check(text, "p.toml")
    assert problem.code == code
    assert message in problem.message
    assert "title" in text.splitlines()[int(problem.where.rpartition(":")[2]) - 1]


def test_what_is_not_translated_is_found_when_somebody_asks() -> None:
    assert check(TITLED, "p.toml") == check(TITLED, "p.toml", languages=["en"]) == []
    found = check(TITLED, "p.toml", languages=["en", "cy", "fr"])
    assert {each.code for each in found} == {"policy-not-translated"}
    assert len(found) == 1 + len(load(TITLED, "p.toml").rules)
    title, why, plain = found[:3]
    assert title.message == "`title` of [policy_set] is not there in `fr`"
    assert 'title.fr = "..."' in title.help
    assert "title.en" not in title.help
    assert why.message.endswith("is not there in `fr`")
    assert plain.message.endswith("is not there in `cy`, `fr`")
    assert 'why.en = "..."`, `why.cy = "..."`, `why.fr = "..."' in plain.help
    for each in found:
        line = TITLED.splitlines()[int(each.where.rpartition(":")[2]) - 1]
        assert line.startswith(("title", "why"))
