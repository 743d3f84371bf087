"""What leaves the files of releases, worked out once for all releases that are amended at a time.

A row leaves if it does by what was known of the items when the release was sealed, or by what is known of them now. So
no descriptor that is registered since keeps anything in, and a file that is registered with other bytes since is still
amended as it was: what was known of it is kept as long as a release is sealed with it (`corpus/registration.py`). Where
that is lost, nobody can tell whom the descriptor of the seal named: only the same one says so again.
"""

from __future__ import annotations

from functools import reduce
from pathlib import Path

import numpy as np

from consentry.control_plane.desk import Desk
from consentry.control_plane.known_files import KnownFile, known_files
from consentry.corpus.registration import Corpus, open_as_of, open_corpus
from consentry.digests import Digest
from consentry.errors import ConflictError, ConsentryError, IntegrityError
from consentry.policy.vocabulary import Purpose
from consentry.progress import watched_work
from consentry.release.manifest import Manifest
from consentry.release.reaching import Reached, Rows
from consentry.release.reproduce import as_sealed, require_registered


class Leaving:
    """What leaves files, each looked at once for a purpose. Each corpus is opened once."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self._registered: dict[str, Corpus] = {}
        self._sealed: dict[Digest, Corpus | ConsentryError | None] = {}
        self._rows: dict[tuple[Purpose, Path], Rows] = {}

    def of(self, manifest: Manifest, reached: Reached) -> dict[int, Rows]:
        """Return the rows that leave each file of a release from which some do, be they in it or not.

        Raises:
            IntegrityError: what was known of a file when the release was sealed is not kept, and it is registered with
                other bytes, or under another descriptor.
        """
        files = self._known(manifest)
        new = {each.sidecar.folder: each for file in files for each in file}
        new = {folder: each for folder, each in new.items() if (manifest.purpose, folder) not in self._rows}

        def look(known: KnownFile) -> Rows:
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

    def _known(self, manifest: Manifest) -> list[list[KnownFile]]:
        """Return what is known of each file of a release: as it was when that was sealed, and as it is registered."""
        now = self._as_registered(manifest.corpus)
        then = now if now.snapshot == manifest.corpus_snapshot else self._as_sealed(manifest, now)
        return known_files(manifest, now=now, then=then)

    def _as_registered(self, name: str) -> Corpus:
        if name not in self._registered:
            self._registered[name] = open_corpus(self.desk.corpora, name)
        return self._registered[name]

    def _as_sealed(self, manifest: Manifest, now: Corpus) -> Corpus:
        """Return the corpus as it was when a release was sealed, with all of its files."""
        snapshot = manifest.corpus_snapshot
        if snapshot not in self._sealed:
            try:
                self._sealed[snapshot] = open_as_of(self.desk.corpora, manifest.corpus, snapshot=snapshot, like=now)
            except (ConflictError, IntegrityError) as error:
                self._sealed[snapshot] = error
        kept = self._sealed[snapshot]
        if isinstance(kept, Corpus):
            return kept
        # Lost: what is registered serves if it is the same files under the same descriptor, and nothing else does.
        try:
            require_registered(manifest, now)
            return as_sealed(manifest, now)
        except IntegrityError as error:
            raise (kept if isinstance(kept, IntegrityError) else error) from kept
