"""The sealed releases, opened: a withdrawn one can be asked about like any other."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from consentry.control_plane.at_seal import AtSeal
from consentry.control_plane.desk import Desk
from consentry.control_plane.known import KnownThen
from consentry.control_plane.known_files import KnownFiles
from consentry.control_plane.lru import Lru
from consentry.corpus.registration import Corpus
from consentry.digests import Digest
from consentry.errors import IntegrityError, NotFoundError, names_there_are
from consentry.ledger.state import Sealed
from consentry.release import compare
from consentry.release.manifest import ReleaseFile
from consentry.release.reproduce import check_registered
from consentry.release.sealed import SealedRelease, open_release
from consentry.stages import stage

MOST_FILES = 50_000
"""How many files the manifests that are remembered name at most, of all but the newest: each takes about a kilobyte."""


class Archive:
    """What was sealed, as the ledger and its manifests say."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.at_seal = AtSeal(desk)
        self.known_files = KnownFiles(self.at_seal)
        self._opened_before = Lru[SealedRelease](lambda release: len(release.manifest.files))

    def sealed(self) -> dict[str, Sealed]:
        """Return every sealed release by name, oldest first."""
        return dict(self.desk.present().state.releases)

    def sealed_as(self, name: str) -> Sealed:
        """Return what the ledger says about a release."""
        known = self.desk.present().state.releases
        if name not in known:
            raise NotFoundError(
                "release-unknown",
                f"no release `{name}`",
                help=names_there_are(known, "sealed", otherwise="build one: consentry release build"),
            )
        return known[name]

    def withdrawal(self, name: str) -> dict[str, Any] | None:
        """Say why and when a release was withdrawn; None if it was not."""
        withdrawn = self.sealed_as(name).withdrawn
        if withdrawn is None:
            return None
        (event,) = self.desk.parts.ledger.read(withdrawn.position, withdrawn.position + 1)
        return {"reason": withdrawn.reason, "position": withdrawn.position, "at": event.recorded_at}

    def open(self, name: str) -> SealedRelease:
        """Open a sealed release to ask about it, its manifest checked against the ledger; content: `data_files`."""
        return self._opened(name, self.sealed_as(name).manifest)

    def remembered(self, name: str) -> SealedRelease:
        """Open a release, from memory if it was opened before: its manifest is known by its digest and cannot change.

        For what is asked again and again, such as what is read under leases. `open` looks whether the file is still it.
        """
        known = self.desk.newest.state.releases.get(name)
        manifest = (self.sealed_as(name) if known is None else known).manifest
        found = self._opened_before.get(manifest)
        if found is None:
            found = self._opened(name, manifest)
            self._opened_before.put(manifest, found, most=MOST_FILES)
        return found

    def _opened(self, name: str, manifest: Digest) -> SealedRelease:
        with stage("release.open"):
            return open_release(self.desk.releases / name, expected=manifest)

    def file(self, release: str, index: int) -> ReleaseFile:
        """Return a file of a release by its index, from memory.

        Raises:
            NotFoundError: it has none of this index.
        """
        files = self.remembered(release).manifest.files
        if not 0 <= index < len(files):
            raise NotFoundError(
                "release-file-unknown",
                f"release `{release}` has no file `{index}`",
                help=f"its files are numbered from 0 to {len(files) - 1}",
            )
        return files[index]

    def unchanged(self, release: SealedRelease) -> Corpus:
        """Return the corpus of a release, whose files are those it was made from."""
        corpus = self.desk.opened(release.manifest.corpus)
        check_registered(release.manifest, corpus)
        return corpus

    def snapshots(self) -> frozenset[Digest] | None:
        """Return what sealed releases were made from; None if one cannot be asked, but is not gone for good."""
        found = set()
        for name, sealed in self.sealed().items():
            try:
                found.add(self.remembered(name).manifest.corpus_snapshot)
            except NotFoundError:
                if sealed.withdrawn is None:
                    return None
            except IntegrityError:
                return None
        return frozenset(found)

    def side(
        self, name: str, *, then: KnownThen | None = None, corpus: Corpus | None = None
    ) -> tuple[compare.Side, KnownThen, Corpus]:
        """Open a release with everything it was decided by, from the ledger up to its position.

        Args:
            name: the release.
            then: what was known at a position before; it is carried forward. From the first event if not given.
            corpus: what was known of its files then; it is read if not given.
        """
        release = self.open(name)
        manifest = release.manifest
        then = self._nothing_known() if then is None else then
        self.desk.carry_on(then, manifest.position)
        corpus = self.at_seal.open(manifest) if corpus is None else corpus
        policy = self.desk.document(manifest.policy.digest)
        basis = self.desk.basis(
            then,
            corpus,
            policy=policy,
            document=manifest.policy.digest,
            purpose=manifest.purpose,
            at=manifest.decided_at,
        )
        side = compare.Side(release=release, basis=basis, sidecars=corpus.sidecars, erased=self._erased_by(then))
        return side, then, corpus

    def _erased_by(self, then: KnownThen) -> npt.NDArray[np.uint32]:
        """Return the seats of people erased since, and of all who were one person with them then."""
        erased = self.desk.erased()
        linked = [account for seat in erased.tolist() for account in then.accounts(seat)]
        return np.union1d(erased, np.array(linked, dtype=np.uint32))

    def _nothing_known(self) -> KnownThen:
        return KnownThen(self.desk.parts)

    def before(self, position: int) -> KnownThen:
        """Return something that was known at `position` or before, to carry on from: a kept state if there is one.

        INVARIANT: never one of before the newest erasure, should such a file have come back: it shows what is erased.
        """
        then = self._nothing_known()
        erased = self.desk.present().state.newest_erasure
        kept = self.desk.kept.at(range(max(erased, 0) + 1, position + 1))
        if kept is not None:
            then.restore(kept)
        return then
