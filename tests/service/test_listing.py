"""Lists: what an address asks for is what is shown and exported."""

from __future__ import annotations

import csv
import io
import time

from hypothesis import given
from hypothesis import strategies as st

from consentry.service.listing import MOST_OPTIONS, PAGE_ROWS, Column, Listing, _cell
from consentry.service.site import coded
from service.staff import Office
from service.visitor import words

LISTING = Listing(
    name="orders",
    columns=(
        Column("order", "Order"),
        Column("state", "State", kind="state", chosen_from=True),
        Column("areas", "Where", kind="list", chosen_from=True),
        Column("items", "Items", kind="number"),
        Column("at", "Since", kind="time"),
    ),
    sort="-at",
)
ROWS = [
    {"order": f"o-{n}", "state": "in force" if n % 2 else "lifted", "areas": ["UK", "EU"][: n % 3], "items": n, "at": n}
    for n in range(120)
]


def test_pages_and_order() -> None:
    found, shown = LISTING.select(ROWS, {})
    assert [row["at"] for row in found] == list(range(119, -1, -1))
    assert (shown.total, shown.of, shown.pages, shown.number) == (120, 120, 3, 1)
    assert len(shown.rows) == PAGE_ROWS
    assert LISTING.select(ROWS, {"page": "3"})[1].rows[-1]["order"] == "o-0"
    assert LISTING.select(ROWS, {"page": "99"})[1].number == 3
    assert LISTING.select(ROWS, {"page": "-1"})[1].number == 1
    assert LISTING.select([], {"page": "2"})[1].number == 1


def test_filters_and_search() -> None:
    assert {row["state"] for row in LISTING.select(ROWS, {"state": "lifted"})[0]} == {"lifted"}
    assert all("EU" in row["areas"] for row in LISTING.select(ROWS, {"areas": "EU"})[0])
    assert [row["order"] for row in LISTING.select(ROWS, {"q": "O-7 lifted", "sort": "order"})[0]] == [
        "o-70",
        "o-72",
        "o-74",
        "o-76",
        "o-78",
    ]
    assert LISTING.select(ROWS, {"items": "3"})[1].total == 120, "not a column to choose from"


def test_sorting_turns_round() -> None:
    shown = LISTING.select(ROWS, {"sort": "items", "q": "o"})[1]
    assert shown.sorted_by("items") == "?sort=-items&q=o"
    assert shown.sorted_by("order") == "?sort=order&q=o"
    assert LISTING.select(ROWS, {"sort": "-items"})[1].sorted_by("items") == "?sort=items"


def test_a_spreadsheet_runs_nothing() -> None:
    rows = [{"order": "=HYPERLINK(1)", "items": -5, "areas": ["+1"]}]
    (cells,) = list(csv.reader(io.StringIO(LISTING._csv(rows))))[1:]
    assert cells == ["'=HYPERLINK(1)", "", "'+1", "-5", ""]
    for begins in "=+-@\t\r\n\0":
        (cells,) = list(csv.reader(io.StringIO(LISTING._csv([{"order": f"{begins}1"}]), newline="")))[1:]
        assert cells[0] == f"'{begins}1"
    for begins in (*"＝＋－＠﹦﹢", "\u200b=", "\ufeff＝", "\u202e@", " =", "\u00a0+", "\u200b \u2060-"):
        assert _cell(f"{begins}1", "text") == f"'{begins}1"
    for harmless in ("1=1", "é", "\u200b", "", "\u200bx", "＃1"):
        assert _cell(harmless, "text") == harmless


@given(st.dictionaries(st.sampled_from(["q", "sort", "page", "state", "areas", "x"]), st.text(max_size=20)))
def test_no_address_breaks_a_list(asked: dict[str, str]) -> None:
    found, shown = LISTING.select(ROWS, asked)
    assert 1 <= shown.number <= shown.pages
    assert len(found) == shown.total <= shown.of
    assert shown.address(page=2).startswith("?")


def test_code_in_a_line_is_marked_and_nothing_else_is_markup() -> None:
    assert coded("rule `a<b>` -> <i>") == "rule <code>a&lt;b&gt;</code> → &lt;i&gt;"
    assert coded("one ` alone") == "one ` alone"


def test_a_list_of_ten_thousand_rows_is_quick() -> None:
    listing = Listing(name="rows", columns=(Column("name", "Name"), Column("at", "At", kind="time")), sort="-at")
    rows = [{"name": f"row {number}", "at": number} for number in range(10_000)]
    started = time.monotonic()
    found, shown = listing.select(rows, {"q": "row 99", "page": "2"})
    assert time.monotonic() - started < 1
    assert (len(found), shown.total, len(shown.rows)) == (280, 280, 50)


def test_an_empty_list_can_be_taken_away_too(empty: Office) -> None:
    text = empty.visitor("olga").get("/console/cases").text
    for form in ("csv", "json"):
        assert f'<a href="?format={form}">' in text
    assert empty.visitor("olga").get("/console/cases?format=json").json() == {"cases": []}


def test_of_more_values_than_can_be_offered_one_is_typed(empty: Office) -> None:
    rows = [{"order": "o", "state": str(number)} for number in range(MOST_OPTIONS + 1)]
    found, shown = LISTING.select(rows, {"state": "7"})
    assert (sorted(shown.typed), len(found)) == (["state"], 1)
    assert LISTING.select(rows[1:], {})[1].typed == frozenset()
    control = empty.deployment.control
    for number in range(MOST_OPTIONS + 1):
        control.cases.open(f"case-{number}", title="Posts", reference="letter", by="olga")
        control.reports.schedule(f"case-{number}", "first", title="What was done", due=number, by="olga")
    page = empty.visitor("olga").get("/console/reports?case=case-7")
    assert '<input id="by-case" name="case" value="case-7"' in page.text
    assert "· 1 row" in words(page)
    assert '<select id="by-case"' not in page.text
    one = empty.visitor("olga").get("/console/suspend")
    assert f"and {MOST_OPTIONS + 1 - 20} more" in words(one)
