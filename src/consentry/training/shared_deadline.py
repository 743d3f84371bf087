"""The deadline of a lease, in a few bytes of memory that every process of a job sees: its workers and its watchdog.

One process writes (the holder), any number read. Each value is one aligned word, so that no reader sees half of one. A
deadline never comes back: once the lease is over here, no later deadline is written. Words that no holder writes, such
as a deadline further away than any lease lives, are damage, and the lease is over. The file lies in memory where the
system has a folder for that; if the holder is killed, the watchdog removes it.
"""

from __future__ import annotations

import mmap
import os
import sys
import tempfile
from collections.abc import Callable
from enum import IntEnum
from pathlib import Path

from consentry.training.boot_clock import boot_ns
from consentry.training.holding import EXPIRED, REASONS, TTL_MOST_S

_MAGIC, _DEADLINE, _STOPS_AT, _STATE, _AMENDMENT, _REASON = range(6)
_WORDS = 6
_SIZE = _WORDS * 8
_MAGIC_VALUE = 0x6C65617365_0001
_NS = 1_000_000_000
_MOST = int(TTL_MOST_S * _NS)
_IN_MEMORY = "/dev/shm"  # noqa: S108  # the file is made by mkstemp


class LeaseState(IntEnum):
    """Where a lease is. STOPPED: the job said that it does nothing more."""

    HELD = 0
    OVER = 1
    STOPPED = 2


_STATES = frozenset(LeaseState)


class SharedDeadline:
    """The shared words. A copy sent to another process opens the same file there."""

    def __init__(self, path: Path, *, clock: Callable[[], int] = boot_ns) -> None:
        with path.open("r+b") as stream:
            self._memory = mmap.mmap(stream.fileno(), _SIZE)
        self._words = memoryview(self._memory).cast("q")
        self.path = path
        self._clock = clock
        if self._words[_MAGIC] != _MAGIC_VALUE:
            raise ValueError(f"{path} is no deadline")

    @classmethod
    def create(cls) -> SharedDeadline:
        """Make the file, with a deadline in the past."""
        folder = _IN_MEMORY if os.access(_IN_MEMORY, os.W_OK) else None
        descriptor, name = tempfile.mkstemp(prefix="consentry-lease-", dir=folder)  # for its owner only
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(_MAGIC_VALUE.to_bytes(8, sys.byteorder) + bytes(_SIZE - 8))
        return cls(Path(name))

    def __reduce__(self) -> tuple[type[SharedDeadline], tuple[Path]]:
        return SharedDeadline, (self.path,)

    def publish(self, *, deadline: float, stops_at: float, amendment: int) -> None:
        """Write a later deadline and the newest amendment; after the end only the amendment."""
        self._words[_AMENDMENT] = max(amendment, self._words[_AMENDMENT])
        if self.state is LeaseState.HELD:
            self._words[_DEADLINE] = int(deadline * _NS)
            self._words[_STOPS_AT] = int(stops_at * _NS)

    def end(self, state: LeaseState, *, reason: str = EXPIRED) -> None:
        """Say that the lease is over, or that the job stopped. It never goes back, and the first reason stays."""
        if self.state is LeaseState.HELD:
            self._words[_REASON] = REASONS.index(reason) if reason in REASONS else 0
        self._words[_STATE] = max(state, self.state)

    @property
    def state(self) -> LeaseState:
        """Where the lease is, by what was said; its time may be over all the same."""
        word = self._words[_STATE]
        return LeaseState(word) if word in _STATES else LeaseState.OVER

    @property
    def amendment(self) -> int:
        """The newest amendment."""
        return self._words[_AMENDMENT]

    @property
    def reason(self) -> str:
        """Why the lease is over, once it is: what was said first, or that its time is."""
        word = self._words[_REASON]
        return REASONS[word] if 0 <= word < len(REASONS) else EXPIRED

    def is_over(self) -> bool:
        """Whether the job may not go on."""
        return self._words[_STATE] != 0 or not 0 < self._words[_STOPS_AT] - self._clock() <= _MOST

    def remaining_s(self) -> float:
        """Return the seconds until nothing of the job may run any more; negative after that."""
        left = self._words[_DEADLINE] - self._clock()
        return (left if left <= _MOST else -1) / _NS

    def close(self) -> None:
        """Let go of the memory; the file stays."""
        self._words.release()
        self._memory.close()
