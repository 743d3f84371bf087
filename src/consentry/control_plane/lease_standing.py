"""How it is with a lease, and how a job is told of with what was done under its own."""

from __future__ import annotations

from typing import Any, NamedTuple

from consentry.oversight.lease import Lease, over


class LeaseStanding(NamedTuple):
    """How it is with a lease (granted, revoked, expired or ended); why, and by which code, if it is over."""

    state: str
    reason: str = ""
    code: str = ""
    amendment: int = 0
    """The newest one of the release, as far as it was read."""
    orders: tuple[str, ...] = ()
    """By which orders it is revoked, if it is by any and its end was not heard of yet."""

    def changed(self, *, since: int) -> bool:
        """Say whether its holder has to know, who knows amendments up to `since`."""
        return self.state != "granted" or self.amendment > since


def state_of(lease: Lease, standing: LeaseStanding | None) -> str:
    """Return the state of a lease in a word; without a standing it has ended."""
    if standing is not None:
        return standing.state
    return "ended" if lease.ended is None else str(lease.ended.how)


def as_job(lease: Lease, standing: LeaseStanding | None, *, left: float) -> dict[str, Any]:
    """Return a lease as it is told of; `left`: for how many seconds it holds."""
    ended, state = lease.ended, state_of(lease, standing)
    ended_by = () if ended is None else ended.orders
    orders = ended_by if standing is None else standing.orders
    return {
        "lease": lease.lease,
        "job": lease.job,
        "model": lease.model,
        "release": lease.release,
        "fence": lease.fence,
        "granted_at": lease.granted_at,
        "ttl_s": lease.ttl_ms / 1000,
        "state": state,
        "why": over(lease).message if standing is None else standing.reason,
        "order": next(iter(orders), None),
        "orders": list(orders),
        "step": lease.step,
        "items": lease.items,
        "model_checkpoints": sum(not each.quarantined for _, each in lease.model_checkpoints),
        "quarantined": sum(each.quarantined for _, each in lease.model_checkpoints),
        "ended_at": None if ended is None else ended.at,
        "left_s": left if state == "granted" else None,
    }
