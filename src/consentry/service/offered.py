"""Under which orders and rules choices are offered now, for pages that are open: looked up once for all who wait."""

from __future__ import annotations

import asyncio

from consentry.control_plane.plane import ControlPlane
from consentry.digests import digest_json
from consentry.service.verbs import Verbs
from consentry.stages import apart

PACE_S = 0.1


def offered_by(control: ControlPlane) -> str:
    """Return a word for the orders in force and the policy sets: another one if either is another."""
    desk = control.desk
    with desk.lock:
        present = desk.present()
        orders = [each.position for each in present.overseen.orders.in_force()]
        policies = [each.position for each in present.state.policies]
    return digest_json({"orders": orders, "policies": policies})


class Offered:
    """Tells everybody who waits the same. All of it runs on the event loop, but for the look itself.

    INVARIANT: while somebody waits one task looks, and only one. Who waits costs an event of the loop, and no turn.
    """

    def __init__(self, verbs: Verbs) -> None:
        self._verbs = verbs
        self._waiting: dict[asyncio.Future[str], str] = {}
        self._looking: asyncio.Task[None] | None = None

    async def other_than(self, before: str, *, seconds: float) -> str:
        """Return the word as soon as it is another one, or `before` if it still is that after `seconds`.

        Raises:
            ConsentryError: it cannot be looked up.
        """
        told: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._waiting[told] = before
        try:
            if self._looking is None or self._looking.done():
                self._looking = asyncio.create_task(self._look(), context=apart())
            await asyncio.wait({told}, timeout=seconds)
            return told.result() if told.done() else before
        finally:
            del self._waiting[told]

    async def _look(self) -> None:
        while self._waiting:
            try:
                now = await self._verbs(offered_by, self._verbs.control)
            except Exception as error:
                for told in self._waiting:
                    if not told.done():
                        told.set_exception(error)
                return
            for told, before in self._waiting.items():
                if now != before and not told.done():
                    told.set_result(now)
            await asyncio.sleep(PACE_S)
