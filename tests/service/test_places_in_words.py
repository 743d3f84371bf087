"""Parts of countries have names in every language, wherever a rule, a group of places or a case here speaks of them."""

from __future__ import annotations

import re

import pytest

from consentry.policy.library import shipped
from consentry.policy.memberships import MEMBERSHIPS
from consentry.service.languages import LANGUAGES, translations
from consentry.service.plain_words import PART_NAMES, place_name
from consentry.service.site import environment

SCOTLAND = {
    "en": "United Kingdom (Scotland)",
    "cy": "Y Deyrnas Unedig (Yr Alban)",
    "fr": "Royaume-Uni (Écosse)",
    "de": "Vereinigtes Königreich (Schottland)",
    "es": "Reino Unido (Escocia)",
    "ar": "المملكة المتحدة (اسكتلندا)",
}
_PART = re.compile(r'"([A-Z]{2}-[A-Z0-9]{1,3})"')


def named() -> set[str]:
    """Return the parts of countries that shipped sets name, and those that are in a group and their country is not."""
    sets = {part for text in shipped().values() for part in _PART.findall(text)} - {each.group for each in MEMBERSHIPS}
    states = {each.place for each in MEMBERSHIPS if each.group == "US-STATE-LAW"}
    return sets | states | {"GB-ENG", "GB-NIR", "GB-SCT", "GB-WLS"}


def test_every_part_that_is_spoken_of_is_in_the_catalogues() -> None:
    assert named() == set(PART_NAMES), "and `test_languages.py` asks for each in every language"


@pytest.mark.parametrize("code", sorted(LANGUAGES))
def test_a_part_is_called_what_the_language_calls_it(code: str) -> None:
    locale, translated = LANGUAGES[code].locale, translations(code).gettext
    assert place_name("GB-SCT", locale, translated=translated) == SCOTLAND[code]
    assert environment(code).filters["territory"]("GB-SCT") == SCOTLAND[code]
    if code == "ar":
        for part in PART_NAMES:
            assert not re.search("[A-Za-z]", place_name(part, locale, translated=translated)), part
