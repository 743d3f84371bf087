"""A name without a space in it, however long, makes no page of a member wider than a phone."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser

from browser.accessible import overflow
from browser.conftest import Visits, Worlds

LONG = "Wolfeschlegelsteinhausenbergerdorff"


@pytest.mark.parametrize("language", ["en-GB", "ar"])
def test_a_long_name_is_broken(browser: Browser, worlds: Worlds, language: str) -> None:
    world = worlds("bare")
    visits = Visits(browser, world)
    page = visits.window(locale=language, viewport={"width": 320, "height": 900}).new_page()
    page.goto(world.link("somebody", name=LONG * 2))
    assert LONG in page.inner_text("header")
    assert overflow(page) == 0
    visits.close()
