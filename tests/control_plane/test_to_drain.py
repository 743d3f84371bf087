"""Which orders have to be looked at is found out event by event, and comes to what asking all of them comes to."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from consentry.control_plane.to_drain import ToDrain
from consentry.ledger.envelope import Draft, Event, draft
from consentry.ledger.events import Body
from consentry.ledger.oversight_events import (
    LeaseEnd,
    LeaseEnded,
    LeaseEndedV1,
    LeaseGranted,
    OrderDrained,
    OrderEnd,
    OrderEnded,
    OrderIssued,
    Origin,
)
from consentry.oversight.order import Order, Scope, issue
from consentry.oversight.overseen import Overseen

ORDERS = [f"order-{number}" for number in range(5)]
LEASES = [f"lease-{number}" for number in range(6)]
HOW = LeaseEnd.STOPPED
an_order, a_lease = st.sampled_from(ORDERS), st.sampled_from(LEASES)


def issued(name: str) -> OrderIssued:
    return issue(Scope(), order=name, case="c", origin=Origin.OWN_DECISION, reference="r", at_ms=0)


def granted(name: str) -> LeaseGranted:
    return LeaseGranted(lease=name, release="r", job="j", model="m", ttl_ms=60_000, secret="sha256:" + 64 * "0")


def drained(name: str) -> OrderDrained:
    return OrderDrained(order=name, stopped=0, expired=0, released=0, failed=0, took_ms=None)


def ended(lease: str, orders: list[str]) -> LeaseEnded:
    return LeaseEnded(lease=lease, how=HOW, orders=tuple(orders), step=None)


def ended_once(lease: str, order: str | None) -> LeaseEndedV1:
    return LeaseEndedV1(lease=lease, how=HOW, order=order, step=None)


BODIES: st.SearchStrategy[Body] = st.one_of(
    st.builds(issued, an_order),
    st.builds(lambda name: OrderEnded(order=name, case="c", how=OrderEnd.LIFTED), an_order),
    st.builds(drained, an_order),
    st.builds(granted, a_lease),
    st.builds(ended, a_lease, st.lists(an_order, unique=True, max_size=3)),
    st.builds(ended_once, a_lease, st.none() | an_order),
)
LOOK = "look"


def event(body: Body, position: int) -> Event:
    made: Draft = draft(body, recorded_at=position, salt=b"")
    return Event(
        position=position,
        recorded_at=position,
        kind=body.KIND,
        version=body.VERSION,
        commitment=made.commitment,
        personal=False,
        salt=None,
        document=made.document,
        body=body,
    )


def asked_of_all(overseen: Overseen, looked_back: dict[str, int]) -> list[Order]:
    """Return the same by its meaning, from every order and every lease there is."""
    return [
        order
        for order in overseen.orders
        if (drained := order.drained) is None
        or any(each.ended and each.ended.position > drained.position for each in overseen.leases.ended_by(order.order))
        or any(overseen.perhaps_ended_by(order, since=max(drained.position, looked_back.get(order.order, 0))))
    ]


@example(long_after=True, steps=[ended_once("lease-0", "order-1"), LOOK, ("order-0",)])
@given(st.booleans(), st.lists(BODIES | st.just(LOOK) | st.builds(lambda name: (name,), an_order), max_size=60))
def test_it_is_what_asking_all_of_them_comes_to(long_after: bool, steps: list[Body | str | tuple[str]]) -> None:
    overseen, found, looked_back, position = Overseen(), ToDrain(), dict[str, int](), 0
    before: list[Body | str] = (
        [*map(issued, ORDERS), *map(granted, LEASES), *map(drained, ORDERS), LOOK] if long_after else []
    )
    for step in [*before, *steps, LOOK]:
        if isinstance(step, str):
            assert found.found(overseen, up_to=position - 1) == asked_of_all(overseen, looked_back)
        elif isinstance(step, tuple):
            if (order := overseen.orders.get(step[0])) is not None and order.drained is not None:
                found.looked_back(order, up_to=position - 1)
                looked_back[order.order] = position - 1
        elif not (isinstance(step, LeaseGranted) and overseen.leases.get(step.lease)):
            overseen.advance([event(step, position)])
            position += 1


def test_of_a_long_history_only_those_that_something_was_said_of_are_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    overseen, found, asked = Overseen(), ToDrain(), list[str]()
    names = [f"old-{number}" for number in range(200)]
    bodies: list[Body] = [each for name in names for each in (issued(name), drained(name))]
    bodies += [granted("lease"), issued("new")]
    overseen.advance(event(body, position) for position, body in enumerate(bodies))
    assert [order.order for order in found.found(overseen, up_to=len(bodies) - 1)] == ["new"]
    plain = overseen.leases.ended_since

    def ended_since(position: int, *, by: str) -> bool:
        asked.append(by)
        return plain(position, by=by)

    monkeypatch.setattr(overseen.leases, "ended_since", ended_since)
    assert [order.order for order in found.found(overseen, up_to=len(bodies) - 1)] == ["new"]
    assert asked == [], "what is not drained need not be asked, and of the others nothing was said"
    overseen.advance([event(ended("lease", ["old-7"]), len(bodies))])
    assert [order.order for order in found.found(overseen, up_to=len(bodies))] == ["old-7", "new"]
    assert asked == ["old-7"]
