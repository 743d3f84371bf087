"""What a set says beside its rules: days for remedies, what a signal means; silent, it has the digest it had."""

from __future__ import annotations

import pytest
from good_policy import GOOD

from consentry.policy.policy_diff import diff
from consentry.policy.policy_parser import check, load
from consentry.policy.policy_prose import describe, describe_diff
from consentry.policy.policy_set import PolicySet, Remedies, SignalMeaning, Signals


def test_remedies_have_days_and_a_set_that_is_silent_about_them_has_the_digest_it_had() -> None:
    silent = load(GOOD, "good.toml")
    assert silent.remedies == Remedies(choose_within_days=30, finish_within_days=90, destroy_within_days=90)
    assert "remedies" not in silent.canonical()
    told = load("[remedies]\nfinish_within_days = 7\n" + GOOD, "good.toml")
    assert told.remedies == Remedies(choose_within_days=30, finish_within_days=7)
    assert PolicySet.from_json(told.to_json()) == told
    assert told.digest != silent.digest
    assert any("within 7 more" in line for line in describe(told))
    assert told.canonical()["remedies"] == {"choose_within_days": 30, "finish_within_days": 7}
    later = load("[remedies]\ndestroy_within_days = 14\n" + GOOD, "good.toml")
    assert later.remedies == Remedies(destroy_within_days=14)
    assert PolicySet.from_json(later.to_json()) == later
    assert len({silent.digest, told.digest, later.digest}) == 3
    assert any("destroyed within 14 days" in line for line in describe(later))


@pytest.mark.parametrize(
    ("lines", "code", "line"),
    [
        ("chose_within_days = 3", "policy-unknown-key", 2),
        ("choose_within_days = -1", "policy-wrong-value", 2),
        ('finish_within_days = "soon"', "policy-wrong-value", 2),
        ("destroy_within_days = true", "policy-wrong-value", 2),
    ],
)
def test_remedies_that_are_none(lines: str, code: str, line: int) -> None:
    (problem,) = check(f"[remedies]\n{lines}\n{GOOD}", "good.toml")
    assert (problem.code, problem.where) == (code, f"good.toml:{line}")


def test_a_set_says_what_a_signal_means_and_one_that_is_silent_has_the_digest_it_had() -> None:
    silent = load(GOOD, "good.toml")
    assert silent.signals == Signals(global_privacy_control=SignalMeaning.REFUSE)
    assert "signals" not in silent.canonical()
    assert load('[signals]\nglobal_privacy_control = "refuse"\n' + GOOD, "good.toml").digest == silent.digest
    assert load("[signals]\n" + GOOD, "good.toml").signals == Signals()
    told = load('[signals]\nglobal_privacy_control = "suggest"\n' + GOOD, "good.toml")
    assert told.signals == Signals(global_privacy_control=SignalMeaning.SUGGEST)
    assert PolicySet.from_json(told.to_json()) == told
    assert told.digest != silent.digest
    ignored = load('[signals]\nglobal_privacy_control = "ignore"\n' + GOOD, "good.toml")
    said = {
        next(line for line in describe(each) if "Global Privacy Control" in line) for each in (silent, told, ignored)
    }
    assert len(said) == 3
    assert describe_diff(diff(silent, told, at=0)) == [
        "no answer changes",
        "signals: global_privacy_control refuse -> global_privacy_control suggest",
    ]


@pytest.mark.parametrize(
    ("lines", "code", "line"),
    [
        ('do_not_track = "refuse"', "policy-unknown-key", 2),
        ('global_privacy_control = "no"', "policy-unknown-word", 2),
        ("global_privacy_control = true", "policy-unknown-word", 2),
    ],
)
def test_signals_that_are_none(lines: str, code: str, line: int) -> None:
    (problem,) = check(f"[signals]\n{lines}\n{GOOD}", "good.toml")
    assert (problem.code, problem.where) == (code, f"good.toml:{line}")
