from __future__ import annotations

from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consentry.errors import IntegrityError
from consentry.ledger import groups, image
from consentry.ledger.envelope import Event
from consentry.ledger.events import BODIES as KNOWN
from consentry.ledger.events import (
    Body,
    ChoiceMade,
    NoticeServed,
    PersonErased,
    PersonLinked,
    suppression_token,
)
from consentry.ledger.groups import groups_of
from consentry.ledger.layered import Layered
from consentry.ledger.release_events import ReleaseSealedV1, ReleaseWithdrawn, ReleaseWithdrawnV1
from consentry.ledger.state import EMPTY, State, Withdrawn, fold
from consentry.policy.choice import ChoiceKey, standing
from consentry.policy.vocabulary import Category, ChoiceState, Purpose, Reach
from ledger.sayings import ALLOWED, BODIES, PEOPLE, REFUSED, UNSET, chose, emptied, event, person, published, sealed

HISTORIES = st.lists(BODIES, max_size=30)


def told(*bodies: Body) -> State:
    return fold(EMPTY, events(bodies))


def events(bodies: tuple[Body, ...] | list[Body]) -> list[Event]:
    return [event(position, body) for position, body in enumerate(bodies)]


def states(state: State, number: int) -> list[ChoiceState]:
    return [each.choice.state for each in state.statements_of(person(number))]


def as_erased(history: list[Event]) -> list[Event]:
    """Empty what each erasure in `history` empties, as a ledger does."""
    left = list(history)
    for later in history:
        if isinstance(later.body, PersonErased):
            for earlier in history[: later.position]:
                body = earlier.body
                if isinstance(body, ChoiceMade | PersonLinked) and later.body.token in map(
                    suppression_token, body.people
                ):
                    left[earlier.position] = emptied(earlier)
    return left


@given(HISTORIES, st.data())
def test_a_state_carried_forward_equals_one_rebuilt(bodies: list[Body], data: st.DataObject) -> None:
    history = events(bodies)
    cut = data.draw(st.integers(0, len(history)))
    kept = fold(EMPTY, history[:cut])
    before = image.to_bytes(kept)
    carried = fold(kept, history[cut:])
    assert carried == fold(EMPTY, history)
    assert carried.groups == fold(EMPTY, history).groups == groups_of(carried.links)
    assert carried.newest_erasure == max(carried.erased.values(), default=-1)
    assert image.to_bytes(carried) == image.to_bytes(fold(EMPTY, history))
    assert image.to_bytes(kept) == before, "folding must leave its start alone"


@given(HISTORIES, st.data())
def test_erasure_is_the_same_carried_forward_and_rebuilt(bodies: list[Body], data: st.DataObject) -> None:
    history = events(bodies)
    cut = data.draw(st.integers(0, len(history)))
    kept_before_erasures = fold(EMPTY, history[:cut])
    rebuilt = fold(EMPTY, as_erased(history))
    assert fold(kept_before_erasures, as_erased(history)[cut:]) == rebuilt
    assert fold(EMPTY, history) == rebuilt


def test_an_image_has_people_in_order_whoever_said_something_first() -> None:
    numbers = [each * 0x9E3779B97F4A7C15F39CC0605CEDC835 % 2**128 for each in range(200)]
    state = told(*map(chose, numbers))
    assert list(state.choices) != sorted(state.choices)
    assert list(image.from_bytes(image.to_bytes(state)).choices) == sorted(state.choices)


@given(HISTORIES)
def test_an_image_comes_back_as_it_was(bodies: list[Body]) -> None:
    state = told(*bodies)
    back = image.from_bytes(image.to_bytes(state))
    assert back == state
    assert back.groups == state.groups
    assert image.to_bytes(back) == image.to_bytes(state)


@given(HISTORIES.filter(bool), st.data())
def test_a_damaged_image_is_noticed(bodies: list[Body], data: st.DataObject) -> None:
    damaged = bytearray(image.to_bytes(told(*bodies)))
    damaged[data.draw(st.integers(0, len(damaged) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises(IntegrityError) as caught:
        image.from_bytes(bytes(damaged))
    assert caught.value.code == "ledger-image-damaged"


@pytest.mark.parametrize("cut", [0, 1, 20, -1])
def test_a_cut_image_is_noticed(cut: int) -> None:
    with pytest.raises(IntegrityError):
        image.from_bytes(image.to_bytes(told(chose(1)))[:cut])


@given(st.lists(st.tuples(PEOPLE, PEOPLE).filter(lambda pair: pair[0] != pair[1]), max_size=12))
def test_groups_are_what_links_connect(pairs: list[tuple[str, str]]) -> None:
    state = told(*(PersonLinked(person=one, same_as=other) for one, other in pairs))
    reach = {one: {one} for pair in pairs for one in pair}
    for _ in pairs:
        for one, other in pairs:
            reach[one] = reach[other] = reach[one] | reach[other]
            for each in reach[one]:
                reach[each] = reach[one]
    assert state.groups == {one: tuple(sorted(group)) for one, group in reach.items()}


def test_a_link_costs_what_it_joins_and_not_all_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    links = [PersonLinked(person=person(2 * each), same_as=person(2 * each + 1)) for each in range(1, 5_000)]
    state = told(*links)
    looked_at: list[int] = []

    def counted(links: Iterable[tuple[str, str]]) -> dict[str, tuple[str, ...]]:
        links = list(links)
        looked_at.append(len(links))
        return groups_of(links)

    monkeypatch.setattr(groups, "groups_of", counted)
    after = fold(state, [event(state.position, PersonLinked(person=person(3), same_as=person(4)))])
    assert after.group_of(person(2)) == tuple(map(person, range(2, 6)))
    assert sum(looked_at) < 10
    after = fold(after, [event(after.position, PersonErased(token=suppression_token(person(1)), events=0))])
    assert sum(looked_at) < 10, "who is erased without being linked leaves the groups as they are"
    assert after.group_of(person(2)) == tuple(map(person, range(2, 6)))


def test_erased_people_are_carried_forward_and_not_copied() -> None:
    erasures = [PersonErased(token=suppression_token(person(each)), events=0) for each in range(1_000)]
    state = told(*erasures)
    after = fold(state, [event(1_000, chose(2_000))])
    assert after.erased is state.erased
    after = fold(after, [event(1_001, PersonErased(token=suppression_token(person(3_000)), events=0))])
    assert isinstance(after.erased, Layered)
    assert (len(after.erased), after.newest_erasure) == (1_001, 1_001)
    assert (len(state.erased), state.newest_erasure) == (1_000, 999)


def test_a_later_choice_replaces_an_earlier_one_about_the_same_thing() -> None:
    state = told(chose(1, REFUSED), chose(1, REFUSED, category=Category.POST), chose(1, ALLOWED))
    assert [(each.choice.key.category, each.choice.state, each.position) for each in state.choices[person(1)]] == [
        (Category.POST, REFUSED, 1),
        (None, ALLOWED, 2),
    ]


EVERYTHING, UNTRAINED, FUTURE = Reach.EVERYTHING, Reach.UNTRAINED, Reach.FUTURE


def noes(state: State) -> list[tuple[Reach, int]]:
    return [(each.choice.reach, each.choice.at) for each in state.choices[person(1)]]


@pytest.mark.parametrize(("first", "then"), [(EVERYTHING, UNTRAINED), (EVERYTHING, FUTURE), (UNTRAINED, FUTURE)])
def test_a_no_that_goes_less_far_ends_none_that_goes_further(first: Reach, then: Reach) -> None:
    wide, narrow = chose(1, reach=first, at=5), chose(1, reach=then, at=8)
    state = told(wide, narrow)
    assert noes(state) == [(first, 5), (then, 8)]
    assert permits(state, created=1) == (False, False)
    assert noes(told(wide, narrow, chose(1, reach=first, at=9))) == [(first, 9)], "as far, and made later"
    assert states(told(wide, narrow, chose(1, ALLOWED, at=9)), 1) == [ALLOWED], "a yes takes both back"
    assert states(told(wide, narrow, chose(1, UNSET, at=9)), 1) == []
    assert noes(told(wide, chose(1, ALLOWED, at=6), narrow)) == [(then, 8)], "after a yes it is the first no"


def test_a_no_to_new_content_said_anew_ends_none_of_an_earlier_day() -> None:
    state = told(chose(1, reach=FUTURE, at=5), chose(1, reach=FUTURE, at=9))
    assert permits(state, created=7) == (False, False)
    assert permits(state, created=4) == (True, False)
    assert noes(told(chose(1, reach=FUTURE, at=5), chose(1, reach=FUTURE, at=5))) == [(FUTURE, 5)]


def test_unset_takes_a_choice_back_and_nothing_else() -> None:
    state = told(chose(1), chose(1, category=Category.POST), chose(1, UNSET))
    assert [each.choice.key for each in state.statements_of(person(1))] == [
        ChoiceKey(Purpose.TRAIN_GENAI, Category.POST, None)
    ]
    assert states(told(chose(1), chose(1, UNSET)), 1) == []


@pytest.mark.parametrize("late", [ALLOWED, UNSET])
def test_what_is_no_refusal_undoes_nothing_said_since(late: ChoiceState) -> None:
    for newer in (REFUSED, ALLOWED, UNSET):
        state = told(chose(1, newer, at=9), chose(1, late, at=8))
        assert states(state, 1) == ([] if newer is UNSET else [newer])
        assert states(told(chose(1, newer, at=9), chose(1, late, at=9)), 1) == ([] if late is UNSET else [late])
    # About some things it is the newest, about others it is not.
    both = told(chose(1, REFUSED, category=Category.POST, at=9), chose(1, late, at=8))
    assert [each.choice.key.category for each in both.choices[person(1)]] == [Category.POST, None]


def test_a_refusal_counts_from_when_it_is_recorded() -> None:
    for newer in (ALLOWED, UNSET):
        assert REFUSED in states(told(chose(1, newer, at=9), chose(1, REFUSED, at=8)), 1)
    assert states(told(chose(1, REFUSED, at=9), chose(1, REFUSED, at=8), chose(1, ALLOWED, at=8)), 1) == [REFUSED]


def permits(state: State, created: int) -> tuple[bool, bool]:
    """Say whether something made at `created` is not refused, and whether it is allowed."""
    live = [each.choice for each in state.choices.get(person(1), ())]
    found = standing(live, purpose=Purpose.TRAIN_GENAI, category=Category.POST)
    refused = found.state is REFUSED and (found.since is None or created >= found.since)
    return not refused, found.state is ALLOWED


SAID = [(REFUSED, Reach.FUTURE), (REFUSED, Reach.UNTRAINED), (ALLOWED, Reach.UNTRAINED), (UNSET, Reach.UNTRAINED)]


@given(st.lists(st.sampled_from(SAID), min_size=2, max_size=5), st.data())
def test_an_import_in_any_order_permits_no_more_than_in_the_right_one(
    said: list[tuple[ChoiceState, Reach]], data: st.DataObject
) -> None:
    choices = [chose(1, state, at=10 * at, reach=reach) for at, (state, reach) in enumerate(said, 1)]
    shuffled = data.draw(st.permutations(choices))
    for created in range(5, 10 * len(said) + 10, 10):
        right, other = permits(told(*choices), created), permits(told(*shuffled), created)
        assert other <= right
        assert not (other[1] and not right[1])


def test_who_comes_back_after_an_erasure_begins_anew() -> None:
    erasure = PersonErased(token=suppression_token(person(1)), events=1)
    history = events([chose(1, REFUSED, at=9), erasure, chose(1, ALLOWED, at=8)])
    assert states(fold(EMPTY, history), 1) == states(fold(EMPTY, as_erased(history)), 1) == [ALLOWED]


def test_what_one_account_said_counts_for_the_person() -> None:
    state = told(chose(1), PersonLinked(person=person(2), same_as=person(1)), chose(2, ALLOWED))
    assert state.group_of(person(2)) == (person(1), person(2))
    assert states(state, 1) == states(state, 2) == [REFUSED, ALLOWED]
    assert state.group_of(person(3)) == (person(3),)
    assert states(state, 3) == []


def test_an_erased_person_stays_denied_when_the_id_returns() -> None:
    state = told(chose(1), PersonErased(token=suppression_token(person(1)), events=1), chose(1, ALLOWED))
    assert state.is_erased(person(1))
    assert not state.is_erased(person(2))
    assert states(state, 1) == [ALLOWED]


def test_erasure_takes_links_away_and_leaves_the_others_linked() -> None:
    links = [PersonLinked(person=person(1), same_as=person(2)), PersonLinked(person=person(3), same_as=person(4))]
    state = told(*links, PersonErased(token=suppression_token(person(2)), events=1))
    assert state.group_of(person(1)) == (person(1),)
    assert state.group_of(person(3)) == (person(3), person(4))


def test_the_last_published_policy_is_in_force() -> None:
    state = told(published("1"), published("2"))
    in_force = state.policy("standard")
    assert in_force is not None
    assert (in_force.version, in_force.position) == ("2", 1)
    assert state.policy("other") is None
    assert [each.version for each in state.policies] == ["1", "2"]


def test_notices_and_releases_are_kept_with_their_positions() -> None:
    notice = NoticeServed(notice="2025-09", at=400, cohort="sha256:0", count=3)
    state = told(notice, sealed("one", 1), ReleaseWithdrawn(release="one", reason="an objection", by="olga"))
    assert [(each.notice, each.at, each.size, each.position) for each in state.notices] == [("2025-09", 400, 3, 0)]
    assert state.releases["one"].withdrawn == Withdrawn("an objection", 2)
    assert state.releases["one"].position == 1


def test_a_withdrawal_from_before_it_was_noted_who_does_it_counts() -> None:
    body = KNOWN["release.withdrawn", 1].from_json({"reason": "an objection", "release": "one"})
    assert body == ReleaseWithdrawnV1(release="one", reason="an objection")
    assert told(sealed("one", 1), body).releases["one"].withdrawn == Withdrawn("an objection", 1)


def test_a_release_from_before_it_was_noted_who_builds_it_counts() -> None:
    said = {name: value for name, value in sealed("one", 0).to_json().items() if name != "by"}
    body = KNOWN["release.sealed", 1].from_json(said)
    assert isinstance(body, ReleaseSealedV1)
    assert body.to_json() == said, "its bytes, and so its commitment, stay as they were"
    assert told(body).releases == told(sealed("one", 0)).releases


@pytest.mark.parametrize("position", [0, 2])
def test_a_gap_is_noticed(position: int) -> None:
    with pytest.raises(IntegrityError) as caught:
        fold(told(chose(1)), [event(position, chose(2))])
    assert caught.value.code == "ledger-gap"


def test_nobody_is_linked_by_nothing() -> None:
    assert groups_of([]) == {}
