"""What a form of a member asks for, as choices: of a whole use, of kinds of content, or of single items.

Nothing is recorded here.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from consentry.accounts.account import Principal
from consentry.control_plane.own_content import shown_key
from consentry.control_plane.plane import ControlPlane
from consentry.errors import StateError
from consentry.ledger.events import Pseudonym
from consentry.policy.choice import Choice
from consentry.policy.vocabulary import Category, ChoiceState, Reach
from consentry.release.situation import Situation
from consentry.service.languages import N_
from consentry.service.pages.member_blocks import Block, blocks
from consentry.service.pages.member_lists import refused_items


async def _written(request: Request) -> Mapping[str, str]:
    """Return what a form says, by field."""
    form = await request.form(max_files=0, max_fields=200)
    return {name: value for name, value in form.items() if isinstance(value, str)}


Written = Annotated[Mapping[str, str], Depends(_written)]


def person_of(who: Principal) -> Pseudonym:
    """Return the pseudonym of the member who asks."""
    assert who.person is not None  # the table gives these actions to members only
    return who.person


def block_of(control: ControlPlane, who: Principal, *, purpose: str) -> Block:
    """Return a use as the page shows it.

    Raises:
        StateError: nothing is decided about it.
    """
    found = blocks(control, person_of(who), from_notice=who.facts.get("notice", ""))
    use = next((each for each in found if each.purpose == purpose), None)
    if use is None:
        raise StateError("choice-no-such-use", "nothing is decided here about this use", help="open your page again")
    return use


def asked(control: ControlPlane, who: Principal, *, use: Block, wanted: Mapping[str, str]) -> list[Choice]:
    """Return the choices that a form asks for; none where nothing would change.

    Raises:
        StateError: there is nothing to choose, or no answer was given.
        NotFoundError: it is about an item that is not theirs.
    """
    if not use.can_choose:
        raise StateError("choice-not-offered", N_("this cannot be chosen now"), help=N_("the page says why"))
    person, reach = person_of(who), reach_of(wanted)
    making = _Making(use, reach, control.desk.parts.clock(), further=wanted.get("reach") == reach)
    if wanted.get("what") == "items":
        answers = _items(control, who, wanted)
        asking = control.own_content.asked_for(person, use.purpose) if "yes" in answers.values() else frozenset()
        return making.items(answers, refused=refused_items(control, person, purpose=use.purpose), asking=asking)
    return making.kinds(wanted) if wanted.get("what") == "kinds" else making.whole(wanted.get("answer", ""))


def reach_of(wanted: Mapping[str, str]) -> Reach:
    """Return how far back a form wants a no to reach: all the way, if it does not say."""
    return Reach(wanted["reach"]) if wanted.get("reach") in set(Reach) else Reach.EVERYTHING


def _items(control: ControlPlane, who: Principal, wanted: Mapping[str, str]) -> dict[Pseudonym, str]:
    """Return the answers to single items, which stand in fields `item-N`, `corpus-N` and `answer-N`.

    Raises:
        NotFoundError: one of them is not theirs.
    """
    return {
        control.own_content.own_item(person_of(who), corpus, id=id_): answer
        for corpus, id_, answer in named_items(wanted)
    }


def named_items(wanted: Mapping[str, str]) -> list[tuple[str, str, str]]:
    """Return the items that a form answers about: corpus, id and answer of each."""
    found = []
    for name, id_ in wanted.items():
        field, _, number = name.partition("-")
        if field == "item" and wanted.get(f"answer-{number}"):
            found.append((wanted.get(f"corpus-{number}", ""), id_, wanted[f"answer-{number}"]))
    return found


def require_read(use: Block, wanted: Mapping[str, str]) -> None:
    """Refuse a yes of somebody who has not read the notice, or what the rules say of themselves, as it is now.

    Raises:
        StateError: they have not ticked it, or it has changed.
    """
    if use.notice is None:
        return
    if wanted.get("read") != "yes":
        raise StateError(
            "choice-notice-unread",
            N_("tick that you have read the notice, or leave it at no"),
            help=N_("the notice says what your content would be used for; nothing has changed"),
        )
    if wanted.get("version") != use.notice.pin:
        raise StateError(
            "choice-notice-newer",
            N_("the notice has changed: please read it again"),
            help=N_("nothing has changed for you"),
        )


@dataclass(frozen=True, slots=True)
class _Making:
    use: Block
    reach: Reach
    at: int
    further: bool
    """Whether the form says how far back, so that a no that stands and goes less far is said anew."""

    def choice(
        self, state: ChoiceState, *, categories: Sequence[Category] = (), items: frozenset[str] = frozenset()
    ) -> Choice:
        # A choice that is no refusal reaches nowhere; the word stands in the ledger all the same.
        reach = self.reach if state is ChoiceState.REFUSED else Reach.UNTRAINED
        return Choice(
            purpose=self.use.purpose,
            state=state,
            reach=reach,
            at=self.at,
            categories=frozenset(categories),
            items=items,
        )

    def whole(self, answer: str) -> list[Choice]:
        if answer == "no":
            # Said again with the same reach, it would say nothing new.
            again = self.use.no is not None and self.use.no.reach is self.reach
            return [] if again else [self.choice(ChoiceState.REFUSED)]
        if answer == "back" and not self.use.policy:
            return [self.choice(ChoiceState.UNSET)]
        if answer == "yes":
            stays = self.use.answer == "yes"
            return [] if stays else [self.choice(ChoiceState.ALLOWED)]
        raise StateError("choice-no-answer", N_("choose yes or no"), help=N_("then press Save"))

    def items(
        self, answers: Mapping[Pseudonym, str], *, refused: Mapping[str, Reach], asking: Collection[str]
    ) -> list[Choice]:
        """Say no to what was not refused before, and take back what was; `asking` are the items that lack a yes.

        `refused` has what was, and how far back; it and `asking` name items by their keys as shown. To any other
        item a yes is no choice of its own.
        """
        keys = {item: shown_key(item) for item in answers}
        off = frozenset(
            item for item, answer in answers.items() if answer == "no" and self._is_new(refused.get(keys[item]))
        )
        back = frozenset(item for item, answer in answers.items() if answer == "yes" and keys[item] in refused)
        on = frozenset(item for item, answer in answers.items() if answer == "yes" and keys[item] in asking)
        if self.use.situation is Situation.ASKS:
            on, back = on | back, frozenset()
        made = [(ChoiceState.REFUSED, off), (ChoiceState.UNSET, back), (ChoiceState.ALLOWED, on)]
        return [self.choice(state, items=items) for state, items in made if items]

    def _is_new(self, stands: Reach | None) -> bool:
        """Say whether a no says something new beside the one that stands."""
        return stands is None or (self.further and goes_further(self.reach, stands))

    def kinds(self, wanted: Mapping[str, str]) -> list[Choice]:
        answers = [(each, wanted.get(f"kind-{each.category}")) for each in self.use.kinds if each.can_choose]
        off = [
            each.category
            for each, answer in answers
            if answer == "no" and (not each.refused or (each.reach is not None and self._is_new(each.reach)))
        ]
        on = [each.category for each, answer in answers if answer == "yes" and (each.refused or not each.on)]
        on = [each for each in on if self.use.answer != "yes" or _is_refused(self.use, each)]
        made = [self.choice(ChoiceState.REFUSED, categories=off)] if off else []
        return made + ([self.choice(ChoiceState.ALLOWED, categories=on)] if on else [])


def goes_further(reach: Reach, other: Reach) -> bool:
    """Say whether a no with a reach undoes more than one with another."""
    order = list(Reach)
    return order.index(reach) > order.index(other)


def _is_refused(use: Block, category: Category) -> bool:
    return any(each.refused for each in use.kinds if each.category is category)
