"""What a rank makes of the store of its group: who has begun, under which lease; and that torch has what it needs."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
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
        key = f"consentry/leases/{rank}"
        return self.store.get(key) if self.store.check([key]) else None


@pytest.fixture
def ranks(monkeypatch: pytest.MonkeyPatch) -> Iterator[Ranks]:
    for name, seconds in (("_GLANCE_S", 0.01), ("_LOOK_S", 0.05), ("_SHARE_S", 0.0), ("_SILENT_S", 0.5)):
        monkeypatch.setattr(torch_presence, name, seconds)
    monkeypatch.setattr(dist, "get_world_size", lambda: len(WORLD))
    monkeypatch.setattr(torch_presence, "_held", defaultdict(set))
    found = Ranks(monkeypatch)
    yield found
    for lease in found.held:
        lease.end()
    assert within(lambda: not any(thread.name.startswith("consentry-ranks") for thread in threading.enumerate()), 30)


def looked(presence: Presence) -> tuple[int, ...]:
    """Return who is missing by a look that begins now, nobody's lease being granted."""
    since = boot_seconds()
    assert within(lambda: presence._looked_at >= since, 30)
    presence.heard((), of=presence.fences_of(WORLD), since=boot_seconds())
    return presence.missing(WORLD, since=since, for_s=0.0)


def test_who_holds_a_lease_is_known_and_who_has_none_is_missing(ranks: Ranks) -> None:
    first, _ = ranks.begin(0, 11), ranks.begin(1, 12)
    first.expect(WORLD)
    assert within(lambda: first.fences_of(WORLD) == {12}, 30)
    since = boot_seconds()
    assert within(lambda: first.missing(WORLD, since=since, for_s=0.0) == (2,), 30)
    ranks.begin(2, 13)
    assert within(lambda: first.fences_of(WORLD) == {12, 13}, 30)
    assert first.missing(WORLD, since=boot_seconds(), for_s=0.0) == ()
    assert first.fences_of((0, 2)) == {13}, "in a group that is not the world"


def test_a_rank_is_missing_so_long_after_its_lease_was_last_seen_granted(ranks: Ranks) -> None:
    first, _ = ranks.begin(0, 11), ranks.begin(1, 12)
    first.expect((0, 1))
    assert within(lambda: first.fences_of(WORLD) == {12}, 30)
    since = boot_seconds()
    time.sleep(1)
    granted_at = boot_seconds()
    first.heard({12}, of={12}, since=granted_at)
    assert looked(first) == (1, 2), "a control: now it is not"
    assert first.missing((0, 1), since=since, for_s=1.0) == ()
    assert within(lambda: bool(asked(first, since, for_s=1.0)), 30)
    assert boot_seconds() >= granted_at + 1.0


def asked(presence: Presence, since: float, *, for_s: float) -> tuple[int, ...]:
    presence.heard((), of=presence.fences_of(WORLD), since=boot_seconds())
    return presence.missing((0, 1), since=since, for_s=for_s)


def test_nobody_in_the_store_is_missing_before_the_control_plane_was_asked(ranks: Ranks) -> None:
    first, _ = ranks.begin(0, 11), ranks.begin(1, 12)
    first.expect((0, 1))
    assert within(lambda: first.fences_of(WORLD) == {12}, 30)
    since = boot_seconds()
    first.heard((), of={99}, since=boot_seconds())
    time.sleep(1)
    assert first.missing((0, 1), since=since, for_s=0.0) == ()


def test_what_a_killed_process_left_in_the_store_says_nothing_of_who_begins_again(ranks: Ranks) -> None:
    """A launcher that starts ranks again keeps the store, and some of them may have begun more often than others."""
    for rank, left in ((0, "11"), (1, "12 7"), (2, "13")):
        ranks.store.set(f"consentry/leases/{rank}", left)
    first = ranks.begin(0, 21)
    first.expect(WORLD)
    assert within(lambda: ranks.said(0) == b"21", 30)
    since = boot_seconds()
    assert within(lambda: first.fences_of(WORLD) == {12, 7, 13}, 30)
    first.heard((), of={12, 7, 13}, since=boot_seconds())
    time.sleep(0.5)
    assert first.missing(WORLD, since=since, for_s=30.0) == (), "they have their time to begin"
    ranks.begin(1, 22)
    assert within(lambda: first.fences_of(WORLD) == {22, 13}, 30)
    first.heard({22}, of={22, 13}, since=boot_seconds())
    assert first.missing(WORLD, since=boot_seconds(), for_s=0.0) == ()


def test_of_two_leases_at_once_either_says_that_a_rank_lives(ranks: Ranks) -> None:
    first, _, _ = ranks.begin(0, 11), ranks.begin(1, 12), ranks.begin(1, 22)
    first.expect((0, 1))
    assert within(lambda: ranks.said(1) == b"12 22", 30)
    assert within(lambda: first.fences_of(WORLD) == {12, 22}, 30)
    since = boot_seconds()
    time.sleep(0.5)
    first.heard({12}, of={12, 22}, since=boot_seconds())
    assert first.missing((0, 1), since=since, for_s=0.5) == ()


def test_a_lease_that_is_over_is_not_said_with_the_next_one(ranks: Ranks) -> None:
    ranks.begin(1, 12)
    assert within(lambda: ranks.said(1) == b"12", 30)
    ranks.held[-1].end()
    assert within(lambda: 12 not in torch_presence._held[1], 30)
    ranks.begin(1, 22)
    assert within(lambda: ranks.said(1) == b"22", 30)


def test_a_lease_that_ends_while_it_is_being_said_is_not_said_with_the_next_one(ranks: Ranks) -> None:
    going_on = threading.Event()

    class Slow:
        def set(self, key: str, value: str) -> None:
            ranks.store.set(key, value)
            going_on.wait()

    ranks.gives(Slow)
    ranks.begin(1, 12)
    assert within(lambda: ranks.said(1) == b"12", 30)
    ranks.held[-1].end()
    assert within(lambda: 12 not in torch_presence._held[1], 30)
    ranks.gives(lambda: ranks.store)
    going_on.set()
    ranks.begin(1, 22)
    assert within(lambda: ranks.said(1) == b"22", 30)
    time.sleep(0.5)
    assert ranks.said(1) == b"22"


def test_who_has_said_a_word_is_looked_for_no_more(ranks: Ranks) -> None:
    first, _ = ranks.begin(0, 11), ranks.begin(1, 12)
    first.expect((0, 1))
    assert within(lambda: first.fences_of(WORLD) == {12}, 30)
    first.known((0, 1))
    ranks.begin(1, 22)
    assert within(lambda: ranks.said(1) == b"12 22", 30)
    time.sleep(0.5)
    assert first.fences_of(WORLD) == {12}
    assert looked_at_all(first) == ()


def looked_at_all(presence: Presence) -> tuple[int, ...]:
    presence.heard((), of=presence.fences_of(WORLD), since=boot_seconds())
    return presence.missing((0, 1), since=0.0, for_s=0.0)


def test_what_was_not_acknowledged_is_said_again(ranks: Ranks) -> None:
    class Lossy:
        def __init__(self, store: Any) -> None:
            self._store = store

        def set(self, key: str, value: str) -> None:
            self._store.set(key, value)
            ranks.gives(lambda: ranks.store)
            raise dist.DistNetworkError("connection reset")

    ranks.gives(lambda: Lossy(ranks.store))
    first = ranks.begin(0, 11)
    assert within(lambda: first._told, 30)
    assert ranks.said(0) == b"11"


def test_a_connection_that_was_dropped_is_not_waited_for(ranks: Ranks) -> None:
    stuck, calls = threading.Event(), list[int]()

    def dropped_once() -> Any:
        calls.append(1)
        if len(calls) == 1:
            stuck.wait()
        return ranks.store

    ranks.gives(dropped_once)
    ranks.begin(0, 11)
    assert within(lambda: ranks.said(0) == b"11", 30)
    stuck.set()


@pytest.mark.parametrize("number", [1, 2, 5])
def test_who_is_there_is_found_among_many(number: int) -> None:
    store, many = dist.HashStore(), list(range(40))
    for rank in many[::number]:
        store.set(torch_presence._key(rank), "1")
    assert torch_presence._there(store, many) == many[::number]
    assert torch_presence._there(store, []) == []


def test_a_store_that_never_answers_is_no_excuse_for_ever(ranks: Ranks) -> None:
    stuck = threading.Event()
    ranks.gives(stuck.wait)
    first = ranks.begin(0, 11)
    first.expect(WORLD)
    since = boot_seconds()
    assert first.missing(WORLD, since=since, for_s=0.0) == ()
    assert within(lambda: first.missing(WORLD, since=since, for_s=0.0) == (1, 2), 30)
    assert boot_seconds() - since >= 0.5
    first.known((0, 1))
    assert first.missing(WORLD, since=since, for_s=0.0) == (2,)
    stuck.set()


def test_a_store_that_refuses_is_none_that_cannot_be_told(ranks: Ranks) -> None:
    def gone() -> Any:
        raise dist.DistNetworkError("connection refused")

    ranks.gives(gone)
    first = ranks.begin(0, 11)
    since = boot_seconds()
    assert within(lambda: first.missing(WORLD, since=since, for_s=0.0) == (1, 2), 30)


@pytest.mark.parametrize("how", ["no store", "no such call"])
def test_where_it_cannot_be_told_nobody_is_missing_until_it_can(
    ranks: Ranks, how: str, caplog: pytest.LogCaptureFixture
) -> None:
    ranks.gives(lambda: None if how == "no store" else object())
    first = ranks.begin(0, 11)
    first.expect(WORLD)
    since = boot_seconds()
    time.sleep(1)
    assert first.missing(WORLD, since=since, for_s=0.0) == ()
    assert len(caplog.records) == (0 if how == "no store" else 1), "it is said once"
    ranks.gives(lambda: ranks.store)
    assert looked(first) == (1, 2)


def test_torch_has_the_store_and_the_groups_that_this_needs() -> None:
    """They are no public names, or new ones: without them nothing is told of a rank before its first word."""
    dist.init_process_group("gloo", store=dist.HashStore(), rank=0, world_size=1)
    try:
        own = dist.new_group([0], backend="gloo")
        store = torch_presence._clone()
        store.set("said", "11")
        assert torch_presence._clone().multi_get(["said"]) == [b"11"]
        assert not torch_presence._clone().check(["unsaid"])
        assert list(torch_groups._groups(None))[2:] == [dist.group.WORLD, own]
        torch_groups.close_connections(None)  # nobody is there to hear of it
        torch_groups.close_connections(dist.GroupMember.NON_GROUP_MEMBER)
    finally:
        dist.destroy_process_group()
    assert torch_presence._clone() is None
    torch_groups.close_connections(None)
