"""What is said of files that are of another kind, or written in another way, than somebody thought."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from end_to_end.network import RawItem, RawPerson, write_corpus, write_people
from end_to_end.terminal import ITEMS, PEOPLE, Terminal, build, ready, terminal

__all__ = ["ready", "terminal"]

PEOPLE_CSV = '[people]\nfiles = ["p.csv"]\n[columns]\nperson = "id"\nbirth_year = "born"\n'
ITEMS_CSV = '[corpus]\nname = "n"\nfiles = ["i.csv"]\n[columns]\nitem = "id"\nauthor = "by"\ncategory = "kind"\n'


def words_of(text: str) -> str:
    return " ".join(text.split())


def described(folder: Path, name: str, text: str, *, csv: str) -> Path:
    (folder / ("p.csv" if "[people]" in text else "i.csv")).write_text(csv, "utf-8")
    path = folder / name
    path.write_text(text, "utf-8")
    return path


def test_a_corpus_of_csv_is_converted_first(terminal: Terminal) -> None:
    path = described(terminal.folder, "c.toml", ITEMS_CSV, csv="id,by,kind\n1,a,post\n")
    error = terminal.fails("corpus-not-parquet", "corpus", "register", path)
    assert error["message"] == "`i.csv` is CSV, and items are read from Parquet"
    assert "consentry import tabular" in error["help"]


@pytest.mark.parametrize(("separator", "shown"), [(";", "`;`"), ("|", "`|`"), ("\t", "tabs")])
def test_a_table_with_other_separators_says_so(terminal: Terminal, separator: str, shown: str) -> None:
    csv = separator.join(("id", "born")) + "\n" + separator.join(("a", "1985")) + "\n"
    error = terminal.fails(
        "people-missing-column", "people", "load", described(terminal.folder, "p.toml", PEOPLE_CSV, csv=csv)
    )
    assert error["message"] == "no row of `p.csv` has a column `born`"
    assert f"the cells are separated by {shown}" in error["help"]


def test_a_missing_column_names_those_that_are_there(terminal: Terminal) -> None:
    path = described(terminal.folder, "p.toml", PEOPLE_CSV, csv="id,geboren\na,1985\n")
    error = terminal.fails("people-missing-column", "people", "load", path)
    assert "the columns are: `id`, `geboren`" in error["help"]


def test_a_date_of_birth_is_a_year_in_csv_as_well(terminal: Terminal) -> None:
    path = described(terminal.folder, "p.toml", PEOPLE_CSV, csv="id,born\na,1985-04-01\nb,1990\nc,1985-04-01T10:00\n")
    assert terminal.run("people", "load", path)["unknown_ages"] == 0


def test_a_time_without_a_zone_says_where_to_name_it(terminal: Terminal) -> None:
    text = ITEMS_CSV + 'created = "made"\n'
    path = described(terminal.folder, "c.toml", text, csv="id,by,kind,made\n1,a,post,2020-01-01 10:00\n")
    error = terminal.fails("corpus-bad-row", "import", "tabular", path, terminal.folder / "out")
    assert '[created] zone = "UTC"' in error["message"]


def test_a_descriptor_that_cannot_be_used_makes_no_deployment(tmp_path: Path, terminal: Terminal) -> None:
    terminal.home = tmp_path / "fresh"
    for words in (("corpus", "register"), ("people", "load")):
        terminal.fails("descriptor-unreadable", *words, tmp_path / "nothing.toml")
    assert not terminal.home.exists()


def test_a_file_of_rows_is_no_descriptor(tmp_path: Path, terminal: Terminal) -> None:
    for name in ("posts.parquet", "people.CSV"):
        (tmp_path / name).write_bytes(b"PAR1\xff")
        for words in (("corpus", "register"), ("people", "load")):
            error = terminal.fails("descriptor-unreadable", *words, tmp_path / name)
            assert "holds rows" in error["message"]
            assert "docs/descriptors.md" in error["help"]
    error = terminal.fails("descriptor-unreadable", "corpus", "register", tmp_path / "not-there.csv")
    assert "cannot be read" in error["message"]


def test_a_recorded_choice_says_about_which_use(ready: Terminal) -> None:
    text = words_of(ready.run("choice", "record", "ada", "refused", as_json=False))
    assert "Recorded at position 3, about train-genai. It holds for every release sealed from now on" in text


def test_what_a_refusal_would_undo_is_said_before_it_is_recorded(ready: Terminal) -> None:
    made = build(ready)
    refusing = ("choice", "record", "ada", "refused", "--dry-run")
    found = ready.run(*refusing, "--reach", "everything")
    assert (found["next_release"], found["next_others"], found["releases"]) == (2, 1, {made["release"]: 2})
    assert (found["leaving"], found["unknown_person"]) == ({"own": 1, "others": 1}, False)
    text = words_of(ready.run(*refusing, "--reach", "everything", as_json=False))
    assert (
        "Nothing is recorded yet. 2 items that may be used now would be left out of every release sealed from now on, "
        "1 of them by others who involve them." in text
    )
    assert "2 items would leave 1 sealed release, 1 of them by others who involve them." in text
    assert "Sealed releases would stay as they are." in words_of(ready.run(*refusing, as_json=False))
    assert "no release would change" in words_of(ready.run(*refusing, "--reach", "future", as_json=False))
    unknown = words_of(ready.run("choice", "record", "nobody", "refused", "--dry-run", as_json=False))
    assert "No people table and no item here knows this person" in unknown
    assert "--dry-run goes with `refused`" in str(ready.run("choice", "record", "ada", "unset", "--dry-run", status=2))
    assert ready.run("choice", "show", "ada")["choices"] == []


def test_what_nobody_knows_of_a_release_any_more_is_said_to_be_unknown(ready: Terminal) -> None:
    release = build(ready)["release"]
    ready.run("corpus", "register", write_corpus(ready.folder, [ITEMS[:2]]))
    shutil.rmtree(ready.home / "corpora" / "network" / "earlier")
    refusing = ("choice", "record", "ada", "refused", "--dry-run", "--reach", "everything")
    text = words_of(ready.run(*refusing, as_json=False))
    assert "Of 1 sealed release it is not known how many would leave" in text
    assert "0 items would leave" not in text
    assert f"{release} not known" in text
    assert ready.run(*refusing)["leaving"] == {"own": None, "others": None}


def test_a_release_that_an_order_bars_is_told_apart_among_those_that_used_somebody(ready: Terminal) -> None:
    release = build(ready)["release"]
    assert ready.run("people", "uses", "ada")["releases"][0]["barred_by"] is None
    ready.run("suspend", "--case", "us", "--area", "US", "--reference", "letter")
    (used,) = ready.run("people", "uses", "ada")["releases"]
    assert (used["release"], used["barred_by"]) == (release, "us.1")
    assert "barred by us.1" in words_of(ready.run("people", "uses", "ada", as_json=False))


def test_a_what_if_of_what_is_left_out_already_says_so(terminal: Terminal) -> None:
    items = [*ITEMS, RawItem(id="g1", author="gwen"), RawItem(id="g2", author="gwen")]
    terminal.run("corpus", "register", write_corpus(terminal.folder, [items]))
    terminal.run(
        "people", "load", write_people(terminal.folder / "people", [*PEOPLE, RawPerson(id="gwen", country="GB")])
    )
    ask = ("what-if", "--policy", "september-2024", "--suspend")
    text = words_of(terminal.run(*ask, "GB", as_json=False))
    assert "2 items there, all left out already (forbidden:" in text
    assert "Nothing changes: there is nothing there, or all" in words_of(terminal.run(*ask, "JP", as_json=False))
    assert "left out already" not in terminal.run(*ask, "US", as_json=False)


def test_an_empty_text_is_not_told_to_stand_in_quotes(terminal: Terminal) -> None:
    path = terminal.folder / "policy.toml"
    path.write_text('[policy_set]\nname = "p"\nversion = "1"\ntitle = ""\npurposes = ["train-ai"]\n', "utf-8")
    text = words_of(terminal.run("policy", "check", path, status=3, as_json=False))
    assert "`title` of [policy_set] is empty" in text
