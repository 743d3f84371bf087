"""Rules and what it takes for one to match: conditions in three values.

A condition is true, false or unknown (Kleene). A rule is the conjunction of its conditions: one false condition makes
it false, else one unknown condition makes it unknown. An empty set of words means *any*.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum, StrEnum

from consentry.policy.choice import NO_CHOICE, SECONDS_PER_DAY, Seconds, Standing
from consentry.policy.jurisdictions import contains
from consentry.policy.vocabulary import Account, Age, Category, ChoiceState, LegalBasis, Purpose, Visibility


class Truth(Enum):
    """The three truth values."""

    NO = "no"
    UNKNOWN = "unknown"
    YES = "yes"


class GapKind(StrEnum):
    """What could not be known. A gap denies, and is counted."""

    OWNER = "owner-unknown"
    """The item names nobody it is by."""
    PERSON = "person-unknown"
    """An id that is in no people table."""
    RESIDENCE = "residence-unknown"
    SUBDIVISION = "subdivision-unknown"
    """The country is known, but a rule asks for a part of it."""
    AGE = "age-unknown"
    CATEGORY = "category-unknown"
    VISIBILITY = "visibility-unknown"
    CREATED = "created-unknown"
    ACCOUNT = "account-unknown"
    """There is a word for the state of the account, and nobody knows what it means."""


class Effect(StrEnum):
    """What a rule does when it matches."""

    PERMIT = "permit"
    FORBID = "forbid"
    SUSPEND = "suspend"
    """A forbid that stands in no policy set, but in an order; its rule has the id of the order."""


class Part(StrEnum):
    """What a condition of a rule looks at."""

    CATEGORY = "category"
    VISIBILITY = "visibility"
    AGE = "age"
    CREATED = "created"
    PLACE = "place"
    CHOICE = "choice"
    NOTICE = "notice"


Translated = tuple[tuple[str, str], ...]
"""A text in other languages than English: code and text, in the order of the codes."""


def in_language(language: str, english: str, *, others: Translated) -> tuple[str, str]:
    """Return a text in a language, and the language it is in: English where nobody wrote it in this one."""
    said = dict(others).get(language)
    return (english, "en") if said is None else (said, language)


@dataclass(frozen=True, slots=True, kw_only=True)
class NoticeCondition:
    """A notice was served to the person, and `days` full days of 24 hours have passed since."""

    notice: str
    days: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One policy. All conditions must hold; an empty set is no condition.

    `inside` holds if the place is in one of the areas, `outside` if it is in none of them. `created_from` is inclusive,
    `created_before` exclusive.
    """

    id: str
    effect: Effect
    why: str
    legal_basis: LegalBasis | None = None
    purposes: frozenset[Purpose] = frozenset()
    categories: frozenset[Category] = frozenset()
    visibilities: frozenset[Visibility] = frozenset()
    ages: frozenset[Age] = frozenset()
    choices: frozenset[ChoiceState] = frozenset()
    inside: frozenset[str] = frozenset()
    outside: frozenset[str] = frozenset()
    created_from: Seconds | None = None
    created_before: Seconds | None = None
    notice: NoticeCondition | None = None
    why_in: Translated = ()
    line: int = field(default=0, compare=False)

    def why_for(self, language: str) -> tuple[str, str]:
        """Return why in a language, and the language it is in: English where nobody wrote it in this one."""
        return in_language(language, self.why, others=self.why_in)

    def applies_to(self, purpose: Purpose) -> bool:
        """Say whether the rule is about `purpose`: no purposes named, or one that covers it.

        A forbid is also about the purposes above the one it names: a use for the whole is a use for the part.
        """
        if not self.purposes or any(named.covers(purpose) for named in self.purposes):
            return True
        return self.effect is not Effect.PERMIT and any(purpose.covers(named) for named in self.purposes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """What is known of an item. `created` is None if unknown. `objected`: somebody objected to this very item."""

    category: Category
    visibility: Visibility = Visibility.UNKNOWN
    created: Seconds | None = None
    objected: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """What is known of somebody an item is by or about, for one purpose and item.

    `places` are the candidate jurisdictions; `established` is False if only signals that may hold but not release (a
    time zone, a locale) led to them. `known` is False for an id that is in no people table. `notices` maps a notice to
    the time it was served.
    """

    places: frozenset[str] = frozenset()
    established: bool = False
    age: Age = Age.UNKNOWN
    account: Account = Account.UNKNOWN
    known: bool = True
    standing: Standing = NO_CHOICE
    notices: Mapping[str, Seconds] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Case:
    """One person at one candidate place, with one item, at one time: what a rule is matched against."""

    person: Person
    place: str | None
    item: Item
    choice: ChoiceState
    at: Seconds


Condition = Callable[[Rule, Case], bool | None]


def _category(rule: Rule, case: Case) -> bool | None:
    if not rule.categories:
        return True
    return None if case.item.category is Category.UNKNOWN else case.item.category in rule.categories


def _visibility(rule: Rule, case: Case) -> bool | None:
    if not rule.visibilities:
        return True
    return None if case.item.visibility is Visibility.UNKNOWN else case.item.visibility in rule.visibilities


def _age(rule: Rule, case: Case) -> bool | None:
    if not rule.ages:
        return True
    return None if case.person.age is Age.UNKNOWN else case.person.age in rule.ages


def _choice(rule: Rule, case: Case) -> bool:
    return not rule.choices or case.choice in rule.choices


def _created(rule: Rule, case: Case) -> bool | None:
    if rule.created_from is None and rule.created_before is None:
        return True
    created = case.item.created
    if created is None:
        return None
    return (rule.created_from is None or created >= rule.created_from) and (
        rule.created_before is None or created < rule.created_before
    )


def _notice(rule: Rule, case: Case) -> bool:
    if rule.notice is None:
        return True
    served = case.person.notices.get(rule.notice.notice)
    return served is not None and case.at >= served + rule.notice.days * SECONDS_PER_DAY


def _place(rule: Rule, case: Case) -> bool | None:
    if not rule.inside and not rule.outside:
        return True
    if case.place is None:
        return None
    inside = _any(contains(area, case.place, at=case.at) for area in rule.inside) if rule.inside else True
    outside = _any(contains(area, case.place, at=case.at) for area in rule.outside) if rule.outside else False
    if inside is False or outside is True:
        return False
    return None if inside is None or outside is None else True


def _any(values: Iterable[bool | None]) -> bool | None:
    unknown = False
    for value in values:
        if value is True:
            return True
        unknown = unknown or value is None
    return None if unknown else False


_CERTAIN: tuple[Callable[[Rule, Case], bool], ...] = (_choice, _notice)
"""Conditions that are never unknown: what nobody said or was told was not said or told."""
_CONDITIONS: tuple[tuple[Condition, GapKind], ...] = (
    (_category, GapKind.CATEGORY),
    (_visibility, GapKind.VISIBILITY),
    (_age, GapKind.AGE),
    (_created, GapKind.CREATED),
    (_place, GapKind.RESIDENCE),
)


def match(rule: Rule, case: Case) -> tuple[Truth, frozenset[GapKind]]:
    """Match one rule, returning the truth value and, if it is unknown, the gaps that made it so."""
    if not all(condition(rule, case) for condition in _CERTAIN):
        return Truth.NO, frozenset()
    gaps: set[GapKind] = set()
    for condition, gap in _CONDITIONS:
        value = condition(rule, case)
        if value is False:
            return Truth.NO, frozenset()
        if value is None:
            place_known = gap is GapKind.RESIDENCE and case.place is not None
            gaps.add(GapKind.SUBDIVISION if place_known else gap)
    return (Truth.UNKNOWN, frozenset(gaps)) if gaps else (Truth.YES, frozenset())


_LOOKS_AT: Mapping[Part, Condition] = {
    Part.CATEGORY: _category,
    Part.VISIBILITY: _visibility,
    Part.AGE: _age,
    Part.CREATED: _created,
    Part.PLACE: _place,
    Part.CHOICE: _choice,
    Part.NOTICE: _notice,
}


def unmet(rule: Rule, case: Case) -> frozenset[Part]:
    """Return what the conditions of a rule look at that are false; none if it matches or may match."""
    return frozenset(part for part, condition in _LOOKS_AT.items() if condition(rule, case) is False)
