"""What a control plane is made of: the protocols of everything around it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from consentry.corpus.people import PeopleIndex
from consentry.corpus.pseudonym import PseudonymKey
from consentry.corpus.sidecar import Identities
from consentry.digests import Digest
from consentry.ledger.events import (
    Pseudonym,
)
from consentry.ledger.store import Ledger, PersonalEvents
from consentry.oversight.objection_form import Form
from consentry.policy.choice import Seconds
from consentry.progress import Progress, Watching, unwatched
from consentry.release import builder, sealed
from consentry.release.present import Cohorts, PeopleTables, Registry
from consentry.transparency.signed_document import Signer


class ObjectStore(Protocol):
    """Documents by digest. When `put` returns the document is durable; `get` checks what it returns."""

    def put(self, content: bytes) -> Digest:
        """Store a document and return its digest."""
        ...

    def get(self, name: Digest) -> bytes:
        """Return a document."""
        ...


class TextSealer(Protocol):
    """Hides what people write from whoever reads the ledger. When `seal` returns, the key that opens it is durable."""

    def seal(self, text: bytes, *, about: str) -> bytes:
        """Encrypt a text; it opens only as one about the same thing."""
        ...

    def open(self, sealed: bytes, *, about: str) -> bytes:
        """Decrypt a text."""
        ...

    def fingerprint(self, content: bytes) -> str:
        """Return 32 hexadecimal digits that equal contents share, and that nobody without the key can compute."""
        ...


class PeopleStore(Registry, PeopleTables, Cohorts, Protocol):
    """Everything about people: seats, tables, cohorts. See the three protocols."""

    def load_people(self, path: Path, *, batches: Iterable[Any] | None, progress: Progress | None) -> Any:
        """Read a people table, from Arrow batches if given, and return a report with `snapshot` and `rows`."""
        ...

    def store_cohort(self, people: Sequence[Pseudonym]) -> Digest:
        """Store a list of people."""
        ...

    def close(self, people: Sequence[Pseudonym], *, linked: Iterable[tuple[int, ...]] = ()) -> None:
        """Close the seats of these people, durably, and know again them and which seats are one person's."""
        ...

    def forget(self, people: Sequence[Pseudonym]) -> None:
        """Delete what leads from these people's ids to their seats."""
        ...


class Pseudonymiser(Protocol):
    """Turns raw ids into what is stored of them."""

    def person(self, person: str) -> Pseudonym:
        """Return the pseudonym of a person id."""
        ...

    def item(self, corpus: str, item: str) -> Pseudonym:
        """Return the pseudonym of an item id of a corpus."""
        ...

    def identities(self, corpus: str, *, seating: bool = True) -> Identities:
        """Return what turns whole columns of ids of a corpus into seats and keys; not `seating`: without new seats."""
        ...

    def lookup(self) -> tuple[PeopleIndex, PseudonymKey]:
        """Return what turns ids of people into seats, one by one or in columns, without giving any."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What a control plane is made of. `bootstrap` puts it together."""

    home: Path
    ledger: Ledger
    personal: PersonalEvents
    objects: ObjectStore
    people: PeopleStore
    pseudonyms: Pseudonymiser
    texts: TextSealer
    runner: builder.Runner
    signer: Signer
    cache_key: bytes
    """Marks what is kept in `cache/` and decides, so that nothing that somebody else put there is believed."""
    ledger_id: str
    """By which id the ledger is known, wherever it is kept."""
    check_signature: sealed.CheckSignature
    objection_form: Callable[[], Form | None]
    """The form for objections as a server shows it now, None if none does. It asks that server: hold no lock."""
    clock: Callable[[], Seconds]
    milliseconds: Callable[[], int]
    """The same clock, finer."""
    uptime: Callable[[], float]
    """Seconds since the machine was booted, sleep included: nobody sets it."""
    boot: str
    """Which start of which machine those seconds count from: equal in processes that share the clock."""
    watching: Watching = unwatched
    """Who watches what may take long and was not asked for by itself, such as reading the ledger."""
