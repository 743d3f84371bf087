"""From the text of a policy file to a policy set, or to every mistake in it with its line.

    [policy_set]                          what it is called and what it decides about
    name, version, title, purposes        `title` is a text, or a table of texts by language, as `why` is

    [remedies]                            left out: 30 and 90
    choose_within_days                    of a withdrawal: what is done about models trained on it
    finish_within_days                    of that choice: until it is done
    destroy_within_days                   of the withdrawal of a model itself: until it is destroyed

    [signals]                             what a signal of a browser means, of a person who has said nothing
    global_privacy_control                refuse: it is their no (left out, too); suggest: no is chosen on their page;
                                          ignore

    [[permit]] or [[forbid]]              any number of them, in any order
    id, why                               required; `why` is a text, or a table of texts by language: en, and others
    legal_basis                           required for a permit, not there for a forbid
    purpose                               of those the set decides; left out: all of them
    category, visibility, age, choice     lists of words; left out: any
    where.inside, where.outside           areas: in one of them, in none of them
    created = { from, before }            dates; `from` counts, `before` does not
    notice = { id, days }                 of a permit: served, and that many days have passed

    [[example]]                           must hold: `consentry policy test`
    title, given = { ... }, expect = "allow" | "deny", because = ["forbidden:europe", ...]

What an example's `given` leaves out is unknown, except that the place named is established, that nothing was refused,
and that the purpose is the set's if it has only one. `involves = [{ ... }]` adds people.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Any

from consentry.digests import digest
from consentry.policy.choice import Standing
from consentry.policy.evaluator import Reason, ReasonKind, Request
from consentry.policy.expressions import Effect, GapKind, Item, NoticeCondition, Person, Rule
from consentry.policy.jurisdictions import area_advice, known_area, known_place, part_advice, proposed
from consentry.policy.line_map import line_map
from consentry.policy.policy_checks import find
from consentry.policy.policy_set import Example, PolicySet, Remedies, SignalMeaning, Signals
from consentry.policy.policy_table import (
    LONGEST_NAME,
    LONGEST_TITLE,
    LONGEST_WHY,
    Notes,
    PlacesNamed,
    Problem,
    Table,
    named,
    nearest,
    no_names,
    repeated,
)
from consentry.policy.vocabulary import Account, Age, Category, ChoiceState, LegalBasis, Purpose, Visibility
from consentry.toml_file import LONGEST, TomlError, parse

IDENTIFIER = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")

MOST_WAITS = 50
"""Notices, with the days that a set waits after each: every two of them are compared for every rule."""

_CONDITIONS = ("purpose", "category", "visibility", "age", "choice", "where", "created")
_KEYS = {
    Effect.PERMIT: ("id", "why", "legal_basis", *_CONDITIONS, "notice"),
    Effect.FORBID: ("id", "why", *_CONDITIONS),
}
_NOT_OF_A_FORBID = {
    "legal_basis": "delete the line: what is forbidden needs no legal basis",
    "notice": "write it into a permit: a notice is what a use has to wait for",
}
_PERSON_KEYS = ("place", "places", "established", "age", "account", "choice", "since", "notices")
_GIVEN_KEYS = ("purpose", "at", "category", "visibility", "created", "involves", *_PERSON_KEYS)
_REMEDIES = ("choose_within_days", "finish_within_days", "destroy_within_days")
_GPC = "global_privacy_control"
_PLACE_ADVICE = "use the code of a country (`GB`) or of a part of one (`CA-QC`), as in ISO 3166"
_UNKNOWN_DENIES = {"unknown": "leave it out: what is unknown is a gap, and a gap always denies"}


class _Answer(StrEnum):
    ALLOW = "allow"
    DENY = "deny"
    MISSING = "missing"


def load(text: str, filename: str, *, accepted: bool = False, places_named: PlacesNamed = no_names) -> PolicySet:
    """Return the policy set in `text`; `filename` is what messages call it.

    One that is `accepted` was published here: its rules were compared then, and it may be older than today's limits.

    Raises:
        PolicyError: something is wrong: the first problem, with the number of further ones in its help.
    """
    policy_set, problems = _read(text, filename, accepted=accepted, places_named=places_named)
    if policy_set is None:
        first, more = problems[0], len(problems) - 1
        tail = f" (and {more} more: `consentry policy check` lists all of them)" if more else ""
        raise Problem(code=first.code, message=first.message, help=first.help + tail, where=first.where).error()
    return policy_set


def check(
    text: str, filename: str, *, languages: Sequence[str] = (), places_named: PlacesNamed = no_names
) -> list[Problem]:
    """Return every problem in `text`, in the order of their lines; one is a text that is not in each of `languages`."""
    return list(_read(text, filename, languages=tuple(languages), places_named=places_named)[1])


@lru_cache(maxsize=16)  # a text is checked, compared and read again before it is published
def _read(
    text: str, filename: str, *, places_named: PlacesNamed, languages: tuple[str, ...] = (), accepted: bool = False
) -> tuple[PolicySet | None, Sequence[Problem]]:
    text = text.removeprefix("\ufeff")
    try:
        values = parse(text, longest=None if accepted else LONGEST)
    except TomlError as error:
        return None, [_syntax(error, filename=filename)]
    notes = Notes(
        filename=filename, lines=line_map(text), languages=languages, accepted=accepted, places_named=places_named
    )
    top = Table(name="the policy file", values=values, path=(), notes=notes)
    policy_set = _policy_set(top, text)
    return (None if notes.found else policy_set), notes.sorted()


def _syntax(error: TomlError, *, filename: str) -> Problem:
    advice = error.help or "a text stands in quotes, a list in square brackets, and every key once"
    return Problem(code="policy-syntax", message=error.message, help=advice, where=f"{filename}:{error.line}")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Known:
    """What the examples of a set may refer to."""

    purposes: frozenset[Purpose]
    rules: dict[Effect, frozenset[str]]
    notices: frozenset[str]


def _policy_set(top: Table, text: str) -> PolicySet | None:
    top.only(("policy_set", "remedies", "signals", "permit", "forbid", "example"))
    head = top.table("policy_set", name="[policy_set]") if top.require("policy_set") else None
    if head is None:
        return None
    head.only(("name", "version", "title", "purposes"))
    head.require("purposes")
    name, version = _identifier(head, "name"), head.sentence("version", longest=LONGEST_NAME)
    title, title_in = head.translated("title", longest=LONGEST_TITLE)
    out_of_force = head.values.get("purposes") == [] and not top.values.keys() & {"permit", "forbid", "example"}
    purposes = frozenset[Purpose]() if out_of_force else head.words("purposes", Purpose)
    tables = [(effect, named(table, "id")) for effect in _KEYS for table in top.tables(effect.value, name=effect.value)]
    tables.sort(key=lambda each: each[1].line)
    rules = [(_rule(effect, table, purposes), table) for effect, table in tables]
    _note_repeated([table for _, table in tables], "id")
    whole = [(rule, table) for rule, table in rules if rule is not None]
    if not top.notes.accepted and not _note_many_waits(whole):
        _note_findings(whole, purposes)
    known = _Known(
        purposes=purposes,
        rules={
            effect: frozenset(str(table.values.get("id", "")) for each, table in tables if each is effect)
            for effect in _KEYS
        },
        notices=frozenset(filter(None, (_notice_id(table) for _, table in tables))),
    )
    examples = [named(table, "title") for table in top.tables("example", name="example")]
    _note_repeated(examples, "title")
    read = tuple(_example(table, known) for table in examples)
    remedies, signals = _remedies(top), _signals(top)
    if top.notes.found:
        return None
    return PolicySet(
        name=name,
        version=version,
        title=title,
        title_in=title_in,
        purposes=purposes,
        rules=tuple(rule for rule, _ in rules if rule is not None),
        examples=read,
        source=digest(text.encode("utf-8")),
        remedies=remedies,
        signals=signals,
    )


def _remedies(top: Table) -> Remedies:
    table = top.table("remedies", name="[remedies]")
    if table is None:
        return Remedies()
    table.only(_REMEDIES)
    return Remedies(**{key: table.days(key) for key in _REMEDIES if key in table.values})


def _signals(top: Table) -> Signals:
    table = top.table("signals", name="[signals]")
    if table is None:
        return Signals()
    table.only((_GPC,))
    return Signals(global_privacy_control=table.word(_GPC, SignalMeaning, default=SignalMeaning.REFUSE))


def _identifier(table: Table, key: str) -> str:
    value = table.sentence(key, longest=LONGEST_NAME)
    if value and not IDENTIFIER.fullmatch(value):
        advice = "use lower-case letters, digits and single hyphens, for example `members-worldwide`"
        table.wrong(key, f"`{value}` is no {key} for {table.name}", advice=advice)
    return value


def _notice_id(table: Table) -> str:
    notice = table.values.get("notice")
    return str(notice.get("id", "")) if isinstance(notice, dict) else ""


def _note_repeated(tables: list[Table], key: str) -> None:
    values = [(value, table) for table in tables if isinstance(value := table.values.get(key), str)]
    for value, table, first in repeated(values):
        advice = f"give it another {key}; the first stands in line {first.line}"
        table.note(key, "policy-duplicate-id", message=f"the {key} `{value}` is used twice", advice=advice)


def _note_many_waits(rules: list[tuple[Rule, Table]]) -> bool:
    """Note the rule with which a set waits for more notices than can be compared; say whether there is one."""
    seen: set[tuple[str, int]] = set()
    for rule, table in rules:
        if rule.notice is not None:
            seen.add((rule.notice.notice, rule.notice.days))
        if len(seen) > MOST_WAITS:
            advice = "let rules wait for the same notices and days, or write a set of its own for each"
            table.wrong(
                "notice", f"{table.name} waits for one notice more than the {MOST_WAITS} of a set", advice=advice
            )
            return True
    return False


def _note_findings(rules: list[tuple[Rule, Table]], purposes: frozenset[Purpose]) -> None:
    for finding in find([rule for rule, _ in rules], purposes):
        rules[finding.number][1].note(finding.key, finding.code, message=finding.message, advice=finding.help)


def _rule(effect: Effect, table: Table, purposes: frozenset[Purpose]) -> Rule | None:
    """Return the rule, or None if anything about it was noted: a half-read rule must not be compared with others."""
    noted = len(table.notes.found)
    table.only(_KEYS[effect], misplaced=_NOT_OF_A_FORBID)
    notice = table.table("notice", name=f"the notice of {table.name}")
    where = table.table("where", name=f"`where` of {table.name}")
    created = table.table("created", name=f"`created` of {table.name}")
    if where is not None:
        where.only(("inside", "outside"))
    if created is not None:
        created.only(("from", "before"))
    why, why_in = table.translated("why", longest=LONGEST_WHY)
    rule = Rule(
        id=_identifier(table, "id"),
        effect=effect,
        why=why,
        why_in=why_in,
        legal_basis=_legal_basis(table) if effect is Effect.PERMIT else None,
        purposes=table.words("purpose", Purpose) or purposes,
        categories=table.words("category", Category, refused=_UNKNOWN_DENIES),
        visibilities=table.words("visibility", Visibility, refused=_UNKNOWN_DENIES),
        ages=table.words("age", Age, refused=_UNKNOWN_DENIES),
        choices=table.words("choice", ChoiceState),
        inside=_areas(where, "inside"),
        outside=_areas(where, "outside"),
        created_from=created.seconds("from") if created else None,
        created_before=created.seconds("before") if created else None,
        notice=_notice(notice) if notice else None,
        line=table.line,
    )
    return rule if len(table.notes.found) == noted else None


def _legal_basis(table: Table) -> LegalBasis | None:
    if "legal_basis" in table.values:
        return table.word("legal_basis", LegalBasis, default=LegalBasis.CONSENT)
    advice = f"add `legal_basis`, one of: {', '.join(LegalBasis)}"
    table.note("legal_basis", "policy-no-legal-basis", message=f"{table.name} names no legal basis", advice=advice)
    return None


def _areas(where: Table | None, key: str) -> frozenset[str]:
    if where is None:
        return frozenset()
    areas = where.texts(key)
    for index, area in enumerate(areas):
        if not known_area(area):
            advice = area_advice(area, where.notes.places_named(area))
            where.unknown_word((key, index), area, advice=advice, what="area")
    return frozenset(areas)


def _notice(table: Table) -> NoticeCondition:
    table.only(("id", "days"))
    return NoticeCondition(notice=_identifier(table, "id"), days=table.days("days"))


def _example(table: Table, known: _Known) -> Example:
    table.only(("title", "given", "expect", "because"))
    title, expect = table.sentence("title", longest=LONGEST_TITLE), _Answer.MISSING
    if table.require("expect"):
        expect = table.word("expect", _Answer, default=_Answer.MISSING)
    given = table.table("given", name=f"`given` of {table.name}") if table.require("given") else None
    for index, reason in enumerate(table.texts("because")):
        if advice := _unknown_reason(reason, known):
            table.unknown_word(("because", index), reason, advice=advice, what="reason")
    request = Request(purpose=Purpose.TRAIN_AI, item=Item(category=Category.UNKNOWN), people=(), at=0)
    return Example(
        title=title,
        given=_request(given, known) if given is not None else request,
        allowed=expect is _Answer.ALLOW,
        because=tuple(table.texts("because")),
        line=table.line,
    )


def _unknown_reason(reason: str, known: _Known) -> str:
    """Return help if no decision can have this reason."""
    kind = reason.partition(":")[0]
    references: dict[str, Any] = {
        ReasonKind.SUSPENDED: [],
        ReasonKind.FORBIDDEN: known.rules[Effect.FORBID],
        ReasonKind.PERMITTED: known.rules[Effect.PERMIT],
        ReasonKind.GAP: [gap.value for gap in GapKind],
    }
    if kind not in list(ReasonKind):
        return nearest(kind, [each.value for each in ReasonKind])
    allowed = [str(Reason(ReasonKind(kind), each)) for each in references.get(kind, [""])]
    return "" if reason in allowed else nearest(reason, allowed)


def _request(given: Table, known: _Known) -> Request:
    given.only(_GIVEN_KEYS)
    given.require("category")
    given.require("at")
    default = min(known.purposes, default=Purpose.TRAIN_AI)
    if len(known.purposes) > 1:
        given.require("purpose")
    people = [given, *given.tables("involves", name="involved person")]
    for other in people[1:]:
        other.only(_PERSON_KEYS)
    return Request(
        purpose=given.word("purpose", Purpose, default=default),
        item=Item(
            category=given.word("category", Category, default=Category.UNKNOWN),
            visibility=given.word("visibility", Visibility, default=Visibility.UNKNOWN),
            created=given.seconds("created"),
        ),
        people=tuple(_person(person, known) for person in people),
        at=given.seconds("at") or 0,
    )


def _person(table: Table, known: _Known) -> Person:
    if "place" in table.values and "places" in table.values:
        both = f"{table.name} has both `place` and `places`"
        table.note("place", "policy-contradiction", message=both, advice="keep one of them")
    choice = table.word("choice", ChoiceState, default=ChoiceState.UNSET)
    since = table.seconds("since")
    if since is not None and choice is not ChoiceState.REFUSED:
        advice = 'add `choice = "refused"`, or leave `since` out'
        table.note("since", "policy-contradiction", message=f"{table.name} has `since` but no refusal", advice=advice)
    return Person(
        places=_places(table),
        established=table.flag("established", default=True),
        age=table.word("age", Age, default=Age.UNKNOWN),
        account=table.word("account", Account, default=Account.UNKNOWN),
        standing=Standing(choice, since),
        notices=_notices(table, known),
    )


def _places(table: Table) -> frozenset[str]:
    for key in ("place", "places"):
        for index, place in enumerate(table.texts(key)):
            if not known_place(place):
                meant = table.notes.places_named(place)
                advice = proposed(meant) if meant else part_advice(place) or _PLACE_ADVICE
                table.unknown_word((key, index), place, advice=advice, what="place")
    return frozenset(table.texts("place") + table.texts("places"))


def _notices(table: Table, known: _Known) -> dict[str, int]:
    served = table.table("notices", name=f"the notices of {table.name}")
    if served is None:
        return {}
    for notice in served.values:
        if notice not in known.notices:
            served.unknown_word((notice,), notice, advice=nearest(notice, known.notices), what="notice")
    return {notice: served.seconds(notice) or 0 for notice in served.values}
