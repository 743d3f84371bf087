"""Which rows of a release are by or about people who live in some areas, or may, as people are known now.

Files are looked through row by row, which takes a moment where they are large. So what was found is remembered until
where people live changes: with their table, with which accounts are one person, and with an erasure, which leaves
nothing known; and until files are registered anew, as both what is said of them now and what was said at the seal
count. People of whom no country is known live nowhere, as in the counts of releases.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from threading import Lock
from typing import NamedTuple

import numpy as np
from pyroaring import BitMap64

from consentry.control_plane.archive import Archive
from consentry.control_plane.consumption import RowsOfFiles
from consentry.control_plane.known_files import KnownFile
from consentry.control_plane.trained_on import TrainedOn
from consentry.corpus.classes import PersonClasses
from consentry.digests import Digest
from consentry.errors import ConsentryError
from consentry.oversight.jurisdiction import Areas
from consentry.oversight.order import Scope
from consentry.policy.choice import Seconds
from consentry.policy.jurisdictions import contains
from consentry.policy.matrix import PersonClass
from consentry.release.in_scope import Mask, ScopeTables, rows_in_scope
from consentry.release.sealed import SealedRelease

_KEPT = 32
"""Of how many releases and areas it is remembered: those that were asked about last."""


class _Known(NamedTuple):
    """What decides where people live, and what is theirs: how files are registered, the newest table and so on."""

    corpora: tuple[str, ...]
    joined: int
    links: int
    erased: int


class ReadThere(NamedTuple):
    """What it takes to say how many such rows a model was trained on."""

    rows: RowsThere
    trained_on: TrainedOn


class RowsThere:
    """Looks for rows, one asker at a time.

    INVARIANT: the caller does not hold the lock of the desk: nobody's lease waits for it.
    """

    def __init__(self, archive: Archive) -> None:
        self.desk = archive.desk
        self.archive = archive
        self._looking = Lock()
        self._found: dict[tuple[Digest, Areas], tuple[_Known, RowsOfFiles | None]] = {}

    def of(self, name: str, areas: Areas) -> RowsOfFiles | None:
        """Return the rows that a release was sealed with; None if a file of it is not known any more."""
        with self.desk.lock:
            present = self.desk.present()
            state = present.state
            key = state.releases[name].manifest, areas
            people = _Known(
                tuple(each.snapshot for each in state.corpora.values()),
                present.reaching.joined,
                len(state.links),
                state.newest_erasure,
            )
            classes = present.classes(at=self.desk.parts.clock())
        with self._looking:
            known = self._found.pop(key, None)
            if known is None or known[0] != people:
                known = people, self._looked_for(name, areas, classes)
            self._found[key] = known  # as the one that was asked for last
            while len(self._found) > _KEPT:
                self._found.pop(next(iter(self._found)))
            return known[1]

    def _looked_for(self, name: str, areas: Areas, classes: PersonClasses) -> RowsOfFiles | None:
        try:
            release = self.archive.remembered(name)
            return self._rows(release, lambda at: _living_there(classes, areas, at))
        except (ConsentryError, OSError):
            return None

    def _rows(self, release: SealedRelease, seats: Callable[[Seconds], Mask]) -> RowsOfFiles | None:
        manifest = release.manifest
        files = self.archive.known_files.of(manifest)
        if not all(files):
            return None
        anything = Scope().rule("there", why="by or about people who live there")
        there = seats(manifest.decided_at)

        def look_through(known: KnownFile) -> BitMap64:
            kinds = np.ones(len(known.items), dtype=np.bool_)
            return rows_in_scope(known.sidecar, ScopeTables(rule=anything, seats=there, items=kinds))

        found = iter(self.desk.parts.runner.map(look_through, [each for file in files for each in file]))
        rows: RowsOfFiles = {}
        for index, (file, known) in enumerate(zip(manifest.files, files, strict=True)):
            living = BitMap64.union(*islice(found, len(known)))
            out = BitMap64.deserialize(release.bitmap(file)) if file.bitmap.cardinality else BitMap64()
            if kept := living - out:
                rows[index] = kept
        return rows


def _living_there(classes: PersonClasses, areas: Areas, at: Seconds) -> Mask:
    there = np.array([_may_live_there(each, areas, at) for each in classes.members], dtype=np.bool_)
    found: Mask = there[classes.codes]
    return found


def _may_live_there(member: PersonClass | None, areas: Areas, at: Seconds) -> bool:
    places = () if member is None else member.places
    return any(contains(area, place, at=at) is not False for area in areas for place in places)
