"""Whoever uses a keyboard skips the navigation of a page with one key (WCAG 2.4.1)."""

from __future__ import annotations

import pytest

from browser.conftest import Look
from browser.places import ALL


@pytest.mark.parametrize("name", ["overview", "authority", "settings"])
def test_the_skip_link_skips_the_navigation(look: Look, name: str) -> None:
    page = look(next(at for at in ALL if at.name == name)).page
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.closest('nav, header, .side')") is None
    assert page.evaluate("document.querySelector('main').contains(document.activeElement)")
