"""What must be decided, worked out item by item from raw rows and raw choices with `evaluate`.

Nothing here knows of seats, classes, sidecars or bitmaps. Ids are raw.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple, TypeVar

from consentry.policy.choice import Choice, LiveChoice, standing
from consentry.policy.evaluator import OWNER_UNKNOWN, STRENGTH, Decision, Request, combine, evaluate
from consentry.policy.expressions import Item, Person
from consentry.policy.policy_set import PolicySet
from consentry.policy.vocabulary import Account, Age, Category, ChoiceState, Purpose, Reach, Visibility
from end_to_end.network import RawItem, RawPerson


def _text(raw: str | int | None) -> str | None:
    return None if raw is None or raw == "" else str(raw)


@dataclass
class World:
    """Everything that was said, by raw id."""

    table: dict[str, RawPerson] = field(default_factory=dict)
    live: dict[str, list[LiveChoice]] = field(default_factory=dict)
    links: set[frozenset[str]] = field(default_factory=set)
    notices: dict[str, dict[str, int]] = field(default_factory=dict)
    erased: set[str] = field(default_factory=set)
    excluded: set[tuple[str, Purpose]] = field(default_factory=set)

    def load(self, people: Iterable[RawPerson]) -> None:
        self.table = {str(person.id): person for person in people}

    def choose(self, person: str, choice: Choice) -> None:
        mine = self.live.setdefault(person, [])
        for key in choice.keys():  # noqa: SIM118 - a choice is no mapping
            mine[:] = [each for each in mine if each.key != key or each.at > choice.at or _leaves_less(each, choice)]
            if choice.state is ChoiceState.REFUSED or all(each.key != key for each in mine):
                mine.append(LiveChoice(key, choice.state, choice.reach, choice.at))

    def link(self, one: str, other: str) -> None:
        self.links.add(frozenset((one, other)))

    def serve(self, notice: str, people: Iterable[str], at: int) -> None:
        for person in people:
            self.notices.setdefault(person, {}).setdefault(notice, at)

    def exclude(self, item: str, purpose: Purpose) -> None:
        self.excluded.add((item, purpose))

    def erase(self, people: Collection[str]) -> None:
        gone = set().union(*(self.accounts(person) for person in people))
        self.erased |= gone
        for person in gone:
            self.live.pop(person, None)
            self.table.pop(person, None)
        self.links = {link for link in self.links if not link & gone}
        # What the table said of them is out of reach: a new table may name them again.
        self.table = {
            person: replace(row, same_as=None) if _text(row.same_as) in gone else row
            for person, row in self.table.items()
        }

    def accounts(self, person: str) -> set[str]:
        """Return all ids of the person behind an id."""
        pairs = [set(link) for link in self.links]
        pairs += [{one, other} for one, row in self.table.items() if (other := _text(row.same_as)) is not None]
        found = {person}
        while grown := set().union(*(pair for pair in pairs if pair & found)) - found:
            found |= grown
        return found

    def decide(self, item: RawItem, policy: PolicySet, *, purpose: Purpose, at: int) -> Decided:
        """Decide one item, as its descriptor reads it."""
        stored = Item(
            category=_word(Category, item.category, Category.UNKNOWN),
            visibility=_word(Visibility, item.visibility, Visibility.UNKNOWN),
            created=item.created if item.created is not None and 0 <= item.created < 2**32 - 1 else None,
            objected=any(
                item_ == str(item.id) and (about.covers(purpose) or purpose.covers(about))
                for item_, about in self.excluded
            ),
        )
        rules = policy.rules if policy.decides(purpose) else ()

        def of(named: str | None) -> Decision:
            if named is None:
                return OWNER_UNKNOWN
            person = self._person(named, item, purpose, stored.category)
            return evaluate(rules, Request(purpose=purpose, item=stored, people=(person,), at=at))

        owner, *others = [of(_text(each)) for each in (item.author, *(item.involves or ()))]
        against = [each.primary for each in others if not each.allowed]
        label = "eligible" if owner.allowed else str(owner.primary)
        if owner.allowed and against:
            label = f"involved:{min(against, key=lambda why: (STRENGTH[why.kind], why.reference))}"
        return Decided(stored, combine([owner, *others]), label)

    def reached(self, item: RawItem, *, purpose: Purpose) -> bool:
        """Say whether somebody whom an item is by or about refused it with reach into what is sealed for a purpose."""
        category = _word(Category, item.category, Category.UNKNOWN)
        named = [person for each in (item.author, *(item.involves or ())) if (person := _text(each)) is not None]
        return any(
            (choice.state, choice.reach) == (ChoiceState.REFUSED, Reach.EVERYTHING)
            and (choice.key.purpose.covers(purpose) or purpose.covers(choice.key.purpose))
            and choice.key.category in {None, category}
            and choice.key.item in {None, str(item.id)}
            for person in named
            for account in self.accounts(person)
            for choice in self.live.get(account, [])
        )

    def _person(self, person: str, item: RawItem, purpose: Purpose, category: Category) -> Person:
        accounts = self.accounts(person)
        own = self.live.get(person, [])
        others = [
            choice
            for account in accounts - {person}
            for choice in self.live.get(account, [])
            if choice.state is ChoiceState.REFUSED
        ]
        rows = [self.table[account] for account in sorted(accounts) if account in self.table]
        row = self.table.get(person)
        ages = [_word(Age, each.age, Age.UNKNOWN) for each in rows]
        places = frozenset(each.country for each in rows if each.country is not None)
        closed = bool(accounts & self.erased) or (row is not None and row.account == Account.CLOSED)
        return Person(
            places=places,
            established=bool(rows) and all(each.country is not None for each in rows),
            age=next((age for age in (Age.MINOR, Age.UNKNOWN, Age.ADULT) if age in ages), Age.UNKNOWN),
            account=Account.CLOSED if closed else Account.ACTIVE,
            known=row is not None,
            standing=standing([*own, *others], purpose=purpose, category=category, item=str(item.id)),
            notices=self.notices.get(person, {}),
        )


class Decided(NamedTuple):
    """An item as it is read, the decision about it, and what it is counted under."""

    item: Item
    decision: Decision
    label: str


class AsksOwnersAlone(World):
    """An oracle that forgets whom else an item involves: for a control."""

    def decide(self, item: RawItem, policy: PolicySet, *, purpose: Purpose, at: int) -> Decided:
        return super().decide(replace(item, involves=None), policy, purpose=purpose, at=at)


class HearsNobody(World):
    """An oracle that forgets what people chose: for a control."""

    def choose(self, person: str, choice: Choice) -> None:
        pass


def _leaves_less(one: LiveChoice, other: Choice) -> bool:
    """Say whether a no leaves less to be used than another: a no ends no such one."""
    if (one.state, other.state) != (ChoiceState.REFUSED, ChoiceState.REFUSED):
        return False
    if one.reach is other.reach:
        return one.reach is Reach.FUTURE and one.at < other.at
    return one.reach is Reach.EVERYTHING or other.reach is Reach.FUTURE


_Word = TypeVar("_Word", Category, Visibility, Age)


def _word(words: type[_Word], word: str | None, otherwise: _Word) -> _Word:
    return words(word) if word in [str(each) for each in words] else otherwise


def decide_all(
    world: World, files: Sequence[Sequence[RawItem]], policy: PolicySet, *, purpose: Purpose, at: int
) -> list[list[Decided]]:
    """Decide every item of every file."""
    return [[world.decide(item, policy, purpose=purpose, at=at) for item in items] for items in files]
