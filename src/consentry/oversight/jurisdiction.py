"""What concerns an authority: the jurisdictions of its account, held against what an order or an item is about.

Rules:

* A scope concerns an authority if some place lies in the areas of both, as of a time. A scope without areas is about
  every place, so it concerns everybody.
* It has to lie in both for sure. Two parts of one country do not concern each other, although somebody of whom only
  the country is known may live in either, and whether one part is inside the other is not known here.
* What was said concerns an authority if it does so as of then or as of now: who joined a group since is told as well.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from functools import lru_cache

from consentry.oversight.case import Case, Statement
from consentry.oversight.order import Order, Scope
from consentry.policy.choice import Seconds
from consentry.policy.jurisdictions import contains, known_place
from consentry.policy.policy_classes import known_places

Areas = frozenset[str]
_APART = "|"


class Lies(StrEnum):
    """Whether people whose items are counted under a place live in some areas."""

    THERE = "there"
    PERHAPS = "perhaps"
    """Some of the countries that they may live in are, or it depends on the part of the country."""
    ELSEWHERE = "elsewhere"


def concerns(scope: Scope, areas: Areas, *, at: Seconds) -> bool:
    """Say whether a scope concerns an authority of `areas`, as of `at`. Nothing concerns one of no areas.

    Models are not looked at: those of an order with areas were trained on content from there.
    """
    return bool(areas) and _meet(scope.areas, areas, at=at)


@lru_cache(maxsize=1 << 12)
def _meet(scope: Areas, areas: Areas, *, at: Seconds) -> bool:
    if not scope:
        return True
    return any(_lies(place, areas, at=at) and _lies(place, scope, at=at) for place in known_places(scope | areas))


def _lies(place: str, areas: Iterable[str], *, at: Seconds) -> bool | None:
    found = {contains(area, place, at=at) for area in areas}
    return True if True in found else None if None in found else False


def lies(place: str, areas: Areas, *, at: Seconds) -> Lies:
    """Say whether items that a release counts under a place are of people in `areas`.

    A place is a country, several joined by `|`, or a word for people of whom no country is known: these are elsewhere.
    """
    countries = place.split(_APART)
    if not all(map(known_place, countries)):
        return Lies.ELSEWHERE
    found = [_lies(country, areas, at=at) for country in countries]
    if all(found):
        return Lies.THERE
    return Lies.ELSEWHERE if set(found) == {False} else Lies.PERHAPS


def order_concerns(order: Order, areas: Areas, *, now: Seconds) -> bool:
    """Say whether an order concerns an authority, as of when it was issued or as of now."""
    return concerns(order.scope, areas, at=order.at) or concerns(order.scope, areas, at=now)


def statement_concerns(statement: Statement, areas: Areas, *, now: Seconds) -> bool:
    """Say whether what an authority said concerns another one, or itself."""
    scope = Scope(areas=frozenset(statement.body.areas))
    return concerns(scope, areas, at=statement.at) or concerns(scope, areas, at=now)


def case_concerns(case: Case, orders: Iterable[Order], *, areas: Areas, now: Seconds) -> bool:
    """Say whether a case concerns an authority: an order of it does, of whatever time, or something that was filed.

    A case without either has no scope. Of what it is about is not known, so it is shown to no authority.
    """
    return any(order_concerns(each, areas, now=now) for each in orders) or any(
        statement_concerns(each, areas, now=now) for each in case.statements
    )
