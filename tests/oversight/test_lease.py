"""Leases by themselves: who may renew, until when, and that over is for ever."""

from __future__ import annotations

from inspect import signature

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consentry.digests import digest
from consentry.errors import ConsentryError
from consentry.ledger.oversight_events import ItemsConsumed, LeaseEnd, LeaseEnded, LeaseEndedV1, LeaseGranted
from consentry.oversight.lease import DEFAULT_TTL_MS, Lease, Leases, Renewals, require_ttl
from consentry.training.client import hold
from ledger.sayings import event

SECRET = "s3cret"


def granted(name: str = "lease-1", *, fence: int = 7, ttl_ms: int = 5_000) -> Lease:
    leases = Leases()
    body = LeaseGranted(lease=name, release="r", job="job-1", model="m", ttl_ms=ttl_ms, secret=digest(SECRET.encode()))
    leases.take(event(fence, body))
    (lease,) = leases
    return lease


def test_a_lease_lives_for_a_minute_if_nobody_says_how_long() -> None:
    assert DEFAULT_TTL_MS == 60_000
    assert signature(hold).parameters["ttl_s"].default == DEFAULT_TTL_MS / 1_000
    for seconds in (1, 5, 3_600):
        require_ttl(1_000 * seconds)
    for milliseconds in (999, 3_600_001):
        with pytest.raises(ConsentryError, match="lease-ttl-out-of-range"):
            require_ttl(milliseconds)


def test_the_fence_is_the_position_of_the_grant() -> None:
    assert granted(fence=41).fence == 41


@pytest.mark.parametrize(
    "shown",
    [
        {"secret": "other"},
        {"secret": SECRET, "job": "job-2"},
        {"secret": SECRET, "fence": 6},
        {"secret": ""},
    ],
)
def test_somebody_else_is_refused(shown: dict[str, object]) -> None:
    granted().require_holder(secret=SECRET, job="job-1", fence=7)
    with pytest.raises(ConsentryError) as caught:
        granted().require_holder(**shown)  # type: ignore[arg-type]
    assert caught.value.code == "lease-not-yours"


def test_a_renewal_is_good_once() -> None:
    lease, renewals = granted(), Renewals(0.0)
    renewals.begin(lease, now=10.0)
    renewals.renew(lease, sequence=1, step=None, now=11.0)
    until = renewals.until(lease)
    for sequence in (1, 0, -5):
        with pytest.raises(ConsentryError) as caught:
            renewals.renew(lease, sequence=sequence, step=None, now=12.0)
        assert caught.value.code == "lease-replayed"
    assert renewals.until(lease) == until


def test_what_came_too_late_renews_nothing_and_stays_over() -> None:
    lease, renewals = granted(), Renewals(0.0)
    renewals.begin(lease, now=10.0)
    for now in (renewals.until(lease), 1e6):
        with pytest.raises(ConsentryError) as caught:
            renewals.renew(lease, sequence=1, step=None, now=now)
        assert caught.value.code == "lease-expired"


def test_after_a_restart_a_lease_holds_as_if_it_was_renewed_just_then() -> None:
    lease = granted(ttl_ms=60_000)
    renewals = Renewals(1_000.0)
    assert 1_060.0 <= renewals.until(lease) <= 1_066.0


@given(st.lists(st.floats(0.0, 4.9), max_size=20))
def test_this_side_never_thinks_a_lease_over_while_its_holder_may_read(pauses: list[float]) -> None:
    """The holder counts from before it asked; the answer is given later, so this side ends later."""
    lease, renewals = granted(), Renewals(0.0)
    now = 100.0
    renewals.begin(lease, now=now)
    for sequence, pause in enumerate(pauses, 1):
        now += pause
        renewals.renew(lease, sequence=sequence, step=sequence, now=now)
        assert renewals.until(lease) >= now + lease.ttl_ms / 1000


def test_the_first_end_counts() -> None:
    leases = Leases()
    body = LeaseGranted(lease="l", release="r", job="j", model="m", ttl_ms=5_000, secret=digest(b""))
    leases.take(event(1, body))
    leases.take(event(2, LeaseEnded(lease="l", how=LeaseEnd.EXPIRED, orders=("o.1", "o.2"), step=4)))
    leases.take(event(3, LeaseEnded(lease="l", how=LeaseEnd.RELEASED, orders=(), step=9)))
    (lease,) = leases
    assert not leases.open()
    assert lease.ended is not None
    assert (lease.ended.how, lease.ended.position, lease.ended.orders) == (LeaseEnd.EXPIRED, 2, ("o.1", "o.2"))
    assert leases.ended_by("o.1") == leases.ended_by("o.2") == (lease,)


@pytest.mark.parametrize(("order", "orders"), [(None, ()), ("o.1", ("o.1",))])
def test_an_end_that_names_one_order_reads_as_it_did(order: str | None, orders: tuple[str, ...]) -> None:
    leases = Leases()
    leases.take(event(1, LeaseGranted(lease="l", release="r", job="j", model="m", ttl_ms=5_000, secret=digest(b""))))
    said = LeaseEndedV1(lease="l", how=LeaseEnd.STOPPED, order=order, step=4)
    leases.take(event(2, LeaseEndedV1.from_json(said.to_json())))
    (lease,) = leases
    assert lease.ended is not None
    assert (lease.ended.how, lease.ended.orders, lease.ended.step) == (LeaseEnd.STOPPED, orders, 4)
    assert lease.ended.one_named == bool(order)
    assert list(leases.one_named(since=1)) == ([lease] if order else [])
    assert list(leases.one_named(since=2)) == []
    assert leases.ended_by("o.1") == ((lease,) if order else ())


@pytest.mark.parametrize("ttl_ms", [0, -1, 999, 3_600_001])
def test_a_time_to_live_out_of_range_is_refused(ttl_ms: int) -> None:
    with pytest.raises(ConsentryError) as caught:
        require_ttl(ttl_ms)
    assert caught.value.code == "lease-ttl-out-of-range"


def test_reports_add_up_and_are_known_by_their_steps_and_ranges() -> None:
    leases = Leases()
    body = LeaseGranted(lease="l", release="r", job="job-1", model="m", ttl_ms=5_000, secret=digest(b""))
    leases.take(event(1, body))
    said = [
        ItemsConsumed(lease="l", from_step=first, to_step=last, amendment=0, items=3, ranges=digest(ranges))
        for first, last, ranges in ((1, 4, b"a"), (5, 5, b"b"), (5, 5, b"c"))
    ]
    for position, each in enumerate(said, 2):
        assert not leases.knows(each)
        leases.take(event(position, each))
        assert leases.knows(each)
    (lease,) = leases
    assert (lease.step, lease.items) == (5, 9)
