"""The thread of a rank that asks about the others: when it asks, and what it makes of what it is told.

What it asks is a fake here, and so is the lease. `test_ranks.py` has real ones.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Collection, Iterator, Sequence
from typing import Any

import pytest
import torch.distributed as dist

from consentry.training import torch_ranks
from consentry.training.boot_clock import boot_seconds
from training.test_client import within

TTL_S, FENCES = 1.0, (11, 12)
MANY, SHARE_S = 50, 0.04
BEGIN_S = 0.3
NAMED = "`1`, `2`, `3`, `4`, `5`, `6`, `7`, `8`, and more"


class Told:
    """What there is to be told of the leases of others, one answer after the other; the last one for ever."""

    def __init__(self, *answers: Any) -> None:
        self.asked_at: list[float] = []
        self._answers = list(answers)

    def left_s(self, fences: Collection[int], *, timeout_s: float) -> float | None:
        """Answer, or raise what stands in the place of an answer."""
        assert (set(fences), timeout_s) == (set(FENCES), TTL_S / 3)
        self.asked_at.append(time.monotonic())
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer  # type: ignore[no-any-return]


class Held:
    """A lease, as far as that thread sees it."""

    def __init__(self, told: Told) -> None:
        self.ttl_s, self.others = TTL_S, told
        self.ranks_patience_s: float | None = None
        self._over = threading.Event()

    def is_over(self) -> bool:
        """Say whether it is over."""
        return self._over.is_set()

    def end(self) -> None:
        """End it."""
        self._over.set()

    def check(self) -> None:
        """Find nothing."""

    def patience_s(self) -> float:
        """Return how long there is to wait."""
        return 60.0

    def unless_over(self, action: Any) -> None:
        """Do what a lease does."""
        if not self.is_over():
            action()


class Unseen:
    """What is in the store of a group: here nothing."""

    def known(self, ranks: Collection[int]) -> None:
        """Take what was said."""

    def expect(self, ranks: Collection[int]) -> None:
        """Look for some."""

    def fences_of(self, _: Collection[int]) -> frozenset[int]:
        """Return the leases of those who have begun."""
        return frozenset()

    def missing(self, ranks: Sequence[int], *, since: float, for_s: float) -> tuple[int, ...]:
        """Return who has not begun: all but the first, once it was time."""
        return tuple(ranks[1:]) if boot_seconds() >= since + for_s else ()

    def heard(self, granted: Collection[int], *, of: Collection[int], since: float) -> None:
        """Take what the control plane said."""
        assert not granted
        assert not of
        assert since <= boot_seconds()


@pytest.fixture
def closed(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Return the groups whose connections were closed."""
    found: list[Any] = []
    monkeypatch.setattr(torch_ranks, "close_connections", found.append)
    monkeypatch.setattr(torch_ranks, "presence_of", lambda _: Unseen())
    monkeypatch.setattr(dist, "get_process_group_ranks", lambda _: list(range(MANY)))
    monkeypatch.setattr(torch_ranks, "_SHARE_S", SHARE_S)
    monkeypatch.setattr(torch_ranks, "BEGIN_S", BEGIN_S)
    return found


@pytest.fixture
def held(closed: list[Any]) -> Iterator[list[Held]]:
    """Return a list of leases, which end with the test."""
    assert closed == []
    leases: list[Held] = []
    yield leases
    for lease in leases:
        lease.end()


def others_of(lease: Held) -> torch_ranks._Others:
    return torch_ranks._Others(lease, "group")  # type: ignore[arg-type]


def test_many_ranks_do_not_ask_at_once_when_nothing_is_agreed_any_more(held: list[Held]) -> None:
    held += [Held(Told(60.0)) for _ in range(MANY)]
    ranks = [others_of(lease) for lease in held]
    stalled_at = time.monotonic()
    for rank in ranks:
        rank.agreed(FENCES)
    assert within(lambda: all(lease.others.asked_at for lease in held), 60)
    first = sorted(lease.others.asked_at[0] - stalled_at for lease in held)
    assert first[0] >= TTL_S / 2
    assert first[-1] - first[0] > MANY * SHARE_S / 2


def test_what_is_no_answer_does_not_end_the_asking(
    held: list[Held], closed: list[Any], caplog: pytest.LogCaptureFixture
) -> None:
    lease = Held(Told(TypeError("unhashable"), RecursionError(), None, 0.0, -1.0))
    held.append(lease)
    rank = others_of(lease)
    rank.agreed(FENCES)
    assert within(lambda: rank.gone, 60)
    assert within(lambda: closed == ["group"])
    assert len(lease.others.asked_at) == 5
    assert [each.message for each in caplog.records] == ["how it is with the leases of other ranks cannot be told"] * 2


@pytest.mark.parametrize("how", ["the lease is over", "it has given up by itself"])
def test_nothing_is_closed_once_the_rank_does_not_wait_any_more(
    held: list[Held], closed: list[Any], how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    lease = Held(Told(-1.0))
    held.append(lease)
    unless_over, came_to_it = lease.unless_over, threading.Event()

    def noted(action: Any) -> None:
        unless_over(action)
        came_to_it.set()

    monkeypatch.setattr(lease, "unless_over", noted)
    rank = others_of(lease)
    rank.agreed(FENCES)
    assert within(lambda: rank.gone, 60)
    if how == "the lease is over":
        lease.end()
    else:
        rank.given_up = True
    assert came_to_it.wait(60)
    assert closed == []


def test_ranks_that_have_not_begun_are_missing_when_they_were_waited_for_long_enough(
    held: list[Held], closed: list[Any]
) -> None:
    held.append(Held(Told(None)))
    rank = others_of(held[0])
    time.sleep(2 * BEGIN_S)
    assert not rank.lost, "a control: nobody waits for them yet"
    began_at = time.monotonic()
    rank.begin()
    assert within(lambda: rank.lost, 60)
    assert time.monotonic() - began_at >= BEGIN_S
    assert rank.missing == tuple(range(1, MANY))
    assert within(lambda: closed == ["group"])


@pytest.mark.parametrize("how", ["at the last moment", "before", "and the lease names another time"])
def test_who_has_said_a_word_is_not_missing(held: list[Held], closed: list[Any], how: str) -> None:
    lease = Held(Told(60.0))
    held.append(lease)
    lease.ranks_patience_s = 60.0 if how == "and the lease names another time" else None
    rank = others_of(lease)
    rank.begin()
    if how == "at the last moment":
        assert within(lambda: rank.lost, 60)
    if how != "and the lease names another time":
        rank.end(arrived=True)
        rank.agreed(FENCES)
        rank.begin()
    time.sleep(2 * torch_ranks._GLANCE_S + 3 * BEGIN_S)
    assert not rank.lost
    assert closed == []
    assert within(lambda: bool(lease.others.asked_at) or lease.ranks_patience_s is not None), "it still asks"


@pytest.mark.parametrize("patience_s", [None, 7.0])
def test_who_gives_up_before_the_first_word_names_those_who_have_not_begun(
    held: list[Held], closed: list[Any], monkeypatch: pytest.MonkeyPatch, patience_s: float | None
) -> None:
    lease = Held(Told(None))
    held.append(lease)
    lease.ranks_patience_s = patience_s
    rank = others_of(lease)
    monkeypatch.setitem(torch_ranks._others, lease, {"group": rank})  # type: ignore[misc]
    rank.begin()
    assert patience_s is not None or within(lambda: rank.lost, 60)
    error = torch_ranks._given_up(lease, "group", since=0.0)  # type: ignore[arg-type]
    assert error.code == "lease-ranks-missing"
    waited = BEGIN_S if patience_s is None else patience_s
    assert error.message == f"without a lease for {waited:g} s, and without a first word: rank {NAMED}"
    assert closed == ["group"]
    rank.agreed(FENCES)
    rank.end(arrived=True)
    if patience_s is not None:
        later = torch_ranks._given_up(lease, "group", since=0.0)  # type: ignore[arg-type]
        assert (later.code, later.message) == ("lease-over-elsewhere", "another rank said nothing for 7 s")
