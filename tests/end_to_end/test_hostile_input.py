"""What strangers write and what is mistyped: nothing is recorded that can never apply, nothing ends in a traceback."""

from __future__ import annotations

import json
import re
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from consentry.bootstrap import Deployment, open_deployment
from consentry.cli.main import main
from consentry.cli.output import Output
from consentry.clock import now
from consentry.control_plane.desk import Desk
from consentry.errors import NotFoundError
from consentry.ledger.events import NoticeServed, PeopleLoaded
from consentry.policy.vocabulary import LegalBasis
from end_to_end.network import RawPerson, write_people
from end_to_end.terminal import PEOPLE, Terminal, build, parquet
from end_to_end.terminal import ready as ready  # noqa: PLC0414 - a fixture
from end_to_end.terminal import terminal as terminal  # noqa: PLC0414 - a fixture

CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")
HOSTILE = "a\x1b]0;owned\x07\x9b31m\u202eb\rc[red]\x7f"


def events(terminal: Terminal) -> int:
    found: int = terminal.run("ledger", "verify")["events"]
    return found


def test_what_could_never_apply_is_not_recorded(ready: Terminal) -> None:
    before = events(ready)
    told = ready.folder / "told.txt"
    told.write_text("ada\n")
    file = ready.folder / "choices.csv"
    file.write_text("person,purpose,state,at,items\nada,train-genai,refused,5,a1\n")
    error = ready.fails("corpus-unknown", "choice", "record", "ada", "refused", "--item", "a1", "--corpus", "netwrok")
    assert "network" in error["help"]
    assert "network" in ready.fails("corpus-unknown", "choice", "import", file, "--corpus", "netwrok")["help"]
    ready.fails("people-empty-id", "choice", "record", "", "refused")
    ready.fails("people-empty-id", "people", "link", "ada", "")
    ready.fails("people-empty-id", "people", "erase", "--yes", "ada", "")
    ready.fails("people-empty-id", "choice", "show", "")
    ready.fails("item-empty-id", "choice", "record", "ada", "refused", "--item", "", "--corpus", "network")
    for name in ("", " ", "Notice 1", "n1 "):
        ready.fails("choice-notice-name", "notice", "serve", name, told)
    ready.run("choice", "record", "ada", "refused", "--notice", "", status=2)
    ready.run("choice", "record", "ada", "allowed", "--corpus", "network", status=2)
    assert events(ready) == before
    assert ready.run("choice", "import", file, "--corpus", "network")["recorded"] == 1
    assert ready.run("notice", "serve", "n1", told)["people"] == 1


@pytest.mark.parametrize("column", ["kind", "seen_by", "rights"])
def test_a_missing_column_of_words(terminal: Terminal, column: str) -> None:
    path = parquet(terminal, id=pa.array(["a"]))
    file = terminal.folder / "items" / "0.parquet"
    pq.write_table(pq.read_table(file).drop_columns([column]), file)
    assert f"`{column}`" in terminal.fails("corpus-missing-column", "corpus", "register", path)["message"]


def test_two_columns_of_one_name(ready: Terminal) -> None:
    path = parquet(ready, id=pa.array(["a"]))
    file = ready.folder / "items" / "0.parquet"
    table = pq.read_table(file)
    for name in ("id", "author_id", "kind", "rights"):
        pq.write_table(table.append_column(name, pa.array(["x"])), file)
        assert f"`{name}`" in ready.fails("corpus-column-twice", "corpus", "register", path)["message"]
    pq.write_table(table.append_column("other", pa.array([1])).append_column("other", pa.array([1])), file)
    ready.run("corpus", "register", path)
    people = write_people(ready.folder / "people", PEOPLE)
    file = ready.folder / "people" / "people.parquet"
    table = pq.read_table(file)
    pq.write_table(table.append_column("id", table.column("id")), file)
    ready.fails("people-column-twice", "people", "load", people)
    choices = ready.folder / "choices.parquet"
    said = {"person": ["ada"], "purpose": ["train-genai"], "state": ["refused"], "at": [5]}
    pq.write_table(pa.table(said).append_column("state", pa.array(["allowed"])), choices)
    ready.fails("choice-column-twice", "choice", "import", choices)


def test_a_column_of_nulls_is_all_gaps(ready: Terminal) -> None:
    nothing = pa.nulls(2)
    optional = ("author_id", "kind", "seen_by", "rights", "made", "mentions")
    for column in optional:
        path = parquet(ready, **{column: nothing})
        (file,) = ready.run("corpus", "register", path)["files"]
        assert file["without_author"] == (2 if column == "author_id" else 0)
        assert file["unknown_involved"] == 0
        made = build(ready)
        counts = made["counts"]
        gaps = {"author_id": "owner-unknown", "kind": "category-unknown"}
        assert counts["by_gap"] == ({gaps[column]: 2} if column in gaps else {})
        ready.run("release", "explain", made["release"], "i1", status=0 if counts["eligible"] else 3)
        assert ready.run("release", "verify", made["release"], "--decide")["ok"]
    (file,) = ready.run("corpus", "register", parquet(ready, mentions=pa.array([[None], []])))["files"]
    assert file["unknown_involved"] == 1
    ready.fails("corpus-wrong-type", "corpus", "register", parquet(ready, id=nothing))


def test_a_people_table_may_have_columns_of_nulls(ready: Terminal) -> None:
    path = write_people(ready.folder / "people", PEOPLE)
    file = ready.folder / "people" / "people.parquet"
    table = pq.read_table(file)
    for name in table.column_names:
        changed = table.set_column(table.column_names.index(name), name, pa.nulls(len(table)))
        pq.write_table(changed, file)
        if name == "id":
            ready.fails("people-wrong-type", "people", "load", path)
        else:
            assert ready.run("people", "load", path)["rows"] == len(table)


def test_a_policy_that_is_no_text(ready: Terminal) -> None:
    path = ready.folder / "policy.toml"
    path.write_bytes(b'[policy_set]\nname = "\xe9"\n')
    for words in (
        ("policy", "check", path),
        ("policy", "show", path),
        ("policy", "test", path),
        ("policy", "publish", path),
        ("policy", "diff", path, path),
        ("release", "plan", "network", "--policy", path),
        ("what-if", "--suspend", "GB", "--policy", path),
    ):
        ready.fails("policy-bad-encoding", *words)


@pytest.mark.parametrize(
    "at", ["999999999999999", "9" * 5_000, "²", "0001-01-01T00:00+14:00", "-1", "10000-01-01", "yesterday"]
)
def test_times_that_are_none(ready: Terminal, at: str) -> None:
    told = ready.folder / "told.txt"
    told.write_text("ada\n")
    before = events(ready)
    for words in (
        ("release", "plan", "network", "--policy", "september-2024"),
        ("release", "build", "network", "--policy", "september-2024"),
        ("notice", "serve", "n1", told),
    ):
        assert ready.run(*words, f"--at={at}", status=2)["error"]["code"] == "usage"
    assert events(ready) == before


def test_no_notice_was_served_before_1970(ready: Terminal) -> None:
    told = ready.folder / "told.txt"
    told.write_text("ada\n")
    error = ready.run("notice", "serve", "n1", told, "--at", "1969-12-31", status=2)["error"]
    assert "1970-01-01" in error["message"]
    plan = ("release", "plan", "network", "--policy", "september-2024", "--at")
    for at in ("1957-12-31", "0001-01-01"):
        assert ready.run(*plan, at)["counts"]["items"] == 3


@pytest.mark.parametrize(
    ("at", "code"),
    [
        ("0", "notice-before-text"),
        ("9999-12-31", "notice-time-to-come"),
        ("253402300799", "notice-time-to-come"),
        ("2024-09-18T12:00Z", "notice-before-text"),
    ],
)
def test_times_at_the_edges(ready: Terminal, at: str, code: str) -> None:
    told = ready.folder / "told.txt"
    told.write_text("ada\n")
    ready.fails(code, "notice", "serve", "n1", told, "--at", at)
    for as_json in (True, False):
        ready.run("release", "plan", "network", "--policy", "september-2024", "--at", at, as_json=as_json)
        ready.run("ledger", "show", as_json=as_json)


def test_who_is_told_by_a_clock_that_is_behind_is_said_to_count_later(
    ready: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    serving = ("notice", "serve", "n1", "--person", "ada")
    assert "WARNING" not in ready.run(*serving, as_json=False)
    behind = now() - 86_400
    for module in ("bootstrap", "cli.notice"):
        monkeypatch.setattr(f"consentry.{module}.now", lambda: behind)
    assert behind + 86_300 < ready.run(*serving)["at"] < behind + 86_500
    assert "WARNING: they count as told at 20" in ready.run(*serving, as_json=False)


@pytest.mark.parametrize(("at", "seconds"), [("2024-09-18", 1726703999), ("2024-09-18T00:00Z", 1726617600), ("7", 7)])
def test_a_notice_served_on_a_day_counts_from_its_end(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch, at: str, seconds: int
) -> None:
    told = terminal.folder / "told.txt"
    told.write_text("ada\n")
    monkeypatch.setattr("consentry.bootstrap.now", lambda: seconds)
    terminal.run("policy", "publish", "september-2024")
    position = terminal.run("notice", "serve", "n1", told, "--at", at)["position"]
    deployment = open_deployment(terminal.home)
    (event,) = deployment.ledger.read(position, position + 1)
    deployment.close()
    assert isinstance(event.body, NoticeServed)
    assert event.body.at == seconds


def test_numbers_out_of_range(ready: Terminal) -> None:
    for words in (
        ("ledger", "show", "--count=-1"),
        ("ledger", "show", "--from=-1"),
        ("ledger", "show", f"--count={10**30}"),
        ("demo", "--people=1"),
        ("demo", "--people=0"),
        ("demo", "--items=0"),
        ("demo", "--seed=-1"),
    ):
        assert ready.run(*words, status=2)["error"]["code"] == "usage"
    assert ready.run("ledger", "show", "--count", "0")["events"] == []
    assert ready.run("ledger", "show", "--from", "99999")["events"] == []


def test_a_mistake_in_the_program_is_one_error(ready: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: object, person: str) -> None:
        raise KeyError(person)

    monkeypatch.setattr(Deployment, "history", broken)
    error = ready.fails("internal-error", "choice", "show", "ada")
    assert "`KeyError` in `people.py:" in error["message"]
    shown = ready.run("choice", "show", "ada", status=1, as_json=False)
    assert "ada" not in shown
    assert "Traceback" not in shown
    monkeypatch.setenv("CONSENTRY_DEBUG", "1")
    shown = ready.run("choice", "show", "ada", status=1, as_json=False)
    assert "Traceback" in shown
    assert "[internal-error]" in shown


def test_json_behind_two_dashes_is_what_somebody_is_called(ready: Terminal) -> None:
    assert "Recorded" in ready.run("choice", "record", "--", "--json", "refused", as_json=False)
    assert len(ready.run("choice", "show", "--json", "--", "--json", as_json=False)) > 0
    with pytest.raises(SystemExit):
        main(["--home", str(ready.home), "choice", "show", "--json", "--", "--json"])
    assert len(json.loads(ready.capsys.readouterr().out)["choices"]) == 1


def test_nothing_commands_the_terminal(ready: Terminal) -> None:
    ready.run("people", "load", write_people(ready.folder / "people", [RawPerson(id=HOSTILE)]))
    kinds = pa.array(["post", HOSTILE])
    path = parquet(ready, id=pa.array(["i0", HOSTILE]), kind=kinds, author_id=pa.array([HOSTILE] * 2))
    ready.run("corpus", "register", path)
    made = build(ready)["release"]
    seen = [
        ready.run("corpus", "show", "network", as_json=False),
        ready.run("release", "explain", made, HOSTILE, status=3, as_json=False),
        ready.run("release", "explain", made, HOSTILE + "2", status=1, as_json=False),
        ready.run("release", "show", HOSTILE, status=1, as_json=False),
        ready.run("release", HOSTILE, status=2, as_json=False),
        ready.run("notice", "serve", HOSTILE, path, status=1, as_json=False),
        ready.run("policy", "check", ready.folder / HOSTILE, status=1, as_json=False),
        ready.run("release", "plan", "network", "--policy", "x", "--at", HOSTILE, status=2, as_json=False),
        ready.run("policy", "show", "\udcff\udcfe", status=1, as_json=False),
    ]
    for text in seen:
        assert not CONTROL.search(text), repr(text)
        assert "\\x1b" in text or "\\udcff" in text
        assert "[red]" in text or "\\udcff" in text
    with pytest.raises(SystemExit):
        main(["--home", str(ready.home), "corpus", "show", "network", "--json"])
    shown = ready.capsys.readouterr().out
    assert not CONTROL.search(shown)
    assert json.loads(shown)["files"][0]["unknown_words"] == {"category": {HOSTILE: 1}}


def test_every_way_to_print_is_quoted(capsys: pytest.CaptureFixture[str]) -> None:
    out = Output()
    out.text(HOSTILE)
    out.heading(HOSTILE)
    out.table([HOSTILE], [[HOSTILE]], title=HOSTILE)
    out.note(HOSTILE)
    shown = capsys.readouterr()
    assert not CONTROL.search(shown.out + shown.err)
    assert (shown.out + shown.err).count("owned") == 6
    out.heading("two\nlines")
    out.table(["two\nlines"], [["two\nlines"]])
    out.error(NotFoundError("a-code", "`two\nlines`", help="two\nlines"))
    shown = capsys.readouterr()
    assert (shown.out + shown.err).count("two\\nlines") == 5
    out = Output(as_json=True)
    out.text("text")
    out.heading("heading")
    out.table(["column"], [["cell"]])
    assert capsys.readouterr().out == ""


def test_a_word_that_is_a_whole_text_is_cut_short(ready: Terminal) -> None:
    long = ["x" * 1_000_000 + end for end in "ab"]
    path = parquet(ready, kind=pa.array(["post", *long, "y" * 60]))
    words = ready.run("corpus", "register", path)["files"][0]["unknown_words"]["category"]
    assert words == {"x" * 60 + "… (1,000,001 characters)": 2, "y" * 60: 1}
    for sidecar in (ready.home / "corpora").rglob("sidecar.json"):
        assert sidecar.stat().st_size < 10_000


def test_positions_are_those_of_what_was_said(ready: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody else is recorded right after: the position that is reported stays that of one's own."""
    before = events(ready)
    present = Desk.present

    def overtaken(desk: Desk) -> Any:
        if desk.parts.ledger.head() > before:
            desk.parts.ledger.append([PeopleLoaded(snapshot="sha256:" + "0" * 64, rows=0)])
        return present(desk)

    monkeypatch.setattr(Desk, "present", overtaken)
    assert ready.run("choice", "record", "ada", "refused")["position"] == before
    assert ready.run("policy", "publish", "opt-in-only")["position"] >= before + 1
    monkeypatch.undo()
    shown = ready.run("ledger", "show", "--from", before)["events"]
    assert shown[0]["kind"] == "choice.made"


def test_policy_show_names_the_term_of_each_legal_basis(ready: Terminal) -> None:
    text = ready.run("policy", "show", "september-2024", as_json=False)
    shown = ready.run("policy", "show", "september-2024")
    used = {rule["legal_basis"] for rule in shown["rules"] if rule.get("legal_basis")}
    assert used
    assert set(shown["legal_bases"]) == used
    for basis in used:
        iri = LegalBasis(basis).iri
        assert shown["legal_bases"][basis]["iri"] == iri
        assert f"basis: {iri}" in text


def test_an_interrupted_import_says_what_holds(ready: Terminal) -> None:
    file = ready.folder / "choices.csv"
    rows = (f"p{number},train-genai,refused,2024-09-20T10:00:00Z\n" for number in range(60_000))
    file.write_text("person,purpose,state,at\n" + "".join(rows))
    before = events(ready)
    command = [sys.executable, "-m", "consentry", "--home", str(ready.home), "choice", "import", str(file)]
    running = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    with sqlite3.connect(ready.home / "ledger.db") as ledger:
        while ledger.execute("SELECT position FROM head").fetchone()[0] < before + 3_000:
            assert running.poll() is None
            time.sleep(0.01)
    running.send_signal(signal.SIGINT)
    out, notes = running.communicate(timeout=60)
    assert running.returncode == 130, notes
    assert out == ""
    assert "nothing half-done" not in notes
    found = re.search(r"at least ([\d,]+) choices were recorded", notes.replace("\n", " "))
    assert found, notes
    said = int(found[1].replace(",", ""))
    assert 2_000 <= said <= events(ready) - before <= said + 1_000


def test_the_demo_has_a_ledger_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CONSENTRY_HOME", str(tmp_path / "real"))
    monkeypatch.setenv("CONSENTRY_LEDGER_URL", f"sqlite:///{tmp_path}/real.db")
    with pytest.raises(SystemExit) as left:
        main(["demo", "--people", "60", "--items", "400", "--json"])
    shown = capsys.readouterr()
    assert left.value.code == 0, shown
    assert json.loads(shown.out)["after"]["counts"]["items"] == 400  # one document, and nothing else
    assert [each.name for each in tmp_path.iterdir()] == ["demo-home"]
    assert (tmp_path / "demo-home" / "ledger.db").is_file()
