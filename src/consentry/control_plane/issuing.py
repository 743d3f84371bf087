"""Giving an order: what is checked, and what is said in the one append that puts it in force.

It takes what oversight knows, and nobody's choices. So it is done in the same way with a whole deployment open
(`orders.py`), and with its ledger alone (`order_desk.py`), where nobody waits until millions of people are read in.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

from consentry.control_plane.issue_times import IssueTimes
from consentry.control_plane.once_recorded import once_recorded
from consentry.control_plane.table_folder import is_empty
from consentry.control_plane.wording import require_handle, require_name, require_texts
from consentry.errors import InputError
from consentry.ledger.case_events import CaseEnd, CaseOpened, Handle
from consentry.ledger.events import Body
from consentry.ledger.oversight_events import LeaseEnd, OrderDrained, Origin
from consentry.ledger.store import SealingSession
from consentry.oversight.lease import Lease
from consentry.oversight.order import Order, Scope, in_words, issue, unknown_models
from consentry.oversight.overseen import Overseen


class Overseeing(Protocol):
    """What is known at a position; of all of it, what oversight knows."""

    @property
    def overseen(self) -> Overseen:
        """The orders, cases, leases and models."""
        ...


class Place(Protocol):
    """Where orders are given: what is known, and the head of the ledger.

    What is appended at the head is durable when the block is left; left by an exception, nothing was said.
    """

    @property
    def newest(self) -> Overseeing:
        """What was known when somebody asked last."""
        ...

    def present(self) -> Overseeing:
        """Return what is known now, advanced to the head of the ledger."""
        ...

    def at_head(self) -> AbstractContextManager[SealingSession]:
        """Hold the head of the ledger, with `newest` advanced to it: nobody else says anything."""
        ...

    def write_down(self, position: int) -> None:
        """Write down outside of the ledger what oversight said last, once it is durable: an older copy is noticed."""
        ...


class Issuing:
    """Gives orders at a place.

    Args:
        place: where.
        milliseconds: the time of day.
        times: when orders were issued, by the boot clock.
    """

    def __init__(self, place: Place, *, milliseconds: Callable[[], int], times: IssueTimes) -> None:
        self.place = place
        self.times = times
        self._milliseconds = milliseconds

    def issue(
        self,
        scope: Scope,
        *,
        case: str,
        origin: Origin,
        reference: str,
        by: Handle | None = None,
        along: Callable[[str], Sequence[Body]] | None = None,
    ) -> Order:
        """Put an order in force and return it. The append is the COMMIT POINT; what follows from it is not done here.

        `along` returns what is said of it in the same append, by its name.

        Raises:
            PolicyError: an area or a model that is not known here.
            InputError: a window in which nothing can be created, no name for the case, or no line as a reference.
            StateError: the case was lifted or withdrawn.
        """
        if (origin is Origin.AUTHORITY) != (along is not None):
            raise InputError(
                "order-unsigned",
                "only an authority's signed statement makes an order of the authority itself",
                help="record a letter as `authority-request`; a signed statement: docs/authority.md",
            )
        self.require(scope, case)
        _require_said(reference, by)
        with self.place.at_head() as session:
            opening = self._opening(case, scope, reference, by=by)
            number = len(self.place.newest.overseen.orders.of(case)) + 1
            body = issue(
                scope,
                order=f"{case}.{number}",
                case=case,
                origin=origin,
                reference=reference,
                by=by,
                at_ms=self._milliseconds(),
            )
            self.times.note(body.order)
            positions = session.append([*opening, body, *(along(body.order) if along is not None else ())])
        with once_recorded():
            self.place.write_down(positions[-1])
            return self._known(body.order)

    def _opening(self, case: str, scope: Scope, reference: str, *, by: Handle | None) -> list[CaseOpened]:
        """Return what has to be said first if nobody has heard of the case. A prohibited one may still be widened."""
        known = self.place.newest.overseen.cases.get(case)
        if known is None:
            return [CaseOpened(case=case, title=f"suspended: {in_words(scope)}", reference=reference, by=by)]
        if known.over is None or known.over.how is not CaseEnd.PROHIBITED:
            known.require_open()
        return []

    def require(self, scope: Scope, case: str) -> None:
        """Refuse a scope that is none, and what is no name of a case.

        Raises:
            PolicyError: an area or a model that is not known here.
            InputError: a window in which nothing can be created, or no name for the case.
        """
        require_name(case, "case", code="case-name")
        scope.check()
        unknown = unknown_models(scope, self.place.present().overseen.models)
        if unknown is not None:
            raise unknown

    def foretell(self, scope: Scope, *, case: str, reference: str, by: Handle | None = None) -> None:
        """Refuse what `issue` would refuse by what is known now. Nothing is said.

        Raises:
            PolicyError: an area or a model that is not known here.
            InputError: a window in which nothing can be created, no name for the case, or no line as a reference.
            StateError: the case was lifted or withdrawn.
        """
        self.require(scope, case)
        _require_said(reference, by)
        self._opening(case, scope, reference, by=by)

    def every(self) -> list[Order]:
        """Return all orders, oldest first."""
        return list(self.place.present().overseen.orders)

    def alike(self, scope: Scope) -> list[Order]:
        """Return the orders in force that suspend the very same, oldest first, as far as is known now."""
        return [order for order in self.place.newest.overseen.orders.in_force() if order.scope == scope]

    def drained(self, order: Order, hit: Sequence[Lease]) -> OrderDrained | None:
        """Return the event that says how the last who read what an order hits stopped.

        None: somebody still reads, or it was noted and no lease has come to it since.

        `hit`: the leases that it made stop, as they are now.
        """
        if any(lease.ended is None for lease in hit) or not _more(order, len(hit)):
            return None
        how = [lease.ended.how for lease in hit if lease.ended is not None]
        return OrderDrained(
            order=order.order,
            stopped=how.count(LeaseEnd.STOPPED),
            expired=how.count(LeaseEnd.EXPIRED),
            released=how.count(LeaseEnd.RELEASED),
            failed=how.count(LeaseEnd.FAILED),
            took_ms=self.times.since_ms(order.order),
        )

    def note_drained(self, bodies: Sequence[OrderDrained]) -> None:
        """Note orders as drained, but for those that were noted meanwhile. Their tables are gone."""
        with self.place.at_head() as session:
            known = self.place.newest.overseen.orders
            found = ((body, known.get(body.order)) for body in bodies)
            session.append([body for body, order in found if order is not None and _more(order, _leases(body))])
        for body in bodies:
            self.times.forget(body.order)

    def note_if_unread(self, order: Order, *, tables: Path) -> Order | None:
        """Note at once that nobody reads what an order hits, if nobody read anything: no lease, and no table.

        So are older orders that nobody came to note. Return the order as it is then; None: one of them may hit a lease
        (`_may_hit`), or a table stands, so it has to be found out what they hit, for which people are looked at.
        """
        with once_recorded():
            # First these, then the tables: an order that is given meanwhile may hit a table that is written before it.
            overseen = self.place.present().overseen
            waiting = [each for each in overseen.orders if each.drained is None]
            if any(_may_hit(each, overseen) for each in waiting) or not is_empty(tables):
                return None
            self.note_drained([done for each in waiting if (done := self.drained(each, ())) is not None])
            return self._known(order.order)

    def _known(self, name: str) -> Order:
        order = self.place.present().overseen.orders.get(name)
        assert order is not None, "an order that was appended is known"
        return order


def _may_hit(order: Order, overseen: Overseen) -> bool:
    """Say whether a lease was open when an order was given, or came to it later and has ended since."""
    leases = overseen.leases
    return bool(leases.open_at(order.position) or leases.ended_by(order.order) or any(overseen.perhaps_ended_by(order)))


def _more(order: Order, leases: int) -> bool:
    return order.drained is None or leases > order.drained.leases


def _leases(body: OrderDrained) -> int:
    return body.stopped + body.expired + body.released + body.failed


def _require_said(reference: str, by: Handle | None) -> None:
    require_texts(reference=reference)
    if by is not None:
        require_handle(by)
