"""`consentry demo --stackexchange DIR` on a real dump: every figure is counted again here, from the XML itself.

What is taken from Consentry is what one location text means, and nothing else: who wrote what, whose words are in a
post, who may be where, and what follows for each item by the rules of August 2024 is worked out here.
Where there is no real dump, it is the one that is made up beside this.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner

from consentry.bootstrap import open_deployment
from consentry.cli.main import cli
from consentry.cli.people import resolved
from consentry.corpus.residence import Signals, resolve
from consentry.policy.jurisdictions import country_of
from end_to_end.test_demo_on_a_dump import write_dump
from real_dump import dump

_THE_EU = "AT BE BG HR CY CZ DK EE FI FR DE GR HU IE IT LV LT LU MT NL PL PT RO SK SI ES SE"
_BESIDE_IT = "IS LI NO CH GF GP MQ YT RE MF AX"
"""The rest of the EEA, Switzerland, and what is part of the EU elsewhere."""
EUROPE = frozenset(f"{_THE_EU} {_BESIDE_IT}".split())
UNITED_KINGDOM = frozenset({"GB"})
COMMUNITY = "-1"
PROPOSER = re.compile(r"Proposed by (-?\d+)\b")
ARTICLES = frozenset("34578")
POSTS = frozenset("126")

Person = tuple[str, str] | None
"""A site and the number of a user there; None is somebody of whom nothing is known."""


@dataclass(frozen=True)
class Item:
    """What is in a dump: who wrote it, and who else's words are in it."""

    category: str
    licence: str
    author: Person
    others: tuple[Person, ...] = ()


def rows(file: Path) -> Iterator[dict[str, str]]:
    return (dict(element.attrib) for _, element in ElementTree.iterparse(file) if element.tag == "row")


class Counted:
    """A dump, counted again."""

    def __init__(self, folder: Path) -> None:
        files = folder.glob("Posts.xml" if (folder / "Posts.xml").is_file() else "*/Posts.xml")
        sites = sorted(path.parent for path in files)
        self.humans: dict[tuple[str, str], str] = {}
        self.where: dict[str, frozenset[str]] = {}
        self.unknown: set[str] = set()
        for site in sites:
            for row in rows(site / "Users.xml"):
                if row["Id"] != COMMUNITY:
                    # Accounts on several sites with one number of an account are one person's.
                    human = self.humans[site.name, row["Id"]] = row.get("AccountId", f"{site.name}:{row['Id']}")
                    there = resolve(Signals(location=row.get("Location")))
                    self.where[human] = self.where.get(human, frozenset()) | {country_of(each) for each in there.places}
                    if not there.established:
                        self.unknown.add(human)  # where one account is may be anywhere, whatever another one says
        self.items = [item for site in sites for item in items(site)]

    def reasons(self, item: Item, *, suspended: frozenset[str] = frozenset()) -> list[str]:
        """Return why an item is left out, what is said of it first; nothing if it is not."""
        if of_author := self._reasons(item.author, suspended):
            return of_author
        found = [each for other in item.others if (each := self._reasons(other, suspended))]
        return [f"involved:{each}" for each in min(found)] if found else []

    def _reasons(self, person: Person, suspended: frozenset[str]) -> list[str]:
        """Return why nothing is used of somebody. A prohibition is said before what is unknown."""
        if person is None:
            return ["gap:owner-unknown"]
        human = self.humans.get(person)
        there = self.where[human] if human is not None else frozenset()
        unknown = ["gap:residence-unknown"] if human is None or human in self.unknown else []
        forbidden = ["forbidden:europe"] if there & EUROPE else []
        return [*forbidden, *(["suspended"] if there & suspended else []), *unknown]


def items(site: Path) -> Iterator[Item]:
    def person(user: str | None) -> Person:
        return None if user is None or user == COMMUNITY else (site.name, user)

    wrote: dict[str, set[str | None]] = {}
    for row in rows(site / "PostHistory.xml"):
        kind = int(row["PostHistoryTypeId"])
        if kind < 10:
            wrote.setdefault(row["PostId"], set()).add(row.get("UserId"))
        elif kind == 24:
            proposer = PROPOSER.search(row.get("Comment", ""))
            by = proposer[1] if proposer and proposer[1] != COMMUNITY else None
            wrote.setdefault(row["PostId"], set()).add(by)
    for row in rows(site / "Users.xml"):
        if row["Id"] != COMMUNITY and row.get("AboutMe", "").strip():
            yield Item("profile", "", person(row["Id"]))
    for row in rows(site / "Posts.xml"):
        users = set(wrote.get(row["Id"], ()))
        if "LastEditorUserId" in row or "LastEditorDisplayName" in row:
            users.add(row.get("LastEditorUserId"))
        users -= {COMMUNITY, row.get("OwnerUserId", COMMUNITY)}
        what = row["PostTypeId"]
        category = "post" if what in POSTS else "article" if what in ARTICLES else "unknown"
        licence = row.get("ContentLicense", "")
        yield Item(category, licence, person(row.get("OwnerUserId")), tuple(person(user) for user in users))
    for row in rows(site / "Comments.xml"):
        yield Item("comment", row.get("ContentLicense", ""), person(row.get("UserId")))


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return dump() or write_dump(tmp_path_factory.mktemp("made-up") / "dump")


@pytest.fixture(scope="module")
def counted(sample: Path) -> Counted:
    return Counted(sample)


@pytest.fixture(scope="module")
def told(sample: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    home = tmp_path_factory.mktemp("demo") / "home"
    arguments = ["--home", str(home), "--json", "demo", "--stackexchange", str(sample)]
    done = CliRunner().invoke(cli, arguments, catch_exceptions=False)
    assert done.exit_code == 0, done.stderr[-2000:]
    found: dict[str, Any] = json.loads(done.stdout[done.stdout.index("{\n") :])
    return found


def test_its_items_and_why_they_are_left_out_are_those_of_the_dump(told: dict[str, Any], counted: Counted) -> None:
    counts = told["before"]["counts"]
    found = [counted.reasons(item) for item in counted.items]
    reasons = Counter(each[0] if each else "" for each in found)
    eligible = reasons.pop("")
    assert 0 < eligible < len(counted.items)
    assert (counts["items"], counts["eligible"], counts["denied"]) == (len(found), eligible, reasons.total())
    assert counts["by_reason"] == reasons
    gaps = Counter(gap for each in found for reason in each if (gap := reason.partition("gap:")[2]))
    assert counts["by_gap"] == gaps
    assert gaps.total() > 0


@pytest.mark.parametrize("split", ["category", "licence"])
def test_its_items_by_kind_are_those_of_the_dump(told: dict[str, Any], counted: Counted, split: str) -> None:
    found: dict[str, Counter[str]] = {}
    for item in counted.items:
        side = "denied" if counted.reasons(item) else "eligible"
        found.setdefault(getattr(item, split), Counter())[side] += 1
    shown = told["before"]["counts"][f"by_{split}"]
    assert shown == {word: {side: each[side] for side in ("eligible", "denied")} for word, each in found.items()}


def test_its_people_are_where_they_say_they_are(told: dict[str, Any], counted: Counted) -> None:
    expected: Counter[str] = Counter()
    for human in counted.humans.values():
        there = counted.where[human]
        expected["unresolved" if human in counted.unknown else "several" if len(there) > 1 else min(there)] += 1
    with closing(open_deployment(Path(told["home"]), embedded=True)) as deployment:
        shown = resolved(deployment)
    assert shown == expected
    page = Path(told["report"]).read_text("utf-8")
    assert f"{expected['unresolved']:,}" in page


def test_without_the_united_kingdom_it_is_what_is_left(told: dict[str, Any], counted: Counted) -> None:
    left = sum(not counted.reasons(item, suspended=UNITED_KINGDOM) for item in counted.items)
    assert told["after"]["counts"]["items"] == len(counted.items)
    assert told["after"]["counts"]["eligible"] == left < told["before"]["counts"]["eligible"]
