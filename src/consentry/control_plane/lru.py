"""A memory that forgets what was asked for longest ago, once all of it together weighs too much."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from threading import Lock
from typing import Generic, TypeVar

V = TypeVar("V")


class Lru(Generic[V]):
    """Remembers values by key, and of all but the newest as many as weigh little enough. Threads may share it."""

    def __init__(self, weigh: Callable[[V], int]) -> None:
        self._weigh = weigh
        self._lock = Lock()
        self._values: dict[Hashable, V] = {}

    def get(self, key: Hashable) -> V | None:
        """Return what is remembered, and count it as asked for last."""
        with self._lock:
            found = self._values.pop(key, None)
            if found is not None:
                self._values[key] = found
            return found

    def put(self, key: Hashable, value: V, *, most: int) -> None:
        """Remember a value; others are forgotten until all weigh at most so much, or only it is left."""
        with self._lock:
            self._values.pop(key, None)
            self._values[key] = value
            weight = sum(map(self._weigh, self._values.values()))
            while weight > most and len(self._values) > 1:
                weight -= self._weigh(self._values.pop(next(iter(self._values))))
