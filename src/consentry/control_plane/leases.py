"""Leases: who reads which release, until when, and what was done under them.

A grant is an event under the head lock: it stands after every order that was acknowledged before. A renewal is no
event: it is answered from the head of the ledger, so whatever was acknowledged before it was asked for counts.
"""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace
from typing import Any

from consentry.control_plane.amendments import AmendmentVerbs
from consentry.control_plane.archive import Archive
from consentry.control_plane.barred import barred
from consentry.control_plane.desk import Desk
from consentry.control_plane.hits import Hits
from consentry.control_plane.lease_standing import LeaseStanding, as_job, state_of
from consentry.control_plane.once_recorded import once_recorded
from consentry.control_plane.orders import OrderVerbs
from consentry.control_plane.wording import require_name
from consentry.digests import canonical_json, digest
from consentry.errors import ConsentryError, InputError, IntegrityError, NotFoundError, StateError
from consentry.ledger.oversight_events import (
    ItemsConsumed,
    LeaseEnd,
    LeaseEnded,
    LeaseGranted,
    ModelCheckpointWritten,
)
from consentry.oversight.lease import DEFAULT_TTL_MS, Lease, Renewals, expired, is_well_named, over, require_ttl
from consentry.release.amendment import number_of

_ID_BYTES, _SECRET_BYTES = 9, 32
_DIGEST = "sha256:"


class LeaseVerbs:
    """Verbs of jobs. Only one process may answer renewals: it alone knows until when leases hold."""

    def __init__(
        self, desk: Desk, *, archive: Archive, amendments: AmendmentVerbs, hits: Hits, orders: OrderVerbs
    ) -> None:
        self.desk = desk
        self.archive = archive
        self.amendments = amendments
        self.hits = hits
        self.orders = orders
        self.renewals = Renewals(desk.parts.uptime())

    def take_over(self) -> None:
        """Begin to answer renewals, now that nobody else does: whatever is open may have been renewed until now."""
        with self.desk.lock:
            self.renewals = Renewals(self.desk.parts.uptime())

    def grant(self, release: str, *, job: str, model: str, ttl_ms: int = DEFAULT_TTL_MS) -> tuple[Lease, str]:
        """Let a job read a release, and return the lease with the secret that only the job gets.

        Raises:
            NotFoundError: no such release.
            StateError: it was withdrawn, or an order bars it (`lease-suspended`, `lease-old-terms`).
            InputError: a time to live out of range, or no name of a job or model.
        """
        require_ttl(ttl_ms)
        for what, name in (("job", job), ("model", model)):
            require_name(name, what, code="lease-name")
        # Before the lock is taken: who gets a lease begins with what is left of the release.
        self.amendments.newest(release)
        secret = secrets.token_urlsafe(_SECRET_BYTES)
        body = LeaseGranted(
            lease=f"lease-{secrets.token_hex(_ID_BYTES)}",
            release=release,
            job=job,
            model=model,
            ttl_ms=ttl_ms,
            secret=digest(secret.encode()),
        )
        self.hits.foresee(asked=(release, model))
        with self.desk.lock:
            # Twice: what an order hits takes time to find out, and nobody shall wait for it at the head.
            self.desk.present()
            self._require_readable(release, model)
            self.archive.unchanged(self.archive.remembered(release))
            with self.desk.at_head() as session:
                self._require_readable(release, model)
                (fence,) = session.append([body])
            # Before anybody else looks: a lease of which nothing is known is taken for one of before the start.
            with once_recorded("its holder does not know of it, so that it expires"):
                lease = self.get(body.lease)
            self.renewals.begin(lease, now=self.desk.parts.uptime())
        self.desk.write_down(fence)
        return lease, secret

    def _require_readable(self, release: str, model: str) -> None:
        withdrawn = self.desk.newest.state.releases[release].withdrawn
        if withdrawn is not None:
            raise _withdrawn(release, withdrawn.reason)
        order = self.hits.barring_by_now(release, model=model)
        if order is not None:
            raise barred(order, release, lease=True)

    def heard(self, lease: str, *, secret: str) -> int:
        """Return the newest amendment that the holder of a lease has to know: all that was said until now counts.

        Before the lease is renewed: where nobody can tell what has to leave the release, it is over.

        Raises:
            NotFoundError: there is no such lease.
            StateError: it is somebody else's.
        """
        release = self.held(lease, secret=secret).release
        with suppress(IntegrityError):
            return self.amendments.newest(release)
        return 0

    def renew(self, lease: str, *, secret: str, job: str, fence: int, sequence: int, step: int | None) -> Lease:
        """Renew a lease that is not over; see `consentry.oversight.lease` for who may and when.

        Raises:
            StateError: it is over, was not renewed in time, was revoked (`lease-revoked`, `lease-withdrawn`,
                `lease-unamended`), or is somebody else's.
            ConflictError: the renewal was seen before.
        """
        self.hits.foresee([lease])
        with self.desk.lock:
            found = self.living(lease)
            found.require_holder(secret=secret, job=job, fence=fence)
            self.renewals.renew(found, sequence=sequence, step=step, now=self.desk.parts.uptime())
        return found

    def living(self, lease: str) -> Lease:
        """Return a lease under which somebody may read now.

        Raises:
            NotFoundError: there is no such lease.
            StateError: it is over, or was revoked.
        """
        return self._require_living(self.get(lease))

    def _require_living(self, found: Lease) -> Lease:
        if found.ended is not None:
            raise over(found)
        withdrawn = self.desk.newest.state.releases[found.release].withdrawn
        if withdrawn is not None:
            raise _withdrawn(found.release, withdrawn.reason)
        order = self.hits.hitting(found)
        if order is not None:
            raise StateError(
                "lease-revoked",
                f"order `{order.order}` ({order.reference}) suspends what release `{found.release}` holds",
                help="stop reading; ask for a lease on a release that was built since",
            )
        lost = self.amendments.lost_track(found.release)
        if lost is not None:
            raise StateError(
                "lease-unamended",
                f"nobody can tell what has to leave release `{found.release}`: {lost.message}",
                help="stop reading; restore the file and register it again, or read a release that was built since",
            )
        if self.desk.parts.uptime() >= self.renewals.until(found):
            raise expired(found)
        return found

    def standings(self, leases: Iterable[str]) -> dict[str, LeaseStanding]:
        """Return how it is with those of some leases that are known."""
        leases = list(leases)
        self.hits.foresee(leases)
        self.amendments.foresee(leases)
        with self.desk.lock:
            known = self.desk.present().overseen.leases
            return {name: self._standing(lease) for name in leases if (lease := known.get(name)) is not None}

    def states(self) -> Counter[str]:
        """Count all leases by how it is with them."""
        return Counter(state_of(lease, standing) for lease, standing, _ in self._standing_now(None))

    def _standing_now(self, watched: int | None) -> list[tuple[Lease, LeaseStanding | None, float]]:
        """Return the leases that are watched, all of them if None, with how it is with each and its time left.

        None: it has ended. Of those there may be many, and renewals wait for the lock: nothing is asked of them.
        """
        self.hits.foresee()
        self.amendments.foresee()
        with self.desk.lock:
            known, now = self.desk.present().overseen.leases, self.desk.parts.uptime()
            return [
                (each, None, 0.0)
                if each.ended is not None
                else (each, self._standing(each), max(0.0, self.renewals.until(each) - now))
                for each in (known if watched is None else known.watched(watched))
            ]

    def _standing(self, lease: Lease) -> LeaseStanding:
        amendment = number_of(self.desk.newest.amendments.newest(lease.release))
        try:
            self._require_living(lease)
        except StateError as error:
            words = {"lease-ended": "ended", "lease-expired": "expired"}
            orders = self.hits.all_hitting(lease) if error.code == "lease-revoked" else ()
            named = tuple(order.order for order in orders)
            return LeaseStanding(words.get(error.code, "revoked"), error.message, error.code, amendment, named)
        return LeaseStanding("granted", amendment=amendment)

    def held(self, lease: str, *, secret: str) -> Lease:
        """Return a lease, be it over or not, to who shows its secret.

        Raises:
            NotFoundError: there is no such lease.
            StateError: it is somebody else's.
        """
        with self.desk.lock:
            found = self.get(lease)
        found.require_holder(secret=secret)
        return found

    def get(self, lease: str) -> Lease:
        """Return a lease.

        Raises:
            NotFoundError: there is none of this name.
        """
        found = self.desk.present().overseen.leases.get(lease)
        if found is None:
            raise NotFoundError("lease-unknown", f"no lease `{lease}`", help="ask for one: it is granted to a job")
        return found

    def end(self, lease: str, *, secret: str, how: LeaseEnd, step: int | None) -> Lease:
        """Note that a job reads no longer. Said again, it changes nothing."""
        self.hits.foresee([lease])
        with self.desk.lock:
            found = self.get(lease)
            found.require_holder(secret=secret)
            self._end(found, how, step=step)
        with once_recorded():
            self.orders.drain()
            return self.get(lease)

    def _end(self, lease: Lease, how: LeaseEnd, *, step: int | None) -> None:
        # Before the head is held: what is found out is remembered.
        list(self.hits.all_hitting(lease))
        with self.desk.at_head() as session:
            known = self.desk.newest.overseen.leases.get(lease.lease)
            if known is not None and known.ended is None:
                orders = tuple(order.order for order in self.hits.all_hitting(lease))
                session.append([LeaseEnded(lease=lease.lease, how=how, orders=orders, step=step)])
        self.renewals.forget(lease.lease)

    def expire(self) -> list[str]:
        """End the leases whose time ran out, and note which orders are drained by that. Return the leases ended."""
        self.hits.foresee()
        with self.desk.lock:
            now = self.desk.parts.uptime()
            late = [lease for lease in self.desk.present().overseen.leases.open() if now >= self.renewals.until(lease)]
            for lease in late:
                self._end(lease, LeaseEnd.EXPIRED, step=self.renewals.step(lease))
        self.orders.drain()
        return [lease.lease for lease in late]

    def consumed(
        self, lease: str, *, secret: str, from_step: int, to_step: int, amendment: int, ranges: list[list[int]]
    ) -> None:
        """Note what a job trained on: rows [first, end) of files, for the optimiser steps from one to another.

        Also after the lease is over: what was trained on was trained on. Said again, it changes nothing.

        Raises:
            InputError: ranges that are not in order, overlap, or lie outside of the files of the release.
        """
        found = self.get(lease)
        found.require_holder(secret=secret)
        manifest = self.archive.remembered(found.release).manifest
        rows = [file.pin.rows for file in manifest.files]
        if from_step < 0 or to_step < from_step or not _in_order(ranges, rows):
            raise InputError(
                "lease-ranges",
                "the rows consumed are no ranges of the files of the release",
                help="give [file, first row, end row] in ascending order, without overlaps",
            )
        body = ItemsConsumed(
            lease=lease,
            from_step=from_step,
            to_step=to_step,
            amendment=amendment,
            items=sum(end - first for _, first, end in ranges),
            ranges=self.desk.parts.objects.put(canonical_json(ranges)),
        )
        with self.desk.lock:
            known = self.desk.present().overseen.leases.knows(body)
        # Without the lock, as it waits for a disk: reported twice at a time, it is in the ledger twice and counts once.
        if not known:
            self.desk.parts.ledger.append([body])

    def model_checkpoint(
        self, lease: str, *, secret: str, step: int, name: str, content: str, quarantined: bool = False
    ) -> int:
        """Note that a job wrote a model checkpoint with this digest, and return the position.

        `quarantined`: the job says that it counts for nothing, also after it was confirmed, and after the lease.
        The newest word counts. Said again, it is not noted again.

        Raises:
            StateError: it is over, or overtaken (`Leases.require_turn`). Noted as quarantined, it counts for nothing.
        """
        if not content.startswith(_DIGEST) or not is_well_named(name) or step < 0:
            raise InputError(
                "lease-model-checkpoint", "a model checkpoint needs a name and a digest", help="sha256: and 64 digits"
            )
        self.hits.foresee([lease])
        with self.desk.lock:
            found = self.get(lease)
            found.require_holder(secret=secret)
            refused: ConsentryError | None = None
            body = ModelCheckpointWritten(lease=lease, step=step, name=name, digest=content, quarantined=quarantined)
            with self.desk.at_head() as session:
                try:
                    if not quarantined:
                        self.living(lease)
                        self.desk.newest.overseen.leases.require_turn(self.get(lease), body)
                except StateError as error:
                    refused, body = error, replace(body, quarantined=True)
                known = (at for at, each in self.get(lease).model_checkpoints if each == body)
                position = next(known, None)
                if position is None:
                    (position,) = session.append([body])
        if refused is not None:
            raise refused
        return position

    def jobs(self, *, watched: int | None = None) -> list[dict[str, Any]]:
        """Say of every lease how it is with it and what was done under it; oldest first.

        `watched`: of those that have not ended, and of so many of the others (`Leases.watched`).
        One that is revoked names the orders although nothing was heard of its job yet.
        """
        return [as_job(lease, standing, left=left) for lease, standing, left in self._standing_now(watched)]


def _in_order(ranges: list[list[int]], rows: list[int]) -> bool:
    before = (0, 0)
    for file, first, end in ranges:
        if not 0 <= file < len(rows) or not 0 <= first < end <= rows[file] or (file, first) < before:
            return False
        before = file, end
    return True


def _withdrawn(release: str, reason: str) -> StateError:
    return StateError(
        "lease-withdrawn",
        f"release `{release}` was withdrawn: `{reason}`",
        help="stop reading, and read another release",
    )
