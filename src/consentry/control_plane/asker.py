"""Who asks about their own content: their seats, their accounts, and what they said with any of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from consentry.control_plane.desk import Desk
from consentry.control_plane.known import Known
from consentry.corpus.people import MISSING
from consentry.corpus.pseudonym import words_of
from consentry.corpus.sidecar import NOBODY
from consentry.ledger.events import Pseudonym
from consentry.ledger.state import Stated
from consentry.policy.choice import REACHES, Choice, LiveChoice, Seconds, undoes_more
from consentry.policy.vocabulary import ChoiceState, Purpose


@dataclass(frozen=True, slots=True, kw_only=True)
class Asker:
    """Who asks: their seats (none if nothing is known of them), all their accounts, and what all of these said.

    `own` and `others` are what counts of it; `outdone` are refusals beside which another of the same account undoes
    more; `taken_back` is what they took back with any account and did not say anew.
    """

    person: Pseudonym
    seats: tuple[int, ...]
    accounts: tuple[Pseudonym, ...]
    own: tuple[Stated, ...]
    others: tuple[Stated, ...]
    outdone: tuple[Stated, ...]
    taken_back: tuple[Stated, ...]
    erased: bool

    @property
    def seat(self) -> int:
        """The seat of the account that asks."""
        return self.seats[0] if self.seats else NOBODY

    def spoke_about(self, purpose: Purpose | None, *, since: int = 0) -> list[int]:
        """Return the positions from `since` on at which they said anything, with any account, that concerns a purpose.

        Who takes back what they said speaks as well. Without a purpose it is about any.
        """
        every = (*self.own, *self.others, *self.outdone, *self.taken_back)
        spoken = (each for each in every if each.position >= since)
        return [each.position for each in spoken if purpose is None or concerns(each.choice, purpose)]

    def further_than(self, choice: Choice) -> LiveChoice | None:
        """Return their refusal, with any account, that counts for all another one is about and undoes more, if any."""
        further = [
            each.choice
            for each in self.said
            if each.choice.key.purpose in choice.purpose.lineage
            and (each.choice.key.category is None or choice.categories == {each.choice.key.category})
            and (each.choice.key.item is None or choice.items == {each.choice.key.item})
            and undoes_more(each.choice, choice)
        ]
        return max(further, key=lambda each: (REACHES.index(each.reach), -each.at), default=None)

    def took_back(self, purpose: Purpose) -> Seconds | None:
        """Return when they last took back what they had said about all of a use, with any account; None if never."""
        back = [each.choice for each in self.taken_back if concerns(each.choice, purpose)]
        whole = (each.at for each in back if each.key.category is None and each.key.item is None)
        return max(whole, default=None)

    @property
    def said(self) -> tuple[Stated, ...]:
        """What counts for the account that asks: its own choices, and the refusals of the others."""
        refusals = (each for each in self.others if each.choice.state is ChoiceState.REFUSED)
        return tuple(sorted((*self.own, *refusals), key=lambda each: each.position))


def find(desk: Desk, person: Pseudonym) -> Asker:
    """Return who asks. Nobody gets a seat by it."""
    index, _ = desk.parts.pseudonyms.lookup()
    ordinal = index.lookup_one(*words_of(person))
    with desk.lock:
        return in_seat(desk, desk.present(), person=person, seat=NOBODY if ordinal == MISSING else ordinal + 1)


def in_seat(desk: Desk, present: Known, *, person: Pseudonym, seat: int) -> Asker:
    """Return who asks, in a seat. The lock of the desk is held."""
    seats = () if seat == NOBODY else (seat, *(each for each in present.accounts(seat) if each != seat))
    accounts = tuple(dict.fromkeys((person, *desk.accounts(present, seat))))
    state = present.state
    others = dict.fromkeys(each for account in accounts for each in state.group_of(account))
    every = tuple(dict.fromkeys((*accounts, *others)))
    said = {each: state.choices.get(each, ()) for each in every}
    counting = {each: _counting(stated) for each, stated in said.items()}
    return Asker(
        person=person,
        seats=seats,
        accounts=every,
        own=counting[person],
        others=tuple(stated for each in every if each != person for stated in counting[each]),
        outdone=tuple(stated for each in every for stated in _live(said[each]) if stated not in counting[each]),
        taken_back=tuple(stated for each in every for stated in said[each] if not _live([stated])),
        erased=any(map(state.is_erased, accounts)),
    )


def concerns(choice: LiveChoice, purpose: Purpose) -> bool:
    """Say whether a choice is about a purpose, one above it or one below it."""
    return choice.key.purpose in purpose.lineage or purpose.covers(choice.key.purpose)


def _counting(said: Sequence[Stated]) -> tuple[Stated, ...]:
    """Return what counts of what one account said: of several refusals of the same thing the one that undoes most."""
    return tuple(
        each
        for each in _live(said)
        if not any(other.choice.key == each.choice.key and undoes_more(other.choice, each.choice) for other in said)
    )


def _live(said: Iterable[Stated]) -> tuple[Stated, ...]:
    return tuple(each for each in said if each.choice.state is not ChoiceState.UNSET)
