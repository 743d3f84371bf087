"""How many of some rows of releases a model was trained on itself, by what its jobs said that they consumed."""

from __future__ import annotations

from collections.abc import Mapping

from pyroaring import BitMap64

from consentry.control_plane.archive import Archive
from consentry.control_plane.consumption import RowsConsumed, RowsOfFiles
from consentry.corpus.sidecar import FilePin
from consentry.oversight.lineage import Model, Use


class TrainedOn:
    """Counts rows. The caller holds the lock of the desk, and has asked it what is known."""

    def __init__(self, archive: Archive, consumption: RowsConsumed) -> None:
        self.desk = archive.desk
        self.archive = archive
        self.removals = consumption.removals
        self.consumption = consumption

    def items(self, model: Model, rows: Mapping[str, RowsOfFiles | None], *, only_said: bool = False) -> int | None:
        """Return how many of some rows that releases were sealed with a model was trained on; None if not known.

        Args:
            model: the model.
            rows: by release; None for one of which they are not known.
            only_said: of a job that did not say what it consumed nothing is known. Otherwise it counts for all of it.
        """
        found: dict[FilePin, BitMap64] = {}
        for use in model.uses:
            if use.release not in rows:
                continue
            of_release = rows[use.release]
            if of_release is None or (only_said and use.lease is not None and not self.consumption.under(use)):
                return None
            self._add(found, use.release, self._consumed(use, of_release))
        return sum(map(len, found.values()))

    def distinct(self, rows: Mapping[str, RowsOfFiles | None]) -> int | None:
        """Return how many items some rows of releases are: one that several hold is one; None if some are not known."""
        found: dict[FilePin, BitMap64] = {}
        for release, of_release in rows.items():
            if of_release is None:
                return None
            self._add(found, release, of_release)
        return sum(map(len, found.values()))

    def _add(self, found: dict[FilePin, BitMap64], release: str, rows: RowsOfFiles) -> None:
        files = self.archive.remembered(release).manifest.files
        for index, each in rows.items():
            pin = files[index].pin
            found[pin] = found.get(pin, BitMap64()) | each

    def _consumed(self, use: Use, rows: RowsOfFiles) -> RowsOfFiles:
        """Return those of some rows that were consumed under a use."""
        noted = self.desk.newest.amendments.of(use.release)
        parts = self.consumption.under(use)
        if not parts:
            heard = [each for each in noted if use.lease is not None and each.stands < use.position]
            before = self.removals.removed(heard[-1] if heard else None)
            return {index: each - before.get(index, BitMap64()) for index, each in rows.items()}
        found: RowsOfFiles = {}
        for part in parts:
            heard_of = self.removals.removed(noted[part.amendment - 1] if part.amendment else None)
            for index in rows.keys() & part.rows.keys():
                eaten = (rows[index] & part.rows[index]) - heard_of.get(index, BitMap64())
                found[index] = found.get(index, BitMap64()) | eaten
        return found
