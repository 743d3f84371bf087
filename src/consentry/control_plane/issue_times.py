"""When orders were issued, by a clock that nobody sets: to say how long it took until nobody read what one hits.

The time of day may be set back or forward in between, and what is said to an authority must not follow it. The boot
clock is one for all processes of a machine that was not booted since: a command may issue an order, and the server note
that it is drained. If they ran on two machines, or the machine was booted between, nobody knows how long it took.

cache/issued/ORDER.json  owned by this module: which boot, and its seconds. Written before the order is appended,
                         deleted once it is drained. Lost in a crash, or deleted before: the time is unknown then
"""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class IssueTimes:
    """The times of orders in a folder, by the boot clock of this machine."""

    folder: Path
    boot: str
    """Which start of which machine `uptime` counts from."""
    uptime: Callable[[], float]

    def note(self, order: str) -> None:
        """Note that an order is being issued. It is given whether or not this can be written down."""
        with suppress(OSError):
            self.folder.mkdir(parents=True, exist_ok=True)
            self._path(order).write_text(json.dumps({"boot": self.boot, "uptime": self.uptime()}))

    def since_ms(self, order: str) -> int | None:
        """Return the milliseconds since an order was issued, None if that is unknown."""
        try:
            noted = json.loads(self._path(order).read_text())
            took = self.uptime() - float(noted["uptime"])
            same = noted["boot"] == self.boot
        except (OSError, ValueError, TypeError, KeyError):
            return None
        return round(took * 1_000) if same and took >= 0 else None

    def forget(self, order: str) -> None:
        """Delete what was noted of an order that is drained."""
        with suppress(OSError):
            self._path(order).unlink(missing_ok=True)

    def _path(self, order: str) -> Path:
        return self.folder / f"{order}.json"
