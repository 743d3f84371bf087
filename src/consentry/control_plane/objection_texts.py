"""What was written about objections: encrypted into the ledger, found again by the objection, searched, read.

Everything that is said about an objection is two events in one append: an open one that says what happened, and right
behind it an `ObjectionTold` that holds the words. So the course of one objection is found by an index, whatever the
length of the ledger, and erasing the second ones leaves the first.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from consentry.control_plane.desk import Desk
from consentry.control_plane.once_recorded import once_recorded
from consentry.digests import canonical_json
from consentry.errors import InputError, NotFoundError
from consentry.ledger.envelope import Event
from consentry.ledger.events import Body
from consentry.ledger.objection_events import ObjectionBody, ObjectionTold
from consentry.ledger.store import SealingSession
from consentry.oversight.objection import Objection, require_possible

MOST_CHARACTERS = 10_000
_READ_AT_ONCE = 200
_SAID_AT_ONCE = 100
"""Of many alike: renewals of leases wait for the head."""
_IN_PART = "perhaps not of all that say the same"
_HIDDEN = ("taken", "noted")
"""What staff do among themselves; the objector does not see it."""
_FOR_STAFF = ("by", "person", "corpus", "items", "stays")


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """One thing that was said about an objection: what kind of thing, when, and the words."""

    position: int
    at: int
    what: str
    """`received`, `taken`, `asked`, `heard`, `extended`, `matched`, `not-found`, `declined`, `withdrawn`, `noted`."""
    words: Mapping[str, Any] = field(repr=False)

    def to_json(self) -> dict[str, Any]:
        """Return it as plain values."""
        return {"position": self.position, "at": self.at, "what": self.what, **self.words}

    def for_objector(self) -> Told:
        """Return it without what only staff see; of single items how many they are."""
        shown = {name: value for name, value in self.words.items() if name not in _FOR_STAFF}
        shown |= {"single_items": len(self.words["items"])} if "items" in self.words else {}
        return Told(position=self.position, at=self.at, what=self.what, words=shown)


class ObjectionTexts:
    """Says things about objections, and reads what was said. The head of the ledger is held while anything is said."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._parts = desk.parts

    def told(self, objection: str, what: str, *, beside: str | None = None, **words: Any) -> ObjectionTold:
        """Return the event that holds words."""
        body = {"what": what, **{name: value for name, value in words.items() if value not in (None, "", [])}}
        sealed = self._parts.texts.seal(canonical_json(body), about=objection)
        return ObjectionTold(objection=objection, beside=beside, sealed=base64.b64encode(sealed).decode("ascii"))

    def course(self, objection: str) -> list[Told]:
        """Return everything that was said about an objection, oldest first; nothing if it was erased."""
        return [
            self._read(event, event.body)
            for event in self._parts.personal.history(objection)
            if isinstance(event.body, ObjectionTold) and event.body.objection == objection
        ]

    def filed(self, objections: Sequence[str]) -> dict[str, tuple[str | None, Told]]:
        """Return what each of them said when it was filed, after what exact duplicates share; not of erased ones."""
        found: dict[str, tuple[str | None, Told]] = {}
        for event in self._parts.personal.history(*objections):
            body = event.body
            if isinstance(body, ObjectionTold) and body.objection not in found:
                found[body.objection] = (body.beside, self._read(event, body))
        return found

    def holding(self, objections: Sequence[str], text: str) -> set[str]:
        """Return those of which something that was said holds a text, in any case of letters."""
        found: set[str] = set()
        for start in range(0, len(objections), _READ_AT_ONCE):
            for event in self._parts.personal.history(*objections[start : start + _READ_AT_ONCE]):
                if isinstance(event.body, ObjectionTold) and event.body.objection not in found:
                    said = self._read(event, event.body).words.values()
                    if any(text in each.casefold() for each in said if isinstance(each, str)):
                        found.add(event.body.objection)
        return found

    def alike(self, objection: str) -> list[str]:
        """Return the other objections that say exactly the same, oldest first."""
        beside = self.fingerprint_of(objection)
        return [] if beside is None else [each for each in self._parts.personal.alike(beside) if each != objection]

    def fingerprint_of(self, objection: str) -> str | None:
        """Return what exact duplicates share; None once it is erased."""
        events = (event.body for event in self._parts.personal.history(objection))
        first = next(events, None)
        return first.beside if isinstance(first, ObjectionTold) else None

    def say(
        self, objection: str, say: Callable[[Objection], Sequence[tuple[Body, ...]]], *, also: Sequence[str] = ()
    ) -> Objection:
        """Say something about an objection while nobody else can say anything, and the same about others.

        Of the others, those are left out that are answered, withdrawn or erased by then.

        Raises:
            NotFoundError: there is none of this id.
            StateError: it cannot be said any more.
        """
        self._desk.present()
        for start in range(0, len(also) + 1, _SAID_AT_ONCE):
            with once_recorded(_IN_PART, anything=start > 0), self._desk.at_head() as session:
                for each in [objection, *also][start : start + _SAID_AT_ONCE]:
                    found = self._known(each)
                    if each == objection or (found.open and not found.erased):
                        self._say(session, found, say(found))
        with once_recorded():
            return self.objection(objection)

    def _say(self, session: SealingSession, found: Objection, said: Sequence[tuple[Body, ...]]) -> None:
        for bodies in said:
            if isinstance(bodies[0], ObjectionBody):
                require_possible(found, bodies[0], at=self._parts.clock())
            session.append(bodies)

    def objection(self, objection: str) -> Objection:
        """Return an objection.

        Raises:
            NotFoundError: there is none of this id.
        """
        with self._desk.lock:
            self._desk.present()
            return self._known(objection)

    def _known(self, objection: str) -> Objection:
        found = self._desk.newest.overseen.objections.get(objection)
        if found is None:
            raise NotFoundError(
                "objection-unknown", "there is no such objection", help="see them: consentry objection list"
            )
        return found

    def _read(self, event: Event, body: ObjectionTold) -> Told:
        opened = self._parts.texts.open(base64.b64decode(body.sealed), about=body.objection)
        words = json.loads(opened)
        return Told(position=event.position, at=event.recorded_at, what=words.pop("what"), words=words)


def for_objector(course: Iterable[Told]) -> list[Told]:
    """Return what the objector may see of what was said."""
    return [each.for_objector() for each in course if each.what not in _HIDDEN]


def require_words(text: str, what: str, *, most: int = MOST_CHARACTERS, required: bool = True) -> str:
    """Return a text without the white space around it.

    Raises:
        InputError: it is missing though it is required, too long, or no text.
    """
    found = text.strip()
    good = len(found) <= most and (bool(found) or not required)
    try:
        found.encode()
    except UnicodeEncodeError:
        good = False
    if not good:
        raise InputError(
            "objection-text",
            f"the {what} is no text of {1 if required else 0} to {most} characters",
            help="shorten it, or fill it in",
        )
    return found
