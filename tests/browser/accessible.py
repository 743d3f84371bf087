"""What a page must hold for everybody: axe-core, and what it does not look at."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import axe_playwright_python
from playwright.sync_api import Page

AXE = (Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text("utf-8")
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
APPEARANCES = {
    "ltr": (("light", 1280), ("dark", 320)),
    "rtl": (("dark", 1280), ("light", 320)),
}
"""By direction of writing: together every colour at every width, every colour in every direction, every width in every
direction. The campaign (`-m slow`) has all of `EVERY` in both directions."""
WIDE_WORDS = ("de", "cy")
"""German and Welsh, seen on a phone as well: what fits in English need not fit in them."""
EVERY = tuple(product(("light", "dark"), (320, 768, 1280)))
"""Colours and widths in pixels: a phone, a tablet, a desktop."""
_WATCH_FOCUS = """() => {
  if (window.lost) return;
  window.lost = [];
  addEventListener('keyup', event => {
    const e = document.activeElement;
    // Of a date the browser shows which of its parts is meant.
    if (event.key !== 'Tab' || !e || e === document.body || e.type === 'date') return;
    const shown = getComputedStyle(e);
    if (shown.outlineStyle === 'none' || shown.outlineWidth === '0px') window.lost.push(e.outerHTML.slice(0, 120));
  });
}"""


def violations(page: Page) -> list[str]:
    """Return what axe-core finds wrong with a page, a line each."""
    page.wait_for_load_state("load")  # without its style a page is another one
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE)
    found = page.evaluate("tags => axe.run({runOnly: tags, resultTypes: ['violations']})", TAGS)
    return [
        f"{each['id']}: {node['html'][:160]} {node.get('failureSummary', '')[:300]}"
        for each in found["violations"]
        for node in each["nodes"]
    ]


def missing_without_scripts(page: Page, document: str) -> list[str]:
    """Return what a document, as the server sent it, does not hold before any script has run.

    A parser of documents runs none: it takes `noscript` for what it holds.
    """
    counts = """(document) => {
      const parsed = new DOMParser().parseFromString(document, 'text/html');
      return ['h1', 'main :is(form, a, p)'].map(each => parsed.querySelectorAll(each).length);
    }"""
    headings, held = page.evaluate(counts, document)
    return [*([] if headings == 1 else [f"{headings} headings"]), *([] if held else ["nothing to read or press"])]


def overflow(page: Page) -> int:
    """Return by how many pixels a page is wider than the window (WCAG 1.4.10, reflow)."""
    width: int = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    return width


def small_targets(page: Page) -> list[str]:
    """Return what can be clicked and is smaller than 24 by 24 px, outside running text (WCAG 2.5.8)."""
    found: list[str] = page.evaluate(
        """() => [...document.querySelectorAll('a, button, input:not([type=hidden]), select, textarea, summary')]
        .filter(e => e.offsetParent !== null && !e.closest('.skip') && !e.classList.contains('skip')
            && !e.closest('p, dd, td, li:not(nav li)'))
        .map(e => [e.outerHTML.slice(0, 120), e.getBoundingClientRect()])
        .filter(([_, box]) => box.width < 24 || box.height < 24)
        .map(([html, box]) => `${box.width}x${box.height} ${html}`)"""
    )
    return found


def unseen_focus(page: Page, *, steps: int = 12) -> list[str]:
    """Return what Tab reaches without showing where one is (WCAG 2.4.7)."""
    page.evaluate(_WATCH_FOCUS)
    for _ in range(steps):
        page.keyboard.press("Tab")
    lost: list[str] = page.evaluate("window.lost.splice(0)")
    return lost
