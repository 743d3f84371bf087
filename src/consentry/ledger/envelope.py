"""An event as it is kept: its position, its document, its salt, and what of it reaches the log.

Rules:

* The *document* of an event is canonical JSON `{"at", "body", "type", "v"}`: when it was recorded, what was said, its
  kind and the version of that kind. These bytes are written once and never derived again.
* The log entry of an **open** event is its document.
* The log entry of a **personal** event is only a commitment to the document under a random salt of 32 bytes. Deleting
  salt and document erases the event; the log entry stays what it was, so a log fed in position order never changes.
* A kind or version this code does not know was written by newer code and is refused, not skipped: a skipped refusal
  would be a use without permission.
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, field, fields
from typing import NamedTuple

from consentry.digests import canonical_json, commitment, raw_digest
from consentry.errors import IntegrityError
from consentry.ledger.events import BODIES, Body, PersonalBody, Pseudonym, pseudonyms
from consentry.policy.choice import Seconds

SALT_BYTES = 32
_FIELDS: dict[type[Body], frozenset[str]] = {
    body: frozenset(each.name for each in fields(body)) for body in BODIES.values()
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """An event before it has a position. `commitment` of an open event is the plain SHA-256 of its document."""

    body: Body = field(repr=False)
    recorded_at: Seconds
    document: bytes = field(repr=False)
    commitment: bytes
    salt: bytes | None = field(repr=False)
    people: tuple[Pseudonym, ...] = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """An event at its position. `salt`, `document` and `body` of a personal event are None once it is erased."""

    position: int
    recorded_at: Seconds
    kind: str
    version: int
    commitment: bytes
    personal: bool
    # Not in `repr`: what stands in a log cannot be erased.
    salt: bytes | None = field(repr=False)
    document: bytes | None = field(repr=False)
    body: Body | None = field(repr=False)

    @property
    def erased(self) -> bool:
        """Say whether only the commitment is left."""
        return self.document is None


class Stored(NamedTuple):
    """An event as a store keeps it, before anything about it is believed."""

    position: int
    recorded_at: Seconds
    kind: str
    version: int
    commitment: bytes
    salt: bytes | None
    document: bytes | None


def draft(body: Body, *, recorded_at: Seconds, salt: bytes) -> Draft:
    """Prepare an event for the ledger; `salt` (32 random bytes, never used twice) is used if the event is personal.

    Raises:
        ChoiceError: a personal event names somebody other than by pseudonym, or links a person to itself.
    """
    document = canonical_json({"at": recorded_at, "body": body.to_json(), "type": body.KIND, "v": body.VERSION})
    if isinstance(body, PersonalBody):
        sealed, kept, people = commitment(salt=salt, document=document), salt, pseudonyms(body.people)
    else:
        sealed, kept, people = raw_digest(document), None, ()
    return Draft(body=body, recorded_at=recorded_at, document=document, commitment=sealed, salt=kept, people=people)


def restore(stored: Stored) -> Event:
    """Check an event read back from a store against its commitment, and parse it.

    Raises:
        IntegrityError: a kind or version this code does not know, a missing document, or changed bytes.
    """
    known = BODIES.get((stored.kind, stored.version))
    if known is None:
        raise IntegrityError(
            "ledger-event-unknown",
            f"event {stored.position} is `{stored.kind}` version {stored.version}, which this version does not know",
            help="a newer Consentry wrote it: upgrade before you read this ledger",
        )
    _check_bytes(stored, personal=known.PERSONAL)
    return Event(
        position=stored.position,
        recorded_at=stored.recorded_at,
        kind=stored.kind,
        version=stored.version,
        commitment=stored.commitment,
        personal=known.PERSONAL,
        salt=stored.salt,
        document=stored.document,
        body=None if stored.document is None else _parse(stored, known),
    )


def log_entry(event: Event) -> bytes:
    """Return what a transparency log holds for `event`: the same bytes before and after erasure."""
    if event.personal:
        sealed = base64.b64encode(event.commitment).decode("ascii")
        return canonical_json({"c": sealed, "type": "c", "v": 1})
    assert event.document is not None, "an open event always has its document"
    return event.document


def _check_bytes(stored: Stored, *, personal: bool) -> None:
    if stored.document is None and stored.salt is None and personal:
        return
    whole = stored.document is not None and (stored.salt is not None) == personal
    if whole and stored.document is not None:
        document, salt = stored.document, stored.salt
        found = raw_digest(document) if salt is None else commitment(salt=salt, document=document)
        if found == stored.commitment:
            return
    raise IntegrityError(
        "ledger-event-changed",
        f"event {stored.position} is not what was recorded: its bytes do not match its commitment",
        help="restore the ledger from a backup, and find out who can write to it",
    )


def _parse(stored: Stored, known: type[Body]) -> Body:
    try:
        # Decoded here: what is given bytes looks first which of five encodings they are in.
        whole = json.loads((stored.document or b"").decode())
        body = whole["body"]
        expected = (stored.recorded_at, stored.kind, stored.version)
        if (whole["at"], whole["type"], whole["v"]) == expected and body.keys() == _FIELDS[known]:
            return known.from_json(body)
    except (AttributeError, KeyError, TypeError, ValueError):
        pass
    raise IntegrityError(
        "ledger-event-malformed",
        f"event {stored.position} is no `{stored.kind}` of version {stored.version}",
        help="restore the ledger from a backup, and find out who can write to it",
    )
