"""What changed between two releases in counts: beside the items that changed sides, all counts of both manifests."""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from end_to_end.network import RawItem, RawPerson, write_corpus, write_people
from end_to_end.terminal import Terminal
from end_to_end.terminal import terminal as terminal  # noqa: PLC0414 - a fixture

EXAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "network"

WINDOW = """
[policy_set]
name = "window"
version = "1"
title.en = "What was made since March 2024"
purposes = ["train-genai"]

[[permit]]
id = "new"
why.en = "Only new content is used."
legal_basis = "legitimate-interests"
age = ["adult"]
created = { from = 2024-03-03 }
"""
"""The sixth item has no author: it is left out whenever it was made."""


@pytest.fixture
def example(terminal: Terminal) -> Terminal:
    """The network of six items that the README shows."""
    shutil.copytree(EXAMPLE, terminal.folder / "example")
    content = terminal.folder / "content"
    terminal.run(
        *("import", "tabular", terminal.folder / "example" / "corpus.toml", content),
        *("--people", terminal.folder / "example" / "people.toml"),
    )
    terminal.run("people", "load", content / "people.toml")
    terminal.run("corpus", "register", content / "corpus.toml")
    terminal.run("policy", "publish", "september-2024")
    return terminal


def built(terminal: Terminal, corpus: str = "network", *, policy: str = "september-2024") -> dict[str, Any]:
    made: dict[str, Any] = terminal.run("release", "build", corpus, "--policy", policy)
    return made


def side(counts: Mapping[str, Mapping[str, Any]], which: str) -> dict[str, Any]:
    """Return one side of what `diff` counts, without what that side has nothing of."""
    return {name: each[which] for name, each in counts.items() if each[which] not in (0, {"eligible": 0, "denied": 0})}


def agrees(found: Mapping[str, Any], before: Mapping[str, Any], after: Mapping[str, Any]) -> None:
    for which, manifest in (("before", before), ("after", after)):
        for split in ("by_reason", "by_gap", "by_place", "by_category", "by_licence"):
            assert side(found["counts"][split], which) == manifest["counts"][split], (which, split)
    eligible = [sum(each[which]["eligible"] for each in found["counts"]["by_place"].values()) for which in SIDES]
    assert eligible == [found[which]["eligible"] for which in SIDES]
    moved = {move["from"]: 0 for move in found["moves"]} | {"eligible": 0}
    for move in found["moves"]:
        moved[move["from"]] -= move["items"]
        moved[move["to"]] = moved.get(move["to"], 0) + move["items"]
    assert moved["eligible"] == found["eligible_change"]


SIDES = ("before", "after")


def test_an_item_that_is_denied_for_another_reason_shows_in_the_counts(example: Terminal) -> None:
    before = built(example)
    example.run("choice", "record", "dee", "refused")  # whose whereabouts nobody knows: denied already
    after = built(example)
    words = ("release", "diff", before["release"], after["release"])
    found = example.run(*words)
    assert (found["eligible_change"], found["moves"]) == (0, [])
    agrees(found, before, after)
    changed = {name: each for name, each in found["counts"]["by_reason"].items() if each["before"] != each["after"]}
    assert changed["refused"] == {"before": 0, "after": 1}
    assert len(changed) == 2
    assert sum(each["after"] - each["before"] for each in changed.values()) == 0
    assert list(found["counts"]["by_reason"])[:2] == sorted(changed)
    text = example.run(*words, as_json=False)
    assert re.search(r"refused +0 +1 +\+1\b", text)
    gap = found["counts"]["by_gap"]["residence-unknown"]
    assert gap["after"] == gap["before"] > 0, "it has its gap all the same"
    assert "Gaps" not in text
    assert "By place" not in text, "no place has more or fewer"


def test_gaps_and_licences_show_where_they_differ(terminal: Terminal) -> None:
    licences = ("CC BY 4.0", "CC BY 4.0", "CC BY-SA 3.0", None)
    items = [
        RawItem(id=f"a{number}", author=author, licence=licence)
        for number, (author, licence) in enumerate(zip(("ada", "bo", "bo", "cy"), licences, strict=True))
    ]
    terminal.run("corpus", "register", write_corpus(terminal.folder, [items]))
    terminal.run("policy", "publish", "september-2024")
    made = []
    for country in (None, "US"):
        people = [RawPerson(id="ada"), RawPerson(id="bo", country=country), RawPerson(id="cy")]
        terminal.run("people", "load", write_people(terminal.folder / "people", people))
        made.append(built(terminal))
    words = ("release", "diff", *(each["release"] for each in made))
    found = terminal.run(*words)
    agrees(found, *made)
    assert found["counts"]["by_gap"] == {"residence-unknown": {"before": 2, "after": 0}}
    split = found["counts"]["by_licence"]
    assert list(split) == ["CC BY 4.0", "CC BY-SA 3.0", ""], "what differs first"
    both = split["CC BY 4.0"]
    assert (both["before"], both["after"]) == ({"denied": 1, "eligible": 1}, {"denied": 0, "eligible": 2})
    text = terminal.run(*words, as_json=False)
    assert re.search(r"Gaps\n.*\nresidence-unknown +2 +0 +-2\b", text)
    assert re.search(r"By licence\n.*\nCC BY 4\.0 +1 +2 +1 +0\nCC BY-SA 3\.0 +0 +1 +1 +0\n", text)
    assert "(none)" not in text, "of no licence nothing differs"


def test_items_that_changed_sides_show_in_both(example: Terminal) -> None:
    before = built(example)
    example.run("choice", "record", "bob", "refused")
    after = built(example)
    words = ("release", "diff", before["release"], after["release"])
    found = example.run(*words)
    agrees(found, before, after)
    assert found["moves"] == [{"from": "eligible", "to": "refused", "items": -found["eligible_change"]}]
    text = example.run(*words, as_json=False)
    for heading in ("Denied, by the first reason of each item", "By place", "By category"):
        assert heading in text
    assert "By licence" not in text, "none is named"
    assert max(map(len, text.splitlines())) <= 80


def test_the_counts_of_a_generated_network_agree_with_the_manifests(terminal: Terminal) -> None:
    from consentry.connectors.synthetic.generate import generate

    content = terminal.folder / "network"
    generate(content, people=300, items=3_000, seed=5)
    terminal.run("people", "load", content / "people.toml")
    terminal.run("corpus", "register", content / "corpus.toml")
    terminal.run("policy", "publish", "september-2024")
    before = built(terminal, "synthetic-network")
    terminal.run("choice", "import", content / "choices.csv")
    terminal.run("policy", "publish", "november-2025")
    for policy in ("september-2024", "november-2025"):
        after = built(terminal, "synthetic-network", policy=policy)
        found = terminal.run("release", "diff", before["release"], after["release"])
        agrees(found, before, after)
        assert found["moves"]
        before = after


def test_a_what_if_says_what_a_census_cannot_tell_as_a_plan_does(example: Terminal, tmp_path: Path) -> None:
    rules = tmp_path / "window.toml"
    rules.write_text(WINDOW)
    words = ("network", "--policy", rules)
    plan = example.run("release", "plan", *words)
    assert (plan["undecided"], plan["involving_several"]) == (5, 1)
    found = example.run("what-if", *words, "--suspend", "IN")["corpora"]["network"]
    assert (found["undecided"], found["involving_several"]) == (5, 1)
    shown = example.run("what-if", *words, "--suspend", "IN", as_json=False)
    assert "5 items depend on when they were created: a census cannot tell." in shown
    assert "1 item involves several people and may be denied because of them." in shown
    assert "1 item involves several" in example.run("release", "plan", *words, as_json=False)


def test_a_what_if_is_silent_about_what_is_not_there(terminal: Terminal) -> None:
    folder = terminal.folder
    terminal.run("corpus", "register", write_corpus(folder, [[RawItem(id="a1", author="ada", created=5)]]))
    terminal.run("people", "load", write_people(folder / "people", [RawPerson(id="ada")]))
    shown = terminal.run("what-if", "network", "--policy", "september-2024", "--suspend", "US", as_json=False)
    assert "eligible 1 -> 0" in shown
    assert "depend" not in shown
    assert "involve" not in shown
