"""What somebody meets who brings a network of their own: what is said when the files are not yet as they should be."""

from __future__ import annotations

import pytest

from consentry.cli.gap_words import nothing_eligible
from consentry.policy.expressions import GapKind
from consentry.policy.library import shipped
from end_to_end.network import RawItem, RawPerson, write_corpus, write_people
from end_to_end.terminal import Terminal, terminal

__all__ = ["terminal"]


def test_publishing_says_what_the_set_takes_the_place_of(terminal: Terminal) -> None:
    first = terminal.run("policy", "publish", "august-2024", as_json=False)
    assert "It decides about train-genai from now on; no set did before." in first
    found = terminal.run("policy", "publish", "september-2024")
    assert found["decides"][0]["purpose"] == "train-genai"
    assert found["decides"][0]["before"]["name"] == "august-2024"
    text = terminal.run("policy", "publish", "august-2024", as_json=False)
    version = found["version"]
    assert f"in place of september-2024 {version} (builds can still name that)." in " ".join(text.split())
    changed = terminal.folder / "changed.toml"
    changed.write_text(shipped()["august-2024"].replace('version = "', 'version = "next-', 1), "utf-8")
    assert ", in place of version " in terminal.run("policy", "publish", changed, as_json=False)


def words_of(text: str) -> str:
    """Return what was printed as one line: a terminal breaks lines where it likes."""
    return " ".join(text.split())


def test_a_plan_with_nothing_in_it_says_what_is_missing(terminal: Terminal) -> None:
    terminal.run("corpus", "register", write_corpus(terminal.folder, [[RawItem(id="a1", author="ada")] * 1]))
    terminal.run("policy", "publish", "september-2024")
    plan = ("release", "plan", "network", "--policy", "september-2024")
    nobody = words_of(terminal.run(*plan, as_json=False))
    assert "Nothing is eligible: people are named who stand in no people table, in all 1 item." in nobody
    terminal.run("people", "load", write_people(terminal.folder / "people", [RawPerson(id="ada", age=None)]))
    ageless = words_of(terminal.run(*plan, as_json=False))
    assert (
        "Nothing is eligible: nobody knows the age of somebody named in all 1 item. What helps: give `birth" in ageless
    )
    assert "Denied, by the first reason of each item" in ageless
    terminal.run("people", "load", write_people(terminal.folder / "people", [RawPerson(id="ada")]))
    assert "Nothing is eligible" not in terminal.run(*plan, as_json=False)


def test_another_text_under_the_same_version_is_named(terminal: Terminal) -> None:
    path = terminal.folder / "set.toml"
    text = shipped()["september-2024"]
    warned = []
    for each in (text, text, text + "\n# a word more\n"):
        path.write_text(each, "utf-8")
        assert terminal.run("policy", "publish", path)["other_text_before"] is (each != text)
        said = words_of(terminal.run("policy", "publish", path, as_json=False))
        warned.append("was published before from another text" in said)
    assert warned == [False, False, True]


def test_every_gap_says_what_to_give() -> None:
    for gap in GapKind:
        text = nothing_eligible({gap: 3}, by_reason={f"gap:{gap}": 3, "refused": 2}, items=5)
        assert text.startswith("Nothing is eligible: ")
        assert " 3 items. What helps: " in text
    people = {f"involved:gap:{GapKind.PERSON}": 5}
    assert nothing_eligible({GapKind.AGE: 5, GapKind.PERSON: 5}, by_reason=people, items=5) == nothing_eligible(
        {GapKind.PERSON: 5}, by_reason=people, items=5
    )
    assert nothing_eligible({}, by_reason={"refused": 5}, items=5) == ""


def test_what_is_missing_is_not_advised_where_something_else_is_in_the_way() -> None:
    few = {f"gap:{GapKind.OWNER}": 4, "refused": 10, "forbidden:europe": 16}
    assert nothing_eligible({GapKind.OWNER: 4}, by_reason=few, items=30) == ""
    unpermitted = {f"gap:{GapKind.OWNER}": 4, "not-permitted": 20, "involved:not-permitted": 2, "refused": 4}
    text = nothing_eligible({GapKind.OWNER: 4}, by_reason=unpermitted, items=30)
    assert "permits this use of none of 22 items" in text
    assert "consentry policy show NAME" in text


def test_people_in_no_table_are_counted_where_they_are_named(terminal: Terminal) -> None:
    items = [
        RawItem(id="a1", author="ada"),
        RawItem(id="b1", author="bö", involves=("cy",)),
        RawItem(id="b2", author="bö"),
    ]
    path = write_corpus(terminal.folder, [items])
    first = words_of(terminal.run("corpus", "register", path, as_json=False))
    assert "No people table is loaded yet: nothing is known of 3 people that the content names." in first
    people = write_people(terminal.folder / "people", [RawPerson(id="ada")])
    assert terminal.run("people", "load", people)["in_no_table"] == 2
    text = words_of(terminal.run("people", "load", people, as_json=False))
    assert "2 people that content names, of this corpus or another, are in no people table" in text
    assert terminal.run("corpus", "register", path)["in_no_table"] == 2
    terminal.run("people", "erase", "bö", "--yes")
    assert terminal.run("corpus", "register", path)["in_no_table"] == 1
    terminal.run("people", "load", write_people(terminal.folder / "people", [RawPerson(id=i) for i in ("ada", "cy")]))
    assert "in no people table" not in terminal.run("corpus", "register", path, as_json=False)


def test_words_that_nobody_can_read_are_listed_with_the_lines_that_mend_them(terminal: Terminal) -> None:
    items = [RawItem(id="a1", author="ada", category="POST", visibility="Public")]
    odd = [RawItem(id="a2", author="ada", category="Share", visibility="PUBLIC")]
    text = words_of(terminal.run("corpus", "register", write_corpus(terminal.folder, [items, odd]), as_json=False))
    assert '[categories] "Share" = "unknown"' in text
    assert "POST" not in text
    assert "PUBLIC" not in text
    people = [RawPerson(id=f"p{n}", country="Narnia", account="ACTIVE") for n in range(10)]
    people += [RawPerson(id="q", country="Atlantis", age="Adult", account="Odd one")]
    path = write_people(terminal.folder / "people", people)
    report = terminal.run("people", "load", path)
    assert report["unknown_words"] == {"country": {"Narnia": 10}, "account": {"Odd one": 1}}
    assert (report["rare_countries"], report["unknown_ages"], report["unresolved"]) == (1, 0, 11)
    text = words_of(terminal.run("people", "load", path, as_json=False))
    assert "Atlantis" not in text, "so few have it that it might point at somebody"
    assert '[accounts] "Odd one" = "unknown"' in text
    assert "A country is a code of ISO 3166" in text
    assert "no country established 11" in text


@pytest.mark.parametrize("installed", [True, False])
def test_without_the_cities_a_location_says_how_to_get_them(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch, installed: bool
) -> None:
    monkeypatch.setattr("consentry.cli.people.is_installed", lambda _: installed)
    path = write_people(terminal.folder / "people", [RawPerson(id="ada")])
    assert "extras" not in terminal.run("people", "load", path, as_json=False)
    path.write_text(path.read_text("utf-8").replace('country = "country"', 'location = "country"'), "utf-8")
    assert ("./run extras cities" in terminal.run("people", "load", path, as_json=False)) is not installed
