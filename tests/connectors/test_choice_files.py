from __future__ import annotations

import json
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from consentry.connectors.tabular.choices import ChoiceRow, read_choices
from consentry.errors import ChoiceError
from consentry.ledger.events import Source
from consentry.policy.vocabulary import Category, ChoiceState, Purpose, Reach

HEAD = "person,purpose,state,reach,categories,items,at,source\n"
GOOD = "7,train-genai,refused,everything,post;comment,,2024-09-20T10:00:00+02:00,form\n"
AT = int(datetime(2024, 9, 20, 8, tzinfo=UTC).timestamp())


def written(tmp_path: Path, rows: str) -> Path:
    path = tmp_path / "choices.csv"
    path.write_text(HEAD + rows)
    return path


def test_choices_are_read_from_csv(tmp_path: Path) -> None:
    full, short = read_choices(written(tmp_path, GOOD + "8,serve,allowed,,,i1;i2,1726819200,\n"))
    assert full == ChoiceRow(
        person="7",
        purpose=Purpose.TRAIN_GENAI,
        state=ChoiceState.REFUSED,
        reach=Reach.EVERYTHING,
        categories=frozenset({Category.POST, Category.COMMENT}),
        items=frozenset(),
        at=AT,
        source=Source.FORM,
        notice=None,
        where=f"{tmp_path / 'choices.csv'}:2",
    )
    assert (short.reach, short.source, short.items, short.at) == (
        Reach.UNTRAINED,
        Source.IMPORT,
        frozenset({"i1", "i2"}),
        AT,
    )


def test_json_lines_and_parquet_say_the_same(tmp_path: Path) -> None:
    row: dict[str, Any] = {
        "person": 7,
        "purpose": "train-genai",
        "state": "refused",
        "reach": "everything",
        "categories": ["comment", "post"],
        "items": None,
        "source": "form",
    }
    (tmp_path / "c.jsonl").write_text(json.dumps(row | {"at": "2024-09-20T08:00:00.999Z"}))
    moment = datetime(2024, 9, 20, 8, 0, 0, 999_999, tzinfo=UTC)
    columns = {name: [value] for name, value in row.items()}
    table = pa.table(columns | {"at": pa.array([moment], pa.timestamp("ns", tz="UTC"))})
    pq.write_table(table, tmp_path / "c.parquet")
    (from_csv,) = read_choices(written(tmp_path, GOOD))
    for file in ("c.jsonl", "c.parquet"):
        (found,) = read_choices(tmp_path / file)
        assert {name: getattr(found, name) for name in found.__slots__ if name != "where"} == {
            name: getattr(from_csv, name) for name in from_csv.__slots__ if name != "where"
        }


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        ("7,", ",", "choice-missing-value"),
        ("train-genai", "", "choice-missing-value"),
        ("train-genai", "train-genia", "choice-unknown-purpose"),
        ("refused", "refuse", "choice-unknown-state"),
        ("everything", "all", "choice-unknown-reach"),
        ("post;", "pots;", "choice-unknown-category"),
        ("post;", "unknown;", "choice-unknown-category"),
        ("post;", ";", "choice-bad-row"),
        ("form", "fax", "choice-unknown-source"),
        ("2024-09-20T10:00:00+02:00", "", "choice-missing-value"),
        ("2024-09-20T10:00:00+02:00", "2024-09-20T10:00:00", "choice-bad-time"),
        ("2024-09-20T10:00:00+02:00", "2024-09-20", "choice-bad-time"),
        ("2024-09-20T10:00:00+02:00", "20 September", "choice-bad-time"),
        ("2024-09-20T10:00:00+02:00", "1726819200000000", "choice-bad-time"),
        (",form", ",form,more", "choice-bad-row"),
        ("post;comment", '"[post"', "choice-bad-row"),
    ],
)
def test_a_choice_that_cannot_be_used_is_refused_with_its_line(tmp_path: Path, old: str, new: str, code: str) -> None:
    assert GOOD.count(old) == 1
    path = written(tmp_path, GOOD + GOOD.replace(old, new))
    with pytest.raises(ChoiceError) as caught:
        list(read_choices(path))
    assert (caught.value.code, caught.value.where) == (code, f"{path}:3")
    assert caught.value.help


def test_a_column_nobody_knows_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "c.csv"
    path.write_text("person,purpose,state,at,raech\n7,serve,refused,2024-09-20T10:00:00Z,everything\n")
    with pytest.raises(ChoiceError) as caught:
        list(read_choices(path))
    assert (caught.value.code, caught.value.where) == ("choice-unknown-column", f"{path}:1")
    assert "`reach`" in caught.value.help


def test_a_column_that_is_missing_is_named_with_the_line_of_the_header(tmp_path: Path) -> None:
    path = tmp_path / "c.csv"
    path.write_text("person,state,at\n7,refused,2024-09-20T10:00:00Z\n")
    with pytest.raises(ChoiceError, match="no column `purpose`") as caught:
        list(read_choices(path))
    assert (caught.value.code, caught.value.where) == ("choice-missing-value", f"{path}:1")


def test_the_line_that_is_not_utf8_is_named(tmp_path: Path) -> None:
    path = tmp_path / "c.csv"
    good = b"7,serve,refused,2024-09-20T10:00:00Z\n"
    path.write_bytes(b"person,purpose,state,at\n" + good + good.replace(b"7,", b"\xff,") + good)
    with pytest.raises(ChoiceError) as caught:
        list(read_choices(path))
    assert (caught.value.code, caught.value.where) == ("choice-bad-encoding", f"{path}:3")


@pytest.mark.parametrize("column", ["purpose", "state", "reach", "source"])
@pytest.mark.parametrize("value", ['["x"]', '{"a": 1}', "7"])
def test_a_word_that_is_no_text_is_refused_with_its_line(tmp_path: Path, column: str, value: str) -> None:
    words = {"person": '"7"', "purpose": '"serve"', "state": '"refused"', "at": "1", column: value}
    path = tmp_path / "c.jsonl"
    path.write_text("{" + ", ".join(f'"{name}": {said}' for name, said in words.items()) + "}\n")
    with pytest.raises(ChoiceError) as caught:
        list(read_choices(path))
    assert (caught.value.code, caught.value.where) == (f"choice-unknown-{column}", f"{path}:1")


def test_a_day_is_no_time_for_a_choice(tmp_path: Path) -> None:
    table = pa.table({"person": ["7"], "purpose": ["serve"], "state": ["refused"], "at": [date(2024, 9, 20)]})
    pq.write_table(table, tmp_path / "c.parquet")
    with pytest.raises(ChoiceError) as caught:
        list(read_choices(tmp_path / "c.parquet"))
    assert caught.value.code == "choice-bad-time"


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ChoiceError) as caught:
        list(read_choices(tmp_path / "nowhere.csv"))
    assert caught.value.code == "choice-no-file"
