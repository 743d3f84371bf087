"""How many items of a release are in the scope of the orders of a case, and what became of them.

Counted row by row, as a what-if counts (`release/in_scope.py`): whoever may live there, as people were known when the
release was sealed and groups of places were when an order was issued; and by dates of creation.

Of somebody who was erased it is known where their items lie, but no more what they said; of a file that was
registered anew with other bytes nothing is known any more, nor of any where only another descriptor is left. So what
was counted is kept, as numbers, and stands from then on: a report of a position stays what it was. It is counted anew
only to count files that it could not count before.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import partial

import numpy as np
from pyroaring import BitMap64

from consentry.control_plane.archive import Archive
from consentry.control_plane.desk import Desk
from consentry.control_plane.known import KnownThen
from consentry.control_plane.removals import Removals
from consentry.corpus.registration import Corpus
from consentry.digests import canonical_json, digest_json
from consentry.durable import replace_file
from consentry.errors import ConflictError, IntegrityError, NotFoundError
from consentry.exhausted import require_room
from consentry.oversight.order import Order
from consentry.policy.evaluator import ReasonKind
from consentry.release.amendment import Noted, number_of
from consentry.release.compare import Side
from consentry.release.in_scope import ScopeTables, lay_out, rows_in_scope
from consentry.release.kernel import decide_rows
from consentry.release.manifest import Manifest
from consentry.release.tallies import outcome_of

COUNTS = ("items", "eligible", "left", "refused", "suspended", "uncounted")
"""Items in scope; of them used, taken out by amendments, kept out by a refusal, by an order; items of files that were
registered anew since, with other bytes or under another descriptor, of which nobody can tell any more."""


class ScopeCounts:
    """Counts, and keeps what it counted in a folder of the home: a file for each release, orders and amendment."""

    def __init__(self, desk: Desk, *, archive: Archive, removals: Removals) -> None:
        self.desk = desk
        self.archive = archive
        self.removals = removals
        self.folder = desk.parts.home / "report-counts"

    def of(self, release: str, orders: Sequence[Order], *, noted: Noted | None, then: KnownThen) -> dict[str, int]:
        """Count the items of a release that are in the scope of any of some orders.

        Args:
            release: the release.
            orders: the orders.
            noted: the newest amendment that counts.
            then: what was known when it was sealed, or before that; it is carried forward.
        """
        kept, erased = self._kept(release, orders, noted), len(self.desk.present().state.erased)
        if kept is not None and (not kept["uncounted"] or kept["erased"] < erased):
            return {name: kept[name] for name in COUNTS}
        manifest = self.archive.open(release).manifest
        corpus = self._known(manifest)
        uncounted = manifest.items - (0 if corpus is None else corpus.rows)
        if kept is not None and kept["uncounted"] <= uncounted:
            return {name: kept[name] for name in COUNTS}
        counts = dict.fromkeys(COUNTS, 0)
        if corpus is not None:
            side, _, _ = self.archive.side(release, then=then, corpus=corpus)
            classes = side.basis.knowledge.classes
            looks = [lay_out(order.rule, classes, items=corpus.items, at=order.at) for order in orders]
            counts = self._count(side, looks, noted=noted)
        counts["uncounted"] = uncounted
        self._keep(release, orders, noted=noted, body={**counts, "erased": erased})
        return counts

    def _known(self, manifest: Manifest) -> Corpus | None:
        """Return what was known of the items of a release when it was sealed; None if nobody knows it any more."""
        try:
            return self.archive.at_seal.open(manifest)
        except (ConflictError, IntegrityError, NotFoundError):
            return None

    def _name(self, release: str, orders: Sequence[Order], noted: Noted | None) -> str:
        manifest = self.archive.sealed_as(release).manifest
        key = {"manifest": manifest, "orders": [each.order for each in orders], "amendment": number_of(noted)}
        return f"{digest_json(key).partition(':')[2]}.json"

    def _kept(self, release: str, orders: Sequence[Order], noted: Noted | None) -> dict[str, int] | None:
        try:
            body = json.loads((self.folder / self._name(release, orders, noted)).read_bytes())
        except (OSError, ValueError) as error:
            require_room(error)  # what is counted now may be less than what was reported, and would be kept
            return None
        return body if isinstance(body, dict) and body.keys() == {*COUNTS, "erased"} else None

    def _keep(self, release: str, orders: Sequence[Order], *, noted: Noted | None, body: Mapping[str, int]) -> None:
        # Where nothing can be written a report can still be read; it may be another one, once something is gone.
        with suppress(OSError):
            self.folder.mkdir(mode=0o700, exist_ok=True)
            replace_file(self.folder / self._name(release, orders, noted), canonical_json(body), shared=True)

    def _count(self, side: Side, looks: Sequence[ScopeTables], *, noted: Noted | None) -> dict[str, int]:
        work = partial(_of_file, side, looks=looks, removed=self.removals.removed(noted))
        found: Counter[str] = Counter()
        for each in self.desk.parts.runner.map(work, range(len(side.sidecars))):
            found.update(each)
        return {name: found[name] for name in COUNTS}


def _of_file(
    side: Side, index: int, *, looks: Sequence[ScopeTables], removed: Mapping[int, BitMap64]
) -> Mapping[str, int]:
    sidecar, files = side.sidecars[index], side.release.manifest.files
    number = next(number for number, each in enumerate(files) if each.pin == sidecar.pin)
    in_scope = BitMap64()
    for look in looks:
        in_scope |= rows_in_scope(sidecar, look)
    bitmap = files[number].bitmap
    out = BitMap64.deserialize(side.release.bitmap(files[number])) if bitmap.cardinality else BitMap64()
    sealed, left = in_scope - out, removed.get(number, BitMap64())
    kept_out = _kept_out(side, index, in_scope & out)
    return {
        "items": len(in_scope),
        "eligible": len(sealed - left),
        "left": len(sealed & left),
        "refused": kept_out[ReasonKind.REFUSED],
        "suspended": kept_out[ReasonKind.SUSPENDED],
    }


def _kept_out(side: Side, index: int, rows: BitMap64) -> Counter[str]:
    """Count by the strongest reason, decided again, what the release leaves out."""
    look, found = side.basis.look, Counter[str]()
    if rows:
        wanted = np.array(rows, dtype=np.int64)
        outcomes = decide_rows(side.sidecars[index], wanted, look=look, exceptions=side.basis.exceptions[index])
        for outcome, items in zip(*(each.tolist() for each in np.unique(outcomes, return_counts=True)), strict=True):
            involved, decided = divmod(outcome, look.involved_offset)
            label = outcome_of(look.outcomes[decided], involved=bool(involved)).label
            found[label.removeprefix("involved:").partition(":")[0]] += items
    return found
