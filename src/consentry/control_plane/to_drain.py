"""Which orders have to be looked at, as nobody may read any more what they hit."""

from __future__ import annotations

from consentry.oversight.order import Order
from consentry.oversight.overseen import Overseen


class ToDrain:
    """The orders that were not noted as drained, or that leases hit which have ended since, or may have.

    INVARIANT: an order becomes one of them by being issued, and once more by the end of a lease that names it, or that
    may have been hit by any. Of a long history only those that something was said of since are asked about, so that the
    look-out costs nothing where nothing happens. Not for several threads at a time: the caller holds the lock.
    """

    def __init__(self) -> None:
        self._perhaps: set[str] = set()
        self._position = -1
        """Up to here everything that makes an order one of them was taken in."""
        self._looked_back: dict[str, int] = {}
        """By order: up to which position leases ended of which it is known that none counts that does not yet."""

    def found(self, overseen: Overseen, *, up_to: int) -> list[Order]:
        """Return them, oldest first, by what oversight knows `up_to` a position."""
        self._take_in(overseen, up_to=up_to)
        known = (order for name in self._perhaps if (order := overseen.orders.get(name)) is not None)
        found = [order for order in known if self._waits(order, overseen)]
        self._perhaps = {order.order for order in found}
        return sorted(found, key=lambda order: order.position)

    def looked_back(self, order: Order, *, up_to: int) -> None:
        """Note that of the leases that ended up to a position it is known which an order hit."""
        self._looked_back[order.order] = up_to

    def _take_in(self, overseen: Overseen, *, up_to: int) -> None:
        self._perhaps.update(order.order for order in overseen.orders.after(self._position))
        for lease in overseen.leases.ended_after(self._position):
            if lease.ended is not None:
                self._perhaps.update(lease.ended.orders)
                if lease.ended.one_named:
                    self._perhaps.update(order.order for order in overseen.orders)
        self._position = max(self._position, up_to)

    def _waits(self, order: Order, overseen: Overseen) -> bool:
        if (drained := order.drained) is None:
            return True
        if overseen.leases.ended_since(drained.position, by=order.order):
            return True
        since = max(drained.position, self._looked_back.get(order.order, 0))
        return any(overseen.perhaps_ended_by(order, since=since))
