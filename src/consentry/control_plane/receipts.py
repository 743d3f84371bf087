"""Giving receipts for choices and objections. Nothing is recorded by it: an event always gives the same receipt."""

from __future__ import annotations

import base64
from enum import StrEnum
from typing import Any

from consentry.control_plane.desk import Desk
from consentry.control_plane.in_force import withdraws
from consentry.errors import NotFoundError
from consentry.ledger.envelope import Event
from consentry.ledger.events import ChoiceMade, EventLost, Pseudonym
from consentry.ledger.objection_events import (
    ObjectionDeclined,
    ObjectionMatched,
    ObjectionNotFound,
    ObjectionReceived,
    ObjectionWithdrawn,
)
from consentry.oversight.objection import ANSWER_MONTHS, months_after
from consentry.transparency.receipt import NoticeRead, Opening, Place, PolicyInForce, Receipt, issue

_ANSWERS = (ObjectionMatched, ObjectionNotFound, ObjectionDeclined, ObjectionWithdrawn)
_NOT_FOR_OBJECTORS = ("by", "form")


class Stands(StrEnum):
    """What a ledger has of what a receipt is of."""

    HERE = "here"
    LOST = "lost"
    """It was lost with the newest ledger: what was said does not count any more."""
    MISSING = "missing"
    """Something else is there, or nothing, though it is the ledger that the receipt names: an older copy."""
    UNKNOWN = "unknown"
    """The receipt is of another ledger, which has to be asked."""


class Receipts:
    """Verbs about receipts. Who may have which one is for the caller to say."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def of(self, position: int, *, opening: bool = True) -> bytes:
        """Return the signed receipt for the event at a position.

        Args:
            position: of a choice, or of an objection that was received, answered or withdrawn.
            opening: whether it holds what opens the commitment, with the pseudonym of the person.

        Raises:
            NotFoundError: there is no such event, or it was erased.
        """
        if 0 <= position < self._desk.parts.ledger.head():
            (event,) = self._desk.parts.ledger.read(position, position + 1)
            about = _about(event)
            if about is not None:
                receipt = self._receipt(event, about)
                return issue(receipt if opening else receipt.without_opening(), self._desk.parts.signer)
        raise NotFoundError(
            "receipt-nothing",
            f"there is no choice and no objection at position {position}, or it was erased",
            help="give the position of a choice, or of an objection that was received, answered or withdrawn",
        )

    def stands(self, place: Place) -> Stands:
        """Say what the ledger has where a receipt says that something stands."""
        if place.id != self._desk.parts.ledger_id:
            return Stands.UNKNOWN
        if place.position >= self._desk.parts.ledger.head():
            return Stands.MISSING
        (event,) = self._desk.parts.ledger.read(place.position, place.position + 1)
        if isinstance(event.body, EventLost):
            return Stands.LOST
        return Stands.HERE if event.commitment.hex() == place.commitment else Stands.MISSING

    def for_choice(self, person: Pseudonym, *, opening: bool = True) -> bytes:
        """Return the receipt for what a person chose last.

        Raises:
            NotFoundError: they chose nothing, or were erased.
        """
        events = self._desk.parts.personal.history(person)
        chosen = [event.position for event in events if isinstance(event.body, ChoiceMade)]
        if not chosen:
            raise NotFoundError(
                "receipt-nothing", "this person made no choice, or was erased", help="record one: consentry choice"
            )
        return self.of(chosen[-1], opening=opening)

    def for_objection(self, objection: str) -> bytes:
        """Return the receipt for an objection, as it was received.

        Raises:
            NotFoundError: there is none of this id.
        """
        with self._desk.lock:
            found = self._desk.present().overseen.objections.get(objection)
        if found is None:
            raise NotFoundError(
                "objection-unknown", "there is no such objection", help="see them: consentry objection list"
            )
        return self.of(found.position)

    def _receipt(self, event: Event, about: dict[str, Any]) -> Receipt:
        with self._desk.lock:
            present = self._desk.present()
            in_force = {each.name: each for each in present.state.policies if each.position < event.position}
            notice = event.body.notice if isinstance(event.body, ChoiceMade) else None
            written = None if notice is None else present.overseen.notices.get(notice)
        versions = [] if written is None else [v.number for v in written.versions if v.position < event.position]
        return Receipt(
            about=about,
            effective_at=event.recorded_at,
            ledger=Place(
                id=self._desk.parts.ledger_id,
                position=event.position,
                kind=event.kind,
                version=event.version,
                commitment=event.commitment.hex(),
            ),
            policies=tuple(
                PolicyInForce(name=each.name, version=each.version, digest=each.digest)
                for each in sorted(in_force.values())
                if not withdraws(each)
            ),
            notice=None if notice is None else NoticeRead(notice=notice, version=versions[-1] if versions else None),
            opening=_opening(event),
        )


def _about(event: Event) -> dict[str, Any] | None:
    """Return what was said, naming nobody; None if no receipt is given for it."""
    body = event.body
    if isinstance(body, ChoiceMade):
        choice = body.choice
        return {
            "what": "choice",
            "purpose": str(choice.purpose),
            "state": str(choice.state),
            "reach": str(choice.reach),
            "categories": sorted(map(str, choice.categories)),
            "items": len(choice.items),
            "made_at": choice.at,
            "source": str(body.source),
        }
    if isinstance(body, (ObjectionReceived, *_ANSWERS)):
        said = {name: value for name, value in body.to_json().items() if name not in _NOT_FOR_OBJECTORS}
        about = {"what": "objection", **{name: str(v) if isinstance(v, str) else v for name, v in said.items()}}
        if isinstance(body, ObjectionReceived):
            about["due"] = months_after(event.recorded_at, ANSWER_MONTHS)
        return about
    return None


def _opening(event: Event) -> Opening | None:
    if event.salt is None or event.document is None:
        return None
    return Opening(
        salt=base64.b64encode(event.salt).decode("ascii"), document=base64.b64encode(event.document).decode("ascii")
    )
