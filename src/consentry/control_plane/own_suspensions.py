"""Since when a use is given back to one person, whose suspension has ended. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from consentry.oversight.order import Order
from consentry.policy.choice import Seconds
from consentry.release.situation import Question, Situation, stands


def resumed_at(question: Question, orders: Iterable[Order]) -> Seconds | None:
    """Return when the last suspension ended that stopped a use for somebody; None if none ever did.

    `question` is asked without orders. Those that held together just before one of them ended are asked about together:
    it is their union that stops a use. What else is known of the person is as of now.
    """
    ours = [each for each in orders if each.scope.names(None) and each.scope.concerns(question.purpose)]
    over = sorted(((each.ended, each) for each in ours if each.ended), key=lambda each: -each[0].position)
    for ended, order in over:
        until = ended.position
        held = [each for each in ours if each.position < until and (each.ended is None or each.ended.position >= until)]
        before = replace(question, rules=(*question.rules, *(each.rule for each in held)))
        without = replace(question, rules=(*question.rules, *(each.rule for each in held if each is not order)))
        if stands(before).situation is Situation.STOPPED and stands(without).situation is not Situation.STOPPED:
            return ended.at
    return None
