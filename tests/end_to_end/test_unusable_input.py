"""Every kind of bad input on the command line: refused with a code and help, and what was known stays."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from end_to_end.network import RawItem, RawPerson, write_corpus, write_items, write_people
from end_to_end.terminal import ITEMS, PEOPLE, Terminal, build, parquet
from end_to_end.terminal import ready as ready  # noqa: PLC0414 - a fixture
from end_to_end.terminal import terminal as terminal  # noqa: PLC0414 - a fixture


def test_files_that_are_no_parquet(terminal: Terminal) -> None:
    path = write_corpus(terminal.folder, [ITEMS])
    file = terminal.folder / "items" / "0.parquet"
    whole = file.read_bytes()
    for content in (whole[: len(whole) // 2], b"", b"id,author\n1,2\n", whole[:-1], b"PAR1" * 3):
        file.write_bytes(content)
        error = terminal.fails("corpus-not-parquet", "corpus", "register", path)
        assert "items/0.parquet" in error["message"]
    middle = bytearray(whole)
    middle[4:60] = bytes(56)
    file.write_bytes(middle)
    terminal.fails("corpus-damaged", "corpus", "register", path)
    file.write_bytes(whole)
    assert terminal.run("corpus", "register", path)["built"] == 1


@pytest.mark.parametrize(
    ("code", "column", "values"),
    [
        ("corpus-wrong-type", "author_id", pa.array([1.5, 2.5])),
        ("corpus-wrong-type", "id", pa.array([True, False])),
        ("corpus-wrong-type", "kind", pa.array([1, 2])),
        ("corpus-wrong-type", "mentions", pa.array([[1.5], None])),
        ("corpus-wrong-type", "made", pa.array(["2024-01-01", "yesterday"])),
        ("corpus-empty-item-id", "id", pa.array(["a", None])),
        ("corpus-empty-item-id", "id", pa.array(["", "b"])),
        ("corpus-empty-item-id", "id", pa.array([7, None])),
        ("corpus-duplicate-item-id", "id", pa.array(["same", "same"])),
        ("corpus-duplicate-item-id", "id", pa.array([7, 7])),
    ],
)
def test_columns_that_cannot_be_used(terminal: Terminal, code: str, column: str, values: pa.Array) -> None:
    path = parquet(terminal, **{column: values})
    terminal.fails(code, "corpus", "register", path)
    assert not list((terminal.home / "corpora").rglob("sidecar.json"))
    terminal.fails("corpus-unknown", "corpus", "show", "network")


def test_an_item_without_an_id_is_told_by_file_and_row(terminal: Terminal) -> None:
    path = parquet(terminal, id=pa.array(["a", "", "c", None, *[""] * 7]))
    error = terminal.fails("corpus-empty-item-id", "corpus", "register", path)
    assert error["where"] == "items/0.parquet"
    assert error["message"] == "column `id` holds no id in row 2, 4, 5, 6, 7 and 4 more"


def test_a_missing_column(terminal: Terminal) -> None:
    path = parquet(terminal, id=pa.array(["a"]))
    path.write_text(path.read_text("utf-8").replace('"author_id"', '"autor_id"'), "utf-8")
    assert "author_id" in terminal.fails("corpus-missing-column", "corpus", "register", path)["help"]


def test_all_that_is_wrong_with_the_files_is_told_at_once(terminal: Terminal) -> None:
    items = [RawItem(id="a1", author="ada")]
    path = write_corpus(terminal.folder, [items, items, items])
    for number, columns in ((0, {"id": ["x"], "kind": [1]}), (1, {"id": ["y"], "kind": [2]})):
        pq.write_table(pa.table(columns), terminal.folder / "items" / f"{number}.parquet")
    (terminal.folder / "items" / "2.parquet").write_bytes(b"nothing like it")
    text = path.read_text("utf-8")
    assert text.count('author = "author_id"') == 1
    error: dict[str, Any] = terminal.fails("corpus-missing-column", "corpus", "register", path)
    told = [error, *error["more"]]
    assert {(each["code"], each.get("where")) for each in told} == {
        ("corpus-missing-column", "items/0.parquet and 1 more file"),
        ("corpus-wrong-type", "items/0.parquet and 1 more file"),
        ("corpus-not-parquet", None),
    }
    assert [each["code"] for each in told].count("corpus-missing-column") == 6
    assert "the columns are: `id`, `kind`" in told[0]["help"]
    said = terminal.run("corpus", "register", path, status=1, as_json=False)
    assert said.count("error:") == said.count("help:") == len(told)
    path.write_text(text.replace("author =", "autor =").replace('zone = "UTC"', 'zone = "Utopia"'), "utf-8")
    said = terminal.run("corpus", "register", path, status=1, as_json=False)
    assert (said.count("error:"), said.count("corpus.toml:")) == (2, 2)


def test_duplicate_ids_across_files(terminal: Terminal) -> None:
    path = write_corpus(terminal.folder, [ITEMS, ITEMS[:1]])
    terminal.fails("corpus-duplicate-item-id", "corpus", "register", path)
    write_items(terminal.folder / "items" / "1.parquet", [RawItem(id="another", author="ada")])
    assert terminal.run("corpus", "register", path)["items"] == 4


def test_dates_without_zone_and_out_of_range(terminal: Terminal) -> None:
    naive = pa.array([0, 1], pa.timestamp("us"))
    path = parquet(terminal, made=naive)
    path.write_text(path.read_text("utf-8").replace('[created]\nzone = "UTC"', ""), "utf-8")
    terminal.fails("corpus-time-without-zone", "corpus", "register", path)
    for values in (
        pa.array([-1, 2**40], pa.int64()),
        pa.array([2**63, 2**64 - 1], pa.uint64()),
        pa.array([-1, 5_000_000_000], pa.timestamp("s", "UTC")),
        pa.array([-1, 60_000], pa.date32()),
        pa.array([None, 2**62], pa.timestamp("us", "UTC")),
    ):
        report = terminal.run("corpus", "register", parquet(terminal, made=values))
        (file,) = report["files"]
        assert file["unknown_dates"] == 2
        assert file["dates_out_of_range"] == 2 - values.null_count


def test_unknown_words_are_gaps_and_counted(ready: Terminal) -> None:
    kinds = pa.array(["post", "haiku", "haiku", None])
    report = ready.run("corpus", "register", parquet(ready, kind=kinds))
    assert report["files"][0]["unknown_words"] == {"category": {"haiku": 2}}
    counts = build(ready)["counts"]
    assert counts["by_gap"] == {"category-unknown": 3}
    assert counts["eligible"] == 1


@pytest.mark.parametrize(
    "id_", ["e\u0301", "é", "𝔘𝔫𝔦", "\u202emirrored", "nul\0inside", "two\nlines", "👩‍👩‍👧‍👦", " ", "a" * 5_000]
)
def test_ids_of_any_unicode(ready: Terminal, id_: str) -> None:
    ready.run("people", "load", write_people(ready.folder / "people", [RawPerson(id=id_), RawPerson(id="other")]))
    items = [RawItem(id=id_, author=id_), RawItem(id=id_ + "2", author="other", involves=(id_,))]
    ready.run("corpus", "register", write_corpus(ready.folder, [items]))
    assert build(ready)["counts"]["eligible"] == 2
    if "\0" not in id_:
        ready.run("choice", "record", id_, "refused")
        made = build(ready)
        assert made["counts"]["eligible"] == 0
        assert ready.run("release", "explain", made["release"], id_, status=3)["agrees_with_bitmap"]


def test_descriptors_that_cannot_be_used(terminal: Terminal) -> None:
    path = write_corpus(terminal.folder, [ITEMS])
    text = path.read_text("utf-8")
    for code, broken in {
        "descriptor-column-twice": text.replace('author = "author_id"', 'author = "id"'),
        "descriptor-syntax": text.replace("[columns]", "[columns"),
        "descriptor-no-files": text.replace("items/*.parquet", "nothing/*.parquet"),
        "descriptor-unknown-key": text.replace("text = ", "txt = "),
        "descriptor-unknown-word": text.replace('= "post"', '= "pots"'),
        "descriptor-wrong-value": text.replace('name = "network"', 'name = "../up"'),
    }.items():
        path.write_text(broken, "utf-8")
        terminal.fails(code, "corpus", "register", path)


def test_policies_that_cannot_be_used(terminal: Terminal) -> None:
    terminal.run("policy", "publish", "september-2024")
    path = terminal.folder / "policy.toml"
    start = '[policy_set]\nname = "p"\nversion = "1"\ntitle = "t"\npurposes = ["train-ai"]\n'
    for broken in (
        start + "[[permit]\n",
        start + '[[permit]]\nid = "a"\nwhy = "w"\nlegal_basis = "consent"\ncategory = ["pots"]\n',
        start + '[[permit]]\nid = "a"\nwhy = "w"\n',
        start + '[[permit]]\nid = "a"\nwhy = "w"\nlegal_basis = "consent"\n' * 2,
    ):
        path.write_text(broken)
        error: dict[str, str] = terminal.run("policy", "publish", path, status=1)["error"]
        assert error["code"].startswith("policy-")
        assert "policy.toml:" in error["where"]
        assert error["help"]
    assert [each["name"] for each in terminal.run("policy", "list")["published"]] == ["september-2024"]


def test_choices_that_cannot_be_used(ready: Terminal) -> None:
    file = ready.folder / "choices.csv"
    head = "person,purpose,state,at\n"
    before = ready.run("corpus", "list")
    for row in (
        "ada,train-genai,no,2024-09-20T10:00:00Z\n",
        "ada,fun,refused,2024-09-20T10:00:00Z\n",
        "ada,train-genai,refused,yesterday\n",
        ",train-genai,refused,2024-09-20T10:00:00Z\n",
    ):
        file.write_text(head + "bö,train-genai,refused,2024-09-20T10:00:00Z\n" + row)
        error: dict[str, str] = ready.run("choice", "import", file, status=1)["error"]
        assert "choices.csv:3" in error["where"]
    assert ready.run("choice", "show", "bö")["choices"] == []  # nothing is recorded if a row is wrong
    file.write_text("person,purpose,state,at,items\nada,train-genai,refused,5,a1\n")
    ready.fails("choice-items-without-corpus", "choice", "import", file)
    ready.fails("choice-link-to-self", "people", "link", "ada", "ada")
    file.write_bytes(b"\xff\xfe\x00")
    ready.fails("choice-not-text", "notice", "serve", "n1", file)
    assert ready.run("corpus", "list") == before


def test_a_choice_for_somebody_unknown_is_kept(ready: Terminal) -> None:
    file = ready.folder / "choices.csv"
    file.write_text("person,purpose,state,at\nzoe,train-genai,refused,2024-09-20T10:00:00Z\n")
    assert ready.run("choice", "import", file)["recorded"] == 1
    ready.run("corpus", "register", write_corpus(ready.folder, [[*ITEMS, RawItem(id="z", author="zoe")]]))
    ready.run("people", "load", write_people(ready.folder / "people", [*PEOPLE, RawPerson(id="zoe")]))
    made = build(ready)
    assert made["counts"]["by_reason"]["refused"] == 1
    assert ready.run("release", "explain", made["release"], "z", status=3)["people"][0]["known"]


def test_people_tables_that_cannot_be_used(ready: Terminal) -> None:
    path = write_people(ready.folder / "people", [RawPerson(id="ada"), RawPerson(id="ada")])
    ready.fails("people-duplicate-id", "people", "load", path)
    (ready.folder / "people" / "people.parquet").write_bytes(b"PAR1 this is not")
    ready.fails("people-not-parquet", "people", "load", path)
    assert build(ready)["counts"]["eligible"] == 2  # what was known stays


def test_a_home_that_lost_something(ready: Terminal) -> None:
    build(ready)
    for path, code in (("ledger.db", "ledger-missing"), ("keys/pseudonym.key", "key-missing")):
        lost = ready.home / path
        aside = lost.with_name("aside")
        lost.rename(aside)
        ready.fails(code, "release", "list")
        aside.rename(lost)
    (ready.home / "ledger.db").rename(ready.home / "aside.db")
    for wal in ready.home.glob("ledger.db-*"):
        wal.unlink()
    (ready.home / "ledger.db").touch()
    ready.fails("ledger-of-another-deployment", "release", "list")
    (ready.home / "identity.json").unlink()
    ready.fails("ledger-not-a-ledger", "release", "list")


def test_what_the_system_refuses(ready: Terminal) -> None:
    (ready.home / "objects").rename(ready.home / "elsewhere")
    (ready.home / "objects").write_bytes(b"")
    ready.fails("system-file-unusable", "policy", "publish", "opt-in-only")
