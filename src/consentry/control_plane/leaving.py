"""What leaves the files of releases, worked out once for all releases that are amended at a time.

A row leaves if it does by what was known of the items when the release was sealed, or by what is known of them now. So
no descriptor that is registered since keeps anything in, and a file that is registered with other bytes since is still
amended as it was: what was known of it is kept as long as a release is sealed with it (`corpus/registration.py`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import reduce
from pathlib import Path
from typing import NamedTuple

import numpy as np

from consentry.control_plane.desk import Desk
from consentry.corpus.registration import Corpus, open_as_of, open_corpus
from consentry.corpus.sidecar import Sidecar
from consentry.digests import Digest
from consentry.errors import ConflictError
from consentry.policy.matrix import ItemClass
from consentry.policy.vocabulary import Purpose
from consentry.progress import watched_work
from consentry.release.manifest import Manifest
from consentry.release.reaching import Reached, Rows
from consentry.release.sealed import changed


class _Known(NamedTuple):
    """What is known of the items of a file, and what the codes in it mean."""

    sidecar: Sidecar
    items: Sequence[ItemClass]


class Leaving:
    """What leaves files, each looked at once for a purpose. Each corpus is opened once."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self._registered: dict[str, Corpus] = {}
        self._sealed: dict[Digest, Corpus | None] = {}
        self._rows: dict[tuple[Purpose, Path], Rows] = {}

    def of(self, manifest: Manifest, reached: Reached) -> dict[int, Rows]:
        """Return the rows that leave each file of a release from which some do, be they in it or not.

        Raises:
            IntegrityError: a file was registered anew with other bytes, and what was known of it is not kept.
        """
        files = self._known(manifest)
        new = {each.sidecar.folder: each for file in files for each in file}
        new = {folder: each for folder, each in new.items() if (manifest.purpose, folder) not in self._rows}

        def look(known: _Known) -> Rows:
            return reached.rows(known.sidecar, known.items)

        with self.desk.parts.watching() as progress:
            if progress is not None and new:
                total = sum(each.sidecar.rows for each in new.values())
                progress.begin(f"looking for what leaves {manifest.release}", total=total, unit="items")
            work = watched_work(look, progress, size=lambda known: known.sidecar.rows)
            found = self.desk.parts.runner.map(work, list(new.values()))
        self._rows |= {(manifest.purpose, folder): each for folder, each in zip(new, found, strict=True)}
        leaving = [
            reduce(np.union1d, (self._rows[manifest.purpose, each.sidecar.folder] for each in file)) for file in files
        ]
        return {index: each for index, each in enumerate(leaving) if each.size}

    def _known(self, manifest: Manifest) -> list[list[_Known]]:
        """Return what is known of each file of a release: as it is registered, and as it was when that was sealed."""
        now = self._as_registered(manifest.corpus)
        then = now if now.snapshot == manifest.corpus_snapshot else self._as_sealed(manifest, now)
        by_pin = {sidecar.pin: sidecar for sidecar in now.sidecars}
        before: Mapping[object, Sidecar] = {} if then is None else {each.pin: each for each in then.sidecars}
        found = []
        for file in manifest.files:
            those = {
                sidecar.folder: _Known(sidecar, corpus.items)
                for corpus, sidecar in ((now, by_pin.get(file.pin)), (then, before.get(file.pin)))
                if corpus is not None and sidecar is not None
            }
            if not those:
                raise changed(file, "is registered with other bytes now, or not at all")
            found.append(list(those.values()))
        return found

    def _as_registered(self, name: str) -> Corpus:
        if name not in self._registered:
            self._registered[name] = open_corpus(self.desk.corpora, name)
        return self._registered[name]

    def _as_sealed(self, manifest: Manifest, now: Corpus) -> Corpus | None:
        """Return the corpus as it was when a release was sealed; None if that is not kept, or damaged."""
        snapshot = manifest.corpus_snapshot
        if snapshot not in self._sealed:
            self._sealed[snapshot] = None
            with suppress(ConflictError):
                self._sealed[snapshot] = open_as_of(self.desk.corpora, manifest.corpus, snapshot=snapshot, like=now)
        return self._sealed[snapshot]
