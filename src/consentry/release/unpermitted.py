"""Why nothing permits a use: which conditions of the permits are not met. Pure; it explains a decision, and takes none.

Asked is about somebody who was told everything and said yes: what neither would change.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from consentry.policy.choice import Seconds
from consentry.policy.expressions import Case, Effect, Item, Part, Person, Rule, unmet
from consentry.policy.vocabulary import ChoiceState


def unpermitted(rules: Sequence[Rule], person: Person, *, item: Item, at: Seconds) -> frozenset[Part]:
    """Return what keeps every permit from an item: at those places of somebody where none matches.

    What all of them lack, and where they lack different things all of that. Permits for other kinds of content say
    nothing about this one, unless there are no others.
    """
    permits = [rule for rule in rules if rule.effect is Effect.PERMIT]
    places: Iterable[str | None] = sorted(person.places) or (None,)
    found: set[Part] = set()
    for place in places:
        lacks = [unmet(rule, Case(person, place, item, ChoiceState.ALLOWED, at)) for rule in permits]
        such = [each for each in lacks if Part.CATEGORY not in each] or lacks
        if such and all(such):
            found |= frozenset.intersection(*such) or frozenset().union(*such)
    return frozenset(found)
