"""What a ledger promises, whatever it is kept in. The rest of Consentry sees these protocols, never an adapter.

    with ledger.sealing() as session:                    # nobody else can append now
        state = fold(prepared, session.read_delta(prepared.position))
        session.append([ReleaseSealed(..., position=session.position)])

Rules:

* Events are in one total order, without a gap, from position 0.
* An event that was acknowledged is durable, and is seen by everybody who asks afterwards.
* A release sealed at position j covers exactly the events [0, j): between reading the delta and sealing nobody appends.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from consentry.ledger.case_events import Handle
from consentry.ledger.envelope import Event
from consentry.ledger.events import Body, Pseudonym

Check = Callable[[], None]
"""Reads what stands, quickly, and raises if something is not to be appended behind it."""


def no_check() -> None:
    """Let anything stand before what is appended."""


class SealingSession(Protocol):
    """The head of the ledger, held by one. What is appended becomes visible to others when the block is left."""

    @property
    def position(self) -> int:
        """The position of the next event: the number of events there are, those of this session included."""
        ...

    def read_delta(self, since: int) -> Iterator[Event]:
        """Read the events [`since`, `position`). Nothing can be added to them while the session is open."""
        ...

    def append(self, bodies: Sequence[Body]) -> range:
        """Append and return the positions given. Not acknowledged, not durable before the block is left."""
        ...


class LedgerReader(Protocol):
    """What was said, in order, for whoever reads it: only durable events, and all acknowledged before the call."""

    def read(
        self,
        start: int = 0,
        stop: int | None = None,
        *,
        only_open: bool = False,
        consumed: bool = True,
        beside: Collection[str] = (),
    ) -> Iterator[Event]:
        """Read the events [`start`, `stop`), each checked against its commitment; without `stop` up to the head.

        With `only_open`, leave out those that are about single people: of millions, they are all but a few. Those of
        the kinds in `beside` are read all the same; no index leads to them, so all events are gone through once.

        Of the open events nearly all are what jobs report as consumed: with `consumed` false those are left out too.
        """
        ...

    def at(self, positions: Sequence[int]) -> Iterator[Event]:
        """Read the events at some positions, which ascend, each checked against its commitment.

        Raises:
            IntegrityError: there is none at one of them.
        """
        ...

    def head(self) -> int:
        """Return the number of events, which is the position of the next one."""
        ...

    def glance(self) -> int | None:
        """Return what `head` would, if that takes microseconds; None: it would mean to wait, so ask `head`."""
        ...


class Ledger(LedgerReader, Protocol):
    """What was said, and where more is said: the durability contract.

    * When `append` returns, its events are durable, gapless and in the order given, at the positions returned.
    * When it raises `ConflictError`, `InputError` or `UnavailableError` with code `ledger-unavailable`, none of them is
      in the ledger. With code `ledger-outcome-unknown` all of them are or none is: read, then decide.
    * Leaving a `sealing` block normally is an `append` of all that was appended in it. Leaving it by an exception
      leaves no trace.
    * After a crash at any point the next start finds every acknowledged event and no gap.
    """

    def append(self, bodies: Sequence[Body], *, check: Check = no_check) -> range:
        """Append all or nothing. Who must know what stands before asks for the head: `sealing`.

        Or has others append in the same commit, and a `check`: it is called while the head is held, on any thread. If
        it raises a `ConsentryError`, that is raised, and none of these events is in the ledger.
        """
        ...

    def sealing(self) -> AbstractContextManager[SealingSession]:
        """Hold the head: everybody else's `append` waits until the block is left. Keep it short."""
        ...


class PersonalEvents(Protocol):
    """What concerns single people.

    When `erase` returns, salts and documents of everything that names these people are durably gone from the tables,
    and one `person.erased` stands for each of them. The commitments stay, so no position and no log entry changes.
    Copies outside the ledger (backups, kept states) are the caller's to delete.
    """

    def history(self, *people: Pseudonym) -> Iterator[Event]:
        """Read every event that names one of `people`, a thousand at most, oldest first. Erased events no longer do."""
        ...

    def erase(self, people: Collection[Pseudonym]) -> range:
        """Erase what names any of `people`. Give all ids of a person at once: what one of them refused held for all."""
        ...

    def forget(self, objections: Collection[str], *, by: Handle) -> range:
        """Erase what was written about `objections`; one `objection.erased` stands for each of them."""
        ...

    def alike(self, beside: str) -> Sequence[str]:
        """Return the ids of the objections of which something is kept beside this, oldest first, each once."""
        ...
