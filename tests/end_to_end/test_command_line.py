"""The command line: what it prints, and how it ends."""

from __future__ import annotations

import io
import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from consentry.cli.main import main
from consentry.policy.library import shipped
from end_to_end.network import Form, RawItem, RawPerson, write_corpus, write_items, write_people
from end_to_end.terminal import Terminal, build
from end_to_end.terminal import ready as ready  # noqa: PLC0414 - a fixture
from end_to_end.terminal import terminal as terminal  # noqa: PLC0414 - a fixture


@pytest.mark.parametrize(
    ("at", "code"),
    [("1957-12-31", "release-time-too-early"), ("0", "release-time-too-early"), ("2999-01-01", "release-time-to-come")],
)
def test_times_no_release_is_decided_as_of(ready: Terminal, at: str, code: str) -> None:
    ready.fails(code, "release", "build", "network", "--policy", "september-2024", "--at", at)
    assert ready.run("release", "list")["releases"] == []


def test_a_compact_date_is_not_taken_for_seconds(ready: Terminal) -> None:
    words = ("release", "plan", "network", "--policy", "september-2024", "--at", "20240920")
    assert "2024-09-20" in ready.run(*words, status=2)["error"]["message"]


def test_a_reason_is_one_line(ready: Terminal) -> None:
    words = ("release", "withdraw", build(ready)["release"], "--by", "olga", "--yes", "--reason")
    for reason in ("one\ntwo", "a\x1b[31m"):
        assert "one line" in ready.run(*words, reason, status=2)["error"]["message"]
    assert ready.run("release", "list")["releases"][0]["withdrawn"] is None


def test_the_whole_way(ready: Terminal) -> None:
    assert ready.run("corpus", "list")["corpora"][0]["name"] == "network"
    assert ready.run("corpus", "show", "network")["items"] == 3
    assert ready.run("release", "plan", "network", "--policy", "september-2024")["counts"]["eligible"] == 2
    first = build(ready)
    assert first["counts"]["eligible"] == 2
    assert ready.run("choice", "record", "bö", "refused")["position"] == first["position"] + 1
    assert [each["choice"]["state"] for each in ready.run("choice", "show", "bö")["choices"]] == ["refused"]
    assert ready.run("choice", "record", "bö", "refused", "--reach", "future")["stays"] == "untrained"
    second = build(ready)
    shown = ready.run("release", "show", second["release"])
    assert shown == {key: value for key, value in second.items() if key != "digest"} | {
        "withdrawn": None,
        "barred": None,
        "amendments": [],
    }
    assert ready.run("release", "explain", first["release"], "é1")["allowed"]
    denied = ready.run("release", "explain", second["release"], "é1", status=3)
    assert denied["people"][0]["choices"][0]["state"] == "refused"
    moves = ready.run("release", "diff", first["release"], second["release"])["moves"]
    assert moves == [{"from": "eligible", "to": "refused", "items": 1}]
    assert ready.run("release", "verify", second["release"], "--decide")["ok"]
    assert Path(ready.run("release", "table", second["release"])["metadata"]).is_file()
    assert [each["release"] for each in ready.run("release", "list")["releases"]] == [
        first["release"],
        second["release"],
    ]
    found = ready.run("what-if", "--suspend", "US", "--policy", "september-2024")
    assert found["corpora"]["network"]["eligible"]["after"] < found["corpora"]["network"]["eligible"]["before"]
    assert ready.run("people", "erase", "ada", "--yes")["erased"] == 1
    assert build(ready)["counts"]["eligible"] == 0


def test_a_what_if_goes_by_the_set_that_decides_and_not_by_the_newest(ready: Terminal) -> None:
    named = ready.run("what-if", "--suspend", "US", "--policy", "september-2024")
    ready.run("policy", "publish", "opt-in-only")
    asked = ready.run("what-if", "--suspend", "US")
    assert asked["policy"]["name"] == "september-2024"
    assert asked["corpora"] == named["corpora"]
    ready.run("policy", "withdraw", "september-2024")
    assert ready.run("what-if", "--suspend", "US")["policy"]["name"] == "opt-in-only"
    ready.run("policy", "withdraw", "opt-in-only")
    ready.run("what-if", "--suspend", "US", status=2)


def test_every_table_can_be_printed(ready: Terminal) -> None:
    name = build(ready)["release"]
    ready.run("choice", "record", "ada", "refused", "--category", "post")
    other = build(ready)["release"]
    for words in (
        ("policy", "list"),
        ("corpus", "list"),
        ("corpus", "show", "network"),
        ("choice", "show", "ada"),
        ("choice", "show", "nobody"),
        ("release", "list"),
        ("release", "show", name),
        ("release", "plan", "network", "--policy", "september-2024"),
        ("release", "diff", name, other),
        ("release", "verify", name),
        ("what-if", "network", "--suspend", "BR", "--policy", "september-2024"),
    ):
        assert ready.run(*words, as_json=False).strip()
    assert "refused" in ready.run("release", "explain", other, "a1", status=3, as_json=False)


def test_dates_out_of_range_are_shown_apart_from_those_that_are_missing(terminal: Terminal) -> None:
    made = (None, -1, -2, 5)
    items = [RawItem(id=f"a{number}", author="ada", created=at) for number, at in enumerate(made)]
    corpus = write_corpus(terminal.folder, [items], form=Form(created="seconds"))
    text = terminal.run("corpus", "register", corpus, as_json=False)
    (heads, cells) = (line.split("  ") for line in text.splitlines() if "0.parquet" in line or "no author" in line)
    assert [each.strip() for each in heads if each.strip()][-2:] == ["no date", "date out of range"]
    assert " ".join(cells).split()[-2:] == ["1", "2"]
    (file,) = terminal.run("corpus", "show", "network")["files"]
    assert (file["unknown_dates"], file["dates_out_of_range"]) == (3, 2)


def test_dates_to_come_are_pointed_out(terminal: Terminal) -> None:
    now = int(time.time())
    for made, ahead in (((1, now, now + 3_600, None), 0), ((1, now + 90_000, 2**32 - 2, None), 2)):
        items = [RawItem(id=f"a{number}", author="ada", created=at) for number, at in enumerate(made)]
        corpus = write_corpus(terminal.folder, [items], form=Form(created="seconds"))
        text = terminal.run("corpus", "register", corpus, as_json=False)
        assert ("2 items dated in the future" in text) is bool(ahead)
        (file,) = terminal.run("corpus", "show", "network")["files"]
        assert (file["dates_to_come"], file["dates_out_of_range"]) == (ahead, 0)


def test_a_set_in_force_is_shown_and_compared_by_its_name(ready: Terminal) -> None:
    own = ready.folder / "own.toml"
    own.write_text(shipped()["opt-in-only"].replace('name = "opt-in-only"', 'name = "own-set"'), "utf-8")
    ready.fails("policy-file-missing", "policy", "show", "own-set")
    ready.run("policy", "publish", own)
    own.unlink()
    assert ready.run("policy", "show", "own-set")["name"] == "own-set"
    assert ready.run("policy", "diff", "opt-in-only", "own-set")["lines"][0] == "no answer changes"
    assert "own-set" in ready.fails("policy-file-missing", "policy", "show", "ownset")["help"]


def test_a_set_in_force_goes_before_the_shipped_one_of_its_name(ready: Terminal) -> None:
    own = ready.folder / "own.toml"
    own.write_text(shipped()["opt-in-only"].replace('title.en = "', 'title.en = "Ours: '), "utf-8")
    theirs = ready.run("policy", "show", "opt-in-only")["title"]
    assert "shipped one" not in ready.run("policy", "show", "opt-in-only", as_json=False)
    ready.run("policy", "publish", own)
    assert ready.run("policy", "show", "opt-in-only")["title"] == f"Ours: {theirs}"
    assert "in force here, and not the shipped one" in ready.run("policy", "show", "opt-in-only", as_json=False)
    (document,) = [
        each for each in (ready.home / "objects").iterdir() if each.is_file() and b"Ours: " in each.read_bytes()
    ]
    document.rename(ready.folder / "aside")
    text = ready.run("policy", "show", "opt-in-only", as_json=False)
    assert "this is the shipped text. What is in force here cannot be read" in " ".join(text.split())
    assert ready.run("policy", "show", "opt-in-only")["title"] == theirs
    (ready.folder / "aside").rename(document)
    ready.run("policy", "withdraw", "opt-in-only")
    assert "it was withdrawn here. This is the shipped text." in ready.run(
        "policy", "show", "opt-in-only", as_json=False
    )
    assert ready.run("policy", "show", "opt-in-only")["title"] == theirs


def test_where_a_choice_came_from_and_the_notice_that_was_seen_are_shown(ready: Terminal) -> None:
    ready.run("choice", "record", "ada", "refused", "--source", "settings", "--notice", "genai-2024")
    ready.run("choice", "record", "ada", "unset", "--category", "profile", "--reach", "everything")
    lines = ready.run("choice", "show", "ada", as_json=False).splitlines()
    came = [line.split() for line in lines[lines.index("How they came") + 1 :]]
    assert came == [
        ["position", "account", "source", "notice", "seen"],
        ["3", "this", "one", "settings", "genai-2024"],
        ["4", "this", "one", "form", "-"],
    ]
    assert max(map(len, lines)) <= 80


def test_what_was_said_on_a_linked_account_is_shown_as_well(ready: Terminal) -> None:
    ready.run("people", "link", "ada", "bö")
    ready.run("choice", "record", "bö", "refused")
    ready.run("choice", "record", "ada", "allowed")
    for asked, marks in {"ada": [True, False], "bö": [False, True]}.items():
        shown = ready.run("choice", "show", asked)["choices"]
        assert [each["choice"]["state"] for each in shown] == ["refused", "allowed"]
        assert [each["another_account"] for each in shown] == marks
    assert "another   form" in ready.run("choice", "show", "ada", as_json=False)


@pytest.mark.parametrize("chose_before", [True, False])
def test_what_left_a_release_is_explained_with_choices_of_the_seal_if_there_are_any(
    ready: Terminal, chose_before: bool
) -> None:
    if chose_before:
        ready.run("choice", "record", "ada", "allowed")
    release = build(ready)["release"]
    ready.run("choice", "record", "ada", "refused", "--reach", "everything")
    shown = ready.run("release", "explain", release, "a1", as_json=False, status=3)
    assert "removed by amendment 1" in shown
    assert ("The choices above are those of the seal" in shown) == ("    chose " in shown) == chose_before


def test_what_somebody_involved_is_the_reason_for_is_counted_as_theirs(ready: Terminal) -> None:
    write_corpus(ready.folder, [[RawItem(id="a1", author="ada", involves=("bo",)), RawItem(id="b1", author="bo")]])
    ready.run("corpus", "register", str(ready.folder / "corpus.toml"))
    ready.run("choice", "record", "bo", "refused")
    release, line = build(ready)["release"], "the counts have it under involved:refused"
    assert line in ready.run("release", "explain", release, "a1", as_json=False, status=3)
    assert ready.run("release", "explain", release, "a1", status=3)["counted_as"] == "involved:refused"
    assert "counts have it" not in ready.run("release", "explain", release, "b1", as_json=False, status=3)
    assert ready.run("release", "show", release)["counts"]["by_reason"] == {"involved:refused": 1, "refused": 1}


def test_one_thing_is_not_several(terminal: Terminal) -> None:
    item = RawItem(id="a1", author="ada", involves=("bo",))
    corpus = write_corpus(terminal.folder, [[item]])
    assert "network: 1 item in 1 file" in terminal.run("corpus", "register", corpus, as_json=False)
    assert "1 event, gapless" in terminal.run("ledger", "verify", as_json=False)
    shown = terminal.run("release", "plan", "network", "--policy", "september-2024", as_json=False)
    assert "1 item: 0 eligible" in shown
    assert "1 item involves several people" in shown
    write_items(terminal.folder / "items" / "0.parquet", [item, item])
    assert (
        "1 item has an id that another"
        in terminal.fails("corpus-duplicate-item-id", "corpus", "register", corpus)["message"]
    )
    twice = write_people(terminal.folder / "people", [RawPerson(id="ada"), RawPerson(id="ada")])
    assert "1 row repeats an id" in terminal.fails("people-duplicate-id", "people", "load", twice)["message"]


def test_how_a_command_ends(ready: Terminal) -> None:
    ready.run("release", "build", status=2, as_json=False)
    ready.run("release", "build", "network", "--policy", "september-2024", "--purpose", "fun", status=2)
    ready.run("what-if", "--suspend", "ATLANTIS", "--policy", "september-2024", status=2)
    ready.run("choice", "record", "ada", "refused", "--item", "a1", status=2)
    name = build(ready)["release"]
    (ready.home / "releases" / name / "tallies.json").write_bytes(b"[]")
    wrong = ready.run("release", "verify", name, status=3)
    assert not wrong["ok"]
    assert [each["code"] for each in wrong["checks"] if each["problem"]] == ["release-damaged"]
    (ready.home / "releases" / name / "manifest.json").write_bytes(b"{}")
    assert not ready.run("release", "verify", name, status=3)["ok"]
    assert "WRONG" in ready.run("release", "verify", name, status=3, as_json=False)


def test_what_is_not_there(ready: Terminal) -> None:
    ready.fails("release-unknown", "release", "show", "nothing")
    ready.fails("release-unknown", "release", "verify", "nothing")
    ready.fails("corpus-unknown", "corpus", "show", "nothing")
    ready.fails("policy-not-published", "release", "build", "network", "--policy", "nothing")
    ready.fails("policy-file-missing", "policy", "publish", "nothing")
    ready.fails("item-unknown", "release", "explain", build(ready)["release"], "nothing")
    ready.fails("descriptor-unreadable", "corpus", "register", ready.folder / "no.toml")
    ready.fails("descriptor-unreadable", "people", "load", ready.folder / "no.toml")


def test_a_set_is_taken_out_of_force_and_put_in_force_again(terminal: Terminal) -> None:
    terminal.run("policy", "publish", "september-2024")
    terminal.fails("policy-not-published", "policy", "withdraw", "august-2024")
    assert terminal.run("policy", "withdraw", "september-2024")["position"] == 1
    terminal.fails("policy-withdrawn", "policy", "withdraw", "september-2024")
    terminal.run("policy", "publish", "september-2024")
    shown = terminal.run("policy", "withdraw", "september-2024", as_json=False)
    assert shown == "september-2024 is out of force from position 3 on.\n"


def test_erasing_asks_first(ready: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("n\n"))
    ready.run("people", "erase", "ada", status=1, as_json=False)
    monkeypatch.setattr("sys.stdin", io.StringIO(""))  # as where a program runs it
    assert "--yes" in ready.run("people", "erase", "ada", status=2, as_json=False)
    assert build(ready)["counts"]["eligible"] == 2


@pytest.fixture
def big(ready: Terminal) -> Terminal:
    items = [RawItem(id=f"i{number}", author=f"p{number % 97}") for number in range(60_000)]
    write_items(ready.folder / "items" / "9.parquet", items, Form(rows_per_group=10_000))
    ready.run("corpus", "register", ready.folder / "corpus.toml")
    return ready


def start(terminal: Terminal, *words: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "consentry", "--home", str(terminal.home), *words]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def test_ctrl_c_leaves_nothing(big: Terminal) -> None:
    for pause in (0.35, 0.5, 0.6, 0.7, 0.8, 1.0):
        running = start(big, "release", "build", "network", "--policy", "september-2024")
        time.sleep(pause)
        running.send_signal(signal.SIGINT)
        _, notes = running.communicate(timeout=60)
        assert running.returncode in (0, 1, 130, -signal.SIGINT), notes  # -2, 1: before Python was ready for it
        said = b"interrupted; nothing half-done was left behind" in notes
        # Interrupted while its programs are read in, it has begun nothing and says nothing.
        assert (said or not notes) if running.returncode == 130 else not said, (running.returncode, notes)
        assert (running.returncode == 1) <= (b"Traceback" in notes), notes
        named = {each["release"] for each in big.run("release", "list")["releases"]}
        folders = {each.name for each in (big.home / "releases").glob("*")}
        assert folders == named
        for name in named:
            assert big.run("release", "verify", name)["ok"]
    assert build(big)["counts"]["items"] == 60_003


def test_a_reader_that_stops_reading_is_no_error(ready: Terminal) -> None:
    running = start(ready, "policy", "list", "--json")
    assert running.stdout is not None
    running.stdout.close()
    assert running.stderr is not None
    notes = running.stderr.read()
    running.stderr.close()
    running.wait(60)
    assert b"Traceback" not in notes


def test_locating_says_what_each_signal_does(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CONSENTRY_HOME", raising=False)

    def locate(*words: str, status: int = 0) -> str:
        with pytest.raises(SystemExit) as left:
            main(["people", "locate", *words])
        shown = capsys.readouterr()
        assert left.value.code == status, shown
        return shown.out + shown.err

    signals = ("--country", "gb", "--phone", "+1 604 555 0100", "--time-zone", "Europe/Dublin", "--locale", "tlh")
    assert json.loads(locate(*signals, "--json")) == {
        "places": ["CA", "GB", "IE"],
        "established": True,
        "evidence": [
            {"signal": "country", "form": "code", "places": ["GB"], "strength": "establishes"},
            {"signal": "phone", "form": "telephone number", "places": ["CA"], "strength": "establishes"},
            {"signal": "locale", "form": "not understood", "places": [], "strength": None},
            {"signal": "time-zone", "form": "time zone", "places": ["IE"], "strength": "holds"},
        ],
    }
    assert "in CA, GB, IE\n" in locate(*signals)
    assert "in IE, not established: a gap" in locate("--ip-country", " ", "--time-zone", "Europe/Dublin")
    assert "whereabouts unknown, not established" in locate("--location", "the sofa")
    assert "no weaker signal" in locate("--country", "Narnia", "--location", "Texas")
    assert "nobody knows which" in locate("--country", "US", "--location", "now in Smalltown")
    assert "at least one signal" in locate(status=2)
    assert "at least one signal" in locate("--location", "", status=2)
    assert list(tmp_path.iterdir()) == [], "it needs no deployment, and makes none"


def test_a_language_of_a_notice_is_written_in_one_way(ready: Terminal) -> None:
    texts = {code: ready.folder / f"{code}.txt" for code in ("en", "cy")}
    for code, file in texts.items():
        file.write_text(f"What we use ({code})", "utf-8")
    write = ("notice", "write", "n1", texts["en"], "--channel", "mail", "--audience", "all", "--language")
    made = ready.run(*write, "EN_gb", "--also", f"CY={texts['cy']}")
    assert made["languages"] == ["en-GB", "cy"]
    assert "What we use (cy)" in ready.run("notice", "show", "n1", "--text", as_json=False)
    ready.fails("notice-language-twice", *write, "en", "--language", "EN")
    ready.fails("notice-language-twice", *write, "en_GB", "--also", f"en-GB={texts['cy']}")
    also = ("--also", f"cy={texts['cy']}", "--also", f"cym={texts['cy']}")
    twice = ready.fails("notice-language-twice", *write, "en", *also)
    assert twice["message"] == "notice `n1` has two texts in `cy`"
    unknown = ready.fails("notice-language-unknown", *write, "en", "--also", f"Welsh={texts['cy']}")
    assert unknown["message"] == "`Welsh` is no language that is known"
    ready.fails("notice-language-unknown", *write, "xx")
    (listed,) = ready.run("notice", "list")["notices"]
    assert len(listed["versions"]) == 1, "nothing was written by what was refused"


def test_a_policy_set_is_checked_for_languages(terminal: Terminal) -> None:
    whole = [word for code in ("en", "cy", "fr", "de", "es", "ar") for word in ("--language", code)]
    assert terminal.run("policy", "check", *whole, *shipped())["problems"] == []
    found = terminal.run("policy", "check", "--language", "it", "opt-in-only", status=3)["problems"]
    assert {each["code"] for each in found} == {"policy-not-translated"}
    assert [each["where"].partition(":")[0] for each in found] == ["opt-in-only.toml"] * 4
    assert (
        "no language"
        in terminal.run("policy", "check", "--language", "EN", "opt-in-only", status=2)["error"]["message"]
    )
    shown = terminal.run("policy", "show", "opt-in-only")
    assert set(shown["title_in"]) == {"cy", "fr", "de", "es", "ar"}
    assert "title (cy): Dim ond" in terminal.run("policy", "show", "opt-in-only", as_json=False)
