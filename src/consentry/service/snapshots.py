"""Snapshots of what people allow, held so that a decision takes microseconds, and never older than the ledger's head.

Whoever asks is answered from a snapshot whose position is the head that was read *after* they asked: what was
acknowledged to anybody before counts. Those who ask at the same time share one look at the head, and one refresh.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from consentry.control_plane.plane import ControlPlane
from consentry.policy.evaluator import Decision
from consentry.policy.expressions import Rule
from consentry.policy.policy_set import PolicySet
from consentry.policy.vocabulary import Purpose
from consentry.release.snapshot import Snapshot
from consentry.service.verbs import Verbs


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Held:
    """A snapshot for one purpose with what is needed to put its answers into words.

    Attributes:
        at: the second it is as of. One of another second is taken anew: days of notices and dates of rules run out.
        written: answers that were written before, by decision.
    """

    snapshot: Snapshot
    policy: PolicySet
    rules: tuple[Rule, ...]
    written: dict[Decision, bytes] = field(default_factory=dict)


@dataclass(slots=True, eq=False)
class _Turn:
    """One at a time takes a snapshot; `wanted` counts who does, or waits to."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    wanted: int = 0


class Snapshots:
    """Holds one snapshot for each policy set and purpose that was asked about. All of it runs on the event loop."""

    def __init__(self, verbs: Verbs) -> None:
        self._verbs = verbs
        self._held: dict[tuple[str, Purpose], Held] = {}
        self._turns: dict[tuple[str, Purpose], _Turn] = {}
        self._looking = asyncio.Lock()
        self._next_look: asyncio.Task[tuple[int, int]] | None = None

    async def current(self, policy: str, purpose: Purpose) -> Held:
        """Return a snapshot that knows all that was acknowledged before this call.

        Args:
            policy: the name of a policy set; empty: the one that decides about the purpose.
            purpose: what it can be asked about.

        Raises:
            NotFoundError: no such policy set is in force.
            InputError: none was named, and none decides about the purpose.
        """
        head, at = await self._look()
        found = self._held.get((policy, purpose))
        if found is not None and _is_good(found, head, at):
            return found
        async with self._turn((policy, purpose)):
            # Whoever waited for this turn may find what the one before has just taken.
            found = self._held.get((policy, purpose))
            if found is None or not _is_good(found, head, at):
                found = self._held[policy, purpose] = await self._verbs(self._take, policy, purpose, found)
            return found

    @asynccontextmanager
    async def _turn(self, asked: tuple[str, Purpose]) -> AsyncIterator[None]:
        """Wait for the turn of what is asked about. It is forgotten with the last who waits: names are anybody's."""
        turn = self._turns.setdefault(asked, _Turn())
        turn.wanted += 1
        try:
            async with turn.lock:
                yield
        finally:
            turn.wanted -= 1
            if not turn.wanted:
                del self._turns[asked]

    async def _look(self) -> tuple[int, int]:
        """Return the head and the time, both read after this call began."""
        parts = self._verbs.control.desk.parts
        head = parts.ledger.glance()
        if head is not None:
            return head, parts.clock()
        if self._next_look is None:
            self._next_look = asyncio.create_task(self._read())
        return await asyncio.shield(self._next_look)

    async def _read(self) -> tuple[int, int]:
        async with self._looking:
            # From here on it is under way: whoever asks now needs another one.
            self._next_look = None
            return await self._verbs(_head, self._verbs.control)

    def _take(self, policy: str, purpose: Purpose, last: Held | None) -> Held:
        control = self._verbs.control
        like = None if last is None else last.snapshot
        document, taken = control.people.taken(policy or None, [purpose], like=like)
        return Held(snapshot=taken, policy=document, rules=taken.rules(purpose))


def _is_good(held: Held, head: int, at: int) -> bool:
    return held.snapshot.position >= head and held.snapshot.at >= at


def _head(control: ControlPlane) -> tuple[int, int]:
    return control.desk.parts.ledger.head(), control.desk.parts.clock()
