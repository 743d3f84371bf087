"""What the demo's page is made of: tables beside the charts, and the document around them. It needs no other file."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from types import MappingProxyType

from consentry.cli.output import day
from consentry.cli.timeline import Moment

_NUMBER = re.compile("[-+\N{MINUS SIGN}]?[\\d,.]+( %| s)?|-")


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A part of the page with a heading. `body` is HTML."""

    title: str
    body: str

    @property
    def anchor(self) -> str:
        """The name that links to it use."""
        return re.sub(r"[^a-z]+", "-", self.title.lower()).strip("-")


def table(
    caption: str,
    *,
    columns: Sequence[str],
    rows: Sequence[Sequence[str]],
    notes: Mapping[str, str] = MappingProxyType({}),
) -> str:
    """Return a table. The first cell of a row is its heading; columns of numbers are aligned, and never broken.

    `notes` say more about rows, by their headings; they stand below these.
    """
    numeric = [all(_NUMBER.fullmatch(row[index]) for row in rows) for index in range(len(columns))]
    kinds = [" class=n" if is_number else "" for is_number in numeric]
    head = "".join(f"<th scope=col{kind}>{escape(name)}</th>" for name, kind in zip(columns, kinds, strict=True))
    cells = "".join(
        f"<tr><th scope=row>{escape(first).replace(':', ':<wbr>')}{_note(notes.get(first, ''))}</th>"
        + "".join(f"<td{kind}>{escape(cell)}</td>" for cell, kind in zip(rest, kinds[1:], strict=True))
        + "</tr>"
        for first, *rest in rows
    )
    return (
        f'<div class=scroll role=group tabindex=0 aria-label="{escape(caption)}"><table><thead><tr>{head}</tr></thead>'
        f"<tbody>{cells}</tbody></table></div>"
    )


def _note(text: str) -> str:
    return f"<small>{escape(text)}</small>" if text else ""


def pair(chart: str, numbers: str) -> str:
    """Return a chart with its table beside it, or below it where there is no room."""
    return f"<div class=pair>{chart}{numbers}</div>"


def timeline(moments: Sequence[Moment]) -> str:
    """Return what happened as a list in order, each with its day, and with its facts below it."""
    return f"<ol class=timeline>{''.join(map(_moment, moments))}</ol>"


def _named(text: str) -> str:
    """Return a text with what it names in a type of its own, as the terminal shows it between backticks."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text))


def _moment(told: Moment) -> str:
    facts = "".join(f"<div><dt>{escape(name)}</dt><dd>{_named(value)}</dd></div>" for name, value in told.facts)
    return (
        f"<li class={told.mark}><time>{day(told.at)}</time><h3>{escape(told.title)}</h3><p>{escape(told.text)}</p>"
        f"{f'<dl>{facts}</dl>' if facts else ''}</li>"
    )


def document(*, title: str, intro: str, sections: Sequence[Section]) -> str:
    """Return the page. `intro` is HTML."""
    links = "".join(f'<li><a href="#{each.anchor}">{escape(each.title)}</a></li>' for each in sections)
    body = "\n".join(
        f'<section id="{each.anchor}" aria-labelledby="{each.anchor}-title">'
        f'<h2 id="{each.anchor}-title">{escape(each.title)}</h2>{each.body}</section>'
        for each in sections
    )
    return _DOCUMENT.format(title=escape(title), style=_STYLE, intro=intro, links=links, body=body)


_STYLE = """
:root { color-scheme: light dark; --ink: #1c2430; --soft: #566170; --page: #fbfbf9; --line: #dcdfe4; --card: #fff;
  --in: #1a6b4f; --out: #cf6f3b; --link: #1d5fa8; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e9ee; --soft: #a3adbb; --page: #14181e; --line: #2c333d;
  --card: #1b2129; --in: #6fd6b0; --out: #c26a41; --link: #8fc1f5; } }
* { box-sizing: border-box; }
html { scroll-padding-top: 1rem; }
body { margin: 0 auto; max-width: 76rem; padding: 2.5rem 1.25rem 5rem; background: var(--page); color: var(--ink);
  font: 16px/1.55 system-ui, sans-serif; }
h1 { font-size: clamp(1.5rem, 6vw, 2.2rem); line-height: 1.15; margin: .2rem 0 .6rem; text-wrap: balance; }
h2 { font-size: 1.3rem; margin: 0 0 .7rem; } h3 { font-size: 1rem; margin: 0; overflow-wrap: anywhere; }
h3.sub { margin: 1.8rem 0 .4rem; } p { max-width: 46rem; margin: 0 0 .8rem; overflow-wrap: anywhere; }
a { color: var(--link); } :focus-visible { outline: 3px solid var(--link); outline-offset: 3px; border-radius: 2px; }
.eyebrow, .legend, .figures span, dt, small, article .what { color: var(--soft); }
.eyebrow { margin: 0; letter-spacing: .04em; } .legend { font-size: .9rem; }
nav ul { list-style: none; display: flex; flex-wrap: wrap; gap: 0 1.1rem; padding: 0; margin: 1.6rem 0 0; }
nav a { display: inline-block; padding: .25rem 0; }
main { min-width: 0; }
section { margin-top: 2.6rem; padding-top: 1.4rem; border-top: 1px solid var(--line); }
@media (min-width: 66rem) {
  .page { display: grid; grid-template-columns: 12rem minmax(0, 1fr); gap: 3rem; margin-top: 2.2rem;
    align-items: start; }
  nav { position: sticky; top: 1.4rem; max-height: calc(100vh - 2.8rem); overflow-y: auto; font-size: .9rem; }
  nav ul { display: block; margin: 0; } nav a { text-decoration: none; line-height: 1.35; }
  nav a:hover { text-decoration: underline; }
  main > section:first-child { margin-top: 0; padding-top: 0; border-top: 0; } }
.figures { list-style: none; display: grid; grid-template-columns: repeat(3, 1fr); gap: 1rem; padding: 0;
  margin: 1.6rem 0 0; }
@media (max-width: 44rem) { .figures { grid-template-columns: repeat(2, 1fr); gap: .7rem; } }
@media (max-width: 20rem) { .figures { grid-template-columns: 1fr; } }
.figures li, article { background: var(--card); border: 1px solid var(--line); border-radius: .6rem; padding: 1rem; }
.figures li { overflow-wrap: anywhere; } .figures span { display: block; font-size: .9rem; line-height: 1.4; }
.figures b { display: block; font-size: clamp(1.35rem, 5vw, 1.8rem); line-height: 1.25;
  font-variant-numeric: tabular-nums; }
dl { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(17rem, 100%), 1fr)); gap: .7rem 2rem;
  margin: 0; }
dt { font-size: .85rem; } dd { margin: 0; overflow-wrap: anywhere; }
.pair { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(22rem, 100%), 1fr)); gap: 1.2rem 2.5rem;
  align-items: start; }
svg { display: block; font-size: 13px; } svg text { fill: currentColor; }
svg rect { stroke: var(--page); stroke-width: 1px; }
.in { fill: var(--in); } .out { fill: var(--page); stroke: var(--out); stroke-width: 1.5px; }
.all { fill: var(--soft); }
.key { display: inline-block; width: .8em; height: .8em; border-radius: 2px; } .key.in { background: var(--in); }
.key.out { border: 1.5px solid var(--out); margin-inline-start: 1rem; }
.key.alone { margin: 0; } .scroll { overflow-x: auto; } .checks { margin-top: 1rem; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; width: 100%; font-size: .95rem; }
thead th { color: var(--soft); font-weight: 500; font-size: .85rem; } tbody th { font-weight: 400; min-width: 6.5rem; }
th, td { padding: .3rem 0 .3rem .8rem; border-bottom: 1px solid var(--line); vertical-align: top; text-align: start;
  overflow-wrap: anywhere; }
th:first-child { padding-inline-start: 0; } small { display: block; font-size: .82rem; line-height: 1.35; }
.n { text-align: end; } .n, time { white-space: nowrap; overflow-wrap: normal; }
.timeline { list-style: none; margin: 0; padding: 0; border-inline-start: 2px solid var(--line); }
.timeline li { position: relative; padding: 0 0 1.6rem 1.5rem; }
.timeline li::before { content: ""; position: absolute; inset-inline-start: -.5rem; top: .35rem; width: .8rem;
  height: .8rem; border-radius: 50%; border: 2px solid var(--page); background: var(--in); }
.timeline li.stop::before { background: var(--out); border-radius: 0; }
.timeline li.wait::before { background: var(--page); border-color: var(--soft); }
.timeline time { color: var(--soft); font-size: .85rem; } .timeline p { margin: .2rem 0 .6rem; }
.timeline dl { gap: .3rem 2rem; }
.cards { display: grid; gap: 1rem; grid-template-columns: repeat(auto-fit, minmax(min(17rem, 100%), 1fr));
  align-items: start; }
article { border-inline-start: 4px solid var(--out); } article.may { border-inline-start-color: var(--in); }
article .what { margin: .2rem 0 .6rem; } article ul { margin: 0 0 .8rem; padding-inline-start: 1.1rem; }
article h4 { font-size: .9rem; margin: .9rem 0 .3rem; }
article li { margin-bottom: .45rem; overflow-wrap: anywhere; } article li ul { margin: .2rem 0 0; }
@media (max-width: 26rem) { body { padding: 1.5rem 1rem 4rem; } table { font-size: .9rem; }
  .figures li { padding: .75rem; } th, td { padding-inline-start: .6rem; } }
@media print { nav { display: none; } }
"""

_DOCUMENT = """<!doctype html>
<html lang=en>
<meta charset=utf-8>
<meta name=viewport content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>{style}</style>
<body>
<header>{intro}</header>
<div class=page>
<nav aria-label="On this page"><ul>{links}</ul></nav>
<main>
{body}
</main>
</div>
</body>
</html>
"""
