"""What a rank makes of the store of its group: who has begun, under which lease; and that torch has what it needs."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch.distributed as dist

from consentry.training import torch_groups, torch_presence
from consentry.training.boot_clock import boot_seconds
from consentry.training.torch_presence import Presence
from training.test_client import within

WORLD = (0, 1, 2)


class Held:
    """A lease, as far as this looks at it."""

    def __init__(self, fence: int) -> None:
        self.fence = fence
        self._over = threading.Event()

    def is_over(self) -> bool:
        """Say whether it is over."""
        return self._over.is_set()

    def end(self) -> None:
        """End it."""
        self._over.set()


class Ranks:
    """Ranks of one world, all in this process, with the leases that they hold."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._patch, self.held, self.store = monkeypatch, list[Held](), dist.HashStore()
        self.gives(lambda: self.store)

    def gives(self, store: Callable[[], Any]) -> None:
        """Say what stands for the store from now on."""
        self._patch.setattr(torch_presence, "_clone", store)

    def begin(self, rank: int, fence: int) -> Presence:
        """Have a rank hold a lease."""
        self._patch.setattr(dist, "get_rank", lambda: rank)
        self.held.append(Held(fence))
        return Presence(self.held[-1])  # type: ignore[arg-type]

    def said(self, rank: int) -> bytes | None:
        """Return what a rank has said."""
        key = f"consentry/lease/{rank}"
        return self.store.get(key) if self.store.check([key]) else None


@pytest.fixture
def ranks(monkeypatch: pytest.MonkeyPatch) -> Iterator[Ranks]:
    for name, seconds in (("_GLANCE_S", 0.01), ("_LOOK_S", 0.05), ("_SHARE_S", 0.0), ("_SILENT_S", 0.5)):
        monkeypatch.setattr(torch_presence, name, seconds)
    monkeypatch.setattr(dist, "get_world_size", lambda: len(WORLD))
    found = Ranks(monkeypatch)
    yield found
    for lease in found.held:
        lease.end()


def looked(presence: Presence) -> tuple[int, ...]:
    """Return who is missing by a look that begins now."""
    since = boot_seconds()
    assert within(lambda: presence._looked_at >= since, 30)
    return presence.missing(WORLD, since=since)


def test_who_has_begun_is_known_and_who_has_not_is_missing(ranks: Ranks) -> None:
    first, _ = ranks.begin(0, 11), ranks.begin(1, 12)
    first.expect(WORLD)
    assert within(lambda: first.fences_of(WORLD) == {12}, 30)
    assert looked(first) == (2,)
    ranks.begin(2, 13)
    assert within(lambda: first.fences_of(WORLD) == {12, 13}, 30)
    assert first.missing(WORLD, since=boot_seconds()) == ()
    assert first.fences_of((0, 2)) == {13}, "in a group that is not the world"


def test_what_is_left_of_earlier_leases_says_nothing_of_later_ones(ranks: Ranks) -> None:
    ranks.begin(0, 11), ranks.begin(1, 12)
    assert within(lambda: ranks.said(0) == b"1 11" and ranks.said(1) == b"1 12", 30)
    first = ranks.begin(0, 21)
    first.expect((0, 1))
    assert within(lambda: ranks.said(0) == b"2 21", 30)
    assert looked(first) == (1, 2)
    assert first.fences_of(WORLD) == frozenset()
    ranks.begin(1, 22)
    assert within(lambda: first.fences_of(WORLD) == {22}, 30)


def test_a_rank_that_is_a_lease_ahead_has_begun(ranks: Ranks) -> None:
    ranks.begin(1, 12)
    assert within(lambda: ranks.said(1) == b"1 12", 30)
    ranks.begin(1, 22)
    assert within(lambda: ranks.said(1) == b"2 22", 30)
    first = ranks.begin(0, 11)
    first.expect(WORLD)
    assert within(lambda: first.fences_of(WORLD) == {22}, 30)
    ranks.begin(1, 32)
    assert within(lambda: first.fences_of(WORLD) == {32}, 30), "until it says a word it may hold yet another one"
    first.known(WORLD, (11, 32, 13))
    ranks.begin(1, 42)
    assert within(lambda: ranks.said(1) == b"4 42", 30)
    time.sleep(0.5)
    assert first.fences_of(WORLD) == {32, 13}


def test_what_was_said_counts_once_although_the_answer_was_lost(ranks: Ranks) -> None:
    class Lossy:
        def __init__(self, store: Any) -> None:
            self.check, self.get = store.check, store.get
            self._store = store

        def set(self, key: str, value: str) -> None:
            self._store.set(key, value)
            ranks.gives(lambda: ranks.store)
            raise dist.DistNetworkError("connection reset")

    ranks.gives(lambda: Lossy(ranks.store))
    first = ranks.begin(0, 11)
    assert within(lambda: first._count == 1, 30)
    assert ranks.said(0) == b"1 11"


def test_a_store_that_never_answers_is_no_excuse_for_ever(ranks: Ranks) -> None:
    stuck = threading.Event()
    ranks.gives(stuck.wait)
    first = ranks.begin(0, 11)
    first.expect(WORLD)
    since = boot_seconds()
    assert first.missing(WORLD, since=since) == ()
    assert within(lambda: first.missing(WORLD, since=since) == (1, 2), 30)
    assert boot_seconds() - since >= 0.5
    first.known((0, 1), (11, 12))
    assert first.missing(WORLD, since=since) == (2,)
    stuck.set()


def test_a_store_that_refuses_is_none_that_cannot_be_told(ranks: Ranks) -> None:
    def gone() -> Any:
        raise dist.DistNetworkError("connection refused")

    ranks.gives(gone)
    first = ranks.begin(0, 11)
    since = boot_seconds()
    assert within(lambda: first.missing(WORLD, since=since) == (1, 2), 30)


@pytest.mark.parametrize("how", ["no store", "no such call"])
def test_where_it_cannot_be_told_nobody_is_missing_until_it_can(
    ranks: Ranks, how: str, caplog: pytest.LogCaptureFixture
) -> None:
    ranks.gives(lambda: None if how == "no store" else object())
    first = ranks.begin(0, 11)
    first.expect(WORLD)
    since = boot_seconds()
    time.sleep(1)
    assert first.missing(WORLD, since=since) == ()
    assert len(caplog.records) == (0 if how == "no store" else 1), "it is said once"
    ranks.gives(lambda: ranks.store)
    assert looked(first) == (1, 2)


def test_torch_has_the_store_and_the_groups_that_this_needs() -> None:
    """They are no public names, or new ones: without them nothing is told of a rank before its first word."""
    dist.init_process_group("gloo", store=dist.HashStore(), rank=0, world_size=1)
    try:
        own = dist.new_group([0], backend="gloo")
        store = torch_presence._clone()
        store.set("said", "1 11")
        assert torch_presence._clone().multi_get(["said"]) == [b"1 11"]
        assert not torch_presence._clone().check(["unsaid"])
        assert list(torch_groups._groups(None))[2:] == [dist.group.WORLD, own]
        torch_groups.close_connections(None)  # nobody is there to hear of it
        torch_groups.close_connections(dist.GroupMember.NON_GROUP_MEMBER)
    finally:
        dist.destroy_process_group()
    assert torch_presence._clone() is None
    torch_groups.close_connections(None)
