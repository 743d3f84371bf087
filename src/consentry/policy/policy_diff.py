"""What changes when one policy set takes the place of another: in the text, and in the answers.

The answers are compared by `evaluate_person` on one person and one item of every kind that the rules of either set can
tell apart (`policy_classes`), as of one time. What flips is gathered into few statements: each names, for every
dimension, the words or places it holds for; nothing named means *any*. Of notices, up to two are served at a time.

Left out, because any set denies it: refusals, closed accounts, and what has a gap in place, age or category.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import product
from math import prod
from typing import Any, NamedTuple

from consentry.policy.choice import SECONDS_PER_DAY, Seconds, Standing, as_date
from consentry.policy.evaluator import evaluate_person
from consentry.policy.expressions import Case, Item, Person, Rule
from consentry.policy.jurisdictions import REST, contains, country_of, groups
from consentry.policy.policy_classes import Dimension, Representatives, instants, representatives, truths
from consentry.policy.policy_set import PolicySet, rule_to_json
from consentry.policy.vocabulary import Purpose


class Change(NamedTuple):
    """A part of a set or of a rule, before and after; None if it was not there."""

    part: str
    before: Any
    after: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleChange:
    """A rule that both sets have under one id, and what differs."""

    id: str
    changes: tuple[Change, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Flip:
    """Answers that change. `allowed` is the answer after; an empty tuple means any.

    `inside` and `outside` are places and groups: the flip holds in all of the former, or everywhere but in the latter.
    """

    allowed: bool
    purposes: tuple[str, ...]
    inside: tuple[str, ...]
    outside: tuple[str, ...]
    words: dict[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyDiff:
    """Everything that differs between two sets."""

    head: tuple[Change, ...]
    added: tuple[Rule, ...]
    removed: tuple[Rule, ...]
    changed: tuple[RuleChange, ...]
    flips: tuple[Flip, ...]

    def to_json(self) -> dict[str, Any]:
        """Return the difference as plain values."""
        return {
            "head": [change._asdict() for change in self.head],
            "added": [rule_to_json(rule) for rule in self.added],
            "removed": [rule_to_json(rule) for rule in self.removed],
            "changed": [
                {"id": rule.id, "changes": [change._asdict() for change in rule.changes]} for rule in self.changed
            ],
            "flips": [
                {
                    "from": "deny" if flip.allowed else "allow",
                    "to": "allow" if flip.allowed else "deny",
                    "purposes": list(flip.purposes),
                    "inside": list(flip.inside),
                    "outside": list(flip.outside),
                    **{dimension: list(labels) for dimension, labels in flip.words.items()},
                }
                for flip in self.flips
            ],
        }


# A box is a set of classes for each dimension, purposes first: it stands for all their combinations.
_Box = tuple[frozenset[int], ...]
_Cell = tuple[Purpose, dict[Dimension, Case], _Box]
Watch = Callable[[Iterable[_Cell], int], Iterable[_Cell]]
"""Is given the questions that both sets are asked, and how many there are, and gives them out again one by one."""


def diff(
    before: PolicySet, after: PolicySet, *, at: Seconds, watch: Watch = lambda questions, _: questions
) -> PolicyDiff:
    """Return what changes from `before` to `after`, with groups and notices as of `at`; see `Watch` for `watch`.

    Every date, notice and place that a rule names multiplies the questions: of sets with many it takes minutes.
    """
    old, new = ({rule.id: rule for rule in policy_set.rules} for policy_set in (before, after))
    common = [(rule_to_json(old[rule_id]), rule_to_json(new[rule_id])) for rule_id in old if rule_id in new]
    return PolicyDiff(
        head=_changes(_head(before), _head(after)),
        added=tuple(rule for rule in after.rules if rule.id not in old),
        removed=tuple(rule for rule in before.rules if rule.id not in new),
        changed=tuple(
            RuleChange(id=left["id"], changes=_changes(left, right)) for left, right in common if left != right
        ),
        flips=_flips(before.rules, after.rules, at=at, watch=watch),
    )


def _head(policy_set: PolicySet) -> dict[str, Any]:
    # What is left out means something: the change is from that, not from nothing.
    head = {**policy_set.canonical(), "signals": asdict(policy_set.signals)}
    del head["rules"]
    return head


def _changes(left: dict[str, Any], right: dict[str, Any]) -> tuple[Change, ...]:
    parts = [*left, *(part for part in right if part not in left)]
    return tuple(Change(part, left.get(part), right.get(part)) for part in parts if left.get(part) != right.get(part))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Grid:
    """The classes of each dimension, each a list of cases that no rule tells apart; and the purposes likewise."""

    purposes: list[list[Purpose]]
    classes: dict[Dimension, list[list[Case]]]

    @property
    def size(self) -> int:
        """Number of cells."""
        return len(self.purposes) * prod(map(len, self.classes.values()))

    def cells(self) -> Iterator[_Cell]:
        """Return a purpose and a case from every combination of classes, and the box that is just this combination."""
        dimensions = list(self.classes)
        for purpose_number, purposes in enumerate(self.purposes):
            for numbers in product(*(range(len(self.classes[dimension])) for dimension in dimensions)):
                cases = {d: self.classes[d][number][0] for d, number in zip(dimensions, numbers, strict=True)}
                yield purposes[0], cases, tuple(frozenset({number}) for number in (purpose_number, *numbers))


def _flips(before: Sequence[Rule], after: Sequence[Rule], *, at: Seconds, watch: Watch) -> tuple[Flip, ...]:
    rules = (*before, *after)
    grid = _grid(rules, representatives(rules, at=at))
    boxes: dict[bool, list[_Box]] = {False: [], True: []}
    for purpose, cases, box in watch(grid.cells(), grid.size):
        was, now = (_allowed(side, purpose, cases=cases, at=at) for side in (before, after))
        if was is not now:
            boxes[now].append(box)
    return tuple(_flip(box, grid, rules, allowed=allowed, at=at) for allowed in boxes for box in merge(boxes[allowed]))


def _grid(rules: Sequence[Rule], cases: Representatives) -> _Grid:
    tables = [truths(rule, cases) for rule in rules]
    classes: dict[Dimension, list[list[Case]]] = {}
    for dimension, members in cases.items():
        alike: dict[object, list[Case]] = {}
        for number, case in enumerate(members):
            alike.setdefault(tuple(table[dimension][number] for table in tables), []).append(case)
        classes[dimension] = list(alike.values())
    purposes: dict[object, list[Purpose]] = {}
    for purpose in Purpose:
        purposes.setdefault(tuple(rule.applies_to(purpose) for rule in rules), []).append(purpose)
    return _Grid(purposes=list(purposes.values()), classes=classes)


def _allowed(rules: Sequence[Rule], purpose: Purpose, *, cases: dict[Dimension, Case], at: Seconds) -> bool:
    item = Item(
        category=cases[Dimension.CATEGORY].item.category,
        visibility=cases[Dimension.VISIBILITY].item.visibility,
        created=cases[Dimension.CREATED].item.created,
    )
    person = Person(
        places=frozenset({cases[Dimension.WHERE].place or ""}),
        established=True,
        age=cases[Dimension.AGE].person.age,
        standing=Standing(cases[Dimension.CHOICE].choice),
        notices=cases[Dimension.NOTICE].person.notices,
    )
    applicable = [rule for rule in rules if rule.applies_to(purpose)]
    return evaluate_person(applicable, person, item=item, at=at).allowed


def merge(boxes: list[_Box]) -> list[_Box]:
    """Join boxes that differ in one dimension only, until none do. Disjoint boxes stay disjoint."""
    while True:
        joined = boxes
        for dimension in range(len(boxes[0]) if boxes else 0):
            by_rest: dict[_Box, frozenset[int]] = {}
            for box in joined:
                rest = (*box[:dimension], frozenset[int](), *box[dimension + 1 :])
                by_rest[rest] = by_rest.get(rest, frozenset()) | box[dimension]
            joined = [(*rest[:dimension], own, *rest[dimension + 1 :]) for rest, own in by_rest.items()]
        if len(joined) == len(boxes):
            return joined
        boxes = joined


def _flip(box: _Box, grid: _Grid, rules: Sequence[Rule], *, allowed: bool, at: Seconds) -> Flip:
    purposes, chosen = box[0], dict(zip(grid.classes, box[1:], strict=True))
    words = {}
    for dimension, numbers in chosen.items():
        if dimension is not Dimension.WHERE:
            classes = grid.classes[dimension]
            everything = len(numbers) == len(classes)
            cases = [case for number in sorted(numbers) for case in classes[number]]
            words[dimension.value] = () if everything else _labels(dimension, cases, rules=rules, at=at)
    inside, outside = _areas(grid.classes[Dimension.WHERE], chosen[Dimension.WHERE], rules=rules, at=at)
    named = tuple(purpose.value for number in sorted(purposes) for purpose in grid.purposes[number])
    return Flip(allowed=allowed, purposes=named, inside=inside, outside=outside, words=words)


def _labels(dimension: Dimension, cases: Sequence[Case], *, rules: Sequence[Rule], at: Seconds) -> tuple[str, ...]:
    if dimension is Dimension.CREATED:
        return tuple(_span(case.item.created, instants(rules)) for case in cases)
    if dimension is Dimension.NOTICE:
        return tuple(_served(case, at) for case in cases)
    if dimension is Dimension.CATEGORY:
        return tuple(case.item.category.value for case in cases)
    if dimension is Dimension.VISIBILITY:
        return tuple(case.item.visibility.value for case in cases)
    return tuple((case.person.age if dimension is Dimension.AGE else case.choice).value for case in cases)


def _served(case: Case, at: Seconds) -> str:
    days = {notice: (at - when) // SECONDS_PER_DAY for notice, when in case.person.notices.items()}
    return (
        ", ".join(f"{notice} {count} {'day' if count == 1 else 'days'} ago" for notice, count in days.items()) or "none"
    )


def _span(created: Seconds | None, starts: Sequence[Seconds]) -> str:
    if created is None:
        return "unknown"
    following = next((start for start in starts if start > created), None)
    if created == starts[0]:
        return "any date" if following is None else f"before {as_date(following)}"
    return f"from {as_date(created)}" + (f" before {as_date(following)}" if following is not None else "")


def _areas(
    classes: list[list[Case]], numbers: frozenset[int], *, rules: Sequence[Rule], at: Seconds
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Name the places of some classes: those inside, or if that is shorter to say, those outside."""
    if len(numbers) == len(classes):
        return (), ()
    sides: tuple[set[str], set[str]] = (set(), set())
    for number, members in enumerate(classes):
        sides[number not in numbers].update(case.place or "" for case in members)
    named = {area for rule in rules for area in rule.inside | rule.outside if area in groups()}
    everywhere = sides[0] | sides[1]
    members_of = {area: {place for place in everywhere if contains(area, place, at=at)} for area in named}
    inside, outside = (_in_few_words(side, members_of, everywhere) for side in sides)
    return ((), outside) if len(outside) < len(inside) else (inside, ())


def _in_few_words(places: set[str], members_of: dict[str, set[str]], everywhere: set[str]) -> tuple[str, ...]:
    """Name the groups that lie in `places` entirely, the largest first, and then the countries and parts left over.

    A country stands for its parts as well; if some of them are elsewhere it is called `CA (as a whole)`, which is where
    people are of whom nothing narrower is known, and those that belong here are named with it.
    """
    left, found = set(places), []
    for group in sorted(members_of, key=lambda group: (-len(members_of[group]), group)):
        members = members_of[group]
        if members <= places and members & left:
            found.append(group)
            left -= members
    divided = {country_of(place) for place in everywhere - places if country_of(place) != place}
    for place in sorted(left):
        country = country_of(place)
        if place == country:
            found.append(f"{place} (as a whole)" if place in divided else place)
        elif country in divided or country not in places:
            found.append(place.replace(REST, " (the rest)"))
    return tuple(found)
