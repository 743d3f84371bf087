"""How it is with the leases of other ranks, as the control plane sees it: who waits for a rank asks about it.

A rank that stands still with its watchdog, or whose machine is off, closes no connection, and nobody on its side says
anything. But nobody renews its lease either, and the control plane knows when that was over.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

from consentry.errors import UnavailableError
from consentry.training.holding import TTL_MOST_S
from consentry.training.http import Requests

_GONE = ("expired", "failed")
"""What is said of a lease whose job does nothing more and did not say so. Who stopped, or is done, left by itself."""
_GRANTED = "granted"
_MOST_S = 2 * TTL_MOST_S


@dataclass(frozen=True, slots=True, kw_only=True)
class OtherLeases:
    """What the workload may ask about all leases."""

    url: str
    credential: str = field(repr=False)

    def left_s(self, fences: Collection[int], *, timeout_s: float) -> float | None:
        """Return for how long the first of these leases to be over holds, unless it is renewed.

        A negative number: one was not renewed in time, or its job failed. None: there is no answer that says so.
        """
        meant = self._meant(fences, timeout_s)
        if meant is None:
            return None
        if any(each.get("state") in _GONE for each in meant):
            return -1.0
        return min((_seconds(each.get("left_s")) for each in meant if each.get("state") == _GRANTED), default=None)

    def granted(self, fences: Collection[int], *, timeout_s: float) -> frozenset[int] | None:
        """Return which of these leases are granted now; None: there is no answer that says so."""
        meant = self._meant(fences, timeout_s)
        return None if meant is None else frozenset(each["fence"] for each in meant if each.get("state") == _GRANTED)

    def _meant(self, fences: Collection[int], timeout_s: float) -> list[dict[str, Any]] | None:
        try:
            answer = Requests(self.url).send("GET", "/v1/leases", secret=self.credential, timeout_s=timeout_s)
        except UnavailableError:
            return None
        leases = answer.json().get("leases") if answer.ok else None
        if not isinstance(leases, list):
            return None
        return [each for each in leases if isinstance(each, dict) and _is_of(each.get("fence"), fences)]


def _is_of(fence: Any, fences: Collection[int]) -> bool:
    return type(fence) is int and fence in fences


def _seconds(value: Any) -> float:
    """Return a number of seconds; what is none that a lease can have left is 0, so that it is asked for again."""
    counts = type(value) in (int, float) and 0 <= value <= _MOST_S  # so it is neither infinite nor no number
    return float(value) if counts else 0.0
