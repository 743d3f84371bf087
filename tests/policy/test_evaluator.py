"""The meaning of a decision: a table worked out by hand, and what must hold for any rules."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import Phase, find, given, settings
from hypothesis import strategies as st
from policy_strategies import (
    AT,
    CATEGORIES,
    DATES,
    PLACES,
    VISIBILITIES,
    adults,
    items,
    people,
    requests,
    rule_lists,
    rules,
)

from consentry.policy.choice import SECONDS_PER_DAY, Standing
from consentry.policy.evaluator import (
    OWNER_UNKNOWN,
    Reason,
    ReasonKind,
    Request,
    combine,
    evaluate,
    evaluate_person,
)
from consentry.policy.expressions import Effect, GapKind, Item, NoticeCondition, Person, Rule
from consentry.policy.jurisdictions import instant
from consentry.policy.vocabulary import Account, Age, Category, ChoiceState, Purpose, Visibility

ADULT = Person(places=frozenset({"US"}), established=True, age=Age.ADULT, account=Account.ACTIVE)
POST = Item(category=Category.POST, visibility=Visibility.PUBLIC, created=100)
REFUSED = Standing(ChoiceState.REFUSED)


def permit(**conditions: object) -> Rule:
    return Rule(id="yes", effect=Effect.PERMIT, why="Because.", **conditions)  # type: ignore[arg-type]  # see Rule


def forbid(**conditions: object) -> Rule:
    return Rule(id="no", effect=Effect.FORBID, why="Because.", **conditions)  # type: ignore[arg-type]  # see Rule


def reasons(
    *given_rules: Rule, person: Person = ADULT, others: tuple[Person, ...] = (), item: Item = POST, at: int = AT
) -> str:
    """The answer and its reasons, in one line."""
    request = Request(purpose=Purpose.TRAIN_GENAI, item=item, people=(person, *others), at=at)
    decision = evaluate(given_rules, request)
    return f"{'allow' if decision.allowed else 'deny'} {' '.join(map(str, decision.reasons))}"


def person(**known: object) -> Person:
    return replace(ADULT, **known)  # type: ignore[arg-type]  # see Person


def test_deny_unless_permitted() -> None:
    assert reasons() == "deny not-permitted"
    assert reasons(permit()) == "allow permitted:yes"
    assert reasons(permit(categories=frozenset({Category.RESUME}))) == "deny not-permitted"


def test_an_item_that_somebody_objected_to_is_denied_whoever_is_involved() -> None:
    objected = replace(POST, objected=True)
    assert reasons(permit(), item=objected) == "deny objected"
    assert reasons(permit(), item=objected, others=(ADULT,)) == "deny objected"
    assert reasons(permit(), item=objected, person=person(standing=Standing(ChoiceState.ALLOWED))) == "deny objected"
    both = reasons(permit(), forbid(), item=objected, person=person(standing=REFUSED))
    assert both == "deny refused objected forbidden:no"


def test_a_forbid_overrides_wherever_it_stands() -> None:
    assert reasons(permit(), forbid()) == "deny forbidden:no"
    assert reasons(forbid(), permit()) == "deny forbidden:no"
    assert reasons(permit(), forbid(categories=frozenset({Category.RESUME}))) == "allow permitted:yes"


def test_without_an_owner_nothing_else_is_asked() -> None:
    request = Request(purpose=Purpose.TRAIN_GENAI, item=POST, people=(), at=AT)
    assert evaluate([permit()], request) == OWNER_UNKNOWN


@pytest.mark.parametrize(
    ("known", "expected"),
    [
        ({"age": Age.UNKNOWN}, "gap:age-unknown"),
        ({"places": frozenset()}, "gap:residence-unknown"),
        ({"established": False}, "gap:residence-unknown"),
        ({"known": False}, "gap:person-unknown"),
        ({"account": Account.CLOSED}, "account-closed"),
        ({"account": Account.UNCLEAR}, "gap:account-unknown"),
        ({"standing": REFUSED}, "refused"),
        ({"standing": Standing(ChoiceState.REFUSED, 100)}, "refused"),
        ({"standing": REFUSED, "age": Age.UNKNOWN}, "refused gap:age-unknown"),
    ],
)
def test_what_is_denied_whatever_the_rules_say(known: dict[str, object], expected: str) -> None:
    assert reasons(permit(), person=person(**known)) == f"deny {expected}"


@pytest.mark.parametrize(
    "known",
    [
        {"account": Account.DORMANT},
        {"account": Account.NONE},
        {"account": Account.UNKNOWN},
        {"standing": Standing(ChoiceState.ALLOWED)},
        {"standing": Standing(ChoiceState.REFUSED, 101)},
    ],
)
def test_what_denies_nothing_by_itself(known: dict[str, object]) -> None:
    assert reasons(permit(), person=person(**known)) == "allow permitted:yes"


def test_a_category_nobody_knows_is_a_gap_even_without_a_condition() -> None:
    assert reasons(permit(), item=Item(category=Category.UNKNOWN)) == "deny gap:category-unknown"


def test_a_visibility_nobody_knows_is_a_gap_where_it_matters() -> None:
    hidden = replace(POST, visibility=Visibility.UNKNOWN)
    public = frozenset({Visibility.PUBLIC})
    assert reasons(permit(), item=hidden) == "allow permitted:yes"
    assert reasons(permit(visibilities=public), item=hidden) == "deny gap:visibility-unknown"
    assert reasons(permit(), forbid(visibilities=public), item=hidden) == "deny gap:visibility-unknown"


def test_a_creation_date_nobody_knows_is_a_gap_where_it_matters() -> None:
    undated = replace(POST, created=None)
    assert reasons(permit(), item=undated) == "allow permitted:yes"
    assert reasons(permit(created_from=0), item=undated) == "deny gap:created-unknown"
    assert reasons(permit(), forbid(created_before=0), item=undated) == "deny gap:created-unknown"
    dated_refusal = person(standing=Standing(ChoiceState.REFUSED, 0))
    assert reasons(permit(), item=undated, person=dated_refusal) == "deny gap:created-unknown"


@pytest.mark.parametrize(
    ("created", "expected"), [(99, "not-permitted"), (100, "yes"), (199, "yes"), (200, "not-permitted")]
)
def test_a_span_of_dates_has_its_beginning_but_not_its_end(created: int, expected: str) -> None:
    span = permit(created_from=100, created_before=200)
    assert expected in reasons(span, item=replace(POST, created=created))


def test_an_unknown_permit_does_not_hide_behind_another_that_is_false() -> None:
    undated = replace(POST, created=None)
    false = Rule(id="false", effect=Effect.PERMIT, why="", categories=frozenset({Category.RESUME}))
    assert reasons(false, permit(created_from=0), item=undated) == "deny gap:created-unknown"


def test_a_permit_that_matches_makes_an_unknown_one_irrelevant() -> None:
    undated = replace(POST, created=None)
    other = Rule(id="other", effect=Effect.PERMIT, why="", created_from=0)
    assert reasons(permit(), other, item=undated) == "allow permitted:yes"


def test_one_false_condition_makes_an_unknown_one_irrelevant() -> None:
    undated = replace(POST, created=None)
    old_resumes = forbid(created_before=0, categories=frozenset({Category.RESUME}))
    assert reasons(permit(), old_resumes, item=undated) == "allow permitted:yes"


def test_where() -> None:
    british = person(places=frozenset({"GB"}))
    assert reasons(permit(inside=frozenset({"EU", "UK"})), person=british) == "allow permitted:yes"
    assert reasons(permit(outside=frozenset({"EU", "UK"})), person=british) == "deny not-permitted"
    assert reasons(permit(inside=frozenset({"EU"})), person=british) == "deny not-permitted"
    assert reasons(permit(), forbid(inside=frozenset({"UK"})), person=british) == "deny forbidden:no"


def test_groups_are_asked_as_of_the_decision() -> None:
    british, european = person(places=frozenset({"GB"})), forbid(inside=frozenset({"EU"}))
    assert reasons(permit(), european, person=british, at=instant("2020-01-31")) == "deny forbidden:no"
    assert reasons(permit(), european, person=british, at=instant("2020-02-01")) == "allow permitted:yes"


def test_a_part_nobody_knows_is_a_gap_of_its_own() -> None:
    canadian = person(places=frozenset({"CA"}))
    assert reasons(permit(), forbid(inside=frozenset({"CA-QC"})), person=canadian) == "deny gap:subdivision-unknown"
    assert reasons(permit(outside=frozenset({"CA-QC"})), person=canadian) == "deny gap:subdivision-unknown"
    ontarian = person(places=frozenset({"CA-ON"}))
    assert reasons(permit(), forbid(inside=frozenset({"CA-QC"})), person=ontarian) == "allow permitted:yes"


def test_an_unknown_place_is_a_gap_and_a_rule_about_places_changes_nothing() -> None:
    nowhere = person(places=frozenset(), established=False)
    assert reasons(permit(outside=frozenset({"EU"})), person=nowhere) == "deny gap:residence-unknown"
    assert reasons(permit(), forbid(inside=frozenset({"EU"})), person=nowhere) == "deny gap:residence-unknown"


def test_of_several_places_the_most_protective_decides() -> None:
    either = person(places=frozenset({"US", "FR"}))
    assert reasons(permit(), forbid(inside=frozenset({"EU"})), person=either) == "deny forbidden:no"
    assert reasons(permit(inside=frozenset({"US"})), person=either) == "deny not-permitted"
    assert reasons(permit(), person=either) == "allow permitted:yes"


def test_each_place_may_be_permitted_by_another_rule() -> None:
    either = person(places=frozenset({"US", "FR"}))
    here = Rule(id="here", effect=Effect.PERMIT, why="", inside=frozenset({"US"}))
    there = Rule(id="there", effect=Effect.PERMIT, why="", inside=frozenset({"EU"}))
    assert reasons(here, there, person=either) == "allow permitted:here permitted:there"


def test_a_weak_signal_may_hold_back_but_not_release() -> None:
    guessed = person(places=frozenset({"FR"}), established=False)
    assert reasons(permit(), forbid(inside=frozenset({"EU"})), person=guessed) == (
        "deny forbidden:no gap:residence-unknown"
    )
    assert reasons(permit(), person=person(established=False)) == "deny gap:residence-unknown"


def test_all_people_must_be_allowed() -> None:
    minor = person(age=Age.MINOR)
    assert reasons(permit(), others=(ADULT,)) == "allow permitted:yes"
    assert reasons(permit(), forbid(ages=frozenset({Age.MINOR})), others=(minor,)) == "deny forbidden:no"
    assert reasons(permit(), others=(person(standing=REFUSED), person(known=False))) == (
        "deny refused gap:person-unknown"
    )


@pytest.mark.parametrize(("days", "answer"), [(0, "allow"), (1, "allow"), (2, "deny")])
def test_a_waiting_period_is_full_days(days: int, answer: str) -> None:
    rule = permit(notice=NoticeCondition(notice="told", days=days))
    told = person(notices={"told": AT - 2 * SECONDS_PER_DAY + 1})
    assert reasons(rule, person=told).startswith(answer)


def test_a_waiting_period_ends_to_the_second_and_never_begins_without_notice() -> None:
    rule = permit(notice=NoticeCondition(notice="told", days=2))
    assert reasons(rule, person=person(notices={"told": AT - 2 * SECONDS_PER_DAY})) == "allow permitted:yes"
    assert reasons(rule, person=person(notices={"other": 0})) == "deny not-permitted"
    assert reasons(permit(notice=NoticeCondition(notice="told")), person=person(notices={"told": AT + 1})) == (
        "deny not-permitted"
    )


def test_choices_as_conditions() -> None:
    opt_in = permit(choices=frozenset({ChoiceState.ALLOWED}))
    assert reasons(opt_in) == "deny not-permitted"
    assert reasons(opt_in, person=person(standing=Standing(ChoiceState.ALLOWED))) == "allow permitted:yes"
    assert reasons(opt_in, person=person(standing=REFUSED)) == "deny refused not-permitted"


def test_reasons_are_strongest_first() -> None:
    everything = person(standing=REFUSED, account=Account.CLOSED, known=False)
    decision = evaluate([permit(), forbid()], Request(purpose=Purpose.SERVE, item=POST, people=(everything,), at=AT))
    assert [reason.kind for reason in decision.reasons] == [
        ReasonKind.REFUSED,
        ReasonKind.ACCOUNT_CLOSED,
        ReasonKind.FORBIDDEN,
        ReasonKind.GAP,
    ]
    assert decision.primary == Reason(ReasonKind.REFUSED)
    assert decision.gaps == (GapKind.PERSON,)


def test_a_rule_about_a_purpose_is_about_those_below_it() -> None:
    rule = permit(purposes=frozenset({Purpose.TRAIN_GENAI}))
    for purpose, allowed in ((Purpose.TRAIN_GENAI_TEXT, True), (Purpose.TRAIN_GENAI, True), (Purpose.TRAIN_AI, False)):
        assert evaluate([rule], Request(purpose=purpose, item=POST, people=(ADULT,), at=AT)).allowed is allowed


def test_nothing_to_combine_is_not_allowed() -> None:
    with pytest.raises(ValueError, match="nothing to combine"):
        combine([])


# What must hold for any rules.


@given(rule_lists(), requests)
def test_a_decision_is_consistent_in_itself(given_rules: tuple[Rule, ...], request: Request) -> None:
    decision = evaluate(given_rules, request)
    assert decision.reasons
    assert {reason.kind is ReasonKind.PERMITTED for reason in decision.reasons} == {decision.allowed}


@given(rule_lists(), requests)
def test_the_order_of_rules_and_people_means_nothing(given_rules: tuple[Rule, ...], request: Request) -> None:
    backwards = replace(request, people=request.people[::-1])
    assert evaluate(given_rules[::-1], backwards) == evaluate(given_rules, request)


@given(rule_lists(), rules(rule_id="further", effect=Effect.FORBID), requests)
def test_a_further_forbid_never_allows(given_rules: tuple[Rule, ...], further: Rule, request: Request) -> None:
    if evaluate((*given_rules, further), request).allowed:
        assert evaluate(given_rules, request).allowed


@given(rule_lists(), rules(rule_id="further", effect=Effect.PERMIT), requests)
def test_a_further_permit_never_denies(given_rules: tuple[Rule, ...], further: Rule, request: Request) -> None:
    if evaluate(given_rules, request).allowed:
        assert evaluate((*given_rules, further), request).allowed


@given(rule_lists(), requests, people)
def test_a_further_person_never_allows(given_rules: tuple[Rule, ...], request: Request, other: Person) -> None:
    if evaluate(given_rules, replace(request, people=(*request.people, other))).allowed:
        assert evaluate(given_rules, request).allowed


@given(rule_lists(), items, adults, st.sampled_from(PLACES))
def test_a_further_place_never_allows(given_rules: tuple[Rule, ...], item: Item, owner: Person, place: str) -> None:
    if evaluate_person(given_rules, replace(owner, places=owner.places | {place}), item=item, at=AT).allowed:
        assert evaluate_person(given_rules, owner, item=item, at=AT).allowed


@given(rule_lists(), items, adults)
def test_a_refusal_without_a_date_always_denies(given_rules: tuple[Rule, ...], item: Item, owner: Person) -> None:
    assert not evaluate_person(given_rules, replace(owner, standing=REFUSED), item=item, at=AT).allowed


FORGOTTEN_PERSON = st.sampled_from(
    [{"age": Age.UNKNOWN}, {"places": frozenset()}, {"established": False}, {"known": False}]
)
FORGOTTEN_ITEM = st.sampled_from(
    [{"category": Category.UNKNOWN}, {"visibility": Visibility.UNKNOWN}, {"created": None}]
)


@given(rule_lists(), items, adults, FORGOTTEN_PERSON, FORGOTTEN_ITEM)
def test_knowing_less_never_allows(
    given_rules: tuple[Rule, ...], item: Item, owner: Person, of_owner: dict[str, object], of_item: dict[str, object]
) -> None:
    before = evaluate_person(given_rules, owner, item=item, at=AT)
    less_of_item = evaluate_person(given_rules, owner, item=replace(item, **of_item), at=AT)  # type: ignore[arg-type]  # see Item
    less_of_owner = evaluate_person(given_rules, replace(owner, **of_owner), item=item, at=AT)  # type: ignore[arg-type]  # see Person
    assert before.allowed or not less_of_item.allowed
    assert not less_of_owner.allowed


def completions(item: Item, owner: Person) -> list[tuple[Item, Person]]:
    """Everything that could be the case, given what is unknown."""
    categories = CATEGORIES if item.category is Category.UNKNOWN else (item.category,)
    visibilities = VISIBILITIES if item.visibility is Visibility.UNKNOWN else (item.visibility,)
    dates = (-1, *(date for day in DATES for date in (day, day + 1))) if item.created is None else (item.created,)
    places = [frozenset({place}) for place in PLACES] if not owner.places else [owner.places]
    ages = (Age.ADULT, Age.MINOR) if owner.age is Age.UNKNOWN else (owner.age,)
    return [
        (Item(category=category, visibility=visibility, created=created), replace(owner, places=place, age=age))
        for category in categories
        for visibility in visibilities
        for created in dates
        for place in places
        for age in ages
    ]


@given(rule_lists(max_size=3), items, people)
def test_what_is_denied_however_it_turns_out_is_denied_now(
    given_rules: tuple[Rule, ...], item: Item, owner: Person
) -> None:
    if evaluate_person(given_rules, owner, item=item, at=AT).allowed:
        assert all(
            evaluate_person(given_rules, each_owner, item=each_item, at=AT).allowed
            for each_item, each_owner in completions(item, owner)
        )


def without_unknown_forbids(given_rules: tuple[Rule, ...], item: Item, owner: Person) -> bool:
    """A wrong evaluator, which skips a forbid that it cannot answer."""
    decision = evaluate_person(given_rules, owner, item=item, at=AT)
    permits = tuple(rule for rule in given_rules if rule.effect is Effect.PERMIT)
    if any(reason.kind is ReasonKind.FORBIDDEN for reason in decision.reasons):
        return False
    return evaluate_person(permits, owner, item=item, at=AT).allowed


def test_control_the_generated_cases_tell_a_wrong_evaluator_from_the_right_one() -> None:
    def differs(case: tuple[tuple[Rule, ...], Item, Person]) -> bool:
        given_rules, item, owner = case
        right = evaluate_person(given_rules, owner, item=item, at=AT).allowed
        return without_unknown_forbids(given_rules, item, owner) and not right

    once = settings(max_examples=2000, phases=[Phase.generate], derandomize=True)
    assert differs(find(st.tuples(rule_lists(), items, adults), differs, settings=once))


def test_a_forbid_of_a_part_forbids_the_whole_and_a_permit_does_not_reach_up() -> None:
    permit = Rule(id="all", effect=Effect.PERMIT, why="test")
    forbid = Rule(id="no-pictures", effect=Effect.FORBID, why="test", purposes=frozenset({Purpose.TRAIN_GENAI_IMAGE}))
    assert forbid.applies_to(Purpose.TRAIN_GENAI_IMAGE)
    assert forbid.applies_to(Purpose.TRAIN_GENAI)
    assert forbid.applies_to(Purpose.TRAIN_AI)
    assert not forbid.applies_to(Purpose.TRAIN_GENAI_TEXT)
    assert not forbid.applies_to(Purpose.SERVE)
    assert permit.applies_to(Purpose.SERVE)
    narrow = replace(permit, purposes=frozenset({Purpose.TRAIN_GENAI_TEXT}))
    assert not narrow.applies_to(Purpose.TRAIN_GENAI)
