"""Bars and columns as SVG, for the demo's page and for the console: drawn here, without scripts or styles of their own.

They are as wide as their column, so that their words keep their size on a telephone. A chart never stands alone: it
has its table beside it, and says so to those who do not see it. What a part looks like is up to its class.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape

_ROW_HEIGHT = 36
_LABEL_LENGTH = 38
_THINNEST = 0.5
"""Per cent: what is there can be seen."""
_COLUMN_HEIGHT, _LOWEST, _BELOW = 72, 1.0, 18
"""Pixels: of the tallest column, of the smallest part, and of the line of words below."""
_FILLED = 0.8
_GAP = 3
"""Pixels between the parts of a bar or column: whoever does not tell their colours apart sees where one ends."""
_ALL = 97
"""Per cent that the longest bar takes: the gaps in it come on top."""
BESIDE = "The numbers are in the table that follows."


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar: its label, and the lengths of its parts with the class of each."""

    label: str
    parts: Sequence[tuple[str, int]]


def bars(title: str, rows: Sequence[Bar], *, beside: str = BESIDE) -> str:
    """Return a bar chart as an SVG element; all bars are to one scale. `beside` says where the numbers are."""
    widest = max((sum(size for _, size in row.parts) for row in rows), default=0) or 1
    whole = _ALL if _most_gaps(rows) else 100
    drawn = []
    for index, row in enumerate(rows):
        top = index * _ROW_HEIGHT
        drawn.append(f'<text x="0" y="{top + 13}">{escape(_shorten(row.label))}</text>')
        start = 0.0
        for gaps, name, size in _apart(row):
            width = max(whole * size / widest, _THINNEST) if size else 0.0
            apart = f' transform="translate({gaps * _GAP} 0)"' if gaps else ""
            place = f'x="{start:.2f}%" y="{top + 19}" width="{width:.2f}%" height="11"'
            drawn.append(f'<rect class="{name}" {place}{apart}/>')
            start += width
    height = len(rows) * _ROW_HEIGHT
    said = f"<title>{escape(title)}</title><desc>{escape(beside)}</desc>"
    # Left to right also on a page that reads the other way: a bar begins at 0 per cent.
    return f'<svg role="img" class="bars" direction="ltr" width="100%" height="{height}">{said}{"".join(drawn)}</svg>'


def columns(title: str, rows: Sequence[Bar], *, beside: str = BESIDE) -> str:
    """Return a chart of columns as an SVG element, one beside the other in the order given, all to one scale.

    The parts of a column stand on each other, the first at the bottom. Only the first and the last are named.
    """
    tallest = max((sum(size for _, size in row.parts) for row in rows), default=0) or 1
    step, ground = 100 / max(1, len(rows)), _COLUMN_HEIGHT + _most_gaps(rows) * _GAP
    drawn = []
    for index, row in enumerate(rows):
        top = float(ground)
        for gaps, name, size in _apart(row):
            height = max(_COLUMN_HEIGHT * size / tallest, _LOWEST) if size else 0.0
            top -= height
            at = f'x="{index * step:.2f}%" y="{top - gaps * _GAP:.2f}"'
            place = f'{at} width="{step * _FILLED:.2f}%" height="{height:.2f}"'
            drawn.append(f'<rect class="{name}" {place}/>')
    line = ground + _BELOW - 4
    if rows:
        drawn.append(f'<text x="0" y="{line}">{escape(_shorten(rows[0].label))}</text>')
    if len(rows) > 1:
        drawn.append(f'<text x="100%" y="{line}" text-anchor="end">{escape(_shorten(rows[-1].label))}</text>')
    said = f"<title>{escape(title)}</title><desc>{escape(beside)}</desc>"
    height = ground + _BELOW
    # Left to right also on a page that reads the other way: time begins at 0 per cent.
    return f'<svg role="img" class="bars" direction="ltr" width="100%" height="{height}">{said}{"".join(drawn)}</svg>'


def _apart(row: Bar) -> Iterator[tuple[int, str, int]]:
    """Yield the parts of a bar, each after how many gaps; what has no length leaves none."""
    before = 0
    for name, size in row.parts:
        yield before if size else 0, name, size
        before += size > 0


def _most_gaps(rows: Sequence[Bar]) -> int:
    return max((gaps for row in rows for gaps, _, _ in _apart(row)), default=0)


def _shorten(label: str) -> str:
    """A line of SVG does not wrap: the table has the whole label."""
    return label if len(label) <= _LABEL_LENGTH else f"{label[: _LABEL_LENGTH - 1]}…"
