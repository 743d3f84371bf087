"""Releases: planned, built, asked about, handed out and withdrawn."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from consentry.control_plane.amendments import AmendmentVerbs
from consentry.control_plane.archive import Archive
from consentry.control_plane.barred import barred_json
from consentry.control_plane.desk import Desk
from consentry.control_plane.drafts import Drafts
from consentry.control_plane.handouts import Handouts
from consentry.control_plane.once_recorded import once_recorded
from consentry.control_plane.verification import Verification
from consentry.control_plane.wording import require_handle, require_texts
from consentry.errors import InputError, NotFoundError, StateError
from consentry.ledger.case_events import Handle
from consentry.ledger.events import ChoiceMade
from consentry.ledger.release_events import ReleaseWithdrawn
from consentry.ledger.state import Sealed
from consentry.oversight.order import Scope
from consentry.policy.choice import Seconds
from consentry.policy.policy_set import PolicySet
from consentry.policy.vocabulary import Purpose
from consentry.progress import Progress
from consentry.release import compare, explain, materialise
from consentry.release.basis import people_of
from consentry.release.data_file import DataFile
from consentry.release.explain import Explanation
from consentry.release.iceberg_schema import FormatVersion
from consentry.release.materialise import CopyFormat
from consentry.release.plan import Plan
from consentry.release.reproduce import require_registered
from consentry.release.sealed import Finding, SealedRelease
from consentry.release.sealing import Built


class ReleaseVerbs:
    """Verbs about releases."""

    def __init__(
        self,
        desk: Desk,
        *,
        archive: Archive,
        amendments: AmendmentVerbs,
        handouts: Handouts,
        verification: Verification,
    ) -> None:
        self.desk = desk
        self.archive = archive
        self.amendments = amendments
        self.handouts = handouts
        self.drafts = Drafts(desk)
        self.verification = verification

    def plan(
        self, corpus: str, purpose: Purpose, *, policy: PolicySet, at: Seconds, suspended: Scope | None = None
    ) -> Plan:
        """Say what a release would hold, from the census; as if a scope were `suspended`."""
        return self.drafts.plan(corpus, purpose, policy=policy, at=at, suspended=suspended)

    def build(
        self,
        corpus: str,
        purpose: Purpose,
        *,
        policy: str,
        at: Seconds | None = None,
        by: Handle | None = None,
        progress: Progress | None = None,
    ) -> Built:
        """Build and seal a release, as of now or of an earlier time; see `Drafts.build` for when it cannot be."""
        return self.drafts.build(corpus, purpose, policy=policy, at=at, by=by, progress=progress)

    def sealed(self) -> dict[str, Sealed]:
        """Return every sealed release by name, oldest first."""
        return self.archive.sealed()

    def sealed_as(self, name: str) -> Sealed:
        """Return what the ledger says about a release."""
        return self.archive.sealed_as(name)

    def withdrawal(self, name: str) -> dict[str, Any] | None:
        """Say why and when a release was withdrawn; None if it was not."""
        return self.archive.withdrawal(name)

    def open(self, name: str) -> SealedRelease:
        """Open a sealed release to ask about it, its manifest checked against the ledger; content: `data_files`."""
        return self.archive.open(name)

    def explain(self, name: str, item: str) -> Explanation:
        """Say why an item is in a release, or is not, or left it, and check that the bitmap says the same.

        Whether anybody may read the release is said beside it: `withdrawn`, and `barred` by an order.
        """
        found = self._as_sealed(name, item)
        place = found.body["item"]
        noted = self.amendments.that_removed(name, path=place["file"], row=place["position"])
        return found if noted is None else replace(found, allowed=False, body=explain.amended(found.body, noted))

    def _as_sealed(self, name: str, item: str) -> Explanation:
        """Say why an item is in a release, or is not, and check that the bitmap says the same."""
        side, then, corpus = self.archive.side(name, then=self.archive.before(self.archive.sealed_as(name).position))
        key = self.desk.parts.pseudonyms.item(corpus.name, item)
        try:
            found = explain.find(corpus, item, key=key)
        except NotFoundError:
            require_registered(side.release.manifest, corpus)  # it may be in a file of which nothing is known any more
            raise
        seats = [seat for seat, _ in people_of(side.basis, found.sidecar, row=found.row, item_key=key)]
        people = [self.desk.accounts(then, seat) for seat in seats]
        policy = self.desk.document(side.release.manifest.policy.digest)
        result = explain.explain(
            found, side.basis, key=key, policy=policy, state=then.state, people=people, heard=self._heard
        )
        file = next(each for each in side.release.manifest.files if each.pin == found.sidecar.pin)
        sealed_in = not side.release.excludes(file, found.row)
        agrees = sealed_in is result.allowed
        gone = bool(np.isin(side.erased, seats).any())
        erased = not agrees and gone
        body = {**result.body, "release": name, "agrees_with_bitmap": agrees, "erased_since": erased}
        body["withdrawn"] = self.archive.withdrawal(name)
        body["barred"] = barred_json(self.handouts.hits.barring(name), name)
        body["amendment"] = None
        number = [each.pin for each in side.sidecars].index(found.sidecar.pin)
        (label,) = compare.outcome_labels(side, number, rows=np.array([found.row]))
        # Who is gone may have been counted under what was forgotten with them, though the item is denied either way.
        body["counted_as"] = label if agrees and not gone else None
        if erased:
            # What was said is gone: the seal still says whether, and nobody can say why.
            body |= {"allowed": sealed_in, "reasons": [explain.ERASED_SINCE]}
        return replace(result, allowed=sealed_in if erased else result.allowed, body=body)

    def _heard(self, position: int) -> ChoiceMade | None:
        (event,) = self.desk.parts.ledger.read(position, position + 1)
        return event.body if isinstance(event.body, ChoiceMade) else None

    def examples(self, name: str, *, within: str | None = None) -> dict[str, str]:
        """Return for each reason that occurs in a release (or `eligible`) the id of an item counted under it.

        With `within`, only of items that this other release was sealed with.
        """
        side, _, corpus = self.archive.side(name, then=self.archive.before(self.archive.sealed_as(name).position))
        corpus.check_files()
        return explain.examples(side, corpus, within=None if within is None else self.archive.open(within))

    def compare(self, before: str, after: str, *, progress: Progress | None = None) -> dict[str, Any]:
        """Say what changed between two releases, and why."""
        in_order = sorted((before, after), key=lambda name: self.archive.sealed_as(name).position)
        # The ledger is read once: what was known at the later release is carried on from the earlier one.
        then = self.archive.before(self.archive.sealed_as(in_order[0]).position)
        sides = {name: self.archive.side(name, then=then)[0] for name in in_order}
        found = compare.compare(sides[before], sides[after], progress=progress)
        for label, name in (("before", before), ("after", after)):
            found[label]["withdrawn"] = self.archive.withdrawal(name)
        return found

    def verify(self, name: str, *, decide: bool = False, progress: Progress | None = None) -> Iterator[Finding]:
        """Check a release; with `decide`, read and decide every item again and compare the bitmaps byte by byte."""
        return self.verification.verify(name, decide=decide, progress=progress)

    def data_files(self, name: str) -> list[DataFile]:
        """Return the content files of a release with what is left out of each: what every reader begins with.

        Left out is what the seal leaves out, and what left it since: amendments are brought up to date first.

        Raises:
            StateError: the release was withdrawn, or an order bars it (`release-suspended`, `release-old-terms`).
            IntegrityError: a content file is not the one the release was made from.
        """
        if self.archive.sealed_as(name).withdrawn is None:
            self.amendments.newest(name)
        return self.handouts.files(name)

    def exclusions(self, release: str, index: int) -> bytes:
        """Return the rows of a file that were left out when a release was sealed; nothing if there are none."""
        file = self.archive.file(release, index)
        return self.archive.open(release).bitmap(file) if file.bitmap.cardinality else b""

    def materialise(
        self, name: str, target: Path, *, kind: CopyFormat, progress: Progress | None = None
    ) -> materialise.CopyReport:
        """Write a filtered copy of a release."""
        files = self.data_files(name)
        if progress is not None:
            noted = self.desk.newest.amendments.newest(name)
            eligible = self.archive.open(name).manifest.eligible - (0 if noted is None else noted.items)
            progress.begin("copying", total=eligible, unit="items")
        # Asked again at the end: a copy takes long, and an order may have come meanwhile.
        return materialise.materialise(
            files, target, format=kind, progress=progress, before_it_appears=lambda: self.handouts.files(name)
        )

    def table(self, name: str, format_version: FormatVersion, *, progress: Progress | None = None) -> dict[str, Any]:
        """Write a release as an Iceberg table over the untouched files. Written again, it has the same bytes."""
        # Before the lock of the tables is taken: it makes tables of amended releases anew.
        self.data_files(name)
        report = self.handouts.write(name, format_version, progress=progress)
        return {"metadata": str(report.metadata), "rows": report.rows, "excluded": report.excluded}

    def withdraw(self, name: str, reason: str, *, by: Handle) -> int:
        """Say that a sealed release may no longer be read, for good, and remove its tables. Return the position.

        Raises:
            InputError: no reason is given, or `by` is no handle.
            NotFoundError: there is no such release.
            StateError: it was withdrawn before. What is left of its tables is removed all the same.
        """
        require_handle(by)
        if not reason.strip():
            raise InputError(
                "release-reason-missing",
                "a release is withdrawn for a reason, and none was given",
                help="say why in a few words, without personal data: they stay in the ledger",
            )
        require_texts(reason=reason)
        self.archive.sealed_as(name)
        with self.desk.at_head() as session:
            # The head is held: of two who withdraw a release at a time, one comes first and the other one is told.
            before = self.desk.newest.state.releases[name].withdrawn
            if before is None:
                (position,) = session.append([ReleaseWithdrawn(release=name, reason=reason, by=by)])
        if before is None:
            self.desk.write_down(position)
        with once_recorded("perhaps its tables are still there", anything=before is None):
            self.handouts.remove()
        if before is not None:
            raise StateError(
                "release-already-withdrawn",
                f"release `{name}` was withdrawn before, at position {before.position}: `{before.reason}`",
                help="nothing is left to do: nobody is given anything of it any more",
            )
        return position
