"""The rows of files that an order may match, by what was known of items and people, and by what is known of them now.

One object is for one question. A file is looked through once by where people may live now, whatever number of releases
hold rows of it. Of those who may have lived there before, and do not now, only their own rows are looked up.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from pyroaring import BitMap64

from consentry.control_plane.desk import Desk
from consentry.control_plane.once_known import OnceKnown, people_in
from consentry.corpus.sidecar import FilePin, Sidecar
from consentry.digests import Digest
from consentry.oversight.order import Order
from consentry.policy.matrix import ItemClass
from consentry.progress import Progress, watched_work
from consentry.release.change import Seats
from consentry.release.in_scope import (
    Mask,
    ScopeTables,
    classes_in_scope,
    kinds_in_scope,
    rows_in_scope,
    rows_in_scope_of,
)


class _Before(NamedTuple):
    """Who may have lived there before and does not now, by the people tables of a time."""

    tables: tuple[tuple[Digest, ...], int]
    """Those in force when a release was sealed, and since which position all that were."""
    seats: Seats


class OrderRows:
    """The rows that an order may match, be they in a release or not. Not for several threads at a time."""

    def __init__(self, desk: Desk, order: Order, *, progress: Progress | None = None) -> None:
        self._desk = desk
        self._order = order
        self._rule = order.rule
        self._progress = progress
        self._at = desk.parts.clock()
        self._there: Mask | None = None
        self._rows: dict[Path, BitMap64] = {}
        self._moved: dict[tuple[tuple[Digest, ...], int], _Before] = {}
        self._with_moved: dict[tuple[Path, tuple[tuple[Digest, ...], int]], BitMap64] = {}

    @property
    def people(self) -> Mask:
        """By seat, who may live in the areas of the order now. Asked for once files are opened: they name seats."""
        if self._there is None:
            with self._desk.lock:
                classes = self._desk.newest.classes(at=self._at)
            self._there = classes_in_scope(self._rule, classes, at=self._at)[classes.codes]
        return self._there

    def look_through(
        self,
        sidecars: Iterable[Sidecar],
        *,
        items: Sequence[ItemClass],
        hit: Mask | None = None,
        what: str = "looking for what an order hits",
    ) -> list[BitMap64]:
        """Return the rows of files that the order may match by what is known of people now.

        Args:
            sidecars: the files.
            items: what the codes in them mean.
            hit: by seat: is set for the owners of these items and whoever they involve, in files that are new here.
            what: what is announced to whoever watches.
        """
        sidecars = list(sidecars)
        look = ScopeTables(self._rule, self.people, kinds_in_scope(self._rule, items))
        new = [each for each in sidecars if each.folder not in self._rows]

        def look_at(sidecar: Sidecar) -> BitMap64:
            return rows_in_scope(sidecar, look, hit=hit)

        if new:
            if self._progress is not None:
                self._progress.begin(what, total=sum(each.rows for each in new), unit="items")
            work = watched_work(look_at, self._progress, size=lambda sidecar: sidecar.rows)
            found = self._desk.parts.runner.map(work, new)
            self._rows.update(zip((each.folder for each in new), found, strict=True))
        return [self._rows[each.folder] for each in sidecars]

    def of(
        self, known: OnceKnown, *, sealed: int, some: Seats | None = None, looked: frozenset[Path] = frozenset()
    ) -> dict[FilePin, BitMap64]:
        """Return the rows of the files of a release by all that is known, and was.

        Args:
            known: what is known of its items.
            sealed: the position at which it was sealed.
            some: only they are looked at in sidecars that were `looked` through before.
            looked: these sidecars.
        """
        sidecars, before = known.sidecars, self._before(sealed)
        self.look_through((each for each in sidecars if some is None or each.folder not in looked), items=known.items)
        ever = ScopeTables(self._rule, self._ever(before), kinds_in_scope(self._rule, known.items))

        def rows_of(sidecar: Sidecar) -> BitMap64:
            if some is not None and sidecar.folder in looked:
                return rows_in_scope_of(sidecar, ever, seats=some)
            if not before.seats.size:
                return self._rows[sidecar.folder]
            key = sidecar.folder, before.tables
            if key not in self._with_moved:
                theirs = rows_in_scope_of(sidecar, ever, seats=before.seats)
                self._with_moved[key] = self._rows[sidecar.folder] | theirs
            return self._with_moved[key]

        found: dict[FilePin, BitMap64] = {}
        for each, rows in zip(sidecars, self._desk.parts.runner.map(rows_of, sidecars), strict=True):
            found[each.pin] = found[each.pin] | rows if each.pin in found else rows
        return found

    def _before(self, sealed: int) -> _Before:
        with self._desk.lock:
            tables = self._desk.newest.people_loaded.in_force(sealed, before=sealed)
        key = tuple(tables), max(sealed, self._order.position)
        if key not in self._moved:
            # In this order: others may be given seats in between.
            now = self.people
            people = people_in(self._desk, self._order, sealed=sealed, at=self._at)
            people[: now.size] &= ~now
            self._moved[key] = _Before(key, np.flatnonzero(people).astype(np.uint32))
        return self._moved[key]

    def _ever(self, before: _Before) -> Mask:
        """Return, by seat, who may live there now or did before."""
        if not before.seats.size:
            return self.people
        found: Mask = np.zeros(max(self.people.size, int(before.seats[-1]) + 1), dtype=np.bool_)
        found[: self.people.size] = self.people
        found[before.seats] = True
        return found
