"""What an order would hit, asked before it is given: never less than what it then hits.

It is asked as if the order were given now: by the same rows (`order_rows.py`), of the same releases and leases
(`hits.py`), and of the models that it then holds (`model_holding.py`). Nothing of it is remembered, and nothing noted.

Each file is looked through once for the whole question, whatever number of releases hold rows of it. What a release
holds of that is the number of a set without another: the bitmap it leaves out is read, and no row. Its own counts are
asked only where that leaves nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np
from pyroaring import BitMap64

from consentry.control_plane.hits import Hits, rows_hit
from consentry.control_plane.model_holding import InWeights, covers_learned, in_weights
from consentry.control_plane.once_known import items_of
from consentry.control_plane.order_rows import OrderRows
from consentry.corpus.registration import Corpus
from consentry.errors import ConsentryError
from consentry.ledger.oversight_events import Origin
from consentry.oversight.lease import Lease
from consentry.oversight.order import Order, Scope, issue, issued
from consentry.policy.vocabulary import Purpose
from consentry.progress import Progress, watched_work
from consentry.release.amendment import Noted
from consentry.release.manifest import ReleaseFile
from consentry.release.sealed import SealedRelease

_NAME = "what-if"


class _Part(NamedTuple):
    """A file of a release, and the rows of it that are in scope; None: nobody knows."""

    file: ReleaseFile
    found: BitMap64 | None
    left: BitMap64 | None
    """Those that left the release by amendments since it was sealed."""
    least: int
    """How many count at least: one in a file that is registered with other bytes, or not at all."""

    def count(self, release: SealedRelease, *, left: BitMap64 | None = None) -> int:
        """Count the rows that the release holds, without those that left."""
        return max(self.least, rows_hit(release, self.file, found=self.found, left=left))


class WhatIf:
    """One question, by what is known now and was known before. Not for several threads at a time."""

    def __init__(self, hits: Hits, scope: Scope, *, progress: Progress | None = None) -> None:
        self._hits = hits
        self._progress = progress
        self._desk = hits.desk
        self._scope = scope
        parts = self._desk.parts
        body = issue(
            scope, order=_NAME, case=_NAME, origin=Origin.OWN_DECISION, reference=_NAME, at_ms=parts.milliseconds()
        )
        with self._desk.lock:
            self._present = self._desk.present()
            self._order: Order = issued(body, position=self._present.position, at=parts.clock())
        self._rows = OrderRows(self._desk, self._order, progress=progress)

    def answer(self) -> dict[str, Any]:
        """Say items and people by corpus, releases, leases that are read under, and models."""
        corpora = self._corpora()
        with self._desk.lock:
            reads = self._hits.read_under(self._order, self._present)
        held = self._held(reads)
        stopped = [each for each in reads if each.release in held]
        models = self._models(held)
        return {
            "scope": self._scope.to_json(),
            "corpora": corpora,
            "releases": {} if self._scope.models else self._unreadable(held),
            "leases": [each.lease for each in stopped],
            "jobs": sorted({each.job for each in stopped}),
            "models": sorted(models | {each.model for each in stopped}),
            "no_longer_served": sorted(models) if self._serving else [],
        }

    @property
    def _serving(self) -> bool:
        return self._scope.concerns(Purpose.SERVE)

    def _corpora(self) -> dict[str, dict[str, int]]:
        """Return for each corpus how many items, of how many, are in scope now, and of how many people there they are.

        Somebody counts who owns one of these items, or is involved in it, and may live in the areas.
        """
        corpora = [self._desk.corpus(name) for name in self._present.state.corpora]
        return {each.name: self._corpus(each) for each in corpora}

    def _corpus(self, corpus: Corpus) -> dict[str, int]:
        people = self._rows.people
        hit = np.zeros(people.size, dtype=np.bool_)
        what = f"looking through {corpus.name}"
        found = self._rows.look_through(corpus.sidecars, items=corpus.items, hit=hit, what=what)
        return {"items": sum(map(len, found)), "of": corpus.rows, "people": int(np.count_nonzero(hit & people))}

    def _held(self, reads: Iterable[Lease]) -> dict[str, int]:
        """Return how many items of each release that is asked about would be hit; none that would be is left out.

        What amendments took out is not counted. A release of which nothing else is in scope is hit all the same: an
        order goes by what was sealed. It counts 0.
        """
        asked = self._asked({each.release for each in reads})
        parts = [self._parts(name) for name in asked]
        if self._progress is not None:
            self._progress.begin("looking into releases", total=len(asked), unit="releases")
        work = watched_work(self._counted, self._progress)
        counts = self._desk.parts.runner.map(work, zip(asked, parts, strict=True))
        return {name: now for name, now in zip(asked, counts, strict=True) if now is not None}

    def _asked(self, read: Collection[str]) -> list[str]:
        """Return the releases that the order makes unreadable if it hits them, makes jobs stop on, or models be held.

        That jobs read or models learned from: withdrawn ones as well, and those that may not be read again.
        """
        releases = self._present.state.releases
        learned = {release for weights in self._learned().values() for release in weights.releases}
        if self._scope.models:
            return [name for name in releases if name in read or name in learned]
        return [
            name
            for name, sealed in releases.items()
            if name in read
            or (self._scope.concerns(sealed.purpose) and (sealed.withdrawn is None or name in learned))
            or (self._serving and name in learned)
        ]

    def _learned(self) -> dict[str, InWeights]:
        """Return what each model learned from that the order is about, by name or as about any."""
        lineage = self._present.overseen.lineage
        named = [each.name for each in lineage if self._scope.names(lineage.ancestry(each.name))]
        return {name: in_weights(lineage, name) for name in named}

    def _parts(self, name: str) -> tuple[SealedRelease, list[_Part]] | None:
        try:
            release = self._hits.archive.remembered(name)
            known = items_of(self._hits.archive.at_seal, release.manifest)
            with self._desk.lock:
                noted = self._desk.newest.amendments.newest(name)
            found = self._rows.of(known, sealed=self._present.state.releases[name].position)
        except (ConsentryError, OSError):
            return None
        left, registered = self._left(noted), {each.pin for each in known.registered.sidecars}
        files = enumerate(release.manifest.files)
        return release, [
            _Part(file, found.get(file.pin), left.get(index), least=int(file.pin not in registered))
            for index, file in files
        ]

    def _left(self, noted: Noted | None) -> Mapping[int, BitMap64]:
        try:
            return self._hits.removals.removed(noted)
        except (ConsentryError, OSError):
            return {}

    def _counted(self, asked: tuple[str, tuple[SealedRelease, list[_Part]] | None]) -> int | None:
        """Count what is hit of a release as it is now; None if nothing was as it was sealed.

        What cannot be read is not known, and what is not known is hit.
        """
        name, held = asked
        if held is None:
            return 1
        release, parts = held
        try:
            if any(each.count(release) for each in parts) or self._hits.held_then(name, self._order):
                return sum(each.count(release, left=each.left) for each in parts)
        except (ConsentryError, OSError):
            return 1
        return None

    def _unreadable(self, held: Mapping[str, int]) -> dict[str, int]:
        """Return those that nobody may read because of the order, of those that somebody may read without it.

        One that was withdrawn may not be read again, nor one that is barred by an order that was lifted or narrowed.
        """
        releases = self._present.state.releases
        hit = [each for each in held if self._hits.concerns(self._order, each) and releases[each].withdrawn is None]
        return {each: held[each] for each in hit if not self._hits.barred_for_good(each)}

    def _models(self, held: Collection[str]) -> set[str]:
        """Return the models that an order is about and that have what is in its scope in their weights."""
        return {
            name
            for name, weights in self._learned().items()
            if covers_learned(self._scope, weights, hit=held.__contains__)
        }
