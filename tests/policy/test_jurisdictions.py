"""Who belonged where, and when: the cases that packages get wrong, and what must hold for every row."""

from __future__ import annotations

from itertools import combinations

import pycountry
import pytest
from hypothesis import given
from hypothesis import strategies as st

from consentry.errors import PolicyError
from consentry.policy.jurisdictions import (
    AREAS,
    REST,
    boundaries,
    contains,
    country_of,
    groups,
    instant,
    known_area,
    known_place,
    memberships_of,
    part_advice,
    whole_of,
)
from consentry.policy.memberships import (
    BREXIT,
    CARVED_OUT,
    COUNTRIES,
    MEMBERSHIPS,
    NESTED,
    PART_OF,
    SAME_PLACE,
    TRANSITION_END,
)
from consentry.policy.subdivisions import PARTS, SUBDIVISIONS

TODAY = instant("2025-11-03")
EU_27 = frozenset("AT BE BG CY CZ DE DK EE ES FI FR GR HR HU IE IT LT LU LV MT NL PL PT RO SE SI SK".split(" "))  # noqa: SIM905
OUTERMOST = frozenset(["GF", "GP", "MF", "MQ", "RE", "YT"])

places = st.sampled_from(sorted(COUNTRIES | set(SAME_PLACE) | {row.place for row in MEMBERSHIPS} | {"GB-SCT", "US-NY"}))
areas = st.sampled_from(sorted(groups())) | places
times = st.integers(instant("1950-01-01"), instant("2040-01-01"))


def members(group: str, at: int) -> frozenset[str]:
    return frozenset(place for place in COUNTRIES if contains(group, place, at=at) is True)


def test_the_union_has_27_members_with_the_outermost_regions_and_aland() -> None:
    assert members("EU", TODAY) == EU_27 | OUTERMOST | {"AX"}


@pytest.mark.parametrize(
    ("day", "count"),
    [
        ("1957-12-31", 0),
        ("1958-01-01", 6),
        ("1973-01-01", 9),
        ("1981-01-01", 10),
        ("1986-01-01", 12),
        ("1995-01-01", 15),
        ("2004-05-01", 25),
        ("2007-01-01", 27),
        ("2013-07-01", 28),
        ("2020-02-01", 27),
    ],
)
def test_the_union_grew_and_shrank_as_the_treaties_say(day: str, count: int) -> None:
    assert len(members("EU", instant(day)) & (EU_27 | {"GB"})) == count


def test_the_united_kingdom_left_at_23_utc_and_eu_law_stayed_until_the_transition_ended() -> None:
    left, ended = instant(BREXIT), instant(TRANSITION_END)
    assert [contains("EU", "GB", at=at) for at in (left - 1, left)] == [True, False]
    assert [contains("EEA", "GB", at=at) for at in (left - 1, left)] == [True, False]
    assert [contains("EU-LAW", "GB", at=at) for at in (left, ended - 1, ended)] == [True, True, False]
    assert [contains("GDPR", "GB", at=at) for at in (instant("2018-05-24"), left, ended)] == [False, True, False]
    assert [contains("UK-GDPR", "GB", at=at) for at in (ended - 1, ended)] == [False, True]
    assert contains("UK", "GB", at=left - 1) is contains("UK", "GB", at=ended) is True


def test_croatia_joined_in_2013_and_the_economic_area_in_2014() -> None:
    assert [contains("EU", "HR", at=instant(day)) for day in ("2013-06-30", "2013-07-01")] == [False, True]
    assert [contains("EEA", "HR", at=instant(day)) for day in ("2013-07-01", "2014-04-11", "2014-04-12")] == [
        False,
        False,
        True,
    ]


@pytest.mark.parametrize("code", ["RE", "FR-974", "FR-RE"])
def test_reunion_is_in_the_union_and_in_france_under_all_its_codes(code: str) -> None:
    assert contains("EU", code, at=TODAY) is contains("EEA", code, at=TODAY) is contains("FR", code, at=TODAY) is True
    assert contains("RE", code, at=TODAY) is contains("FR-974", code, at=TODAY) is True
    assert contains("RE", "FR", at=TODAY) is None


def test_mayotte_entered_and_saint_barthelemy_left_the_union_with_dates() -> None:
    assert [contains("EU", "YT", at=instant(day)) for day in ("2013-12-31", "2014-01-01")] == [False, True]
    assert [contains("EU", "FR-BL", at=instant(day)) for day in ("2011-12-31", "2012-01-01")] == [True, False]


@pytest.mark.parametrize("code", ["AX", "FI-01"])
def test_aland_is_in_the_union_by_a_protocol_of_its_own(code: str) -> None:
    assert [contains("EU", code, at=instant(day)) for day in ("1994-12-31", "1995-01-01")] == [False, True]
    assert contains("FI", code, at=TODAY) is True


@pytest.mark.parametrize("code", ["AX", "FI-01"])
def test_aland_entered_the_economic_area_with_finland_by_a_declaration(code: str) -> None:
    assert [contains("EEA", code, at=instant(day)) for day in ("1993-12-31", "1994-01-01")] == [False, True]
    assert [contains("EEA", "FI", at=instant(day)) for day in ("1993-12-31", "1994-01-01")] == [False, True]


@pytest.mark.parametrize("code", ["JE", "GG", "IM"])
@pytest.mark.parametrize("area", ["EU", "EU-LAW", "EEA", "UK", "GB", "GDPR", "UK-GDPR"])
def test_the_crown_dependencies_are_in_none_of_them(code: str, area: str) -> None:
    for day in ("1990-01-01", "2019-01-01", "2020-06-01", "2025-01-01"):
        assert contains(area, code, at=instant(day)) is False


def test_gibraltar_was_in_the_union_until_the_exit_and_never_in_the_united_kingdom() -> None:
    left, ended = instant(BREXIT), instant(TRANSITION_END)
    assert [contains("EU", "GI", at=at) for at in (left - 1, left)] == [True, False]
    assert [contains("EU-LAW", "GI", at=at) for at in (left, ended)] == [True, False]
    assert [contains("GDPR", "GI", at=at) for at in (left, ended - 1, ended)] == [True, True, False]
    assert (
        contains("UK", "GI", at=left - 1)
        is contains("GB", "GI", at=left - 1)
        is contains("UK-GDPR", "GI", at=ended)
        is False
    )


@pytest.mark.parametrize("code", ["SJ", "NO-21"])
def test_svalbard_is_in_norway_but_outside_the_economic_area(code: str) -> None:
    assert contains("NO", code, at=TODAY) is True
    assert (
        contains("EEA", code, at=TODAY) is contains("GDPR", code, at=TODAY) is contains("EFTA", code, at=TODAY) is False
    )


@pytest.mark.parametrize("area", ["NO", "EEA", "GDPR", "EFTA"])
def test_jan_mayen_is_wherever_norway_is(area: str) -> None:
    assert contains(area, "NO-22", at=TODAY) is True
    assert contains("SJ", "NO-22", at=TODAY) is False


def test_greenland_left_in_1985_and_the_faroes_never_joined() -> None:
    assert [
        contains("EU", "GL", at=instant(day)) for day in ("1972-12-31", "1973-01-01", "1985-01-31", "1985-02-01")
    ] == [
        False,
        True,
        True,
        False,
    ]
    assert contains("DK", "GL", at=TODAY) is contains("EU", "FO", at=0) is contains("EU", "FO", at=TODAY) is False


@pytest.mark.parametrize(
    "code", ["NC", "PF", "PM", "TF", "WF", "AW", "CW", "SX", "BQ", "FR-NC", "NL-AW", "FR-CP", "FR-989", "FK"]
)
def test_overseas_countries_and_territories_are_outside(code: str) -> None:
    assert (
        contains("EU", code, at=TODAY) is contains("EEA", code, at=TODAY) is contains("GDPR", code, at=TODAY) is False
    )


@pytest.mark.parametrize("code", ["ES-CN", "ES-CE", "PT-20", "PT-30", "FR-20R", "GR-69", "IT-BZ", "DE-BY"])
def test_regions_of_members_are_in_with_their_country(code: str) -> None:
    assert contains("EU", code, at=TODAY) is True


def test_the_economic_area_is_dated() -> None:
    assert contains("EEA", "NO", at=instant("1993-12-31")) is False
    assert members("EEA", instant("1994-01-01")) & {"NO", "IS", "LI", "CH", "AT", "GB"} == {"NO", "IS", "AT", "GB"}
    assert [contains("EEA", "LI", at=instant(day)) for day in ("1995-04-30", "1995-05-01")] == [False, True]
    assert [contains("EEA", "BG", at=instant(day)) for day in ("2007-01-01", "2007-08-01")] == [False, True]
    assert members("EEA", TODAY) == EU_27 | OUTERMOST | {"AX", "IS", "LI", "NO"}
    assert members("GDPR", TODAY) == members("EEA", TODAY)
    assert members("EFTA", TODAY) == {"CH", "IS", "LI", "NO"}
    assert members("EFTA", instant("1972-06-01")) == {"AT", "CH", "DK", "GB", "IS", "NO", "PT", "SE"}


@pytest.mark.parametrize(
    ("day", "enter", "leave"),
    [
        ("1960-05-03", "AT CH DK GB NO PT SE", ""),
        ("1970-03-01", "IS", ""),
        ("1973-01-01", "", "DK GB"),
        ("1986-01-01", "FI", "PT"),
        ("1991-09-01", "LI", ""),
        ("1995-01-01", "", "AT FI SE"),
    ],
)
def test_the_free_trade_association_changed_as_its_convention_says(day: str, enter: str, leave: str) -> None:
    before, after = members("EFTA", instant(day) - 1), members("EFTA", instant(day))
    assert (after - before, before - after) == (frozenset(enter.split()), frozenset(leave.split()))


def test_a_state_is_unknown_where_only_the_country_is_known() -> None:
    assert contains("US-CA", "US", at=TODAY) is None
    assert contains("US-STATE-LAW", "US", at=TODAY) is None
    assert contains("US-STATE-LAW", "US", at=instant("2019-12-31")) is False
    assert (
        contains("US", "US", at=TODAY)
        is contains("US", "US-CA", at=TODAY)
        is contains("US-STATE-LAW", "US-CA", at=TODAY)
        is True
    )
    assert contains("US-CA", "US-NY", at=TODAY) is contains("US-STATE-LAW", "US-NY", at=TODAY) is False
    assert contains("US-STATE-LAW", "US-TX", at=instant("2024-06-30")) is False
    assert contains("US-STATE-LAW", "US-PR", at=TODAY) is False


@pytest.mark.parametrize(
    ("day", "states"),
    [
        ("2020-01-01", "CA"),
        ("2023-01-01", "VA"),
        ("2023-07-01", "CO CT"),
        ("2023-12-31", "UT"),
        ("2024-07-01", "FL OR TX"),
        ("2024-10-01", "MT"),
        ("2025-01-01", "DE IA NE NH"),
        ("2025-01-15", "NJ"),
        ("2025-07-01", "TN"),
        ("2025-07-31", "MN"),
        ("2025-10-01", "MD"),
        ("2026-01-01", "IN KY RI"),
        ("2027-01-01", "LA OK"),
        ("2027-05-01", "AL"),
    ],
)
def test_each_state_is_in_from_the_day_its_law_is_in_force(day: str, states: str) -> None:
    start = instant(day)
    held = {row.place for row in MEMBERSHIPS if row.group == "US-STATE-LAW" and row.starts == start}
    assert held == {f"US-{state}" for state in states.split(" ")}
    for place in held:
        assert [contains("US-STATE-LAW", place, at=at) for at in (start - 1, start)] == [False, True]


def test_quebec_is_a_part_of_canada() -> None:
    assert contains("CA-QC", "CA", at=TODAY) is None
    assert contains("CA-QC", "CA-ON", at=TODAY) is contains("CA-QC", "FR", at=TODAY) is False
    assert contains("CA", "CA-QC", at=TODAY) is contains("CA-QC", "CA-QC", at=TODAY) is True


def test_places_apart_from_the_state_that_lists_them() -> None:
    assert (
        contains("HK", "CN-HK", at=TODAY) is contains("TW", "CN-TW", at=TODAY) is contains("US", "PR", at=TODAY) is True
    )
    assert contains("CN", "HK", at=TODAY) is contains("HK", "CN", at=TODAY) is contains("NL", "AW", at=TODAY) is False


def test_parts_that_may_nest_are_unknown() -> None:
    assert contains("GB-ENG", "GB-LND", at=TODAY) is None
    assert contains("GB-ENG", "FR-75C", at=TODAY) is False
    assert contains("UK", "GB-NIR", at=TODAY) is True


@pytest.mark.parametrize(
    "code",
    [
        *("", "ZZ", "UK", "EU", "gb", "GB-", "GB-LOND", "GB-\u0661", "GB-ENG\n", "EUROPE-2024", "1"),
        *("CA-PQ", "CN-91", "US-XX", "US-CAL", "FR-75", "XK-01", "ZZ-01", "ZZ-*"),
    ],
)
def test_what_is_not_a_place_is_unknown_everywhere(code: str) -> None:
    assert not known_place(code)
    assert contains("EU", code, at=TODAY) is contains("GB", code, at=TODAY) is None


def test_the_parts_are_those_of_an_independent_list() -> None:
    listed = {subdivision.code for subdivision in pycountry.subdivisions}
    assert listed == SUBDIVISIONS
    assert len(listed) > 5_000
    assert all(code.startswith(f"{country}-") and country in COUNTRIES for country in PARTS for code in PARTS[country])


def test_a_part_nobody_knows_leaves_the_country_and_what_may_be_meant_with_it() -> None:
    assert whole_of("CA-PQ") == whole_of("CA-1") == {"CA"}
    assert whole_of("CN-91") == {"CN", "HK", "MO", "TW"}
    assert whole_of("NL-ZZ") == {"NL", "AW", "CW", "SX"}
    assert not any(whole_of(code) for code in ("CA", "CA-QC", "FR-974", "ZZ-1", "", "CA-PQ\n", "CA-QUEBEC"))


@given(st.from_regex(r"[A-Z]{2}-[A-Z0-9]{1,3}", fullmatch=True), areas, times)
def test_a_part_nobody_knows_is_never_certainly_outside_of_a_part(code: str, area: str, at: int) -> None:
    """Whatever real part of the country was meant: an area it is in is not ruled out."""
    for place in whole_of(code):
        for part in PARTS.get(place, ()):
            if contains(area, part, at=at) is True:
                assert any(contains(area, each, at=at) is not False for each in whole_of(code))


def test_some_other_part_of_a_country_is_in_no_part_that_is_named() -> None:
    assert not known_place(f"CA{REST}")
    assert contains("CA", f"CA{REST}", at=TODAY) is True
    assert contains("CA-QC", f"CA{REST}", at=TODAY) is contains("US-STATE-LAW", f"US{REST}", at=TODAY) is False


@pytest.mark.parametrize(
    ("code", "advice"),
    [
        ("CA-QB", "`CA-QC`"),
        ("US-CAL", "`US-CA`"),
        ("ca-qc", "`CA-QC`"),
        ("CA-", "`CA` stands for all of it"),
        ("AX-1", "ISO 3166-2 has no parts of `AX`: write `AX`"),
        ("EUROPE-2024", ""),
        ("US-STATE-LAWS", ""),
        ("ZZ-1", ""),
    ],
)
def test_the_nearest_parts_are_named(code: str, advice: str) -> None:
    assert advice in part_advice(code)
    assert bool(advice) is bool(part_advice(code))


def test_areas_are_places_and_groups_only() -> None:
    assert all(known_area(area) for area in [*AREAS, *groups(), "GB", "XK", "US-CA"])
    assert not known_area("EUROPE-2024")
    with pytest.raises(PolicyError) as caught:
        contains("EUROPE-2024", "GB", at=TODAY)
    assert caught.value.code == "policy-unknown-area"
    assert "EEA" in caught.value.help
    with pytest.raises(PolicyError) as caught:
        contains("US-CAL", "US", at=TODAY)
    assert "`US-CA`" in caught.value.help


def test_memberships_carry_their_sources() -> None:
    held = memberships_of("FR-974", TODAY)
    assert {row.group for row in held} == {"EU", "EU-LAW", "EEA", "GDPR"}
    assert all("Art." in row.source for row in held)
    assert {row.group for row in memberships_of("US-CA", TODAY)} == {"US-STATE-LAW"}
    assert {row.group for row in memberships_of("GB", TODAY)} == {"UK", "UK-GDPR"}
    assert {row.group for row in memberships_of("GB-SCT", instant("2020-06-01"))} == {"EU-LAW", "GDPR", "UK"}
    assert memberships_of("JE", TODAY) == memberships_of("nowhere", TODAY) == ()


def test_boundaries_are_where_membership_changes() -> None:
    assert boundaries(["GB", "UK"]) == ()
    assert boundaries(["UK-GDPR", "CH"]) == (instant(TRANSITION_END),)
    assert {instant(BREXIT), instant("2013-07-01"), instant("1985-02-01")} <= set(boundaries(["EU", "CA-QC"]))
    with pytest.raises(PolicyError):
        boundaries(["EUROPE-2024"])


def test_every_row_is_well_formed() -> None:
    assert len(COUNTRIES) == 250
    for row in MEMBERSHIPS:
        assert row.group in groups()
        assert known_place(row.place)
        assert row.place not in SAME_PLACE
        assert row.source
        assert row.starts is None or row.ends is None or row.starts < row.ends
    assert not groups().keys() & COUNTRIES
    assert set(SAME_PLACE.values()) | set(PART_OF) | set(PART_OF.values()) | NESTED <= COUNTRIES
    assert all(known_place(code) for code in [*SAME_PLACE, *CARVED_OUT])
    assert {row.group for row in MEMBERSHIPS} == set(groups())


def test_rows_of_one_group_and_place_do_not_overlap() -> None:
    for first, second in combinations(sorted(MEMBERSHIPS, key=lambda row: (row.group, row.place, row.starts or 0)), 2):
        if first[:2] == second[:2]:
            assert first.ends is not None
            assert second.starts is not None
            assert first.ends <= second.starts


@given(areas, places, times)
def test_nothing_changes_between_boundaries(area: str, place: str, at: int) -> None:
    edges = boundaries([area])
    before = max((edge for edge in edges if edge <= at), default=at)
    assert contains(area, place, at=at) is contains(area, place, at=before)


@given(areas, places, times)
def test_a_part_without_a_code_of_its_own_is_wherever_its_country_is(area: str, place: str, at: int) -> None:
    if "-" in place and place not in SAME_PLACE and contains(area, country_of(place), at=at) is True:
        assert contains(area, place, at=at) is True


@given(st.text(max_size=8), st.text(max_size=8), times)
def test_any_text_is_answered_or_refused(area: str, place: str, at: int) -> None:
    if known_area(area):
        assert contains(area, place, at=at) in (True, False, None)
        return
    with pytest.raises(PolicyError):
        contains(area, place, at=at)
