"""What becomes of an objection: that it came, who looks at it, how it was answered.

* The **open** events hold no word of anybody's: the random id of the objection, what it is about, a staff handle.
* What was written stands right behind the event it belongs to, in `ObjectionTold`: a personal event, so that a log
  made of the ledger holds a commitment of it only, and encrypted, so that the tables do not hold it in plain either.
* `ItemsExcluded` is what an objection does to content whose owner did not object. It names items by pseudonym and
  nobody else, so a log holds a commitment of it only, and no erasure of a person or an objection takes it away.

An id of an objection looks like a pseudonym: 32 lower-case hexadecimal digits.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar

from consentry.ledger.case_events import Handle
from consentry.ledger.plain_body import PlainBody
from consentry.policy.vocabulary import Purpose


class LawfulGround(StrEnum):
    """Why an objection may be declined. There is no other reason."""

    MANIFESTLY_UNFOUNDED = "manifestly-unfounded"
    """GDPR Art. 12(5): it plainly is no objection, such as advertising."""
    EXCESSIVE = "excessive"
    """GDPR Art. 12(5): the same again and again, which was answered."""
    NOT_IDENTIFIABLE = "not-identifiable"
    """GDPR Art. 11(2), 12(2): nobody can tell whose content it is about, though more was asked."""
    COMPELLING_GROUNDS = "compelling-grounds"
    """GDPR Art. 21(1): compelling legitimate grounds that override the objector's interests."""
    LEGAL_CLAIMS = "legal-claims"
    """GDPR Art. 21(1): the content is needed for legal claims."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectionReceived(PlainBody):
    """Somebody objects. What they wrote stands behind it. `by` is who typed it in for them, None: they did."""

    KIND: ClassVar[str] = "objection.received"

    objection: str
    purpose: Purpose
    form: int
    """The version of the form they were shown."""
    by: Handle | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectionTaken(PlainBody):
    """A member of staff looks at it."""

    KIND: ClassVar[str] = "objection.taken"

    objection: str
    by: Handle


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectionAsked(PlainBody):
    """The objector is asked for more; the question stands behind it."""

    KIND: ClassVar[str] = "objection.asked"

    objection: str
    by: Handle


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectionHeard(PlainBody):
    """The objector added a message, which stands behind it."""

    KIND: ClassVar[str] = "objection.heard"

    objection: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectionExtended(PlainBody):
    """The answer will take `months` longer; the reason, which the objector sees, stands behind it."""

    KIND: ClassVar[str] = "objection.extended"

    objection: str
    months: int
    by: Handle


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectionMatched(PlainBody):
    """It was found whose content, or which, is meant. The refusals stand behind it; this says how many."""

    KIND: ClassVar[str] = "objection.matched"

    objection: str
    people: int
    items: int
    by: Handle


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectionNotFound(PlainBody):
    """Nothing was found; what was tried stands behind it."""

    KIND: ClassVar[str] = "objection.not-found"

    objection: str
    by: Handle


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectionDeclined(PlainBody):
    """It is not followed, on a lawful ground; the explanation stands behind it."""

    KIND: ClassVar[str] = "objection.declined"

    objection: str
    ground: LawfulGround
    by: Handle


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectionWithdrawn(PlainBody):
    """The objector took it back."""

    KIND: ClassVar[str] = "objection.withdrawn"

    objection: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectionNoted(PlainBody):
    """A member of staff wrote something down for the others; the note stands behind it."""

    KIND: ClassVar[str] = "objection.noted"

    objection: str
    by: Handle


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectionErased(PlainBody):
    """All that was written about it, `texts` events, is gone."""

    KIND: ClassVar[str] = "objection.erased"

    objection: str
    texts: int
    by: Handle


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectionTold(PlainBody):
    """What was written, encrypted (base64). `beside` is what else it can be found by, and is erased with.

    That is a keyed fingerprint of what was filed, which exact duplicates share, or the person it was matched to.
    """

    KIND: ClassVar[str] = "objection.told"
    PERSONAL: ClassVar[bool] = True

    objection: str
    beside: str | None
    sealed: str

    @property
    def people(self) -> tuple[str, ...]:
        """What leads to this event."""
        return (self.objection,) if self.beside is None else (self.objection, self.beside)


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemsExcluded(PlainBody):
    """These items, by pseudonym, are not used for a purpose, whoever owns them, because of an objection."""

    KIND: ClassVar[str] = "items.excluded"
    PERSONAL: ClassVar[bool] = True

    objection: str
    purpose: Purpose
    items: tuple[str, ...]

    @property
    def people(self) -> tuple[str, ...]:
        """Everybody this event names: nobody."""
        return ()


ObjectionBody = (
    ObjectionReceived
    | ObjectionTaken
    | ObjectionAsked
    | ObjectionHeard
    | ObjectionExtended
    | ObjectionMatched
    | ObjectionNotFound
    | ObjectionDeclined
    | ObjectionWithdrawn
    | ObjectionNoted
    | ObjectionErased
)
OBJECTIONS = (
    ObjectionReceived,
    ObjectionTaken,
    ObjectionAsked,
    ObjectionHeard,
    ObjectionExtended,
    ObjectionMatched,
    ObjectionNotFound,
    ObjectionDeclined,
    ObjectionWithdrawn,
    ObjectionNoted,
    ObjectionErased,
)
"""Open, and about nobody's choices: what an objection does to them stands in events of its own."""
