"""One people table, whichever way the platform gives it: Parquet, CSV, JSON lines, a query. No items are needed."""

from __future__ import annotations

import csv
import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from end_to_end.terminal import Terminal
from end_to_end.terminal import terminal as terminal  # noqa: PLC0414 - a fixture

COLUMNS = ("key", "land", "born", "status", "main")
ROWS: list[dict[str, Any]] = [
    {"key": "ada", "land": "GB", "born": 1990, "status": "on", "main": None},
    {"key": "bö", "land": "Deutschland", "born": 2015, "status": "off", "main": None},
    {"key": "ada@work", "land": None, "born": None, "status": "odd", "main": "ada"},
    {"key": "zoë, of Narnia", "land": "Narnia", "born": 1980, "status": None, "main": None},
]
REPORT = {
    "rows": 4,
    "nulls": 0,
    "unresolved": 2,
    "unknown_ages": 1,
    "implausible_years": 0,
    "unknown_accounts": 2,
    "linked": 1,
    "unknown_words": {"account": {"odd": 1}},
}
DESCRIPTOR = """\
[people]
files = ["FILE"]
[columns]
person = "key"
country = "land"
birth_year = "born"
account = "status"
same_as = "main"
[accounts]
on = "active"
off = "closed"
"""


def descriptor(folder: Path, file: str) -> Path:
    path = folder / "people.toml"
    path.write_text(DESCRIPTOR.replace("FILE", file), "utf-8")
    return path


def as_parquet(folder: Path) -> tuple[Any, ...]:
    pq.write_table(pa.Table.from_pylist(ROWS), folder / "p.parquet")
    return (descriptor(folder, "p.parquet"),)


def as_delimited(folder: Path, name: str, delimiter: str) -> tuple[Any, ...]:
    with (folder / name).open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, COLUMNS, delimiter=delimiter)
        writer.writeheader()
        writer.writerows(ROWS)
    return (descriptor(folder, name),)


def as_csv(folder: Path) -> tuple[Any, ...]:
    return as_delimited(folder, "p.csv", ",")


def as_tsv(folder: Path) -> tuple[Any, ...]:
    return as_delimited(folder, "p.tsv", "\t")


def as_json_lines(folder: Path) -> tuple[Any, ...]:
    (folder / "p.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS), "utf-8")
    return (descriptor(folder, "p.jsonl"),)


def as_query(folder: Path) -> tuple[Any, ...]:
    with closing(sqlite3.connect(folder / "platform.db")) as database, database:
        database.execute("CREATE TABLE member (key TEXT, land TEXT, born INTEGER, status TEXT, main TEXT, secret TEXT)")
        insert = "INSERT INTO member VALUES (:key, :land, :born, :status, :main, 'unread')"
        database.executemany(insert, ROWS)
    url = f"sqlite:///{folder / 'platform.db'}"
    query = "SELECT * FROM member ORDER BY rowid"
    return (descriptor(folder, "no such file.csv"), "--url", url, "--query", query)


FORMS: list[Callable[[Path], tuple[Any, ...]]] = [as_csv, as_tsv, as_json_lines, as_query]


@pytest.mark.parametrize("form", FORMS)
def test_a_table_means_the_same_in_every_form(terminal: Terminal, form: Callable[[Path], tuple[Any, ...]]) -> None:
    first = terminal.run("people", "load", *as_parquet(terminal.folder))
    assert REPORT.items() <= first.items()
    again = terminal.run("people", "load", *form(terminal.folder))
    assert again == {**first, "new": 0}, "the same snapshot, and nobody got a second seat"
    assert terminal.run("people", "show")["by_place"] == {"unresolved": 3, "DE": 1}


def test_nothing_of_a_table_is_kept_as_it_came(terminal: Terminal) -> None:
    terminal.run("people", "load", *as_csv(terminal.folder))
    kept = [path for path in terminal.home.rglob("*") if path.is_file()]
    assert kept
    assert [path.name for path in kept if b"Narnia" in path.read_bytes() or b"ada@work" in path.read_bytes()] == []


def test_a_refusal_finds_the_person_that_a_csv_named(terminal: Terminal) -> None:
    terminal.run("people", "load", *as_csv(terminal.folder))
    terminal.run("policy", "publish", "opt-in-only")
    terminal.run("choice", "record", "ada", "refused")
    answer = terminal.run("may", "ada@work", "--policy", "opt-in-only", "--category", "post", status=3)
    assert (answer["allowed"], answer["reasons"][0]["reason"]) == (False, "refused")


@pytest.mark.parametrize(
    ("row", "code"),
    [
        ("x,GB,nineteen,on,", "people-bad-row"),
        ("x,GB,1990,on", "people-bad-row"),
        ("ada,GB,1990,on,", "people-duplicate-id"),
    ],
)
def test_a_row_that_cannot_be_used_changes_nothing(terminal: Terminal, row: str, code: str) -> None:
    words = as_csv(terminal.folder)
    terminal.run("people", "load", *words)
    with (terminal.folder / "p.csv").open("a", encoding="utf-8") as stream:
        stream.write(row + "\n")
    error = terminal.fails(code, "people", "load", *words)
    if code == "people-bad-row":
        assert error["where"].endswith("p.csv:6")
    assert terminal.run("people", "show")["by_place"] == {"unresolved": 3, "DE": 1}


def test_a_repeated_id_is_told_by_its_file_and_both_rows(terminal: Terminal) -> None:
    folder = terminal.folder
    path = descriptor(folder, "*.csv")
    (folder / "a.csv").write_text('key,land,born,status,main\n"two\nlines",GB,1990,on,\nz,GB,1990,on,\n', "utf-8")
    (folder / "b.csv").write_text("key,land,born,status,main\ny,GB,1990,on,\nz,GB,1990,on,\n", "utf-8")
    error = terminal.fails("people-duplicate-id", "people", "load", path)
    assert error["where"].endswith("b.csv:3")
    assert "1 row repeats an id in the people table, for example in row 4, as in row 2 (`" in error["message"]
    assert error["message"].endswith("a.csv:4`)")


ODD = "key,land,born,status,main\na,GB,1990,on,\n,GB,1990,on,\nc,GB,1899,on,\nd,GB,3000,on,\n"


def test_a_cell_that_means_nothing_is_told_by_row_column_and_value(terminal: Terminal) -> None:
    path, file = descriptor(terminal.folder, "p.csv"), terminal.folder / "p.csv"
    file.write_text(f"{ODD}e,GB,1980-13-45,on,\n", "utf-8")
    error = terminal.fails("people-bad-row", "people", "load", path)
    assert error["where"].endswith("p.csv:6")
    assert error["message"] == "column `born` holds `1980-13-45`, which is no year of birth"
    file.write_text(ODD, "utf-8")
    said = terminal.run("people", "load", path, as_json=False)
    assert "p.csv:3: column `key` holds nothing, which is no id: the row is left out\n" in said
    assert "p.csv:4: column `born` holds `1899`, which is no year of birth: age unknown\n" in said
    assert "p.csv:5: column `born` holds `3000`, which is no year of birth: age unknown\n" in said
    rows = list(csv.DictReader(f"{ODD}e,GB,1980-13-45,on,\n".splitlines()))
    pq.write_table(
        pa.Table.from_pylist([{**row, "key": row["key"] or None} for row in rows]), file.with_suffix(".parquet")
    )
    found = terminal.run("people", "load", descriptor(terminal.folder, "p.parquet"))["odd_rows"]
    assert [(each["where"][-1], each["column"], each["value"]) for each in found] == [
        ("2", "key", None),
        *(("3", "born", "1899"), ("4", "born", "3000"), ("5", "born", "1980-13-45")),
    ]


def test_links_that_a_table_no_longer_holds_are_told(terminal: Terminal) -> None:
    words = as_csv(terminal.folder)
    assert terminal.run("people", "load", *words)["links_gone"] == 0
    path = terminal.folder / "people.toml"
    text = path.read_text("utf-8")
    path.write_text(text.replace('same_as = "main"\n', ""), "utf-8")
    said = terminal.run("people", "load", *words, as_json=False)
    assert (
        "1 link is gone that joined accounts before: what one account refused no longer covers the other"
        in " ".join(said.split())
    )
    assert terminal.run("people", "load", *words)["links_gone"] == 0, "they were gone before"
    path.write_text(text, "utf-8")
    terminal.run("people", "load", *words)
    terminal.run("people", "link", "ada", "ada@work")
    path.write_text(text.replace('same_as = "main"\n', ""), "utf-8")
    assert terminal.run("people", "load", *words)["links_gone"] == 0, "the ledger holds it as well"


def test_a_column_that_no_row_has_is_refused(terminal: Terminal) -> None:
    words = as_csv(terminal.folder)
    path = terminal.folder / "people.toml"
    path.write_text(path.read_text("utf-8").replace('"main"', '"main_account"'), "utf-8")
    assert "main_account" in terminal.fails("people-missing-column", "people", "load", *words)["message"]


def test_who_gives_a_query_need_not_name_files(terminal: Terminal) -> None:
    path, *words = as_query(terminal.folder)
    text = path.read_text("utf-8")
    assert text.count('files = ["no such file.csv"]\n') == 1
    path.write_text(text.replace('files = ["no such file.csv"]\n', ""), "utf-8")
    assert REPORT.items() <= terminal.run("people", "load", path, *words).items()
    assert "people.toml" in terminal.fails("descriptor-missing-key", "people", "load", path)["where"]
    items = terminal.folder / "corpus.toml"
    items.write_text(
        '[corpus]\nname = "n"\n\n[columns]\nitem = "key"\nauthor = "main"\n\n[constants]\ncategory = "post"\n'
    )
    query = ("--query", words[-1], "--people-query", words[-1], "--people", path)
    made = terminal.run("import", "tabular", items, terminal.folder / "content", *words[:2], *query)
    assert made == {"items": len(ROWS), "people": len(ROWS)}
    assert terminal.run("corpus", "register", terminal.folder / "content" / "corpus.toml")["items"] == len(ROWS)


def test_a_query_that_fails_and_options_that_do_not_go_together(terminal: Terminal) -> None:
    path, _, url, _, _ = as_query(terminal.folder)
    terminal.fails("people-query-failed", "people", "load", path, "--url", url, "--query", "SELECT nothing")
    terminal.run("people", "load", path, "--url", url, status=2)
    terminal.run("people", "load", path, "--query", "SELECT 1", status=2)
    terminal.run("people", "load", path, "--url", url, "--query", "DELETE FROM member", status=1)
    with closing(sqlite3.connect(terminal.folder / "platform.db")) as database:
        assert database.execute("SELECT count(*) FROM member").fetchone() == (len(ROWS),)


def test_an_empty_id_is_counted_whatever_the_form(terminal: Terminal) -> None:
    rows = [*ROWS, {**ROWS[0], "key": None}]
    pq.write_table(pa.Table.from_pylist(rows), terminal.folder / "p.parquet")
    first = terminal.run("people", "load", descriptor(terminal.folder, "p.parquet"))
    (terminal.folder / "p.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    again = terminal.run("people", "load", descriptor(terminal.folder, "p.jsonl"))
    assert first["nulls"] == again["nulls"] == 1
    assert again["snapshot"] == first["snapshot"]
