from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote
from uuid import UUID

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from consentry.connectors.tabular import values
from consentry.connectors.tabular.convert import Files, Query, convert
from consentry.corpus.descriptor import CorpusDescriptor, check_schema, parse_corpus, parse_people
from consentry.errors import CorpusError, InputError, PeopleError
from ledger.conftest import postgres_url as postgres_url  # noqa: PLC0414 - a fixture
from skips import NOT_LINUX

CORPUS = """\
[corpus]
name = "network"
files = ["FILE"]
[columns]
item = "id"
author = "by"
involves = "with"
created = "at"
text = "words"
[constants]
category = "post"
[created]
zone = "Europe/Paris"
"""

PEOPLE = """\
[people]
files = ["FILE"]
[columns]
person = "id"
country = "land"
birth_year = "born"
"""

CSV = '''\
id,by,with,at,words,left_behind
1,7,8;9,2024-07-01T12:00:00,"two
lines, and ""quotes""",x
2,,,2024-07-01T12:00:00Z,,x

3,007,"[""a;b"", null]",2024-07-01,é,x
'''


def corpus(file: str) -> CorpusDescriptor:
    return parse_corpus(CORPUS.replace("FILE", file))


def converted(tmp_path: Path, file: str, content: str | bytes) -> list[dict[str, Any]]:
    (tmp_path / file).write_bytes(content.encode() if isinstance(content, str) else content)
    convert(tmp_path / "out", corpus=corpus(file), items=Files(tmp_path))
    return items(tmp_path / "out")


def items(folder: Path) -> list[dict[str, Any]]:
    written = parse_corpus((folder / "corpus.toml").read_text())
    rows = []
    for path in sorted((folder / "items").iterdir()):
        check_schema(written, pq.read_schema(path), filename=path.name)
        rows += pq.read_table(path).to_pylist()
    return rows


def refused(tmp_path: Path, file: str, content: str | bytes) -> InputError:
    with pytest.raises(InputError) as caught:
        converted(tmp_path, file, content)
    assert [path.name for path in tmp_path.iterdir()] == [file], "a refused table must leave nothing behind"
    assert caught.value.help
    return caught.value


def test_csv_becomes_a_corpus(tmp_path: Path) -> None:
    noon = datetime(2024, 7, 1, 12, tzinfo=UTC)
    midnight = datetime(2024, 7, 1, 23, 59, 59, tzinfo=UTC)
    assert converted(tmp_path, "a.csv", "\ufeff" + CSV) == [
        {"id": "1", "by": "7", "with": ["8", "9"], "at": noon.replace(hour=10), "words": 'two\nlines, and "quotes"'},
        {"id": "2", "by": None, "with": [], "at": noon, "words": None},
        {"id": "3", "by": "007", "with": ["a;b", None], "at": midnight, "words": "é"},
    ]


def test_json_lines_become_a_corpus_and_paths_are_followed(tmp_path: Path) -> None:
    lines = [
        {"id": 1, "by": 7, "with": [{"id": 8, "name": "x"}, {"id": None}, None], "at": 1_700_000_000},
        {"id": "2", "by": None, "at": None, "words": "w"},
    ]
    (tmp_path / "a.jsonl").write_text("\n".join(map(json.dumps, lines)))
    descriptor = parse_corpus(CORPUS.replace("FILE", "a.jsonl").replace('"with"', '"with.id"'))
    convert(tmp_path / "out", corpus=descriptor, items=Files(tmp_path))
    first, second = items(tmp_path / "out")
    assert (first["id"], first["by"], first["with"]) == ("1", "7", ["8", None, None])
    assert first["at"] == datetime.fromtimestamp(1_700_000_000, tz=UTC)
    assert second == {"id": "2", "by": None, "with": [], "at": None, "words": "w"}


def database(path: Path, rows: int) -> str:
    url = f"sqlite:///{path}"
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE posts (id INTEGER, by TEXT, at TEXT, words TEXT)")
        insert = "INSERT INTO posts VALUES (?, ?, '2024-07-01T12:00:00Z', ?)"
        connection.exec_driver_sql(insert, [(number, f"p{number % 97}", "word " * 100) for number in range(rows)])
    engine.dispose()
    return url


def test_a_query_becomes_a_corpus_with_its_people(tmp_path: Path) -> None:
    url = database(tmp_path / "db", 12_000)
    seen: list[int] = []
    summary = convert(
        tmp_path / "out",
        corpus=corpus("unused"),
        items=Query(url, "SELECT *, '[]' AS \"with\", ':name' AS literal FROM posts ORDER BY id"),
        people=parse_people(PEOPLE.replace("FILE", "unused")),
        people_from=Query(url, "SELECT DISTINCT by AS id, 'GB' AS land, 1990 AS born FROM posts ORDER BY 1"),
        progress=seen.append,
    )
    assert (summary.items, summary.people, sum(seen)) == (12_000, 97, 12_097)
    rows = items(tmp_path / "out")
    assert [row["id"] for row in rows] == [str(number) for number in range(12_000)]
    people = pq.read_table(tmp_path / "out/people.parquet").to_pylist()
    assert people[0] == {"id": "p0", "land": "GB", "born": 1990}
    assert parse_people((tmp_path / "out/people.toml").read_text()).files == ("people.parquet",)


@pytest.mark.parametrize(
    ("url", "query", "code"),
    [
        ("nonsense", "SELECT 1", "corpus-no-database"),
        ("nonsense://host/db", "SELECT 1", "corpus-no-database"),
        ("sqlite://", "SELEC 1", "corpus-query-failed"),
        ("sqlite://", "CREATE TABLE a (b)", "corpus-query-failed"),
        ("sqlite://", "SELECT 1 AS id", "corpus-missing-column"),
    ],
)
def test_a_query_that_cannot_be_used_is_refused(tmp_path: Path, url: str, query: str, code: str) -> None:
    with pytest.raises(CorpusError) as caught:
        convert(tmp_path / "out", corpus=corpus("unused"), items=Query(url, query))
    assert caught.value.code == code
    assert list(tmp_path.iterdir()) == []


def test_a_query_changes_nothing_and_a_password_is_not_shown(tmp_path: Path) -> None:
    url = database(tmp_path / "db", 3)
    with pytest.raises(CorpusError):
        convert(tmp_path / "out", corpus=corpus("unused"), items=Query(url, "DELETE FROM posts RETURNING 1 AS id"))
    with sa.create_engine(url).connect() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM posts").scalar() == 3
    with pytest.raises(CorpusError) as caught:
        convert(
            tmp_path / "out",
            corpus=corpus("unused"),
            items=Query("postgresql+psycopg://me:geheim@127.0.0.1:1/x?connect_timeout=1", "SELECT 1"),
        )
    assert caught.value.code in ("corpus-query-failed", "corpus-no-database")
    assert "geheim" not in str(caught.value)


@pytest.mark.parametrize("query", ["DROP TABLE posts", "DELETE FROM posts RETURNING 1 AS id", "CREATE TABLE more (id)"])
@pytest.mark.parametrize("form", ["path", "option", "uri"])
def test_a_sqlite_file_is_only_read(tmp_path: Path, query: str, form: str) -> None:
    url = database(tmp_path / "a%2520 b", 3)
    file = tmp_path / "a%20 b"
    before = file.read_bytes()
    uri = sa.URL.create("sqlite", database=f"file:{quote(str(file))}", query={"uri": "true", "mode": "rwc"})
    asked = {"path": url, "option": f"{url}?timeout=1", "uri": uri.render_as_string()}[form]
    with pytest.raises(CorpusError) as caught:
        convert(tmp_path / "out", corpus=corpus("unused"), items=Query(asked, query))
    assert caught.value.code == "corpus-query-failed"
    assert "readonly" in caught.value.message
    assert file.read_bytes() == before
    items_query = "SELECT *, '' AS \"with\" FROM posts"
    assert convert(tmp_path / "out", corpus=corpus("unused"), items=Query(asked, items_query)).items == 3


def test_a_sqlite_file_that_somebody_writes_to_can_be_read(tmp_path: Path) -> None:
    url = database(tmp_path / "db", 3)
    with sa.create_engine(url).connect() as writing:
        writing.exec_driver_sql("PRAGMA journal_mode=WAL")
        writing.exec_driver_sql("INSERT INTO posts VALUES (7, 'p', '2024-07-01T12:00:00Z', 'words')")
        writing.commit()
        query = "SELECT *, '' AS \"with\" FROM posts"
        assert convert(tmp_path / "out", corpus=corpus("unused"), items=Query(url, query)).items == 4


def test_a_misspelt_sqlite_file_is_not_made(tmp_path: Path) -> None:
    for address in (f"sqlite:///{tmp_path}/netwrok.db", f"sqlite:///file:{tmp_path}/netwrok.db?uri=true"):
        with pytest.raises(CorpusError) as caught:
            convert(tmp_path / "out", corpus=corpus("unused"), items=Query(address, "SELECT 1 AS id"))
        assert caught.value.code in ("corpus-no-database", "corpus-query-failed")
        assert list(tmp_path.iterdir()) == []


def test_a_query_in_postgresql_only_reads(tmp_path: Path, postgres_url: str) -> None:
    engine = sa.create_engine(postgres_url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.exec_driver_sql("CREATE TABLE only_read AS SELECT 1 AS id, 'p' AS by")
        connection.exec_driver_sql(
            "CREATE FUNCTION gone() RETURNS integer AS 'DELETE FROM only_read RETURNING 1' LANGUAGE sql"
        )
    for query in ("DELETE FROM only_read RETURNING id", "SELECT gone() AS id"):
        with pytest.raises(CorpusError) as caught:
            convert(tmp_path / "out", corpus=corpus("unused"), items=Query(postgres_url, query))
        assert caught.value.code == "corpus-query-failed"
    query = "SELECT id, by, '' AS with, '2024-07-01' AS at, '' AS words FROM only_read"
    assert convert(tmp_path / "out", corpus=corpus("unused"), items=Query(postgres_url, query)).items == 1
    engine.dispose()


def test_two_columns_of_one_name_in_a_query_or_a_parquet_file_are_refused(tmp_path: Path) -> None:
    url = database(tmp_path / "db", 3)
    for query in ("SELECT a.*, b.* FROM posts a JOIN posts b USING (id)", "SELECT id, id FROM posts WHERE false"):
        with pytest.raises(CorpusError) as caught:
            convert(tmp_path / "out", corpus=corpus("unused"), items=Query(url, query))
        assert caught.value.code == "corpus-column-twice"
    table = pa.table({"id": ["1"]})
    pq.write_table(table.append_column("id", pa.array(["2"])), tmp_path / "a.parquet")
    with pytest.raises(CorpusError) as caught:
        convert(tmp_path / "out", corpus=corpus("a.parquet"), items=Files(tmp_path))
    assert caught.value.code == "corpus-column-twice"


HEAD = "id,by,with,at,words\n"


@pytest.mark.parametrize(
    ("file", "content", "code", "line"),
    [
        ("a.csv", "", "corpus-empty-file", None),
        ("a.csv", "id,by,with,at,id\n", "corpus-column-twice", 1),
        ("a.csv", HEAD + "1,2,3,,\n1,2,3\n", "corpus-bad-row", 3),
        ("a.csv", HEAD + '1,2,3,,"open\n', "corpus-bad-row", 2),
        ("a.csv", HEAD + "1,2,3,,\n,2,3,,\n", "corpus-bad-row", 3),
        ("a.csv", HEAD + "1,2,3,yesterday,\n", "corpus-bad-row", 2),
        ("a.csv", HEAD + "1,2,3,99999999999999,\n", "corpus-bad-row", 2),
        ("a.csv", HEAD + "1,2,[3,,\n", "corpus-bad-row", 2),
        ("a.csv", (HEAD + "1,2,3,,é\n").encode("latin-1"), "corpus-bad-encoding", 2),
        ("a.csv", "id,with,at,words\n1,,,\n", "corpus-missing-column", None),
        ("a.jsonl", '{"id": 1}\n{"id": ', "corpus-bad-row", 2),
        ("a.jsonl", '{"id": 1}\n[1]\n', "corpus-bad-row", 2),
        ("a.jsonl", '{"id": 1.5}\n', "corpus-bad-row", 1),
        ("a.jsonl", '{"id": true}\n', "corpus-bad-row", 1),
        ("a.jsonl", '{"id": "\\ud800"}\n', "corpus-bad-row", 1),
        ("a.jsonl", '{"id": 1, "with": [{"name": "x"}]}\n', "corpus-bad-row", 1),
        ("a.jsonl", '{"by": 1}\n', "corpus-bad-row", 1),
        ("a.jsonl", "[" * 100_000, "corpus-bad-row", 1),
        ("a.jsonl", '{"id": 1}\n{"id": 1, "Id": 1, "id": 2}\n', "corpus-column-twice", 2),
        ("a.jsonl", '{"id": 1, "with": [{"u": 1, "u": 2}]}\n', "corpus-column-twice", 1),
        ("a.parquet", b"PAR1 and nothing", "corpus-not-parquet", None),
        ("a.xls", "x", "corpus-unknown-file-kind", None),
    ],
)
def test_a_row_that_cannot_be_used_is_refused_with_its_line(
    tmp_path: Path, file: str, content: str | bytes, code: str, line: int | None
) -> None:
    error = refused(tmp_path, file, content)
    assert (error.code, error.where) == (code, line and f"{tmp_path / file}:{line}")


def test_a_column_with_the_name_of_a_path_is_refused_beside_the_path(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"id": 1, "by": 1, "with": [], "at": 1, "words": "", "with.user": ["2"]}\n')
    descriptor = parse_corpus(CORPUS.replace("FILE", "a.jsonl").replace('"with"', '"with.user"'))
    with pytest.raises(CorpusError) as caught:
        convert(tmp_path / "out", corpus=descriptor, items=Files(tmp_path))
    assert (caught.value.code, caught.value.where) == ("corpus-column-twice", f"{tmp_path / 'a.jsonl'}:1")


def test_a_time_without_a_zone_needs_one_in_the_descriptor(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(HEAD + "1,2,3,2024-07-01T12:00:00,x\n")
    descriptor = parse_corpus(CORPUS.replace("FILE", "a.csv").replace('zone = "Europe/Paris"', ""))
    with pytest.raises(CorpusError) as caught:
        convert(tmp_path / "out", corpus=descriptor, items=Files(tmp_path))
    assert "without a zone" in caught.value.message


def test_people_are_refused_in_their_own_words(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(CSV)
    (tmp_path / "people.csv").write_text("id,land,born\n1,GB,19900\n")
    with pytest.raises(PeopleError) as caught:
        convert(
            tmp_path / "out",
            corpus=corpus("a.csv"),
            items=Files(tmp_path),
            people=parse_people(PEOPLE.replace("FILE", "people.csv")),
            people_from=Files(tmp_path),
        )
    assert (caught.value.code, caught.value.where) == ("people-bad-row", f"{tmp_path / 'people.csv'}:2")
    assert not (tmp_path / "out").exists()


@given(st.lists(st.one_of(st.none(), st.text(alphabet=st.characters(exclude_categories=["Cs"]), min_size=1))))
def test_a_list_of_ids_survives_json(ids: list[str | None]) -> None:
    assert values.ids(json.dumps(ids)) == ids == values.ids(ids)


@given(st.datetimes(datetime(1970, 1, 2), datetime(2100, 1, 1), timezones=st.timezones()))  # noqa: DTZ001
def test_a_written_time_is_the_time_that_was_written(moment: datetime) -> None:
    assert values.moment(moment.isoformat(), zone=None) == moment.astimezone(UTC)


def test_a_time_that_occurs_twice_is_the_later_one() -> None:
    found = values.moment("2024-10-27T02:30:00", zone="Europe/Paris")
    assert found == datetime(2024, 10, 27, 1, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("read", "given_value", "expected"),
    [
        (values.text, UUID(int=5), "00000000-0000-0000-0000-000000000005"),
        (values.text, "", None),
        (values.whole, " 12 ", 12),
        (values.whole, "", None),
        (values.ids, "a;b;;c", ["a", "b", None, "c"]),
        (values.ids, ("a",), ["a"]),
        (values.ids, 5, ["5"]),
    ],
)
def test_what_a_value_becomes(read: Callable[[Any], Any], given_value: Any, expected: Any) -> None:
    assert read(given_value) == expected


@pytest.mark.parametrize(
    "cell", ["bob ", " bob", "bob ;ann", "ann; bob", "ann;bob\n", "ann; ;bob", "ann;\u00a0bob", " "]
)
def test_an_id_in_a_list_is_never_trimmed(tmp_path: Path, cell: str) -> None:
    """It would be the id of somebody else, who may have said something else."""
    with pytest.raises(values.ValueProblemError, match="a space beside"):
        values.ids(cell)
    error = refused(tmp_path, "a.csv", f'{HEAD}1,2,"{cell}",,\n')
    assert (error.code, error.where) == ("corpus-bad-row", f"{tmp_path / 'a.csv'}:{2 + cell.count(chr(10))}")
    assert "a list" in str(error.help)
    assert values.ids([cell]) == values.ids(json.dumps([cell])) == [cell]


PEAK = """
import re, sys
from pathlib import Path
from consentry.corpus.descriptor import parse_corpus
from consentry.connectors.tabular.convert import Files, Query, convert
descriptor = parse_corpus(Path(sys.argv[1]).read_text())
source = Files(Path(sys.argv[1]).parent)
if len(sys.argv) > 3:
    source = Query(sys.argv[3], "SELECT *, null AS 'with' FROM posts")
convert(Path(sys.argv[2]), corpus=descriptor, items=source)
print(int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) // 1024)
"""


def in_another_form(file: Path) -> None:
    """Write what a file holds as CSV in the form that its name says."""
    rows = pa.csv.read_csv(file, convert_options=pa.csv.ConvertOptions(include_missing_columns=True))
    if file.suffix == ".parquet":
        pq.write_table(rows, file, row_group_size=5_000)
    else:
        lines = ({name: None if value == "" else value for name, value in row.items()} for row in rows.to_pylist())
        file.write_text("".join(json.dumps(line) + "\n" for line in lines))


@pytest.mark.skipif(sys.platform != "linux", reason=NOT_LINUX)
@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet", "sql"])
def test_memory_does_not_grow_with_the_table(tmp_path: Path, kind: str) -> None:
    peaks = []
    for size in (20_000, 78_000):  # the smaller one is longer than what is read at once
        file = tmp_path / f"a.{'csv' if kind == 'sql' else kind}"
        (tmp_path / "corpus.toml").write_text(CORPUS.replace("FILE", file.name))
        file.write_text(HEAD + "".join(f"{n},{n % 97},,,{'word ' * 100}\n" for n in range(size)))
        if kind in {"jsonl", "parquet"}:
            in_another_form(file)
        address = [database(tmp_path / f"{size}.db", size)] if kind == "sql" else []
        command = [sys.executable, "-c", PEAK, str(tmp_path / "corpus.toml"), str(tmp_path / str(size)), *address]
        peaks.append(int(subprocess.run(command, check=True, capture_output=True, text=True).stdout))
    assert peaks[1] - peaks[0] < 20, f"peaks {peaks} MiB for a table that grew by 30 MiB"
