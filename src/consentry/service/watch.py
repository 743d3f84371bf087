"""The look-out: one task that looks at the head of the ledger again and again, and wakes those who wait for a change.

Two hundred jobs that wait cost two hundred events of the loop, and no thread. Each look ends what was not renewed in
time, notes which orders are drained by that, and compares how it is with every lease that somebody waits for.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from consentry.control_plane.lease_standing import LeaseStanding
from consentry.errors import ConsentryError
from consentry.service.problems import LOG, unforeseen
from consentry.service.verbs import Verbs

PACE_S = 0.06


@dataclass(eq=False, slots=True, kw_only=True)
class _Waiter:
    lease: str
    amendment: int
    told: asyncio.Future[LeaseStanding | None]


class Watch:
    """Looks, and wakes. All of it runs on the event loop, but for `_look`."""

    def __init__(self, verbs: Verbs, *, pace: float = PACE_S) -> None:
        self._verbs = verbs
        self._looker = Verbs(verbs.control, threads=1)
        self._pace = pace
        self._waiters: set[_Waiter] = set()
        self._stopping = False
        self.trouble: ConsentryError | None = None
        """Why the last look failed, if it did."""

    async def run(self) -> None:
        """Look until stopped."""
        while not self._stopping:
            try:
                self._tell(await self._looker(self._look, {waiter.lease for waiter in self._waiters}))
                if self.trouble is not None:
                    LOG.warning("the head of the ledger can be looked at again")
                self.trouble = None
            except ConsentryError as error:
                self._note(error)
            except Exception as error:
                self._note(unforeseen(error))
            await asyncio.sleep(self._pace)

    async def wait(self, lease: str, *, seconds: float, amendment: int) -> LeaseStanding:
        """Return how it is with a lease as soon as its holder has to know, or after `seconds`."""
        waiter = _Waiter(lease=lease, amendment=amendment, told=asyncio.get_running_loop().create_future())
        # First this, then a look of its own: whoever looks from now on looks at this lease as well.
        self._waiters.add(waiter)
        try:
            found = (await self._verbs(self._verbs.control.leases.standings, {lease}))[lease]
            if found.changed(since=amendment) or self._stopping:
                return found
            await asyncio.wait({waiter.told}, timeout=seconds)
            told = waiter.told.result() if waiter.told.done() else None
            return told or found
        finally:
            self._waiters.discard(waiter)

    @property
    def is_stopping(self) -> bool:
        """Whether the server is about to end: whoever tells somebody something goes on no longer."""
        return self._stopping

    def stop(self) -> None:
        """Send everybody away who waits, and look no more."""
        self._stopping = True
        for waiter in self._waiters:
            if not waiter.told.done():
                waiter.told.set_result(None)

    def close(self) -> None:
        """Wait for the last look."""
        self._looker.close()

    def _look(self, leases: Collection[str]) -> dict[str, LeaseStanding]:
        self._verbs.control.leases.expire()
        return self._verbs.control.leases.standings(leases)

    def _tell(self, seen: Mapping[str, LeaseStanding]) -> None:
        for waiter in self._waiters:
            found = seen.get(waiter.lease)
            if found is not None and found.changed(since=waiter.amendment) and not waiter.told.done():
                waiter.told.set_result(found)

    def _note(self, error: ConsentryError) -> None:
        if self.trouble is None or self.trouble.code != error.code:
            LOG.error("the head of the ledger cannot be looked at: %s", error)
        self.trouble = error
