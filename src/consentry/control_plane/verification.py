"""A release checked: its manifest, content and decisions, its amendments, and the certificates of its destruction."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from consentry.control_plane.archive import Archive
from consentry.control_plane.desk import Desk
from consentry.control_plane.destruction import DestructionVerbs
from consentry.corpus.intact import altered
from consentry.corpus.recheck import recheck
from consentry.corpus.registration import Corpus
from consentry.corpus.sidecar import Sidecar
from consentry.errors import ConsentryError, UnavailableError
from consentry.ledger.lineage_events import Destroyed
from consentry.progress import Progress
from consentry.release import amendment_check, sealed
from consentry.release.reproduce import reproduce, require_registered


class Verification:
    """Finds out whether everything about a release is as it was said. What cannot be found out now is raised."""

    def __init__(self, desk: Desk, *, archive: Archive, destruction: DestructionVerbs) -> None:
        self.desk = desk
        self.archive = archive
        self.destruction = destruction

    def verify(self, name: str, *, decide: bool = False, progress: Progress | None = None) -> Iterator[sealed.Finding]:
        """Check a release; with `decide`, read and decide every item again and compare the bitmaps byte by byte."""
        yield from self._as_sealed(name, decide=decide, progress=progress)
        parts = self.desk.parts
        with self.desk.lock:
            noted = self.desk.present().amendments.of(name)
        try:
            release = self.archive.open(name)
            yield from amendment_check.check(
                release, noted, read=parts.objects.get, check_signature=parts.check_signature
            )
        except UnavailableError:
            raise
        except ConsentryError:
            pass  # what cannot be opened was reported just now
        for number, each in enumerate(self.destruction.certificates(Destroyed.RELEASE, name), 1):
            yield sealed.Finding(check=f"certificate {number}", problem=each["problem"], code=each.get("code", ""))

    def _as_sealed(self, name: str, *, decide: bool, progress: Progress | None) -> Iterator[sealed.Finding]:
        """Check what was sealed; with `decide`, decide every item again, as it was sealed."""
        self.archive.sealed_as(name)
        try:
            release = self.archive.open(name)
            corpus = self.desk.opened(release.manifest.corpus)
        except ConsentryError as error:
            yield sealed.Finding.of("manifest", error)
            return
        if progress is not None:
            total = sum(file.pin.size for file in release.manifest.files)
            progress.begin("checking content files", total=total, unit="bytes")
        yield from sealed.verify(
            release, corpus.base, check_signature=self.desk.parts.check_signature, progress=progress
        )
        try:
            known = self.archive.at_seal.open(release.manifest)
        except ConsentryError as error:
            found = sealed.Finding.of("decisions", error)
            if decide:
                yield found
            return
        if not decide:
            yield from self._intact(known, progress=progress)
            return
        yield from self._recheck(known, progress=progress)
        yield self._decide_again(release, progress=progress)

    def _intact(self, known: Corpus, *, progress: Progress | None) -> Iterator[sealed.Finding]:
        """Say whether the sidecars of a release are what was built, as far as that was noted."""
        folders = [sidecar.folder for sidecar in known.sidecars]
        found = altered(folders, threads=self.desk.parts.runner, progress=progress)
        wrong = {each.folder for each in found if each.noted}
        for sidecar in known.sidecars:
            is_wrong = sidecar.folder in wrong
            yield sealed.Finding(
                check=f"sidecar {sidecar.pin.path}",
                problem=f"the sidecar of `{sidecar.pin.path}` is not what was built" if is_wrong else "",
                code="corpus-sidecar-damaged" if is_wrong else "",
            )

    def _recheck(self, known: Corpus, *, progress: Progress | None) -> list[sealed.Finding]:
        """Read the content files of a release again, and compare them with the sidecars it was decided from."""
        identities = self.desk.parts.pseudonyms.identities(known.name, seating=False)
        if progress is not None:
            progress.begin("reading again", total=known.rows, unit="items")

        def again(sidecar: Sidecar) -> sealed.Finding:
            check = f"sidecar {sidecar.pin.path}"
            try:
                with TemporaryDirectory(dir=self.desk.parts.home, prefix=".recheck-") as folder:
                    recheck(
                        known,
                        sidecar,
                        identities=identities,
                        erased=self.desk.erased,
                        folder=Path(folder),
                        progress=progress,
                    )
            except ConsentryError as error:
                return sealed.Finding.of(check, error)
            return sealed.Finding(check=check)

        return self.desk.parts.runner.map(again, known.sidecars)

    def _decide_again(self, release: sealed.SealedRelease, *, progress: Progress | None) -> sealed.Finding:
        try:
            # From the first event on, each checked: what was kept is trusted for asking, not for checking.
            side, _, opened = self.archive.side(release.manifest.release)
            require_registered(release.manifest, opened)
            if progress is not None:
                progress.begin("deciding again", total=opened.rows, unit="items")
            return reproduce(
                release,
                side.basis,
                sidecars=opened.sidecars,
                erased=side.erased,
                runner=self.desk.parts.runner,
                progress=progress,
            )
        except ConsentryError as error:
            return sealed.Finding.of("decisions", error)
