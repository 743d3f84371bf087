"""Signals to candidate places: what each signal may say, what it may not, and that no text is an error.

All texts are made up. The city index is an extra: these tests run without it, whether it is installed or not.
"""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from without_cities import places
from without_cities import without_cities as without_cities  # noqa: PLC0414 - a fixture

from consentry.corpus.residence import NOT_UNDERSTOOD, Signal, Signals, Strength, resolve
from consentry.policy.jurisdictions import contains, known_place


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
        ("0044", {"GB", "GG", "IM", "JE"}),
        ("358", {"AX", "FI"}),
        *((junk, set()) for junk in ("123", "111", "112", "12", "777", "70", "007", "000", "044", "+123", "+777", "0")),
        *((junk, set()) for junk in ("00123", "00044", "0000000000", "+044", "00", "1 2")),
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
        ("NA", set()),  # Namibia, or what many exports write for nothing
        ("na", set()),
        ("NAM", {"NA"}),
        ("Namibia", {"NA"}),
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
        ("af-NA", {"NA"}),
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


FIELDS = ("country", "location", "phone", "locale", "time_zone", "ip_country")
CODES = ("GB", "US", "CA-QC", "CO", "+44", "+1 212 555 0100", "en-GB", "de-AT", "Europe/London", "America/New_York")
TEXTS = (
    "Georgia",
    "Texas",
    "Portland, OR",
    "Nederland, CO",
    "Cantù, CO",
    "now in Smalltown",
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
    unknown = any(each.form.endswith(("region of Europe", "somewhere else by now")) for each in more.evidence)
    assert fewer.established <= more.established or (field == "country" and unreadable) or unknown


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
    unknown = any(each.form.endswith(("region of Europe", "somewhere else by now")) for each in found.evidence)
    assert found.established is (established and not unread and not unknown)
    assert found.places or not found.established


def test_an_account_country_nobody_can_read_holds() -> None:
    for country in ("EU", "ZZ", "Untied States"):
        found = resolve(Signals(country=country, ip_country="US"))
        assert found.places == {"US"}
        assert not found.established


EUROPE = (
    *(Signals(location=text) for text in ("Europe", "European Union", "Western Europe", "Central Europe", "EU")),
    *(Signals(location=text) for text in ("\U0001f1ea\U0001f1fa", "somewhere in Europe", "in the EU")),
    *(Signals(location=text) for text in ("USA, Europe", "Texas / Europe")),
    *(Signals(ip_country=text) for text in ("EU", "eu", "Europe", "EZ", "150")),
    *(Signals(locale=text) for text in ("en-150", "en_EU")),
)


@pytest.mark.parametrize("said", EUROPE)
def test_a_signal_that_says_europe_holds_whatever_the_others_say(said: Signals) -> None:
    found = resolve(replace(said, country="US", phone="+1 212 555 0100"))
    assert found.places <= {"US", "US-TX"}
    assert not found.established
    assert any(each.form.endswith("region of Europe") for each in found.evidence)


def test_a_shared_code_beside_europe_holds_although_it_may_mean_a_province_there() -> None:
    assert not resolve(Signals(country="US", location="Cantù, CO, Europe")).established


MOVED = (
    *("now in Smalltown", "Texas, now in Smalltown", "Texas -> now Smalltown", "Smalltown (currently)", "jetzt Dorf"),
    *("Moved to Smalltown", "now in Smalltown, before Texas", "expat", "сейчас в деревне", "Texas. Moved abroad, x"),
    *("Texas. Now Smalltown.", "Smalltown now", "Texas and now Smalltown"),
    *("emigrated from the USA to Smalltown", "umgezogen von Texas nach Dorf", "Expat from Texas in Smalltown"),
    *("expat from Texas living in Smalltown", "currently Smalltown but from Texas", "Texas (moved)", "Texas expat"),
    *("Expat from Smalltown, TX, in Smalltown", "Expat from Smalltown, TX, USA", "ahora en Pueblo, de Texas, USA"),
    *(
        "moved out of Texas",
        "now somewhere outside Texas",
        "currently not in Texas",
        "jetzt Dorf, aus Texas",
        "left Texas",
    ),
    *("now Smalltown born in Texas", "parti du Texas", "EXPAT FROM TEXAS IN SMALLTOWN"),
)
STAYED = (
    *("now in Texas", "Currently: Smalltown, Texas", "now in Smalltown, TX, USA", "Born in Smalltown", "Smalltown"),
    *("Texas now", "Texas (currently)", "expat from Smalltown in Texas"),
    *("now in Wilmington, DE, USA", "now in the Isle of Man", "Originally from Smalltown, now in Texas"),
)


@pytest.mark.parametrize("location", MOVED)
def test_who_moved_to_a_place_nobody_knows_may_not_live_where_the_account_says(location: str) -> None:
    found = resolve(Signals(country="US", location=location))
    assert found.places <= {"US", "US-TX"}
    assert not found.established


@pytest.mark.parametrize("location", STAYED)
def test_who_moved_to_a_place_that_is_known_may_live_there(location: str) -> None:
    assert resolve(Signals(country="US", location=location)).established


def test_the_code_of_a_state_is_no_word_for_where_somebody_went() -> None:
    assert not resolve(Signals(country="US", location="Expat from Gary, IN, USA")).established
    assert resolve(Signals(country="US", location="Moved from Smalltown for Gary, IN, USA")).established


@pytest.mark.parametrize("location", ["Germany, Europe", "Paris, France (EU)", "Asia", "over the rainbow"])
def test_a_place_in_europe_or_none_at_all_does_not_hold(location: str) -> None:
    assert resolve(Signals(country="US", location=location)).established


@given(st.text(alphabet=st.characters(), max_size=300))
def test_any_unicode_at_all_is_accepted(text: str) -> None:
    for field in FIELDS:
        assert all(map(known_place, resolve(replace(Signals(), **{field: text})).places))
