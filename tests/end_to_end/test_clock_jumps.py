"""The clock of the day jumps by a day: nothing that was suspended, refused or waited for comes back by that."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from consentry.bootstrap import Deployment, open_deployment
from consentry.clock import now
from consentry.control_plane.parts import Parts
from consentry.errors import ConsentryError
from consentry.policy.choice import SECONDS_PER_DAY
from consentry.policy.vocabulary import Category, ChoiceState, Purpose, Reach, Visibility
from consentry.release.snapshot import Use
from end_to_end.case_steps import WITHOUT_UK, agree_to_lift, in_the_way
from end_to_end.suspended_network import EVERYTHING, POLICY, build, grant, renew, suspend
from end_to_end.suspended_network import place as place  # noqa: PLC0414 - a fixture
from end_to_end.test_story import eligible, say

JUMPS = (-SECONDS_PER_DAY, SECONDS_PER_DAY)
USE = Use(Purpose.TRAIN_GENAI, Category.POST, Visibility.PUBLIC)


def set_clock(deployment: Deployment, seconds: int) -> int:
    """Set every clock of a deployment that people can set, the ledger's as well; return the time it shows."""
    shown = now() + seconds
    parts: Parts = deployment.control.desk.parts
    deployment.control.desk.parts = replace(parts, clock=lambda: shown, milliseconds=lambda: shown * 1000)
    deployment.ledger._clock = lambda: shown
    return shown


def built_now(deployment: Deployment) -> set[str]:
    made = deployment.control.releases.build("network", Purpose.TRAIN_GENAI, policy=POLICY)
    return eligible(deployment, made.manifest.release)


@pytest.mark.parametrize("jump", JUMPS)
@pytest.mark.parametrize("when", ["before the order", "after the order"])
def test_an_order_holds_whatever_the_clock_says(place: tuple[Path, Deployment], jump: int, when: str) -> None:
    folder, deployment = place
    before = build(deployment)
    if when == "before the order":
        set_clock(deployment, jump)
    order = suspend(deployment)
    set_clock(deployment, 0 if when == "before the order" else jump)
    assert built_now(deployment) == WITHOUT_UK
    with pytest.raises(ConsentryError, match=order.order):
        grant(deployment, before)
    assert not deployment.control.people.may("gb", USE, policy=POLICY)["allowed"]
    deployment.close()
    again = open_deployment(folder / "home")
    try:
        assert built_now(again) == WITHOUT_UK
    finally:
        again.close()


@pytest.mark.parametrize("jump", JUMPS)
def test_a_lease_is_over_when_its_time_is_whatever_the_clock_says(place: tuple[Path, Deployment], jump: int) -> None:
    _, deployment = place
    leases, booted_s = deployment.control.leases, count_uptime(deployment)
    release = build(deployment)
    set_clock(deployment, jump)
    lease, secret = grant(deployment, release)
    for sequence, seconds in enumerate((0, jump, -jump, 0), 1):
        set_clock(deployment, seconds)
        booted_s[0] += 55
        assert leases.expire() == []
        renew(deployment, lease, secret, sequence)
    for seconds, over in ((60, []), (5, [lease.lease])):
        jump = -jump
        set_clock(deployment, jump)
        booted_s[0] += seconds
        assert leases.expire() == over
    with pytest.raises(ConsentryError, match="lease-ended"):
        renew(deployment, lease, secret, 5)
    assert grant(deployment, release)[0].fence > lease.fence


def count_uptime(deployment: Deployment) -> list[float]:
    """Have the time since the start of the machine counted by the test: in the first place of what it returns."""
    counted = [1_000.0]
    deployment.control.desk.parts = replace(deployment.control.desk.parts, uptime=lambda: counted[0])
    return counted


def test_a_lease_that_followed_the_clock_of_the_day_would_be_noticed(place: tuple[Path, Deployment]) -> None:
    """The control: with a clock in place of the time since the start, the test above fails."""
    _, deployment = place
    set_clock(deployment, 0)
    desk = deployment.control.desk
    desk.parts = replace(desk.parts, uptime=lambda: float(desk.parts.clock()))
    lease, secret = grant(deployment, build(deployment))
    set_clock(deployment, SECONDS_PER_DAY)
    with pytest.raises(ConsentryError, match="lease-expired"):
        renew(deployment, lease, secret)


@pytest.mark.parametrize("jump", JUMPS)
@pytest.mark.parametrize("reach", [Reach.UNTRAINED, Reach.EVERYTHING])
def test_a_refusal_counts_whenever_the_clock_says_it_was_made(
    place: tuple[Path, Deployment], jump: int, reach: Reach
) -> None:
    _, deployment = place
    say(deployment, "gb", ChoiceState.ALLOWED, at=now() - 60)
    assert built_now(deployment) == EVERYTHING
    say(deployment, "gb", reach=reach, at=set_clock(deployment, jump))
    assert built_now(deployment) == WITHOUT_UK
    set_clock(deployment, 0)
    assert built_now(deployment) == WITHOUT_UK


@pytest.mark.parametrize("jump", JUMPS)
def test_a_waiting_period_counts_from_what_was_recorded(place: tuple[Path, Deployment], jump: int) -> None:
    _, deployment = place
    control = deployment.control
    suspend(deployment)
    agree_to_lift(deployment)
    served = set_clock(deployment, jump)
    control.notices.serve("n-1", [deployment.person("gb")], at=served)
    # The approval was recorded when the clock was right, and it is served after that.
    begins, days = max(jump, 0), 30 * SECONDS_PER_DAY
    for seconds, obstacles in ((0, ["waiting"]), (begins + days - 60, ["waiting"]), (begins + days + 60, [])):
        set_clock(deployment, seconds)
        assert in_the_way(deployment) == obstacles


@pytest.mark.parametrize("what", ["a notice", "a choice"])
def test_a_clock_that_is_behind_what_was_recorded_makes_no_waiting_period_shorter(
    place: tuple[Path, Deployment], what: str
) -> None:
    _, deployment = place
    control, days = deployment.control, 30 * SECONDS_PER_DAY
    set_clock(deployment, -3 * SECONDS_PER_DAY)
    suspend(deployment)
    agree_to_lift(deployment)
    set_clock(deployment, 0)
    if what == "a notice":
        control.notices.write("another", b"x", languages=["en"], channel="in-app", audience="all")
    else:
        say(deployment, "br", at=now())
    served = set_clock(deployment, -SECONDS_PER_DAY)
    say(deployment, "br", at=served)
    control.notices.serve("n-1", [deployment.person("gb")], at=served)
    (ends,) = control.cases.book.get("ico-2024").counting.values()
    assert ends >= now() - 60, "the report says until when it waits"
    for seconds, obstacles in ((days - SECONDS_PER_DAY + 60, ["waiting"]), (days - 60, ["waiting"]), (days + 60, [])):
        set_clock(deployment, seconds)
        assert in_the_way(deployment) == obstacles


def test_a_day_back_at_the_end_of_a_waiting_period_waits_again(place: tuple[Path, Deployment]) -> None:
    _, deployment = place
    suspend(deployment)
    agree_to_lift(deployment, days=1)
    deployment.control.notices.serve("n-1", [deployment.person("gb")], at=now())
    set_clock(deployment, -SECONDS_PER_DAY)
    assert in_the_way(deployment) == ["waiting"]
    assert built_now(deployment) == WITHOUT_UK
