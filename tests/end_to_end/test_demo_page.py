"""The demo's page says what the demo printed, and can be read on a telephone, by keyboard and without its colours."""

from __future__ import annotations

import json
import re
import time
from dataclasses import dataclass, field
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
from click.testing import CliRunner

from consentry.charts import Bar, bars
from consentry.cli import demo
from consentry.cli.charts import Section, document, table, timeline
from consentry.cli.main import cli
from consentry.cli.report import Story, page
from consentry.cli.report_changes import stopped
from consentry.cli.timeline import Moment

VOID = {"meta", "wbr", "br"}
MINUS = "\N{MINUS SIGN}"


@dataclass(slots=True)
class Element:
    """One element of the page, with all the text in it."""

    name: str
    attributes: dict[str, str | None]
    text: str = ""
    within: list[Element] = field(default_factory=list)

    def all(self, name: str) -> list[Element]:
        return [found for each in self.within for found in ([each] if each.name == name else []) + each.all(name)]


class Reader(HTMLParser):
    """Reads a page into elements. Elements that are not closed, or closed out of order, are an error."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open = [Element("page", {})]
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        element = Element(tag, dict(attrs))
        self.open[-1].within.append(element)
        if tag not in VOID:
            self.open.append(element)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop().name == tag

    def handle_data(self, data: str) -> None:
        for element in self.open:
            element.text += data


def read(text: str) -> Element:
    (root,) = Reader(text).open
    return root


@dataclass(frozen=True, slots=True)
class Played:
    """A demo that was played: its page, and what it gives to programs."""

    text: str
    page: Element
    told: dict[str, Any]
    took: tuple[float, float]
    """Seconds until its page was nearly written, and until it had ended."""

    def section(self, title: str) -> Element:
        (found,) = [each for each in self.page.all("section") if each.all("h2")[0].text == title]
        return found


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Played:
    home = tmp_path_factory.mktemp("demo") / "home"
    arguments = ["--home", str(home), "--json", "demo", "--people", "2000", "--items", "12000"]
    finished: list[float] = []

    def slowly(story: Story) -> str:
        time.sleep(1)
        finished.append(time.monotonic() - begun)
        return page(story)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(demo, "page", slowly)
        begun = time.monotonic()
        done = CliRunner().invoke(cli, arguments, catch_exceptions=False)
    assert done.exit_code == 0
    text = (home / "report.html").read_text("utf-8")
    told = json.loads(done.stdout[done.stdout.index("{\n") :])
    return Played(text, read(text), told, took=(finished[0], time.monotonic() - begun))


def test_how_long_it_took_counts_from_the_start_of_the_command(played: Played) -> None:
    """Also what is in no step: its imports, its server, its page, which took a second more."""
    at_least, at_most = played.took
    assert at_least - 0.2 <= played.told["seconds"] <= round(at_most, 1)  # it tells tenths


def rows(found: Element) -> list[list[str]]:
    return [[cell.text for cell in row.within] for each in found.all("tbody") for row in each.all("tr")]


def test_it_needs_nothing_else(played: Played) -> None:
    assert not re.search(r"https?:|//|url\(|@import|<(script|img|link|iframe|object)|\b(src|srcset)=", played.text)
    links = [each.attributes["href"] or "" for each in played.page.all("a")]
    anchors = {f"#{each.attributes['id']}" for each in played.page.all("section")}
    assert set(links) == anchors
    assert len(links) == len(anchors) > 8


def test_it_says_that_its_clock_is_moved_and_so_does_the_terminal(
    played: Played, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody shall take the days of the story for measured ones."""
    moved = "The clock of this story is set forward from one act to the next: it begins on 10 September 2024."
    assert moved in played.text
    said: list[str] = []
    monkeypatch.setattr(demo, "_take_in", Mock(side_effect=InterruptedError))
    with pytest.raises(InterruptedError):
        demo._play(Mock(out=Mock(text=said.append)), Path(), title="x", origin="Made up.")
    assert said == ["Made up.", moved], "before anything else"


def test_its_headings_are_in_order(played: Played) -> None:
    levels = [int(found) for found in re.findall(r"<h(\d)", played.text)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(below - above <= 1 for above, below in pairwise(levels))


def test_every_chart_is_named_and_has_its_table_beside_it(played: Played) -> None:
    pairs = [each for each in played.page.all("div") if each.attributes.get("class") == "pair"]
    assert len(pairs) == len(played.page.all("svg")) >= 13
    for each in pairs:
        chart, numbers = each.within
        assert chart.attributes["role"] == "img"
        assert chart.all("title")[0].text
        for label, row in zip(chart.all("text"), rows(numbers), strict=True):
            assert row[0].startswith(label.text.removesuffix("…"))
            assert len(label.text) <= 38, "longer labels do not fit on a telephone"


def test_there_are_charts_by_country_category_and_reason(played: Played) -> None:
    for title in ("By country", "By category", "By reason: why items were left out"):
        assert played.section(title).all("svg")
    counts = played.told["before"]["counts"]
    reasons = rows(played.section("By reason: why items were left out"))
    wanted = list(counts["by_reason"].items())[:14]
    assert [items for _, items, _ in reasons] == [f"{items:,}" for _, items in wanted]
    for (heading, _, _), (name, _) in zip(reasons, wanted, strict=True):
        assert heading.startswith(name)
        assert len(heading) > len(name) + 10, "what the reason means stands below it"


def test_who_is_not_of_one_country_comes_below_the_countries(played: Played) -> None:
    section = played.section("By country")
    by_place = played.told["before"]["counts"]["by_place"]
    countries, others = (rows(each) for each in section.all("table"))
    assert [row[0] for row in others] == ["several countries", "no country established", "no owner named"]
    assert others[0][1:3] == [f"{by_place['several'][each]:,}" for each in ("eligible", "denied")]
    assert not {row[0] for row in countries} & {"several", "unresolved", "nobody", "several countries"}
    people = played.section("People, by the country they may be in")
    assert all(" or " in row[0] for row in rows(people.all("table")[1]))


def test_it_tells_items_of_a_country_from_items_that_involve_somebody_there(played: Played) -> None:
    lost = [move for move in played.told["comparison"]["moves"] if move["from"] == "eligible"]
    involving = sum(move["items"] for move in lost if move["to"].startswith("involved:"))
    own = sum(move["items"] for move in lost) - involving
    assert own > involving > 0
    (said,) = [each for each in figures(played) if each.startswith(MINUS)]
    assert said.startswith(f"{MINUS}{own + involving:,}taken out by the suspension: {own:,} of people")
    assert f"{involving:,} of others that involve" in said


def figures(played: Played) -> list[str]:
    (found,) = [each for each in played.page.all("ul") if each.attributes.get("class") == "figures"]
    return [each.text for each in found.all("li")]


def test_its_first_figures_tell_the_story(played: Played) -> None:
    """What went in, what was eligible and denied, what was taken out, how fast, and what came back."""
    before, resumed = (played.told[name]["counts"] for name in ("before", "resumed"))
    numbers = [before["items"], before["eligible"], before["denied"], None, None, resumed["eligible"]]
    said = figures(played)
    assert len(said) == len(numbers)
    for text, number in zip(said, numbers, strict=True):
        assert number is None or text.startswith(f"{number:,}")
    assert said[4].startswith(f"{played.told['stopped_after_s']:.2f} s")


def test_at_a_glance_the_three_releases_stand_beside_each_other(played: Played) -> None:
    manifests = [played.told[name] for name in ("before", "after", "resumed")]
    every, there = (rows(each) for each in played.section("At a glance").all("table"))
    assert [row[0] for row in every] == ["Before2024-09-10", "Suspended2024-09-20", "Resumed2025-11-04"]
    assert [row[1] for row in every] == [f"{each['counts']['eligible']:,}" for each in manifests]
    assert [row[1] for row in there] == [f"{each['counts']['by_place']['GB']['eligible']:,}" for each in manifests]
    assert there[1][1] == "0"


def test_what_the_suspension_changed_is_told_by_country_before_and_after(played: Played) -> None:
    section = played.section("What the suspension changed")
    countries, categories, moves = (rows(each) for each in section.all("table"))
    split = played.told["comparison"]["counts"]["by_place"]
    gb = [f"{split['GB'][when]['eligible']:,}" for when in ("before", "after")]
    assert ["United Kingdom", *gb, f"{MINUS}{gb[0]}"] in countries
    lost = [int(row[3].removeprefix(MINUS).replace(",", "")) for row in countries]
    assert lost == sorted(lost, reverse=True)
    assert all(row[3].startswith(MINUS) for row in countries + categories)
    assert [row[1] for row in moves] == [f"{each['items']:,}" for each in played.told["comparison"]["moves"]]
    assert "No other item changed sides." in section.text
    assert "an order suspends this use" in section.text


def test_when_the_job_stopped_is_measured(played: Played) -> None:
    section = played.section("When the job stopped")
    stopped, drained = (row[1] for row in rows(section))
    assert stopped == f"{played.told['stopped_after_s']:.2f} s"
    assert float(drained.removesuffix(" s")) < 5
    assert "uk-2024.1" in section.text


def test_what_came_back_is_told_by_country(played: Played) -> None:
    found = rows(played.section("What came back"))
    resumed = played.told["resumed"]["counts"]["by_place"]["GB"]["eligible"]
    (there,) = [row for row in found if row[0] == "United Kingdom"]
    assert there[1:] == ["0", f"{resumed:,}", f"+{resumed:,}"]


def test_a_suspension_that_stops_no_job_shows_no_time() -> None:
    assert stopped(None) == ""


def test_the_story_is_told_day_by_day(played: Played) -> None:
    told = played.section("What happened, day by day").all("li")
    moments = played.told["timeline"]
    assert [each.all("h3")[0].text for each in told] == [moment["title"] for moment in moments]
    assert [moment["at"] for moment in moments] == sorted(moment["at"] for moment in moments)
    titles = [moment["title"] for moment in moments]
    assert titles.index("The use of UK content is suspended, and the job stops") < titles.index(
        "Lifting is refused: the conditions are open"
    )
    acts = ["A training job reads the release", "The UK authority raises a concern", "What would a suspension hit?"]
    assert [title for title in titles if title in acts] == acts
    assert [moment["mark"] for moment in moments].count("wait") == 2
    (withdrawn,) = [moment for moment in moments if moment["title"] == "The earlier policy is withdrawn"]
    assert "august-2024 2024-08.2, in force as well, lets " in str(withdrawn)
    stop, unread = (each for each in told if each.attributes["class"] == "stop")
    assert unread.all("h3")[0].text == "The first release stays unread"
    assert f"{played.told['stopped_after_s']:.2f} s after the order was acknowledged" in stop.text
    assert played.told["stopped_after_s"] < 5, "never over the time to live"


def test_members_and_the_authority_look_for_themselves(played: Played) -> None:
    moments = {moment["title"]: dict(moment["facts"]) for moment in played.told["timeline"]}
    shown = moments["Each member has a setting, where there is something to choose"]
    assert shown["a member outside Europe"].startswith("is shown the setting: on")
    assert shown["a member in Europe"].startswith("is not shown the setting")
    assert shown["why"].startswith("The use is not offered in the EU")
    less = moments["What would less have hit?"].values()
    assert all(re.fullmatch(r"[1-9][\d,]* items? of [1-9][\d,]* (person|people)", each) for each in less)
    seen, again = moments["The authority sees for itself"], moments["The authority looks again"]
    assert re.fullmatch(r"in force; the last reader stopped after \d+\.\d s \(1 job\)", seen["order uk-2024.1"])
    assert again["order uk-2024.1"].startswith("lifted; the last reader stopped after ")
    left = sum(move["items"] for move in played.told["comparison"]["moves"] if move["from"] == "eligible")
    assert items(seen["of people in the UK, in the first release"]) == left > 0, "what the suspension took out"
    assert seen["of people in the UK, in the second release"] == "0 items"
    there = played.told["resumed"]["counts"]["by_place"]["GB"]["eligible"]
    assert items(again["of people in the UK, in the third release"]) >= there > 0
    assert seen["what it takes away"].startswith("signed by key sha256:")
    assert moments["The model may be served, to everybody"] == {"drafts-3": "may be served"}


def items(told: str) -> int:
    return int(told.removesuffix(" items").replace(",", ""))


def test_an_undertaking_about_the_form_is_checked_against_the_form_that_is_served(played: Played) -> None:
    moments = {moment["title"]: dict(moment["facts"]) for moment in played.told["timeline"]}
    found = moments["The conditions are met, and two people approve"]
    assert moments["Training resumes on the new terms"] == {"model": "drafts-3"}
    assert found["simpler-objection"] == "the form for objections takes 1 step, 2 required fields, no login"


def test_suspended_content_is_out_and_comes_back_on_other_terms(played: Played) -> None:
    before, after, resumed = (played.told[name]["counts"]["by_place"]["GB"] for name in ("before", "after", "resumed"))
    assert before["eligible"] > 0 == after["eligible"]
    assert resumed["eligible"] > 0
    lost = [move["to"] for move in played.told["comparison"]["moves"] if move["from"] == "eligible"]
    assert set(lost) == {"suspended:uk-2024.1", "involved:suspended:uk-2024.1"}


def test_what_was_sealed_before_the_suspension_stays_unread_and_who_refused_since_is_in_nothing_else(
    played: Played,
) -> None:
    moments = {moment["title"]: dict(moment["facts"]) for moment in played.told["timeline"]}
    item = moments["A member in the UK refuses in time"]["one of them"]
    before, resumed = (played.told[name]["release"] for name in ("before", "resumed"))
    unread = moments["The first release stays unread"]
    assert unread["why"].startswith(f"release `{before}` was sealed before the suspension of UK")
    assert unread[f"item {item}"] == f"was sealed into {before}, and is left out of {resumed}"


def test_an_explanation_says_of_each_person_what_the_terminal_says(played: Played) -> None:
    cards = played.section("Three items, explained").all("article")
    assert len(cards) == len(played.told["explanations"]) == 3
    for card, told in zip(cards, played.told["explanations"], strict=True):
        assert card.all("h3")[0].text.startswith(told["id"])
        people = [person for person in told["people"] if "places" in person]
        assert people
        for person in people:
            assert person["role"].capitalize() in card.text
            assert f"account {person['account']}" in card.text
            assert all(choice["state"] in card.text and choice["purpose"] in card.text for choice in person["choices"])
            assert all(reason["reason"] in card.text for reason in person["reasons"])


def test_numbers_are_never_broken_and_a_wide_table_can_be_reached_by_keyboard(played: Played) -> None:
    for each in played.page.all("table"):
        for row in each.all("tbody")[0].all("tr"):
            assert row.within[0].name == "th"
            numbers = [cell for cell in row.within[1:] if re.fullmatch(rf"[+{MINUS}]?[\d,.]+( %| s)?", cell.text)]
            assert all(cell.attributes.get("class") == "n" for cell in numbers)
    assert re.search(r"\.n, time \{ white-space: nowrap;", played.text)
    scrolling = [each for each in played.page.all("div") if each.attributes.get("class") == "scroll"]
    assert scrolling
    assert all(each.attributes["tabindex"] == "0" and each.attributes["aria-label"] for each in scrolling)
    assert ":focus-visible" in played.text


def test_what_came_from_outside_is_text() -> None:
    hostile = "<script>alert('&')</script>"
    text = document(
        title=hostile,
        intro="<h1>safe</h1>",
        sections=[
            Section(
                title="Safe",
                body=bars(hostile, [Bar(hostile, [("in", 1)])])
                + table(hostile, columns=[hostile], rows=[[hostile]], notes={hostile: hostile}),
            )
        ],
    )
    assert "<script" not in text
    assert read(text).all("title")[0].text == hostile


def test_what_is_there_can_be_seen_and_what_is_not_cannot() -> None:
    chart = read(bars("items", [Bar("many", [("in", 100_000)]), Bar("few", [("in", 1)]), Bar("none", [("in", 0)])]))
    assert [each.attributes["width"] for each in chart.all("rect")] == ["100.00%", "0.50%", "0.00%"]


def test_what_a_fact_names_is_shown_as_a_name_and_stays_text() -> None:
    told = Moment(at=0, title="t", text="x", mark="wait", facts=(("condition", "`window` (<b>) is `open"),))
    assert "<code>window</code> (&lt;b&gt;) is `open" in timeline([told])
