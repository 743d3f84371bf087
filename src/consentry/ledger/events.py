"""What can be said, in which words: the closed, versioned set of events.

Rules:

* An **open** event is about no single person; it names files, notices and cohorts by digest.
* A **personal** event names a person by pseudonym, never by id. What objectors wrote is encrypted as well.
* A version of a kind never changes its fields. A new field is a new version beside the old one.
* `person.erased` names nobody: it keeps a token that recognises a pseudonym without holding it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, ClassVar

from consentry.digests import Digest, digest
from consentry.errors import ChoiceError
from consentry.ledger.case_events import CASES, CaseBody, Handle
from consentry.ledger.lineage_events import LINEAGE, LineageBody
from consentry.ledger.look_up_events import PersonLookedUp
from consentry.ledger.objection_events import OBJECTIONS, ItemsExcluded, ObjectionBody, ObjectionTold
from consentry.ledger.oversight_events import OVERSIGHT, OversightBody
from consentry.ledger.plain_body import PlainBody
from consentry.ledger.proposal_events import PROPOSALS, ProposalBody
from consentry.ledger.release_events import RELEASES, ReleaseBody
from consentry.ledger.statement_events import STATEMENTS, StatementBody
from consentry.policy.choice import Choice, Seconds, as_date
from consentry.policy.vocabulary import Category, ChoiceState, Purpose, Reach

Pseudonym = str
"""32 lower-case hexadecimal digits: a keyed stand-in for an id, meaningless without the key."""

_PSEUDONYM = re.compile(r"[0-9a-f]{32}")


class Source(StrEnum):
    """How a choice reached us."""

    SETTINGS = "settings"
    FORM = "form"
    IMPORT = "import"
    SIGNAL = "signal"
    """A browser or device signal, such as Global Privacy Control."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyPublished:
    """A policy set is in force from here on."""

    KIND: ClassVar[str] = "policy.published"
    VERSION: ClassVar[int] = 1
    PERSONAL: ClassVar[bool] = False

    name: str
    version: str
    digest: Digest

    def to_json(self) -> dict[str, Any]:
        """Return the body in the words of the log."""
        return {"digest": self.digest, "name": self.name, "version": self.version}

    @classmethod
    def from_json(cls, body: dict[str, Any]) -> PolicyPublished:
        """Read a body written by `to_json`."""
        return cls(name=body["name"], version=body["version"], digest=body["digest"])


@dataclass(frozen=True, slots=True, kw_only=True)
class CorpusRegistered:
    """A corpus is known, as the snapshot (descriptor and files) with this digest."""

    KIND: ClassVar[str] = "corpus.registered"
    VERSION: ClassVar[int] = 1
    PERSONAL: ClassVar[bool] = False

    name: str
    snapshot: Digest

    def to_json(self) -> dict[str, Any]:
        """Return the body in the words of the log."""
        return {"name": self.name, "snapshot": self.snapshot}

    @classmethod
    def from_json(cls, body: dict[str, Any]) -> CorpusRegistered:
        """Read a body written by `to_json`."""
        return cls(name=body["name"], snapshot=body["snapshot"])


@dataclass(frozen=True, slots=True, kw_only=True)
class PeopleLoaded:
    """The people table is the snapshot with this digest, of this many rows."""

    KIND: ClassVar[str] = "people.loaded"
    VERSION: ClassVar[int] = 1
    PERSONAL: ClassVar[bool] = False

    snapshot: Digest
    rows: int

    def to_json(self) -> dict[str, Any]:
        """Return the body in the words of the log."""
        return {"rows": self.rows, "snapshot": self.snapshot}

    @classmethod
    def from_json(cls, body: dict[str, Any]) -> PeopleLoaded:
        """Read a body written by `to_json`."""
        return cls(snapshot=body["snapshot"], rows=body["rows"])


@dataclass(frozen=True, slots=True, kw_only=True)
class NoticeServed:
    """Many people were told something at `at`. `cohort` is the digest of the stored list of their pseudonyms."""

    KIND: ClassVar[str] = "notice.served"
    VERSION: ClassVar[int] = 1
    PERSONAL: ClassVar[bool] = False

    notice: str
    at: Seconds
    cohort: Digest
    count: int

    def to_json(self) -> dict[str, Any]:
        """Return the body in the words of the log."""
        return {"at": self.at, "cohort": self.cohort, "count": self.count, "notice": self.notice}

    @classmethod
    def from_json(cls, body: dict[str, Any]) -> NoticeServed:
        """Read a body written by `to_json`."""
        return cls(notice=body["notice"], at=body["at"], cohort=body["cohort"], count=body["count"])


@dataclass(frozen=True, slots=True, kw_only=True)
class ChoiceMade:
    """A person made a choice, having seen `notice` (a version of it) or none.

    Where nobody wrote one, `notice` may be the policy set that they read: `name/version/digest`.
    """

    KIND: ClassVar[str] = "choice.made"
    VERSION: ClassVar[int] = 1
    PERSONAL: ClassVar[bool] = True

    person: Pseudonym
    choice: Choice
    source: Source
    notice: str | None = None

    @property
    def people(self) -> tuple[Pseudonym, ...]:
        """Everybody this event names."""
        return (self.person,)

    def to_json(self) -> dict[str, Any]:
        """Return the body in the words of the log."""
        choice = self.choice
        return {
            "choice": {
                "at": choice.at,
                "categories": sorted(choice.categories),
                "items": [_pseudonym(item) for item in sorted(choice.items)],
                "purpose": choice.purpose,
                "reach": choice.reach,
                "state": choice.state,
            },
            "notice": self.notice,
            "person": _pseudonym(self.person),
            "source": self.source,
        }

    @classmethod
    def from_json(cls, body: dict[str, Any]) -> ChoiceMade:
        """Read a body written by `to_json`."""
        said = body["choice"]
        choice = Choice(
            purpose=Purpose(said["purpose"]),
            state=ChoiceState(said["state"]),
            reach=Reach(said["reach"]),
            at=said["at"],
            categories=frozenset(Category(word) for word in said["categories"]) if said["categories"] else frozenset(),
            items=frozenset(said["items"]),
        )
        return cls(person=body["person"], choice=choice, source=Source(body["source"]), notice=body["notice"])


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonLinked:
    """Two ids belong to one person: what one of them refused, both refused."""

    KIND: ClassVar[str] = "person.linked"
    VERSION: ClassVar[int] = 1
    PERSONAL: ClassVar[bool] = True

    person: Pseudonym
    same_as: Pseudonym

    @property
    def people(self) -> tuple[Pseudonym, ...]:
        """Everybody this event names."""
        return (self.person, self.same_as)

    def to_json(self) -> dict[str, Any]:
        """Return the body in the words of the log."""
        if self.person == self.same_as:
            raise ChoiceError(
                "choice-link-to-self",
                "both ids are of the same account: nobody is linked to themselves",
                help="name two different accounts of one person: consentry people link PERSON OTHER",
            )
        return {"person": _pseudonym(self.person), "same_as": _pseudonym(self.same_as)}

    @classmethod
    def from_json(cls, body: dict[str, Any]) -> PersonLinked:
        """Read a body written by `to_json`."""
        return cls(person=body["person"], same_as=body["same_as"])


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonErased:
    """A person's earlier events, `events` of them, were erased. A token stays, by which an id that returns is denied.

    The token is kept (and so is this event's document) because without it erasing a refusal would undo the refusal.
    """

    KIND: ClassVar[str] = "person.erased"
    VERSION: ClassVar[int] = 1
    PERSONAL: ClassVar[bool] = True

    token: str
    events: int

    @property
    def people(self) -> tuple[Pseudonym, ...]:
        """Everybody this event names: nobody."""
        return ()

    def to_json(self) -> dict[str, Any]:
        """Return the body in the words of the log."""
        return {"events": self.events, "token": self.token}

    @classmethod
    def from_json(cls, body: dict[str, Any]) -> PersonErased:
        """Read a body written by `to_json`."""
        return cls(token=body["token"], events=body["events"])


@dataclass(frozen=True, slots=True, kw_only=True)
class EventLost(PlainBody):
    """What stood at this position was acknowledged and is lost; somebody goes on with an older copy of the ledger.

    Nothing else ever takes the position: it is the fence of a lease, or in somebody's receipt.
    """

    KIND: ClassVar[str] = "ledger.event-lost"

    reference: str
    by: Handle


OpenBody = (
    PolicyPublished
    | CorpusRegistered
    | PeopleLoaded
    | NoticeServed
    | ReleaseBody
    | OversightBody
    | CaseBody
    | LineageBody
    | ObjectionBody
    | StatementBody
    | ProposalBody
    | EventLost
)
PersonalBody = ChoiceMade | PersonLinked | PersonErased | ObjectionTold | ItemsExcluded | PersonLookedUp
Body = OpenBody | PersonalBody

OVERSEEN = (*OVERSIGHT, *CASES, *LINEAGE, *OBJECTIONS, *STATEMENTS, *PROPOSALS)
"""What is about orders, leases, cases, amendments, models, objections, authorities and proposals: open."""

CHANGES_NO_STATE = (*OVERSEEN, ObjectionTold, PersonLookedUp, EventLost)
"""What the fold of `state` passes over."""

BODIES: dict[tuple[str, int], type[Body]] = {
    (body.KIND, body.VERSION): body
    for body in (
        PolicyPublished,
        CorpusRegistered,
        PeopleLoaded,
        NoticeServed,
        *RELEASES,
        ChoiceMade,
        PersonLinked,
        PersonErased,
        ItemsExcluded,
        *CHANGES_NO_STATE,
    )
}
"""Every kind and version there is."""


def suppression_token(person: Pseudonym) -> str:
    """Return the token that stays when `person` is erased: it recognises the pseudonym, but does not hold it."""
    return digest(b"consentry/suppression/v1\x00" + person.encode("ascii")).removeprefix("sha256:")


def pseudonyms(people: Iterable[Pseudonym]) -> tuple[Pseudonym, ...]:
    """Return `people` without repetition, in order, each checked to be a pseudonym."""
    return tuple(dict.fromkeys(_pseudonym(person) for person in people))


def _pseudonym(value: str) -> Pseudonym:
    if _PSEUDONYM.fullmatch(value) is None:
        raise ChoiceError(
            "choice-not-a-pseudonym",
            f"`{value}` is not a pseudonym",
            help="the ledger takes keyed pseudonyms (32 hexadecimal digits) only: never a raw id",
        )
    return value


def made_too_late(at: Seconds, *, where: str | None = None) -> ChoiceError:
    """Return the error for a choice that says it was made at a time to come."""
    return ChoiceError(
        "choice-time-to-come",
        f"a choice says it was made at `{as_date(at)}`, which has not come",
        help="give the time it was made at, with its zone; is the clock right?",
        where=where,
    )
