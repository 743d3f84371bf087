"""Which rows of a release are by or about people who live in some areas, or may.

Where people live is asked by all that was known from the seal on: by the table that was in force then, by those that
were loaded since, and by what is known now. So nothing is taken back by loading people anew, as an order takes nothing
back either (`once_known.py`). Files count as they were known at the seal and as they are known now. People of whom no
country is known live nowhere, as in the counts of releases.

Files are looked through row by row, but for releases of which the counts say that there is nothing in them. What was
found in a file serves all releases of it; what was found of a release is remembered until the next table, link, erasure
or registration. That something could not be read is not: it may be there the next time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from itertools import islice
from pathlib import Path
from threading import Lock
from typing import NamedTuple

import numpy as np
from pyroaring import BitMap64

from consentry.control_plane.archive import Archive
from consentry.control_plane.consumption import RowsOfFiles
from consentry.control_plane.desk import Desk
from consentry.control_plane.known import Known
from consentry.control_plane.known_files import KnownFile
from consentry.control_plane.lru import Lru
from consentry.control_plane.once_known import as_of_table
from consentry.corpus.classes import Residing
from consentry.digests import Digest
from consentry.errors import ConsentryError
from consentry.ledger.state import Registered
from consentry.oversight.jurisdiction import Areas, Lies, lies
from consentry.oversight.order import Scope
from consentry.policy.choice import Seconds
from consentry.policy.jurisdictions import contains
from consentry.policy.matrix import PersonClass
from consentry.policy.policy_classes import known_places
from consentry.release.amendment import Noted
from consentry.release.in_scope import Mask, ScopeTables, rows_in_scope, rows_in_scope_of
from consentry.release.sealed import SealedRelease
from consentry.release.tallies import UNRESOLVED_PLACE

KEPT_COUNTS = 1 << 17
"""How many counts are remembered, of all releases and areas: those asked for last. Each takes about a kilobyte."""
_KEPT_ROWS = 1 << 26
"""The same of rows."""
_AT_LEAST = 1 << 9
"""For how many rows those of a release count that holds none there: that is remembered as well."""
_NEVER = Registered("", 0)
_ANYTHING = Scope().rule("there", why="by or about people who live there")


class Asked(NamedTuple):
    """What decides which rows of a release these are."""

    manifest: Digest
    sealed: int
    corpus: Registered
    """As what its corpus is registered."""
    joined: int
    links: int
    erased: int

    @property
    def as_decided(self) -> bool:
        """Whether nobody was loaded, linked or erased since it was decided, and nothing registered."""
        return max(self.joined, self.erased, self.corpus.position) <= self.sealed


Held = dict[str, tuple[Asked, RowsOfFiles]]
"""The rows of releases that one asker holds, and what they depend on."""


class _On(NamedTuple):
    """What a count depends on, and of the rows that have left by which amendment."""

    asked: Asked
    noted: Noted | None = None


class _Count(NamedTuple):
    on: _On
    rows: int


class RowsThere:
    """Looks for rows, one asker at a time.

    INVARIANT: but for `asked` the caller does not hold the lock of the desk: nobody's lease waits for it.
    """

    def __init__(self, archive: Archive) -> None:
        self.archive = archive
        self._looking = Lock()
        self._rows_of = Lru[tuple[Asked, RowsOfFiles]](lambda known: _AT_LEAST + _rows_in(known[1]))
        self._counts, self._left = Lru[_Count](lambda _: 1), Lru[_Count](lambda _: 1)

    def asked(self, known: Known) -> dict[str, Asked]:
        """Return what the rows of each release depend on, newest first. The caller holds the lock."""
        state = known.state
        people = (known.reaching.joined, len(state.links), state.newest_erasure)
        return {
            name: Asked(each.manifest, each.position, state.corpora.get(each.corpus, _NEVER), *people)
            for name, each in reversed([*state.releases.items()])
        }

    def counts(self, asked: Mapping[str, Asked], areas: Areas) -> dict[str, int | None]:
        """Return how many rows each release was sealed with; None if a file of it is not known any more."""
        on = {name: _On(each) for name, each in asked.items()}
        return self._counted(on, areas, self._counts, count=lambda _, rows: _rows_in(rows))

    def left(
        self,
        noted: Mapping[str, Noted],
        asked: Mapping[str, Asked],
        *,
        areas: Areas,
        removed: Callable[[Noted], RowsOfFiles],
        held: Held | None = None,
    ) -> dict[str, int | None]:
        """Return how many of these rows have left each release by the newest of its amendments, given as `noted`.

        None if a file of it is not known any more, or the amendment cannot be read. `removed` returns what left with an
        amendment and before. `held`: whoever asks again, as others left meanwhile, does not have them looked for again.
        """

        def gone(name: str, rows: RowsOfFiles) -> int | None:
            try:
                out = removed(noted[name])
            except (ConsentryError, OSError):
                return None
            return sum(each.intersection_cardinality(out[index]) for index, each in rows.items() if index in out)

        on = {name: _On(each, noted[name]) for name, each in asked.items() if name in noted}
        return self._counted(on, areas, self._left, count=gone, held=held)

    def _counted(
        self,
        on: Mapping[str, _On],
        areas: Areas,
        kept: Lru[_Count],
        *,
        count: Callable[[str, RowsOfFiles], int | None],
        held: Held | None = None,
    ) -> dict[str, int | None]:
        with self._looking:
            known = {name: kept.get((each.asked.manifest, areas)) for name, each in on.items()}
            counts: dict[str, int | None] = {
                name: each.rows for name, each in known.items() if each is not None and each.on == on[name]
            }
            asked = {name: each.asked for name, each in on.items()}
            for name, rows in self._each([name for name in on if name not in counts], asked, areas, held=held):
                counts[name] = found = None if rows is None else count(name, rows)
                if found is not None:
                    kept.put((on[name].asked.manifest, areas), _Count(on[name], found), most=KEPT_COUNTS)
            return counts

    def of(
        self, names: Iterable[str], asked: Mapping[str, Asked], *, areas: Areas, held: Held | None = None
    ) -> dict[str, RowsOfFiles | None]:
        """Return the rows that some releases were sealed with; None for one of which a file is not known any more."""
        wanted = {*names}
        with self._looking:
            return dict(self._each([name for name in asked if name in wanted], asked, areas, held=held))

    def _each(
        self, names: Iterable[str], asked: Mapping[str, Asked], areas: Areas, *, held: Held | None = None
    ) -> Iterator[tuple[str, RowsOfFiles | None]]:
        look: _Look | None = None
        for name in names:
            key = asked[name].manifest, areas
            known = (held or {}).get(name) or self._rows_of.get(key)
            if known is None or known[0] != asked[name]:
                look = _Look(self.archive.desk, areas) if look is None else look
                rows = self._rows(name, asked[name], look)
                if rows is None:
                    yield name, None
                    continue
                known = asked[name], rows
                self._rows_of.put(key, known, most=_KEPT_ROWS)
            if held is not None:
                held[name] = known
            yield name, known[1]

    def _rows(self, name: str, asked: Asked, look: _Look) -> RowsOfFiles | None:
        try:
            release = self.archive.remembered(name)
            people = look.people(release.manifest.decided_at, sealed=asked.sealed)
            if not people.any():
                return {}
            files = self.archive.known_files.of(release.manifest)
            if not all(files):
                return None
            if asked.as_decided and _counts_exclude(release, files, look.areas):
                return {}
            return self._kept_rows(release, files, people=people, look=look)
        except (ConsentryError, OSError):
            return None

    def _kept_rows(
        self, release: SealedRelease, files: list[list[KnownFile]], *, people: Mask, look: _Look
    ) -> RowsOfFiles:
        work = partial(look.living, people=people)
        found = iter(self.archive.desk.parts.runner.map(work, [each for file in files for each in file]))
        rows: RowsOfFiles = {}
        for index, (file, known) in enumerate(zip(release.manifest.files, files, strict=True)):
            living = BitMap64.union(*islice(found, len(known)))
            out = BitMap64.deserialize(release.bitmap(file)) if file.bitmap.cardinality else BitMap64()
            if kept := living - out:
                rows[index] = kept
        return rows


class _InFile(NamedTuple):
    people: Mask
    rows: BitMap64


class _Look:
    """Looks through files for the rows of releases, newest first: the older one is, the more people tables count."""

    def __init__(self, desk: Desk, areas: Areas) -> None:
        self.desk = desk
        self.areas = areas
        self._at = desk.parts.clock()
        with desk.lock:
            known = desk.present()
            self._classes, self._groups, self._tables = known.classes(at=self._at), known.groups, known.tables
        self._people: dict[tuple[str, ...], tuple[set[Digest], Mask]] = {}
        self._files: dict[Path, _InFile] = {}

    def people(self, at: Seconds, *, sealed: int) -> Mask:
        """Return, by seat, who lives there or may, by what was known from the seal of a release on.

        Args:
            at: the time as of which groups of places are asked.
            sealed: the position at which it was sealed.
        """
        # Times as of which the same places lie there are one.
        there = tuple(each for each in known_places(self.areas) if _may_lie_there(each, self.areas, at))
        if there not in self._people:
            living = np.array([self._may_live_there(each, at) for each in self._classes.members], dtype=np.bool_)
            self._people[there] = set(), living[self._classes.codes]
        looked, found = self._people[there]
        with self.desk.lock:
            tables = [each for each in self.desk.newest.people_loaded.in_force(sealed) if each not in looked]
        for table in dict.fromkeys(tables):
            looked.add(table)
            of_table = self._by_table(table, at, seats=found.size)
            if (of_table & ~found).any():
                found = found | of_table
        self._people[there] = looked, found
        return found

    def _by_table(self, table: Digest, at: Seconds, *, seats: int) -> Mask:
        attributes = as_of_table(self._tables, table, groups=self._groups, at=self._at, seats=seats)
        living = np.array([self._may_live_there(each, at) for each in attributes.residences], dtype=np.bool_)
        found: Mask = living[attributes.residence]
        return found

    def _may_live_there(self, somebody: PersonClass | Residing | None, at: Seconds) -> bool:
        return somebody is not None and any(_may_lie_there(place, self.areas, at) for place in somebody.places)

    def living(self, known: KnownFile, *, people: Mask) -> BitMap64:
        """Return the rows of a file by or about some people; where fewer were looked for before, only of the others."""
        sidecar = known.sidecar
        before = self._files.get(sidecar.folder)
        if before is not None and before.people is people:
            return before.rows
        look = ScopeTables(rule=_ANYTHING, seats=people, items=np.ones(len(known.items), dtype=np.bool_))
        if before is None or (before.people & ~people).any():
            rows = rows_in_scope(sidecar, look)
        else:
            others = np.flatnonzero(people & ~before.people).astype(np.uint32)
            rows = before.rows | rows_in_scope_of(sidecar, look, seats=others)
        self._files[sidecar.folder] = _InFile(people, rows)
        return rows


def _counts_exclude(release: SealedRelease, files: list[list[KnownFile]], areas: Areas) -> bool:
    """Say whether the counts of a release tell that it holds nothing, by what was known when it was sealed.

    They are by where owners live, so they can tell only if its items involve nobody else.
    """
    if any(each.sidecar.involved_row.size for file in files for each in file):
        return False
    tally, at = release.tally(), release.manifest.decided_at
    places = {tally.places[place] for place in tally.place[tally.allowed & (tally.items > 0)].tolist()}
    return all(place != UNRESOLVED_PLACE and lies(place, areas, at=at) is Lies.ELSEWHERE for place in places)


def _rows_in(rows: RowsOfFiles) -> int:
    return sum(map(len, rows.values()))


def _may_lie_there(place: str, areas: Areas, at: Seconds) -> bool:
    return any(contains(area, place, at=at) is not False for area in areas)
