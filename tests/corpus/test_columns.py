"""Columns become small integers; what cannot be known is a gap, and is counted."""

# ruff: noqa: DTZ001 - times without a zone are what this is about

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from consentry.corpus.columns import UNKNOWN_DATE, coded, created_seconds, involvement, single, words, years
from consentry.corpus.item_classes import MAX_CLASSES, ItemClasses
from consentry.errors import CorpusError
from consentry.policy.vocabulary import CATEGORIES, VISIBILITIES


def seconds(array: pa.Array, zone: str | None = None) -> tuple[list[int | None], int]:
    found, strange = created_seconds(array, zone=zone, column="made", filename="f")
    return [None if each == UNKNOWN_DATE else int(each) for each in found], strange


@given(
    st.lists(st.none() | st.datetimes(datetime(1900, 1, 1), datetime(2200, 1, 1))),
    st.sampled_from(["s", "ms", "us", "ns"]),
)
def test_times_are_whole_seconds_rounded_down(times: list[datetime | None], unit: str) -> None:
    known = [None if each is None else each.replace(tzinfo=UTC) for each in times]
    limit = 2**32 - 2
    expected = [
        None if each is None or not 0 <= each.timestamp() < limit + 1 else int(each.timestamp() // 1) for each in known
    ]
    array = pa.array(known, pa.timestamp("us", "Europe/Paris")).cast(pa.timestamp(unit, "Asia/Tokyo"), safe=False)
    found, strange = seconds(array)
    assert found == expected
    assert strange == sum(1 for each, is_known in zip(expected, known, strict=True) if each is None and is_known)


def test_times_without_a_zone_are_in_the_zone_named() -> None:
    wall = datetime(2024, 7, 1, 12)
    array = pa.array([wall, None], pa.timestamp("ms"))
    assert seconds(array, "UTC")[0] == [int(wall.replace(tzinfo=UTC).timestamp()), None]
    local = wall.replace(tzinfo=ZoneInfo("Europe/London"))
    assert seconds(array, "Europe/London")[0] == [int(local.timestamp()), None]
    with pytest.raises(CorpusError, match="corpus-time-without-zone"):
        seconds(array)


def test_an_hour_that_is_twice_or_never_counts_as_the_later() -> None:
    twice, never = datetime(2024, 10, 27, 1, 30), datetime(2024, 3, 31, 1, 30)
    found, strange = seconds(pa.array([twice, never], pa.timestamp("s")), "Europe/London")
    assert found == [int(twice.replace(tzinfo=UTC).timestamp()), int(datetime(2024, 3, 31, 1, tzinfo=UTC).timestamp())]
    assert strange == 0


def test_a_day_counts_to_its_end() -> None:
    assert seconds(pa.array([0, 1, None, -1], pa.date32())) == ([86_399, 172_799, None, None], 1)
    assert seconds(pa.array([0, 86_400_000], pa.date64())) == ([86_399, 172_799], 0)


@pytest.mark.parametrize("kind", [pa.int32(), pa.int64(), pa.uint32(), pa.uint64(), pa.int16()])
def test_numbers_are_seconds(kind: pa.DataType) -> None:
    assert seconds(pa.array([0, 77, None], kind)) == ([0, 77, None], 0)


def test_numbers_out_of_range_are_unknown_and_counted() -> None:
    assert seconds(pa.array([2**64 - 1, 2**63, 2**32 - 1, 2**32 - 2], pa.uint64())) == ([None] * 3 + [2**32 - 2], 3)
    assert seconds(pa.array([-1, -(2**63)], pa.int64())) == ([None, None], 2)


def test_text_is_no_time() -> None:
    with pytest.raises(CorpusError, match="corpus-wrong-type"):
        seconds(pa.array(["2024-01-01"]))


WORDS = st.lists(st.none() | st.sampled_from(["post", "POST", "pic", "Pic", "", "Ünbekannt"]), max_size=20)


@given(
    WORDS, st.sampled_from([pa.string(), pa.large_string(), pa.dictionary(pa.int8(), pa.string()), pa.string_view()])
)
def test_words_are_coded_and_strange_ones_counted(values: list[str | None], kind: pa.DataType) -> None:
    found = words(single(pa.array(values, kind)))
    assert [(*found.words, None)[code] for code in found.codes] == values
    codes, strange = coded(found, {"post": 1, "pic": 5}, own=["post"])
    known = {"post": 1, "POST": 1, "pic": 5}
    assert codes.tolist() == [known.get(each or "-", 0) for each in values]
    assert strange == {each: values.count(each) for each in {*values} if each is not None and each not in known}


def test_what_a_platform_says_of_one_of_our_words_holds_in_any_case() -> None:
    found = words(pa.array(["post", "Post", "POST"]))
    assert coded(found, {"post": 7, "POST": 3}, own=["post"])[0].tolist() == [7, 7, 3]


DAYS = [date(1985, 4, 1), None, date(2001, 12, 31)]


@pytest.mark.parametrize(
    "array",
    [
        pa.array([1985, None, 2001], pa.int32()),
        pa.array(DAYS, pa.date32()),
        pa.array(DAYS, pa.date64()),
        pa.array(DAYS, pa.date32()).cast(pa.timestamp("us")),
        pa.array(["1985", None, "2001"]),
        pa.array(["1985-04-01", " ", "2001-12-31 10:00"]),
        pa.array(["1985-04-01T00:00:00Z", "", " 2001-12-31 "], pa.large_string()),
        pa.array(["1985-04-01", None, "2001-12-31"]).dictionary_encode(),
    ],
)
def test_the_year_of_a_birth(array: pa.Array) -> None:
    assert years(array).to_pylist() == [1985, None, 2001]


NO_DATES = ("1985-13-45", "1985-02-30", "0000-01-01")


@pytest.mark.parametrize(
    "text", [*NO_DATES, "01.04.1985", "85", "04/01/1985", "1985-4", "about 1985", "198504", "-1985"]
)
def test_what_is_no_year_of_birth(text: str) -> None:
    assert years(pa.array([text])).to_pylist() == [0]


IDS = st.none() | st.sampled_from(["a", "b", ""])


@given(st.lists(st.none() | st.lists(IDS, max_size=3), max_size=12), st.integers(0, 5), st.booleans())
def test_lists_of_involved_people(lists: list[list[str | None] | None], skip: int, large: bool) -> None:
    kind = pa.large_list(pa.string()) if large else pa.list_(pa.string())
    array = pa.array(lists, kind).slice(skip)  # a batch may begin inside a buffer
    found = involvement(array, (), column="c", filename="f")
    expected = [(row, each) for row, some in enumerate(lists[skip:]) for each in some or []]
    assert list(zip(found.rows.tolist(), found.ids.to_pylist(), strict=True)) == expected


@given(st.lists(st.none() | st.lists(st.none() | st.fixed_dictionaries({"id": IDS}), max_size=3), max_size=8))
def test_lists_of_structs(lists: list[list[dict[str, Any] | None] | None]) -> None:
    array = pa.array(lists, pa.list_(pa.struct([("id", pa.string())])))
    found = involvement(array, ("id",), column="c", filename="f")
    expected = [(row, each and each["id"]) for row, some in enumerate(lists) for each in some or []]
    assert list(zip(found.rows.tolist(), found.ids.to_pylist(), strict=True)) == expected


def test_a_single_involved_person_and_a_path_that_leads_nowhere() -> None:
    found = involvement(pa.array([3, None, 4]), (), column="c", filename="f")
    assert (found.rows.tolist(), found.ids.to_pylist()) == ([0, 2], [3, 4])
    with pytest.raises(CorpusError, match="corpus-missing-column"):
        involvement(pa.array([[{"id": "a"}]]), ("name",), column="c", filename="f")


KIND = st.tuples(
    st.integers(0, len(CATEGORIES) - 1), st.integers(0, len(VISIBILITIES) - 1), st.sampled_from(["", "cc", "x"])
)


@given(st.lists(st.lists(KIND, max_size=10), max_size=4))
def test_item_classes_keep_their_codes(batches: list[list[tuple[int, int, str]]]) -> None:
    classes = ItemClasses()
    before: tuple[object, ...] = ()
    for batch in batches:
        category = np.array([each[0] for each in batch], dtype=np.uint8)
        visibility = np.array([each[1] for each in batch], dtype=np.uint8)
        licence = words(pa.array([each[2] or None for each in batch], pa.string()))
        codes = classes.encode(category, visibility, licence=licence)
        members = classes.members
        found = [members[code] for code in codes.tolist()]
        assert [(each.category, each.visibility, each.licence) for each in found] == [
            (CATEGORIES[c], VISIBILITIES[v], text) for c, v, text in batch
        ]
        assert members[: len(before)] == before
        assert len(set(members)) == len(members)
        before = members


def test_item_classes_are_read_back_as_they_were_written(tmp_path: Any) -> None:
    classes = ItemClasses()
    assert ItemClasses.load(tmp_path / "none.json").members == ()
    classes.encode(np.array([1, 2], np.uint8), np.array([0, 1], np.uint8), licence=None)
    classes.save(tmp_path / "c.json")
    assert ItemClasses.load(tmp_path / "c.json").members == classes.members
    again = ItemClasses.load(tmp_path / "c.json")
    assert again.encode(np.array([2], np.uint8), np.array([1], np.uint8), licence=None).tolist() == [1]


def test_free_text_is_no_licence() -> None:
    licence = words(pa.array([f"text {number}" for number in range(MAX_CLASSES + 1)]))
    zeros = np.zeros(MAX_CLASSES + 1, dtype=np.uint8)
    with pytest.raises(CorpusError, match="corpus-too-many-classes"):
        ItemClasses().encode(zeros, zeros, licence=licence)
