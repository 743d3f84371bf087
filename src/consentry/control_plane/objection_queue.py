"""The queue of objections: what staff see of them, and how they are answered.

A match takes effect in the append that says it: the refusal of a person, or the exclusion of single items whose owners
did not object, stands right behind it. Sealed releases are amended afterwards; interrupted, whoever hands one out next
amends it first.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import partial
from types import MappingProxyType
from typing import Any

from consentry.control_plane import asker
from consentry.control_plane.desk import Desk
from consentry.control_plane.match_in_part import known_person, require_rest, what_stays
from consentry.control_plane.objection_texts import ObjectionTexts, Told, require_words
from consentry.control_plane.once_recorded import once_recorded
from consentry.control_plane.wording import require_handle
from consentry.corpus.registration import open_corpus
from consentry.errors import InputError, NotFoundError
from consentry.ledger.case_events import Handle
from consentry.ledger.events import Body, ChoiceMade, Pseudonym, Source
from consentry.ledger.objection_events import (
    ItemsExcluded,
    LawfulGround,
    ObjectionAsked,
    ObjectionBody,
    ObjectionDeclined,
    ObjectionErased,
    ObjectionExtended,
    ObjectionMatched,
    ObjectionNoted,
    ObjectionNotFound,
    ObjectionTaken,
)
from consentry.oversight.objection import OPEN, Objection, ObjectionState, require_possible
from consentry.policy.choice import Choice, Seconds
from consentry.policy.vocabulary import Category, ChoiceState, Reach
from consentry.release.explain import find

_SHORTEST_PREFIX = 8
_ERASED_AT_ONCE = 500


class QueueSort(StrEnum):
    """What stands at the top of the queue."""

    DUE = "due"
    """What is due first at the top."""
    NEWEST = "newest"
    OLDEST = "oldest"
    CHANGED = "changed"
    """What somebody said something about last at the top."""


_SORTED_BY: Mapping[QueueSort, Callable[[Objection], tuple[int, int]]] = MappingProxyType(
    {
        QueueSort.DUE: lambda each: (each.due, each.position),
        QueueSort.NEWEST: lambda each: (-each.received, -each.position),
        QueueSort.OLDEST: lambda each: (each.received, each.position),
        QueueSort.CHANGED: lambda each: (-each.changed, each.position),
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Queued:
    """An objection in the queue. `filed` is what was written, None once it is erased; `alike` counts its duplicates."""

    objection: Objection
    overdue: bool
    filed: Told | None = field(repr=False)
    alike: int


@dataclass(frozen=True, slots=True, kw_only=True)
class QueuePage:
    """A part of the queue, and how many there are in all."""

    rows: tuple[Queued, ...]
    total: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Detail:
    """Everything staff see of an objection: what was said, oldest first, and the ids of exact duplicates."""

    objection: Objection
    overdue: bool
    course: tuple[Told, ...] = field(repr=False)
    alike: tuple[str, ...]


class ObjectionQueue:
    """Verbs for staff."""

    def __init__(self, desk: Desk, *, amend: Callable[[], object]) -> None:
        self._desk = desk
        self._amend = amend
        self._texts = ObjectionTexts(desk)

    def list(
        self,
        states: Collection[ObjectionState] = OPEN,
        *,
        overdue: bool = False,
        by: Handle | None = None,
        text: str = "",
        sort: QueueSort = QueueSort.DUE,
        start: int = 0,
        limit: int = 50,
    ) -> QueuePage:
        """Return objections, those due first at the top unless `sort` says otherwise.

        Args:
            states: in which states; those in which an answer is owed if not given.
            overdue: only those that should have been answered by now.
            by: only those that this member of staff looks at or answered.
            text: only those that hold these words in what was filed or said since, in any case of letters.
            sort: what stands at the top.
            start: how many to leave out.
            limit: how many to return.
        """
        at = self._desk.parts.clock()
        found = self.select(states, overdue=overdue, by=by, text=text, sort=sort)
        shown = found[start : start + limit]
        filed = self._texts.filed([each.objection for each in shown])
        alike: dict[str | None, int] = {None: 0}
        rows = tuple(self._queued(each, at, filed=filed.get(each.objection), alike=alike) for each in shown)
        return QueuePage(rows=rows, total=len(found))

    def select(
        self,
        states: Collection[ObjectionState] = OPEN,
        *,
        overdue: bool = False,
        by: Handle | None = None,
        text: str = "",
        sort: QueueSort = QueueSort.DUE,
    ) -> Sequence[Objection]:
        """Return the objections that `list` pages through, in its order, without a word of what was written."""
        at, wanted = self._desk.parts.clock(), frozenset(states)
        with self._desk.lock:
            self._desk.present()
            found = [
                each
                for each in self._desk.newest.overseen.objections
                if each.state in wanted and (not overdue or each.overdue(at)) and by in (None, each.by)
            ]
        found.sort(key=_SORTED_BY[sort])
        if text:
            holding = self._texts.holding([each.objection for each in found], text.casefold())
            found = [each for each in found if each.objection in holding]
        return found

    def _queued(
        self, found: Objection, at: Seconds, *, filed: tuple[str | None, Told] | None, alike: dict[str | None, int]
    ) -> Queued:
        """Return a row; `alike` remembers how many there are of each kind, as a page of spam is of one kind."""
        beside, told = (None, None) if filed is None else filed
        if beside not in alike:
            alike[beside] = len(self._desk.parts.personal.alike(beside or "")) - 1
        return Queued(objection=found, overdue=found.overdue(at), filed=told, alike=alike[beside])

    def show(self, objection: str) -> Detail:
        """Return everything about an objection, by its id or the first eight digits or more.

        Raises:
            NotFoundError: there is none.
            InputError: several begin like this.
        """
        found = self._texts.objection(self.named(objection))
        return Detail(
            objection=found,
            overdue=found.overdue(self._desk.parts.clock()),
            course=tuple(self._texts.course(found.objection)),
            alike=tuple(self._texts.alike(found.objection)),
        )

    def named(self, objection: str) -> str:
        """Return the id of the objection that this is the beginning of."""
        with self._desk.lock:
            self._desk.present()
            known = self._desk.newest.overseen.objections
            if known.get(objection) is not None or len(objection) < _SHORTEST_PREFIX:
                return objection
            found = [each.objection for each in known if each.objection.startswith(objection)]
        if len(found) > 1:
            raise InputError(
                "objection-ambiguous", f"{len(found)} objections begin like this", help="give more of the id"
            )
        return found[0] if found else objection

    def take(self, objection: str, *, by: Handle) -> Objection:
        """Look at an objection, or take it over."""
        return self._say(objection, partial(ObjectionTaken, by=by), "taken", by=by)

    def ask(self, objection: str, *, text: str, by: Handle) -> Objection:
        """Ask the objector for more."""
        words = require_words(text, "question")
        return self._say(objection, partial(ObjectionAsked, by=by), "asked", by=by, text=words)

    def extend(self, objection: str, *, months: int, reason: str, by: Handle) -> Objection:
        """Take one or two months longer; the objector is told why."""
        text = require_words(reason, "reason")
        return self._say(objection, partial(ObjectionExtended, months=months, by=by), "extended", by=by, text=text)

    def not_found(self, objection: str, *, tried: str, by: Handle, alike: bool = False) -> Objection:
        """Answer that nothing was found, and say what was tried; `alike`: to all that wait and say the same."""
        text = require_words(tried, "account of what was tried")
        return self._say(objection, partial(ObjectionNotFound, by=by), "not-found", alike=alike, by=by, text=text)

    def decline(
        self, objection: str, *, ground: LawfulGround, explanation: str, by: Handle, alike: bool = False
    ) -> Objection:
        """Answer that it is not followed, on a lawful ground; `alike`: to all that wait and say the same."""
        text = require_words(explanation, "explanation")
        body = partial(ObjectionDeclined, ground=ground, by=by)
        return self._say(objection, body, "declined", alike=alike, by=by, text=text, ground=str(ground))

    def note(self, objection: str, *, text: str, by: Handle) -> Objection:
        """Write something down for the others; the objector does not see it."""
        return self._say(objection, partial(ObjectionNoted, by=by), "noted", by=by, text=require_words(text, "note"))

    def match_person(
        self,
        objection: str,
        person: str,
        *,
        by: Handle,
        categories: Collection[Category] = (),
        reach: Reach = Reach.EVERYTHING,
        ground: LawfulGround | None = None,
        as_asked: bool = False,
        reply: str = "",
        alike: bool = False,
    ) -> Objection:
        """Answer that it was found whose content is meant: everything this person owns or is involved in is refused.

        Where it is less than that, either the objector asked for no more, or there is a `ground` why not the rest.
        An earlier no of theirs that goes further stays, and the words of the match say so as `stays`. `alike`: to all
        that wait and say the same.

        Raises:
            NotFoundError: nobody knows this person, or they were erased: a refusal would concern nothing.
        """
        named = known_person(self._desk, person)
        require_rest(categories, reach, ground=ground, as_asked=as_asked, reply=reply)
        seat = asker.find(self._desk, named).seat

        def refusal(found: Objection) -> Choice:
            return Choice(
                purpose=found.purpose,
                state=ChoiceState.REFUSED,
                reach=reach,
                # Of when they objected. A clock that was set back since must not make it one of a time to come.
                at=min(found.received, self._desk.parts.clock()),
                categories=frozenset(categories),
            )

        def stays(found: Objection) -> str | None:
            return what_stays(self._desk, refusal(found), person=named, seat=seat)

        def effects(found: Objection) -> Sequence[Body]:
            return [ChoiceMade(person=named, choice=refusal(found), source=Source.FORM)]

        words: dict[str, Any] = {"person": named, "categories": sorted(categories), "reach": str(reach), "text": reply}
        words |= {"ground": ground, "as_asked": as_asked or None}
        said = ObjectionMatched(objection="", people=1, items=0, by=by)
        return self._match(objection, said, effects=effects, words=words, stays=stays, alike=alike)

    def match_items(
        self,
        objection: str,
        items: Collection[str],
        *,
        corpus: str,
        by: Handle,
        reply: str = "",
        alike: bool = False,
    ) -> Objection:
        """Answer that single items are meant. They are excluded, whoever owns them, also from sealed releases.

        `alike`: to all that wait and say the same.

        Raises:
            NotFoundError: the corpus, or one of the items, is not known.
        """
        keys = self._keys(corpus, items)

        def effects(found: Objection) -> Sequence[Body]:
            return [ItemsExcluded(objection=found.objection, purpose=found.purpose, items=keys)]

        words = {"corpus": corpus, "items": list(keys), "text": reply}
        said = ObjectionMatched(objection="", people=0, items=len(keys), by=by)
        return self._match(objection, said, effects=effects, words=words, alike=alike)

    def _keys(self, corpus: str, items: Collection[str]) -> tuple[Pseudonym, ...]:
        if corpus not in self._desk.present().state.corpora:
            raise NotFoundError(
                "corpus-unknown", f"no corpus `{corpus}`", help="register it: consentry corpus register"
            )
        if not items:
            raise InputError("objection-no-items", "no item is named", help="name at least one item of the corpus")
        opened = open_corpus(self._desk.corpora, corpus)
        keys = {item: self._desk.parts.pseudonyms.item(corpus, item) for item in sorted(set(items))}
        for item, key in keys.items():
            find(opened, item, key=key)
        return tuple(sorted(keys.values()))

    def _match(
        self,
        objection: str,
        said: ObjectionMatched,
        *,
        effects: Callable[[Objection], Sequence[Body]],
        words: Mapping[str, Any],
        stays: Callable[[Objection], str | None] = lambda _: None,
        alike: bool,
    ) -> Objection:
        require_handle(said.by)
        reply = require_words(words["text"], "reply", required=False)
        name = self.named(objection)

        def match(found: Objection) -> list[tuple[Body, ...]]:
            # Beside the person: erasing them takes what names them here, too.
            further = {**words, "text": reply, "by": said.by, "stays": stays(found)}
            told = self._texts.told(found.objection, "matched", beside=words.get("person"), **further)
            return [(replace(said, objection=found.objection), told, *effects(found))]

        matched = self._texts.say(name, match, also=self.waiting_alike(name) if alike else ())
        self._amend()
        return matched

    def _say(
        self,
        objection: str,
        body: Callable[..., ObjectionBody],
        what: str,
        *,
        by: Handle,
        alike: bool = False,
        **words: Any,
    ) -> Objection:
        require_handle(by)
        name = self.named(objection)

        def say(found: Objection) -> list[tuple[Body, ...]]:
            told = self._texts.told(found.objection, what, by=by, **words)
            return [(body(objection=found.objection), told)]

        return self._texts.say(name, say, also=self.waiting_alike(name) if alike else ())

    def waiting_alike(self, objection: str) -> tuple[str, ...]:
        """Return the other objections that say exactly the same and wait for an answer, oldest first."""
        alike = self._texts.alike(objection)
        with self._desk.lock:
            self._desk.present()
            known = self._desk.newest.overseen.objections
            found = [each for name in alike if (each := known.get(name)) is not None and each.open and not each.erased]
        return tuple(each.objection for each in found)

    def erase(self, objections: Collection[str], *, by: Handle) -> int:
        """Erase what was written about answered objections, for good; return how many. Refusals stay.

        Raises:
            StateError: an answer to one of them is owed, or it was erased before.
        """
        require_handle(by)
        names = list(dict.fromkeys(self.named(each) for each in objections))
        for name in names:
            body = ObjectionErased(objection=name, texts=0, by=by)
            require_possible(self._texts.objection(name), body, at=self._desk.parts.clock())
        for start in range(0, len(names), _ERASED_AT_ONCE):
            with once_recorded("perhaps not of all of them", anything=start > 0):
                self._desk.parts.personal.forget(names[start : start + _ERASED_AT_ONCE], by=by)
        return len(names)

    def expire(self, *, before: Seconds, by: Handle) -> int:
        """Erase what was written about all answered objections of which nothing was heard since a time."""
        with self._desk.lock:
            self._desk.present()
            old = [
                each.objection
                for each in self._desk.newest.overseen.objections
                if not each.open and not each.erased and each.changed < before
            ]
        return self.erase(old, by=by)
