"""Who in Europe may be meant by a name that other sources know only elsewhere.

Without the names of cities nothing says that `Mérida` is a town in Spain too, and a bare name would release somebody
there. So the few names are written out that a territory or a large part of a country elsewhere shares with a town of
5,000 inhabitants or more in the EEA, the United Kingdom or Switzerland, and those that such a part shares with another
name of a city of 100,000 there. Names, no places: what they mean in Europe, only the extra `cities` knows. A test finds
them again in GeoNames (CC BY 4.0), where they come from.

Codes are shared as well: Italians write `Cantù (CO)` for Como as Americans write CO for Colorado. Here the
countries are known (ISO 3166-2), and each is a candidate beside the state.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache

import pycountry

from consentry.corpus.place_names import Kind, Reading, Readings, Region
from consentry.policy.jurisdictions import DECISIONS_BEGIN, contains
from consentry.policy.memberships import SAME_PLACE

_EUROPE = ("EEA", "EFTA", "UK")
_LETTERS = 2

_NAMES = """
    agira, amara, andora, andorra, arta, bay, bono, canterbury, colonia, concepcion, durango, gerena, goa, grenade,
    herrera, jesi, la paz, la union, lagos, loja, loreto, marlborough, maule, merida, meru, meta, mila, monserrat,
    moulins, nelson, nijar, nippes, pero, pointe noire, principe, puerto rico, rusko, russi, saint barthelemy, saint
    louis, salvador, san bartolome, san fernando, santa cruz, santa lucia, santa luzia, santander, siria, suria,
    trujillo, tunes, ugine, victoria, washington
    """
SHARED = frozenset(name.strip() for name in " ".join(_NAMES.split()).split(","))
"""The names, folded."""


@lru_cache(maxsize=1 << 13)
def in_europe(place: str) -> bool:
    """Say whether a place is in the EEA, the United Kingdom or Switzerland."""
    return any(contains(group, place, at=DECISIONS_BEGIN) for group in _EUROPE)


@lru_cache(maxsize=1)
def provinces() -> Mapping[str, Readings]:
    """Return the countries in Europe that have a part with a code of two letters, by code.

    The whole country, and not the part: who cannot tell which town is meant cannot tell that another is not.
    """
    index: dict[str, set[str]] = {}
    for part in pycountry.subdivisions:
        code = part.code[3:]
        own = part.code in SAME_PLACE  # New Caledonia, `FR-NC`, is in France for nobody here
        if len(code) == _LETTERS and code.isalpha() and in_europe(part.country_code) and not own:
            index.setdefault(code, set()).add(part.country_code)
    return {
        code: tuple(Reading(country, Kind.PROVINCE_CODE) for country in sorted(countries))
        for code, countries in index.items()
    }


def most_specific(readings: Sequence[Reading]) -> list[Reading]:
    """Drop a place that contains one other (only one) of its alternative: `Denver, Colorado, USA` is in Colorado.

    A town in Europe stays beside a territory overseas: `Saint-Barthélemy` is in France as well.
    """
    places = {reading.place for reading in readings}
    within = {place: [other for other in places if is_within(other, place)] for place in places}
    outer = {place for place, others in within.items() if len(others) == 1}
    overseas = {place for place in outer if in_europe(place) and not in_europe(within[place][0])}
    return [
        reading
        for reading in readings
        if reading.place not in outer or (reading.kind is Kind.CITY and reading.place in overseas)
    ]


def is_within(place: str, outer: str) -> bool:
    """Say whether one place is a part of another."""
    return place != outer and contains(outer, place, at=0) is True


def fits(region: Region | None, readings: Iterable[Reading]) -> bool:
    """Say whether readings can lie in a region of the world: `USA, Europe` is two places, and one of them unknown."""
    if region is not Region.EUROPE:
        return region is not Region.ELSEWHERE
    return all(in_europe(each.place) for each in readings)
