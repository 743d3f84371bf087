"""What the holder of a lease is given: where the files of its release are, and which of their rows it leaves out.

Nothing is given under a lease that is over, and nothing that a newer event took away: the present counts.
"""

from __future__ import annotations

from typing import Any

from consentry.control_plane.amendments import AmendmentVerbs
from consentry.control_plane.archive import Archive
from consentry.control_plane.desk import Desk
from consentry.control_plane.hits import Hits
from consentry.control_plane.leases import LeaseVerbs
from consentry.errors import NotFoundError


class LeaseReading:
    """What is read under leases."""

    def __init__(
        self, desk: Desk, *, archive: Archive, amendments: AmendmentVerbs, hits: Hits, leases: LeaseVerbs
    ) -> None:
        self.desk = desk
        self.archive = archive
        self.amendments = amendments
        self.hits = hits
        self.leases = leases

    def described(self, release: str) -> dict[str, Any]:
        """Return what the reader of a release is told: its name, the digest of its manifest, its purpose and files."""
        opened = self.archive.remembered(release)
        base = self.archive.unchanged(opened).base.absolute()
        return {
            "name": release,
            "manifest": self.archive.sealed_as(release).manifest,
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

    def handed_out(self, lease: str, *, secret: str, index: int) -> bytes:
        """Return the rows of a file that its reader leaves out, as a portable 64-bit roaring bitmap; none: no bytes.

        Raises:
            StateError: the lease is over, or somebody else's.
            NotFoundError: the release has no such file.
        """
        release = self._release(lease, secret)
        file = self.archive.file(release, index)
        return self.archive.remembered(release).bitmap(file) if file.bitmap.cardinality else b""

    def removed(self, lease: str, *, secret: str, index: int, number: int) -> bytes:
        """Return the rows of a file that left in amendments 1 to `number`, as such a bitmap; none: no bytes.

        Raises:
            StateError: the lease is over, or somebody else's.
            NotFoundError: the release has no such file or amendment.
        """
        release = self._release(lease, secret)
        self.archive.file(release, index)
        if number > self.amendments.newest(release):
            raise NotFoundError(
                "lease-amendment-unknown",
                f"release `{release}` has no amendment `{number}`",
                help="ask for the number that the last renewal told, or a lower one",
            )
        return self.amendments.rows(release, index, number=number)

    def _release(self, lease: str, secret: str) -> str:
        """Return the release that the holder of a lease may read now."""
        self.hits.foresee([lease])
        with self.desk.lock:
            self.leases.held(lease, secret=secret)
            return self.leases.living(lease).release
