"""A choice about an id that nothing here has is kept, and said: a list may hold other ids than the tables."""

from __future__ import annotations

from typing import Any

from end_to_end.terminal import Terminal
from end_to_end.terminal import ready as ready  # noqa: PLC0414 - a fixture
from end_to_end.terminal import terminal as terminal  # noqa: PLC0414 - a fixture

AT = "refused,2024-09-20T10:00:00Z"
NONE = {"choices": 0, "where": []}


def imported(ready: Terminal, *rows: str, as_json: bool = True) -> Any:
    file = ready.folder / "said.csv"
    file.write_text("\n".join(("person,state,at,purpose,items", *rows)) + "\n", encoding="utf-8")
    return ready.run("choice", "import", file, "--corpus", "network", as_json=as_json)


def test_an_import_counts_people_and_items_that_nothing_here_has(ready: Terminal) -> None:
    file = ready.folder / "said.csv"
    known = imported(ready, f"ada,{AT},train-genai,", f"bö,{AT},train-genai,é1")
    assert known.pop("recorded") == 2
    assert known == dict.fromkeys(("unknown_people", "unknown_items", "without_notice", "erased"), NONE)
    rows = [f"ada,{AT},train-genai,", f"ada ,{AT},train-genai,", f"bö,{AT},train-genai,a1;gone", f"7,{AT},train-genai,"]
    for _ in range(2):  # having chosen makes nobody known
        found = imported(ready, *rows)
        assert found["recorded"] == 4
        assert found["unknown_people"] == {"choices": 2, "where": [f"{file}:3", f"{file}:5"]}
        assert found["unknown_items"] == {"choices": 1, "where": [f"{file}:4"]}
    text = imported(ready, *rows, as_json=False).replace("\n", " ")
    assert "4 choices recorded." in text
    assert "2 choices are about people whom no people table and no item here knows" in text
    assert "1 choice is about items that corpus `network` does not have" in text


def test_of_many_the_first_lines_are_named(ready: Terminal) -> None:
    found = imported(ready, *(f"stranger-{number},{AT},train-genai," for number in range(50)))["unknown_people"]
    assert (found["choices"], [each.rsplit(":", 1)[1] for each in found["where"]]) == (50, ["2", "3", "4", "5", "6"])


def test_one_choice_says_so_as_well_and_is_recorded(ready: Terminal) -> None:
    plain = ready.run("choice", "record", "ada", "refused")
    assert (plain["unknown_person"], plain["unknown_items"]) == (False, False)
    strange = ready.run("choice", "record", "adda", "refused", "--item", "a1", "--item", "a2", "--corpus", "network")
    assert strange == {
        "position": plain["position"] + 1,
        "stays": None,
        "without_notice": False,
        "unknown_person": True,
        "unknown_items": True,
    }
    text = ready.run("choice", "record", "adda", "refused", as_json=False)
    assert "No people table and no item here knows this person" in text
    assert len(ready.run("choice", "show", "adda")["choices"]) == 2


def test_who_asks_what_used_the_content_of_an_unknown_id_is_told_so(ready: Terminal) -> None:
    line = "No people table and no item here knows this person: check the id."
    for person, unknown in (("adda", True), ("ada", False)):
        assert ready.run("people", "uses", person)["unknown_person"] == unknown
        text = ready.run("people", "uses", person, as_json=False)
        assert "No release was sealed with an item" in text
        assert (line in text) == unknown
    ready.run("people", "erase", "ada", "--yes")
    assert not ready.run("people", "uses", "ada")["unknown_person"]


def test_a_yes_that_names_no_notice_counts_and_is_told(ready: Terminal) -> None:
    columns, when = "person,at,purpose,state,notice", "2025-01-02T00:00:00Z"
    rows = [f"ada,{when},train-genai,{word}" for word in ("refused,", "allowed,", "allowed,genai-2025", "unset,")]
    file = ready.folder / "said.csv"
    file.write_text("\n".join([columns, *rows]))
    found = ready.run("choice", "import", str(file))["without_notice"]
    assert (found["choices"], [each.rsplit(":", 1)[1] for each in found["where"]]) == (2, ["3", "5"])
    assert "2 of them are no refusals and name no notice" in ready.run("choice", "import", str(file), as_json=False)
    assert ready.run("choice", "record", "ada", "allowed")["without_notice"]
    said = ready.run("choice", "record", "newbie", "allowed", as_json=False)
    assert "It is no refusal and names no notice" in said
    assert not ready.run("choice", "record", "ada", "allowed", "--notice", "genai-2025")["without_notice"]


def test_of_somebody_who_was_erased_nothing_is_kept(ready: Terminal) -> None:
    ready.run("people", "erase", "ada", "--yes")
    ready.fails("choice-person-erased", "choice", "record", "ada", "refused")
    found = imported(ready, f"ada,{AT},train-genai,", f"bö,{AT},train-genai,")
    assert (found["recorded"], found["erased"]["choices"]) == (1, 1)
    assert "1 choice left out" in imported(ready, f"ada,{AT},train-genai,", as_json=False)
    assert ready.run("choice", "show", "ada")["choices"] == []


def test_an_account_of_somebody_known_is_known(ready: Terminal) -> None:
    ready.run("people", "link", "ada", "ada-2")
    assert not ready.run("choice", "record", "ada-2", "refused")["unknown_person"]


def test_with_nothing_to_hold_them_against_nobody_is_called_unknown(terminal: Terminal) -> None:
    assert not terminal.run("choice", "record", "ada", "refused")["unknown_person"]
    assert not terminal.run("people", "uses", "ada")["unknown_person"]
