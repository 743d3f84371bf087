"""What is known of the files that releases are made of: as they are registered, and as they were at the seal.

Both count. What is registered since takes nothing back that was known of an item when it was sealed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from threading import Lock
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from consentry.control_plane.desk import Desk
from consentry.corpus.registration import Corpus, open_as_of
from consentry.corpus.sidecar import Sidecar
from consentry.digests import Digest
from consentry.errors import ConflictError, IntegrityError
from consentry.policy.matrix import ItemClass
from consentry.release.manifest import Manifest
from consentry.release.reproduce import same_columns

_MOST_FILES = 2_000
"""How many files are kept open as they were at the seal of releases, of all snapshots but the newest."""


class KnownFile(NamedTuple):
    """What is known of the items of a file, what the codes in it mean, and whether it is as registered now."""

    sidecar: Sidecar
    items: Sequence[ItemClass]
    registered: bool


def known_files(manifest: Manifest, *, now: Corpus, then: Corpus | None) -> list[list[KnownFile]]:
    """Return what is known of each file of a release, once or twice; nothing of one that nobody knows any more."""
    registered = {sidecar.pin: sidecar for sidecar in now.sidecars}
    before: Mapping[object, Sidecar] = {} if then is None else {each.pin: each for each in then.sidecars}
    found = []
    for file in manifest.files:
        those = {
            sidecar.folder: KnownFile(sidecar, corpus.items, corpus is now)
            for corpus, sidecar in ((then, before.get(file.pin)), (now, registered.get(file.pin)))
            if corpus is not None and sidecar is not None
        }
        found.append(list(those.values()))
    return found


class KnownFiles:
    """Looks it up. What was known at a seal is kept open: it never changes."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self._keeping = Lock()
        self._sealed: dict[Digest, Corpus] = {}

    def of(self, manifest: Manifest) -> list[list[KnownFile]]:
        """Return what is known of each file of a release: nothing of one that nobody knows any more.

        Raises:
            NotFoundError: its corpus is not registered.
            ConflictError: what is registered is damaged.
        """
        now = self.desk.opened(manifest.corpus)
        then = now if now.snapshot == manifest.corpus_snapshot else self._as_sealed(manifest, now)
        if then is None and not same_columns(manifest, now):
            # Another descriptor alone may name fewer people: what it says is not all that was known.
            return [[] for _ in manifest.files]
        return known_files(manifest, now=now, then=then)

    def _as_sealed(self, manifest: Manifest, now: Corpus) -> Corpus | None:
        snapshot = manifest.corpus_snapshot
        with self._keeping:
            found = self._sealed.get(snapshot)
        if found is None:
            with suppress(ConflictError, IntegrityError):
                found = open_as_of(self.desk.corpora, manifest.corpus, snapshot=snapshot, like=now)
        if found is not None:
            self._keep(snapshot, found)
        return found

    def _keep(self, snapshot: Digest, corpus: Corpus) -> None:
        with self._keeping:
            self._sealed.pop(snapshot, None)
            self._sealed[snapshot] = corpus
            files = sum(len(each.sidecars) for each in self._sealed.values())
            while files > _MOST_FILES and len(self._sealed) > 1:
                files -= len(self._sealed.pop(next(iter(self._sealed))).sidecars)


class OwnRows:
    """The rows by and about a person in the files of releases. Each file is looked into once."""

    def __init__(self, files: KnownFiles, seats: Sequence[int]) -> None:
        self.seats = np.array(seats, dtype=np.uint32)
        self._files = files
        self._known: dict[str, list[list[KnownFile]]] = {}
        self._rows: dict[object, npt.NDArray[np.int64]] = {}

    def known(self, manifest: Manifest) -> list[list[KnownFile]]:
        """Return what is known of each file of a release, as it was when it was first asked for here."""
        if manifest.release not in self._known:
            self._known[manifest.release] = self._files.of(manifest)
        return self._known[manifest.release]

    def by(self, known: KnownFile) -> npt.NDArray[np.int64]:
        """Return their rows of a file by what is known of it."""
        folder = known.sidecar.folder
        if folder not in self._rows:
            self._rows[folder] = known.sidecar.rows_of(self.seats).astype(np.int64)
        return self._rows[folder]

    def of(self, manifest: Manifest) -> dict[int, npt.NDArray[np.int64]] | None:
        """Return their rows of each file of a release that has some, by all that is known; None if one is not known."""
        found = {}
        for index, file in enumerate(self.known(manifest)):
            if not file:
                return None
            first, *others = (self.by(each) for each in file)
            rows = np.union1d(first, others[0]) if others else first
            if rows.size:
                found[index] = rows
        return found
