"""`python jumping_clock.py ARGUMENT...` is `consentry ARGUMENT...` with a wall clock that somebody sets while it runs.

A day forward at SIGUSR1, a day back at SIGUSR2.
"""

from __future__ import annotations

import signal
import time

_DAY_S = 86_400


class WallClock:
    """The wall clock, and how far it was set."""

    def __init__(self) -> None:
        self._seconds, self._nanoseconds, self._ahead = time.time, time.time_ns, 0

    def jump(self, number: int, _frame: object) -> None:
        """Set it."""
        self._ahead += _DAY_S if number == signal.SIGUSR1 else -_DAY_S

    def seconds(self) -> float:
        """Return what it shows."""
        return self._seconds() + self._ahead

    def nanoseconds(self) -> int:
        """Return what it shows."""
        return self._nanoseconds() + self._ahead * 1_000_000_000


if __name__ == "__main__":
    wall = WallClock()
    time.time, time.time_ns = wall.seconds, wall.nanoseconds
    for each in (signal.SIGUSR1, signal.SIGUSR2):
        signal.signal(each, wall.jump)
    from consentry.cli.main import main

    main()
