"""A picture of every page: `./run test browser -k screenshots --screenshots FOLDER`."""

from __future__ import annotations

from pathlib import Path

import pytest

from browser.conftest import Look
from browser.places import ALL, IN_EVERY_LANGUAGE, Page
from skips import NOT_ASKED_FOR

LOOKS = {
    "light": {"color_scheme": "light", "viewport": {"width": 1280, "height": 900}},
    "dark": {"color_scheme": "dark", "viewport": {"width": 1280, "height": 900}},
    "phone": {"color_scheme": "light", "viewport": {"width": 360, "height": 780}},
}


@pytest.mark.parametrize("place", ALL, ids=lambda place: place.name)
def test_screenshots(look: Look, place: Page, request: pytest.FixtureRequest) -> None:
    named = request.config.getoption("--screenshots")
    if not named:
        pytest.skip(NOT_ASKED_FOR)
    folder = Path(named)
    folder.mkdir(parents=True, exist_ok=True)
    from_the_right = {f"arabic-{name}": {**LOOKS[name], "locale": "ar"} for name in ("light", "phone")}
    looks = {**LOOKS, **from_the_right} if place in IN_EVERY_LANGUAGE else LOOKS
    for name, how in looks.items():
        page = look(place, **{"locale": "en-GB", **how}).page
        picture = page.screenshot(path=folder / f"{place.name}-{name}.png", full_page=True)
        assert picture.startswith(b"\x89PNG")
