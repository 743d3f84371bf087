"""What leaves the files of releases, worked out once for all releases that are amended at a time.

A row leaves if it does by what was known of the items when the release was sealed, or by what is known of them now. So
no descriptor that is registered since keeps anything in, and a file that is registered with other bytes since is still
amended as it was. Where nobody knows any more what was known of it (`at_seal.py`), nobody can tell what leaves.
"""

from __future__ import annotations

from functools import reduce
from pathlib import Path

import numpy as np

from consentry.control_plane.at_seal import AtSeal
from consentry.control_plane.known_files import KnownFile, known_files
from consentry.policy.vocabulary import Purpose
from consentry.progress import watched_work
from consentry.release.manifest import Manifest
from consentry.release.reaching import Reached, Rows
from consentry.release.reproduce import require_registered


class Leaving:
    """What leaves files, each looked at once for a purpose."""

    def __init__(self, at_seal: AtSeal) -> None:
        self.desk, self.at_seal = at_seal.desk, at_seal
        self._rows: dict[tuple[Purpose, Path], Rows] = {}

    def of(self, manifest: Manifest, reached: Reached) -> dict[int, Rows]:
        """Return the rows that leave each file of a release from which some do, be they in it or not.

        Raises:
            IntegrityError: nobody knows what was known of a file when the release was sealed.
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
        now = self.desk.opened(manifest.corpus)
        then = self.at_seal.remembered(manifest, now)
        require_registered(manifest, then)
        return known_files(manifest, now=now, then=then)
