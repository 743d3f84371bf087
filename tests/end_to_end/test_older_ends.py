"""Ends of leases from before ends named every order: they name one, and count for each that hit the lease then."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from consentry.bootstrap import Deployment
from consentry.control_plane.hits import Hits
from consentry.ledger.oversight_events import LeaseEnd, LeaseEndedV1, OrderEnd, OrderEnded, Origin
from consentry.oversight.lease import Lease
from consentry.oversight.order import Order, Scope
from end_to_end.test_orders_of_dates import DATED, again, granted, load, of_model, stops, suspend
from end_to_end.test_story import build
from end_to_end.test_story import place as place  # noqa: PLC0414 - a fixture

Place = tuple[Path, Deployment]


def end(deployment: Deployment, lease: Lease, *, named: str | None) -> None:
    """Say that a lease ended as it was said once."""
    deployment.ledger.append([LeaseEndedV1(lease=lease.lease, how=LeaseEnd.STOPPED, order=named, step=9)])


@pytest.mark.parametrize("given", ["before the grant", "while it is read"])
def test_one_end_counts_for_both_orders_that_hit(place: Place, given: str) -> None:
    deployment, orders = place[1], place[1].control.orders
    load(place, "US")
    leases = [granted(deployment, build(deployment))[0]] if given == "while it is read" else []
    named, other = suspend(deployment, DATED), suspend(deployment, DATED)
    far = suspend(deployment, Scope(areas=frozenset({"KR"})))
    assert [stops(deployment, each) for each in (named, other, far)] == [(0, [])] * 3
    (lease,) = leases or [granted(deployment, build(deployment))[0]]
    load(place, "BR")
    end(deployment, lease, named=named)
    assert [each.order for each in orders.drain()] == [named, other]
    assert stops(deployment, named) == stops(deployment, other) == (1, [lease.lease])
    assert stops(deployment, far) == (0, []), "it is about somebody else"
    head = deployment.ledger.head()
    assert orders.drain() == []
    assert deployment.ledger.head() == head, "it is said once more, and not again and again"
    after = suspend(deployment, DATED)
    assert stops(deployment, after) == (0, []), "the job had stopped before"
    restarted = again(place)
    assert stops(restarted, named) == stops(restarted, other) == (1, [lease.lease])
    assert stops(restarted, after) == stops(restarted, far) == (0, [])
    restarted.close()


def test_what_was_not_noted_as_drained_before_counts_all_of_them(place: Place) -> None:
    deployment, leases = place[1], place[1].control.leases
    reading, secret = leases.grant(build(deployment), job="j", model="x", ttl_ms=3_600_000)
    first, other = suspend(deployment, DATED), of_model(deployment, "m")
    load(place, "US")
    later, _ = granted(deployment, build(deployment))
    load(place, "BR")
    end(deployment, later, named=other)
    assert stops(deployment, first) == (None, [reading.lease, later.lease])
    restarted = again(place)
    restarted.control.leases.end(reading.lease, secret=secret, how=LeaseEnd.STOPPED, step=9)
    assert stops(restarted, first) == (2, [reading.lease, later.lease])
    assert stops(restarted, other) == (1, [later.lease])
    restarted.close()


@pytest.mark.parametrize("over", ["before the grant", "before the end", "after the end"])
def test_it_counts_for_an_order_that_was_in_force_when_the_lease_ended(place: Place, over: str) -> None:
    deployment = place[1]
    load(place, "US")
    named, other = suspend(deployment, DATED), suspend(deployment, DATED)

    def lifted(when: str) -> None:
        if over == when:
            deployment.ledger.append([OrderEnded(order=other, case="c", how=OrderEnd.LIFTED)])

    lifted("before the grant")
    lease, _ = granted(deployment, build(deployment))
    load(place, "BR")
    lifted("before the end")
    end(deployment, lease, named=named)
    lifted("after the end")
    deployment.control.orders.drain()
    assert stops(deployment, named) == (1, [lease.lease])
    assert stops(deployment, other) == ((1, [lease.lease]) if over == "after the end" else (0, []))


def test_where_no_order_is_named_none_had_hit(place: Place) -> None:
    deployment = place[1]
    load(place, "US")
    order = suspend(deployment, DATED)
    lease, _ = granted(deployment, build(deployment))
    end(deployment, lease, named=None)
    load(place, "BR")
    assert deployment.control.orders.drain() == []
    assert stops(deployment, order) == (0, [])


def test_the_ledger_alone_does_not_count_what_an_older_end_may_concern(place: Place) -> None:
    deployment = place[1]
    said: dict[str, Any] = {"case": "c", "origin": Origin.AUTHORITY_REQUEST, "reference": "x"}
    issuing, tables = deployment.control.orders.issuing, deployment.control.desk.tables
    load(place, "US")
    first = issuing.issue(DATED, **said)
    lease, _ = granted(deployment, build(deployment))
    load(place, "BR")
    end(deployment, lease, named=first.order)
    assert issuing.note_if_unread(issuing.issue(DATED, **said), tables=tables) is None
    assert stops(deployment, first.order) == (None, [lease.lease])
    deployment.control.orders.drain()
    assert stops(deployment, first.order) == (1, [lease.lease])


def test_what_an_older_end_does_not_concern_is_looked_for_once(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """The server drains many times a second, and whoever renews a lease waits for that."""
    deployment, orders, plain = place[1], place[1].control.orders, Hits.holds
    load(place, "US")
    named, far = suspend(deployment, DATED), suspend(deployment, Scope(areas=frozenset({"KR"})))
    lease, _ = granted(deployment, build(deployment))
    load(place, "BR")
    end(deployment, lease, named=named)
    asked: list[str] = []

    def holds(self: Hits, order: Order, release: str) -> bool:
        asked.append(order.order)
        return plain(self, order, release)

    monkeypatch.setattr(Hits, "holds", holds)
    assert [each.order for each in orders.drain()] == [named]
    assert set(asked) == {named, far}
    asked.clear()
    assert orders.drain() == []
    assert asked == []
    later, _ = granted(deployment, build(deployment))
    end(deployment, later, named=named)
    assert [each.order for each in orders.drain()] == [named]
    assert set(asked) == {named, far}, "the control: of another end it is looked for"
    assert stops(deployment, named) == (2, [lease.lease, later.lease])
    assert stops(deployment, far) == (0, [])
