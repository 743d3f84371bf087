"""What a form of a member asks for, as choices: of a whole use, of kinds of content, or of single items.

Nothing is recorded here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Annotated

from fastapi import Depends, Request

from consentry.accounts.account import Principal
from consentry.control_plane.own_content import shown_key
from consentry.control_plane.plane import ControlPlane
from consentry.errors import ConflictError, StateError
from consentry.ledger.events import Pseudonym
from consentry.policy.choice import Choice, goes_further
from consentry.policy.vocabulary import Category, ChoiceState, Reach
from consentry.release.situation import Situation
from consentry.service.languages import DEFAULT, N_
from consentry.service.pages import member_shown as shown
from consentry.service.pages.member_blocks import Block, blocks
from consentry.service.pages.member_lists import refused_items

MADE = "made"
"""What a form is about that says no where nothing new is used: the collections that were made before."""
HOW_FAR = "reach-"
"""Begins the name of a field that says how far back the no of one row goes, apart from the others in the form."""
_ORDER = (ChoiceState.REFUSED, ChoiceState.UNSET, ChoiceState.ALLOWED)


async def _written(request: Request) -> Mapping[str, str]:
    """Return what a form says, by field."""
    form = await request.form(max_files=0, max_fields=200)
    return {name: value for name, value in form.items() if isinstance(value, str)}


Written = Annotated[Mapping[str, str], Depends(_written)]


def person_of(who: Principal) -> Pseudonym:
    """Return the pseudonym of the member who asks."""
    assert who.person is not None  # the table gives these actions to members only
    return who.person


def block_of(control: ControlPlane, who: Principal, *, purpose: str, language: str = DEFAULT) -> Block:
    """Return a use as the page shows it.

    Raises:
        StateError: nothing is decided about it.
    """
    found = blocks(control, person_of(who), from_notice=who.facts.get("notice", ""), language=language)
    use = next((each for each in found if each.purpose == purpose), None)
    if use is None:
        raise StateError("choice-no-such-use", "nothing is decided here about this use", help="open your page again")
    return use


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a form asks for, as far as it fits how things stand.

    Attributes:
        choices: what is to be recorded; none where nothing would change.
        changed: answers, by the names of their rows, that stand otherwise now than the page showed, and stay so.
        held: whether one of these is a yes that was chosen there.
        less_far: whether a no to all of a use would go less far back than the one that stands: it allows something
            again without a yes, so it is no choice.
        offered: whether there is anything to choose; if not, `choices` are refusals.
    """

    choices: Sequence[Choice]
    changed: Sequence[str] = ()
    held: bool = False
    less_far: bool = False
    offered: bool = True

    @property
    def noes(self) -> list[Choice]:
        """The refusals."""
        return [each for each in self.choices if each.state is ChoiceState.REFUSED]

    @property
    def others(self) -> list[Choice]:
        """What takes a refusal back: each yes, and what is unsaid."""
        return [each for each in self.choices if each.state is not ChoiceState.REFUSED]


def asked(control: ControlPlane, who: Principal, *, use: Block, wanted: Mapping[str, str]) -> Asked:
    """Return what a form asks for.

    Raises:
        StateError: no answer was given.
        NotFoundError: it is about an item that is not theirs.
    """
    person, what = person_of(who), wanted.get("what")
    lost = control.desk.present().overseen.lost
    # What a page showed that is lost since was not shown: a no on it is said anew.
    was = {name: row for name, row in shown.read(wanted).items() if row.position not in lost}
    making = _Making(use, wanted, control.desk.parts.clock(), was)
    if what == "items":
        answers = _items(control, who, wanted)
        refused = refused_items(control, person, purpose=use.purpose)
        own = control.own_content.by_key(person, use.purpose) if "yes" in answers.values() else {}
        making.items(answers, refused=refused, now=shown.of_items(use, own, refused=refused))
    elif what == "kinds":
        making.kinds(shown.of_use(use))
    elif what == MADE:
        making.made(wanted.get("answer", ""))
    else:
        making.whole(wanted.get("answer", ""), shown.of_use(use)["answer"])
    return making.asked()


def says_how_far(name: str) -> bool:
    """Say whether a field says how far back the no of one row goes, apart from the others."""
    return name.startswith(HOW_FAR)


LESS_FAR = "choice-less-far"

_PART_SAVED = N_(
    "a part of it is saved: look at the page again in a few minutes, and choose again what it does not show"
)
HALF_SAVED = {
    "choice-not-offered": N_("your no is saved all the same; there is nothing else to choose, and the page says why"),
    "choice-changed": N_("your no is saved; below it shows how everything else stands now"),
    "ledger-outcome-unknown": _PART_SAVED,
    "ledger-unavailable": _PART_SAVED,
    "system-disk-full": _PART_SAVED,
    "system-exhausted": _PART_SAVED,
    "": N_("your no is saved; the yes is not"),
}
"""What is said where a no of a form was recorded and the rest was not, by the code of the error."""


def require_fits(wants: Asked) -> None:
    """Refuse what takes a no back where it cannot be chosen now, needs a yes, or stands otherwise than the page showed.

    Raises:
        StateError: it is so.
    """
    if not wants.offered:
        raise StateError("choice-not-offered", N_("this cannot be chosen now"), help=N_("the page says why"))
    if wants.less_far:
        raise StateError(
            LESS_FAR,
            N_("you said no to more than that, so your no stays as it is"),
            help=N_("to allow some of it again, say yes first"),
        )
    if wants.held:
        raise ConflictError(
            "choice-changed",
            "something has changed since this page was opened, so the yes is not saved",
            help="look at the page again, and choose again if you want to",
        )


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
    """Refuse what takes a no back, of somebody who has not read the notices, or what the rules say, as they are now.

    Raises:
        StateError: they have not ticked it, or it has changed.
    """
    if not use.to_read:
        return
    if wanted.get("read") != "yes":
        raise StateError(
            "choice-notice-unread",
            N_("tick that you have read the notice, or leave it at no"),
            help=N_("the notice says what your content would be used for; nothing has changed"),
        )
    if wanted.get("version") != use.pins:
        raise StateError(
            "choice-notice-newer",
            N_("the notice has changed: please read it again"),
            help=N_("nothing has changed for you"),
        )


@dataclass(slots=True)
class _Making:
    """Makes choices of the answers of a form: it looks at each with what the page showed and how it stands now."""

    use: Block
    wanted: Mapping[str, str]
    at: int
    was: shown.Rows
    _made: dict[tuple[ChoiceState, Reach], list[str]] = field(default_factory=dict)
    _changed: list[str] = field(default_factory=list)
    _held: bool = False
    _less_far: bool = False

    def asked(self) -> Asked:
        """Return what came of it. About somebody who was erased nothing is recorded, also no refusal."""
        offered = self.use.can_choose or (self.wanted.get("what") == MADE and not self.use.erased)
        found = Asked(
            choices=self._choices(),
            changed=self._changed,
            held=self._held,
            less_far=self._less_far,
            offered=offered,
        )
        return found if offered else replace(found, choices=[] if self.use.erased else found.noes)

    def whole(self, answer: str, now: shown.Row) -> None:
        """Take the answer about all of a use: it is the one of its form, so whoever saves it says it."""
        if answer == "no":
            reach, _ = self._reach("answer")
            stands = self.use.reach
            if stands is None or goes_further(reach, stands):
                self._add(ChoiceState.REFUSED, reach=reach)
            elif reach is not stands:
                # One that goes less far allows something again: that takes a yes, and with it the notice.
                if self.was.get("answer") == now:
                    self._less_far = True
                else:
                    self._changed.append("answer")
        elif answer == "yes" or (answer == "back" and not self.use.policy):
            if self.use.answer == "yes":
                return
            if self._fits("answer", now):
                self._add(ChoiceState.ALLOWED if answer == "yes" else ChoiceState.UNSET)
        else:
            raise StateError("choice-no-answer", N_("choose yes or no"), help=N_("then press Save"))

    def made(self, answer: str) -> None:
        """Take the no by which all leaves that was made before. It holds for what comes later as well."""
        if answer != "no":
            raise StateError("choice-no-answer", N_("choose yes or no"), help=N_("then press Save"))
        if self.use.reach is not Reach.EVERYTHING:
            self._add(ChoiceState.REFUSED, reach=Reach.EVERYTHING)

    def kinds(self, now: shown.Rows) -> None:
        """Take the answers about kinds."""
        known = {each.category: each for each in (*self.use.never, *self.use.kinds)}
        for category in Category:
            name, kind = f"kind-{category}", known.get(category)
            answer, stands = self.wanted.get(name), now.get(name, shown.NOT_THERE)
            offered = name in self.was or (kind is not None and kind.can_choose)
            if answer == "no" and (name in self.was or kind is not None):
                refused = kind is not None and kind.refused
                if self._says_no(name, refused=refused, reach=kind.reach if kind is not None else None):
                    self._add(ChoiceState.REFUSED, category, reach=self._reach(name)[0])
            elif answer == "yes" and offered and self._says_yes(name, stands):
                self._add(ChoiceState.ALLOWED, category)

    def items(self, answers: Mapping[Pseudonym, str], *, refused: Mapping[str, Reach], now: shown.Rows) -> None:
        """Take the answers about single items; `refused` are those refused, and how far back, by their keys as shown.

        A yes takes a no back; it is a choice of its own where they are asked for one.
        """
        for item, answer in answers.items():
            key = shown_key(item)
            name = f"answer-{key}"
            stands = now.get(name, shown.NOT_THERE)
            if answer == "no" and self._says_no(name, refused=key in refused, reach=refused.get(key)):
                self._add(ChoiceState.REFUSED, item, reach=self._reach(name)[0])
            elif answer == "yes" and (name in self.was or stands.answer != shown.GONE) and self._says_yes(name, stands):
                asks = stands.answer == "" or self.use.situation is Situation.ASKS
                self._add(ChoiceState.ALLOWED if asks else ChoiceState.UNSET, item)

    def _says_no(self, name: str, *, refused: bool, reach: Reach | None) -> bool:
        """Say whether a no is to be recorded; `reach` is that of the one that stands, None if a wider one covers it.

        A row that showed a no and was not touched takes back no yes that was said meanwhile.
        """
        touched = name in self.was and self.was[name].answer != "no"
        if not refused:
            if name in self.was and not touched:
                self._changed.append(name)
                return False
            return True
        further, explicit = self._reach(name)
        return touched if reach is None else (explicit or touched) and goes_further(further, reach)

    def _says_yes(self, name: str, now: shown.Row) -> bool:
        """Say whether a yes is to be recorded: one that was chosen on the page, and only if all is as it showed."""
        if now.answer == "yes":
            return False
        if name in self.was and self.was[name].answer == "yes":
            self._changed.append(name)
            return False
        return self._fits(name, now)

    def _fits(self, name: str, now: shown.Row) -> bool:
        if self.was.get(name) == now and now.answer != shown.GONE:
            return True
        self._changed.append(name)
        self._held = True
        return False

    def _reach(self, name: str) -> tuple[Reach, bool]:
        """Return how far back the no of a row goes, and whether the form says so."""
        own = self.wanted.get(f"{HOW_FAR}{name}", "")
        if own in set(Reach):
            return Reach(own), True
        return reach_of(self.wanted), self.wanted.get("reach") in set(Reach)

    def _add(self, state: ChoiceState, *about: str, reach: Reach = Reach.UNTRAINED) -> None:
        # A choice that is no refusal reaches nowhere; the word stands in the ledger all the same.
        self._made.setdefault((state, reach), []).extend(about)

    def _choices(self) -> list[Choice]:
        """Return the choices, the refusals first: one for all answers that say the same and go back as far."""
        what = self.wanted.get("what")
        return [
            Choice(
                purpose=self.use.purpose,
                state=state,
                reach=reach,
                at=self.at,
                categories=frozenset(map(Category, about)) if what == "kinds" else frozenset(),
                items=frozenset(about) if what == "items" else frozenset(),
            )
            for (state, reach), about in sorted(self._made.items(), key=lambda each: _ORDER.index(each[0][0]))
        ]
