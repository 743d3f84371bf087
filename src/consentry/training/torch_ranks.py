"""Ranks that agree before every step, so that they stop together.

Each rank says a word: go on, at its end, or over. The highest word of all of them counts, for all of them. The rules:

* Who waits for the words of others holds a lease meanwhile, and waits no longer than that lasts. Shortly before its
  deadline it gives up, on its own: it raises, and closes the connections of the group, so that nobody waits for it
  either. While its lease is renewed it waits as long as the group does: another rank may write a model checkpoint, and
  who waits trains on nothing.
* When the word is *over*, nobody goes on. All that is left is to let each other go: who ends closes connections on
  which another one may still be taking the answer. That lasts as long as was left of the lease when the word came, at
  most; renewals add nothing. So a rank that stands still in there keeps nobody.
* A rank that is killed closes its connections: those who wait for it fail at once.
* A rank that stands still is killed by its watchdog at its deadline, and by a thread of its own if that one is gone.
* A rank whose watchdog is gone says *over* at its next word. A control plane that is gone renews nobody: each says
  *over* when its own time is, or gives up.
* A rank that stands still together with its watchdog, or whose machine is off, is not renewed. When nothing was agreed
  for half of its time to live, a rank asks the control plane about the leases of the others. If one was not renewed in
  time, or its job failed, it gives up as above; if it does not look, as in the backward pass of a model in
  DistributedDataParallel, its connections are closed for it, in every group. A rank that is slow is renewed, and waited
  for.
* The numbers of the leases come with the words. Before the first one of all they are in the store of the process group,
  where each rank says which leases it holds (torch_presence.py). Who waits for the first word gives up as above once a
  rank was not seen to hold any for BEGIN_S, or after `ranks_patience_s` if its own lease was held with that.

So from the moment at which the lease of one rank is over, all ranks that can run have stopped within the time to live,
or, where only the control plane can say that it is over, once they have asked it (docs/training.md says how soon): but
before the first word of all BEGIN_S later, or that long after they began to wait if it never held one.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from datetime import timedelta
from typing import Any, TypeVar, cast
from weakref import WeakKeyDictionary

import torch
import torch.distributed as dist

from consentry.errors import LeaseOverError
from consentry.training.boot_clock import boot_seconds
from consentry.training.client import Lease
from consentry.training.lease_requests import over
from consentry.training.other_leases import OtherLeases
from consentry.training.torch_devices import wait_for_devices, wait_for_step
from consentry.training.torch_groups import close_connections, over_gloo
from consentry.training.torch_presence import presence_of

_Batch = TypeVar("_Batch")
_Told = TypeVar("_Told")
_GO_ON, _AT_ITS_END, _OVER = range(3)
"""What a rank says before a step; the highest word of all ranks counts."""
BEGIN_S = 600.0
"""How long a rank waits in its first word for one that holds no lease: as long as NCCL waits for anybody."""
_GLANCE_S, _NAP_S = 0.5, 0.0005
_LEAST_WAIT_S = 0.001
"""Less is no milliseconds at all, and those mean to gloo that it shall wait for ever."""
_MOMENT_S = 0.1
"""What an answer takes to the others, once it is there."""
_SHARE_S = 0.25
"""Of so much time each rank may ask about the others once, so that a thousand that wait ask no more than four do."""
_ASK_S, _AGAIN_PART = 10.0, 4
"""How long an answer about other leases may take, and after which part of the time to live to ask about them again."""
_PRESENT_S = 15.0
"""Before the first word it is asked at least this often who is granted, but for the share of each rank (`_SHARE_S`)."""
_NAMED = 8
_GONE = "the lease of another rank is over: nobody renewed it in time, or its job failed; `consentry jobs` says which"
_log = logging.getLogger(__name__)


def own_rank() -> int:
    """Return the number of this rank, 0 where there is only one."""
    return dist.get_rank() if dist.is_available() and dist.is_initialized() else 0


def number_of_ranks() -> int:
    """Return how many ranks there are."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def check_together(lease: Lease, step: int, *, group: Any = None) -> None:
    """Raise LeaseOverError on every rank at the same step if the lease of any is over. Before the optimiser steps.

    What turns while the ranks agree counts at the next step, for all of them; the watchdog keeps the deadline.

    It waits first until the GPUs of this rank have taken the step before: Python is ahead of them by as many steps as
    fit into a queue, and would have handed out several that come after an order. When it raises they have nothing left.

    Raises:
        LeaseOverError: the lease of this rank is over, or that of another one; or this one's was over before all had
            said their word; or another one has not begun, or said nothing for `ranks_patience_s`.
        RuntimeError: another rank is gone; or something failed that a GPU was given before.
    """
    wait_for_step(lease)
    if stop_together(lease, stop=lease.is_over(), group=group):
        wait_for_devices()
        lease.check(step)
        raise over_elsewhere()


def stop_together(lease: Lease, *, stop: bool, group: Any = None) -> bool:
    """Return whether any rank wants to stop. Every rank calls it at the same step, and gets the same answer.

    Raises:
        LeaseOverError: the lease of this rank was over before all had said their word.
        RuntimeError: another rank is gone.
    """
    return _agreed(_OVER if stop else _GO_ON, lease=lease, group=group) != _GO_ON


def batches_together(batches: Iterable[_Batch], *, lease: Lease, group: Any = None) -> Iterator[_Batch]:
    """Yield batches as long as every rank has one, so that the pass ends on all of them at the same step.

    Ranks have different numbers of rows, and amendments change them: one that ended alone would leave the others
    waiting, and so would one that alone may not read any more. Rows that are left then are not committed: who goes on
    from the joined states reads them.

    Raises:
        LeaseOverError: a rank may not read any more.
        RuntimeError: another rank is gone.
    """
    left = iter(batches)
    while True:
        batch, over_here = _next(left)
        word = _OVER if over_here else _AT_ITS_END if batch is None else _GO_ON
        agreed = _agreed(word, lease=lease, group=group)
        if agreed == _OVER:
            raise over_here or over_elsewhere()
        if agreed == _AT_ITS_END:
            return
        yield cast("_Batch", batch)


def over_elsewhere() -> LeaseOverError:
    """Return the error of a rank that stops because another one has to."""
    return over("lease-over-elsewhere", "the lease of another rank is over")


def _next(left: Iterator[_Batch]) -> tuple[_Batch | None, LeaseOverError | None]:
    try:
        return next(left, None), None
    except LeaseOverError as error:
        return None, error


class _Others:
    """The other ranks of a group: a thread asks whether their leases still live when nothing was agreed for long."""

    def __init__(self, lease: Lease, group: Any) -> None:
        self.gone = False
        """Whether the lease of one of them was not renewed in time."""
        self.missing: tuple[int, ...] = ()
        """Which of them did not begin in time."""
        self.given_up = False
        """Whether this rank knows."""
        self._group, self._members = group, tuple(dist.get_process_group_ranks(group))
        self._presence = presence_of(lease)
        self._fences: frozenset[int] = frozenset()
        self._agreed_at, self._ask_at = boot_seconds(), 0.0
        self._first_s = self._share_s(0)
        self._begun_at: float | None = None
        self._lock = threading.Lock()
        threading.Thread(target=self._look, args=(lease,), name="consentry-ranks", daemon=True).start()

    @property
    def lost(self) -> bool:
        """Whether nobody needs to wait for them any more."""
        return self.gone or bool(self.missing)

    def begin(self) -> None:
        """Note that this rank waits for their words. Before the first ones, nobody knows whether they are there."""
        if not self._fences:
            self._presence.expect(self._members)
            with self._lock:
                self._begun_at = boot_seconds()

    def end(self, *, arrived: bool) -> None:
        """Note that it does so no longer. Who came at the last moment is not missing."""
        with self._lock:
            self._begun_at = None
            if arrived:
                self.missing = ()

    def agreed(self, fences: Sequence[int]) -> None:
        """Note that all of them said their word, and the numbers of their leases."""
        if not self._fences:
            self._presence.known(self._members)
        self._fences, self._first_s, self._agreed_at = frozenset(fences), self._share_s(0), boot_seconds()

    def unheard(self, *, since: float) -> tuple[int, ...]:
        """Return who of them held no lease since a moment, as far as it is known; none once all have said a word."""
        return () if self._fences else self._presence.missing(self._members, since=since, for_s=0.0)

    def _share_s(self, least: float) -> float:
        """Return a time of its own for this rank: all of them agree, and see a lease end, at the same moment."""
        share: float = random.uniform(least, 1)  # noqa: S311  # jitter is no secret
        return len(self._members) * _SHARE_S * share

    def _look(self, lease: Lease) -> None:
        while not lease.is_over():
            self._look_for_missing(lease)
            if self.lost:
                time.sleep(2 * _GLANCE_S)  # who waits for a word sees it by itself, and says why
                lease.unless_over(self._close)
            if self.lost:
                return
            silent_s = lease.ttl_s / 2 if self._fences else 0.0
            pause = max(self._ask_at, self._agreed_at + silent_s + self._first_s) - boot_seconds()
            if pause > 0 or lease.others is None:
                time.sleep(max(min(pause, _GLANCE_S), _MOMENT_S))
            elif self._fences:
                self._ask(lease, lease.others)
            else:
                self._ask_who_begun(lease, lease.others)

    def _look_for_missing(self, lease: Lease) -> None:
        begun_at = self._begun_at
        if begun_at is None or lease.ranks_patience_s is not None or self._fences:
            return
        missing = self._presence.missing(self._members, since=begun_at, for_s=BEGIN_S)
        with self._lock:
            if self._begun_at == begun_at:
                self.missing = missing

    def _ask_who_begun(self, lease: Lease, others: OtherLeases) -> None:
        fences, asked_at = self._presence.fences_of(self._members), boot_seconds()
        granted = _answer(others.granted, fences, lease) if fences else frozenset()
        if granted is not None:
            self._presence.heard(granted, of=fences, since=asked_at)
        self._ask_at = boot_seconds() + max(min(lease.ttl_s / _AGAIN_PART, _PRESENT_S), self._share_s(0.5))

    def _ask(self, lease: Lease, others: OtherLeases) -> None:
        fences, agreed_at = self._fences, self._agreed_at
        left = _answer(others.left_s, fences, lease)
        self.gone = left is not None and left < 0 and agreed_at == self._agreed_at
        again_s = lease.ttl_s / _AGAIN_PART if left is None else left + _MOMENT_S + self._share_s(0)
        self._ask_at = boot_seconds() + max(again_s, self._share_s(0.5))

    def _close(self) -> None:
        if self.lost and not self.given_up:
            close_connections(self._group)


def _answer(question: Callable[..., _Told], fences: frozenset[int], lease: Lease) -> _Told | None:
    try:
        return question(fences, timeout_s=min(lease.ttl_s / 3, _ASK_S))
    except Exception:  # whatever it is: without this thread nobody asks any more
        _log.exception("how it is with the leases of other ranks cannot be told")
        return None


_others: WeakKeyDictionary[Lease, dict[Any, _Others]] = WeakKeyDictionary()


def _others_of(lease: Lease, group: Any) -> _Others:
    of_groups = _others.setdefault(lease, {})
    if group not in of_groups:
        of_groups[group] = _Others(lease, group)
    return of_groups[group]


def _agreed(word: int, *, lease: Lease, group: Any) -> int:
    """Return the highest word of all ranks."""
    if number_of_ranks() == 1:
        return word
    others = _others_of(lease, group)
    fences = [0] * dist.get_world_size(group)
    fences[dist.get_rank(group)] = lease.fence
    device = "cuda" if dist.get_backend(group) == "nccl" else "cpu"
    words = torch.tensor([word, *fences], dtype=torch.int64, device=device)
    begun_at, arrived = boot_seconds(), False
    others.begin()
    try:
        arrived = _reduced(words, _patience(lease, others), group=group)
    except RuntimeError:
        lease.check()  # if its own time is over as well, that is what this rank ends with
        if others.lost:
            raise _given_up(lease, group) from None
        raise
    finally:
        others.end(arrived=arrived)
    if not arrived:
        raise _given_up(lease, group, since=begun_at)
    agreed, *known = words.tolist()
    others.agreed(known)
    if agreed == _OVER:
        _let_go(words, lease, group=group)
    elif agreed == _AT_ITS_END and not _all_have_it(words, _patience(lease, others), group=group):
        raise _given_up(lease, group)
    return int(agreed)


def _patience(lease: Lease, others: _Others) -> Callable[[], float]:
    """Return what says how long to go on waiting from now on: while the lease of this rank allows it, or shorter."""
    until = None if lease.ranks_patience_s is None else boot_seconds() + lease.ranks_patience_s

    def left_s() -> float:
        if others.lost:
            return 0.0
        return lease.patience_s() if until is None else min(lease.patience_s(), until - boot_seconds())

    return left_s


def _let_go(words: torch.Tensor, lease: Lease, *, group: Any) -> None:
    until = boot_seconds() + max(lease.patience_s(), _MOMENT_S)
    if not _all_have_it(words, lambda: until - boot_seconds(), group=group):
        close_connections(group)


def _all_have_it(words: torch.Tensor, left_s: Callable[[], float], *, group: Any) -> bool:
    """Wait until every rank has the answer, while time is left.

    Nobody is past this before all have it, so it does not matter whether it fails.
    """
    with suppress(RuntimeError):
        return _reduced(words, left_s, group=group)
    return True


def _given_up(lease: Lease, group: Any, *, since: float | None = None) -> LeaseOverError:
    """Return the error of a rank that waits no longer, and let nobody wait for it."""
    others = _others_of(lease, group)
    others.given_up = True
    close_connections(group)
    lease.check()
    if others.gone:
        return over("lease-over-elsewhere", _GONE)
    if others.missing:
        return _missing(others.missing, BEGIN_S)
    if lease.ranks_patience_s is not None and lease.patience_s() > 0:
        if since is not None and (unheard := others.unheard(since=since)):
            return _missing(unheard, lease.ranks_patience_s)
        return over("lease-over-elsewhere", f"another rank said nothing for {lease.ranks_patience_s:g} s")
    return over("lease-expired", "the lease was over before all ranks had said whether they go on")


def _missing(ranks: Sequence[int], waited_s: float) -> LeaseOverError:
    named = ", ".join(f"`{rank}`" for rank in ranks[:_NAMED]) + (", and more" if len(ranks) > _NAMED else "")
    return LeaseOverError(
        "lease-ranks-missing",
        f"without a lease for {waited_s:g} s, and without a first word: rank {named}",
        help="see what became of them; if ranks begin so much later, hold(..., ranks_patience_s=SECONDS) waits longer",
    )


def _reduced(words: torch.Tensor, left_s: Callable[[], float], *, group: Any) -> bool:
    """Replace a word by the highest one of all ranks; return False if there is no time left before it is there.

    Raises:
        RuntimeError: another rank is gone.
    """
    work = dist.all_reduce(words, op=dist.ReduceOp.MAX, group=group, async_op=True)
    bounded = over_gloo(group)
    while not work.is_completed():
        if (left := left_s()) <= 0:
            return False
        if bounded:
            with suppress(RuntimeError):  # what failed is said below
                work.wait(timedelta(seconds=max(min(left, _GLANCE_S), _LEAST_WAIT_S)))
        else:  # elsewhere a wait that comes to its end breaks the connections, or comes to none
            time.sleep(min(left, _NAP_S))
    work.wait()
    return True
