"""What the demo's page shows of the suspension: before and after, when the job stopped, and what came back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import Any

from consentry.charts import Bar, bars
from consentry.cli.charts import pair, table
from consentry.cli.output import counted, day, share
from consentry.cli.places import country_name, place_name
from consentry.cli.timeline import Stopped
from consentry.release.tallies import ELIGIBLE, INVOLVED, SEVERAL_PLACES

SUSPENDED = "GB"
STAGES = ("Before", "Suspended", "Resumed")
LEGEND = '<span class="key in"></span> eligible <span class="key out"></span> denied.'
_TOP = 12
_MS = 1000

Counts = Mapping[str, Any]
"""The counts of a manifest, or one split of them: eligible and denied items by name."""


def eligible_at(counts: Counts, place: str) -> int:
    """Return how many items of people in a place are eligible."""
    return int(counts["by_place"].get(place, {}).get(ELIGIBLE, 0))


def lost(comparison: Mapping[str, Any]) -> tuple[int, int]:
    """Return how many items are not eligible any more: because of their owners, and of others they involve."""
    gone = [move for move in comparison["moves"] if move["from"] == ELIGIBLE and move["to"] != ELIGIBLE]
    involving = sum(move["items"] for move in gone if move["to"].startswith(INVOLVED))
    return sum(move["items"] for move in gone) - involving, involving


def at_a_glance(*manifests: Mapping[str, Any]) -> str:
    """Return the three releases of the story beside each other: of all content, and of that of the United Kingdom."""
    days = {name: day(each["decided_at"]) for name, each in zip(STAGES, manifests, strict=True)}
    every = [(each["counts"][ELIGIBLE], each["counts"]["denied"]) for each in manifests]
    there = [each["counts"]["by_place"].get(SUSPENDED, {ELIGIBLE: 0, "denied": 0}) for each in manifests]
    place = country_name(SUSPENDED)
    return (
        f"<p>Three releases were sealed: before the suspension of the {place}, under it, and when use resumed.</p>"
        f"<p class=legend>{LEGEND}</p>"
        f"<h3 class=sub>All items</h3>{_stages('All items', days, every)}"
        f"<h3 class=sub>Items of people in the {place}</h3>"
        f"{_stages(f'Items of people in the {place}', days, [(each[ELIGIBLE], each['denied']) for each in there])}"
    )


def _stages(title: str, days: Mapping[str, str], held: Sequence[tuple[int, int]]) -> str:
    rows = list(zip(days, held, strict=True))
    chart = bars(f"{title}: eligible and denied", [Bar(name, [("in", e), ("out", d)]) for name, (e, d) in rows])
    cells = [[name, f"{e:,}", f"{d:,}", share(e, e + d)] for name, (e, d) in rows]
    return pair(chart, table(title, columns=["release", "eligible", "denied", "share"], rows=cells, notes=days))


def suspended(comparison: Mapping[str, Any], meanings: Mapping[str, str]) -> str:
    """Return what the suspension took out, by country and category, and from which answer to which items went."""
    countries = _changed(comparison["counts"]["by_place"])
    return (
        f"<p>{' '.join(_said_of_change(comparison, [name for name, _, _ in countries]))}</p>"
        f"<h3 class=sub>By country: eligible before and after</h3>{_lost('country', _named(countries))}"
        "<h3 class=sub>By category: eligible before and after</h3>"
        f"{_lost('category', _changed(comparison['counts']['by_category']))}"
        f"<h3 class=sub>From which answer to which</h3>{_moves(comparison['moves'], meanings)}"
    )


def _said_of_change(comparison: Mapping[str, Any], countries: Sequence[str]) -> Iterator[str]:
    """Yield the sentences about what changed, and in which of these countries."""
    own, involving = lost(comparison)
    yield f"{counted(own + involving, 'eligible item')} went out of use."
    if all(move["from"] == ELIGIBLE for move in comparison["moves"]):
        yield "No other item changed sides."
    for word, wanted in (("Different between the two releases", True), ("The same", False)):
        if named := ", ".join(name for name, differs in comparison["causes"].items() if differs is wanted):
            yield f"{word}: {escape(named)}."
    if SEVERAL_PLACES in countries:
        yield (
            f"Who may be in several countries loses items where the {country_name(SUSPENDED)} is one of them: people"
            " have to be allowed in every one."
        )
    if involving:
        yield f"{counted(involving, 'item')} of people elsewhere {'is' if involving == 1 else 'are'} out because of"
        yield "somebody there whom they involve."


def _changed(split: Mapping[str, Mapping[str, Any]]) -> list[tuple[str, int, int]]:
    """Return the names of which more or fewer items are eligible, with how many were and are; most changed first."""
    pairs = [(name, each["before"][ELIGIBLE], each["after"][ELIGIBLE]) for name, each in split.items()]
    return sorted((each for each in pairs if each[1] != each[2]), key=lambda each: (-abs(each[2] - each[1]), each[0]))


def _named(rows: Sequence[tuple[str, int, int]]) -> list[tuple[str, int, int]]:
    return [(place_name(name), was, now) for name, was, now in rows]


def _lost(noun: str, rows: Sequence[tuple[str, int, int]]) -> str:
    first = [(name or "(none)", was, now) for name, was, now in rows[:_TOP]]
    chart = bars(
        f"Items that are no longer eligible, by {noun}",
        [Bar(name, [("out", max(0, was - now))]) for name, was, now in first],
    )
    legend = f'<span class="key out alone"></span> items that are no longer eligible.{_of(rows)}'
    return f"<p class=legend>{legend}</p>{pair(chart, _changes(noun, first, before='before', after='after'))}"


def _changes(noun: str, rows: Sequence[tuple[str, int, int]], *, before: str, after: str) -> str:
    cells = [[name, f"{was:,}", f"{now:,}", _signed(now - was)] for name, was, now in rows]
    return table(f"Eligible items by {noun}", columns=[noun, before, after, "change"], rows=cells)


def _signed(change: int) -> str:
    return f"{change:+,}".replace("-", "\N{MINUS SIGN}")


def _of(rows: Sequence[Any]) -> str:
    return f" The {_TOP} most changed of {len(rows)}." if len(rows) > _TOP else ""


def _moves(moves: Sequence[Mapping[str, Any]], meanings: Mapping[str, str]) -> str:
    rows = [(f"{move['from']} \N{RIGHTWARDS ARROW} {move['to']}", move) for move in moves[:_TOP]]
    notes = {name: meanings.get(move["to"], "") for name, move in rows}
    return table(
        "Items by what they were and what they are",
        columns=["was, and is", "items"],
        rows=[[name, f"{move['items']:,}"] for name, move in rows],
        notes=notes,
    )


def stopped(found: Stopped | None) -> str:
    """Return how long it took the suspension to stop the job; nothing if no job had to stop."""
    if found is None:
        return ""
    times = [("The job had stopped", found.after)]
    if found.drained_ms is not None:
        times.append(("Nobody read it any more (drained)", found.drained_ms / _MS))
    chart = bars("Seconds from the order", [Bar(name, [("out", round(_MS * seconds))]) for name, seconds in times])
    cells = [[name, f"{seconds:.2f} s"] for name, seconds in times]
    return (
        f"<p>Measured in this run, from the moment in which order <code>{escape(found.order)}</code> was acknowledged."
        f" The job is a process of its own; step {found.step:,} was its last, and it stopped before the next one.</p>"
        f"{pair(chart, table('Seconds from the order', columns=['what', 'after'], rows=cells))}"
    )


def came_back(after: Mapping[str, Any], resumed: Mapping[str, Any]) -> str:
    """Return what is eligible again when use resumes, by country."""
    split = {
        place: {"before": _held(after, place), "after": _held(resumed, place)}
        for place in {**resumed["counts"]["by_place"], **after["counts"]["by_place"]}
    }
    changed = _changed(split)
    more = [each for each in changed if each[2] > each[1]]
    first = more[:_TOP] + [each for each in more[_TOP:] if each[0] == SUSPENDED]
    rows = _named(first)
    fewer = sum(was - now for _, was, now in changed if now < was)
    gained = [Bar(name, [("in", now - was)]) for name, was, now in rows]
    chart = bars("Items that are eligible again, by country", gained)
    policy, there = resumed["policy"]["name"], eligible_at(resumed["counts"], SUSPENDED)
    others = f" Elsewhere it takes out {counted(fewer, 'item')} that were eligible." if fewer else ""
    legend = f'<span class="key in alone"></span> items that are eligible again, or for the first time.{_of(more)}'
    return (
        f"<p>Use resumes on {day(resumed['decided_at'])}, by another policy (<code>{escape(policy)}</code>), with"
        f" {counted(there, 'item')} of people in the {country_name(SUSPENDED)}. Whoever was told and did not object in"
        f" time is in, there and in other countries that were left out before.{others}</p>"
        f"<p class=legend>{legend}</p>"
        f"{pair(chart, _changes('country', rows, before='suspended', after='resumed'))}"
    )


def _held(manifest: Mapping[str, Any], place: str) -> Mapping[str, int]:
    held: Mapping[str, int] = manifest["counts"]["by_place"].get(place, {ELIGIBLE: 0})
    return held
