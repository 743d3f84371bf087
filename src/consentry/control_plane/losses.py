"""Losses: from models to the items they were trained on and that were withdrawn since."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import chain, combinations
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from pyroaring import BitMap64

from consentry.control_plane.amendments import AmendmentVerbs
from consentry.control_plane.archive import Archive
from consentry.control_plane.consumption import RowsConsumed, RowsOfFiles
from consentry.control_plane.desk import Desk
from consentry.control_plane.known_files import KnownFile
from consentry.control_plane.removals import Removals
from consentry.corpus.sidecar import NOBODY, FilePin, Sidecar
from consentry.errors import ConsentryError
from consentry.ledger.groups import joined
from consentry.oversight.lineage import Model, Use, Weights
from consentry.oversight.model_standing import Loss
from consentry.policy.choice import Seconds
from consentry.policy.policy_set import Remedies


class Losses:
    """What models lost. What was counted once is remembered: amendments never change."""

    def __init__(
        self, desk: Desk, *, archive: Archive, removals: Removals, amendments: AmendmentVerbs, consumption: RowsConsumed
    ) -> None:
        self.desk = desk
        self.archive = archive
        self.removals = removals
        self.amendments = amendments
        self.consumption = consumption
        self._found: dict[tuple[str, Use], tuple[Any, Sequence[Loss]]] = {}
        self._not_given: dict[Use, tuple[int, int]] = {}

    def of(self, name: str) -> list[Loss]:
        """Return what a model was trained on itself and that was withdrawn since, oldest first."""
        with self.desk.lock:
            model = self.desk.present().overseen.lineage.get(name)
            found = [] if model is None else [loss for use in model.uses for loss in self._of_use(name, use)]
        return sorted(found, key=lambda loss: loss.position)

    def _of_use(self, name: str, use: Use) -> Iterator[Loss]:
        sealed = self.desk.newest.state.releases.get(use.release)
        if sealed is None:
            return
        said = 0 if use.lease is None else len(self.desk.newest.overseen.lineage.consumed(use.lease))
        unheard = () if sealed.withdrawn is not None else self.amendments.unheard(use.release)
        told = self.consumption.told_all(use)
        known = said, len(self.desk.newest.amendments.of(use.release)), sealed.withdrawn is not None, unheard, told
        if self._found.get((name, use), (None, ()))[0] != known:
            terms = self._terms(use.release)
            found = [
                Loss(position, at, name, use.release, items, use.position, terms)
                for position, at, items in (
                    *self.consumption.left(use),
                    *self._withdrawn(use),
                    *self._not_known(use, unheard),
                )
            ]
            self._found[name, use] = known, found
        yield from self._found[name, use][1]

    def _not_known(self, use: Use, unheard: Sequence[int]) -> Iterator[tuple[int, Seconds, int]]:
        """Yield what was withdrawn when nobody could tell any more which items that are: it may be all of them."""
        for position in unheard:
            (event,) = self.desk.parts.ledger.read(position, position + 1)
            yield max(position, use.position), max(event.recorded_at, use.at), self._at_most(use.release)

    def _at_most(self, release: str) -> int:
        """Return how many items can have left a release of which nobody can tell what left it."""
        with suppress(ConsentryError):
            return self.archive.remembered(release).manifest.eligible
        return 1

    def not_known(self, model: Model, *, at: int | None = None) -> dict[str, int]:
        """Return the releases that a model was trained on, as it was at `at`, of which nobody can tell what left them.

        Each with how many items that are at most.
        """
        with self.desk.lock:
            releases, since = self.desk.present().state.releases, model.trained_since(at=at)
            used = {use.release for use in model.uses if use.position >= since}
            return {
                each: self._at_most(each)
                for each in used
                if each in releases and releases[each].withdrawn is None and self.amendments.unheard(each)
            }

    def terms(self, name: str) -> list[Remedies]:
        """Return what the policies of the releases say that a model itself was trained on."""
        with self.desk.lock:
            model, known = self.desk.present().overseen.lineage.get(name), self.desk.newest.state.releases
            used = dict.fromkeys(use.release for use in model.uses) if model is not None else ()
            return [self._terms(release) for release in used if release in known]

    def _terms(self, release: str) -> Remedies:
        return self.desk.document(self.desk.newest.state.releases[release].policy).remedies

    def _withdrawn(self, use: Use) -> Iterator[tuple[int, Seconds, int]]:
        withdrawn = self.archive.withdrawal(use.release)
        if withdrawn is not None:
            eaten = self.consumption.under(use)
            items = sum(len(rows) for part in eaten for rows in part.rows.values())
            items = items or self.archive.remembered(use.release).manifest.eligible
            yield max(withdrawn["position"], use.position), max(withdrawn["at"], use.at), items

    def rows(self, model: Model, *, at: int | None = None) -> dict[tuple[str, FilePin], BitMap64]:
        """Return the rows of content files that a model was trained on, as it was at `at`, and that left since."""
        found: dict[tuple[str, FilePin], BitMap64] = {}
        with self.desk.lock:
            releases, since = self.desk.present().state.releases, model.trained_since(at=at)
            for use in model.uses:
                if use.position < since or use.release not in releases:
                    continue
                manifest = self.archive.remembered(use.release).manifest
                for index, rows in self._lost(use).items():
                    key = manifest.corpus, manifest.files[index].pin
                    found[key] = found.get(key, BitMap64()) | rows
        return {key: rows for key, rows in found.items() if rows}

    def _lost(self, use: Use) -> RowsOfFiles:
        noted = self.desk.newest.amendments.of(use.release)
        if not noted:
            return {}
        parts = self.consumption.under(use)
        if not parts:
            removed = self.removals.removed(noted[-1])
            heard = [each for each in noted if use.lease is not None and each.stands < use.position]
            before = self.removals.removed(heard[-1] if heard else None)
            return {index: rows - before.get(index, BitMap64()) for index, rows in removed.items()}
        found: RowsOfFiles = {}
        for part in parts:
            for index, rows in self.consumption.gone(part, upto=noted[-1], noted=noted).items():
                found[index] = found.get(index, BitMap64()) | rows
        return found

    def covered(self, model: Model, jobs: Sequence[Use], *, before: int) -> bool:
        """Say whether jobs consumed something of each file that a model lost items of, as it was at a position.

        No, where it is not known what it lost: a release was withdrawn as a whole, or cannot be amended any more.
        """
        lost, since = set[tuple[str, str]](), model.trained_since(at=before)
        with self.desk.lock:
            releases = self.desk.present().state.releases
            for use in model.uses:
                if not since <= use.position < before or use.release not in releases:
                    continue
                if releases[use.release].withdrawn is not None or self.amendments.unheard(use.release):
                    return False
                lost |= self._files_of(use, self._lost(use))
            read = [self._files_of(use, rows) for use in jobs for rows in self._consumed(use)]
        return bool(lost) and lost <= set[tuple[str, str]]().union(*read)

    def enough(self, model: Model, jobs: Sequence[Use], *, before: int) -> bool:
        """Say whether jobs consumed half as many items as a model was trained on before a position, or more.

        And, with what the jobs of other bases consumed that it has since, half as many as it was trained on together
        with the bases that it has no more. Of those items what left since is not counted, but all of a release that was
        withdrawn as a whole: its items may be used all the same. No, where nothing is left to be measured by, or nobody
        can tell any more.
        """
        with self.desk.lock:
            lineage, releases = self.desk.present().overseen.lineage, self.desk.newest.state.releases
            then, now = (self._uses(each) for each in lineage.beneath(model, chosen=before))
            own = self._uses([Weights(model.name, before)])
            dropped = [*own, *(use for use in then if use not in now)]
            read, others = (
                [use for use in uses if use.release in releases and releases[use.release].withdrawn is None]
                for uses in (jobs, [use for use in now if use not in then])
            )
            try:
                trained, rested_on = (self._items(uses, untold_is_all=True) for uses in (own, dropped))
                consumed, all_read = (self._items(uses, untold_is_all=False) for uses in (read, [*read, *others]))
            except ConsentryError:
                return False
        measured = (trained > 0 or not own) and (rested_on > 0 or not dropped)
        return measured and consumed > 0 and 2 * consumed >= trained and 2 * all_read >= rested_on

    def _uses(self, made: Iterable[Weights]) -> list[Use]:
        """Return the uses that made some weights what they are, or were then, of releases that are known."""
        found: dict[Use, None] = {}
        lineage, releases = self.desk.newest.overseen.lineage, self.desk.newest.state.releases
        for weights in made:
            if (model := lineage.get(weights.model)) is not None:
                since, until = model.trained_since(at=weights.at), weights.at
                those = (use for use in model.uses if since <= use.position and (until is None or use.position < until))
                found |= dict.fromkeys(use for use in those if use.release in releases)
        return list(found)

    def _items(self, uses: Sequence[Use], *, untold_is_all: bool) -> int:
        """Count the different rows of files in some uses that have not left, whatever bytes a file has by now."""
        found: dict[tuple[str, str], BitMap64] = {}
        for use in uses:
            manifest = self.archive.remembered(use.release).manifest
            removed = self.removals.removed(self.desk.newest.amendments.newest(use.release))
            for rows in self._consumed(use) or ([self._eligible(use.release)] if untold_is_all else []):
                for index, each in rows.items():
                    key = manifest.corpus, manifest.files[index].pin.path
                    found[key] = found.get(key, BitMap64()) | (each - removed.get(index, BitMap64()))
        return sum(map(len, found.values()))

    def _consumed(self, use: Use) -> list[RowsOfFiles]:
        """Return what was consumed of what a release was sealed with: what it leaves out nobody was given."""
        parts = self.consumption.under(use)
        held = self._held(use.release, {index for part in parts for index in part.rows})
        return [{index: rows & held[index] for index, rows in part.rows.items()} for part in parts]

    def _eligible(self, name: str) -> RowsOfFiles:
        """Return all that a release held when it was sealed."""
        return self._held(name, range(len(self.archive.remembered(name).manifest.files)))

    def _held(self, name: str, indexes: Iterable[int]) -> RowsOfFiles:
        """Return what a release held of some files when it was sealed."""
        release = self.archive.remembered(name)
        return {index: _all(release.manifest.files[index].pin.rows) - release.rows_left_out(index) for index in indexes}

    def not_given(self, use: Use) -> int | None:
        """Count what a job said it was trained on and its release leaves out; None if nobody can tell any more."""
        with self.desk.lock:
            known = len(self.desk.present().overseen.lineage.consumed(use.lease or ""))
            if self._not_given.get(use, (None, 0))[0] != known:
                try:
                    release = self.archive.remembered(use.release)
                    self._not_given[use] = known, self.consumption.not_given(use, release.rows_left_out)
                except ConsentryError:
                    return None
            return self._not_given[use][1]

    def _files_of(self, use: Use, rows: RowsOfFiles) -> set[tuple[str, str]]:
        """Return the files that some rows of a release are in, each with its corpus."""
        manifest = self.archive.remembered(use.release).manifest
        return {(manifest.corpus, manifest.files[index].pin.path) for index, each in rows.items() if each}

    def people_of(self, rows: Mapping[tuple[str, FilePin], BitMap64], releases: Iterable[str]) -> tuple[int, int]:
        """Return how many people withdrew the items in some rows: those who did so, or else those they are by.

        And of how many items nobody can tell: of their files nothing is known any more. What is known of a file now
        counts, and what was when one of the releases was sealed.
        """
        found: set[int] = set()
        untold = 0
        with self.desk.lock:
            present = self.desk.present()
            erased = {*self.desk.erased().tolist()}
            withdrew, links = {*present.reaching.since(0), *erased}, set[tuple[int, int]]()
            known = self._known([each for each in releases if each in present.state.releases] if rows else [])
            for key, each in rows.items():
                if key not in known:
                    untold += len(each)
                    continue
                files, positions = list(known[key].values()), np.asarray(each.to_array(), dtype=np.int64)
                found.update(_who([file.sidecar for file in files], positions, withdrew))
                links.update(_seated_again(files, positions, erased))
            groups = joined(present.groups, links)
        return len({groups.get(seat, (seat,))[0] for seat in found}), untold

    def _known(self, releases: Iterable[str]) -> dict[tuple[str, FilePin], dict[Path, KnownFile]]:
        """Return all that is known of the files of releases."""
        found: dict[tuple[str, FilePin], dict[Path, KnownFile]] = {}
        for name in releases:
            with suppress(ConsentryError):
                manifest = self.archive.remembered(name).manifest
                for each in chain.from_iterable(self.archive.known_files.of(manifest)):
                    key = manifest.corpus, each.sidecar.pin
                    found.setdefault(key, {})[each.sidecar.folder] = each
        return found


def _who(known: Sequence[Sidecar], rows: npt.NDArray[np.int64], withdrew: Collection[int]) -> Iterator[int]:
    """Yield for each row the seats of those whom it involves and who withdrew; its owner if nobody did."""
    for seats in zip(*(_involved(sidecar, rows) for sidecar in known), strict=True):
        those = [seat for each in seats for seat in each if seat in withdrew]
        owners = [owner for owner, *_ in seats if owner != NOBODY]
        yield from those or owners


def _seated_again(
    known: Sequence[KnownFile], rows: npt.NDArray[np.int64], erased: set[int]
) -> Iterator[tuple[int, int]]:
    """Yield two seats of one person who was erased: in a file that is registered after that they have another one.

    No id leads from one to the other. But where the same columns were read, the same row has the same people.
    """
    for one, other in combinations(known, 2) if erased else ():
        roles = (("author", slice(0, 1)), ("involves", slice(1, None)))
        same = [part for role, part in roles if one.columns.get(role) == other.columns.get(role)]
        for before, after in zip(_involved(one.sidecar, rows), _involved(other.sidecar, rows), strict=True):
            for part in same:
                left, came = {*before[part]} - {*after[part]}, {*after[part]} - {*before[part]}
                if len(left) == len(came) == 1 and left | came <= erased:
                    yield left.pop(), came.pop()


def _involved(sidecar: Sidecar, rows: npt.NDArray[np.int64]) -> Iterator[list[int]]:
    """Yield for each row the seat of its owner, and those of the others whom it involves."""
    first, last = (np.searchsorted(sidecar.involved_row, rows, side=side) for side in ("left", "right"))
    for row, start, stop in zip(rows.tolist(), first.tolist(), last.tolist(), strict=True):
        yield [int(sidecar.person[row]), *(int(seat) for seat in sidecar.involved_person[start:stop])]


def _all(rows: int) -> BitMap64:
    found = BitMap64()
    found.add_range(0, rows)
    return found
