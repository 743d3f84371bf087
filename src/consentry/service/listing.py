"""Lists: filtered, sorted and paged by the address, and exported as CSV or JSON from the same rows.

    LISTING = Listing(name="orders", columns=(Column("order", "Order"), Column("at", "Since", kind="time"), …))
    return LISTING.answer(request, rows, template="console/orders.html")

A row is a mapping from the names of the columns to plain values; names of no column are for the template only.
"""

from __future__ import annotations

import csv
import datetime as dt
import io
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import urlencode

from fastapi import Request
from fastapi.responses import Response

from consentry.service.site import document, form_of, page

PAGE_ROWS = 50
MOST_OPTIONS = 100
"""So many values are offered to choose from; of a column with more of them one is typed."""
Kind = Literal["text", "number", "time", "list", "state"]
Row = Mapping[str, Any]
_FORMULA = ("=", "+", "-", "@")
_LED_BY = ("\t", "\r", "\n", "\0")
_UNSEEN = frozenset({"Cc", "Cf", "Zs", "Zl", "Zp"})
"""Characters that show nothing: some programs leave them out, and read on."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column.

    Attributes:
        name: of the value in a row, and in the address.
        label: the heading; marked for translation where it is written.
        kind: how it is shown and sorted. `time` is seconds since 1970; `list` is several words.
        chosen_from: whether the list can be narrowed to one value of it.
    """

    name: str
    label: str
    kind: Kind = "text"
    chosen_from: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """One page of a list, for the macro `listing` of parts.html.

    Attributes:
        rows: what is on the page.
        total: rows after filtering; `of`: before.
        options: what each column that can be chosen from holds; `typed` are those that hold more than can be offered.
        query: what the address asks for, but for `page`.
    """

    listing: Listing
    rows: Sequence[Row]
    total: int
    of: int
    number: int
    options: Mapping[str, Sequence[str]]
    typed: frozenset[str]
    query: Mapping[str, str]
    sort: str
    descending: bool

    @property
    def pages(self) -> int:
        """The number of pages, at least one."""
        return max(1, -(-self.total // PAGE_ROWS))

    def address(self, **changed: object) -> str:
        """Return the query of an address that asks for the same, but for what is named."""
        asked = {**self.query, **{name: str(value) for name, value in changed.items()}}
        return "?" + urlencode({name: value for name, value in asked.items() if value})

    def sorted_by(self, column: str) -> str:
        """Return the query that sorts by a column; the other way round if it is sorted by it."""
        return self.address(sort=column if column != self.sort or self.descending else f"-{column}", page="")


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """A kind of list.

    Attributes:
        name: of the exported file.
        sort: a column, after `-` descending.
        keep: what else the address asks for: of what this is a list.
    """

    name: str
    columns: tuple[Column, ...]
    sort: str = ""
    keep: tuple[str, ...] = ()

    def answer(self, request: Request, rows: Iterable[Row], *, template: str, **context: Any) -> Response:
        """Return a page of the list, or all of it in the format that is asked for: `csv` or `json`."""
        every = list(rows)
        found, shown = self.select(every, dict(request.query_params))
        exported = self.export(found, form_of(request, request.query_params.get("format", "")))
        return page(request, template, listing=shown, **context) if exported is None else exported

    def export(self, rows: Iterable[Row], form: str | None) -> Response | None:
        """Return rows as a file in a format, `csv` or `json`; None for any other."""
        if form == "json":
            plain = [{column.name: row.get(column.name) for column in self.columns} for row in rows]
            return document({self.name: plain})
        if form == "csv":
            named = {"content-disposition": f'attachment; filename="{self.name}.csv"'}
            return Response(self._csv(rows), media_type="text/csv; charset=utf-8", headers=named)
        return None

    def select(self, rows: Sequence[Row], asked: Mapping[str, str]) -> tuple[list[Row], Shown]:
        """Return the rows that an address asks for, and the page of them it shows."""
        words = asked.get("q", "").casefold().split()
        found = [row for row in rows if self._fits(row, words, asked)]
        sort = asked.get("sort") or self.sort
        by, descending = sort.removeprefix("-"), sort.startswith("-")
        column = next((each for each in self.columns if each.name == by), None)
        if column is not None:
            found.sort(key=lambda row: _key(row.get(column.name)), reverse=descending)
        options = {each.name: _options(rows, each) for each in self.columns if each.chosen_from}
        pages = max(1, -(-len(found) // PAGE_ROWS))
        number = min(max(1, int(asked["page"][:9])) if asked.get("page", "")[:9].isdecimal() else 1, pages)
        names = {"q", "sort", "lang", *self.keep, *(each.name for each in self.columns if each.chosen_from)}
        shown = Shown(
            listing=self,
            rows=found[(number - 1) * PAGE_ROWS : number * PAGE_ROWS],
            total=len(found),
            of=len(rows),
            number=number,
            options=options,
            typed=frozenset(name for name, each in options.items() if len(each) > MOST_OPTIONS),
            query={name: value[:200] for name, value in asked.items() if name in names},
            sort=by,
            descending=descending,
        )
        return found, shown

    def _fits(self, row: Row, words: Sequence[str], asked: Mapping[str, str]) -> bool:
        for column in self.columns:
            wanted = asked.get(column.name) if column.chosen_from else None
            if wanted and wanted not in _texts(row.get(column.name)):
                return False
        if not words:
            return True
        text = " ".join(each for column in self.columns for each in _texts(row.get(column.name))).casefold()
        return all(word in text for word in words)

    def _csv(self, rows: Iterable[Row]) -> str:
        file = io.StringIO()
        writer = csv.writer(file)
        writer.writerow([column.name for column in self.columns])
        for row in rows:
            writer.writerow([_cell(row.get(column.name), column.kind) for column in self.columns])
        return file.getvalue()


def _texts(value: Any) -> list[str]:
    if value is None:
        return []
    return [str(each) for each in value] if isinstance(value, (list, tuple, set, frozenset)) else [str(value)]


def _options(rows: Iterable[Row], column: Column) -> list[str]:
    return sorted({text for row in rows for text in _texts(row.get(column.name))})


def _key(value: Any) -> tuple[int, float, str]:
    """Nothing first, then numbers, then texts."""
    if value is None:
        return (0, 0, "")
    if isinstance(value, (int, float)):
        return (1, value, "")
    return (2, 0, " ".join(_texts(value)).casefold())


def _cell(value: Any, kind: Kind) -> str:
    """Return a value for CSV. What a spreadsheet would take for a formula is made a text (OWASP, CSV injection)."""
    if value is None:
        return ""
    if kind == "time":
        return dt.datetime.fromtimestamp(value, dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    text = " ".join(_texts(value))
    return f"'{text}" if not isinstance(value, (int, float)) and _is_formula(text) else text


def _is_formula(text: str) -> bool:
    seen = next((each for each in text if unicodedata.category(each) not in _UNSEEN), "")
    # Some programs take the wide and the small forms of a sign for the sign.
    return text.startswith(_LED_BY) or unicodedata.normalize("NFKC", seen).startswith(_FORMULA)
