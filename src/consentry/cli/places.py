"""How places are named to people, in the terminal and on the demo's page."""

from __future__ import annotations

from babel import Locale

from consentry.release.tallies import NOBODY_PLACE, SEVERAL_PLACES, UNRESOLVED_PLACE

NO_ONE_COUNTRY = {
    SEVERAL_PLACES: "several countries",
    UNRESOLVED_PLACE: "no country established",
    NOBODY_PLACE: "no owner named",
}
"""What is counted among countries, and is none."""


def country_name(code: str) -> str:
    """Return a country's English name (CLDR) for its code; what has none is returned as it is."""
    territory: str | None = Locale("en").territories.get(code)
    return territory or code


def place_in_table(place: str) -> str:
    """Return a place as tables of the terminal have it: its code, or why it is no country."""
    return NO_ONE_COUNTRY.get(place, place)


def place_name(place: str) -> str:
    """Return what a place is called in counts: a country's name, or why it is none."""
    return NO_ONE_COUNTRY.get(place) or country_name(place)
