"""Since when a use is given back to one person, whose suspension has ended. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace

from consentry.oversight.order import Ended, Order, Scope
from consentry.policy.choice import Seconds
from consentry.release.situation import Question, Situation, stands


def resumed_at(question: Question, orders: Iterable[Order]) -> Seconds | None:
    """Return when the last suspension ended that stopped a use for somebody; None if none ever did.

    `question` is asked without orders. Those that held together just before one of them ended are asked about together:
    it is their union that stops a use. What else is known of the person is as of now.
    """
    ours = [each for each in orders if each.scope.names(None) and each.scope.concerns(question.purpose)]
    rules = {each.scope: each.rule for each in ours}
    known: dict[frozenset[Scope], bool] = {}

    def stopped(held: frozenset[Scope]) -> bool:
        if held not in known:
            asked = replace(question, rules=(*question.rules, *(rules[scope] for scope in held)))
            known[held] = stands(asked).situation is Situation.STOPPED
        return known[held]

    # Back through time: from an end on an order holds, up to where it was issued. There are few scopes, however many
    # orders: what is stopped is asked once for those that held together.
    held = Counter(each.scope for each in ours if each.ended is None)
    turns: list[tuple[int, Order, Ended | None]] = [(each.position, each, None) for each in ours]
    turns += [(ended.position, each, ended) for each in ours if (ended := each.ended) is not None]
    for _, order, ended in sorted(turns, key=lambda turn: -turn[0]):
        held[order.scope] += -1 if ended is None else 1
        if ended is None or held[order.scope] > 1:
            continue
        together = frozenset(scope for scope, count in held.items() if count)
        if stopped(together) and not stopped(together - {order.scope}):
            return ended.at
    return None
