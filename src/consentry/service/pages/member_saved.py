"""What a member is told right after saving: each choice that was just recorded, what it did, and its receipt."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from consentry.control_plane.own_content import Aim
from consentry.control_plane.plane import ControlPlane
from consentry.ledger.envelope import Event
from consentry.ledger.events import ChoiceMade
from consentry.policy.vocabulary import Category, ChoiceState, Purpose, Reach
from consentry.service.pages import member_words as say

_MOST = 4
_DIGITS = 15


def just_saved(control: ControlPlane, person: str, *, positions: Sequence[str]) -> list[dict[str, Any]]:
    """Return what these choices did, as their positions stand in an address; what is not this person's is left out."""
    good = (each for each in positions[:_MOST] if each.isascii() and each.isdecimal() and len(each) <= _DIGITS)
    wanted = {int(each) for each in good}
    events = control.own_settings.history(person) if wanted else []
    return [
        _told(control, person, event=event, made=event.body)
        for event in events
        if event.position in wanted and isinstance(event.body, ChoiceMade) and event.body.person == person
    ]


def _told(control: ControlPlane, person: str, *, event: Event, made: ChoiceMade) -> dict[str, Any]:
    choice = made.choice
    effect = None
    if choice.state is ChoiceState.REFUSED and choice.reach is Reach.EVERYTHING and choice.purpose in set(Purpose):
        aim = Aim(purpose=choice.purpose, categories=choice.categories, items=choice.items)
        effect = control.own_content.effect(person, aim)
    return {
        "position": event.position,
        "at": event.recorded_at,
        "choice": choice,
        "purpose": say.PURPOSES[choice.purpose],
        "kinds": [say.KINDS[each] for each in Category if each in choice.categories],
        "reach": say.REACHES[choice.reach],
        "notice": made.notice,
        "effect": effect,
    }
