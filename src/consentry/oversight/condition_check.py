"""Checks of conditions: what has to be so in the system itself, asked anew whenever somebody wants to lift a case.

A check looks at the policy set that the condition names, in the areas that the case suspends, as if the orders were
gone already, and then at every other set in force that decides about a use the case suspends: a build can name any of
them. It asks the evaluator about every kind of person and item that the rules can tell apart, so it does not look for
how a rule is written but for what is let through. `objection-steps` counts the steps of the form that a running server
shows. A check that cannot be run answers no.

| check | parameters | holds if |
|---|---|---|
| `no-minors` | | nothing of a minor, or of somebody whose age is unknown, is let through |
| `date-window` | `from=DATE`, `before=DATE` | nothing that was created in [from, before), or nobody knows when, is |
| `waiting-days` | `N` | nothing is let through before N full days after every notice was served |
| `no-direct-messages` | | no direct message is let through |
| `categories-out` | categories | nothing of these categories is let through |
| `objections-kept` | | nothing of anybody who refused is let through |
| `objection-steps` | `N` | the form for objections takes at most N steps, and no login |
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import TypeVar

from consentry.errors import InputError
from consentry.oversight.objection_form import Form
from consentry.policy.choice import NO_CHOICE, SECONDS_PER_DAY, Seconds, Standing
from consentry.policy.evaluator import Request, evaluate
from consentry.policy.expressions import Item, Person, Rule
from consentry.policy.jurisdictions import contains, instant
from consentry.policy.policy_classes import instants, known_places
from consentry.policy.policy_set import PolicySet
from consentry.policy.vocabulary import (
    KNOWN_CATEGORIES,
    VISIBILITIES,
    Account,
    Age,
    Category,
    ChoiceState,
    Purpose,
    Visibility,
)

_Value = TypeVar("_Value")
_WILLING = (NO_CHOICE, Standing(ChoiceState.ALLOWED))
_WINDOW = {"from", "before"}
_LONG: Seconds = 10**10
"""Longer than any rule waits after a notice."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """Whether a condition is met, and what was found."""

    met: bool
    found: str


@dataclass(frozen=True, slots=True, kw_only=True)
class System:
    """What a check looks at.

    A policy set (None: none of that name is in force) in some areas (empty: everywhere), and the form for objections
    that is served (None: no server shows one). `others` are the other sets in force; of them only what they say about
    the uses in `suspended` counts. `unread` are the names of sets in force whose text cannot be read.
    """

    policy: PolicySet | None
    areas: frozenset[str]
    at: Seconds
    form: Form | None = None
    others: tuple[PolicySet, ...] = ()
    suspended: frozenset[Purpose] = frozenset(Purpose)
    unread: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Probe:
    """Who and what is asked about; what is not said here is everything."""

    ages: tuple[Age, ...] = (Age.ADULT, Age.MINOR)
    categories: tuple[Category, ...] = KNOWN_CATEGORIES
    standings: tuple[Standing, ...] = _WILLING
    window: tuple[Seconds, Seconds] | None = None
    """The first and the last second of creation, and everything whose date is unknown."""
    waited: Seconds = _LONG
    """Since a notice was served, at most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Steps:
    """How many steps the form for objections may take."""

    most: int


_Check = Callable[[Sequence[str]], _Probe | _Steps]
"""From parameters to whom nothing may be let through of, or to what the form has to be like."""


def _no_minors(parameters: Sequence[str]) -> _Probe:
    _count("no-minors", parameters, 0)
    return _Probe(ages=(Age.MINOR, Age.UNKNOWN))


def _date_window(parameters: Sequence[str]) -> _Probe:
    named = dict(each.partition("=")[::2] for each in parameters)
    try:
        if len(parameters) != len(_WINDOW) or named.keys() != _WINDOW:
            raise ValueError
        first, end = instant(named["from"]), instant(named["before"])
    except ValueError:
        raise _wrong("date-window", parameters, "give from=2024-05-07 before=2024-08-02") from None
    if first >= end:
        raise _wrong("date-window", parameters, "the second date is after the first, and not in the window")
    return _Probe(window=(first, end - 1))


def _waiting_days(parameters: Sequence[str]) -> _Probe:
    days = _number("waiting-days", parameters)
    return _Probe(waited=days * SECONDS_PER_DAY - 1)


def _no_direct_messages(parameters: Sequence[str]) -> _Probe:
    _count("no-direct-messages", parameters, 0)
    return _Probe(categories=(Category.DIRECT_MESSAGE,))


def _categories_out(parameters: Sequence[str]) -> _Probe:
    known = {str(each): each for each in KNOWN_CATEGORIES}
    if not parameters or not set(parameters) <= known.keys():
        raise _wrong("categories-out", parameters, f"give categories: {', '.join(known)}")
    return _Probe(categories=tuple(known[each] for each in parameters))


def _objections_kept(parameters: Sequence[str]) -> _Probe:
    _count("objections-kept", parameters, 0)
    return _Probe(standings=(Standing(ChoiceState.REFUSED),))


def _objection_steps(parameters: Sequence[str]) -> _Steps:
    return _Steps(most=_number("objection-steps", parameters))


CHECKS: dict[str, _Check] = {
    "no-minors": _no_minors,
    "date-window": _date_window,
    "waiting-days": _waiting_days,
    "no-direct-messages": _no_direct_messages,
    "categories-out": _categories_out,
    "objections-kept": _objections_kept,
    "objection-steps": _objection_steps,
}

ABOUT_THE_FORM = frozenset(name for name, check in CHECKS.items() if check is _objection_steps)
"""The checks that look at the form for objections."""


def require_check(check: str, parameters: Sequence[str], *, policy: str | None) -> None:
    """Refuse a check that could never be run.

    Raises:
        InputError: no such check, parameters that it does not take, or no policy set to look at.
    """
    if check not in CHECKS:
        raise InputError("case-check-unknown", f"no check `{check}`", help=f"checks: {', '.join(CHECKS)}")
    if isinstance(CHECKS[check](parameters), _Probe) and policy is None:
        raise InputError(
            "case-check-policy",
            f"the check `{check}` looks at a policy set, and none is named",
            help="add --policy NAME",
        )


def run(check: str, parameters: Sequence[str], *, system: System) -> Answer:
    """Run a check on the system as it is."""
    try:
        probe = CHECKS[check](parameters)
    except (KeyError, InputError):
        return Answer(met=False, found=f"the check `{check}` is not known to this version")
    if isinstance(probe, _Steps):
        return _form_answer(system.form, most=probe.most)
    if system.unread:
        return Answer(met=False, found=f"{system.unread[0]} is in force and cannot be read: replace or withdraw it")
    if system.policy is None:
        return Answer(met=False, found="the policy set it names is not in force")
    asked, through = _asked(system.policy, system, probe, purposes=frozenset(Purpose))
    name = _named(system.policy)
    if through is not None:
        return Answer(met=False, found=f"{name} lets {_in_words(through)}{_when(probe)}")
    if not asked:
        return Answer(met=False, found=f"{name} decides about no use")
    for other in system.others:
        _, through = _asked(other, system, probe, purposes=system.suspended)
        if through is not None:
            what = f"{_in_words(through)}{_when(probe)}"
            return Answer(met=False, found=f"{_named(other)}, in force as well, lets {what}: replace or withdraw it")
    also = f", and neither do {len(system.others)} others in force" if len(system.others) > 1 else ""
    also = f", and neither does {_named(system.others[0])}" if len(system.others) == 1 else also
    return Answer(met=True, found=f"{name} lets nothing of it through, in {asked:,} cases{also}")


def _named(policy: PolicySet) -> str:
    return f"{policy.name} {policy.version}"


def _asked(
    policy: PolicySet, system: System, probe: _Probe, *, purposes: frozenset[Purpose]
) -> tuple[int, Request | None]:
    """Ask a set about some uses until something is let through; return how many cases, and what was let through."""
    asked = 0
    for request in _requests(policy, system, probe, purposes=purposes):
        asked += 1
        if evaluate(policy.rules, request).allowed:
            return asked, request
    return asked, None


def _form_answer(form: Form | None, *, most: int) -> Answer:
    if form is None:
        return Answer(met=False, found="no form for objections is served: start the server")
    if not form.steps:
        return Answer(met=False, found="the form for objections is behind a login")
    met = len(form.steps) <= most and not form.login
    return Answer(met=met, found=f"the form for objections takes {form.in_words()}")


def _requests(policy: PolicySet, system: System, probe: _Probe, *, purposes: frozenset[Purpose]) -> Iterator[Request]:
    people = [
        Person(
            places=frozenset({place}),
            established=True,
            age=age,
            account=Account.ACTIVE,
            standing=standing,
            notices=told,
        )
        for place in _places(policy.rules, system)
        for age in probe.ages
        for standing in probe.standings
        for told in _told(policy.rules, at=system.at, longest=probe.waited)
    ]
    items = [
        Item(category=category, visibility=visibility, created=created)
        for category, visibility, created in product(
            _apart(probe.categories, [rule.categories for rule in policy.rules]),
            _apart(VISIBILITIES, [rule.visibilities for rule in policy.rules], alone=Visibility.UNKNOWN),
            _dates(policy.rules, probe),
        )
    ]
    for purpose in (each for each in Purpose if each in purposes and policy.decides(each)):
        for person, item in product(people, items):
            yield Request(purpose=purpose, item=item, people=(person,), at=system.at)


def _apart(
    values: Iterable[_Value], named: Sequence[Collection[_Value]], *, alone: _Value | None = None
) -> list[_Value]:
    """Return the first of the values that every rule names or does not name alike; `alone` is like no other."""
    found: dict[tuple[bool, ...], _Value] = {}
    for value in values:
        found.setdefault((value == alone, *(value in each for each in named)), value)
    return list(found.values())


def _told(rules: Sequence[Rule], *, at: Seconds, longest: Seconds) -> list[dict[str, Seconds]]:
    """Return one way to have been told for each that rules can tell apart: a forbid may concern who was told, too."""
    waits: dict[str, set[Seconds]] = {}
    for rule in rules:
        if rule.notice is not None:
            waits.setdefault(rule.notice.notice, set()).add(rule.notice.days * SECONDS_PER_DAY)
    # Whoever was told waits until the next of these is over like somebody for whom the last one just was.
    known = [(*sorted((wait for wait in each if wait <= longest), reverse=True), None) for each in waits.values()]
    return [
        {notice: at - wait for notice, wait in zip(waits, told, strict=True) if wait is not None}
        for told in product(*known)
    ]


def _dates(rules: Sequence[Rule], probe: _Probe) -> tuple[Seconds | None, ...]:
    """Return the dates of creation that rules can tell apart: all of them, or those in the window."""
    bounds = instants(rules)
    if probe.window is None:
        return (*reversed(bounds), None)
    first, last = probe.window
    return (*dict.fromkeys((first, last, *(each for each in bounds if first <= each <= last))), None)


def _places(rules: Sequence[Rule], system: System) -> list[str]:
    """Return one place for each way in which the rules can look at a place in the areas."""
    named = {area for rule in rules for area in rule.inside | rule.outside}
    found: dict[tuple[bool | None, ...], str] = {}
    for place in known_places(named | system.areas):
        if _lies_in(place, system.areas, at=system.at):
            seen = tuple(contains(area, place, at=system.at) for area in sorted(named))
            found.setdefault(seen, place)
    return list(found.values())


def _lies_in(place: str, areas: Iterable[str], *, at: Seconds) -> bool:
    inside = [contains(area, place, at=at) for area in areas]
    return not inside or any(each is not False for each in inside)


def _in_words(request: Request) -> str:
    (person,), item = request.people, request.item
    date = " of an unknown date" if item.created is None else ""
    return f"`{item.category}`{date} of `{person.age}` in `{min(person.places)}` through for `{request.purpose}`"


def _when(probe: _Probe) -> str:
    days = -(-probe.waited // SECONDS_PER_DAY)
    return "" if probe.waited == _LONG else f" less than {days} days after every notice"


def _count(check: str, parameters: Sequence[str], number: int) -> None:
    if len(parameters) != number:
        raise _wrong(check, parameters, "it takes none" if not number else f"it takes {number}")


def _number(check: str, parameters: Sequence[str]) -> int:
    if len(parameters) != 1 or not parameters[0].isascii() or not parameters[0].isdigit() or int(parameters[0]) < 1:
        raise _wrong(check, parameters, "give one number of 1 or more")
    return int(parameters[0])


def _wrong(check: str, parameters: Sequence[str], advice: str) -> InputError:
    given = " ".join(parameters) or "nothing"
    return InputError("case-check-parameters", f"the check `{check}` cannot be made of `{given}`", help=advice)
