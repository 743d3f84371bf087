"""The demo's report: one HTML page that needs nothing else. Charts are SVG, each with its table beside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from babel import Locale

from consentry.cli.output import moment, share

_BAR_WIDTH = 300
_ROW_HEIGHT = 26
_LABEL_WIDTH = 180
_TOP = 14


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """What the demo did, ready to be shown."""

    title: str
    origin: str
    people: Mapping[str, int]
    before: Mapping[str, Any]
    after: Mapping[str, Any]
    comparison: Mapping[str, Any]
    explanations: Sequence[tuple[str, Mapping[str, Any]]]
    steps: Sequence[tuple[str, float]]
    checks: str


def page(story: Story) -> str:
    """Return the report as HTML."""
    before, after = story.before["counts"], story.after["counts"]
    lost = before["eligible"] - after["eligible"]
    figures = [
        (f"{before['items']:,}", "items decided one by one"),
        (f"{before['eligible']:,}", "eligible before the suspension"),
        (f"{after['eligible']:,}", "eligible after it"),
        (f"{lost:,}", "items of the United Kingdom out of reach"),
    ]
    body = [
        f"<header><p class=eyebrow>Consentry demo</p><h1>{escape(story.title)}</h1>",
        f"<p>{escape(story.origin)}</p></header>",
        "<ul class=figures>" + "".join(f"<li><b>{n}</b><span>{escape(t)}</span></li>" for n, t in figures) + "</ul>",
        _release("Before: the United Kingdom is in", story.before),
        _chart("By country", before["by_place"], "country"),
        _chart("By category", before["by_category"], "category"),
        _reasons("Why items were left out", before["by_reason"], before["items"]),
        _reasons("Gaps: what could not be known", before["by_gap"], before["items"]),
        _explanations(story.explanations),
        _release("After: the use of UK data is suspended", story.after),
        _moves(story.comparison),
        _chart("By country, after", after["by_place"], "country"),
        _people(story.people),
        _steps(story.steps, story.checks),
    ]
    return _DOCUMENT.format(title=escape(story.title), style=_STYLE, body="\n".join(body))


def _release(title: str, manifest: Mapping[str, Any]) -> str:
    policy = manifest["policy"]
    rows = [
        ("Release", manifest["release"]),
        ("Policy", f"{policy['name']} {policy['version']}"),
        ("Purpose", manifest["purpose"]),
        ("Covers", f"ledger events [0, {manifest['position']})"),
        ("Decided as of", moment(manifest["decided_at"])),
        ("Manifest", manifest["digest"]),
    ]
    cells = "".join(f"<div><dt>{escape(name)}</dt><dd>{escape(str(value))}</dd></div>" for name, value in rows)
    return f"<section><h2>{escape(title)}</h2><dl>{cells}</dl></section>"


def _chart(title: str, split: Mapping[str, Mapping[str, int]], noun: str) -> str:
    rows = [(_named(name), each["eligible"], each["denied"]) for name, each in list(split.items())[:_TOP]]
    widest = max((eligible + denied for _, eligible, denied in rows), default=1)
    bars = []
    for index, (name, eligible, denied) in enumerate(rows):
        top = index * _ROW_HEIGHT
        first = _BAR_WIDTH * eligible / widest
        second = _BAR_WIDTH * denied / widest
        bars.append(
            f'<text x="{_LABEL_WIDTH - 8}" y="{top + 17}" text-anchor="end">{escape(_shorten(name))}</text>'
            f'<rect class="in" x="{_LABEL_WIDTH}" y="{top + 4}" width="{first:.1f}" height="17"/>'
            f'<rect class="out" x="{_LABEL_WIDTH + first:.1f}" y="{top + 4}" width="{second:.1f}" height="17"/>'
        )
    height = len(rows) * _ROW_HEIGHT + 4
    more = f" The first {_TOP} of {len(split)}." if len(split) > _TOP else ""
    description = f"Eligible and denied items by {noun}.{more}"
    table = _table(
        [noun, "eligible", "denied", "share"],
        [[name, f"{e:,}", f"{d:,}", share(e, e + d)] for name, e, d in rows],
    )
    return (
        f"<section><h2>{escape(title)}</h2>"
        f'<p class=legend><span class="key in"></span> eligible <span class="key out"></span> denied.{more}</p>'
        f'<div class=pair><svg role="img" viewBox="0 0 {_LABEL_WIDTH + _BAR_WIDTH} {height}">'
        f"<title>{escape(title)}</title><desc>{escape(description)}</desc>{''.join(bars)}</svg>{table}</div></section>"
    )


def _named(name: str) -> str:
    """Return a country's English name (CLDR) for its code, other names as they are."""
    territory: str | None = Locale("en").territories.get(name)
    return territory or name or "(none)"


def _shorten(name: str) -> str:
    return name if len(name) <= 26 else f"{name[:25]}…"


def _reasons(title: str, counts: Mapping[str, int], items: int) -> str:
    if not counts:
        return ""
    rows = [[name, f"{count:,}", share(count, items)] for name, count in list(counts.items())[:_TOP]]
    return f"<section><h2>{escape(title)}</h2>{_table(['reason', 'items', 'of all'], rows)}</section>"


def _explanations(found: Sequence[tuple[str, Mapping[str, Any]]]) -> str:
    cards = []
    for item, body in found:
        verdict = "in" if body["allowed"] else "out"
        word = "may be used" if body["allowed"] else "is left out"
        reasons = "".join(
            f"<li><code>{escape(each['reason'])}</code>"
            + (f" (policy line {each['line']})" if "line" in each else "")
            + f"<br>{escape(each['why'])}</li>"
            for each in body["reasons"]
        )
        said = "".join(
            f"<li>chose <b>{escape(choice['state'])}</b> for {escape(choice['purpose'])},"
            f" reach {escape(choice['reach'])}, on {moment(choice['at'])}: ledger position {choice['position']}</li>"
            for person in body["people"]
            for choice in person.get("choices", ())
        )
        cards.append(
            f"<article class={verdict}><h3>{escape(item)} {word}</h3>"
            f"<p>{escape(body['item']['category'])}, {escape(body['item']['visibility'])}, "
            f"created {moment(body['item']['created'])}</p><ul>{reasons}{said}</ul></article>"
        )
    return f"<section><h2>Three items, explained</h2><div class=cards>{''.join(cards)}</div></section>"


def _moves(comparison: Mapping[str, Any]) -> str:
    rows = [[move["from"], move["to"], f"{move['items']:,}"] for move in comparison["moves"][:_TOP]]
    changed = ", ".join(name for name, differs in comparison["causes"].items() if differs)
    return (
        f"<section><h2>What the suspension changed</h2><p>Different between the two releases: {escape(changed)}.</p>"
        f"{_table(['was', 'is', 'items'], rows)}</section>"
    )


def _people(people: Mapping[str, int]) -> str:
    rows = [[_named(name), f"{count:,}"] for name, count in list(people.items())[:_TOP]]
    return f"<section><h2>People, by the country they may be in</h2>{_table(['place', 'people'], rows)}</section>"


def _steps(steps: Sequence[tuple[str, float]], checks: str) -> str:
    rows = [[name, f"{seconds:.1f} s"] for name, seconds in steps]
    return f"<section><h2>How it went</h2>{_table(['step', 'time'], rows)}<p>{escape(checks)}</p></section>"


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    head = "".join(f"<th scope=col>{escape(name)}</th>" for name in columns)
    cells = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<div class=scroll><table><thead><tr>{head}</tr></thead><tbody>{cells}</tbody></table></div>"


_STYLE = """
:root { color-scheme: light dark; --ink: light-dark(#1c2430, #e6e9ee); --soft: light-dark(#5b6675, #9aa5b4);
  --page: light-dark(#fbfbf9, #14181e); --line: light-dark(#dcdfe4, #2c333d); --card: light-dark(#fff, #1b2129);
  --in: light-dark(#1f7a5a, #4cc29a); --out: light-dark(#c9663d, #e08b62); }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 70rem; padding: 2.5rem 1.25rem 5rem; background: var(--page); color: var(--ink);
  font: 16px/1.55 system-ui, sans-serif; }
h1 { font-size: 2rem; line-height: 1.2; margin: .2rem 0 .6rem; } h2 { font-size: 1.2rem; margin: 0 0 .7rem; }
h3 { font-size: 1rem; margin: 0; overflow-wrap: anywhere; }
header p { max-width: 46rem; margin: 0; } .eyebrow { color: var(--soft); }
section { margin-top: 2.6rem; padding-top: 1.4rem; border-top: 1px solid var(--line); }
.figures { list-style: none; display: grid; grid-template-columns: repeat(auto-fit, minmax(12rem, 1fr)); gap: 1rem;
  padding: 0; margin: 2rem 0 0; }
.figures li { background: var(--card); border: 1px solid var(--line); border-radius: .6rem; padding: 1rem; }
.figures b { display: block; font-size: 1.7rem; font-variant-numeric: tabular-nums; }
.figures span { color: var(--soft); }
dl { display: grid; grid-template-columns: repeat(auto-fit, minmax(17rem, 1fr)); gap: .7rem 2rem; margin: 0; }
dt { color: var(--soft); font-size: .85rem; } dd { margin: 0; overflow-wrap: anywhere; }
.pair { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(24rem, 100%), 1fr)); gap: 2rem;
  align-items: start; }
svg { width: 100%; height: auto; font-size: 13px; } svg text { fill: currentColor; } .in { fill: var(--in); }
.out { fill: var(--out); } .legend { color: var(--soft); margin: 0 0 .8rem; }
.key { display: inline-block; width: .8em; height: .8em; border-radius: 2px; } .key.in { background: var(--in); }
.key.out { background: var(--out); margin-inline-start: 1rem; }
.scroll { overflow-x: auto; } table { border-collapse: collapse; font-variant-numeric: tabular-nums; width: 100%; }
th { text-align: start; color: var(--soft); font-weight: 500; font-size: .85rem; }
th, td { padding: .25rem .9rem .25rem 0; border-bottom: 1px solid var(--line); vertical-align: top; }
td:not(:first-child), th:not(:first-child) { text-align: end; } td { overflow-wrap: anywhere; }
.cards { display: grid; gap: 1rem; grid-template-columns: repeat(auto-fit, minmax(min(20rem, 100%), 1fr)); }
article { background: var(--card); border: 1px solid var(--line); border-inline-start: 4px solid var(--out);
  border-radius: .6rem; padding: 1rem; } article.in { border-inline-start-color: var(--in); }
article p { color: var(--soft); margin: .2rem 0 .6rem; } article ul { margin: 0; padding-inline-start: 1.1rem; }
"""

_DOCUMENT = """<!doctype html>
<html lang=en>
<meta charset=utf-8>
<meta name=viewport content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>{style}</style>
<body>
{body}
</body>
</html>
"""
