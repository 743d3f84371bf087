"""The items of one person, decided one by one: what of theirs may be used now, and why the rest may not.

Rows are found by postings, so it costs what the person has, however much there is. The answer about a row is that of
the evaluator. What it depends on is the same for most rows of a person, so most are answered from memory.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from consentry.corpus.columns import UNKNOWN_DATE
from consentry.corpus.pseudonym import key_of
from consentry.corpus.sidecar import Sidecar
from consentry.ledger.events import Pseudonym
from consentry.policy.choice import SECONDS_PER_DAY, LiveChoice, Seconds, Standing
from consentry.policy.evaluator import OWNER_UNKNOWN, Decision, ReasonKind, evaluate_person
from consentry.policy.expressions import Item, Part, Person
from consentry.policy.vocabulary import Category, ChoiceState, Visibility
from consentry.release.basis import Asked
from consentry.release.situation import told_everything
from consentry.release.unpermitted import unpermitted


class Lack(StrEnum):
    """All that an item lacks to be used."""

    TIME = "waiting"
    """They were not told yet, or have had too little time to say no."""
    YES = "asks"
    """They have not said yes; they may have to be told as well."""


class OwnItem(NamedTuple):
    """One item of a person, and what is decided about it.

    Attributes:
        row: its position in its file.
        category: what kind of content it is; `visibility` is who could see it.
        created: when it was created; None if unknown.
        decision: about the person it is by.
        others: whether it is left out because of somebody else it involves. Because of what is theirs to know. Of an
            item that lacks something: whether it would be, if everybody had been told.
        lacks: all that stands against it about the person it is by; None if nothing does, or more.
        begins: when it is used if nobody says anything; None if that is not settled.
        unmet: what keeps every permit from it, where none matches and neither time nor a yes would help.
    """

    row: int
    category: Category
    visibility: Visibility
    created: Seconds | None
    decision: Decision
    others: bool
    lacks: Lack | None = None
    begins: Seconds | None = None
    unmet: frozenset[Part] = frozenset()

    @property
    def used(self) -> bool:
        """Whether it may be used."""
        return self.decision.allowed and not self.others

    @property
    def is_due(self) -> bool:
        """Whether it is used once they were told and had time to say no."""
        return self.lacks is Lack.TIME and not self.others

    @property
    def is_asked_for(self) -> bool:
        """Whether it is used if they say yes."""
        return self.lacks is Lack.YES and not self.others


class Appearing(NamedTuple):
    """An item by somebody else that involves a person. `used`: it may be used, as far as everybody it is about goes."""

    row: int
    category: Category
    created: Seconds | None
    used: bool


class _Row(NamedTuple):
    """An item, who it is by, and who it involves. What is decided for one is for all that are `alike`."""

    row: int
    owner: int
    item: Item
    alike: tuple[int, int, bool]
    key: int
    involved: Sequence[int]


class _Lacking(NamedTuple):
    """What an item lacks: as `lacks`, `begins` and `unmet` of `OwnItem`."""

    what: Lack | None = None
    begins: Seconds | None = None
    unmet: frozenset[Part] = frozenset()


@dataclass(slots=True)
class OwnItems:
    """Decides rows by one person. `asked` holds the rules and what is known, `said` all choices of the person."""

    asked: Asked
    said: Sequence[LiveChoice]
    _mine: dict[tuple[int, int, int, bool, str], Decision] = field(default_factory=dict)
    _theirs: dict[tuple[int, int, int, bool], Decision] = field(default_factory=dict)
    _singly: dict[tuple[int, int, int, bool, str, bool], Decision] = field(default_factory=dict)
    _people: dict[tuple[int, Category, str], Person | None] = field(default_factory=dict)
    _named: dict[int, Mapping[int, Pseudonym]] = field(default_factory=dict)
    _lacking: dict[tuple[int, int, int, bool, str], _Lacking] = field(default_factory=dict)

    def of(self, sidecar: Sidecar, rows: npt.NDArray[np.uint32]) -> Iterator[OwnItem]:
        """Yield the items in some rows of a file, ascending, all by the person."""
        named = _by_key(self.said)
        for each in self._each(sidecar, rows):
            item, key = each.item, named.get(each.key, "")
            mine = each.owner, *each.alike, key
            if mine not in self._mine:
                self._mine[mine] = self.asked.for_seat(each.owner, item, item_key=key)
                self._lacking[mine] = self._lack(each.owner, item, item_key=key, decision=self._mine[mine])
            lacking = self._lacking[mine]
            against = self._about if lacking.what is None else self._about_told
            others = any(not against(seat, item, alike=each.alike, key=each.key).allowed for seat in each.involved)
            yield OwnItem(each.row, item.category, item.visibility, item.created, self._mine[mine], others, *lacking)

    def appearing(self, sidecar: Sidecar, rows: npt.NDArray[np.uint32]) -> Iterator[Appearing]:
        """Yield the items in some rows of a file, ascending, all by others who involve the person."""
        for each in self._each(sidecar, rows):
            people = (each.owner, *each.involved)
            used = all(self._about(seat, each.item, alike=each.alike, key=each.key).allowed for seat in people)
            yield Appearing(each.row, each.item.category, each.item.created, used)

    def _each(self, sidecar: Sidecar, rows: npt.NDArray[np.uint32]) -> Iterator[_Row]:
        cuts = self._cuts()
        objected = {key_of(each) for each in self.asked.knowledge.excluded}
        created = [UNKNOWN_DATE] * rows.size if sidecar.created is None else sidecar.created[rows].tolist()
        first, last = (np.searchsorted(sidecar.involved_row, rows, side=side) for side in ("left", "right"))
        columns = [each[rows].tolist() for each in (sidecar.person, sidecar.klass, sidecar.item)]
        spans = zip(first.tolist(), last.tolist(), strict=True)
        for row, owner, code, key, at, (start, stop) in zip(rows.tolist(), *columns, created, spans, strict=True):
            kind = self.asked.items[code]
            made = None if at == UNKNOWN_DATE else at
            item = Item(category=kind.category, visibility=kind.visibility, created=made, objected=key in objected)
            alike = code, -1 if made is None else bisect_right(cuts, made), item.objected
            yield _Row(row, owner, item, alike, key, sidecar.involved_person[start:stop].tolist())

    def _lack(self, seat: int, item: Item, *, item_key: str, decision: Decision) -> _Lacking:
        """Return what an item lacks of what time or a yes would bring, when time brings it, and what else it lacks.

        Only where no rule permits it: whatever else stands against it, neither would help.
        """
        person = self.asked.person(seat, item.category, item_key=item_key)
        if decision.allowed or decision.primary.kind is not ReasonKind.NOT_PERMITTED or person is None:
            return _Lacking()
        told = replace(person, notices=dict(told_everything(self.asked.compiler.rules)))
        if self._decided(told, item).allowed:
            return _Lacking(Lack.TIME, self._begins(person, item))
        agrees = replace(told, standing=Standing(ChoiceState.ALLOWED))
        if self._decided(agrees, item).allowed:
            return _Lacking(Lack.YES)
        return _Lacking(unmet=unpermitted(self.asked.compiler.rules, agrees, item=item, at=self.asked.at))

    def _begins(self, person: Person, item: Item) -> Seconds | None:
        """Return when the waiting for an item is over; None if they were not told yet."""
        waits = [rule.notice for rule in self.asked.compiler.rules if rule.notice is not None]
        served = person.notices
        ends = {served[each.notice] + each.days * SECONDS_PER_DAY for each in waits if each.notice in served}
        return next((end for end in sorted(ends) if self._decided(person, item, at=end).allowed), None)

    def _decided(self, person: Person, item: Item, *, at: Seconds | None = None) -> Decision:
        return evaluate_person(self.asked.compiler.rules, person, item=item, at=self.asked.at if at is None else at)

    def _about_told(self, seat: int, item: Item, *, alike: tuple[int, int, bool], key: int) -> Decision:
        """Decide for somebody else whom an item involves, as if they had been told everything."""
        now = self._about(seat, item, alike=alike, key=key)
        if now.allowed or now.primary.kind is not ReasonKind.NOT_PERMITTED:
            return now
        person = self._somebody(seat, item.category, item_key=self._name(seat, key))
        told = None if person is None else replace(person, notices=dict(told_everything(self.asked.compiler.rules)))
        return now if told is None else self._decided(told, item)

    def _about(self, seat: int, item: Item, *, alike: tuple[int, int, bool], key: int) -> Decision:
        """Decide for somebody else whom an item is by or involves."""
        known = self.asked.knowledge
        code = int(known.classes.codes[seat])
        facts = known.classes.members[code]
        dated = facts is not None and facts.standing(self.asked.compiler.purpose, item.category).since is not None
        if not dated and seat not in known.single:
            if (code, *alike) not in self._theirs:
                self._theirs[code, *alike] = self.asked.for_seat(seat, item, item_key="")
            return self._theirs[code, *alike]
        name = self._name(seat, key)
        person = self._somebody(seat, item.category, item_key=name)
        since = None if person is None else person.standing.since
        mine = seat, *alike, name, since is not None and item.created is not None and item.created >= since
        if mine not in self._singly:
            self._singly[mine] = OWNER_UNKNOWN if person is None else self._decided(person, item)
        return self._singly[mine]

    def _somebody(self, seat: int, category: Category, *, item_key: str) -> Person | None:
        """Return what is known of somebody else, for an item of a category; None for nobody."""
        if (seat, category, item_key) not in self._people:
            self._people[seat, category, item_key] = self.asked.person(seat, category, item_key=item_key)
        return self._people[seat, category, item_key]

    def _name(self, seat: int, key: int) -> str:
        """Return an item by its pseudonym if somebody chose about it alone, else nothing."""
        if seat not in self._named:
            self._named[seat] = _by_key(self.asked.knowledge.single.get(seat, ()))
        return self._named[seat].get(key, "")

    def _cuts(self) -> list[Seconds]:
        """Return the times between which it makes no difference when an item was created."""
        rules = (at for rule in self.asked.compiler.rules for at in (rule.created_from, rule.created_before))
        return sorted({*(at for at in rules if at is not None), *(choice.at for choice in self.said)})


def _by_key(said: Sequence[LiveChoice]) -> Mapping[int, Pseudonym]:
    """Return the items that somebody chose about one by one, by what sidecars keep of them."""
    items = {choice.key.item for choice in said if choice.key.item is not None}
    return {key_of(item): item for item in items}
