"""Leases: the time-limited right of one job to read one release.

Granted -> renewed ... -> released | stopped | failed | expired. *Revoked* is no event: a lease is revoked when an order
hits it or its release is withdrawn; the job then says that it stopped, or its time runs out.

Rules:

* The fence of a lease is the position of its grant: of two leases the later one has the higher fence.
* A renewal is answered from what is known at the head of the ledger: whatever was acknowledged before counts.
* Whoever renews shows the secret and names the job and the fence that were granted.
* Renewals are numbered. A number that is not higher than the last one is a replay: it is refused and extends nothing.
* Over is for ever.
* The end of a lease on this side is later than on the holder's, who counts from before it asked. After a restart this
  side does not know what it renewed, and takes every lease to have been renewed at that moment.

`Leases` is what the ledger says. `Renewals` is what only the running server knows: until when, on its boot clock.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice, takewhile

from consentry.digests import Digest, digest
from consentry.errors import ConflictError, InputError, StateError
from consentry.ledger.envelope import Event
from consentry.ledger.oversight_events import (
    ItemsConsumed,
    LeaseEnd,
    LeaseEnded,
    LeaseEndedV1,
    LeaseGranted,
    ModelCheckpointWritten,
)
from consentry.policy.choice import Seconds

_Later = LeaseEndedV1 | LeaseEnded | ItemsConsumed | ModelCheckpointWritten
"""What is said of a lease once it is granted."""
DEFAULT_TTL_MS = 60_000
SHORTEST_TTL_MS, LONGEST_TTL_MS = 1_000, 3_600_000
_MARGIN = 0.05
"""The share of the time to live by which this side waits longer than the holder: clocks do not run equally fast."""


_AT_A_PLACE = re.compile(r"@[A-Za-z0-9][A-Za-z0-9._-]*/[A-Za-z0-9][A-Za-z0-9._-]*")


def is_well_named(checkpoint: str) -> bool:
    """Say whether a model checkpoint has a name: any, but where it begins with `@`, spelled in one way only."""
    return bool(checkpoint) and (checkpoint[0] != "@" or _AT_A_PLACE.fullmatch(checkpoint) is not None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a lease ended."""

    how: LeaseEnd
    position: int
    at: Seconds
    orders: tuple[str, ...]
    """All that hit it then, or one of them, where the ledger names but one."""
    step: int | None
    one_named: bool = False
    """It was said while an end named one order: others may have hit it as well."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """A lease as the ledger knows it."""

    lease: str
    release: str
    job: str
    model: str
    ttl_ms: int
    secret: Digest
    fence: int
    granted_at: Seconds
    ended: Ended | None = None
    step: int | None = None
    """The last optimiser step whose items were logged."""
    items: int = 0
    """How many items were logged, each as often as it was."""
    model_checkpoints: tuple[tuple[int, ModelCheckpointWritten], ...] = ()
    """Positions and model checkpoints, the newest word about each."""

    def require_holder(self, *, secret: str, job: str | None = None, fence: int | None = None) -> None:
        """Refuse somebody else.

        Raises:
            StateError: another secret, job or fence than was granted.
        """
        shown = hmac.compare_digest(digest(secret.encode()), self.secret)
        if not shown or job not in (None, self.job) or fence not in (None, self.fence):
            raise StateError(
                "lease-not-yours",
                f"lease `{self.lease}` was granted to another job, or under another fence",
                help="renew with the secret, job and fence of the answer to your own request",
            )


class Leases:
    """All leases, folded from events."""

    def __init__(self) -> None:
        self._leases: dict[str, Lease] = {}
        self._open: dict[str, None] = {}
        self._ended: dict[str, None] = {}
        """In the order in which they ended."""
        self._ended_by: dict[str, list[str]] = {}
        """By order: the leases whose end names it, in the order in which they ended."""
        self._one_named: list[str] = []
        """Those whose end names one order of those that hit them, in the order in which they ended."""
        # Not in the leases: a job reports thousands of times, and each report would copy all before it.
        self._reported: dict[str, set[tuple[int, int, Digest]]] = {}
        self._fences: dict[tuple[str, str], int] = {}
        """By place and model: the highest fence under which a model checkpoint was kept there."""
        self._kept: set[str] = set()
        """Names with a place under which a model checkpoint was kept."""

    def __iter__(self) -> Iterator[Lease]:
        # Of a copy: to find out what an order hits, the present is asked for, and that may take new events in.
        return iter(tuple(self._leases.values()))

    def __len__(self) -> int:
        return len(self._leases)

    def get(self, lease: str) -> Lease | None:
        """Return a lease."""
        return self._leases.get(lease)

    def watched(self, count: int) -> tuple[Lease, ...]:
        """Return every lease that has not ended, so many of those that ended last and of the newest; oldest first."""
        names = {*self._open, *islice(reversed(self._ended), count), *islice(reversed(self._leases), count)}
        return tuple(sorted((self._leases[name] for name in names), key=lambda each: each.fence))

    def knows(self, report: ItemsConsumed) -> bool:
        """Say whether what was consumed in some steps was reported before."""
        return _steps(report) in self._reported.get(report.lease, ())

    def require_turn(self, lease: Lease, written: ModelCheckpointWritten) -> None:
        """Refuse a model checkpoint `@PLACE/NAME` under a lease that was overtaken at that place.

        That is a place that keeps no order itself: there, what is kept has the order of the ledger. A name without a
        place is never refused, nor is what was confirmed before.

        Raises:
            ConflictError: a later lease of the model kept one there, or another one of this name was kept.
        """
        name, place = written.name, _place_of(written.name)
        if any(each == written for _, each in lease.model_checkpoints):
            return
        if self._fences.get((place, lease.model), 0) > lease.fence:
            raise ConflictError(
                "checkpoint-fence-stale",
                f"a later lease keeps model checkpoints of `{lease.model}` at `{place}`",
                help="stop this job: it was replaced. What it wrote is in quarantine",
            )
        if name in self._kept:
            raise ConflictError(
                "checkpoint-exists",
                f"there is a model checkpoint `{name}` already",
                help="name each differently: by job and step, for example",
            )

    def open(self) -> tuple[Lease, ...]:
        """Return the leases that have not ended, oldest first."""
        return tuple(self._leases[name] for name in tuple(self._open))

    def ended_by(self, order: str) -> tuple[Lease, ...]:
        """Return the leases that an order hit when they ended, in the order in which they did."""
        return tuple(self._leases[name] for name in self._ended_by.get(order, ()))

    def ended_since(self, position: int, *, by: str) -> bool:
        """Say whether a lease ended after a position whose end names an order."""
        names = self._ended_by.get(by)
        last = self._leases[names[-1]].ended if names else None
        return last is not None and last.position > position

    def one_named(self, *, since: int) -> Iterator[Lease]:
        """Yield the leases that ended after a position, and whose end names one order though more may have hit."""
        return self._ended_after(since, reversed(self._one_named))

    def ended_after(self, position: int) -> Iterator[Lease]:
        """Yield the leases that ended after a position, the last first."""
        return self._ended_after(position, reversed(self._ended))

    def open_at(self, position: int) -> tuple[Lease, ...]:
        """Return the leases that were open when the event at a position was said, as they are now, oldest first."""
        there = (*self.open(), *self.ended_after(position))
        return tuple(sorted((each for each in there if each.fence < position), key=lambda each: each.fence))

    def _ended_after(self, position: int, names: Iterator[str]) -> Iterator[Lease]:
        """Yield those of some leases that ended after a position; `names` begins with the one that ended last."""
        found = map(self._leases.__getitem__, names)
        return takewhile(lambda each: each.ended is not None and each.ended.position > position, found)

    def take(self, event: Event) -> None:
        """Take one event in, if it is about leases."""
        body = event.body
        if isinstance(body, LeaseGranted):
            self._leases[body.lease] = Lease(
                lease=body.lease,
                release=body.release,
                job=body.job,
                model=body.model,
                ttl_ms=body.ttl_ms,
                secret=body.secret,
                fence=event.position,
                granted_at=event.recorded_at,
            )
            self._open[body.lease] = None
        elif isinstance(body, _Later) and body.lease in self._leases:
            if isinstance(body, ItemsConsumed):
                if self.knows(body):
                    return
                self._reported.setdefault(body.lease, set()).add(_steps(body))
            elif isinstance(body, LeaseEndedV1 | LeaseEnded) and self._leases[body.lease].ended is None:
                self._open.pop(body.lease, None)
                self._ended.setdefault(body.lease)
                for order in _orders(body):
                    self._ended_by.setdefault(order, []).append(body.lease)
                if _names_one(body):
                    self._one_named.append(body.lease)
            elif isinstance(body, ModelCheckpointWritten) and not body.quarantined and _place_of(body.name):
                lease = self._leases[body.lease]
                place = _place_of(body.name), lease.model
                self._fences[place] = max(self._fences.get(place, 0), lease.fence)
                self._kept.add(body.name)
            self._leases[body.lease] = _after(self._leases[body.lease], body, event)


def _place_of(name: str) -> str:
    """Return the place in the name of a model checkpoint, `@PLACE/NAME`; nothing if it names none."""
    return name.partition("/")[0] if name.startswith("@") else ""


def _after(lease: Lease, body: _Later, event: Event) -> Lease:
    if isinstance(body, ItemsConsumed):
        step = body.to_step if lease.step is None else max(lease.step, body.to_step)
        return replace(lease, step=step, items=lease.items + body.items)
    if isinstance(body, ModelCheckpointWritten):
        others = (each for each in lease.model_checkpoints if replace(each[1], quarantined=body.quarantined) != body)
        return replace(lease, model_checkpoints=(*others, (event.position, body)))
    ended = Ended(
        how=body.how,
        position=event.position,
        at=event.recorded_at,
        orders=_orders(body),
        step=body.step,
        one_named=_names_one(body),
    )
    return replace(lease, ended=lease.ended or ended)


def _orders(body: LeaseEndedV1 | LeaseEnded) -> tuple[str, ...]:
    if isinstance(body, LeaseEnded):
        return body.orders
    return () if body.order is None else (body.order,)


def _names_one(body: LeaseEndedV1 | LeaseEnded) -> bool:
    return isinstance(body, LeaseEndedV1) and body.order is not None


def _steps(report: ItemsConsumed) -> tuple[int, int, Digest]:
    """Return by what a report is known. With the ranges: one step may consume too much for one report."""
    return report.from_step, report.to_step, report.ranges


def require_ttl(ttl_ms: int) -> int:
    """Refuse a time to live that is too short to be renewed, or too long to stop anything.

    Raises:
        InputError: it is out of range.
    """
    if not SHORTEST_TTL_MS <= ttl_ms <= LONGEST_TTL_MS:
        raise InputError(
            "lease-ttl-out-of-range",
            f"a time to live of `{ttl_ms / 1000:g}` seconds is out of range",
            help=f"give {SHORTEST_TTL_MS // 1000} to {LONGEST_TTL_MS // 1000} seconds",
        )
    return ttl_ms


@dataclass(slots=True)
class _Renewed:
    until: float
    sequence: int = 0
    step: int | None = None


class Renewals:
    """Until when leases hold, on the boot clock of this machine. One object a server; the caller guards it."""

    def __init__(self, started: float) -> None:
        self._started = started
        self._known: dict[str, _Renewed] = {}

    def begin(self, lease: Lease, *, now: float) -> None:
        """Note that a lease was granted."""
        self._known[lease.lease] = _Renewed(until=now + _longest(lease))

    def renew(self, lease: Lease, *, sequence: int, step: int | None, now: float) -> None:
        """Note that a lease was renewed.

        Raises:
            StateError: its time was over.
            ConflictError: the renewal was seen before.
        """
        held = self._held(lease)
        if now >= held.until:
            raise expired(lease)
        if sequence <= held.sequence:
            raise ConflictError(
                "lease-replayed",
                f"renewal {sequence} of lease `{lease.lease}` is not newer than {held.sequence}",
                help="number renewals upwards, and never send one again",
            )
        held.until, held.sequence, held.step = now + _longest(lease), sequence, step

    def until(self, lease: Lease) -> float:
        """Return when a lease is over if nobody renews it."""
        return self._held(lease).until

    def step(self, lease: Lease) -> int | None:
        """Return the step of the job as its last renewal told."""
        return self._held(lease).step

    def forget(self, lease: str) -> None:
        """Drop what is known of a lease that ended."""
        self._known.pop(lease, None)

    def _held(self, lease: Lease) -> _Renewed:
        return self._known.setdefault(lease.lease, _Renewed(until=self._started + _longest(lease)))


def _longest(lease: Lease) -> float:
    return lease.ttl_ms / 1000 * (1 + _MARGIN)


def expired(lease: Lease) -> StateError:
    """Return the error for a lease whose time ran out."""
    return StateError(
        "lease-expired",
        f"lease `{lease.lease}` was not renewed in time",
        help="stop reading, and ask for a new lease",
    )


def over(lease: Lease) -> StateError:
    """Return the error for a lease that ended."""
    how = "" if lease.ended is None else f": it {_ENDINGS[lease.ended.how]}"
    return StateError(
        "lease-ended", f"lease `{lease.lease}` is over{how}", help="stop reading, and ask for a new lease"
    )


_ENDINGS = {
    LeaseEnd.RELEASED: "was released",
    LeaseEnd.STOPPED: "was stopped",
    LeaseEnd.EXPIRED: "was not renewed in time",
    LeaseEnd.FAILED: "ended when its job failed",
}
