from __future__ import annotations

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from consentry.policy.choice import NO_CHOICE, Choice, ChoiceKey, LiveChoice, Standing, standing
from consentry.policy.vocabulary import Category, ChoiceState, Purpose, Reach

REFUSED, ALLOWED, UNSET = ChoiceState.REFUSED, ChoiceState.ALLOWED, ChoiceState.UNSET
GENAI = Purpose.TRAIN_GENAI


def said(
    state: ChoiceState,
    *,
    purpose: Purpose = GENAI,
    category: Category | None = None,
    item: str | None = None,
    reach: Reach = Reach.UNTRAINED,
    at: int = 0,
) -> LiveChoice:
    return LiveChoice(ChoiceKey(purpose, category, item), state, reach, at)


def about_a_post(*live: LiveChoice, item: str | None = None, purpose: Purpose = GENAI) -> Standing:
    return standing(live, purpose=purpose, category=Category.POST, item=item)


def test_nothing_said_is_no_choice() -> None:
    assert about_a_post() == NO_CHOICE == Standing(UNSET)


def test_a_choice_covers_the_purposes_below_it() -> None:
    refusal = said(REFUSED, purpose=Purpose.TRAIN_AI)
    assert about_a_post(refusal, purpose=Purpose.TRAIN_GENAI_TEXT).state is REFUSED
    assert about_a_post(said(ALLOWED, purpose=Purpose.TRAIN_AI), purpose=Purpose.TRAIN_GENAI_TEXT).state is ALLOWED


def test_a_refusal_reaches_up_because_a_use_for_the_whole_is_a_use_for_the_part() -> None:
    refusal = said(REFUSED, purpose=Purpose.TRAIN_GENAI_TEXT)
    assert about_a_post(refusal, purpose=Purpose.TRAIN_GENAI).state is REFUSED
    assert about_a_post(refusal, purpose=Purpose.TRAIN_AI).state is REFUSED
    dated = said(REFUSED, purpose=Purpose.TRAIN_GENAI_TEXT, reach=Reach.FUTURE, at=10)
    assert about_a_post(dated, purpose=Purpose.TRAIN_GENAI) == Standing(REFUSED, 10)


def test_no_choice_reaches_sideways_and_consent_never_reaches_up() -> None:
    assert about_a_post(said(REFUSED, purpose=Purpose.TRAIN_GENAI_TEXT), purpose=Purpose.TRAIN_GENAI_IMAGE) == NO_CHOICE
    assert about_a_post(said(REFUSED, purpose=Purpose.TRAIN_GENAI_TEXT), purpose=Purpose.EVALUATE) == NO_CHOICE
    assert about_a_post(said(ALLOWED, purpose=Purpose.TRAIN_GENAI_TEXT), purpose=Purpose.TRAIN_GENAI) == NO_CHOICE


def test_a_narrower_refusal_wins_over_a_wider_consent() -> None:
    assert about_a_post(said(ALLOWED), said(REFUSED, category=Category.POST)).state is REFUSED
    assert about_a_post(said(ALLOWED, purpose=Purpose.TRAIN_AI), said(REFUSED)).state is REFUSED
    assert about_a_post(said(ALLOWED), said(REFUSED, item="a"), item="a").state is REFUSED


def test_a_narrower_consent_does_not_win_over_a_wider_refusal() -> None:
    assert about_a_post(said(REFUSED), said(ALLOWED, category=Category.POST, at=9)).state is REFUSED
    assert about_a_post(said(REFUSED, purpose=Purpose.TRAIN_AI), said(ALLOWED, at=9)).state is REFUSED
    assert about_a_post(said(REFUSED), said(ALLOWED, item="a", at=9), item="a").state is REFUSED


def test_a_choice_about_something_else_does_not_count() -> None:
    assert about_a_post(said(REFUSED, category=Category.RESUME)) == NO_CHOICE
    assert about_a_post(said(REFUSED, item="a"), item="b") == NO_CHOICE
    assert about_a_post(said(REFUSED, item="a")) == NO_CHOICE


def test_unset_says_nothing() -> None:
    assert about_a_post(said(UNSET)) == NO_CHOICE
    assert about_a_post(said(UNSET, category=Category.POST), said(ALLOWED)).state is ALLOWED


def test_a_refusal_for_the_future_has_a_date_and_the_earliest_counts() -> None:
    later, earlier = said(REFUSED, reach=Reach.FUTURE, at=20), said(REFUSED, item="a", reach=Reach.FUTURE, at=10)
    assert about_a_post(later) == Standing(REFUSED, 20)
    assert about_a_post(later, earlier, item="a") == Standing(REFUSED, 10)
    assert about_a_post(later, earlier) == Standing(REFUSED, 20)


def test_a_refusal_without_a_date_wins_over_a_dated_one() -> None:
    dated = said(REFUSED, reach=Reach.FUTURE, at=10)
    for reach in (Reach.UNTRAINED, Reach.EVERYTHING):
        assert about_a_post(dated, said(REFUSED, purpose=Purpose.TRAIN_AI, reach=reach)) == Standing(REFUSED)


def test_the_keys_of_a_choice_are_every_combination_in_a_fixed_order() -> None:
    choice = Choice(
        purpose=GENAI,
        state=REFUSED,
        at=0,
        categories=frozenset({Category.POST, Category.ARTICLE}),
        items=frozenset({"b", "a"}),
    )
    assert choice.keys() == (
        ChoiceKey(GENAI, Category.ARTICLE, "a"),
        ChoiceKey(GENAI, Category.ARTICLE, "b"),
        ChoiceKey(GENAI, Category.POST, "a"),
        ChoiceKey(GENAI, Category.POST, "b"),
    )


def test_a_choice_about_everything_has_one_key() -> None:
    assert Choice(purpose=GENAI, state=ALLOWED, at=0).keys() == (ChoiceKey(GENAI, None, None),)


LIVE = st.builds(
    LiveChoice,
    key=st.builds(
        ChoiceKey,
        purpose=st.sampled_from(Purpose),
        category=st.none() | st.sampled_from([Category.POST, Category.RESUME]),
        item=st.none() | st.sampled_from(["a", "b"]),
    ),
    state=st.sampled_from(ChoiceState),
    reach=st.sampled_from(Reach),
    at=st.integers(0, 5),
)


def strictness(found: Standing) -> tuple[int, int]:
    """How much a standing denies: a later date of a refusal denies less."""
    if found.state is REFUSED:
        return (2, 0 if found.since is None else -1 - found.since)
    return (0 if found.state is ALLOWED else 1, 0)


@given(st.lists(LIVE, max_size=6), LIVE, st.sampled_from(Purpose))
def test_a_further_refusal_never_leads_to_more_use(live: list[LiveChoice], other: LiveChoice, purpose: Purpose) -> None:
    refusal = other._replace(state=REFUSED)
    before = about_a_post(*live, item="a", purpose=purpose)
    after = about_a_post(*live, refusal, item="a", purpose=purpose)
    assert strictness(after) >= strictness(before)


@given(st.lists(LIVE, max_size=6), st.randoms())
def test_the_order_of_live_choices_means_nothing(live: list[LiveChoice], random: Random) -> None:
    shuffled = list(live)
    random.shuffle(shuffled)
    assert about_a_post(*shuffled, item="a") == about_a_post(*live, item="a")


@given(st.lists(LIVE, max_size=6))
def test_what_is_refused_of_a_purpose_or_above_is_refused_below(live: list[LiveChoice]) -> None:
    wide = [choice for choice in live if choice.key.purpose.covers(Purpose.TRAIN_AI)]
    above = about_a_post(*wide, purpose=Purpose.TRAIN_AI)
    below = about_a_post(*live, purpose=Purpose.TRAIN_GENAI_TEXT)
    if above.state is REFUSED:
        assert strictness(below) >= strictness(above)


@given(st.lists(LIVE, max_size=6))
def test_what_is_refused_for_a_part_is_refused_for_the_whole(live: list[LiveChoice]) -> None:
    below = about_a_post(*live, purpose=Purpose.TRAIN_GENAI_TEXT)
    if below.state is REFUSED:
        assert strictness(about_a_post(*live, purpose=Purpose.TRAIN_GENAI)) >= strictness(below)
