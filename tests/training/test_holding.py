"""A holder never goes on for longer than it was given, whatever is answered, when and how often."""

from __future__ import annotations

import time
from typing import Any
from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consentry.training.boot_clock import boot_seconds
from consentry.training.holding import EXPIRED, TERMINAL, Asked, Holding, granted, margin_s

FENCE = 42
TTLS = st.floats(1, 3600)


def answer(asked: Asked, *, ttl_s: float = 10, **other: Any) -> dict[str, Any]:
    own = {"nonce": asked.nonce, "sequence": asked.sequence, "fence": FENCE, "ttl_s": ttl_s, "amendment": 0}
    return {**own, **other}


def held(*, at: float = 100, ttl_s: float = 10) -> Holding:
    asked = Asked(nonce="n", sequence=0, at=at)
    holding = granted(asked, answer(asked, ttl_s=ttl_s), now=at)
    assert holding is not None
    return holding


def test_the_deadline_counts_from_before_the_request() -> None:
    asked = Asked(nonce="n", sequence=0, at=100)
    holding = granted(asked, answer(asked), now=108)
    assert holding is not None
    assert holding.deadline == 100 + 10 - 0.1
    assert holding.stops_at == pytest.approx(holding.deadline - 0.5)
    assert holding.at(109.3).over is None
    assert holding.at(109.5).over == EXPIRED


@pytest.mark.parametrize(
    "wrong",
    [
        {"nonce": "another"},
        {"sequence": 7},
        {"sequence": True},
        {"fence": FENCE - 1},
        {"fence": None},
        {"ttl_s": "10"},
        {"ttl_s": 0.5},
        {"ttl_s": 3601},
        {"ttl_s": float("nan")},
        {"ttl_s": float("inf")},
        {"ttl_s": True},
    ],
)
def test_an_answer_that_does_not_fit_gives_no_time(wrong: dict[str, Any]) -> None:
    holding, asked = held().ask("x", now=104)
    assert holding.answered(asked, {**answer(asked), **wrong}, now=105).deadline == holding.deadline
    assert holding.answered(asked, answer(asked), now=105).deadline > holding.deadline  # the control


@pytest.mark.parametrize("given_", [None, [], "ok", {}, {"ttl_s": 10}, {"ttl_s": 10, "nonce": "n"}])
def test_no_grant_without_an_answer_that_is_one(given_: Any) -> None:
    assert granted(Asked(nonce="n", sequence=0, at=0), given_, now=0) is None


def test_a_replayed_answer_gives_no_time() -> None:
    holding, first = held().ask("x", now=103)
    holding = holding.answered(first, answer(first), now=103.5)
    later, second = holding.ask("y", now=106)
    assert later.answered(second, answer(first), now=106.5) == later


def test_a_delayed_answer_revives_nothing() -> None:
    holding, asked = held().ask("x", now=103)
    late = holding.answered(asked, answer(asked, ttl_s=3600), now=110)
    assert late.over == EXPIRED
    assert late.answered(asked, answer(asked), now=104).over == EXPIRED


def test_an_amendment_never_goes_back() -> None:
    assert held().amended(3).amended(1).amended(None).amended("4").amendment == 3


EVENTS = st.lists(
    st.tuples(
        st.sampled_from(["ask", "answer", "old answer", "forged", "refuse", "wait"]),
        st.floats(0, 20),
        st.integers(0, 9),
    ),
    max_size=40,
)


@given(EVENTS, TTLS, st.sampled_from(sorted(TERMINAL)))
def test_nothing_runs_longer_than_what_was_given(events: list[tuple[str, float, int]], ttl_s: float, code: str) -> None:
    """The model: the lease lives until the latest of (request sent + time to live) that was answered while it lived."""
    now = 100.0
    holding, waiting, all_asked = held(at=now, ttl_s=ttl_s), list[Asked](), list[Asked]()
    given_until, over = now + ttl_s, False
    for kind, duration, which in events:
        now += duration
        over = over or holding.at(now).over is not None
        if kind == "ask":
            holding, asked = holding.ask(f"nonce-{len(all_asked)}", now=now)
            waiting.append(asked)
            all_asked.append(asked)
        elif kind == "answer" and waiting:
            asked = waiting.pop(which % len(waiting))
            holding = holding.answered(asked, answer(asked, ttl_s=ttl_s), now=now)
            given_until = max(given_until, asked.at + ttl_s)
        elif kind == "old answer" and len(all_asked) > 1:
            holding = holding.answered(all_asked[-1], answer(all_asked[0], ttl_s=ttl_s), now=now)
        elif kind == "forged" and waiting:
            holding = holding.answered(waiting[0], answer(waiting[0], ttl_s=3600, fence=FENCE - 1), now=now)
        elif kind == "refuse" and which == 0:
            holding = holding.ended(code)
        over = over or holding.at(now).over is not None
        assert (holding.at(now).over is not None) == over, "over is for ever"
        assert holding.deadline <= given_until - margin_s(ttl_s) + 1e-6
        assert holding.at(given_until).over is not None


@given(TTLS)
def test_the_job_stops_before_the_deadline_and_the_deadline_before_the_end(ttl_s: float) -> None:
    holding = held(at=0, ttl_s=ttl_s)
    assert holding.stops_at < holding.deadline < ttl_s
    assert ttl_s - holding.deadline >= max(ttl_s / 100, 0.05) - 1e-6


@pytest.mark.parametrize("jump", [-86_400, 86_400])
def test_the_wall_clock_plays_no_part(jump: float) -> None:
    before = boot_seconds()
    with mock.patch("time.time", return_value=time.time() + jump):
        assert 0 <= boot_seconds() - before < 60
