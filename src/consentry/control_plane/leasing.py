"""Leases: who reads which release, until when, and what was done under them.

A grant is an event under the head lock: it stands after every order that was acknowledged before. A renewal is no
event: it is answered from the head of the ledger, so whatever was acknowledged before it was asked for counts.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from typing import Any

from consentry.control_plane import newest_word
from consentry.control_plane.handing_out import HandingOut
from consentry.control_plane.parts import Parts
from consentry.digests import canonical_json, digest
from consentry.errors import ConflictError, ConsentryError, InputError, NotFoundError, StateError
from consentry.ledger.oversight_events import (
    ItemsConsumed,
    LeaseEnd,
    LeaseEnded,
    LeaseGranted,
    ModelCheckpointWritten,
)
from consentry.oversight.lease import DEFAULT_TTL_MS, Lease, Renewals, expired, over, require_ttl
from consentry.policy.policy_parser import IDENTIFIER
from consentry.release.manifest import ReleaseFile

_ID_BYTES, _SECRET_BYTES = 9, 32
_DIGEST = "sha256:"


class Leasing(HandingOut):
    """Verbs of jobs. Only one process may answer renewals: it alone knows until when leases hold."""

    def __init__(self, parts: Parts) -> None:
        super().__init__(parts)
        self.renewals = Renewals(parts.uptime())

    def grant(self, release: str, *, job: str, model: str, ttl_ms: int = DEFAULT_TTL_MS) -> tuple[Lease, str]:
        """Let a job read a release, and return the lease with the secret that only the job gets.

        Raises:
            NotFoundError: no such release.
            StateError: it was withdrawn, or an order in force hits it (`lease-suspended`).
            InputError: a time to live out of range, or no name of a job or model.
        """
        require_ttl(ttl_ms)
        for what, name in (("job", job), ("model", model)):
            if not IDENTIFIER.fullmatch(name):
                raise InputError(
                    "lease-name",
                    f"`{name}` is no name of a {what}",
                    help="use lower-case letters, digits and hyphens",
                )
        # Before the lock is taken: who gets a lease begins with what is left of the release.
        self.amendment(release)
        secret = secrets.token_urlsafe(_SECRET_BYTES)
        body = LeaseGranted(
            lease=f"lease-{secrets.token_hex(_ID_BYTES)}",
            release=release,
            job=job,
            model=model,
            ttl_ms=ttl_ms,
            secret=digest(secret.encode()),
        )
        with self.lock:
            # Twice: what an order hits takes time to find out, and nobody shall wait for it at the head.
            self.present()
            self._require_readable(release, model)
            self._unchanged(self.release(release))
            with self.parts.ledger.sealing() as session:
                self._advance(session.read_delta(self.newest.position))
                self._require_readable(release, model)
                (fence,) = session.append([body])
            # Before anybody else looks: a lease of which nothing is known is taken for one of before the start.
            lease = self._lease(body.lease)
            self.renewals.begin(lease, now=self.parts.uptime())
        newest_word.write_down(self.parts.home, self.parts.ledger, position=fence)
        return lease, secret

    def _require_readable(self, release: str, model: str) -> None:
        withdrawn = self.newest.state.releases[release].withdrawn
        if withdrawn is not None:
            raise _withdrawn(release, withdrawn.reason)
        for order in self.newest.record.orders.in_force():
            if order.scope.names(model) and self.hits(order, release):
                raise StateError(
                    "lease-suspended",
                    f"release `{release}` holds what order `{order.order}` suspends ({order.reference})",
                    help="build a release now: it leaves out what is suspended",
                )

    def renew(self, lease: str, *, secret: str, job: str, fence: int, sequence: int, step: int | None) -> Lease:
        """Renew a lease that is not over; see `consentry.oversight.lease` for who may and when.

        Raises:
            StateError: it is over, was not renewed in time, was revoked (`lease-revoked`, `lease-withdrawn`), or is
                somebody else's.
            ConflictError: the renewal was seen before.
        """
        with self.lock:
            found = self.living(lease)
            found.require_holder(secret=secret, job=job, fence=fence)
            self.renewals.renew(found, sequence=sequence, step=step, now=self.parts.uptime())
        return found

    def living(self, lease: str) -> Lease:
        """Return a lease under which somebody may read now.

        Raises:
            NotFoundError: there is no such lease.
            StateError: it is over, or was revoked.
        """
        return self._require_living(self._lease(lease))

    def _require_living(self, found: Lease) -> Lease:
        if found.ended is not None:
            raise over(found)
        withdrawn = self.newest.state.releases[found.release].withdrawn
        if withdrawn is not None:
            raise _withdrawn(found.release, withdrawn.reason)
        order = self.hitting(found)
        if order is not None:
            raise StateError(
                "lease-revoked",
                f"order `{order.order}` ({order.reference}) suspends what release `{found.release}` holds",
                help="stop reading; ask for a lease on a release that was built since",
            )
        if self.parts.uptime() >= self.renewals.until(found):
            raise expired(found)
        return found

    def standings(self, leases: Iterable[str]) -> dict[str, tuple[str, str]]:
        """Return how it is with leases (granted, revoked, expired or ended), and why if they are over."""
        with self.lock:
            known = self.present().record.leases
            return {name: self._standing(lease) for name in leases if (lease := known.get(name)) is not None}

    def _standing(self, lease: Lease) -> tuple[str, str]:
        try:
            self._require_living(lease)
        except StateError as error:
            words = {"lease-ended": "ended", "lease-expired": "expired"}
            return words.get(error.code, "revoked"), error.message
        return "granted", ""

    def held(self, lease: str, *, secret: str) -> Lease:
        """Return a lease, be it over or not, to who shows its secret.

        Raises:
            NotFoundError: there is no such lease.
            StateError: it is somebody else's.
        """
        with self.lock:
            found = self._lease(lease)
        found.require_holder(secret=secret)
        return found

    def handed_out(self, lease: str, *, secret: str, index: int) -> bytes:
        """Return the rows of a file that its reader leaves out, as a portable 64-bit roaring bitmap; none: no bytes.

        Raises:
            StateError: the lease is over, or somebody else's.
            NotFoundError: the release has no such file.
        """
        with self.lock:
            self.held(lease, secret=secret)
            found = self.living(lease)
        file = self.file_of(found.release, index)
        return self.release(found.release).bitmap(file) if file.bitmap.cardinality else b""

    def file_of(self, release: str, index: int) -> ReleaseFile:
        """Return a file of a release by its index.

        Raises:
            NotFoundError: it has none of this index.
        """
        files = self.release(release).manifest.files
        if not 0 <= index < len(files):
            raise NotFoundError(
                "lease-file-unknown",
                f"the release has no file `{index}`",
                help="use an index from the answer to the request for the lease",
            )
        return files[index]

    def described(self, release: str) -> dict[str, Any]:
        """Return what the reader of a release is told: its name, the digest of its manifest, its purpose and files."""
        opened = self.release(release)
        base = self._unchanged(opened).base.absolute()
        return {
            "name": release,
            "manifest": self.sealed_as(release).manifest,
            "purpose": str(opened.manifest.purpose),
            "files": [
                {
                    "index": index,
                    "path": str(base / file.pin.path),
                    "size": file.pin.size,
                    "rows": file.pin.rows,
                    "digest": file.pin.digest,
                }
                for index, file in enumerate(opened.manifest.files)
            ],
        }

    def _lease(self, lease: str) -> Lease:
        found = self.present().record.leases.get(lease)
        if found is None:
            raise NotFoundError("lease-unknown", f"no lease `{lease}`", help="ask for one: it is granted to a job")
        return found

    def end_lease(self, lease: str, *, secret: str, how: LeaseEnd, step: int | None) -> Lease:
        """Note that a job reads no longer. Said again, it changes nothing."""
        with self.lock:
            found = self._lease(lease)
            found.require_holder(secret=secret)
            self._end(found, how, step=step)
        self.drain()
        return self._lease(lease)

    def _end(self, lease: Lease, how: LeaseEnd, *, step: int | None) -> None:
        self.hitting(lease)
        with self.parts.ledger.sealing() as session:
            self._advance(session.read_delta(self.newest.position))
            known = self.newest.record.leases.get(lease.lease)
            if known is not None and known.ended is None:
                order = self.hitting(lease)
                session.append(
                    [LeaseEnded(lease=lease.lease, how=how, order=None if order is None else order.order, step=step)]
                )
        self.renewals.forget(lease.lease)

    def expire(self) -> list[str]:
        """End the leases whose time ran out, and note which orders are drained by that. Return the leases ended."""
        with self.lock:
            now = self.parts.uptime()
            late = [lease for lease in self.present().record.leases.open() if now >= self.renewals.until(lease)]
            for lease in late:
                self._end(lease, LeaseEnd.EXPIRED, step=self.renewals.step(lease))
        self.drain()
        return [lease.lease for lease in late]

    def consumed(
        self, lease: str, *, secret: str, from_step: int, to_step: int, amendment: int, ranges: list[list[int]]
    ) -> None:
        """Note what a job trained on: rows [first, end) of files, for the optimiser steps from one to another.

        Also after the lease is over: what was trained on was trained on. Said again, it changes nothing.

        Raises:
            InputError: ranges that are not in order, overlap, or lie outside of the files of the release.
            ConflictError: other ranges were logged for these steps.
        """
        found = self._lease(lease)
        found.require_holder(secret=secret)
        manifest = self.release(found.release).manifest
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
            ranges=self.parts.objects.put(canonical_json(ranges)),
        )
        with self.lock:
            logged = self.present().record.leases.report(lease, from_step, to_step=to_step)
            if logged is None:
                self.parts.ledger.append([body])
        if logged not in (None, body.ranges):
            raise ConflictError(
                "lease-consumption-differs",
                f"other rows were logged for steps {from_step} to {to_step} of lease `{lease}`",
                help="log each step once; under one lease steps count upwards",
            )

    def model_checkpoint(self, lease: str, *, secret: str, step: int, name: str, content: str) -> int:
        """Note that a job wrote a model checkpoint with this digest, and return the position.

        Raises:
            StateError: the lease is over. It is noted as quarantined, and counts for nothing.
        """
        if not content.startswith(_DIGEST) or not name or step < 0:
            raise InputError(
                "lease-model-checkpoint", "a model checkpoint needs a name and a digest", help="sha256: and 64 digits"
            )
        with self.lock:
            found = self._lease(lease)
            found.require_holder(secret=secret)
            refused: ConsentryError | None = None
            with self.parts.ledger.sealing() as session:
                self._advance(session.read_delta(self.newest.position))
                try:
                    self.living(lease)
                except StateError as error:
                    refused = error
                (position,) = session.append(
                    [
                        ModelCheckpointWritten(
                            lease=lease, step=step, name=name, digest=content, quarantined=refused is not None
                        )
                    ]
                )
        if refused is not None:
            raise refused
        return position

    def jobs(self) -> list[dict[str, Any]]:
        """Say of every lease, oldest first, how it is with it and what was done under it."""
        with self.lock:
            return [self._job(lease) for lease in self.present().record.leases]

    def _job(self, lease: Lease) -> dict[str, Any]:
        state, why = self._standing(lease)
        ended = lease.ended
        return {
            "lease": lease.lease,
            "job": lease.job,
            "model": lease.model,
            "release": lease.release,
            "fence": lease.fence,
            "granted_at": lease.granted_at,
            "ttl_s": lease.ttl_ms / 1000,
            "state": str(ended.how) if ended is not None else state,
            "why": why,
            "order": None if ended is None else ended.order,
            "step": lease.step,
            "items": lease.items,
            "model_checkpoints": sum(not each.quarantined for _, each in lease.checkpoints),
            "quarantined": sum(each.quarantined for _, each in lease.checkpoints),
            "ended_at": None if ended is None else ended.at,
            "left_s": max(0.0, self.renewals.until(lease) - self.parts.uptime()) if state == "granted" else None,
        }


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
