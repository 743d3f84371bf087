"""Which ranks have begun, and under which leases, before any of them has said a word.

The words say which leases the ranks hold, from the first one of all on. Until then it stands in the store of the
process group, where each rank writes the number of its lease as soon as it has both. So a rank that stood still before
its first word can be asked about, one that is slow is known to live, and one that never began is named.

* Everything that touches the store is done by a thread of its own, through a clone of it: the server is on the machine
  of one rank, and when that is off a call returns after minutes, or never. The job's own calls do not wait for ours.
* Nothing is held between calls: who leaves the group leaves nothing open behind.
* A job may hold one lease after the other in one group. The store counts those of each rank, and a lease counts only if
  its number there is not below that of our own: else it is what is left of an earlier one. A rank that holds one more
  beforehand than the others do takes them for missing if their first word is late, though they have begun. A later
  lease of a rank takes the place of an earlier one, until all have said a word.
* A store that does not answer says of nobody that they have begun. One that cannot do what is asked for says nothing
  at all, and then nobody is missing.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Any
from weakref import WeakKeyDictionary

import torch.distributed as dist

from consentry.training.boot_clock import boot_seconds
from consentry.training.client import Lease

_SILENT_S = 30.0
"""How long a look at the store may take; one that does not answer by then says that nobody has begun."""
_GLANCE_S, _LOOK_S, _SHARE_S = 0.5, 1.0, 0.25
"""Looks at the store are so far apart, and this much more per rank: its server is one thread for all of them."""
_saying = threading.Lock()
"""A job may hold two leases at once."""
_log = logging.getLogger(__name__)


class Presence:
    """The ranks of the world as one of them sees them in the store, under one lease."""

    def __init__(self, lease: Lease) -> None:
        self._rank, self._ranks, self._fence = int(dist.get_rank()), int(dist.get_world_size()), lease.fence
        self._fences: dict[int, int] = {}
        self._expected: frozenset[int] = frozenset()
        self._said: frozenset[int] = frozenset()
        self._usable, self._count = True, 0
        """Whether it can be told at all; and which lease of this rank it is, from 1, once that is said."""
        self._looked_at, self._look_at = 0.0, 0.0
        threading.Thread(target=self._follow, args=(lease,), name="consentry-ranks-begun", daemon=True).start()

    def expect(self, ranks: Sequence[int]) -> None:
        """Look for these ranks from now on, until they have said a word."""
        self._expected |= frozenset(ranks)
        self._look_at = boot_seconds() + self._pause_s()

    def known(self, ranks: Sequence[int], fences: Sequence[int]) -> None:
        """Take the leases of ranks as they were said: nobody has to look for those any more."""
        self._fences.update(zip(ranks, fences, strict=True))
        self._said |= frozenset(ranks)

    def fences_of(self, ranks: Sequence[int]) -> frozenset[int]:
        """Return the numbers of the leases of those ranks that have begun, but for this one."""
        found = (self._fences.get(rank) for rank in ranks if rank != self._rank)
        return frozenset(fence for fence in found if fence is not None)

    def missing(self, ranks: Sequence[int], *, since: float) -> tuple[int, ...]:
        """Return which ranks have not begun, as it was seen after a moment; none if it was not looked at since.

        A store that was asked all the time and does not answer is no excuse for ever.
        """
        silent_at = since + _SILENT_S + self._ranks * _SHARE_S
        if not self._usable or (self._looked_at < since and boot_seconds() < silent_at):
            return ()
        return tuple(rank for rank in ranks if rank != self._rank and rank not in self._fences)

    def _follow(self, lease: Lease) -> None:
        while not lease.is_over():
            if not self._count or (self._silent() and boot_seconds() >= self._look_at):
                self._ask()
            time.sleep(_GLANCE_S)

    def _silent(self) -> list[int]:
        return sorted(self._expected - self._said - {self._rank})

    def _pause_s(self) -> float:
        """Return how long until the next look: all ranks wait at the same moment."""
        return _LOOK_S + self._ranks * _SHARE_S * random.random()  # noqa: S311  # jitter is no secret

    def _ask(self) -> None:
        usable = False
        try:
            store = _clone()
            if store is not None:
                self._look(store) if self._count else self._say(store)
                usable = True
        except (dist.DistError, ValueError, AssertionError):  # no answer; or the group was left
            usable = self._usable
        except Exception:  # whatever it is: what this store cannot do is no fault of a rank
            if self._usable:
                _log.exception("which ranks have begun cannot be told")
        self._usable = usable
        self._look_at = boot_seconds() + self._pause_s()

    def _say(self, store: Any) -> None:
        with _saying:
            key, count, before = _key(self._rank), 1, None
            if store.check([key]):
                last, before = _said(store.get(key))
                count = last if before == self._fence else last + 1  # said already, and the answer was lost
            if before != self._fence:
                store.set(key, f"{count} {self._fence}")
            self._count = count

    def _look(self, store: Any) -> None:
        began, silent = boot_seconds(), self._silent()
        if not silent:  # they said their word this moment
            return
        # What is not there would be waited for. Nothing is ever taken away.
        all_there = bool(store.check([_key(rank) for rank in silent]))
        there = [rank for rank in silent if all_there or store.check([_key(rank)])]
        for rank, said in zip(there, store.multi_get([_key(rank) for rank in there]) if there else [], strict=True):
            count, fence = _said(said)
            if count >= self._count:
                self._fences[rank] = fence
        self._looked_at = began


_presences: WeakKeyDictionary[Lease, Presence] = WeakKeyDictionary()


def presence_of(lease: Lease) -> Presence:
    """Return which ranks have begun; this one has, from now on. Only where there are several."""
    if lease not in _presences:
        _presences[lease] = Presence(lease)
    return _presences[lease]


def _key(rank: int) -> str:
    return f"consentry/lease/{rank}"


def _said(value: bytes) -> tuple[int, int]:
    """Return which lease of its rank it is, from 1, and the number of that."""
    count, fence = value.split()
    return int(count), int(fence)


def _clone() -> Any:
    """Return a store of the world that no other thread uses, None where there is no such thing."""
    with suppress(AttributeError):  # older ones
        store = dist.group.WORLD.get_group_store()
        return None if store is None else store.clone()
    return None
