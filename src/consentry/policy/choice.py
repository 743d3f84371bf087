"""What a person said about a purpose, and what all of it adds up to.

Rules:

* A choice is about one purpose and everything below it; about all categories or some; about all items or some.
* A choice replaces those made earlier about *the same thing* (`keys`), and nothing made later. A refusal counts beside
  what was made later, whatever that is. It replaces no refusal that undoes more: only who allows something, or takes
  what they said back, ends a refusal.
* Of the choices that concern a use, any refusal wins, whether it was said about the purpose, one above or below it, the
  category or the single item: a narrower choice wins only towards less use. A use for a purpose is a use for every
  purpose below it, so who refused one of those refused the whole.
* A refusal with reach `future` leaves items alone that were created before it. Of several, the earliest counts.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from consentry.policy.vocabulary import Category, ChoiceState, Purpose, Reach

REACHES = tuple(Reach)
"""From the one that undoes least to the one that undoes most."""
Seconds = int
"""Whole seconds since 1970-01-01T00:00:00Z, rounded down."""
SECONDS_PER_DAY = 86_400
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def as_date(when: Seconds) -> str:
    """Return a time as people write it: a date if it is 00:00 UTC, else date and time in UTC."""
    try:
        moment = _EPOCH + timedelta(seconds=when)
    except OverflowError:
        return str(when)
    return moment.strftime("%Y-%m-%d") if when % SECONDS_PER_DAY == 0 else moment.strftime("%Y-%m-%dT%H:%M:%SZ")


class ChoiceKey(NamedTuple):
    """The thing a choice is about: None stands for all categories or all items."""

    purpose: Purpose
    category: Category | None
    item: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """One choice of one person. `items` are item pseudonyms; `state` UNSET takes an earlier choice back."""

    purpose: Purpose
    state: ChoiceState
    reach: Reach = Reach.UNTRAINED
    at: Seconds
    categories: frozenset[Category] = frozenset()
    items: frozenset[str] = frozenset()

    def keys(self) -> tuple[ChoiceKey, ...]:
        """The things this choice is about, in a fixed order."""
        categories: tuple[Category | None, ...] = tuple(sorted(self.categories)) or (None,)
        items: tuple[str | None, ...] = tuple(sorted(self.items)) or (None,)
        return tuple(ChoiceKey(self.purpose, category, item) for category in categories for item in items)


class LiveChoice(NamedTuple):
    """A choice about one key that counts at a position: the one made last, or a refusal recorded after it."""

    key: ChoiceKey
    state: ChoiceState
    reach: Reach
    at: Seconds


def goes_further(reach: Reach, other: Reach) -> bool:
    """Say whether a refusal with a reach undoes more than one with another."""
    return REACHES.index(reach) > REACHES.index(other)


def replaces(choice: Choice, earlier: LiveChoice) -> bool:
    """Say whether a choice ends another about the same thing that was recorded before it."""
    if earlier.at > choice.at:
        return False
    return choice.state is not ChoiceState.REFUSED or not undoes_more(earlier, choice)


def undoes_more(one: LiveChoice, other: LiveChoice | Choice) -> bool:
    """Say whether one is a refusal, and leaves less to be used than another about the same thing."""
    if one.state is not ChoiceState.REFUSED or other.state is not ChoiceState.REFUSED:
        return False
    return goes_further(one.reach, other.reach) or (one.reach is other.reach is Reach.FUTURE and one.at < other.at)


class Standing(NamedTuple):
    """What a person's choices add up to. `since` is set only for a refusal of items created at or after it."""

    state: ChoiceState = ChoiceState.UNSET
    since: Seconds | None = None


NO_CHOICE = Standing()


def standing(live: Iterable[LiveChoice], *, purpose: Purpose, category: Category, item: str | None = None) -> Standing:
    """Return what `live` choices of one person add up to for one purpose, category and (if given) item."""
    lineage = purpose.lineage
    allowed = False
    since: Seconds | None = None
    for choice in live:
        key = choice.key
        if key.category not in (None, category) or key.item not in (None, item):
            continue
        if choice.state is ChoiceState.REFUSED and (key.purpose in lineage or purpose.covers(key.purpose)):
            if choice.reach is not Reach.FUTURE:
                return Standing(ChoiceState.REFUSED)
            since = choice.at if since is None else min(since, choice.at)
        elif choice.state is ChoiceState.ALLOWED and key.purpose in lineage:
            allowed = True
    if since is not None:
        return Standing(ChoiceState.REFUSED, since)
    return Standing(ChoiceState.ALLOWED) if allowed else NO_CHOICE


def refused_as_a_whole(live: Iterable[LiveChoice], purpose: Purpose) -> bool:
    """Say whether one person refused a use as a whole: also who did so only from some day on.

    Who refused some kinds of items, or one use of several that it covers, can still be told about the rest.
    """
    return any(
        choice.state is ChoiceState.REFUSED
        and choice.key.category is None
        and choice.key.item is None
        and choice.key.purpose in purpose.lineage
        for choice in live
    )
