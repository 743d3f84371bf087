"""What somebody means who writes a word that is no area: it is read as the country in a people table is read.

>>> dict(places_named("GBR")), dict(places_named("Narnia"))
({'GB': 'United Kingdom'}, {})
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from consentry.errors import PolicyError
from consentry.policy.jurisdictions import area_advice, known_area


def places_named(word: str) -> Mapping[str, str]:
    """Return the codes that a word may stand for, each with the place's English name."""
    # Only when somebody wrote a word that is no area: who stops a use does not wait for the names of the world.
    import pycountry  # noqa: PLC0415
    from babel import Locale  # noqa: PLC0415

    from consentry.corpus.place_names import Kind, parts_called, places_called  # noqa: PLC0415
    from consentry.corpus.residence import from_country, from_country_code  # noqa: PLC0415

    given = word.strip()
    # Nor does who wrote a code that is another's way to write a country wait for its names in all languages.
    named = parts_called(given) if from_country_code(given).places else places_called(given)
    codes = from_country(given).places | {each.place for each in named if each.kind is Kind.SUBDIVISION}
    countries = Locale("en").territories
    parts = {each.code: str(each.name) for each in pycountry.subdivisions if each.code in codes}

    def name(code: str) -> str:
        return str(countries.get(code) or parts.get(code, code))

    return {code: name(code) for code in sorted(codes)}


def require_areas(areas: Iterable[str]) -> None:
    """Refuse what is neither a group nor a place.

    Raises:
        PolicyError: with what may have been meant.
    """
    for area in sorted(set(areas)):
        if not known_area(area):
            advice = area_advice(area, places_named(area))
            raise PolicyError("policy-unknown-area", f"unknown area `{area}`", help=advice)
