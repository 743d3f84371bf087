"""What an order would hit, asked before it is given: every corpus and every release, by sets of rows.

Each file of a corpus is looked through once for the whole question, whatever number of releases hold rows of it. What
a release holds of that is the number of a set without another: the bitmap it leaves out is read, and no row.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from pyroaring import BitMap64

from consentry.control_plane.hits import Hits, rows_hit
from consentry.corpus.registration import Corpus
from consentry.corpus.sidecar import FilePin, Sidecar
from consentry.errors import ConsentryError
from consentry.ledger.state import State
from consentry.oversight.order import Scope
from consentry.policy.choice import Seconds
from consentry.policy.vocabulary import Purpose
from consentry.progress import Progress, watched_work
from consentry.release.in_scope import ScopeTables, lay_out, rows_in_scope
from consentry.release.manifest import ReleaseFile
from consentry.release.sealed import SealedRelease


class _Part(NamedTuple):
    """A file of a release, and the rows of it that are in scope; None: nobody knows."""

    release: SealedRelease
    file: ReleaseFile
    found: BitMap64 | None
    left: BitMap64 | None
    """Those that left the release by amendments since it was sealed."""


class WhatIf:
    """One question, by what is known of people as of `at`. Not for several threads at a time."""

    def __init__(self, hits: Hits, scope: Scope, *, at: Seconds, progress: Progress | None = None) -> None:
        self._hits = hits
        self._progress = progress
        self._desk = hits.desk
        self._scope = scope
        self._at = at
        self._found: dict[str, Mapping[FilePin, BitMap64]] = {}
        self._people: dict[str, int] = {}
        with self._desk.lock:
            # What people are does not depend on the purpose; what they chose is not asked.
            self._classes = self._desk.present().knowledge(Purpose.TRAIN_AI, at=at).classes

    def corpora(self, state: State) -> dict[str, dict[str, int]]:
        """Return for each corpus how many items, of how many, are in scope, and of how many people in scope they are.

        Somebody counts who owns one of these items, or is involved in it, and may live in the areas.
        """
        return {name: self._corpus(self._desk.corpus(name)) for name in state.corpora}

    def _corpus(self, corpus: Corpus) -> dict[str, int]:
        found = self._looked_through(corpus)
        return {"items": sum(map(len, found.values())), "of": corpus.rows, "people": self._people[corpus.name]}

    def releases(self, state: State) -> dict[str, int]:
        """Return how many items of each release that is read for such a purpose would be hit; none is left out.

        What amendments took out is not counted. A release of which nothing else is in scope is hit all the same: an
        order goes by what was sealed. It counts 0. One that may not be read again is not read: it was withdrawn, or an
        order bars it that was lifted or narrowed.
        """
        asked = [
            name
            for name, sealed in state.releases.items()
            if sealed.withdrawn is None and self._scope.concerns(sealed.purpose)
        ]
        parts = [self._parts(name) for name in asked]
        if self._progress is not None:
            self._progress.begin("looking into releases", total=len(asked), unit="releases")
        counts = self._desk.parts.runner.map(watched_work(_count, self._progress), parts)
        hit = {name: now for name, (sealed, now) in zip(asked, counts, strict=True) if sealed}
        return {name: now for name, now in hit.items() if not self._hits.barred_for_good(name)}

    def _parts(self, name: str) -> list[_Part] | None:
        try:
            release = self._hits.archive.remembered(name)
            found = self._of_corpus(release.manifest.corpus)
            with self._desk.lock:
                noted = self._desk.newest.amendments.newest(name)
            left = self._hits.removals.removed(noted)
        except (ConsentryError, OSError):
            return None
        files = release.manifest.files
        return [_Part(release, file, found.get(file.pin), left.get(index)) for index, file in enumerate(files)]

    def _of_corpus(self, name: str) -> Mapping[FilePin, BitMap64]:
        if name not in self._found:
            self._looked_through(self._desk.corpus(name))
        return self._found[name]

    def _looked_through(self, corpus: Corpus) -> Mapping[FilePin, BitMap64]:
        if corpus.name not in self._found:
            look = self._look(corpus)
            hit = np.zeros(look.seats.size, dtype=np.bool_)

            def look_through(sidecar: Sidecar) -> BitMap64:
                return rows_in_scope(sidecar, look, hit=hit)

            if self._progress is not None:
                self._progress.begin(f"looking through {corpus.name}", total=corpus.rows, unit="items")
            work = watched_work(look_through, self._progress, size=lambda sidecar: sidecar.rows)
            found = self._desk.parts.runner.map(work, corpus.sidecars)
            self._found[corpus.name] = dict(zip((each.pin for each in corpus.sidecars), found, strict=True))
            self._people[corpus.name] = int(np.count_nonzero(hit & look.seats))
        return self._found[corpus.name]

    def _look(self, corpus: Corpus) -> ScopeTables:
        rule = self._scope.rule("what-if", why="")
        return lay_out(rule, self._classes, items=corpus.items, at=self._at)


def _count(parts: list[_Part] | None) -> tuple[int, int]:
    """Count what is hit of a release, as it was sealed and as it is now.

    What cannot be read is not known, and what is not known is hit.
    """
    if parts is None:
        return 1, 1
    try:
        sealed = sum(rows_hit(each.release, each.file, found=each.found) for each in parts)
        now = sum(rows_hit(each.release, each.file, found=each.found, left=each.left) for each in parts)
    except (ConsentryError, OSError):
        return 1, 1
    return sealed, now
