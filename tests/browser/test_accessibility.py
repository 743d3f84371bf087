"""Every page for everybody: WCAG 2.2 AA, light and dark, from left and from right, from 320 px on, by keyboard."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from itertools import combinations, product

import pytest

from browser.accessible import (
    APPEARANCES,
    EVERY,
    WIDE_WORDS,
    missing_without_scripts,
    overflow,
    small_targets,
    unseen_focus,
    violations,
)
from browser.conftest import Look, Visits
from browser.places import ALL, EMPTY, IN_EVERY_LANGUAGE, MANY, STAFF, Page

FOR_MEMBERS = tuple(at for at in (*EMPTY, *MANY) if at.path.startswith("/me") or not at.who)
"""What lists of them look like empty and full: seen from right to left in the campaign."""


def wrong(look: Look, place: Page, *, language: str, appearances: Iterable[tuple[str, int]] | None = None) -> list[str]:
    """Return everything that is wrong with a page, in whatever appearance, and with the document it is made from."""
    page, answer = look(place, locale=language)
    found = missing_without_scripts(page, answer.text())
    if answer.status != place.status:
        found.append(f"status {answer.status}")
    for scheme, width in appearances or APPEARANCES["rtl" if language == "ar" else "ltr"]:
        page.emulate_media(color_scheme=scheme)
        page.set_viewport_size({"width": width, "height": 900})
        page.evaluate(
            "document.activeElement.blur()"
        )  # the link over the head of a page is there only when Tab is on it
        said = [*violations(page), *small_targets(page), *unseen_focus(page)]
        if overflow(page) > 0:
            said.append(f"{overflow(page)} px too wide")
        found += [f"{scheme} {width}: {each}" for each in said]
    return found


def each(*places: Page, slow: Collection[str]) -> pytest.MarkDecorator:
    """Ask about each of some places, those that are called so in the campaign only: `./run test browser -m slow`."""
    found = [pytest.param(at, id=at.name, marks=[pytest.mark.slow] if at.name in slow else []) for at in places]
    return pytest.mark.parametrize("place", found)


@each(*ALL, slow=[at.name for at in (*EMPTY, *MANY)])
def test_every_page(look: Look, place: Page) -> None:
    assert wrong(look, place, language="en-GB") == []


@pytest.mark.parametrize("place", IN_EVERY_LANGUAGE, ids=lambda place: place.name)
def test_from_right_to_left(look: Look, place: Page) -> None:
    assert wrong(look, place, language="ar") == []


@pytest.mark.parametrize(
    ("place", "language"),
    [
        # Both languages are looked at, each on every other page; the campaign looks at every page in both.
        pytest.param(place, language, marks=[] if (turn + number) % len(WIDE_WORDS) == 0 else pytest.mark.slow)
        for turn, place in enumerate(IN_EVERY_LANGUAGE)
        for number, language in enumerate(WIDE_WORDS)
    ],
    ids=lambda each: each.name if isinstance(each, Page) else each,
)
def test_longer_words_on_a_phone(look: Look, place: Page, language: str) -> None:
    # Colours and places of what can be pressed do not depend on the words: one appearance is enough, the narrow one.
    assert wrong(look, place, language=language, appearances=[("light", 320)]) == []


def test_the_overview_over_time_is_whole_on_a_desk(look: Look) -> None:
    page = look(next(at for at in STAFF if at.name == "overview"), viewport={"width": 1280, "height": 900}).page
    assert page.locator(".over-time").count() > 0
    cut = "found => found.filter(each => each.scrollWidth > each.clientWidth).map(each => each.ariaLabel)"
    assert page.locator(".over-time .scroll").evaluate_all(cut) == []
    lines = "found => found.map(each => each.getClientRects().length)"
    assert set(page.locator(".over-time tbody time").evaluate_all(lines)) == {1}


@pytest.mark.slow
@pytest.mark.parametrize("place", ALL, ids=lambda place: place.name)
def test_every_page_in_every_appearance(look: Look, place: Page) -> None:
    assert wrong(look, place, language="en-GB", appearances=EVERY) == []


@pytest.mark.slow
@pytest.mark.parametrize("place", [*IN_EVERY_LANGUAGE, *FOR_MEMBERS], ids=lambda place: place.name)
def test_every_appearance_from_right_to_left(look: Look, place: Page) -> None:
    assert wrong(look, place, language="ar", appearances=EVERY) == []


def test_two_of_direction_colour_and_width_are_always_seen_together() -> None:
    seen = [(direction, *each) for direction, shown in APPEARANCES.items() for each in shown]
    for first, second in combinations(range(3), 2):
        pairs = {(each[first], each[second]) for each in seen}
        assert pairs == set(product({each[first] for each in seen}, {each[second] for each in seen}))
    for shown in APPEARANCES.values():
        assert {scheme for scheme, _ in shown} == {scheme for scheme, _ in EVERY}, "pages in one direction as well"
        assert {width for _, width in shown} == {min(EVERY)[1], max(EVERY)[1]}


def test_every_page_for_members_is_seen_in_both_directions() -> None:
    assert {place.name for place in ALL if place.path.startswith("/me")} <= {
        place.name for place in (*IN_EVERY_LANGUAGE, *FOR_MEMBERS)
    }


@pytest.mark.parametrize(
    "place", [at for at in ALL if at.press or at.name in {"settings", "object", "jobs"}], ids=lambda place: place.name
)
def test_without_javascript(look: Look, place: Page) -> None:
    """Where something is pressed first. What every page holds for whoever runs no scripts is asked above."""
    page, answer = look(place, java_script_enabled=False, viewport={"width": 320, "height": 900})
    assert answer.status == place.status
    assert page.locator("h1").count() == 1
    assert page.locator("main form, main a, main p").count() > 0


def test_the_check_bites(look: Look) -> None:
    page = look(next(at for at in ALL if at.name == "front")).page
    page.evaluate(
        "document.querySelector('main').insertAdjacentHTML('beforeend', '<img src=x><button>x</button><input>')"
    )
    page.evaluate("document.querySelector('main').insertAdjacentHTML('beforeend', '<hr>')")
    assert {"image-alt", "label"} <= {each.partition(":")[0] for each in violations(page)}
    by_script = "<main></main><script>document.body.innerHTML = '<h1>x</h1><main><p>x</p></main>'</script>"
    assert missing_without_scripts(page, by_script) == ["0 headings", "nothing to read or press"]
    assert missing_without_scripts(page, "<h1>x</h1><main><noscript><p>x</p></noscript></main>") == []


def test_cookies_come_back(visits: Visits) -> None:
    window = visits.staff("olga")
    page = window.new_page()
    page.goto("/")
    assert "olga" in page.inner_text("header")
    assert {each["name"] for each in window.cookies()} == {"__Host-consentry", "__Host-browser"}
