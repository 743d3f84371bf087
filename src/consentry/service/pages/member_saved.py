"""What a member is told right after saving: each choice, what it did, its receipt, and what had changed meanwhile."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from consentry.control_plane.own_content import Aim
from consentry.control_plane.plane import ControlPlane
from consentry.ledger.envelope import Event
from consentry.ledger.events import ChoiceMade
from consentry.policy.vocabulary import Category, ChoiceState, Purpose, Reach
from consentry.service.languages import N_
from consentry.service.pages import member_words as say
from consentry.service.pages.member_blocks import Block
from consentry.service.pages.member_shown import GONE, Rows

_NOW = {"yes": N_("now yes"), "no": N_("now no"), "": N_("now not answered"), GONE: N_("now nothing to choose")}
NO_IDS: Mapping[str, str] = MappingProxyType({})
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


def meanwhile(
    use: Block, rows: Rows, *, names: Collection[str], ids: Mapping[str, str] = NO_IDS
) -> list[dict[str, str]]:
    """Return how answers stand that changed while a page was open, in words; `ids` are those of items, by their rows.

    Of rows that are not there nothing is said.
    """
    kinds = {f"kind-{each.category}": each.word for each in (*use.kinds, *use.never)}
    named = {"answer": use.title, **kinds}
    return [
        {"what": named.get(name, ""), "id": ids.get(name, ""), "now": _NOW[rows[name].answer]}
        for name in names
        if name in rows and (name in named or name in ids)
    ]


def was_read(control: ControlPlane, named: str | None, *, position: int) -> dict[str, Any] | None:
    """Return what somebody read before a choice at a position, as people are told it; None if they read nothing.

    That is a version of the `rules`, or of a notice with when it was written; `text` is what a platform called it, or
    the names of several.
    """
    if not named:
        return None
    if ", " in named:
        return {"rules": False, "text": named, "number": None, "at": None}
    rules = named.split("/")
    if len(rules) > 1:
        return {"rules": True, "text": "", "number": rules[1], "at": None}
    versions = [each for each in control.notices.every() if each.notice == named]
    before = [each for notice in versions for each in notice.versions if each.position < position]
    if not before:
        return {"rules": False, "text": named, "number": None, "at": None}
    return {"rules": False, "text": "", "number": before[-1].number, "at": before[-1].at}


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
        "read": was_read(control, made.notice, position=event.position),
        "effect": effect,
    }
