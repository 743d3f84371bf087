"""The demo's report: one HTML page that tells what happened, with a chart beside each table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from consentry.charts import Bar, bars
from consentry.cli import report_changes as changes
from consentry.cli.charts import Section, document, pair, table, timeline
from consentry.cli.output import counted, moment, share
from consentry.cli.places import NO_ONE_COUNTRY, country_name, place_name
from consentry.cli.timeline import Moment, Stopped
from consentry.policy.jurisdictions import country_of
from consentry.policy.vocabulary import Age
from consentry.release.explain import said_elsewhere
from consentry.release.tallies import UNRESOLVED_PLACE

_TOP = 14


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """What the demo did, ready to be shown. `combinations` counts people by all the countries they may be in.

    `meanings` says in words what items were left out for, by the reason they are counted under.
    """

    title: str
    origin: str
    people: Mapping[str, int]
    combinations: Mapping[tuple[str, ...], int]
    before: Mapping[str, Any]
    after: Mapping[str, Any]
    resumed: Mapping[str, Any]
    meanings: Mapping[str, str]
    comparison: Mapping[str, Any]
    explanations: Sequence[tuple[str, Mapping[str, Any]]]
    moments: Sequence[Moment]
    stopped: Stopped | None
    steps: Sequence[tuple[str, float]]
    checks: str
    table: str


def page(story: Story) -> str:
    """Return the report as HTML."""
    before, after, resumed = story.before, story.after, story.resumed
    counts = before["counts"]
    sections = [
        Section(title="At a glance", body=changes.at_a_glance(before, after, resumed)),
        Section(title="By reason: why items were left out", body=_reasons(counts, story.meanings)),
        Section(title="By country", body=_countries(counts["by_place"])),
        Section(title="By category", body=_split("category", counts["by_category"])),
        Section(title="Gaps: what could not be known", body=_gaps(counts)),
        Section(title="Three items, explained", body=_explanations(story.explanations)),
        Section(title="What the suspension changed", body=changes.suspended(story.comparison, story.meanings)),
        Section(title="When the job stopped", body=changes.stopped(story.stopped)),
        Section(title="What came back", body=changes.came_back(after, resumed)),
        Section(title="What happened, day by day", body=timeline(story.moments)),
        Section(title="People, by the country they may be in", body=_people(story)),
        Section(title="The three releases", body=_releases(before, after, resumed)),
        Section(title="How it went", body=_steps(story)),
    ]
    return document(title=story.title, intro=_intro(story), sections=[each for each in sections if each.body])


def _intro(story: Story) -> str:
    before, resumed = story.before["counts"], story.resumed["counts"]
    people = counted(sum(story.people.values()), "person", several="people")
    own, involving = changes.lost(story.comparison)
    back = changes.eligible_at(resumed, changes.SUSPENDED)
    lost = (
        f"taken out by the suspension: {own:,} of people who are, or may be, in the United Kingdom, {involving:,} of"
        " others that involve somebody there"
    )
    figures = [
        (f"{before['items']:,}", f"items went in, by and about {people}; each is decided on its own"),
        (f"{before['eligible']:,}", f"eligible at first: {share(before['eligible'], before['items'])}"),
        (f"{before['denied']:,}", "denied, with every reason why"),
        (f"\N{MINUS SIGN}{own + involving:,}", lost),
        (f"{resumed['eligible']:,}", f"eligible when use resumes, by another policy; {back:,} of people in the UK"),
    ]
    if story.stopped is not None:
        figures.insert(4, (f"{story.stopped.after:.2f} s", "from the order to the stop of the training job, measured"))
    shown = "".join(f"<li><b>{number}</b><span>{escape(text)}</span></li>" for number, text in figures)
    return (
        f"<p class=eyebrow>Consentry demo</p><h1>{escape(story.title)}</h1>"
        f"<p>{escape(story.origin)}</p><ul class=figures>{shown}</ul>"
    )


def _releases(*manifests: Mapping[str, Any]) -> str:
    shown = zip(changes.STAGES, manifests, strict=True)
    return "".join(f"<h3 class=sub>{escape(stage)}</h3>{_release(manifest)}" for stage, manifest in shown)


def _release(manifest: Mapping[str, Any]) -> str:
    policy = manifest["policy"]
    rows = [
        ("Release", manifest["release"]),
        ("Policy", f"{policy['name']} {policy['version']}"),
        ("Purpose", manifest["purpose"]),
        ("Covers", f"ledger events before position {manifest['position']}"),
        ("Decided as of", moment(manifest["decided_at"])),
        ("Manifest", manifest["digest"]),
    ]
    cells = "".join(f"<div><dt>{escape(name)}</dt><dd>{escape(str(value))}</dd></div>" for name, value in rows)
    return f"<dl>{cells}</dl>"


def _countries(split: Mapping[str, Mapping[str, int]]) -> str:
    """Return the items of people who are in one country, and below them those of whom that cannot be said."""
    items = sum(each["eligible"] + each["denied"] for each in split.values()) or 1
    sure = {country_name(place): each for place, each in split.items() if place not in NO_ONE_COUNTRY}
    others = {words: split[place] for place, words in NO_ONE_COUNTRY.items() if place in split}
    if not others:
        return _split("country", sure)
    unsure = sum(each["eligible"] + each["denied"] for each in others.values())
    return (
        f"{_split('country', sure)}<h3 class=sub>Not of one country</h3>"
        f"<p>Of {counted(unsure, 'item')} ({share(unsure, items)}) the owner may be in several countries, is in no"
        " established one, or is not named. Somebody who may be in several must be allowed in every one of"
        f" them; the other two are gaps, which deny.</p>{_split('owner', others)}"
    )


def _split(noun: str, split: Mapping[str, Mapping[str, int]]) -> str:
    rows = [(name or "(none)", each["eligible"], each["denied"]) for name, each in list(split.items())[:_TOP]]
    chart = bars(f"Eligible and denied items by {noun}", [Bar(name, [("in", e), ("out", d)]) for name, e, d in rows])
    numbers = table(
        f"Items by {noun}",
        columns=[noun, "eligible", "denied", "share"],
        rows=[[name, f"{e:,}", f"{d:,}", share(e, e + d)] for name, e, d in rows],
    )
    return f"<p class=legend>{changes.LEGEND}{_first(split)}</p>{pair(chart, numbers)}"


def _reasons(counts: Mapping[str, Any], meanings: Mapping[str, str]) -> str:
    shown = _counts("reason", counts["by_reason"], counts, notes=meanings)
    return f"<p>An item is counted once, under the strongest reason against it.</p>{shown}" if shown else ""


def _counts(
    noun: str, counts: Mapping[str, int], whole: Mapping[str, Any], *, notes: Mapping[str, str] | None = None
) -> str:
    if not counts:
        return ""
    rows = list(counts.items())[:_TOP]
    chart = bars(f"Denied items by {noun}", [Bar(name, [("out", count)]) for name, count in rows])
    cells = [[name, f"{count:,}", share(count, whole["items"])] for name, count in rows]
    legend = f'<span class="key out alone"></span> denied items.{_first(counts)}'
    numbers = table(f"Items by {noun}", columns=[noun, "items", "of all"], rows=cells, notes=notes or {})
    return f"<p class=legend>{legend}</p>{pair(chart, numbers)}"


def _first(counts: Mapping[str, Any]) -> str:
    return f" The first {_TOP} of {len(counts)}." if len(counts) > _TOP else ""


def _gaps(counts: Mapping[str, Any]) -> str:
    shown = _counts("gap", counts["by_gap"], counts)
    return f"<p>Unknown means no. An item may have several gaps.</p>{shown}" if shown else ""


def _explanations(found: Sequence[tuple[str, Mapping[str, Any]]]) -> str:
    return f"<div class=cards>{''.join(_card(item, body) for item, body in found)}</div>"


def _card(item: str, body: Mapping[str, Any]) -> str:
    kind, word = ("may", "may be used") if body["allowed"] else ("not", "is left out")
    what = body["item"]
    reasons = "".join(
        f"<li><code>{escape(each['reason'])}</code>"
        + (f" (policy line {each['line']})" if "line" in each else "")
        + f"<br>{escape(each['why'])}</li>"
        for each in body["reasons"]
    )
    return (
        f"<article class={kind}><h3>{escape(item)} {word}</h3><p class=what>{escape(what['category'])},"
        f" {escape(what['visibility'])}, created {_time(what['created'])}</p>"
        f"<h4>Why</h4><ul>{reasons}</ul>"
        f"<h4>Who has to be allowed</h4><ul>{''.join(map(_person, body['people']))}</ul></article>"
    )


def _person(person: Mapping[str, Any]) -> str:
    role = f"<b>{escape(person['role'].capitalize())}</b>"
    if "places" not in person:
        return f"<li>{role}: nobody is named</li>"
    age = "age unknown" if person["age"] == Age.UNKNOWN else person["age"]
    facts = f"{_whereabouts(person)}; {age}; account {person['account']}"
    said = [_choice(each) for each in person["choices"]]
    fate = "allowed" if person["allowed"] else "not allowed"
    because = ", ".join(f"<code>{escape(each['reason'])}</code>" for each in person["reasons"])
    lines = "".join(f"<li>{line}</li>" for line in [*said, f"{fate}: {because}"])
    return f"<li>{role}: {escape(facts)}<ul>{lines}</ul></li>"


def _whereabouts(person: Mapping[str, Any]) -> str:
    regions: dict[str, list[str]] = {}
    for place in person["places"]:
        regions.setdefault(country_of(place), []).extend([place] if place != country_of(place) else [])
    if not regions:
        return "whereabouts unknown"
    named = [country_name(country) + (f" ({', '.join(parts)})" if parts else "") for country, parts in regions.items()]
    sure = "" if person["established"] else ", not established"
    return f"{'in' if len(named) == 1 else 'may be in'} {', '.join(named)}{sure}"


def _choice(said: Mapping[str, Any]) -> str:
    about = said["category"] or ("one item" if said["item"] else "everything")
    return (
        f"chose <b>{escape(said['state'])}</b> for {escape(said['purpose'])} ({escape(about)}, reach"
        f" {escape(said['reach'])}) on {_time(said['at'])}: ledger position {said['position']}{said_elsewhere(said)}"
    )


def _time(seconds: int | None) -> str:
    return f"<time>{moment(seconds)}</time>"


def _people(story: Story) -> str:
    rows = [(country_name(name), count) for name, count in story.people.items() if name not in NO_ONE_COUNTRY][:_TOP]
    shown = _heads("country", rows)
    unresolved = story.people.get(UNRESOLVED_PLACE, 0)
    several = sum(story.combinations.values())
    if not several:
        return f"{shown}<p>Of {counted(unresolved, 'person', several='people')} no country is established.</p>"
    often = [(" or ".join(map(place_name, each)), count) for each, count in list(story.combinations.items())[:_TOP]]
    return (
        f"{shown}<h3 class=sub>In several countries, perhaps</h3>"
        f"<p>The signals of {counted(several, 'person', several='people')} name more than one country: an account"
        " says one, a time zone another."
        f" They have to be allowed in every one of them. Of {unresolved:,} more no country is established. The"
        f" {len(often)} most frequent of {counted(len(story.combinations), 'combination')}:</p>"
        f"{_heads('countries', often)}"
    )


def _heads(noun: str, rows: Sequence[tuple[str, int]]) -> str:
    chart = bars(f"People by {noun}", [Bar(name, [("all", count)]) for name, count in rows])
    cells = [[name, f"{count:,}"] for name, count in rows]
    return pair(chart, table(f"People by {noun}", columns=[noun, "people"], rows=cells))


def _steps(story: Story) -> str:
    rows = [[name, f"{seconds:.1f} s"] for name, seconds in story.steps]
    times = table("Steps and their times", columns=["step", "time"], rows=rows)
    at = f"The Iceberg table of the third release: <code>{escape(story.table)}</code>"
    return f"{times}<p class=checks>{escape(story.checks)} {at}</p>"
