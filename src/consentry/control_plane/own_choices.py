"""What a person says about the use of their own content: a no always, a yes only where nothing was said meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Protocol

from consentry.control_plane import asker
from consentry.control_plane.desk import Desk
from consentry.errors import ConflictError
from consentry.ledger.events import ChoiceMade, Pseudonym, Source
from consentry.policy.choice import Choice
from consentry.policy.vocabulary import ChoiceState, Purpose, Reach


class Choosing(Protocol):
    """Records choices."""

    def choose(
        self, choices: Iterable[ChoiceMade], *, batch: int = ..., recorded: Callable[[range], None] | None = ...
    ) -> int:
        """Record choices, durably, and tell `recorded` their positions."""
        ...


class OwnChoices:
    """Verbs with which a person says something about their own content."""

    def __init__(self, desk: Desk, *, choosing: Choosing) -> None:
        self.desk = desk
        self._choosing = choosing

    def choose(self, person: Pseudonym, choice: Choice, *, source: Source = Source.SETTINGS) -> int:
        """Record what a person chose about their own content, durably, and return its position.

        Raises:
            ChoiceError: it says it was made at a time to come, or they were erased.
        """
        positions: list[int] = []
        self._choosing.choose([ChoiceMade(person=person, choice=choice, source=source)], recorded=positions.extend)
        return positions[0]

    def agree(
        self,
        person: Pseudonym,
        choices: Sequence[Choice],
        *,
        notice: str | None,
        since: int,
        beside: Collection[int] = (),
    ) -> list[int]:
        """Record what takes a no back, durably, and return the positions: a yes, or that something is unsaid.

        `since` is the position at which was looked how things stand. Looking again and recording are one step, so no
        refusal that is acknowledged before is taken back by it. What stands at the positions `beside` is of the same
        request. `notice` is what they read before.

        Raises:
            ConflictError: something was said since, with any account of theirs, that concerns the same use; or they
                were erased.
        """
        seat = asker.find(self.desk, person).seat
        with self.desk.at_head() as session:
            found = asker.in_seat(self.desk, self.desk.newest, person=person, seat=seat)
            purposes = {each.purpose for each in choices}
            if any(set(found.spoke_about(each, since=since)) - set(beside) for each in purposes) or found.erased:
                raise ConflictError(
                    "choice-changed", "something was said about this use meanwhile", help="look again, then choose"
                )
            said = [ChoiceMade(person=person, choice=each, source=Source.SETTINGS, notice=notice) for each in choices]
            return list(session.append(said))

    def refuse_unsaid(self, person: Pseudonym, purposes: Sequence[Purpose], *, source: Source) -> list[int]:
        """Record a no to those uses that the person has still said nothing about, and return the positions.

        Looking and recording are one step: asked twice at the same time, it is recorded once. The reach is `untrained`,
        so no sealed release is to be amended. Of somebody who was erased nothing is kept.
        """
        seat = asker.find(self.desk, person).seat
        at = self.desk.parts.clock()
        with self.desk.at_head() as session:
            found = asker.in_seat(self.desk, self.desk.newest, person=person, seat=seat)
            unsaid = [each for each in purposes if not (found.erased or found.spoke_about(each))]
            noes = [Choice(purpose=each, state=ChoiceState.REFUSED, reach=Reach.UNTRAINED, at=at) for each in unsaid]
            made = [ChoiceMade(person=person, choice=each, source=source) for each in noes]
            return list(session.append(made)) if made else []
