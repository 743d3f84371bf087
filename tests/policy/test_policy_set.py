from __future__ import annotations

import json
import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from policy_strategies import requests, rule_lists

from consentry.policy.evaluator import Request, evaluate
from consentry.policy.expressions import Effect, Rule
from consentry.policy.library import shipped
from consentry.policy.policy_diff import diff
from consentry.policy.policy_parser import check, load
from consentry.policy.policy_set import Example, ExampleResult, PolicySet, rule_from_json, rule_to_json, run_examples
from consentry.policy.vocabulary import Age, Category, ChoiceState, LegalBasis, Purpose
from consentry.service.languages import LANGUAGES

SHIPPED = {name: load(text, f"{name}.toml") for name, text in shipped().items()}

policy_sets = st.builds(
    PolicySet,
    name=st.just("a"),
    version=st.text(max_size=3),
    title=st.text(max_size=3),
    title_in=st.sampled_from([(), (("cy", "Da."),)]),
    purposes=st.just(frozenset({Purpose.TRAIN_GENAI})),
    rules=rule_lists(),
    examples=st.lists(
        st.builds(
            Example,
            title=st.text(max_size=3),
            given=requests,
            allowed=st.booleans(),
            because=st.lists(st.just("refused"), max_size=1).map(tuple),
            line=st.integers(0, 9),
        ),
        max_size=2,
    ).map(tuple),
    source=st.just("sha256:0"),
)


def test_which_sets_are_shipped() -> None:
    assert list(SHIPPED) == [
        "august-2024",
        "november-2025",
        "opt-in-only",
        "public-posts-of-adults",
        "september-2024",
    ]


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_set_is_called_as_its_file(name: str) -> None:
    assert SHIPPED[name].name == name


@pytest.mark.parametrize(
    "result",
    [result for policy_set in SHIPPED.values() for result in run_examples(policy_set)],
    ids=lambda r: r.example.title,
)
def test_the_examples_of_shipped_sets_hold(result: ExampleResult) -> None:
    assert result.holds, result.failure


def covered(policy_set: PolicySet) -> set[str]:
    """What the examples of a set show to be denied."""
    found = set()
    for example in policy_set.examples:
        owner, item = example.given.people[0], example.given.item
        shown = {
            "direct message": item.category is Category.DIRECT_MESSAGE,
            "minor": owner.age is Age.MINOR,
            "refused": owner.standing.state is ChoiceState.REFUSED,
            "unknown age": owner.age is Age.UNKNOWN,
            "unknown country": not owner.places,
        }
        found |= {what for what, shows in shown.items() if shows and not example.allowed}
    return found


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_sets_show_what_they_leave_out(name: str) -> None:
    policy_set = SHIPPED[name]
    assert len(policy_set.examples) >= 6
    assert any(example.allowed for example in policy_set.examples)
    assert covered(policy_set) == {"direct message", "minor", "refused", "unknown age", "unknown country"}


@pytest.mark.parametrize("name", SHIPPED)
def test_no_shipped_set_uses_what_minors_or_messages_say(name: str) -> None:
    for rule in SHIPPED[name].rules:
        if rule.effect is Effect.PERMIT:
            assert rule.ages == {Age.ADULT}
            assert rule.categories
            assert not rule.categories & {Category.DIRECT_MESSAGE, Category.SALARY, Category.CREDENTIAL}


def test_consent_is_the_basis_of_the_opt_in_set_only() -> None:
    bases = {name: {rule.legal_basis for rule in each.rules} - {None} for name, each in SHIPPED.items()}
    assert {name for name, found in bases.items() if found == {LegalBasis.CONSENT}} == {"opt-in-only"}


def test_an_example_that_fails_says_what_was_found() -> None:
    text = shipped()["september-2024"]
    wrong = load(text.replace('because = ["refused"]', 'because = ["forbidden:minors"]'), "p.toml")
    failures = [result.failure for result in run_examples(wrong) if not result.holds]
    assert failures == ["expected the reason forbidden:minors, found deny, because of refused, not-permitted"]


def test_an_example_with_the_wrong_answer_fails() -> None:
    text = shipped()["opt-in-only"]
    wrong = load(text.replace('expect = "allow"\nbecause = ["permitted:agreed"]', 'expect = "deny"'), "p.toml")
    failures = [result.failure for result in run_examples(wrong) if not result.holds]
    assert failures == ["expected deny, found allow, because of permitted:agreed"]


def test_comments_space_and_the_order_of_keys_lists_and_rules_change_no_digest() -> None:
    text = shipped()["september-2024"]
    head, *rules = re.split(r"(?=^\[\[(?:permit|forbid|example)\]\])", text, flags=re.MULTILINE)
    rules = [rule for rule in rules if not rule.startswith("[[example]]")]
    lines = [line for line in head.splitlines() if line and not line.startswith("#")]
    turned = "\n".join([lines[0], *reversed(lines[1:]), "", "".join(reversed(rules))])
    turned = turned.replace('["EU", "EEA", "UK", "CH"]', '[ "CH", # last\n "UK", "EEA", "EU", "EU" ]')
    turned = turned.replace('age = ["minor"]', "age='minor'")
    assert turned != text
    other = load(turned, "other.toml")
    assert other.digest == SHIPPED["september-2024"].digest
    assert other.source != SHIPPED["september-2024"].source


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('version = "2024-09-18.2"', 'version = "2024-09-19"'),
        ("On by default", "Off by default"),
        ('id = "minors"', 'id = "children"'),
        ("Nothing by or about minors is used.", "Nothing by minors is used."),
        ('legal_basis = "legitimate-interests"', 'legal_basis = "contract"'),
        ('  "resume",\n', ""),
        ('choice = ["unset", "allowed"]', 'choice = ["unset"]'),
        ('where.outside = ["EU", "EEA", "UK", "CH"]', 'where.outside = ["EU", "EEA", "CH"]'),
        ('age = ["adult"]\n', 'age = ["adult"]\ncreated = { from = 2010-01-01 }\n'),
        ('age = ["adult"]\n', 'age = ["adult"]\nnotice = { id = "a" }\n'),
    ],
)
def test_what_a_set_says_is_in_its_digest(old: str, new: str) -> None:
    text = shipped()["september-2024"]
    text = text[: text.index("[[example]]")]
    assert text.count(old) == 1
    assert load(text.replace(old, new), "p.toml").digest != SHIPPED["september-2024"].digest


def test_digests_of_shipped_sets_are_stable() -> None:
    """Releases name these digests: a change here means a change of what a shipped set says. Give it a new version."""
    assert {name: each.digest[7:19] for name, each in SHIPPED.items()} == {
        "august-2024": "146fa0a9581e",
        "november-2025": "1e1188cc8b9b",
        "opt-in-only": "fc69c0020e66",
        "public-posts-of-adults": "1e32cea0a57e",
        "september-2024": "736b481b6975",
    }


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_set_says_everything_in_every_language_of_the_pages(name: str) -> None:
    text = shipped()[name]
    assert check(text, name, languages=list(LANGUAGES)) == []
    assert len(check(text, name, languages=["it"])) == 1 + len(SHIPPED[name].rules), "every text is asked for"
    for code in LANGUAGES:
        said = [SHIPPED[name].title_for(code), *(rule.why_for(code) for rule in SHIPPED[name].rules)]
        assert {language for _, language in said} == {code}
        assert len({each for each, _ in said}) == len(said), "no text stands in for another"


PUBLISHED = """
[policy_set]
name = "opt-in-only"
version = "1"
title = "Only what people have agreed to"
purposes = ["train-ai"]

[[permit]]
id = "agreed"
why = "The person has agreed to this use of their own content."
legal_basis = "consent"
category = [
  "profile",
  "post", "article", "comment", "poll-answer", "image", "video", "audio",
  "resume", "recommendation",
  "group-post",
  "ai-prompt", "ai-feedback",
]
age = ["adult"]
choice = ["allowed"]

[[forbid]]
id = "messages"
why = "A message has a recipient who did not agree to anything."
category = ["direct-message", "group-message"]

[[forbid]]
id = "minors"
why = "A minor cannot agree to this use alone."
age = ["minor"]
"""
"""The first version of `opt-in-only` but its examples, as it was published before titles had languages."""


def test_a_set_that_was_published_in_english_alone_keeps_its_digest() -> None:
    old = load(PUBLISHED, "p.toml")
    assert old.digest[7:19] == "c1bf5519ca8b", "releases and assessments name it"
    assert PolicySet.from_json(json.loads(json.dumps(old.to_json()))) == old
    assert "title_in" not in old.to_json()
    assert old.title_for("cy") == ("Only what people have agreed to", "en")
    found = diff(old, SHIPPED["opt-in-only"], at=0)
    assert found.flips == (), "what it says of itself changed, and no answer"
    assert not found.added
    assert not found.removed


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_set_survives_json(name: str) -> None:
    policy_set = SHIPPED[name]
    again = PolicySet.from_json(json.loads(json.dumps(policy_set.to_json())))
    assert again == policy_set
    assert [rule.line for rule in again.rules] == [rule.line for rule in policy_set.rules]
    assert again.digest == policy_set.digest


@given(policy_sets)
def test_any_set_survives_json(policy_set: PolicySet) -> None:
    again = PolicySet.from_json(json.loads(json.dumps(policy_set.to_json())))
    assert again == policy_set
    assert again.digest == policy_set.digest


@given(rule_lists(max_size=3))
def test_a_rule_survives_json(rules: tuple[Rule, ...]) -> None:
    for rule in rules:
        assert rule_from_json(json.loads(json.dumps(rule_to_json(rule)))) == rule


def test_json_of_another_format_is_refused() -> None:
    body = SHIPPED["opt-in-only"].to_json() | {"format": "consentry-policy-set/2"}
    with pytest.raises(ValueError, match="format"):
        PolicySet.from_json(body)


def test_two_rules_with_one_id_are_no_set() -> None:
    policy_set = SHIPPED["opt-in-only"]
    with pytest.raises(ValueError, match="same id"):
        replace(policy_set, rules=policy_set.rules * 2)


@pytest.mark.parametrize("purposes", [frozenset(), frozenset({Purpose.SERVE})])
def test_a_permit_beyond_what_the_set_decides_is_no_part_of_it(purposes: frozenset[Purpose]) -> None:
    policy_set = SHIPPED["opt-in-only"]
    with pytest.raises(ValueError, match="`agreed`"):
        replace(policy_set, rules=(replace(policy_set.rule("agreed"), purposes=purposes),))


def test_a_rule_by_its_id() -> None:
    assert SHIPPED["opt-in-only"].rule("minors").ages == {Age.MINOR}
    with pytest.raises(KeyError):
        SHIPPED["opt-in-only"].rule("majors")


@given(policy_sets, requests, st.sampled_from([Purpose.TRAIN_AI, Purpose.SERVE, Purpose.EVALUATE]))
def test_what_a_set_does_not_decide_it_denies(policy_set: PolicySet, request: Request, purpose: Purpose) -> None:
    assert not policy_set.decides(purpose)
    assert not evaluate(policy_set.rules, replace(request, purpose=purpose)).allowed
