"""Objections: what can be said when, and until when an answer is owed."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from consentry.errors import ConsentryError, StateError
from consentry.ledger.envelope import Event
from consentry.ledger.events import Body
from consentry.ledger.objection_events import (
    LawfulGround,
    ObjectionAsked,
    ObjectionBody,
    ObjectionDeclined,
    ObjectionErased,
    ObjectionExtended,
    ObjectionHeard,
    ObjectionMatched,
    ObjectionNoted,
    ObjectionNotFound,
    ObjectionReceived,
    ObjectionTaken,
    ObjectionWithdrawn,
)
from consentry.oversight.objection import (
    OPEN,
    Objection,
    Objections,
    ObjectionState,
    months_after,
    require_possible,
)
from consentry.policy.vocabulary import Purpose

ONE = "a" * 32
DAY = 86_400
BEGIN = int(datetime(2026, 1, 31, 12, tzinfo=UTC).timestamp())


def event(position: int, body: Body, at: int) -> Event:
    return Event(
        position=position,
        recorded_at=at,
        kind=body.KIND,
        version=body.VERSION,
        commitment=b"",
        personal=body.PERSONAL,
        salt=None,
        document=b"",
        body=body,
    )


class Desk:
    """Says things about one objection, if they can be said, and folds them."""

    def __init__(self) -> None:
        self.now = BEGIN
        self.said: list[tuple[ObjectionBody, int]] = []
        self.objections = Objections()
        self.say(ObjectionReceived(objection=ONE, purpose=Purpose.TRAIN_AI, form=1, by=None))

    @property
    def one(self) -> Objection:
        found = self.objections.get(ONE)
        assert found is not None
        return found

    def say(self, body: ObjectionBody) -> Objection:
        if not isinstance(body, ObjectionReceived):
            require_possible(self.one, body, at=self.now)
        self.objections.take(event(len(self.said), body, self.now))
        self.said.append((body, self.now))
        return self.one

    def refuses(self, body: ObjectionBody) -> str:
        with pytest.raises(ConsentryError) as caught:
            self.say(body)
        return caught.value.code


TAKEN = ObjectionTaken(objection=ONE, by="sam")
ASKED = ObjectionAsked(objection=ONE, by="sam")
HEARD = ObjectionHeard(objection=ONE)
MATCHED = ObjectionMatched(objection=ONE, people=1, items=2, by="sam")
NOT_FOUND = ObjectionNotFound(objection=ONE, by="sam")
DECLINED = ObjectionDeclined(objection=ONE, ground=LawfulGround.EXCESSIVE, by="sam")
WITHDRAWN = ObjectionWithdrawn(objection=ONE)
NOTED = ObjectionNoted(objection=ONE, by="sam")
ERASED = ObjectionErased(objection=ONE, texts=3, by="sam")
EXTENDED = ObjectionExtended(objection=ONE, months=2, by="sam")


def day(moment: int) -> str:
    return datetime.fromtimestamp(moment, UTC).isoformat()


@pytest.mark.parametrize(
    ("begun", "months", "ends"),
    [
        ("2026-01-31T12:00:00", 1, "2026-02-28T23:59:59+00:00"),
        ("2024-01-31T00:00:00", 1, "2024-02-29T23:59:59+00:00"),
        ("2026-11-26T23:59:59", 1, "2026-12-26T23:59:59+00:00"),
        ("2026-12-01T00:00:00", 1, "2027-01-01T23:59:59+00:00"),
        ("2026-11-30T08:00:00", 3, "2027-02-28T23:59:59+00:00"),
    ],
)
def test_a_month_ends_with_the_day_of_its_number_or_the_last_one(begun: str, months: int, ends: str) -> None:
    assert day(months_after(int(datetime.fromisoformat(begun + "+00:00").timestamp()), months)) == ends


@given(st.integers(0, 2**32), st.integers(1, 3))
def test_a_month_is_never_shorter_than_its_days(at: int, months: int) -> None:
    assert 28 * DAY * months <= months_after(at, months) - at <= (31 * months + 1) * DAY


def test_an_objection_is_looked_at_asked_about_and_matched() -> None:
    desk = Desk()
    assert desk.one.state is ObjectionState.RECEIVED
    assert desk.say(TAKEN).by == "sam"
    assert desk.say(replace(TAKEN, by="kim")).by == "kim"
    assert desk.say(ASKED).state is ObjectionState.ASKED
    assert desk.say(HEARD).state is ObjectionState.LOOKED_AT
    assert desk.say(MATCHED).state is ObjectionState.MATCHED
    assert (desk.one.people, desk.one.items, desk.one.messages) == (1, 2, 1)


@pytest.mark.parametrize("answer", [MATCHED, NOT_FOUND, DECLINED])
def test_a_message_after_an_answer_opens_it_with_a_month_of_its_own(answer: ObjectionBody) -> None:
    desk = Desk()
    desk.say(EXTENDED)
    desk.say(answer)
    assert desk.refuses(NOT_FOUND) == desk.refuses(TAKEN) == desk.refuses(EXTENDED) == "objection-answered"
    desk.now += 200 * DAY
    again = desk.say(HEARD)
    assert again.state is ObjectionState.RECEIVED
    assert again.due == months_after(desk.now, 1)
    assert not again.overdue(desk.now)
    assert again.received == BEGIN
    assert desk.say(EXTENDED).due == months_after(desk.now, 3)


def test_a_match_can_be_added_to_any_answer() -> None:
    desk = Desk()
    desk.say(DECLINED)
    assert desk.say(MATCHED).ground is None
    assert desk.say(MATCHED).items == 4


def test_withdrawn_is_the_end() -> None:
    desk = Desk()
    desk.say(MATCHED)
    assert desk.say(WITHDRAWN).people == 1, "what was refused stays refused"
    for body in (TAKEN, ASKED, HEARD, MATCHED, NOT_FOUND, DECLINED, EXTENDED, WITHDRAWN):
        assert desk.refuses(body) == "objection-withdrawn"
    desk.say(NOTED)


def test_the_time_is_made_longer_once_and_before_it_is_over() -> None:
    desk = Desk()
    assert desk.refuses(replace(EXTENDED, months=3)) == desk.refuses(replace(EXTENDED, months=0)) == "objection-months"
    desk.now = desk.one.due
    assert not desk.one.overdue(desk.now)
    assert desk.one.overdue(desk.now + 1)
    assert day(desk.say(EXTENDED).due) == "2026-04-30T23:59:59+00:00"
    assert desk.refuses(EXTENDED) == "objection-not-extendable"
    late = Desk()
    late.now = late.one.due + 1
    assert late.refuses(EXTENDED) == "objection-not-extendable"


def test_what_was_erased_says_nothing_more() -> None:
    desk = Desk()
    assert desk.refuses(ERASED) == "objection-not-erasable"
    desk.say(NOT_FOUND)
    assert desk.say(ERASED).erased
    assert desk.refuses(ERASED) == "objection-not-erasable"
    assert {desk.refuses(each) for each in (HEARD, NOTED, MATCHED, WITHDRAWN)} == {"objection-erased"}


BODIES: st.SearchStrategy[ObjectionBody] = st.sampled_from(
    [TAKEN, ASKED, HEARD, MATCHED, NOT_FOUND, DECLINED, WITHDRAWN, NOTED, ERASED, EXTENDED]
)


class AnyCourse(RuleBasedStateMachine):
    """Whatever is tried in whatever order: what counts holds."""

    def __init__(self) -> None:
        super().__init__()
        self.desk = Desk()
        self.before = self.desk.one

    @rule(body=BODIES, days=st.integers(0, 50))
    def try_to_say(self, body: ObjectionBody, days: int) -> None:
        self.desk.now += days * DAY
        self.before = self.desk.one
        try:
            self.desk.say(body)
        except StateError:
            assert self.desk.one == self.before, "what is refused changes nothing"

    @precondition(lambda self: self.desk.one.open)
    @rule()
    def an_open_one_can_always_be_answered(self) -> None:
        for body in (MATCHED, NOT_FOUND, DECLINED, ASKED, TAKEN, HEARD, WITHDRAWN):
            require_possible(self.desk.one, body, at=self.desk.now)

    @precondition(lambda self: self.desk.one.state is not ObjectionState.WITHDRAWN and not self.desk.one.erased)
    @rule()
    def a_match_and_a_message_are_always_possible(self) -> None:
        require_possible(self.desk.one, MATCHED, at=self.desk.now)
        require_possible(self.desk.one, HEARD, at=self.desk.now)

    @invariant()
    def nothing_that_was_refused_comes_back(self) -> None:
        assert self.desk.one.people >= self.before.people
        assert self.desk.one.items >= self.before.items

    @invariant()
    def an_answer_is_owed_within_three_months(self) -> None:
        one = self.desk.one
        assert one.due in {months_after(one.counted_from, 1 + further) for further in (0, 1, 2)}
        assert one.counted_from >= one.received
        assert (one.ground is not None) <= (one.state in {ObjectionState.DECLINED, ObjectionState.WITHDRAWN})

    @invariant()
    def the_end_is_the_end(self) -> None:
        if self.before.state is ObjectionState.WITHDRAWN:
            assert self.desk.one.state is ObjectionState.WITHDRAWN
        assert self.before.erased <= self.desk.one.erased
        assert not (self.desk.one.erased and self.desk.one.state in OPEN)

    @invariant()
    def folding_again_gives_the_same(self) -> None:
        again = Objections()
        for position, (body, at) in enumerate(self.desk.said):
            again.take(event(position, body, at))
        assert again.get(ONE) == self.desk.one


TestAnyCourse = AnyCourse.TestCase
