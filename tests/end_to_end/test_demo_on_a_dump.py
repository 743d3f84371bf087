"""`consentry demo --stackexchange DIR`, played on a small dump that is made up here: two sites, all four files.

What must come out is worked out beside it from the same rows, by hand: whose words are in an item, and where they live.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.sax.saxutils import quoteattr

import pytest
from click.testing import CliRunner

from consentry.bootstrap import open_deployment
from consentry.cli.main import cli

DAY = "2023-03-04T05:06:07.890"
LICENCES = ("CC BY-SA 3.0", "CC BY-SA 4.0")
LOCATIONS = {
    1: ("London, United Kingdom", "GB"),
    2: ("Austin, TX, USA", "US"),
    3: ("Toronto, Canada", "CA"),
    4: ("Berlin, Germany", "DE"),
    5: ("São Paulo, Brasil", "BR"),
    6: ("the sofa", None),
    7: (None, None),
    8: ("Edinburgh, Scotland", "GB"),
}
"""What the users of a site say of where they are, and the country that is."""

ALLOWED_BEFORE = {"GB", "US", "CA", "BR"}
ALLOWED_AFTER = {"US", "CA", "BR"}
SITES = ("baking", "birds")
POSTS = 60


@dataclass(frozen=True)
class Words:
    """An item: whose words are in it; None stands for somebody nobody knows."""

    id: str
    kind: str
    people: tuple[int | None, ...]
    licence: str | None

    def eligible(self, allowed: set[str]) -> bool:
        return all(each is not None and LOCATIONS[each][1] in allowed for each in self.people)


def users() -> Iterator[dict[str, str]]:
    yield {"Id": "-1", "DisplayName": "Community", "AboutMe": "a program", "AccountId": "-1"}
    for number, (location, _) in LOCATIONS.items():
        about = {"AboutMe": f"I am number {number} & <b>well</b>"} if number % 3 == 0 else {}
        where = {"Location": location} if location is not None else {}
        yield {"Id": str(number), "AccountId": str(900 + number), "DisplayName": "x", **where, **about}


def authored(number: int) -> int | None:
    """Return who wrote post or comment `number`; every eleventh author is deleted, or a program."""
    return None if number % 11 == 0 else number % len(LOCATIONS) + 1


def edits(number: int) -> Iterator[tuple[int | None, dict[str, str]]]:
    """Yield who else put words into a post, and the row of the history that says so."""
    row = {"Id": "1", "PostId": str(number), "PostHistoryTypeId": "5"}
    if number % 7 == 0:
        yield 2, {**row, "UserId": "2"}
    if number % 13 == 0:
        yield None, {**row, "UserDisplayName": "user77"}
    if number % 17 == 0:
        yield 4, {**row, "PostHistoryTypeId": "24", "Comment": "Proposed by 4 approved by 1 edit id of 3"}


def site_items(site: str) -> Iterator[Words]:
    for user in users():
        if "AboutMe" in user and user["Id"] != "-1":
            yield Words(f"{site}:profile:{user['Id']}", "profile", (int(user["Id"]),), None)
    for number in range(1, POSTS + 1):
        kind = "answer" if number % 2 else "question"
        people = (authored(number), *(who for who, _ in edits(number)))
        yield Words(f"{site}:post:{number}", kind, people, LICENCES[number % 2])
        yield Words(f"{site}:comment:{number}", "comment", (authored(number + 1),), LICENCES[0])


ITEMS = [item for site in SITES for item in site_items(site)]


def write(path: Path, root: str, rows: Sequence[dict[str, str]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = ["<row " + " ".join(f"{key}={quoteattr(value)}" for key, value in row.items()) + " />" for row in rows]
    path.write_text("\n".join(['<?xml version="1.0" encoding="utf-8"?>', f"<{root}>", *lines, f"</{root}>"]), "utf-8")


def owner(number: int, *, key: str) -> dict[str, str]:
    who = authored(number)
    if who is not None:
        return {key: str(who)}
    return {key: "-1"} if number % 2 else {}


def write_dump(folder: Path) -> Path:
    for site in SITES:
        dated = [{**user, "CreationDate": DAY, "LastAccessDate": DAY} for user in users()]
        write(folder / site / "Users.xml", "users", dated)
        history = [{**row, "CreationDate": DAY} for number in range(1, POSTS + 1) for _, row in edits(number)]
        write(folder / site / "PostHistory.xml", "posthistory", history)
        posts = [
            {
                "Id": str(number),
                "PostTypeId": "2" if number % 2 else "1",
                "CreationDate": DAY,
                "Body": f"<p>words &amp; more words, number {number}</p>",
                "ContentLicense": LICENCES[number % 2],
                **({} if number % 2 else {"Title": f"A question of {site}?"}),
                **owner(number, key="OwnerUserId"),
            }
            for number in range(1, POSTS + 1)
        ]
        write(folder / site / "Posts.xml", "posts", posts)
        comments = [
            {
                "Id": str(number),
                "PostId": str(number),
                "Text": f"so it is, {number}",
                "CreationDate": DAY,
                "ContentLicense": LICENCES[0],
                **owner(number + 1, key="UserId"),
            }
            for number in range(1, POSTS + 1)
        ]
        write(folder / site / "Comments.xml", "comments", comments)
    return folder


@dataclass(frozen=True)
class Played:
    told: dict[str, Any]
    notes: str
    page: str


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Played:
    folder = tmp_path_factory.mktemp("dump-demo")
    dump = write_dump(folder / "dump")
    arguments = ["--home", str(folder / "home"), "--json", "demo", "--stackexchange", str(dump)]
    done = CliRunner().invoke(cli, arguments, catch_exceptions=False)
    assert done.exit_code == 0
    told = json.loads(done.stdout[done.stdout.index("{\n") :])
    return Played(told, done.stderr, (folder / "home" / "report.html").read_text("utf-8"))


def test_every_item_of_the_dump_is_counted(played: Played) -> None:
    counts = played.told["before"]["counts"]
    assert counts["items"] == len(ITEMS) == 2 * (2 + 2 * POSTS)
    licences = Counter(item.licence or "" for item in ITEMS)
    assert {name: each["eligible"] + each["denied"] for name, each in counts["by_licence"].items()} == licences


def test_eligible_is_what_is_eligible_by_hand(played: Played) -> None:
    before = sum(item.eligible(ALLOWED_BEFORE) for item in ITEMS)
    after = sum(item.eligible(ALLOWED_AFTER) for item in ITEMS)
    assert 0 < after < before < len(ITEMS)
    assert played.told["before"]["counts"]["eligible"] == before
    assert played.told["after"]["counts"]["eligible"] == after


def test_what_nobody_knows_is_a_gap_and_denied(played: Played) -> None:
    counts = played.told["before"]["counts"]
    unknown = [item for item in ITEMS if any(each is None or LOCATIONS[each][1] is None for each in item.people)]
    assert sum(counts["by_gap"].values()) >= len(unknown) > 0
    assert counts["items"] - counts["eligible"] >= len(unknown)


def test_the_suspension_stops_the_job_and_takes_out_the_uk(played: Played) -> None:
    assert played.told["stopped_after_s"] is not None
    assert played.told["before"]["counts"]["by_place"]["GB"]["eligible"] > 0
    assert played.told["after"]["counts"]["by_place"]["GB"]["eligible"] == 0
    titles = [each["title"] for each in played.told["timeline"]]
    assert "The use of UK content is suspended, and the job stops" in titles
    assert titles[-5:] == [
        "The suspension is lifted, and use resumes",
        "The first release stays unread",
        "Training resumes on the new terms",
        "The authority looks again",
        "The model may be served, to everybody",
    ]


def test_it_says_that_the_content_is_real_and_who_vouches_for_ages(played: Played) -> None:
    assert "Convert the Stack Exchange dump in" in played.notes
    assert "Real public posts" in played.page
    assert "operator vouches that everybody is an adult" in played.page
    assert "synthetic" not in played.page


def test_who_serves_its_pages_later_says_who_is_responsible(played: Played) -> None:
    with closing(open_deployment(Path(played.told["home"]), embedded=True)) as deployment:
        assert deployment.settings.site_name == "The demo network"
        assert deployment.settings.controller_name == "The demo network, which is made up"


def test_three_items_with_different_fates_are_explained(played: Played) -> None:
    explained = played.told["explanations"]
    assert len(explained) == 3
    by_id = {item.id: item for item in ITEMS}
    for each in explained:
        assert each["allowed"] == by_id[each["id"]].eligible(ALLOWED_BEFORE)
