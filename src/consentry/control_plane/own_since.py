"""Since when a use stands for one person as it does, over all policy sets that came to the same for them. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import NamedTuple

from consentry.policy.choice import Seconds
from consentry.policy.evaluator import Reason, ReasonKind
from consentry.policy.expressions import Rule
from consentry.release.situation import Question, Situation, Stands, stands

MOST = 16
"""How many sets are looked at for a page, the newest first; what stood for longer is of a time that is not said."""


class Spell(NamedTuple):
    """The rules that decided about a use, and since when; until the next spell begins."""

    since: Seconds
    rules: tuple[Rule, ...]


@dataclass(frozen=True, slots=True)
class Held:
    """Since when a use stands as it does, and since when each obstacle does; None: longer than was looked back."""

    since: Seconds | None = None
    obstacles: Mapping[Reason, Seconds | None] = field(default_factory=lambda: MappingProxyType({}))


def joined(spells: Iterable[Spell]) -> list[Spell]:
    """Return spells, oldest first, with those made one that follow each other and have the same rules."""
    found: list[Spell] = []
    for each in spells:
        if not found or found[-1].rules != each.rules:
            found.append(each)
    return found


def held(question: Question, spells: Sequence[Spell]) -> Held:
    """Say since when a use stands as it does; `spells` are the newest first, `question` is asked without orders.

    What is known of the person, and what they said, is as of now. A use that waited under some set was not on then.
    """
    found = Held()
    now: Stands | None = None
    alike, until = True, question.at
    lasting: set[Reason] = set()
    for spell in spells[:MOST]:
        then = stands(replace(question, rules=spell.rules))
        if now is None:
            now, lasting = then, set(then.obstacles)
        began = max(spell.since, then.begins or 0) if then.situation is Situation.ON else spell.since
        if alike := alike and then.situation is now.situation and began <= until:
            found = replace(found, since=began)
            alike = began == spell.since
        lasting &= _obstacles(then, like=now)
        found = replace(found, obstacles={**found.obstacles, **dict.fromkeys(lasting, spell.since)})
        until = spell.since
        if not alike and not lasting:
            return found
    if len(spells) > MOST:
        return Held(None if alike else found.since, {**found.obstacles, **dict.fromkeys(lasting)})
    return found


def _obstacles(then: Stands, *, like: Stands) -> set[Reason]:
    """Return what stood against a use; that nothing permits it is the same only where the same was lacking."""
    same = then.unmet == like.unmet
    return {each for each in then.obstacles if same or each.kind is not ReasonKind.NOT_PERMITTED}
