"""Where a person may live: from what a platform knows to candidate places, with evidence.

* Every signal's candidates are kept. A use must be allowed at each of them, so the most protective one wins.
* The account's country, the declared location, the telephone prefix and the country of an IP address **establish** a
  residence. A time zone and a locale only **hold**: they add candidates, but nobody is let through on their word.
* Nothing that establishes is a gap (`established` is False), whatever else is known. So is an account country that
  nobody can read: the platform's own word was not understood, and no weaker signal may speak for it.
* A signal that says Europe, or a part of it that is no jurisdiction, leaves a residence unestablished as well, unless
  it names a place there: somebody may live in Europe, and nobody knows where. So does a location that says that they
  moved (`now in Smalltown`) to a place that nobody knows: the account may be of before.
* A signal that is not understood yields no places. It is never an error, and never an empty permission.

    >>> resolve(Signals(country="gb", time_zone="America/New_York")).places == {"GB", "US"}
    True
    >>> resolve(Signals(time_zone="Europe/Belfast"))  # doctest: +ELLIPSIS
    Residence(places=frozenset({'GB'}), established=False, evidence=(Evidence(...),))
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

from babel.core import get_global

from consentry.corpus.location_doubt import names_a_zone
from consentry.corpus.location_text import MAX_LENGTH, SOMEWHERE_ELSE, SOMEWHERE_IN_EUROPE, Located, locate
from consentry.corpus.place_names import EUROPE_CODES, Kind, Region, places_called, replaced_codes, wider_region
from consentry.policy.jurisdictions import known_place, whole_of
from consentry.policy.memberships import SAME_PLACE


class Signal(StrEnum):
    """What a platform may know about where somebody lives."""

    COUNTRY = "country"
    LOCATION = "location"
    PHONE = "phone"
    IP_COUNTRY = "ip-country"
    LOCALE = "locale"
    TIME_ZONE = "time-zone"


class Strength(StrEnum):
    """What a piece of evidence may do."""

    ESTABLISHES = "establishes"
    HOLDS = "holds"


@dataclass(frozen=True, slots=True, kw_only=True)
class Signals:
    """The signals of one person as the platform has them; None or empty is absent."""

    country: str | None = None
    location: str | None = None
    phone: str | None = None
    locale: str | None = None
    time_zone: str | None = None
    ip_country: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What one signal said. `form` is how it was understood, not its value: evidence may be shown and kept."""

    signal: Signal
    form: str
    places: frozenset[str]
    strength: Strength


@dataclass(frozen=True, slots=True, kw_only=True)
class Residence:
    """The candidate places of a person, whether a residence is established, and one piece of evidence per signal."""

    places: frozenset[str]
    established: bool
    evidence: tuple[Evidence, ...]


NOT_UNDERSTOOD = "not understood"
_NOTHING = Located(frozenset(), establishes=False, forms=())
_DIGITS = re.compile(r"[^0-9]")
_SUBTAG = re.compile(r"[-_]")
_MAX_CALLING_CODE = 3
_NOT_GEOGRAPHIC = "001"
NAMIBIA_OR_MISSING = "NA"
"""The code of Namibia, and what R and many exports write where nothing is known."""


def resolve(signals: Signals) -> Residence:
    """Return the candidate places of a person with these signals. Any text is accepted, nothing is raised."""
    evidence = tuple(
        _weigh(signal, read(value.strip()))
        for signal, value, read in _readers(signals)
        if value is not None and value.strip()
    )
    return Residence(
        places=frozenset().union(*(each.places for each in evidence)),
        established=any(each.strength is Strength.ESTABLISHES for each in evidence)
        and not (_unread_country(evidence) or _somewhere_unknown(evidence)),
        evidence=evidence,
    )


def _unread_country(evidence: Iterable[Evidence]) -> bool:
    """Say whether the account names a country that nobody can read: then no weaker signal may speak for it."""
    return any(each.signal is Signal.COUNTRY and not each.places for each in evidence)


def _somewhere_unknown(evidence: Iterable[Evidence]) -> bool:
    """Say whether any signal means Europe and no place in it, or a place somewhere else that nobody knows."""
    return any(each.form.endswith((*SOMEWHERE_IN_EUROPE.forms, *SOMEWHERE_ELSE.forms)) for each in evidence)


def _readers(signals: Signals) -> Iterable[tuple[Signal, str | None, Callable[[str], Located]]]:
    return (
        (Signal.COUNTRY, signals.country, from_stated_country),
        (Signal.LOCATION, signals.location, from_location),
        (Signal.PHONE, signals.phone, from_phone),
        (Signal.IP_COUNTRY, signals.ip_country, from_stated_country),
        (Signal.LOCALE, signals.locale, from_locale),
        (Signal.TIME_ZONE, signals.time_zone, from_time_zone),
    )


def _weigh(signal: Signal, found: Located) -> Evidence:
    return Evidence(
        signal=signal,
        form=", ".join(found.forms) or NOT_UNDERSTOOD,
        places=found.places,
        strength=Strength.ESTABLISHES if found.establishes and found.places else Strength.HOLDS,
    )


def from_stated_country(value: str) -> Located:
    """Read a country field as `from_country` does, but `NA`: nobody can say whether it means Namibia (`NAM`)."""
    return _NOTHING if value.upper() == NAMIBIA_OR_MISSING else from_country(value)


@lru_cache(maxsize=1 << 12)
def from_country(value: str) -> Located:
    """Read a country field: an ISO 3166 code, a withdrawn or reserved one (`UK`), or a territory's name.

    Of a part that ISO 3166-2 does not have only the country counts: whoever asks for a part gets a gap.

    >>> sorted(from_country("UK").places), sorted(from_country("FR-974").places), from_country("A1").places
    (['GB'], ['RE'], frozenset())
    >>> sorted(from_country("CA-PQ").places), from_country("CA-PQ").forms
    (['CA'], ('country of an unknown part',))
    """
    if (coded := from_country_code(value)).forms:
        return coded
    named = places_called(value[:MAX_LENGTH])
    places = frozenset(reading.place for reading in named if reading.kind is Kind.TERRITORY)
    if places:
        return Located(places, establishes=True, forms=(Kind.TERRITORY.value,))
    return SOMEWHERE_IN_EUROPE if wider_region(value[:MAX_LENGTH]) is Region.EUROPE else _NOTHING


def from_country_code(value: str) -> Located:
    """Read a country field that holds a code, and nothing else: no names are read in for it."""
    code = value.upper().replace("_", "-")
    if known_place(code):
        return Located(frozenset({SAME_PLACE.get(code, code)}), establishes=True, forms=("code",))
    if country := whole_of(code):
        return Located(country, establishes=True, forms=("country of an unknown part",))
    if successors := replaced_codes().get(code):
        return Located(frozenset(successors), establishes=True, forms=("code",))
    return SOMEWHERE_IN_EUROPE if code in EUROPE_CODES else _NOTHING


def from_location(value: str) -> Located:
    """Read what a person wrote; the name of a time zone (`America/New_York`) says what a time zone says."""
    zone = from_time_zone(value.replace(" ", "_")) if names_a_zone(value) else _NOTHING
    return zone if zone.places else locate(value)


def from_phone(value: str) -> Located:
    """Read a number in international form (`+44 ...`, `0044 ...`) or a bare calling code.

    A number that fits no region in particular yields every region that shares its calling code. Up to three digits have
    to be one: `123` and `777` are what people write who have none, and so is `007`.
    """
    value = value[:MAX_LENGTH]
    digits = _DIGITS.sub("", value)
    if value.startswith("00"):
        digits = digits.removeprefix("00")
        if len(digits) == 1:
            return _NOTHING
    elif not value.startswith(("+", "＋")) and len(digits) > _MAX_CALLING_CODE:
        return _NOTHING
    region = _region_of(digits) if len(digits) > _MAX_CALLING_CODE else None
    if region is not None:
        return Located(frozenset({region}), establishes=True, forms=("telephone number",))
    places = _regions_calling(digits) if digits and digits[0] != "0" else None
    return Located(places, establishes=True, forms=("calling code",)) if places else _NOTHING


def _region_of(digits: str) -> str | None:
    # Only here, and below: every command imports this, and only numbers need it.
    import phonenumbers  # noqa: PLC0415

    try:
        number = phonenumbers.parse("+" + digits, None)
    except phonenumbers.NumberParseException:
        return None
    region: str | None = phonenumbers.region_code_for_number(number)
    return region if region is not None and known_place(region) else None


def _regions_calling(digits: str) -> frozenset[str]:
    from phonenumbers import COUNTRY_CODE_TO_REGION_CODE  # noqa: PLC0415

    shortest = len(digits) if len(digits) <= _MAX_CALLING_CODE else 1
    for length in range(shortest, min(len(digits), _MAX_CALLING_CODE) + 1):
        regions = COUNTRY_CODE_TO_REGION_CODE.get(int(digits[:length]), ())
        if regions and regions[0] != _NOT_GEOGRAPHIC:
            return frozenset(region for region in regions if known_place(region))
    return frozenset()


@lru_cache(maxsize=1 << 12)
def from_locale(value: str) -> Located:
    """Read the region of a locale (`en-GB`, `zh_Hant_TW.UTF-8`). A language alone names no place."""
    subtags = _SUBTAG.split(value[:MAX_LENGTH].partition(".")[0].partition("@")[0])
    for subtag in subtags[1:]:
        if len(subtag) == 1:
            break
        if subtag in EUROPE_CODES:
            return SOMEWHERE_IN_EUROPE
        if len(subtag) == 2 and (region := from_country(subtag)).places:
            return Located(region.places, establishes=False, forms=("region of a locale",))
    return _NOTHING


@lru_cache(maxsize=1 << 12)
def from_time_zone(value: str) -> Located:
    """Read a time zone: an IANA name or alias, a Windows name, or a zone's city as Ruby on Rails writes it."""
    zone = get_global("windows_zone_mapping").get(value, value)
    zone = get_global("zone_aliases").get(zone, zone)
    territory = get_global("zone_territories").get(zone, "")
    if known_place(territory):
        return Located(frozenset({territory}), establishes=False, forms=("time zone",))
    places = _zone_cities().get(value.rpartition("/")[2].replace("_", " ").casefold(), frozenset())
    return Located(places, establishes=False, forms=("city of a time zone",)) if places else _NOTHING


@lru_cache(maxsize=1)
def _zone_cities() -> dict[str, frozenset[str]]:
    found: dict[str, set[str]] = {}
    territories = get_global("zone_territories")
    for zone, canonical in [*((zone, zone) for zone in territories), *get_global("zone_aliases").items()]:
        territory = territories.get(canonical, "")
        if known_place(territory):
            found.setdefault(zone.rpartition("/")[2].replace("_", " ").casefold(), set()).add(territory)
    return {city: frozenset(places) for city, places in found.items()}
