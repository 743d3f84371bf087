"""Amending: what people withdraw with reach `everything` leaves releases that are sealed.

Whoever records such a refusal amends at once; whoever hands a release out first brings its amendments up to date with
the head of the ledger. So a crash between a refusal and its amendments loses nothing, and amending again changes
nothing. Objects come first; the events, one a release, are the COMMIT POINT.

Lock order: `_amending`, then `lock`, then the head. INVARIANT: nobody asks for an amendment while holding `lock`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from threading import Lock
from typing import Any, NamedTuple

import numpy as np
from pyroaring import BitMap64

from consentry.control_plane import newest_word
from consentry.control_plane.parts import Parts
from consentry.control_plane.reading import Reading
from consentry.corpus.registration import open_corpus
from consentry.corpus.sidecar import FilePin
from consentry.digests import Digest
from consentry.errors import ConflictError, ConsentryError, NotFoundError
from consentry.ledger.lineage_events import ReleaseAmended
from consentry.policy.vocabulary import Purpose
from consentry.progress import Progress
from consentry.release import explain
from consentry.release.amendment import (
    AmendedFile,
    Amendment,
    Noted,
    from_object,
    number_of,
    opened,
    sign,
    to_object,
    unknown,
)
from consentry.release.amendment_check import check
from consentry.release.builder import manifest_digest
from consentry.release.manifest import EXCLUSIONS
from consentry.release.reaching import Reached, Rows
from consentry.release.reproduce import sidecars_of
from consentry.release.sealed import Finding, SealedRelease, changed

_ATTEMPTS = 5
_REMEMBERED = 64


class _Behind(NamedTuple):
    """A release that has not heard everything yet, since when, and the newest amendment it has."""

    name: str
    purpose: Purpose
    covered: int
    newest: Noted | None


_Leaving = dict[tuple[Purpose, FilePin], Rows]
"""What leaves a file for a purpose, worked out once for all releases."""


class Amending(Reading):
    """Verbs about amendments."""

    def __init__(self, parts: Parts) -> None:
        super().__init__(parts)
        self._amending = Lock()
        self._covered: dict[str, int] = {}
        self._removed: dict[Digest, dict[int, BitMap64]] = {}
        self._documents_read: dict[Digest, Amendment] = {}
        self._checked: set[tuple[str, int, int]] = set()
        self._unheard: dict[str, tuple[int, ...]] = {}

    def amendment(self, release: str) -> int:
        """Return the number of the newest amendment of a release, up to date with the head; 0: as it was sealed.

        Raises:
            NotFoundError: there is no such release.
            IntegrityError: a file of it is gone, so that nobody can tell what has to leave it.
        """
        self.sealed_as(release)
        self._bring_up_to_date([release], strict=True)
        return number_of(self.newest.amendments.newest(release))

    def amendment_rows(self, release: str, index: int, *, number: int) -> bytes:
        """Return the rows of a file that left in amendments 1 to `number`: a portable bitmap, nothing if none did.

        Raises:
            NotFoundError: there is no such release, file or amendment.
        """
        self.sealed_as(release)
        noted = self.newest.amendments.of(release)
        if not 0 <= number <= len(noted):
            raise unknown(release, number, newest=len(noted))
        self._file(release, index)
        removed = self.removed(noted[number - 1] if number else None).get(index)
        return removed.serialize() if removed else b""

    def exclusions(self, release: str, index: int) -> bytes:
        """Return the rows of a file that were left out when a release was sealed; nothing if there are none."""
        opened_release, file = self._file(release, index)
        return opened_release.bitmap(file) if file.bitmap.cardinality else b""

    def _file(self, release: str, index: int) -> tuple[SealedRelease, Any]:
        found = self.release(release)
        if not 0 <= index < len(found.manifest.files):
            raise NotFoundError(
                "release-file-unknown",
                f"release `{release}` has no file `{index}`",
                help=f"its files are numbered from 0 to {len(found.manifest.files) - 1}",
            )
        return found, found.manifest.files[index]

    def amendments(self, release: str) -> list[dict[str, Any]]:
        """Say of every amendment of a release how much left it, by what was said before which position, and when."""
        self.sealed_as(release)
        before, found = 0, []
        for each in self.newest.amendments.of(release):
            found.append({**each._asdict(), "removed": each.items - before})
            before = each.items
        return found

    def explain(self, name: str, item: str) -> explain.Explanation:
        """Say why an item is in a release, or is not, or left it, and check that the bitmap says the same."""
        found = super().explain(name, item)
        self._bring_up_to_date([name], strict=False)
        place, files = found.body["item"], self.release(name).manifest.files
        index = next(index for index, file in enumerate(files) if file.pin.path == place["file"])
        for noted in self.newest.amendments.of(name):
            if place["position"] in self.removed(noted).get(index, ()):
                return replace(found, allowed=False, body=explain.amended(found.body, noted))
        return found

    def verify(self, name: str, *, decide: bool = False, progress: Progress | None = None) -> Iterator[Finding]:
        """Check a release and its amendments; with `decide`, decide every item again, as it was sealed."""
        yield from super().verify(name, decide=decide, progress=progress)
        noted = self.newest.amendments.of(name)
        with suppress(ConsentryError):
            # What cannot be opened was reported just now.
            release = self.release(name)
            yield from check(release, noted, read=self.parts.objects.get, check_signature=self.parts.check_signature)

    def amend(self) -> list[str]:
        """Bring all releases up to date, and return those that were amended. One that cannot be is left as it is."""
        names = [name for name, sealed in self.sealed_releases().items() if sealed.withdrawn is None]
        return self._bring_up_to_date(names, strict=False)

    def removed(self, noted: Noted | None) -> dict[int, BitMap64]:
        """Return the rows that left, by file, up to an amendment. Treat them as read-only."""
        if noted is None:
            return {}
        found = self._removed.get(noted.document)
        if found is None:
            files, get = self.document_of(noted).files, self.parts.objects.get
            found = {index: from_object(get(file.bitmap)) for index, file in files.items()}
            self._removed[noted.document] = found
            for old in list(self._removed)[:-_REMEMBERED]:
                self._removed.pop(old, None)
        return found

    def document_of(self, noted: Noted) -> Amendment:
        """Return the document of an amendment. One that was read is remembered: it cannot change."""
        found = self._documents_read.get(noted.document)
        if found is None:
            found = self._documents_read[noted.document] = opened(self.parts.objects.get(noted.document))
        return found

    def _bring_up_to_date(self, names: Sequence[str], *, strict: bool) -> list[str]:
        with self._amending:
            for _ in range(_ATTEMPTS):
                with self.lock:
                    head = self.present().position
                    behind, reached = self._behind(names, head)
                rows: _Leaving = {}
                drafts = {
                    each.name: self._draft(each, head, reached=reached[each.purpose], rows=rows, strict=strict)
                    for each in behind
                }
                amended = self._append(behind, [body for body in drafts.values() if isinstance(body, ReleaseAmended)])
                if amended is None:
                    continue
                self._covered |= {name: head for name, body in drafts.items() if body != _NOT_KNOWN}
                self._note_unheard(behind, names, drafts)
                self._covered |= {name: head for name in names if name not in drafts}
                self._handed_out_anew(names)
                return amended
        raise ConflictError(
            "amendment-overtaken",
            "other processes kept amending the same releases",
            help="ask again",
        )

    def unheard(self, name: str) -> tuple[int, ...]:
        """Return the first and the last position of what a release cannot be amended by: nobody can tell what left."""
        return self._unheard.get(name, ())

    def _note_unheard(self, behind: Sequence[_Behind], names: Iterable[str], drafts: Mapping[str, object]) -> None:
        with self.lock:
            for name in names:
                self._unheard.pop(name, None)
            for each in behind:
                if drafts[each.name] == _NOT_KNOWN:
                    self._unheard[each.name] = self.newest.reached_at(since=each.covered)

    def _handed_out_anew(self, names: Iterable[str]) -> None:
        """What was made of releases before they were amended is made again. Nothing of the kind is known here."""

    def _behind(self, names: Sequence[str], head: int) -> tuple[list[_Behind], dict[Purpose, Reached]]:
        """Return the releases that have not heard something, and for each purpose what. INVARIANT: the lock is held.

        What some of them have heard is said to all: removing it again changes nothing, and it is worked out once.
        """
        found = []
        for name in names:
            sealed, newest = self.newest.state.releases.get(name), self.newest.amendments.newest(name)
            if sealed is None or sealed.withdrawn is not None:
                continue
            covered = max(sealed.position if newest is None else newest.position, self._covered.get(name, 0))
            if covered < head:
                found.append(_Behind(name, sealed.purpose, covered, newest))
        reached = {
            purpose: self.newest.reached(purpose, since=min(each.covered for each in found if each.purpose is purpose))
            for purpose in {each.purpose for each in found}
        }
        return [each for each in found if not reached[each.purpose].nothing], reached

    def _draft(
        self, behind: _Behind, head: int, *, reached: Reached, rows: _Leaving, strict: bool
    ) -> ReleaseAmended | str:
        """Work out the next amendment of a release and store it; `_NOTHING` if nothing leaves it."""
        try:
            release = self.release(behind.name)
            leaving = self._leaving(release, reached, rows)
            before = self.removed(behind.newest)
        except ConsentryError:
            if strict:
                raise
            return _NOT_KNOWN
        after = {index: before.get(index, BitMap64()) | new for index, new in leaving.items()}
        changed_files = {index: each for index, each in after.items() if each != before.get(index, BitMap64())}
        if not changed_files:
            return _NOTHING
        put, files = self.parts.objects.put, release.manifest.files
        kept = {} if behind.newest is None else dict(self.document_of(behind.newest).files)
        for index, each in changed_files.items():
            kept[index] = AmendedFile(path=files[index].pin.path, bitmap=put(to_object(each)), items=len(each))
        amendment = Amendment(
            release=behind.name,
            manifest=manifest_digest(release.manifest),
            number=number_of(behind.newest) + 1,
            before=None if behind.newest is None else behind.newest.document,
            position=head,
            files=kept,
        )
        return ReleaseAmended(
            release=behind.name,
            number=amendment.number,
            document=put(sign(amendment, self.parts.signer)),
            items=amendment.items,
            position=head,
        )

    def _leaving(self, release: SealedRelease, reached: Reached, known: _Leaving) -> dict[int, BitMap64]:
        """Return the rows of each file that leave a release, of those that are in it.

        Raises:
            IntegrityError: a file was registered anew with other bytes, or a bitmap is not the one that was sealed.
        """
        manifest = release.manifest
        corpus = sidecars_of(manifest, open_corpus(self.corpora, manifest.corpus))
        sidecars = {sidecar.pin: sidecar for sidecar in corpus.sidecars}
        for file in manifest.files:
            if file.pin not in sidecars:
                raise changed(file, "is registered with other bytes now, or not at all")
        new = [file.pin for file in manifest.files if (manifest.purpose, file.pin) not in known]
        found = self.parts.runner.map(lambda pin: reached.rows(sidecars[pin], corpus.items), new)
        known |= {(manifest.purpose, pin): each for pin, each in zip(new, found, strict=True)}
        leaving = [known[manifest.purpose, file.pin] for file in manifest.files]
        rows = {index: each for index, each in enumerate(leaving) if each.size}
        self._check_base(release, rows)
        out = release.left_out(rows)
        left = {index: each[~out[index]] for index, each in rows.items()}
        return {index: BitMap64(each.astype(np.uint64)) for index, each in left.items() if each.size}

    def _check_base(self, release: SealedRelease, rows: Mapping[int, Rows]) -> None:
        """Check the bitmaps that are about to be relied on, once as long as the file is the same."""
        if rows:
            mtime = (release.folder / EXCLUSIONS).stat().st_mtime_ns
            for index in rows:
                if (key := (release.manifest.release, index, mtime)) not in self._checked:
                    release.bitmap(release.manifest.files[index])
                    self._checked.add(key)

    def _append(self, behind: Sequence[_Behind], bodies: Sequence[ReleaseAmended]) -> list[str] | None:
        """Say that releases were amended; None if another process was first with one of them."""
        if not bodies:
            return []
        newest = {each.name: each.newest for each in behind}
        with self.lock, self.parts.ledger.sealing() as session:
            self.newest.advance(session.read_delta(self.newest.position))
            if any(self.newest.amendments.newest(body.release) != newest[body.release] for body in bodies):
                return None
            releases = self.newest.state.releases
            left = [body for body in bodies if releases[body.release].withdrawn is None]
            positions = session.append(left) if left else range(0)
        if positions:
            newest_word.write_down(self.parts.home, self.parts.ledger, position=positions[-1])
        with self.lock:
            self.present()
        return [body.release for body in left]


_NOTHING, _NOT_KNOWN = "nothing leaves it", "what leaves it is not known"
