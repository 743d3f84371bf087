"""What concerns an authority: what may lie in one of its jurisdictions. In doubt it does."""

from __future__ import annotations

from collections.abc import Iterable

from consentry.accounts.access import Action, Scope
from consentry.accounts.account import Principal
from consentry.control_plane.overseeing import may_lie_in
from consentry.control_plane.plane import ControlPlane
from consentry.errors import ConsentryError, StateError
from consentry.oversight import order as orders
from consentry.oversight.case import Case
from consentry.policy.choice import Seconds
from consentry.policy.jurisdictions import contains
from consentry.policy.policy_classes import known_places


def bounds(who: Principal, action: Action) -> frozenset[str] | None:
    """Return the jurisdictions that somebody is bound to in what they do; None: to none, they see everything."""
    return who.areas if who.scope(action) is Scope.AREAS else None


def overlap(areas: Iterable[str], own: frozenset[str] | None, *, at: Seconds) -> bool:
    """Say whether `areas` (none: everywhere) may have a place in common with the `own` ones (None: all)."""
    named = frozenset(areas)
    if own is None or not named or named & own:
        return True
    return any(
        any(contains(area, place, at=at) is not False for area in named)
        and any(contains(area, place, at=at) is not False for area in own)
        for place in known_places(named | own)
    )


def case_concerns(control: ControlPlane, case: Case, *, own: frozenset[str] | None, handle: str) -> bool:
    """Say whether a case is one of an authority's: it raised it, or one of its orders holds where it is responsible."""
    if own is None or case.by == handle:
        return True
    found = control.newest.record.orders.of(case.case)
    return any(overlap(each.scope.areas, own, at=control.parts.clock()) for each in found)


def release_concerns(control: ControlPlane, name: str, *, own: frozenset[str] | None) -> bool:
    """Say whether a release holds items of people who may live in these jurisdictions."""
    if own is None:
        return True
    scope, at = orders.Scope(areas=own), control.parts.clock()
    try:
        tally = control.release(name).tally()
    except (ConsentryError, OSError):
        return True
    kept = tally.allowed & (tally.items > 0)
    return any(may_lie_in(tally.places[place], scope, at=at) for place in set(tally.place[kept].tolist()))


def require_inside(scope: orders.Scope, own: frozenset[str] | None, *, at: Seconds) -> None:
    """Refuse an order of an authority that reaches beyond its jurisdictions.

    Raises:
        StateError: it does.
    """
    if own is None:
        return
    if not scope.areas or not orders.is_inside(orders.Scope(areas=scope.areas), orders.Scope(areas=own), at=at):
        raise StateError(
            "access-areas",
            "the order reaches beyond the jurisdictions of this account",
            help=f"name areas inside: {', '.join(sorted(own))}",
        )
