"""Rules that cannot mean what they say, although every word is known.

* **unreachable**: the rule can never do anything. Its conditions exclude each other, or another rule does the same and
  more, or a forbid covers a permit entirely, or several do so together, or it is about purposes that the set does not
  decide.
* **contradiction**: the conditions and the legal basis do not go together.

Only certainty is reported: a rule is called unreachable only if it is so everywhere, for everybody, at every time a
decision can be asked for (from `DECISIONS_BEGIN` on). A forbid of what nothing permits is not reported: saying twice
what is out of bounds is good practice.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from consentry.policy.expressions import Effect, Rule, Truth
from consentry.policy.jurisdictions import DECISIONS_BEGIN
from consentry.policy.policy_classes import Dimension, Truths, representatives, truths
from consentry.policy.policy_cover import Work, box, covering
from consentry.policy.vocabulary import ChoiceState, LegalBasis, Purpose

_MOST_WORK = 5_000
"""Pieces of permits that are looked at for one set: a fraction of a second. Sets that people write need a few dozen."""
_RANK = {Truth.NO: 0, Truth.UNKNOWN: 1, Truth.YES: 2}


class Finding(NamedTuple):
    """What is wrong with the rule of this number (from 0); `key` is where to look (empty: the rule as a whole)."""

    number: int
    key: str
    code: str
    message: str
    help: str


def find(rules: Sequence[Rule], purposes: frozenset[Purpose]) -> list[Finding]:
    """Return what is wrong with rules of a set that decides `purposes`."""
    cases = representatives(rules, at=DECISIONS_BEGIN, later=True)
    tables = [truths(rule, cases) for rule in rules]
    own = [list(_own(index, rule, table=tables[index], purposes=purposes)) for index, rule in enumerate(rules)]
    found = [finding for findings in own for finding in findings]
    sound = [index for index, findings in enumerate(own) if not findings]
    work = Work(_MOST_WORK)
    for index in sound:
        others = [other for other in sound if other != index]
        pairs = (each for other in others if (each := _pair(index, other, rules=rules, tables=tables)))
        finding = next(pairs, None) or _together(
            index, others, rules=rules, tables=tables, purposes=purposes, work=work
        )
        found += [finding] if finding else []
    return found


def _own(index: int, rule: Rule, *, table: Truths, purposes: frozenset[Purpose]) -> Iterator[Finding]:
    unreachable, contradiction = "policy-unreachable-rule", "policy-contradiction"
    what = f"{rule.effect} `{rule.id}`"
    if Truth.YES not in table[Dimension.CREATED]:
        advice = "`from` must be earlier than `before`"
        yield Finding(index, "created", unreachable, f"{what} is about an empty span of dates", advice)
    if Truth.YES not in table[Dimension.WHERE]:
        advice = "take the areas that stand in both `inside` and `outside` out of one of them"
        yield Finding(index, "where", unreachable, f"no place is both inside and outside as {what} asks", advice)
    for purpose in sorted(_undecided(rule, purposes)):
        advice = f"add `{purpose}` to `purposes` of [policy_set], or take it out here"
        yield Finding(
            index, "purpose", unreachable, f"{what} is about `{purpose}`, which the set does not decide", advice
        )
    if rule.effect is Effect.FORBID and rule.choices == {ChoiceState.REFUSED}:
        yield Finding(index, "choice", unreachable, f"{what} repeats that a refusal denies", "delete it")
    if rule.effect is Effect.PERMIT and ChoiceState.REFUSED in rule.choices:
        advice = "take `refused` out of `choice`: a refusal denies whatever the rules say"
        yield Finding(index, "choice", contradiction, f"{what} is meant for people who refused", advice)
    elif rule.legal_basis is LegalBasis.CONSENT and rule.choices != {ChoiceState.ALLOWED}:
        advice = 'consent must be given: write `choice = ["allowed"]`, or name another legal basis'
        yield Finding(index, "choice", contradiction, f"{what} relies on consent but does not ask for it", advice)


def _undecided(rule: Rule, purposes: frozenset[Purpose]) -> frozenset[Purpose]:
    """The purposes of a permit must be decided; those of a forbid may also cover a decided one."""
    below = rule.effect is Effect.FORBID
    return frozenset(
        purpose
        for purpose in rule.purposes
        if not any(decided.covers(purpose) or (below and purpose.covers(decided)) for decided in purposes)
    )


def _pair(index: int, other: int, *, rules: Sequence[Rule], tables: Sequence[Truths]) -> Finding | None:
    rule, wider = rules[index], rules[other]
    what = f"{rule.effect} `{rule.id}`"
    if not all(any(purpose.covers(each) for purpose in wider.purposes) for each in rule.purposes):
        return None
    if rule.effect is not wider.effect:
        if rule.effect is Effect.PERMIT and _blocks(tables[other], tables[index]):
            return _covered_by([wider], index, rule)
        return None
    if rule.legal_basis is not wider.legal_basis or not _covers(tables[other], tables[index]):
        return None
    if index < other and _same_purposes(rule, wider) and _covers(tables[index], tables[other]):
        return None  # the two say the same: the later one is reported
    advice = f"delete it; {wider.effect} `{wider.id}` in line {wider.line} says the same or more"
    return Finding(index, "", "policy-unreachable-rule", f"{what} changes nothing", advice)


def _together(
    index: int,
    others: Sequence[int],
    *,
    rules: Sequence[Rule],
    tables: Sequence[Truths],
    purposes: frozenset[Purpose],
    work: Work,
) -> Finding | None:
    """Report a permit that forbids cover together, for every purpose that can be asked about."""
    permit = rules[index]
    asked = [each for each in Purpose if permit.applies_to(each) and any(decided.covers(each) for decided in purposes)]
    forbids = [other for other in others if rules[other].effect is Effect.FORBID]
    if permit.effect is not Effect.PERMIT or not asked:
        return None
    boxes = {other: box(tables[other], unknown=True) for other in forbids}
    covers: set[int] = set()
    for near in {tuple(other for other in forbids if rules[other].applies_to(purpose)) for purpose in asked}:
        needed = covering(box(tables[index], unknown=False), [boxes[other] for other in near], work=work)
        if needed is None:
            return None
        covers |= {near[each] for each in needed}
    return _covered_by([rules[other] for other in sorted(covers)], index, permit)


def _covered_by(forbids: Sequence[Rule], index: int, permit: Rule) -> Finding:
    named, lines = _listed(f"`{each.id}`" for each in forbids), _listed(str(each.line) for each in forbids)
    if len(forbids) == 1:
        advice = f"delete it, or narrow forbid {named} in line {lines}"
        what = f"forbid {named} covers all of it"
    else:
        advice = f"delete it, or narrow one of the forbids in lines {lines}"
        what = f"forbids {named} together cover all of it"
    message = f"permit `{permit.id}` never permits anything: {what}"
    return Finding(index, "", "policy-unreachable-rule", message, advice)


def _listed(words: Iterable[str]) -> str:
    *first, last = words
    return f"{', '.join(first)} and {last}" if first else last


def _same_purposes(rule: Rule, wider: Rule) -> bool:
    return all(any(purpose.covers(each) for purpose in rule.purposes) for each in wider.purposes)


def _covers(wider: Truths, narrower: Truths) -> bool:
    """Say whether one rule is at least as true as the other, everywhere."""
    return all(
        _RANK[high] >= _RANK[low]
        for dimension in wider
        for high, low in zip(wider[dimension], narrower[dimension], strict=True)
    )


def _blocks(forbid: Truths, permit: Truths) -> bool:
    """Say whether the forbid is true or unknown, and so denies, wherever the permit is true."""
    return all(
        denied is not Truth.NO
        for dimension in forbid
        for denied, permitted in zip(forbid[dimension], permit[dimension], strict=True)
        if permitted is Truth.YES
    )
