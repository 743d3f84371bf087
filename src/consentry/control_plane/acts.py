"""What staff and authorities did, from the ledger: who, what and when.

It names nobody else, and repeats no text that anybody wrote. Of a look-up it says who looked, and neither at whom nor
why; once the person is erased, and what is carried is read anew, not even that. What an objection was about is not said
either. Read once and carried forward.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from threading import Lock
from typing import Any

from consentry.control_plane.desk import Desk
from consentry.ledger.envelope import Event
from consentry.ledger.look_up_events import PersonLookedUp
from consentry.policy.choice import Seconds

_NOT_BY_STAFF = frozenset(
    {
        "items.consumed",
        "lease.ended",
        "lease.granted",
        "model-checkpoint.written",
        "objection.heard",
        "objection.withdrawn",
        "order.drained",
        "release.amended",
    }
)
"""What jobs, objectors and the system itself say."""
_ABOUT = (
    "case", "order", "orders", "condition", "notice", "report", "step", "how", "says", "assessment", "policy",
    "proposal", "name", "version", "release", "corpus", "purpose", "model", "remedy", "what", "ground",
)  # fmt: skip
"""What an act is about: names and words of ours. Titles, references and reasons are somebody's texts."""
_DIGEST = "sha256:"
"""What begins like this says nothing to anybody."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """Something that somebody did who has an account here.

    Attributes:
        by: their handles; none where the ledger does not say who.
        kind: of the event.
        about: names of what it concerns, in a fixed order.
        case: the case that it belongs to, if there is one.
    """

    by: tuple[str, ...]
    kind: str
    about: tuple[str, ...]
    case: str | None
    position: int
    at: Seconds


class Acts:
    """All acts, carried forward. Several threads may ask."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._turn = Lock()
        self._found: list[Act] = []
        self._position = 0

    def every(self) -> list[Act]:
        """Return all acts up to the head of the ledger, oldest first."""
        ledger = self._desk.parts.ledger
        with self._turn:
            head = ledger.head()
            events = ledger.read(self._position, head, only_open=True, beside=(PersonLookedUp.KIND,))
            # All or none: what is read again after an error must not be here twice.
            new = list(_acts(events))
            self._found += new
            self._position = max(head, self._position)
            return list(self._found)


def _acts(events: Iterable[Event]) -> Iterator[Act]:
    for event in events:
        if event.body is None or event.kind in _NOT_BY_STAFF:
            continue
        body: dict[str, Any] = {} if isinstance(event.body, PersonLookedUp) else event.body.to_json()
        by = _names(event.body.by if isinstance(event.body, PersonLookedUp) else body.get("by"))
        if event.kind == "objection.received" and not by:
            continue  # They filed it themselves.
        about = tuple(word for name in _ABOUT for word in _names(body.get(name)) if not word.startswith(_DIGEST))
        yield Act(
            by=by,
            kind=event.kind,
            about=about,
            case=body.get("case"),
            position=event.position,
            at=event.recorded_at,
        )


def _names(value: Any) -> tuple[str, ...]:
    if value is None or value == "":
        return ()
    return tuple(map(str, value)) if isinstance(value, (list, tuple)) else (str(value),)
