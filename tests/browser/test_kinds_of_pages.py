"""Pages of each kind, for whoever has a keyboard alone, text made larger, colours of their own, or everything still.

A page is opened once for all of it. The campaign (`-m slow`) goes through every page there is.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from _pytest.mark import ParameterSet
from playwright.sync_api import Browser
from playwright.sync_api import Page as Window

from browser.accessible import overflow
from browser.conftest import Visits, Worlds, looking
from browser.keyboard import wrong_on_the_way
from browser.legible import illegible, indiscernible, moving, text_at_twice_its_size
from browser.places import ALL, IN_EVERY_LANGUAGE, Page

KINDS = frozenset(
    {
        *("transparency", "object", "sign-in", "settings", "settings-check", "items", "history", "uses"),
        *("objection-new", "objection-followed", "overview", "case", "cases", "suspend-what-if", "release", "jobs"),
        *("model", "propose-policy", "objection", "person", "write-notice", "account", "keys"),
        *("authority", "authority-case", "authority-file"),
    }
)
IN_ARABIC = frozenset({"settings", "items", "object"})
WIDE, HALF = 1280, 640
"""Pixels. Of text at twice its size the narrower holds what a window of 320 holds of any other."""


def _places() -> Iterator[ParameterSet]:
    for place, language in [(at, "en-GB") for at in ALL] + [(at, "ar") for at in IN_EVERY_LANGUAGE]:
        chosen = place.name in (KINDS if language != "ar" else IN_ARABIC)
        marks = [] if chosen else [pytest.mark.slow]
        yield pytest.param((place, language), id=f"{place.name}-{language}", marks=marks)


@pytest.fixture(scope="module", params=_places())
def page(request: pytest.FixtureRequest, browser: Browser, worlds: Worlds) -> Iterator[Window]:
    """Open a page for somebody who wants nothing to move."""
    place, language = request.param
    assert isinstance(place, Page)
    with looking(browser, worlds) as look:
        size = {"width": WIDE, "height": 900}
        yield look(place, locale=language, reduced_motion="reduce", viewport=size).page


def test_tab_goes_all_the_way_round(page: Window) -> None:
    assert wrong_on_the_way(page) == []


def test_nothing_moves_for_whoever_wants_it_so(page: Window) -> None:
    assert moving(page) == []


def test_everything_is_told_apart_in_colours_of_the_reader(page: Window) -> None:
    found: list[str] = []
    for scheme in ("light", "dark"):
        page.emulate_media(forced_colors="active", color_scheme=scheme)
        found += [f"{scheme}: {each}" for each in indiscernible(page)]
    page.emulate_media(forced_colors="none", color_scheme="light")
    assert found == []


def test_text_at_twice_its_size_is_whole(page: Window) -> None:
    found: list[str] = []
    with text_at_twice_its_size(page):
        for width in (WIDE, HALF):
            page.set_viewport_size({"width": width, "height": 900})
            said = illegible(page)
            if overflow(page) > 0:
                said.append(f"{overflow(page)} px too wide")
            found += [f"{width}: {each}" for each in said]
    page.set_viewport_size({"width": WIDE, "height": 900})
    assert found == []


def test_the_places_are_there() -> None:
    names = {at.name for at in ALL}
    assert names >= KINDS
    assert {at.name for at in IN_EVERY_LANGUAGE} >= IN_ARABIC


@pytest.mark.parametrize(
    ("planted", "said"),
    [
        ("found.querySelector('button').tabIndex = 5", "back to"),
        ("found.querySelector('button').tabIndex = -1; document.links[3].style.outline = 'none'", "nothing shows"),
        ("found.onkeydown = event => event.preventDefault()", "never comes back"),
        ("document.links[2].style.cssText = 'position: absolute; left: -999px'", "out of sight"),
        ("found.style.cssText = 'display: flex; flex-direction: column-reverse'", "back to"),
    ],
)
def test_the_way_round_finds_what_is_wrong(visits: Visits, planted: str, said: str) -> None:
    page = visits.window(reduced_motion="reduce").new_page()
    page.goto("/object")
    assert wrong_on_the_way(page) == []
    page.reload()
    page.evaluate(f"() => {{ const found = document.querySelector('main form'); {planted}; }}")
    assert any(said in each for each in wrong_on_the_way(page))


def test_the_other_checks_find_what_is_wrong(visits: Visits) -> None:
    page = visits.window(reduced_motion="reduce").new_page()
    page.goto("/object")
    style = "document.querySelector('main').style"
    page.evaluate(f"{style}.transition = 'all 1s'")
    assert len(moving(page)) == 1
    page.evaluate("document.querySelector('h1').style.cssText = 'max-height: 10px; overflow: hidden'")
    page.evaluate("document.querySelector('main .lead').style.marginTop = '-2.2em'")
    said = " ".join(illegible(page))
    assert "cut off: <h1" in said
    assert "lies over" in said
    page.emulate_media(forced_colors="active")
    page.evaluate("document.querySelector('main form button').style.border = '0'")
    assert any("no edge: <button" in each for each in indiscernible(page))
