"""Under which orders and rules choices are offered now, for pages that are open: looked up once for all who wait."""

from __future__ import annotations

import asyncio

from consentry.control_plane.plane import ControlPlane
from consentry.digests import digest_json
from consentry.service.verbs import Verbs

PACE_S = 0.3


def offered_by(control: ControlPlane) -> str:
    """Return a word for the orders in force and the policy sets: another one if either is another."""
    desk = control.desk
    with desk.lock:
        present = desk.present()
        orders = [each.position for each in present.overseen.orders.in_force()]
        policies = [each.position for each in present.state.policies]
    return digest_json({"orders": orders, "policies": policies})


class Offered:
    """Tells everybody who waits the same. All of it runs on the event loop, but for the look itself."""

    def __init__(self, verbs: Verbs) -> None:
        self._verbs = verbs
        self._turn = asyncio.Lock()
        self._known, self._looked_at = "", 0.0

    async def word(self) -> str:
        """Return the word, not older than `PACE_S`."""
        clock = asyncio.get_running_loop().time
        async with self._turn:
            if not self._known or clock() - self._looked_at >= PACE_S:
                self._known, self._looked_at = await self._verbs(offered_by, self._verbs.control), clock()
            return self._known
