"""What is known of the files that releases are made of: as they are registered, and as they were at the seal.

Both count. What is registered since takes nothing back that was known of an item when it was sealed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from consentry.control_plane.at_seal import AtSeal
from consentry.corpus.registration import Corpus
from consentry.corpus.sidecar import Sidecar
from consentry.errors import IntegrityError
from consentry.policy.matrix import ItemClass
from consentry.release.manifest import Manifest


class KnownFile(NamedTuple):
    """What is known of the items of a file, what the codes in it mean, and whether it is as registered now.

    `columns`: by role, which ones of the file that was read from.
    """

    sidecar: Sidecar
    items: Sequence[ItemClass]
    registered: bool
    columns: Mapping[str, str]


def known_files(manifest: Manifest, *, now: Corpus, then: Corpus) -> list[list[KnownFile]]:
    """Return what is known of each file of a release, once or twice; nothing of one that nobody knows any more."""
    both = [
        {
            sidecar.pin: KnownFile(sidecar, corpus.items, corpus is now, corpus.descriptor.columns)
            for sidecar in corpus.sidecars
        }
        for corpus in (then, now)
    ]
    found = ([known[file.pin] for known in both if file.pin in known] for file in manifest.files)
    return [list({each.sidecar.folder: each for each in file}.values()) for file in found]


class KnownFiles:
    """Looks it up."""

    def __init__(self, at_seal: AtSeal) -> None:
        self.at_seal = at_seal

    def of(self, manifest: Manifest) -> list[list[KnownFile]]:
        """Return what is known of each file of a release: nothing of one that nobody knows any more.

        Raises:
            NotFoundError: its corpus is not registered.
            ConflictError: what is registered is damaged.
        """
        now = self.at_seal.desk.opened(manifest.corpus)
        try:
            return known_files(manifest, now=now, then=self.at_seal.remembered(manifest, now))
        except IntegrityError:
            return [[] for _ in manifest.files]


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
