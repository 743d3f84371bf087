"""Which law a place is under, as of a time: countries, their parts, and dated groups of them.

A **place** is an ISO 3166-1 alpha-2 code (`GB`), the user-assigned `XK`, or an ISO 3166-2 code (`CA-QC`). An **area**
is a place or a group (`EU`, `UK`, `US-STATE-LAW`; see `groups`). The dated rows with their sources are in
`memberships`, the codes of parts in `subdivisions`. Rules:

* Groups are asked as of a time: `EU` contained `GB` until 2020-01-31 23:00 UTC, `EU-LAW` until the transition ended.
* A part is in its country and in its country's groups: `GB-SCT` in `UK`, `ES-CN` in `EU`.
* A part with a country code of its own is one place under two codes (`FR-974` is `RE`). It is in its country, but in a
  group only by a row of its own: Réunion and Åland are in the EU; New Caledonia, Aruba and Svalbard are not.
* Jersey, Guernsey, the Isle of Man and Gibraltar are in neither `GB` nor `UK`; Greenland and the Faroes not in `DK`.
* Of a country one cannot say whether it is in one of its parts: whether `US` is in `US-CA`, or in a group that has some
  of its states, is unknown (None). So is whether two parts of one country overlap where such parts nest (`NESTED`), and
  everything about a code that is not a place. A part that ISO does not have (`CA-PQ`) is none: `whole_of` its country
  is what is known of it.

    >>> [contains("EU", "GB", at=instant(day)) for day in ("1972-12-31", "2020-01-31", "2020-02-01")]
    [False, True, False]
    >>> contains("EU", "FR-974", at=0), contains("EU", "NC", at=0), contains("FR", "NC", at=0)
    (True, False, True)
    >>> print(contains("US-STATE-LAW", "US", at=instant("2024-01-01")))
    None
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from functools import lru_cache
from types import MappingProxyType

from consentry.errors import PolicyError
from consentry.policy.choice import Seconds
from consentry.policy.memberships import (
    CARVED_OUT,
    COUNTRIES,
    GROUPS,
    MEMBERSHIPS,
    NESTED,
    PART_OF,
    SAME_PLACE,
    Membership,
    instant,
)
from consentry.policy.subdivisions import PARTS, SUBDIVISIONS

__all__ = [
    "AREAS",
    "DECISIONS_BEGIN",
    "REST",
    "Membership",
    "area_advice",
    "boundaries",
    "contains",
    "country_of",
    "groups",
    "instant",
    "known_area",
    "known_place",
    "memberships_of",
    "part_advice",
    "proposed",
    "whole_of",
]

AREAS: Mapping[str, str] = MappingProxyType(
    {
        **GROUPS,
        "BR": "Brazil (Lei Geral de Proteção de Dados, Lei 13.709/2018, in force since 2020-09-18)",
        "CA-QC": "Québec (private sector Act, CQLR P-39.1, as changed by Law 25 from 2022-09-22 to 2024-09-22)",
        "CH": "Switzerland (Federal Act on Data Protection, SR 235.1, revised since 2023-09-01)",
        "HK": "Hong Kong (Personal Data (Privacy) Ordinance, Cap. 486, in force since 1996-12-20); not in CN",
    }
)
"""The groups, and single places that policies often name, with a line on each. Any place is an area as well.

Who belongs to a group is dated, row by row; a place is itself at any date, and its law stands in its line."""

DECISIONS_BEGIN: Seconds = instant("2024-01-01")
"""No decision is asked for as of an earlier time. Checks of policies rely on it: a rule that could only ever have acted
before is unreachable. Whoever takes a time from outside refuses an earlier one."""

REST = "-*"
"""After the code of a country (`CA-*`): some part of it that no rule and no group names. Policies are compared there;
it is no place that anybody lives at."""

_PART = re.compile(r"([A-Z]{2})-[A-Z0-9]{1,3}")
_NEARLY_A_PART = re.compile(r"([A-Z]{2})-[A-Z0-9]{0,5}")
_SHOWN = 3
_BEGINNING: Seconds = -(1 << 62)
_END: Seconds = 1 << 62
_Span = tuple[Seconds, Seconds]
_ALWAYS: tuple[_Span, ...] = ((_BEGINNING, _END),)
_NEVER: tuple[_Span, ...] = ()


def _by_place() -> dict[str, tuple[Membership, ...]]:
    found: dict[str, list[Membership]] = {}
    for membership in MEMBERSHIPS:
        found.setdefault(membership.place, []).append(membership)
    return {place: tuple(rows) for place, rows in found.items()}


def _partial() -> dict[tuple[str, str], tuple[Membership, ...]]:
    found: dict[tuple[str, str], list[Membership]] = {}
    for membership in MEMBERSHIPS:
        country = country_of(membership.place)
        if country != membership.place:
            found.setdefault((membership.group, country), []).append(membership)
    return {key: tuple(rows) for key, rows in found.items()}


def known_place(code: str) -> bool:
    """Say whether `code` is a country or a part of one."""
    return code in COUNTRIES or code in SUBDIVISIONS or code in SAME_PLACE or code in CARVED_OUT


def whole_of(code: str) -> frozenset[str]:
    """Return where somebody may be of whom an unknown part of a country is known; nothing if `code` is no such thing.

    That is the country as a whole, and with it the places that ISO 3166-2 lists under it although they are no part of
    it here: an unknown part of China may be Hong Kong.

        >>> sorted(whole_of("CA-PQ")), sorted(whole_of("CN-91")), sorted(whole_of("CA-QC"))
        (['CA'], ['CN', 'HK', 'MO', 'TW'], [])
    """
    matched = _PART.fullmatch(code)
    if matched is None or matched[1] not in COUNTRIES or known_place(code):
        return frozenset()
    listed = {place for part, place in SAME_PLACE.items() if part.startswith(f"{matched[1]}-")}
    return frozenset({matched[1], *(place for place in listed if country_of(place) != matched[1])})


def part_advice(code: str) -> str:
    """Return help for a code that looks like a part of a country and is none; empty if it does not look like one."""
    matched = _NEARLY_A_PART.fullmatch(code.upper())
    if matched is None or matched[1] not in COUNTRIES:
        return ""
    country = matched[1]
    near = get_close_matches(code.upper(), sorted(PARTS.get(country, ())), n=_SHOWN, cutoff=0)
    if not near:
        return f"ISO 3166-2 has no parts of `{country}`: write `{country}`"
    return f"did you mean {', '.join(f'`{each}`' for each in near)}? `{country}` stands for all of it"


def area_advice(word: str, meant: Mapping[str, str]) -> str:
    """Return help for a word that is no area. `meant`: the codes it may stand for, each with the place's name.

    No code is proposed for another that only looks like it: `GBR` is not `GR`. A group is, if letters are missing
    or it has one too many.
    """
    code = word.upper()
    if code in GROUPS:
        return f"did you mean `{code}`?"
    if advice := part_advice(word):
        return advice
    if meant:
        return proposed(meant)
    if known_area(code):
        return f"did you mean `{code}`?"
    begun = [each for each in GROUPS if code[:-1] == each or (len(code) > 2 and each.startswith(code))]
    if near := get_close_matches(code, begun, n=1, cutoff=0):
        return f"did you mean `{near[0]}`?"
    groups_there_are = ", ".join(sorted(GROUPS))
    return f"use an ISO 3166-1 code (GB), an ISO 3166-2 code (CA-QC) or one of: {groups_there_are}"


def proposed(meant: Mapping[str, str]) -> str:
    """Return help that names the codes which may be meant, each with the place's name."""
    named = [f"`{each}`" if name == each else f"`{each}` ({name})" for each, name in meant.items()]
    return f"did you mean {' or '.join(named[:_SHOWN])}?"


def known_area(name: str) -> bool:
    """Say whether `name` is a group or a place."""
    return name in GROUPS or known_place(name)


def groups() -> Mapping[str, str]:
    """Return the groups of places with a line on each."""
    return MappingProxyType(dict(GROUPS))


def country_of(place: str) -> str:
    """Return the country that a place is a part of, or the place itself."""
    place = SAME_PLACE.get(place, place)
    return PART_OF.get(place) or place.partition("-")[0]


def contains(area: str, place: str, *, at: Seconds) -> bool | None:
    """Say whether `place` lies in `area` at a time; None if it cannot be known from the place.

    Raises:
        PolicyError: `area` is neither a group nor a place.
    """
    inside, unknown = _spans(area, place)
    for starts, ends in inside:
        if starts <= at < ends:
            return True
    for starts, ends in unknown:
        if starts <= at < ends:
            return None
    return False


def memberships_of(place: str, at: Seconds) -> tuple[Membership, ...]:
    """Return the group memberships that hold for `place` at a time, each with its source."""
    return tuple(row for row in _rows(place) if any(starts <= at < ends for starts, ends in _as_spans([row])))


def boundaries(areas: Iterable[str]) -> tuple[Seconds, ...]:
    """Return the instants, in order, at which some place enters or leaves one of `areas`.

    Between two neighbouring instants `contains` does not change for these areas, whatever the place.
    """
    named = frozenset(areas)
    for area in sorted(named):
        _check_area(area)
    edges = (edge for row in MEMBERSHIPS if row.group in named for edge in (row.starts, row.ends))
    return tuple(sorted({edge for edge in edges if edge is not None}))


@lru_cache(maxsize=1 << 16)
def _spans(area: str, place: str) -> tuple[tuple[_Span, ...], tuple[_Span, ...]]:
    """Return when `place` is in `area`, and when that is unknown (the former wins)."""
    _check_area(area)
    if not known_place(place) and place.removesuffix(REST) not in COUNTRIES:
        return _NEVER, _ALWAYS
    place = SAME_PLACE.get(place, place)
    if area in GROUPS:
        parts = _PARTIAL.get((area, place), ())
        return _as_spans(row for row in _rows(place) if row.group == area), _as_spans(parts)
    area = SAME_PLACE.get(area, area)
    if area in (place, country_of(place)):
        return _ALWAYS, _NEVER
    if country_of(area) == place or _may_nest(area, place):
        return _NEVER, _ALWAYS
    return _NEVER, _NEVER


def _rows(place: str) -> tuple[Membership, ...]:
    place = SAME_PLACE.get(place, place)
    own = _BY_PLACE.get(place, ())
    if place in CARVED_OUT or "-" not in place:
        return own
    return own + _BY_PLACE.get(country_of(place), ())


def _may_nest(area: str, place: str) -> bool:
    country = country_of(area)
    return "-" in area and "-" in place and country == country_of(place) and country in NESTED


def _as_spans(rows: Iterable[Membership]) -> tuple[_Span, ...]:
    return tuple(
        (_BEGINNING if row.starts is None else row.starts, _END if row.ends is None else row.ends) for row in rows
    )


def _check_area(area: str) -> None:
    if not known_area(area):
        raise PolicyError(
            "policy-unknown-area",
            f"unknown area `{area}`",
            help=area_advice(area, {}),
        )


_BY_PLACE = _by_place()
_PARTIAL = _partial()
