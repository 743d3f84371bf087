"""A page on paper has all of it: nobody can open what is folded there."""

from __future__ import annotations

from browser.conftest import Visits

_FOLDED = "details:not([open]) > :not(summary)"


def test_what_is_folded_is_printed(visits: Visits) -> None:
    page = visits.of("member", java_script_enabled=True).new_page()
    page.goto("/me")

    def seen() -> list[bool]:
        return [each.evaluate("it => it.checkVisibility()") for each in page.locator(_FOLDED).all()]

    assert seen()
    assert not any(seen())
    page.emulate_media(media="print")
    assert all(seen())
