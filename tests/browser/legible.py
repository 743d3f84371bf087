"""What a page must hold for whoever has text made larger, colours of their own, or everything still."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Page

TWICE_PX = 32
"""The size of text in a browser whose reader doubled it."""

_COLLIDING = """() => {
  const hides = e => { const s = getComputedStyle(e); return s.overflowX !== 'visible' || s.overflowY !== 'visible'; };
  const shown = (e, box) => {
    let {left, right, top, bottom} = box;
    for (let p = e; p && p !== document.body; p = p.parentElement) if (hides(p)) {
      const b = p.getBoundingClientRect();
      [left, right] = [Math.max(left, b.left), Math.min(right, b.right)];
      [top, bottom] = [Math.max(top, b.top), Math.min(bottom, b.bottom)];
    }
    return {left, right, top, bottom};
  };
  const pieces = [], walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node; (node = walker.nextNode());) {
    const e = node.parentElement;
    if (!node.data.trim() || !e.checkVisibility()) continue;
    if (e.closest('.unseen, .skip, option, textarea, title, desc')) continue;
    const range = document.createRange();
    range.selectNodeContents(node);
    for (const line of range.getClientRects()) {
      const box = shown(e, line), edge = (box.bottom - box.top) / 4;
      if (box.right - box.left > 2 && edge > 0.5)
        pieces.push({node, left: box.left + 1, right: box.right - 1, top: box.top + edge, bottom: box.bottom - edge});
    }
  }
  pieces.sort((a, b) => a.top - b.top);
  const found = [];
  pieces.forEach((one, at) => {
    for (const other of pieces.slice(at + 1)) {
      if (other.top >= one.bottom) break;
      if (other.node !== one.node && other.left < one.right && one.left < other.right)
        found.push(`"${one.node.data.trim().slice(0, 60)}" lies over "${other.node.data.trim().slice(0, 60)}"`);
    }
  });
  return found;
}"""
_CUT_OFF = """() => [...document.querySelectorAll('body *')].filter(e => {
    if (!e.checkVisibility() || e.closest('.unseen, .skip, textarea, select, option')) return false;
    const s = getComputedStyle(e), hidden = each => each === 'hidden' || each === 'clip';
    const wide = e.scrollWidth > e.clientWidth + 1, high = e.scrollHeight > e.clientHeight + 1;
    const cut = (hidden(s.overflowX) && wide) || (hidden(s.overflowY) && high);
    return e.clientWidth > 0 && (cut || (e.matches('button') && wide));
  }).map(e => `cut off: ${e.outerHTML.slice(0, 120)}`)"""
_OUTSIDE = """() => [...document.querySelectorAll('svg text')].filter(e => {
    const box = e.getBoundingClientRect(), all = e.ownerSVGElement.getBoundingClientRect();
    return e.checkVisibility() && (box.left < all.left - 1 || box.right > all.right + 1 || box.bottom > all.bottom + 3);
  }).map(e => `cut off in a chart: ${e.textContent}`)"""

_INDISCERNIBLE = """() => {
  const light = colour => {
    const [r, g, b, a] = (colour.match(/[0-9.]+/g) || [0, 0, 0, 0]).map(Number);
    const part = each => (each /= 255) <= 0.04045 ? each / 12.92 : ((each + 0.055) / 1.055) ** 2.4;
    return a === 0 ? null : 0.2126 * part(r) + 0.7152 * part(g) + 0.0722 * part(b);
  };
  const differ = (one, other) => {
    const [a, b] = [light(one), light(other)];
    return a !== null && b !== null && (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05) >= 3;
  };
  const paper = getComputedStyle(document.documentElement).backgroundColor;
  const style = e => getComputedStyle(e), found = [];
  const told = (why, e) => found.push(`${why}: ${e.outerHTML.slice(0, 120)}`);
  const bordered = s =>
    parseFloat(s.borderTopWidth) >= 1 && s.borderTopStyle !== 'none' && differ(s.borderTopColor, paper);
  for (const e of document.querySelectorAll('button, .button, input:not([type=hidden]), select, textarea')) {
    const s = style(e), drawn = s.appearance !== 'none' && e.matches('[type=radio], [type=checkbox]');
    const edged = drawn || bordered(s) || s.textDecorationLine.includes('underline');
    if (e.checkVisibility() && !edged) told('no edge', e);
  }
  for (const e of document.querySelectorAll('.notice, .badge, .card, .skip'))
    if (e.checkVisibility() && !bordered(style(e))) told('no edge', e);
  const looks = e => {
    const s = style(e);
    return [s.textDecorationLine, s.outlineStyle, s.borderInlineStartColor, s.borderInlineStartWidth,
      s.borderBlockEndColor, s.borderBlockEndWidth, s.color, s.backgroundColor].join();
  };
  for (const e of document.querySelectorAll('nav [aria-current]')) {
    const other = e.closest('nav').querySelector('a:not([aria-current])');
    if (other && e.checkVisibility() && looks(e) === looks(other)) told('like any other link', e);
  }
  const part = e => {
    const s = style(e), fill = e.matches('rect') ? s.fill : s.backgroundColor;
    const edge = e.matches('rect') ? (s.stroke === 'none' ? fill : s.stroke) : bordered(s) ? s.borderTopColor : fill;
    return [fill, edge];
  };
  for (const such of ['.bars rect', '.key']) {
    const kinds = {};
    for (const e of document.querySelectorAll(such)) {
      const [fill, edge] = part(e);
      if (!differ(fill, paper) && !differ(edge, paper)) told('not to be seen', e);
      kinds[e.getAttribute('class').includes('stop') ? 'stop' : 'go'] = [fill, e];
    }
    if (kinds.go && kinds.stop && !differ(kinds.go[0], kinds.stop[0])) told('like the other parts', kinds.stop[1]);
  }
  for (const e of document.querySelectorAll('.bars text')) if (!differ(style(e).fill, paper)) told('no contrast', e);
  for (const e of document.querySelectorAll('.mark path')) if (!differ(style(e).stroke, paper)) told('no contrast', e);
  return [...new Set(found)];
}"""
_MOVING = """() => [...document.querySelectorAll('*')].filter(e => {
    const s = getComputedStyle(e);
    const lasts = each => each.split(',').some(time => parseFloat(time) > 0);
    return lasts(s.transitionDuration) || (s.animationName !== 'none' && lasts(s.animationDuration))
      || s.scrollBehavior === 'smooth';
  }).map(e => `moves: ${e.outerHTML.slice(0, 120)}`)"""


@contextmanager
def text_at_twice_its_size(page: Page) -> Iterator[None]:
    """Set in the browser what its reader would: that text is twice as large. Style sheets reckon with it too."""
    session = page.context.new_cdp_session(page)
    session.send("Page.setFontSizes", {"fontSizes": {"standard": TWICE_PX}})
    try:
        yield
    finally:
        session.send("Page.setFontSizes", {"fontSizes": {"standard": TWICE_PX // 2}})
        session.detach()


def illegible(page: Page) -> list[str]:
    """Return the texts that are cut off, or lie over each other (WCAG 1.4.4)."""
    return [each for check in (_CUT_OFF, _OUTSIDE, _COLLIDING) for each in page.evaluate(check)]


def indiscernible(page: Page) -> list[str]:
    """Return what is not to be told apart in colours of the reader's own: the browser draws no others then."""
    found: list[str] = page.evaluate(_INDISCERNIBLE)
    return found


def moving(page: Page) -> list[str]:
    """Return what moves although its reader asked for nothing that does (WCAG 2.3.3)."""
    found: list[str] = page.evaluate(_MOVING)
    return found
