"""What the holder of a lease knows about it, and until when it may go on. Pure: time is an argument.

    granted ──► renewed ──► over(reason)
       └──────────────────────▲            over is for ever

Times are seconds of one clock that nobody can set and that counts while the machine sleeps (the boot clock): whatever
is done to the wall clock changes nothing. An answer counts from *before* its request was sent, so it never gives more
time than the control plane gave. An answer that does not name the request it answers, or comes too late, gives none.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Final

TTL_LEAST_S, TTL_MOST_S = 1.0, 3600.0
_STOPPING, _STOPPING_LEAST_S = 20, 0.1
"""The part of a time to live that a job has for stopping, all ranks of it: a step, and saying that it stopped."""

EXPIRED: Final = "lease-expired"
ENDED: Final = "lease-ended"
WATCHDOG_GONE: Final = "lease-watchdog-gone"
HOLDER_FAILED: Final = "lease-holder-failed"
SAID: Final = (ENDED, "lease-revoked", "lease-withdrawn", "lease-not-yours")
UNAMENDED: Final = "lease-unamended"
UNKNOWN: Final = "lease-unknown"
TERMINAL: Final = frozenset({EXPIRED, *SAID, UNAMENDED, UNKNOWN})
"""Answers after which a lease does not come back. What other answers mean: `refusals.py`."""

REASONS: Final = (EXPIRED, *SAID, WATCHDOG_GONE, HOLDER_FAILED, UNAMENDED, UNKNOWN)
"""Why a lease is over, in an order that all processes of a job agree on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A request for a lease or its renewal. `at` is the boot clock before it was sent; `sequence` 0 is the grant."""

    nonce: str
    sequence: int
    at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Holding:
    """A lease as its holder sees it.

    `deadline` is the moment at which nothing of the job may run any more; the job itself stops earlier.
    """

    fence: int
    ttl_s: float
    deadline: float
    amendment: int = 0
    sequence: int = 0
    over: str | None = None

    @property
    def stopping_s(self) -> float:
        """How long the job has for stopping."""
        return max(self.ttl_s / _STOPPING, _STOPPING_LEAST_S)

    @property
    def stops_at(self) -> float:
        """The moment from which the job itself may not go on."""
        return self.deadline - self.stopping_s

    def unanswered_s(self, now: float) -> float:
        """Return how long ago that was sent which was answered last: the grant, or a renewal."""
        return max(now - (self.deadline + margin_s(self.ttl_s) - self.ttl_s), 0)

    def at(self, now: float) -> Holding:
        """Return the lease as it is at a moment: over, once its time is."""
        return self if self.over or now < self.stops_at else replace(self, over=EXPIRED)

    def ask(self, nonce: str, *, now: float) -> tuple[Holding, Asked]:
        """Return the lease with one more request on its way, and that request."""
        asked = Asked(nonce=nonce, sequence=self.sequence + 1, at=now)
        return replace(self, sequence=asked.sequence), asked

    def answered(self, asked: Asked, answer: Any, *, now: float) -> Holding:
        """Return the lease after an answer to a renewal; what is not understood changes nothing."""
        current = self.at(now)
        ttl = _ttl(answer)
        fits = (
            ttl is not None
            and answer.get("nonce") == asked.nonce
            and _whole(answer.get("sequence")) == asked.sequence
            and _whole(answer.get("fence")) == self.fence
            and asked.at <= now
        )
        if current.over or not fits or ttl is None:
            return current
        extended = replace(current, ttl_s=ttl, deadline=max(current.deadline, _deadline(asked, ttl)))
        return extended.amended(answer.get("amendment")).at(now)

    def amended(self, amendment: Any) -> Holding:
        """Return the lease with the newest amendment seen; an older one changes nothing."""
        newest = _whole(amendment)
        return self if newest is None or newest <= self.amendment else replace(self, amendment=newest)

    def ended(self, reason: str) -> Holding:
        """Return the lease as over; the first reason stays."""
        return self if self.over else replace(self, over=reason)


def granted(asked: Asked, answer: Any, *, now: float) -> Holding | None:
    """Return the lease an answer to the first request gives, None if it does not answer that request."""
    ttl = _ttl(answer)
    if ttl is None or answer.get("nonce") != asked.nonce or (fence := _whole(answer.get("fence"))) is None:
        return None
    holding = Holding(fence=fence, ttl_s=ttl, deadline=_deadline(asked, ttl), sequence=asked.sequence)
    return holding.amended(answer.get("amendment")).at(now)


def margin_s(ttl_s: float) -> float:
    """Return what is taken off a time to live, for clocks of different rates."""
    return max(ttl_s / 100, 0.05)


def _deadline(asked: Asked, ttl_s: float) -> float:
    return asked.at + ttl_s - margin_s(ttl_s)


def _ttl(answer: Any) -> float | None:
    ttl = answer.get("ttl_s") if isinstance(answer, dict) else None
    if isinstance(ttl, bool) or not isinstance(ttl, (int, float)) or not TTL_LEAST_S <= ttl <= TTL_MOST_S:
        return None
    return float(ttl)


def _whole(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None
