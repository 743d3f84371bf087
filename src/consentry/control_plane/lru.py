"""A memory that forgets what was asked for longest ago, once all of it together weighs too much."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from threading import Lock
from typing import Generic, TypeVar

V = TypeVar("V")


class Lru(Generic[V]):
    """Remembers values by key, and of all but the newest as many as weigh little enough. Threads may share it.

    INVARIANT: what a value weighs does not change: it is weighed once.
    """

    def __init__(self, weigh: Callable[[V], int]) -> None:
        self._weigh = weigh
        self._lock = Lock()
        self._values: dict[Hashable, tuple[V, int]] = {}
        self._weight = 0

    def get(self, key: Hashable) -> V | None:
        """Return what is remembered, and count it as asked for last."""
        with self._lock:
            found = self._values.pop(key, None)
            if found is None:
                return None
            self._values[key] = found
            return found[0]

    def put(self, key: Hashable, value: V, *, most: int) -> None:
        """Remember a value; others are forgotten until all weigh at most so much, or only it is left."""
        weight = self._weigh(value)
        with self._lock:
            self._forget(key)
            self._values[key] = value, weight
            self._weight += weight
            while self._weight > most and len(self._values) > 1:
                self._forget(next(iter(self._values)))

    def _forget(self, key: Hashable) -> None:
        _, weight = self._values.pop(key, (None, 0))
        self._weight -= weight
