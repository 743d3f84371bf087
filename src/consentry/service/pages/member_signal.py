"""What it means that a browser asks for privacy by itself: Global Privacy Control, as the policy set says.

A set counts the signal as a no unless it says otherwise. Then the no is recorded when a member who has said nothing
about a use opens their page, with `signal` as its source; what they say themselves counts more, before and after.
Sources: Global Privacy Control (W3C), the header `Sec-GPC`.
"""

from __future__ import annotations

from fastapi import Request

from consentry.control_plane.plane import ControlPlane
from consentry.ledger.events import Pseudonym, Source
from consentry.policy.policy_set import SignalMeaning
from consentry.release.situation import Situation

_IN_USE = frozenset({Situation.ON, Situation.WAITING})


def is_sent(request: Request) -> bool:
    """Say whether the browser sends the signal."""
    return request.headers.get("sec-gpc") == "1"


def record_no(request: Request, control: ControlPlane, *, person: Pseudonym) -> list[int]:
    """Record the no that the signal counts as, for each use where it does, and return the positions.

    Not where they said anything with any account of theirs: a no here would count for those as well. Its reach is
    `untrained`: nobody has looked at what it would undo. A page that a browser fetches ahead says nothing.
    """
    if not is_sent(request) or request.headers.get("sec-purpose"):
        return []
    unsaid = control.own_settings.unsaid(person)
    if not unsaid:
        return []
    refused = [
        use.purpose
        for use in control.own_settings.uses(person)
        if use.purpose in unsaid
        and use.policy is not None
        and use.policy.signals.global_privacy_control is SignalMeaning.REFUSE
        # While an order suspends the use the signal is heard all the same: else their content is used once it ends.
        and (use.stands.unsuspended or use.stands.situation) in _IN_USE
        and not use.erased
    ]
    return control.own_choices.refuse_unsaid(person, refused, source=Source.SIGNAL) if refused else []
