from __future__ import annotations

import json
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st
from policy_strategies import AT, rule_lists, rules

from consentry.policy.choice import Standing
from consentry.policy.evaluator import Request, evaluate
from consentry.policy.expressions import Effect, Item, NoticeCondition, Person, Rule
from consentry.policy.jurisdictions import REST, contains, instant
from consentry.policy.library import shipped
from consentry.policy.policy_classes import known_places
from consentry.policy.policy_diff import Change, Flip, diff, merge
from consentry.policy.policy_parser import load
from consentry.policy.policy_prose import describe, describe_diff
from consentry.policy.policy_set import PolicySet
from consentry.policy.vocabulary import Age, Category, ChoiceState, Purpose, Visibility

SHIPPED = {name: load(text, f"{name}.toml") for name, text in shipped().items()}
PLACES = ("GB", "FR", "RE", "NC", "US", "US-CA", f"US{REST}", "CA", "CA-QC", f"CA{REST}", "HR", "NO", "SJ", "BR")
USED = (
    "profile", "post", "comment", "article", "poll-answer", "resume", "group-post", "group-message", "ai-prompt",
    "ai-feedback",
)  # fmt: skip
GENAI = ("train-genai", "train-genai-text", "train-genai-image")


def of(*given_rules: Rule) -> PolicySet:
    purposes = frozenset({Purpose.TRAIN_GENAI})
    return PolicySet(name="a", version="1", title="A", purposes=purposes, rules=given_rules)


def permit(**conditions: object) -> Rule:
    purposes = frozenset({Purpose.TRAIN_GENAI})
    return Rule(id="yes", effect=Effect.PERMIT, why="", purposes=purposes, **conditions)  # type: ignore[arg-type]  # see Rule


def test_the_suspension_of_the_united_kingdom() -> None:
    found = diff(SHIPPED["august-2024"], SHIPPED["september-2024"], at=instant("2024-09-18"))
    assert (found.added, found.removed) == ((), ())
    assert {changed.id: [change.part for change in changed.changes] for changed in found.changed} == {
        "members-outside-europe": ["why", "outside", "why_in"],
        "europe": ["why", "inside", "why_in"],
    }
    assert found.changed[1].changes[1] == Change("inside", ["CH", "EEA", "EU"], ["CH", "EEA", "EU", "UK"])
    (flip,) = found.flips
    assert flip == Flip(
        allowed=False,
        purposes=GENAI,
        inside=("UK",),
        outside=(),
        words={"category": USED, "visibility": (), "age": ("adult",), "choice": (), "created": (), "notice": ()},
    )


def test_before_it_left_the_union_the_two_sets_said_the_same() -> None:
    assert diff(SHIPPED["august-2024"], SHIPPED["september-2024"], at=instant("2019-01-01")).flips == ()


def test_there_and_back() -> None:
    at = instant("2025-11-03")
    there = diff(SHIPPED["september-2024"], SHIPPED["november-2025"], at=at)
    back = diff(SHIPPED["november-2025"], SHIPPED["september-2024"], at=at)
    assert [rule.id for rule in there.added] == [rule.id for rule in back.removed]
    assert {replace(flip, allowed=not flip.allowed).inside for flip in there.flips} == {
        flip.inside for flip in back.flips
    }


def test_a_set_does_not_differ_from_itself() -> None:
    for policy_set in SHIPPED.values():
        found = diff(policy_set, policy_set, at=AT)
        assert (found.head, found.added, found.removed, found.changed, found.flips) == ((), (), (), (), ())
        assert describe_diff(found) == ["no answer changes"]


def test_a_word_without_effect_changes_the_text_but_no_answer() -> None:
    found = diff(of(permit()), of(replace(permit(), why="Better said.")), at=AT)
    assert found.changed[0].changes == (Change("why", "", "Better said."),)
    assert found.flips == ()


def test_dates_and_notices_are_told_apart() -> None:
    bounded = permit(created_from=instant("2020-01-01"), created_before=instant("2024-01-01"))
    (flip,) = diff(of(permit()), of(bounded), at=AT).flips
    assert flip.words["created"] == ("before 2020-01-01", "from 2024-01-01", "unknown")
    waiting = permit(notice=NoticeCondition(notice="told", days=30))
    (flip,) = diff(of(), of(waiting), at=AT).flips
    assert (flip.allowed, flip.words["notice"]) == (True, ("told 30 days ago",))


def test_parts_of_a_country_are_named_by_themselves() -> None:
    (flip,) = diff(of(permit()), of(permit(outside=frozenset({"CA-QC"}))), at=AT).flips
    assert flip.inside == ("CA (as a whole)", "CA-QC")
    (flip,) = diff(of(permit()), of(permit(inside=frozenset({"CA-QC"}))), at=AT).flips
    assert flip.outside == ("CA-QC",)
    (flip,) = diff(of(permit()), of(permit(inside=frozenset({"CA-QC", "FR"}))), at=AT).flips
    assert flip.outside == ("CA-QC", "FR")


def test_json_is_plain() -> None:
    found = diff(SHIPPED["september-2024"], SHIPPED["opt-in-only"], at=AT)
    body = json.loads(json.dumps(found.to_json()))
    assert sorted(body) == ["added", "changed", "flips", "head", "removed"]
    assert {flip["from"] for flip in body["flips"]} == {"allow", "deny"}


def test_in_words() -> None:
    found = diff(SHIPPED["august-2024"], SHIPPED["september-2024"], at=instant("2024-09-18"))
    lines = describe_diff(found)
    assert "version: 2024-08.2 -> 2024-09-18.2" in lines
    assert "rule `europe`: inside: CH, EEA, EU -> CH, EEA, EU, UK" in lines
    assert lines[-1].startswith("rule `europe`: why (fr), after: "), "what translations say comes last"
    assert lines[0] == (f"allow -> deny: in UK; category: {', '.join(USED)}; age: adult; purpose: {', '.join(GENAI)}")


def test_a_set_in_words() -> None:
    lines = describe(SHIPPED["november-2025"])
    assert "Permitted by `members-elsewhere` (legal basis: legitimate interests, GDPR Art. 6(1)(f)):" in lines
    assert "  and notice `genai-2025` was served at least 30 days ago" in lines
    assert "  and the person said nothing or agreed" in lines
    assert "Forbidden by `minors`:" in lines
    assert lines[-1].endswith(SHIPPED["november-2025"].digest)


def test_every_kind_of_condition_has_words() -> None:
    rule = permit(
        visibilities=frozenset({Visibility.PUBLIC}),
        created_from=instant("2020-01-01"),
        created_before=instant("2024-01-01T10:00:00"),
        inside=frozenset({"EU"}),
        outside=frozenset({"FR"}),
    )
    told = Rule(id="no", effect=Effect.FORBID, why="", purposes=frozenset({Purpose.TRAIN_GENAI_TEXT}))
    lines = describe(of(rule, told))
    for words in (
        "  if it could be seen by: public",
        "  and it was created on or after 2020-01-01",
        "  and it was created before 2024-01-01T10:00:00Z",
        "  and the person is in EU",
        "  and the person is not in FR",
        "  if the use is train-genai-text",
    ):
        assert words in lines
    assert "  always" in describe(of(permit()))


def lies_in(place: str, area: str) -> bool:
    if area.endswith(" (the rest)"):
        return place == area.replace(" (the rest)", REST)
    if area.endswith(" (as a whole)"):
        return place == area.removesuffix(" (as a whole)")
    return contains(area, place, at=AT) is True


def inside_of(flip: Flip, place: str) -> bool:
    if flip.inside:
        return any(lies_in(place, area) for area in flip.inside)
    return not any(lies_in(place, area) for area in flip.outside)


def holds(flip: Flip, *, place: str, item: Item, age: Age, choice: ChoiceState) -> bool:
    said = {"category": item.category, "visibility": item.visibility, "age": age, "choice": choice}
    return inside_of(flip, place) and all(not flip.words[key] or word in flip.words[key] for key, word in said.items())


def without_dates(given_rules: tuple[Rule, ...]) -> PolicySet:
    return of(*(replace(rule, created_from=None, created_before=None, notice=None) for rule in given_rules))


@settings(max_examples=40, deadline=None)
@given(
    rule_lists(max_size=3),
    rule_lists(max_size=3),
    st.lists(
        st.tuples(
            st.sampled_from(PLACES),
            st.sampled_from(list(Category)[1:]),
            st.sampled_from(Visibility),
            st.sampled_from([Age.ADULT, Age.MINOR]),
            st.sampled_from([ChoiceState.UNSET, ChoiceState.ALLOWED]),
        ),
        min_size=30,
        max_size=30,
    ),
)
def test_a_flip_says_exactly_which_answers_change(
    before: tuple[Rule, ...],
    after: tuple[Rule, ...],
    cases: list[tuple[str, Category, Visibility, Age, ChoiceState]],
) -> None:
    left, right = without_dates(before), without_dates(after)
    flips = [flip for flip in diff(left, right, at=AT).flips if "train-genai" in flip.purposes]
    for place, category, visibility, age, choice in cases:
        item = Item(category=category, visibility=visibility)
        person = Person(places=frozenset({place}), established=True, age=age, standing=Standing(choice))
        request = Request(purpose=Purpose.TRAIN_GENAI, item=item, people=(person,), at=AT)
        answers = [evaluate(each.rules, request).allowed for each in (left, right)]
        said = [flip.allowed for flip in flips if holds(flip, place=place, item=item, age=age, choice=choice)]
        assert said == ([] if answers[0] is answers[1] else [answers[1]])


@given(st.sets(st.tuples(*[st.integers(0, 2)] * 3)))
def test_merging_keeps_every_cell_once(cells: set[tuple[int, int, int]]) -> None:
    boxes = merge([tuple(frozenset({number}) for number in cell) for cell in cells])
    again = [(a, b, c) for one, two, three in boxes for a in one for b in two for c in three]
    assert sorted(again) == sorted(cells)


def test_places_of_every_kind_are_known() -> None:
    places = known_places({"US-CA"})
    assert {"GB", "US-CA", f"US{REST}", "US"} <= set(places)


@given(rules())
def test_any_rule_can_be_said(rule: Rule) -> None:
    assert describe(of(rule))


def test_what_a_rule_says_in_other_languages_is_shown_and_compared() -> None:
    said = replace(permit(), why="Because.", why_in=(("cy", "Oherwydd."), ("de", "Darum.")))
    assert [line for line in describe(of(said)) if "because" in line] == [
        "  because: Because.",
        "  because (cy): Oherwydd.",
        "  because (de): Darum.",
    ]
    found = diff(of(replace(said, why_in=(("de", "Darum."),))), of(said), at=AT)
    assert found.changed[0].changes == (Change("why_in", {"de": "Darum."}, {"cy": "Oherwydd.", "de": "Darum."}),)
    assert "rule `yes`: why (cy): (none) -> Oherwydd." in describe_diff(found)
    assert found.flips == ()
