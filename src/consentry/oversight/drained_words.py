"""How long it took until nobody read what an order suspends, in words: the same wherever it is told."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from consentry.ledger.oversight_events import Milliseconds

_LEASES = ("stopped", "expired", "released", "failed")


def drained_in_words(*, after_ms: Milliseconds | None, leases: int | None, called: str = "lease") -> str:
    """Say how long it took until nobody read what an order suspends (None: unknown), and how many leases there were.

    With None as the number of leases, somebody still may. Earlier forms of reports `called` them jobs.
    """
    if leases is None:
        return "not yet"
    if not leases:
        return "at once, no job read it"
    return f"{after_in_words(after_ms)}, {leases:,} {called if leases == 1 else called + 's'}"


def after_in_words(after_ms: Milliseconds | None) -> str:
    """Say how long something took, None: nobody knows."""
    return "after a time that is unknown" if after_ms is None else f"after {after_ms / 1000:.1f} s"


def took_in_words(said: Mapping[str, Any]) -> str:
    """Say it of what an event says (`order.drained`): where no job read, there was nothing to wait for."""
    if any(said[name] for name in _LEASES if name in said):
        return after_in_words(said["took_ms"])
    return drained_in_words(after_ms=said["took_ms"], leases=0)
