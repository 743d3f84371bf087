"""Reading releases: explain, compare, verify. A withdrawn one can be asked about like any other."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import numpy.typing as npt

from consentry.control_plane.desk import Desk
from consentry.control_plane.known import Known
from consentry.corpus.recheck import recheck
from consentry.corpus.registration import Corpus, open_corpus
from consentry.corpus.sidecar import Sidecar
from consentry.errors import ConsentryError, NotFoundError
from consentry.ledger.state import Sealed
from consentry.progress import Progress
from consentry.release import compare, explain, sealed
from consentry.release.basis import people_of
from consentry.release.reproduce import check_registered, reproduce, sidecars_of


class Reading(Desk):
    """Verbs that say what was sealed."""

    def sealed_releases(self) -> dict[str, Sealed]:
        """Return every sealed release by name, oldest first."""
        return dict(self.present().state.releases)

    def sealed_as(self, name: str) -> Sealed:
        """Return what the ledger says about a release."""
        known = self.present().state.releases
        if name not in known:
            raise NotFoundError(
                "release-unknown",
                f"no release `{name}`",
                help=f"sealed: {', '.join(known)}" if known else "build one: consentry release build",
            )
        return known[name]

    def withdrawal(self, name: str) -> dict[str, Any] | None:
        """Say why and when a release was withdrawn; None if it was not."""
        withdrawn = self.sealed_as(name).withdrawn
        if withdrawn is None:
            return None
        (event,) = self.parts.ledger.read(withdrawn.position, withdrawn.position + 1)
        return {"reason": withdrawn.reason, "position": withdrawn.position, "at": event.recorded_at}

    def release(self, name: str) -> sealed.SealedRelease:
        """Open a sealed release to ask about it, its manifest checked against the ledger; content: `data_files`."""
        return sealed.open_release(self.releases / name, expected=self.sealed_as(name).manifest)

    def side(self, name: str, *, then: Known | None = None) -> tuple[compare.Side, Known, Corpus]:
        """Open a release with everything it was decided by, from the ledger up to its position.

        Args:
            name: the release.
            then: what was known at a position before; it is carried forward. From the first event if not given.
        """
        release = self.release(name)
        manifest = release.manifest
        then = self._nothing_known() if then is None else then
        then.advance(self.parts.ledger.read(then.position, manifest.position))
        corpus = sidecars_of(manifest, open_corpus(self.corpora, manifest.corpus))
        policy = self.document(manifest.policy.digest)
        basis = self.basis(
            then,
            corpus,
            policy=policy,
            document=manifest.policy.digest,
            purpose=manifest.purpose,
            at=manifest.decided_at,
        )
        side = compare.Side(release=release, basis=basis, sidecars=corpus.sidecars, erased=self._erased_by(then))
        return side, then, corpus

    def _erased_by(self, then: Known) -> npt.NDArray[np.uint32]:
        """Return the seats of people erased since, and of all who were one person with them then."""
        erased = self.erased()
        linked = [account for seat in erased.tolist() for account in then.accounts(seat)]
        return np.union1d(erased, np.array(linked, dtype=np.uint32))

    def _nothing_known(self) -> Known:
        return Known(self.parts)

    def _before(self, position: int) -> Known:
        """Return something that was known at `position` or before, to carry on from: a kept state if there is one.

        INVARIANT: never one of before the newest erasure, should such a file have come back: it shows what is erased.
        """
        then = self._nothing_known()
        erased = max(self.present().state.erased.values(), default=0)
        kept = self.kept.at(range(erased + 1, position + 1))
        if kept is not None:
            then.restore(kept)
        return then

    def explain(self, name: str, item: str) -> explain.Explanation:
        """Say why an item is in a release, or is not, and check that the bitmap says the same."""
        side, then, corpus = self.side(name, then=self._before(self.sealed_as(name).position))
        key = self.parts.pseudonyms.item(corpus.name, item)
        found = explain.find(corpus, item, key=key)
        seats = [seat for seat, _ in people_of(side.basis, found.sidecar, row=found.row, item_key=key)]
        people = [self.accounts(then, seat) for seat in seats]
        policy = self.document(side.release.manifest.policy.digest)
        result = explain.explain(found, side.basis, key=key, policy=policy, state=then.state, people=people)
        file = next(each for each in side.release.manifest.files if each.pin == found.sidecar.pin)
        sealed_in = not side.release.excludes(file, found.row)
        agrees = sealed_in is result.allowed
        erased = not agrees and bool(np.isin(side.erased, seats).any())
        body = {**result.body, "release": name, "agrees_with_bitmap": agrees, "erased_since": erased}
        body["withdrawn"] = self.withdrawal(name)
        body["amendment"] = None
        if erased:
            # What was said is gone: the seal still says whether, and nobody can say why.
            body |= {"allowed": sealed_in, "reasons": [explain.ERASED_SINCE]}
        return replace(result, allowed=sealed_in if erased else result.allowed, body=body)

    def examples(self, name: str) -> dict[str, str]:
        """Return for each reason that occurs in a release (or `eligible`) the id of an item counted under it."""
        side, _, corpus = self.side(name, then=self._before(self.sealed_as(name).position))
        corpus.check_files()
        return explain.examples(side, corpus)

    def compare(self, before: str, after: str) -> dict[str, Any]:
        """Say what changed between two releases, and why."""
        in_order = sorted((before, after), key=lambda name: self.sealed_as(name).position)
        # The ledger is read once: what was known at the later release is carried on from the earlier one.
        then = self._before(self.sealed_as(in_order[0]).position)
        sides = {name: self.side(name, then=then)[0] for name in in_order}
        found = compare.compare(sides[before], sides[after])
        for label, name in (("before", before), ("after", after)):
            found[label]["withdrawn"] = self.withdrawal(name)
        return found

    def verify(self, name: str, *, decide: bool = False, progress: Progress | None = None) -> Iterator[sealed.Finding]:
        """Check a release; with `decide`, read and decide every item again and compare the bitmaps byte by byte."""
        self.sealed_as(name)
        try:
            release = self.release(name)
            corpus = open_corpus(self.corpora, release.manifest.corpus)
        except ConsentryError as error:
            yield sealed.Finding(check="manifest", problem=error.message, code=error.code)
            return
        if progress is not None:
            total = sum(file.pin.size for file in release.manifest.files)
            progress.begin("checking content files", total=total, unit="bytes")
        yield from sealed.verify(release, corpus.base, check_signature=self.parts.check_signature, progress=progress)
        if decide:
            yield from self._recheck(release, corpus, progress=progress)
            yield self._decide_again(release, corpus, progress=progress)

    def _recheck(
        self, release: sealed.SealedRelease, corpus: Corpus, *, progress: Progress | None
    ) -> list[sealed.Finding]:
        """Read the content files of a release again, and compare them with the sidecars it was decided from."""
        known = sidecars_of(release.manifest, corpus)
        identities = self.parts.pseudonyms.identities(corpus.name, seating=False)
        if progress is not None:
            progress.begin("reading again", total=known.rows, unit="items")

        def again(sidecar: Sidecar) -> sealed.Finding:
            check = f"sidecar {sidecar.pin.path}"
            try:
                with TemporaryDirectory(dir=self.parts.home, prefix=".recheck-") as folder:
                    recheck(
                        known,
                        sidecar,
                        identities=identities,
                        erased=self.erased,
                        folder=Path(folder),
                        progress=progress,
                    )
            except ConsentryError as error:
                return sealed.Finding(check=check, problem=error.message, code=error.code)
            return sealed.Finding(check=check)

        return self.parts.runner.map(again, known.sidecars)

    def _decide_again(
        self, release: sealed.SealedRelease, corpus: Corpus, *, progress: Progress | None
    ) -> sealed.Finding:
        try:
            # From the first event on, each checked: what was kept is trusted for asking, not for checking.
            side, _, opened = self.side(release.manifest.release)
            if len(opened.sidecars) < len(release.manifest.files):
                check_registered(release.manifest, corpus)
            if progress is not None:
                progress.begin("deciding again", total=opened.rows, unit="items")
            return reproduce(
                release,
                side.basis,
                sidecars=opened.sidecars,
                erased=side.erased,
                runner=self.parts.runner,
                progress=progress,
            )
        except ConsentryError as error:
            return sealed.Finding(check="decisions", problem=error.message, code=error.code)
