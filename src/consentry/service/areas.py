"""What an authority sees through the interface: what concerns its jurisdictions (`oversight/jurisdiction.py`)."""

from __future__ import annotations

from consentry.accounts.access import Action, Scope
from consentry.accounts.account import Principal
from consentry.control_plane.plane import ControlPlane
from consentry.errors import ConsentryError, StateError
from consentry.oversight import jurisdiction
from consentry.oversight import order as orders
from consentry.oversight.case import Case
from consentry.policy.choice import Seconds


def bounds(who: Principal, action: Action) -> frozenset[str] | None:
    """Return the jurisdictions that somebody is bound to in what they do; None: to none, they see everything."""
    return who.areas if who.scope(action) is Scope.AREAS else None


def order_concerns(order: orders.Order, own: frozenset[str] | None, *, now: Seconds) -> bool:
    """Say whether an order is to be seen."""
    return own is None or jurisdiction.order_concerns(order, own, now=now)


def case_concerns(control: ControlPlane, case: Case, *, own: frozenset[str] | None, handle: str) -> bool:
    """Say whether a case is to be seen."""
    if own is None or case.by == handle:
        return True
    found = control.desk.present().record.orders.of(case.case)
    return jurisdiction.case_concerns(case, found, areas=own, now=control.desk.parts.clock())


def release_concerns(control: ControlPlane, name: str, *, own: frozenset[str] | None) -> bool:
    """Say whether a release holds items of people who may live in these jurisdictions."""
    if own is None:
        return True
    try:
        tally = control.releases.open(name).tally()
    except (ConsentryError, OSError):
        return True
    kept, at = tally.allowed & (tally.items > 0), control.desk.parts.clock()
    places = {tally.places[place] for place in set(tally.place[kept].tolist())}
    return any(jurisdiction.lies(place, own, at=at) is not jurisdiction.Lies.ELSEWHERE for place in places)


def require_inside(scope: orders.Scope, own: frozenset[str] | None, *, at: Seconds) -> None:
    """Refuse a question of an authority about what is beyond its jurisdictions.

    Raises:
        StateError: it is.
    """
    if own is None:
        return
    if not scope.areas or not orders.is_inside(orders.Scope(areas=scope.areas), orders.Scope(areas=own), at=at):
        raise StateError(
            "access-areas",
            "the order reaches beyond the jurisdictions of this account",
            help=f"name areas inside: {', '.join(sorted(own))}",
        )


def require_no_authority(own: frozenset[str] | None) -> None:
    """Refuse an order that an authority would issue without signing it.

    Raises:
        StateError: whoever asks is one.
    """
    if own is not None:
        raise StateError(
            "access-unsigned",
            "an authority suspends with a statement that it signs",
            help="see /authority/file and docs/authority.md",
        )
