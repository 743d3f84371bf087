"""Which ranks have begun, and under which leases, before any of them has said a word.

The words say which leases the ranks hold, from the first one of all on. Until then it stands in the store of the
process group, where each rank writes the numbers of its leases as soon as it has one. So a rank that is slow before its
first word is known to live, and one that never began is named.

* Everything that touches the store is done by threads of its own, through a clone of it: the server is on the machine
  of one rank, and when that is off a call returns after minutes, or never. The job's own calls do not wait for ours.
* Nothing is held between calls: who leaves the group leaves nothing open behind.
* Nothing in the store is believed but a lease that the control plane says is granted now. A launcher that starts ranks
  again keeps its store, so a number may be of a process that was killed long ago: that it is over says nothing. All it
  can do is to have a rank waited for a little longer.
* So a rank is missing when none of its leases was seen to be granted for so long, and it was looked for and asked about
  after that. A store that does not answer says of nobody that they have begun. One that cannot do what is asked for
  says nothing at all, and then nobody is missing.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from collections import defaultdict
from collections.abc import Collection, Sequence
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
_ASKING_AT_MOST = 4
"""Threads that wait for the store at a time: one whose connection was dropped may wait for ever, and tells nobody."""
_saying = threading.Lock()
"""A job may hold two leases at once."""
_log = logging.getLogger(__name__)


class Presence:
    """The ranks of the world as one of them sees them in the store, under one lease."""

    def __init__(self, lease: Lease) -> None:
        self._rank, self._ranks, self._fence = int(dist.get_rank()), int(dist.get_world_size()), lease.fence
        self._fences: dict[int, frozenset[int]] = {}
        self._expected: frozenset[int] = frozenset()
        self._said: frozenset[int] = frozenset()
        self._usable, self._told = True, False
        """Whether it can be told at all; and whether this rank has said that it holds this lease."""
        self._looked_at, self._look_at = 0.0, 0.0
        self._granted_at: dict[int, float] = {}
        self._asked_at: dict[int, float] = {}
        self._asking: dict[threading.Thread, float] = {}
        with _saying:  # here, and nowhere later: a thread that is slow must not add what is over and was taken out
            _held[self._rank].add(self._fence)
        threading.Thread(target=self._follow, args=(lease,), name="consentry-ranks-begun", daemon=True).start()

    def expect(self, ranks: Sequence[int]) -> None:
        """Look for these ranks from now on, until they have said a word."""
        self._expected |= frozenset(ranks)
        self._look_at = boot_seconds() + self._pause_s()

    def known(self, ranks: Sequence[int]) -> None:
        """Note that these have said a word, and with it which lease they hold: nobody has to look for them any more."""
        self._said |= frozenset(ranks)

    def fences_of(self, ranks: Sequence[int]) -> frozenset[int]:
        """Return the numbers of the leases that those ranks hold or held, but for this one."""
        return frozenset[int]().union(*(self._fences.get(rank, ()) for rank in ranks if rank != self._rank))

    def heard(self, granted: Collection[int], *, of: Collection[int], since: float) -> None:
        """Take what the control plane said about these leases, asked at a moment: which are granted."""
        for rank, fences in list(self._fences.items()):
            if not fences.isdisjoint(granted):
                self._granted_at[rank] = since
            if fences.issubset(of):
                self._asked_at[rank] = since

    def missing(self, ranks: Sequence[int], *, since: float, for_s: float) -> tuple[int, ...]:
        """Return which ranks were not seen to hold a lease for so many seconds, counted from a moment at the earliest.

        None of whom it is not known because nobody looked, or asked. But a store that was asked all the time and does
        not answer is no excuse for ever.
        """
        return tuple(rank for rank in ranks if rank != self._rank and self._is_missing(rank, since, for_s))

    def _is_missing(self, rank: int, since: float, for_s: float) -> bool:
        until = max(since, self._granted_at.get(rank, since)) + for_s
        looked = self._looked_at >= until or boot_seconds() >= until + _SILENT_S + self._ranks * _SHARE_S
        asked = rank not in self._fences or self._asked_at.get(rank, 0.0) >= until
        return self._usable and rank not in self._said and boot_seconds() >= until and looked and asked

    def _follow(self, lease: Lease) -> None:
        while not lease.is_over():
            if boot_seconds() >= self._look_at and (not self._told or self._silent()):
                self._ask_aside()
            time.sleep(_GLANCE_S)
        with _saying:
            _held[self._rank].discard(self._fence)

    def _ask_aside(self) -> None:
        now = boot_seconds()
        self._asking = {thread: at for thread, at in self._asking.items() if thread.is_alive()}
        if len(self._asking) < _ASKING_AT_MOST and all(now >= at + _SILENT_S for at in self._asking.values()):
            thread = threading.Thread(target=self._ask, name="consentry-ranks-store", daemon=True)
            self._asking[thread] = now
            thread.start()

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
                self._look(store) if self._told else self._say(store)
                usable = True
        except (dist.DistError, ValueError, AssertionError):  # no answer; or the group was left
            usable = self._usable
        except Exception:  # whatever it is: what this store cannot do is no fault of a rank
            if self._usable:
                _log.exception("which ranks have begun cannot be told")
        self._usable = usable
        self._look_at = boot_seconds() + self._pause_s()

    def _say(self, store: Any) -> None:
        said = None
        while said != (held := self._all_held()):  # another lease may be said at the same time, and either be the last
            store.set(_key(self._rank), held)  # over what is left of an earlier process
            said = held
        self._told = True

    def _all_held(self) -> str:
        with _saying:
            return " ".join(map(str, sorted(_held[self._rank])))

    def _look(self, store: Any) -> None:
        began, silent = boot_seconds(), self._silent()
        there = _there(store, silent)
        for rank, said in zip(there, store.multi_get([_key(rank) for rank in there]) if there else [], strict=True):
            self._fences[rank] = frozenset(int(number) for number in said.split() if number.isdigit())
        self._looked_at = began


_held: defaultdict[int, set[int]] = defaultdict(set)
"""The leases of a rank of this process that are not over: what it says in the store."""
_presences: WeakKeyDictionary[Lease, Presence] = WeakKeyDictionary()


def presence_of(lease: Lease) -> Presence:
    """Return which ranks have begun; this one has, from now on. Only where there are several."""
    if lease not in _presences:
        _presences[lease] = Presence(lease)
    return _presences[lease]


def _key(rank: int) -> str:
    return f"consentry/leases/{rank}"


def _there(store: Any, ranks: list[int]) -> list[int]:
    """Return of which ranks something is there; what is not would be waited for. Few questions if nearly all are."""
    if not ranks or store.check([_key(rank) for rank in ranks]):
        return ranks
    if len(ranks) == 1:
        return []
    half = len(ranks) // 2
    return _there(store, ranks[:half]) + _there(store, ranks[half:])


def _clone() -> Any:
    """Return a store of the world that no other thread uses, None where there is no such thing."""
    with suppress(AttributeError):  # older ones
        store = dist.group.WORLD.get_group_store()
        return None if store is None else store.clone()
    return None
