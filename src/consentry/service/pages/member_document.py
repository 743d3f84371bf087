"""The pages of a member for programs: the same facts as documents."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from consentry.control_plane.own_content import Aim, Effect
from consentry.service.pages.member_blocks import Block, Kind, Obstacle, Said
from consentry.service.pages.member_notice import NoticeShown
from consentry.service.pages.member_words import Told


def document(found: Sequence[Block], effects: Mapping[str, Effect]) -> dict[str, Any]:
    """Return how each use stands, in the words of the interface for programs. Times are seconds since 1970.

    `effects` are what a no to a use would undo, as far as that comes at once.
    """
    return {"uses": [_use(each, effects.get(each.purpose)) for each in found]}


def check_document(use: Block, *, aim: Aim | None, effect: Effect | None) -> dict[str, Any]:
    """Return what a no would undo, for all of a use or what is aimed at in it; nothing is new where there is no aim."""
    return {
        "purpose": use.purpose,
        "can_choose": use.can_choose,
        "categories": [] if aim is None else sorted(aim.categories),
        "items": 0 if aim is None else len(aim.items),
        "undoes": None if effect is None else effect.to_json(),
    }


def _use(use: Block, effect: Effect | None) -> dict[str, Any]:
    return {
        "purpose": use.purpose,
        "situation": use.situation,
        "answer": use.answer or None,
        "can_choose": use.can_choose,
        "since": use.since,
        "begins": use.begins,
        "agreed": use.agreed,
        "refusals": [_said(each) for each in ([use.no] if use.no else []) + list(use.wider)],
        "obstacles": [_obstacle(each) for each in use.obstacles],
        "legal_bases": list(use.legal_bases),
        "policy": use.policy or None,
        "signal": use.signal,
        "notice": None if use.notice is None or use.notice.rules else _notice(use.notice),
        "to_read": None if use.notice is None else _to_read(use.notice),
        "served": dict(use.served),
        "places": list(use.places),
        "established": use.established,
        "items": use.items,
        "used": use.used,
        "leaving": None if effect is None else effect.to_json()["leaving"],
        "complete": use.complete,
        "erased": use.erased,
        "may_be_missing": None if use.missing is None else use.missing._asdict(),
        "kinds": [_kind(each) for each in (*use.kinds, *use.never)],
    }


def _said(each: Said) -> dict[str, Any]:
    return {"at": each.at, "position": each.position, "reach": each.reach, "mine": each.mine}


def _obstacle(each: Obstacle) -> dict[str, Any]:
    return {
        "why": each.told.text,
        "rule": each.told.rule.why if each.told.rule is not None else None,
        "rule_in": dict(each.told.rule.why_in) if each.told.rule is not None else {},
        "since": each.since,
        "areas": list(each.areas),
    }


def _against(each: Told) -> dict[str, Any]:
    return {"why": each.text, "since": each.since, "areas": list(each.areas)}


def _notice(each: NoticeShown) -> dict[str, Any]:
    return {"name": each.name, "version": each.number, "at": each.at, "language": each.language or None}


def _to_read(each: NoticeShown) -> dict[str, Any]:
    """Return what is read before a yes: the text of a notice, or what the rules say of themselves."""
    return {
        "what": "rules" if each.rules else "notice",
        "name": each.read,
        "at": each.at,
        "language": each.language or None,
        "paragraphs": list(each.paragraphs),
    }


def _kind(each: Kind) -> dict[str, Any]:
    return {
        "category": each.category,
        "items": each.items,
        "used": each.used,
        "permitted": each.permitted,
        "on": each.on,
        "refused": each.refused,
        "reach": each.reach,
        "can_choose": each.can_choose,
        "against": [_against(told) for told in each.against],
    }
