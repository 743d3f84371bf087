"""Objections: somebody does not want content used, and says how it can be found.

Rules:

* Anybody may object. An objection is received as it comes: a duplicate, one without a reason, one that is spam. Nothing
  is thrown away, and no number of objections is too many.
* Where it stands follows from what was said:
  1. *received*: nobody looks at it yet;
  2. *looked at*: a member of staff does. Anybody of the staff may take it over, and answer it without having taken it;
  3. *asked*: the objector was asked for more. Their next message brings it back to whoever looks at it;
  4. *matched*: it is known whose content, or which items, are meant, and their use is refused from then on;
  5. *not found*: nothing was found, and what was tried is told;
  6. *declined*: it is not followed. That takes a ground the law knows (`LawfulGround`) and an explanation;
  7. *withdrawn*: the objector took it back.
* Matched, not found and declined are answers. A message of the objector after an answer makes it *received* anew, with
  days counted from the message; what was refused stays refused. Staff may always match, also after another answer:
  that is the safe direction. Only an open one is asked about, found nothing for, declined or extended.
* Withdrawn is the end: nothing is said about it any more but notes. It gives nothing back: what was refused stays
  refused until the person allows it in the settings, for who holds the link was never asked who they are.
* The answer is due within one month of receipt (GDPR Art. 12(3)). That may be made longer once, by one or two months,
  before it is due, with the reason told. Asking for more does not stop the clock. A month ends on the day with the
  number of the day of receipt, on the last day where there is none such (Regulation 1182/71 Art. 3(2)(c)); that day
  counts whole, in UTC.
* Staff may erase what was written about an answered or withdrawn one at any time. The course of it stays.
"""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum

from consentry.errors import InputError, StateError
from consentry.ledger.case_events import Handle
from consentry.ledger.envelope import Event
from consentry.ledger.objection_events import (
    LawfulGround,
    ObjectionAsked,
    ObjectionBody,
    ObjectionDeclined,
    ObjectionErased,
    ObjectionExtended,
    ObjectionHeard,
    ObjectionMatched,
    ObjectionNoted,
    ObjectionNotFound,
    ObjectionReceived,
    ObjectionTaken,
    ObjectionWithdrawn,
)
from consentry.policy.choice import Seconds
from consentry.policy.vocabulary import Purpose

ANSWER_MONTHS = 1
MOST_FURTHER_MONTHS = 2


class ObjectionState(StrEnum):
    """How far an objection is."""

    RECEIVED = "received"
    LOOKED_AT = "looked-at"
    ASKED = "asked"
    MATCHED = "matched"
    NOT_FOUND = "not-found"
    DECLINED = "declined"
    WITHDRAWN = "withdrawn"


OPEN = frozenset({ObjectionState.RECEIVED, ObjectionState.LOOKED_AT, ObjectionState.ASKED})
"""States in which an answer is owed."""
ANSWERED = frozenset({ObjectionState.MATCHED, ObjectionState.NOT_FOUND, ObjectionState.DECLINED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Objection:
    """An objection as the ledger knows it, without a word of what was written."""

    objection: str
    purpose: Purpose
    position: int
    received: Seconds
    counted_from: Seconds
    """When the month for the answer began: at receipt, or with a message after an answer."""
    due: Seconds
    state: ObjectionState = ObjectionState.RECEIVED
    by: Handle | None = None
    """Who looks at it, or answered it."""
    extended: int = 0
    ground: LawfulGround | None = None
    people: int = 0
    items: int = 0
    """How many people and single items were refused by it, all in all."""
    messages: int = 0
    changed: Seconds = 0
    """When anything was last said about it."""
    erased: bool = False

    @property
    def open(self) -> bool:
        """Whether an answer is owed."""
        return self.state in OPEN

    def overdue(self, at: Seconds) -> bool:
        """Say whether it should have been answered by now."""
        return self.open and at > self.due


def months_after(at: Seconds, months: int) -> Seconds:
    """Return the last second of the day, in UTC, on which a period of months that began at `at` ends."""
    begun = datetime.fromtimestamp(at, UTC)
    year, month = divmod(begun.year * 12 + begun.month - 1 + months, 12)
    day = min(begun.day, monthrange(year, month + 1)[1])
    return int(datetime(year, month + 1, day, 23, 59, 59, tzinfo=UTC).timestamp())


def require_possible(found: Objection, body: ObjectionBody, *, at: Seconds) -> None:
    """Refuse what cannot be said about an objection at `at`.

    Raises:
        StateError: it is withdrawn, erased, or not open; it is extended twice or too late.
        InputError: it is extended by less than one or more than two months.
    """
    if isinstance(body, ObjectionErased):
        _require_answered(found)
        return
    if found.erased:
        raise StateError(
            "objection-erased",
            f"what objection `{found.objection}` said was erased",
            help="only its course is known; the objector can file another one",
        )
    if isinstance(body, ObjectionNoted):
        return
    if found.state is ObjectionState.WITHDRAWN:
        raise StateError(
            "objection-withdrawn",
            f"objection `{found.objection}` was withdrawn",
            help="nothing more is done about it; the objector can file another one",
        )
    if isinstance(body, ObjectionMatched | ObjectionHeard | ObjectionWithdrawn):
        return
    if not found.open:
        raise StateError(
            "objection-answered",
            f"objection `{found.objection}` is answered: {found.state}",
            help="a match can still be added; a message of the objector opens it again",
        )
    if isinstance(body, ObjectionExtended):
        _require_extendable(found, body.months, at=at)


def _require_answered(found: Objection) -> None:
    if found.open or found.erased:
        raise StateError(
            "objection-not-erasable",
            f"objection `{found.objection}` is {'erased already' if found.erased else f'open: {found.state}'}",
            help="answer it first: an answer is owed to whoever objected",
        )


def _require_extendable(found: Objection, months: int, *, at: Seconds) -> None:
    if not 1 <= months <= MOST_FURTHER_MONTHS:
        raise InputError(
            "objection-months",
            f"an answer cannot take `{months}` months longer",
            help=f"give 1 to {MOST_FURTHER_MONTHS}: more the law does not allow",
        )
    if found.extended or at > found.due:
        why = "was extended already" if found.extended else "is overdue"
        raise StateError(
            "objection-not-extendable",
            f"objection `{found.objection}` {why}",
            help="answer it now: the time can be made longer once, before it is over",
        )


class Objections:
    """All objections, folded from events."""

    def __init__(self) -> None:
        self._objections: dict[str, Objection] = {}

    def __iter__(self) -> Iterator[Objection]:
        return iter(self._objections.values())

    def __len__(self) -> int:
        return len(self._objections)

    def get(self, objection: str) -> Objection | None:
        """Return an objection."""
        return self._objections.get(objection)

    def take(self, event: Event) -> None:
        """Take one event in, if it is about an objection."""
        body = event.body
        if not isinstance(body, ObjectionBody):
            return
        if isinstance(body, ObjectionReceived):
            self._objections.setdefault(body.objection, _received(body, event))
        elif (found := self._objections.get(body.objection)) is not None:
            after = _after(found, body, event.recorded_at)
            self._objections[body.objection] = replace(after, changed=event.recorded_at)


def _received(body: ObjectionReceived, event: Event) -> Objection:
    at = event.recorded_at
    return Objection(
        objection=body.objection,
        purpose=body.purpose,
        position=event.position,
        received=at,
        counted_from=at,
        due=months_after(at, ANSWER_MONTHS),
        changed=at,
    )


def _after(found: Objection, body: ObjectionBody, at: Seconds) -> Objection:
    if isinstance(body, ObjectionHeard):
        return _heard(replace(found, messages=found.messages + 1), at)
    if isinstance(body, ObjectionTaken):
        return replace(found, state=ObjectionState.LOOKED_AT, by=body.by)
    if isinstance(body, ObjectionAsked):
        return replace(found, state=ObjectionState.ASKED, by=body.by)
    if isinstance(body, ObjectionExtended):
        due = months_after(found.counted_from, ANSWER_MONTHS + body.months)
        return replace(found, extended=body.months, due=due)
    if isinstance(body, ObjectionMatched):
        people, items = found.people + body.people, found.items + body.items
        return replace(found, state=ObjectionState.MATCHED, by=body.by, people=people, items=items, ground=None)
    if isinstance(body, ObjectionNotFound):
        return replace(found, state=ObjectionState.NOT_FOUND, by=body.by)
    if isinstance(body, ObjectionDeclined):
        return replace(found, state=ObjectionState.DECLINED, by=body.by, ground=body.ground)
    if isinstance(body, ObjectionWithdrawn):
        return replace(found, state=ObjectionState.WITHDRAWN)
    if isinstance(body, ObjectionErased):
        return replace(found, erased=True)
    return found


def _heard(found: Objection, at: Seconds) -> Objection:
    if found.state is ObjectionState.ASKED:
        return replace(found, state=ObjectionState.LOOKED_AT)
    if found.state in ANSWERED:
        due = months_after(at, ANSWER_MONTHS)
        return replace(found, state=ObjectionState.RECEIVED, by=None, counted_from=at, due=due, extended=0, ground=None)
    return found
