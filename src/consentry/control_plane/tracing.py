"""Tracing: from models to the items they were trained on, and from a person to the releases and models that used them.

What a job consumed is looked up in the objects that its reports name; what left a release, in its amendments. Both are
small beside a release, and neither ever changes, so what was counted once is remembered.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from threading import Lock
from typing import Any

import numpy as np
import numpy.typing as npt
from pyroaring import BitMap64

from consentry.control_plane.leasing import Leasing
from consentry.control_plane.parts import Parts
from consentry.corpus.people import MISSING
from consentry.corpus.pseudonym import words
from consentry.corpus.registration import open_corpus
from consentry.corpus.sidecar import NOBODY, FilePin, Sidecar
from consentry.errors import ConsentryError
from consentry.oversight.lineage import Consumed, Loss, Model, Use
from consentry.policy.choice import Seconds
from consentry.policy.policy_set import Remedies
from consentry.release.amendment import Noted
from consentry.release.sealed import SealedRelease

RowsOfFiles = dict[int, BitMap64]
"""Rows by the number of their file in a release."""


@dataclass(slots=True)
class _Eaten:
    """What a job consumed after it had heard of one amendment, and when it said so last."""

    amendment: int
    position: int = 0
    at: Seconds = 0
    rows: RowsOfFiles = field(default_factory=dict)

    def add(self, consumed: Consumed, ranges: Sequence[Sequence[int]]) -> None:
        self.position, self.at = consumed.position, consumed.at
        for index, first, end in ranges:
            self.rows.setdefault(index, BitMap64()).add_range(first, end)


@dataclass(slots=True)
class _Lease:
    """What was consumed under a lease, as far as it was read."""

    read: int = 0
    parts: dict[int, _Eaten] = field(default_factory=dict)


class Tracing(Leasing):
    """Verbs that answer what was used where."""

    def __init__(self, parts: Parts) -> None:
        super().__init__(parts)
        self._reading = Lock()
        self._eaten: dict[str, _Lease] = {}
        self._lost_by: dict[tuple[str, Use], tuple[Any, Sequence[Loss]]] = {}
        self._manifests: dict[str, SealedRelease] = {}

    def losses(self, name: str) -> list[Loss]:
        """Return what a model was trained on itself and that was withdrawn since, oldest first."""
        model = self.newest.record.lineage.get(name)
        found = [] if model is None else [loss for use in model.uses for loss in self._losses(name, use)]
        return sorted(found, key=lambda loss: loss.position)

    def _losses(self, name: str, use: Use) -> Iterator[Loss]:
        sealed = self.newest.state.releases.get(use.release)
        if sealed is None:
            return
        said = 0 if use.lease is None else len(self.newest.record.lineage.consumed(use.lease))
        unheard = () if sealed.withdrawn is not None else self.unheard(use.release)
        told = self._told_all(use)
        known = said, len(self.newest.amendments.of(use.release)), sealed.withdrawn is not None, unheard, told
        if self._lost_by.get((name, use), (None, ()))[0] != known:
            terms = self._terms(use.release)
            found = [
                Loss(position, at, name, use.release, items, use.position, terms)
                for position, at, items in (*self._amended(use), *self._withdrawn(use), *self._not_known(use, unheard))
            ]
            self._lost_by[name, use] = known, found
        yield from self._lost_by[name, use][1]

    def _not_known(self, use: Use, unheard: Sequence[int]) -> Iterator[tuple[int, Seconds, int]]:
        """Yield what was withdrawn when nobody could tell any more which items that are: it may be all of them."""
        for position in unheard:
            (event,) = self.parts.ledger.read(position, position + 1)
            items = 1
            with suppress(ConsentryError):
                items = self._sealed(use.release).manifest.eligible
            yield max(position, use.position), max(event.recorded_at, use.at), items

    def _terms(self, release: str) -> Remedies:
        return self.document(self.newest.state.releases[release].policy).remedies

    def _withdrawn(self, use: Use) -> Iterator[tuple[int, Seconds, int]]:
        withdrawn = self.withdrawal(use.release)
        if withdrawn is not None:
            eaten = self._consumed_under(use)
            items = sum(len(rows) for part in eaten for rows in part.rows.values())
            items = items or self._sealed(use.release).manifest.eligible
            yield max(withdrawn["position"], use.position), max(withdrawn["at"], use.at), items

    def _amended(self, use: Use) -> Iterator[tuple[int, Seconds, int]]:
        """Yield for each amendment that removed items that were used: position, time and how many."""
        noted = self.newest.amendments.of(use.release)
        eaten = self._consumed_under(use)
        if not eaten:
            before = 0
            for each in noted:
                if use.lease is None or each.stands > use.position:
                    yield max(each.stands, use.position), max(each.at, use.at), each.items - before
                before = each.items
        for part in eaten:
            before = 0
            for each in noted[part.amendment :] if noted and self._gone(part, noted[-1], noted) else ():
                count = sum(map(len, self._gone(part, each, noted).values()))
                if count > before:
                    yield max(each.stands, part.position), max(each.at, part.at), count - before
                before = count

    def _gone(self, part: _Eaten, upto: Noted, noted: Sequence[Noted]) -> RowsOfFiles:
        """Return the consumed rows that left by an amendment, but for those the job had heard of."""
        heard = self.removed(noted[part.amendment - 1] if part.amendment else None)
        removed = self.removed(upto)
        found = {
            index: (removed[index] - heard.get(index, BitMap64())) & rows
            for index, rows in part.rows.items()
            if index in removed
        }
        return {index: rows for index, rows in found.items() if rows}

    def _consumed_under(self, use: Use) -> list[_Eaten]:
        """Return what was consumed under a lease; nothing if nobody said, or not all: then it is the whole release."""
        if use.lease is None or not self._told_all(use):
            return []
        said, noted = self.newest.record.lineage.consumed(use.lease), self.newest.amendments.of(use.release)
        with self._reading:
            known = self._eaten.setdefault(use.lease, _Lease())
            for consumed in said[known.read :]:
                # Nobody had heard of an amendment that was not there.
                heard = min(consumed.body.amendment, sum(each.stands < consumed.position for each in noted))
                part = known.parts.setdefault(heard, _Eaten(heard))
                part.add(consumed, json.loads(self.parts.objects.get(consumed.body.ranges)))
                known.read += 1
            return list(known.parts.values())

    def _told_all(self, use: Use) -> bool:
        """Say whether no step is known to be taken under a lease of which nobody said what it consumed.

        The step that a job stopped at was not taken.
        """
        lease = None if use.lease is None else self.newest.record.leases.get(use.lease)
        if lease is None:
            return True
        steps = [each.step for _, each in lease.checkpoints if not each.quarantined]
        if lease.ended is not None and lease.ended.step is not None:
            steps.append(lease.ended.step)
        return max(steps, default=0) <= (lease.step or 0) + 1

    def lost_rows(self, model: Model) -> dict[tuple[str, FilePin], BitMap64]:
        """Return the rows of content files that a model was trained on and that left their releases since."""
        found: dict[tuple[str, FilePin], BitMap64] = {}
        for use in model.uses:
            if use.position < model.trained_since or use.release not in self.newest.state.releases:
                continue
            manifest = self._sealed(use.release).manifest
            for index, rows in self._lost(use).items():
                key = manifest.corpus, manifest.files[index].pin
                found[key] = found.get(key, BitMap64()) | rows
        return {key: rows for key, rows in found.items() if rows}

    def _lost(self, use: Use) -> RowsOfFiles:
        noted = self.newest.amendments.of(use.release)
        if not noted:
            return {}
        parts = self._consumed_under(use)
        if not parts:
            removed = self.removed(noted[-1])
            heard = [each for each in noted if use.lease is not None and each.stands < use.position]
            before = self.removed(heard[-1] if heard else None)
            return {index: rows - before.get(index, BitMap64()) for index, rows in removed.items()}
        found: RowsOfFiles = {}
        for part in parts:
            for index, rows in self._gone(part, noted[-1], noted).items():
                found[index] = found.get(index, BitMap64()) | rows
        return found

    def people_of_rows(self, rows: Mapping[tuple[str, FilePin], BitMap64]) -> int:
        """Return how many people withdrew the items in some rows: those who did so, or else those they are by."""
        found: set[int] = set()
        with self.lock:
            present = self.present()
            withdrew = {*present.reaching.since(0), *self.erased().tolist()}
            for (name, pin), each in rows.items():
                sidecar = self._sidecars(name).get(pin)
                if sidecar is not None:
                    seats = _who(sidecar, np.asarray(each.to_array(), dtype=np.int64), withdrew)
                    found |= {present.accounts(seat)[0] for seat in seats}
        return len(found)

    def uses_of(self, person: str) -> dict[str, Any]:
        """Say which releases hold items by or about a person, which held some, and which models were trained on them.

        Who is asked about is looked up, never stored. What is read of a release is not checked: see `verify`.
        """
        index, key = self.parts.pseudonyms.lookup()
        with self.lock:
            present = self.present()
            ordinal = index.lookup_one(*words(key, person))
            seats = () if ordinal == MISSING else present.accounts(ordinal + 1)
            releases = dict(present.state.releases)
        mine: dict[tuple[str, FilePin], npt.NDArray[np.int64]] = {}
        sealed_rows = {name: self._rows_in(name, seats, mine) for name in releases} if seats else {}
        sealed_rows = {name: rows for name, rows in sealed_rows.items() if rows is None or rows}
        return {
            "person": self.parts.pseudonyms.person(person),
            "accounts": len(seats),
            "releases": [self._release_used(name, rows) for name, rows in sealed_rows.items()],
            "models": self._models_using(sealed_rows),
            "position": present.position,
        }

    def _rows_in(
        self, name: str, seats: Sequence[int], mine: dict[tuple[str, FilePin], npt.NDArray[np.int64]]
    ) -> RowsOfFiles | None:
        """Return the rows of a person that a release was sealed with; None if a file of it is not known any more."""
        try:
            release = self._sealed(name)
            sidecars = self._sidecars(release.manifest.corpus)
            wanted = {}
            for index, file in enumerate(release.manifest.files):
                at = release.manifest.corpus, file.pin
                if at not in mine:
                    mine[at] = sidecars[file.pin].rows_of(np.array(seats, dtype=np.uint32)).astype(np.int64)
                if mine[at].size:
                    wanted[index] = mine[at]
            out = release.left_out(wanted)
        except (ConsentryError, KeyError):
            return None
        kept = {index: rows[~out[index]] for index, rows in wanted.items()}
        return {index: BitMap64(rows.astype(np.uint64)) for index, rows in kept.items() if rows.size}

    def _release_used(self, name: str, rows: RowsOfFiles | None) -> dict[str, Any]:
        noted = self.newest.amendments.newest(name)
        removed = self.removed(noted) if rows else {}
        gone = sum(len(each & removed[index]) for index, each in (rows or {}).items() if index in removed)
        return {
            "release": name,
            "known": rows is not None,
            "sealed_with": None if rows is None else sum(map(len, rows.values())),
            "removed": gone,
            "withdrawn": self.newest.state.releases[name].withdrawn is not None,
        }

    def _models_using(self, sealed_rows: Mapping[str, RowsOfFiles | None]) -> list[dict[str, Any]]:
        lineage = self.newest.record.lineage
        own = {model.name: self._items_used(model, sealed_rows) for model in lineage}
        found = []
        for model in lineage:
            above = [name for name in lineage.ancestry(model.name)[1:] if own.get(name, 0) != 0]
            if own[model.name] != 0 or above:
                found.append({"model": model.name, "items": own[model.name], "through": above})
        return found

    def _items_used(self, model: Model, sealed_rows: Mapping[str, RowsOfFiles | None]) -> int | None:
        """Return how many items of a person a model was trained on itself; None if that is not known."""
        found: dict[FilePin, BitMap64] = {}
        for use in model.uses:
            if use.release not in sealed_rows:
                continue
            rows = sealed_rows[use.release]
            if rows is None:
                return None
            manifest = self._sealed(use.release).manifest
            for index, each in self._trained_on(use, rows).items():
                pin = manifest.files[index].pin
                found[pin] = found.get(pin, BitMap64()) | each
        return sum(map(len, found.values()))

    def _trained_on(self, use: Use, rows: RowsOfFiles) -> RowsOfFiles:
        """Return those of some rows that were consumed under a use."""
        noted = self.newest.amendments.of(use.release)
        parts = self._consumed_under(use)
        if not parts:
            heard = [each for each in noted if use.lease is not None and each.stands < use.position]
            before = self.removed(heard[-1] if heard else None)
            return {index: each - before.get(index, BitMap64()) for index, each in rows.items()}
        found: RowsOfFiles = {}
        for part in parts:
            heard_of = self.removed(noted[part.amendment - 1] if part.amendment else None)
            for index in rows.keys() & part.rows.keys():
                eaten = (rows[index] & part.rows[index]) - heard_of.get(index, BitMap64())
                found[index] = found.get(index, BitMap64()) | eaten
        return found

    def _sealed(self, name: str) -> SealedRelease:
        """Open a release; one that was opened is remembered, as its manifest cannot change."""
        if name not in self._manifests:
            self._manifests[name] = self.release(name)
        return self._manifests[name]

    def _sidecars(self, corpus: str) -> dict[FilePin, Sidecar]:
        found = self._opened[corpus] = open_corpus(self.corpora, corpus, like=self._opened.get(corpus))
        return {sidecar.pin: sidecar for sidecar in found.sidecars}


def _who(sidecar: Sidecar, rows: npt.NDArray[np.int64], withdrew: Collection[int]) -> Iterator[int]:
    """Yield for each row the seats of those whom it involves and who withdrew; its owner if nobody did."""
    first, last = (np.searchsorted(sidecar.involved_row, rows, side=side) for side in ("left", "right"))
    for row, start, stop in zip(rows.tolist(), first.tolist(), last.tolist(), strict=True):
        owner = int(sidecar.person[row])
        seats = [owner, *(int(seat) for seat in sidecar.involved_person[start:stop])]
        those = [seat for seat in seats if seat in withdrew]
        yield from those or ([owner] if owner != NOBODY else [])
