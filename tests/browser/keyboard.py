"""Going through a page with Tab alone: where it stops, in which order, and whether one sees where one is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

from playwright.sync_api import Locator, Page

MOST = 400
"""Stops: no page has so many, not even with the parts of its dates."""
_AT_ONCE = 25
_WATCH = """() => {
  const stops = window.stops = [];
  addEventListener('keyup', event => {
    const e = document.activeElement;
    if (event.key !== 'Tab' || !e || e === document.body) return;
    const box = e.getBoundingClientRect(), style = getComputedStyle(e);
    let [x, y] = [scrollX, scrollY];
    for (let p = e.parentElement; p && p !== document.documentElement; p = p.parentElement)
      [x, y] = [x + p.scrollLeft, y + p.scrollTop];
    stops.push({
      at: [...document.querySelectorAll('*')].indexOf(e), html: e.outerHTML.slice(0, 120),
      left: box.left + x, right: box.right + x, top: box.top + y, bottom: box.bottom + y,
      // Of a date the browser shows which of its parts is meant.
      seen: e.type === 'date' || (style.outlineStyle !== 'none' && style.outlineWidth !== '0px'),
      inline: style.display === 'inline',
      there: box.width > 0 && box.bottom > 0 && box.top < innerHeight && box.right > 0 && box.left < innerWidth,
    });
  });
}"""
_REACHABLE = """() => {
  const all = [...document.querySelectorAll('*')];
  const such = 'a[href], button, input:not([type=hidden]), select, textarea, summary, [tabindex]';
  return [...document.querySelectorAll(such)].filter(e => e.tabIndex >= 0 && !e.disabled && e.checkVisibility())
    .map(e => ({
      at: all.indexOf(e), html: e.outerHTML.slice(0, 120),
      group: e.type === 'radio' ? `${all.indexOf(e.form)} ${e.name}` : `${all.indexOf(e)}`,
    }));
}"""


class Stop(NamedTuple):
    """Where Tab stops: the number of the element in the document, and its box in pixels of the page."""

    at: int
    html: str
    left: float
    right: float
    top: float
    bottom: float
    seen: bool
    there: bool
    inline: bool
    """It stands in running text, in whose lines words of another direction have their own order."""


def once_round(page: Page) -> tuple[list[Stop], bool]:
    """Press Tab until the first stop comes again; return the stops, and whether it came."""
    page.evaluate("document.activeElement.blur()")
    page.evaluate(_WATCH)
    found: list[Stop] = []
    while len(found) < MOST:
        before = len(found)
        for _ in range(_AT_ONCE):
            page.keyboard.press("Tab")
        found = [Stop(**each) for each in page.evaluate("window.stops")]
        again = next((number for number, each in enumerate(found) if number and each.at == found[0].at), None)
        if again is not None and _left_in_between(found[:again]):
            return _without_repetition(found[:again]), True
        if len({each.at for each in found[before:]}) < 2:
            break
    return _without_repetition(found), False


def _left_in_between(stops: Sequence[Stop]) -> bool:
    return len({each.at for each in stops}) > 1


def _without_repetition(stops: Sequence[Stop]) -> list[Stop]:
    """Return stops with one for each element: a date has one for each of its parts."""
    return [each for number, each in enumerate(stops) if not number or each.at != stops[number - 1].at]


def wrong_on_the_way(page: Page) -> list[str]:
    """Return what is wrong for whoever goes through a page with Tab (WCAG 2.1.1, 2.1.2, 2.4.3, 2.4.7, 2.4.11)."""
    reachable: list[dict[str, Any]] = page.evaluate(_REACHABLE)
    stops, came_back = once_round(page)
    if not came_back:
        return [f"Tab never comes back to the start; it was last at {stops[-1].html if stops else 'nothing'}"]
    reached = {each["group"] for each in reachable if each["at"] in {stop.at for stop in stops}}
    found = [f"Tab never comes to {each['html']}" for each in reachable if each["group"] not in reached]
    found += [f"nothing shows that one is at {each.html}" for each in stops if not each.seen]
    found += [f"out of sight: {each.html}" for each in stops if not each.there]
    return [*found, *_out_of_order(stops, to_the_left=page.evaluate("document.dir") == "rtl")]


def _out_of_order(stops: Sequence[Stop], *, to_the_left: bool) -> Iterator[str]:
    """Yield where Tab goes back: in the document, or to what was read before."""
    for one, other in pairwise(stops):
        if other.at < one.at or _is_read_before(other, one, to_the_left=to_the_left):
            yield f"from {one.html} back to {other.html}"


def _is_read_before(one: Stop, other: Stop, *, to_the_left: bool) -> bool:
    """Say whether one stands wholly above another, in no column that follows; or before it in its line."""
    right_of, left_of = one.left >= other.right, one.right <= other.left
    further, back = (left_of, right_of) if to_the_left else (right_of, left_of)
    if one.bottom <= other.top:
        return not further
    if one.inline and other.inline:
        return False
    overlap = min(one.bottom, other.bottom) - max(one.top, other.top)
    return back and overlap > 0.6 * min(one.bottom - one.top, other.bottom - other.top)


def tab_to(page: Page, goal: Locator) -> None:
    """Press Tab until something that fits is reached, as somebody does who sees nothing but where they are."""
    for _ in range(MOST):
        page.keyboard.press("Tab")
        if goal.evaluate_all("found => found.includes(document.activeElement)"):
            return
    raise AssertionError(f"Tab does not come to {goal}")


def write(page: Page, text: str, *, into: Locator) -> None:
    """Go to a field with Tab, and write into it."""
    tab_to(page, into)
    page.keyboard.type(text)


def press(page: Page, goal: Locator, *, key: str = "Enter") -> None:
    """Go to something with Tab, and press a key there."""
    tab_to(page, goal)
    page.keyboard.press(key)


def follow(page: Page, goal: Locator) -> None:
    """Go to a link or a button with Tab, press Enter there, and wait for where it leads."""
    tab_to(page, goal)
    with page.expect_navigation():
        page.keyboard.press("Enter")
