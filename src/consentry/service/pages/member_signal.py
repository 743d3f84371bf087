"""What it means that a browser asks for privacy by itself: Global Privacy Control, as the policy set says.

A set counts the signal as a no unless it says otherwise. Then the no is recorded when a member who has said nothing
about a use opens their page, with `signal` as its source; what they say themselves counts more, before and after.
Sources: Global Privacy Control (W3C), the header `Sec-GPC`.
"""

from __future__ import annotations

from fastapi import Request

from consentry.control_plane.own_settings import concerns
from consentry.control_plane.plane import ControlPlane
from consentry.ledger.events import Pseudonym, Source
from consentry.policy.choice import Choice
from consentry.policy.policy_set import SignalMeaning
from consentry.policy.vocabulary import ChoiceState, Reach
from consentry.release.situation import Situation

_IN_USE = frozenset({Situation.ON, Situation.WAITING})


def is_sent(request: Request) -> bool:
    """Say whether the browser sends the signal."""
    return request.headers.get("sec-gpc") == "1"


def counted_as_no(request: Request, control: ControlPlane, *, person: Pseudonym) -> list[int]:
    """Record the no that the signal counts as, for each use where it does, and return the positions.

    Its reach is `untrained`: nobody has looked at what it would undo. A page that a browser fetches ahead says nothing.
    """
    if not is_sent(request) or request.headers.get("sec-purpose"):
        return []
    own = control.own_settings.asker(person).own
    refused = [
        use.purpose
        for use in control.own_settings.uses(person)
        if use.policy is not None
        and use.policy.signals.global_privacy_control is SignalMeaning.REFUSE
        and use.stands.situation in _IN_USE
        and not use.erased
        and not any(concerns(each.choice, use.purpose) for each in own)
    ]
    at = control.desk.parts.clock()
    made = [Choice(purpose=purpose, state=ChoiceState.REFUSED, reach=Reach.UNTRAINED, at=at) for purpose in refused]
    return [control.own_settings.choose(person, choice, source=Source.SIGNAL) for choice in made]
