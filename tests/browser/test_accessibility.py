"""Every page for everybody: WCAG 2.2 AA, light and dark, from left and from right, from 320 px on, by keyboard."""

from __future__ import annotations

import pytest

from browser.accessible import appearances, overflow, small_targets, unseen_focus, violations
from browser.conftest import Visits

PUBLIC = ("/", "/sign-in", "/nowhere")


@pytest.mark.parametrize("path", PUBLIC)
@pytest.mark.parametrize("language", ["en", "ar"])
def test_public_pages(visits: Visits, path: str, language: str) -> None:
    for scheme, width in appearances():
        window = visits.window(
            color_scheme=scheme, viewport={"width": width, "height": 900}, locale=language, java_script_enabled=True
        )
        page = window.new_page()
        page.goto(path)
        where = f"{path} {language} {scheme} {width}"
        assert violations(page) == [], where
        assert overflow(page) <= 0, where
        assert small_targets(page) == [], where
        assert unseen_focus(page) == [], where


def test_the_check_bites(visits: Visits) -> None:
    page = visits.window().new_page()
    page.goto("/")
    page.evaluate("document.querySelector('h1').innerHTML = '<span style=\"color:#999\">grey</span><img src=x>'")
    page.evaluate("document.querySelector('main').insertAdjacentHTML('beforeend', '<button>x</button><input>')")
    assert {"image-alt", "label"} <= {each.partition(":")[0] for each in violations(page)}


def test_cookies_come_back(visits: Visits) -> None:
    window = visits.staff("olga")
    page = window.new_page()
    page.goto("/")
    assert "olga" in page.inner_text("header")
    assert {each["name"] for each in window.cookies()} == {"__Host-consentry"}
