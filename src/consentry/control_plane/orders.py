"""Suspending: orders, what they would hit, what they hit, and when the last job has stopped.

An order takes effect at its position. Appending it is the COMMIT POINT: a build that seals afterwards sees it at the
head and decides again; a lease that is asked for or renewed afterwards is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any

from consentry.control_plane.barred import barred_json
from consentry.control_plane.desk import Desk
from consentry.control_plane.handouts import Handouts
from consentry.control_plane.hits import Hits
from consentry.control_plane.issue_times import IssueTimes
from consentry.control_plane.issuing import Issuing
from consentry.control_plane.known import Known
from consentry.control_plane.once_recorded import once_recorded
from consentry.control_plane.to_drain import ToDrain
from consentry.control_plane.what_if import WhatIf
from consentry.errors import NotFoundError, names_there_are
from consentry.ledger.case_events import Handle
from consentry.ledger.events import Body
from consentry.ledger.oversight_events import OrderDrained, OrderEnd, OrderEnded, Origin
from consentry.oversight.lease import Lease
from consentry.oversight.order import Order, Scope
from consentry.progress import Progress

_TOLD_S = 3_600
"""For how long it is told that an order was drained."""


class OrderVerbs:
    """Verbs about orders."""

    def __init__(self, desk: Desk, *, hits: Hits, handouts: Handouts) -> None:
        self.desk = desk
        self.hits = hits
        self.handouts = handouts
        self._to_drain = ToDrain()

    @property
    def times(self) -> IssueTimes:
        """When orders were issued, by the boot clock."""
        parts = self.desk.parts
        return IssueTimes(folder=parts.home / "cache" / "issued", boot=parts.boot, uptime=parts.uptime)

    @property
    def issuing(self) -> Issuing:
        """How an order is given, here as anywhere."""
        return Issuing(self.desk, milliseconds=self.desk.parts.milliseconds, times=self.times)

    def suspend(
        self,
        scope: Scope,
        *,
        case: str,
        origin: Origin,
        reference: str,
        by: Handle | None = None,
        along: Callable[[str], Sequence[Body]] | None = None,
    ) -> Order:
        """Put an order in force, remove the tables of the releases that it hits, and return it: see `Issuing.issue`."""
        order = self.issuing.issue(scope, case=case, origin=origin, reference=reference, by=by, along=along)
        return self.settle(order.order)

    def settle(self, name: str) -> Order:
        """Do what follows from an order that was given: tables go, and that nobody reads it is noted. Return it."""
        with once_recorded():
            self.drain()
            order = self.get(name)
            self.handouts.remove()
        return order

    def require(self, scope: Scope, case: str) -> None:
        """Refuse a scope that is none, and what is no name of a case: see `Issuing.require`."""
        self.issuing.require(scope, case)

    def every(self) -> list[Order]:
        """Return all orders, oldest first. While a lease is open that one hits, it is not drained."""
        return self._as_they_stand(self.issuing.every())

    def _as_they_stand(self, orders: list[Order]) -> list[Order]:
        if not self.desk.present().overseen.leases.open() or all(each.drained is None for each in orders):
            return orders
        read = self.hits.still_read()
        return [replace(each, drained=None) if each.order in read else each for each in orders]

    def get(self, name: str) -> Order:
        """Return an order. While a lease is open that it hits, it is not drained.

        Raises:
            NotFoundError: there is none of this name.
        """
        known = self.desk.present().overseen.orders
        found = known.get(name)
        if found is None:
            there = [each.order for each in known]
            raise NotFoundError(
                "order-unknown",
                f"no order `{name}`",
                help=names_there_are(there, "orders", otherwise="there are none: consentry suspend --help"),
            )
        return self._as_they_stand([found])[0]

    def ends(self, names: Iterable[str], how: OrderEnd) -> list[OrderEnded]:
        """Return the events that end orders which hold; the caller appends them, holding the head."""
        known = self.desk.newest.overseen.orders
        held = [order for name in names if (order := known.get(name)) is not None and order.ended is None]
        return [OrderEnded(order=order.order, case=order.case, how=how) for order in held]

    def what_if(self, scope: Scope, *, progress: Progress | None = None) -> dict[str, Any]:
        """Say what an order would hit: items and people by corpus, releases, leases that are read under, models.

        `alike`: orders in force that suspend the very same.
        """
        self.require(scope, "what-if")
        alike = [each.order for each in self.issuing.alike(scope)]
        return {**WhatIf(self.hits, scope, progress=progress).answer(), "alike": alike}

    def foresee(self, leases: Iterable[str] | None = None) -> None:
        """Find out what orders hit of what is read under leases, without the lock: see `Hits.foresee`."""
        self.hits.foresee(leases)

    def barring(self, release: str) -> Order | None:
        """Return an order that bars a release, whatever model is trained: in force, or ended since (`Order.bars`)."""
        return self.hits.barring(release)

    def barred(self, release: str) -> dict[str, Any] | None:
        """Say by which order a release may not be read, whatever model is trained, and why; None if it may."""
        return barred_json(self.hits.barring(release), release)

    def drain(self) -> list[Order]:
        """Note in the ledger which orders nobody reads against any more, and return those that were noted now.

        INVARIANT: the tables of what an order hits are removed before it is noted as drained. After a crash in between
        it is not, and whoever looks next removes them. A held lock would keep those waiting who write a table.
        """
        looked_at: set[str] = set()
        while True:
            self.hits.foresee()
            self._look_back()
            with self.desk.lock:
                done = self._to_note()
                names = {body.order for body in done}
                if names <= looked_at:
                    if done:
                        self.issuing.note_drained(done)
                    known = self.desk.present().overseen.orders
                    return [order for body in done if (order := known.get(body.order)) is not None]
            # What an order hits that was given meanwhile, or that a lease came to, may be a table that stands.
            looked_at |= names
            self.handouts.remove()

    def _look_back(self) -> None:
        """Find out, without the lock, which orders hit what was read under leases that are over, as far as it counts.

        It is let go of after each: of a home with a long history many are to be looked at when it is opened.
        """
        with self.desk.lock:
            waiting = self._perhaps_drained(self.desk.present())
        for order in waiting:
            self._find_out(order)
            with self.desk.lock:
                self._drained(order, self.desk.newest)

    def _find_out(self, order: Order) -> None:
        """Find out whether an order hits what was read under leases that are over. The caller holds no lock."""
        with self.desk.lock:
            unknown = self.hits.unknown_of(order, self.desk.newest)
        for release in unknown:
            self.hits.found_out(order, release)

    def _to_note(self) -> list[OrderDrained]:
        """Return what is to be noted now. The caller holds the lock."""
        present = self.desk.present()
        waiting = self._perhaps_drained(present)
        return [body for order in waiting if (body := self._drained(order, present)) is not None]

    def _perhaps_drained(self, present: Known) -> list[Order]:
        return self._to_drain.found(present.overseen, up_to=present.position - 1)

    def _drained(self, order: Order, present: Known) -> OrderDrained | None:
        """Return what is to be noted of an order. The caller holds the lock."""
        stopped = self.hits.made_to_stop(order, present)
        body = self.issuing.drained(order, stopped)
        if body is None and all(each.ended is not None for each in stopped):
            # What it hit then stays so. Asked again and again, it would keep whoever waits for the lock.
            self._to_drain.looked_back(order, up_to=present.position - 1)
        return body

    def draining(self) -> list[dict[str, Any]]:
        """Say how far it is with each order that hits leases and is not drained, or was within an hour; oldest first.

        `over`: how many of its `leases` have ended.
        """
        since = self.desk.parts.clock() - _TOLD_S
        found = [each for each in self.every() if each.drained is None or each.drained.at >= since]
        waiting = [each for each in found if each.drained is None]
        if waiting:
            self.hits.foresee()
        for order in waiting:
            self._find_out(order)
        with self.desk.lock:
            present = self.desk.present()
            hit = {each.order: self.hits.made_to_stop(each, present) for each in waiting}
        told = [_so_far(each, hit.get(each.order, ())) for each in found]
        return [each for each in told if each["leases"]]

    def made_to_stop(self, order: Order) -> list[Lease]:
        """Return the leases that an order revoked, as they are now."""
        with self.desk.lock:
            return self.hits.made_to_stop(order, self.desk.present())


def _so_far(order: Order, hit: Sequence[Lease]) -> dict[str, Any]:
    """Say how far it is with an order; `hit`: the leases that it made stop, if it is not drained."""
    drained = order.drained
    return {
        "order": order.order,
        "at": order.at,
        "leases": len(hit) if drained is None else drained.leases,
        "over": sum(each.ended is not None for each in hit) if drained is None else drained.leases,
        "drained_at": None if drained is None else drained.at,
        "took_ms": None if drained is None else drained.took_ms,
    }
