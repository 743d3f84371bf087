"""Amendments: what people withdraw with reach `everything` leaves releases that are sealed.

Whoever records such a refusal amends at once, and so does whoever registers a corpus under another descriptor: it may
name in further items who refused before. Whoever hands a release out first brings its amendments up to date with the
head of the ledger. So a crash between either and the amendments loses nothing, and amending again changes nothing.
Objects come first; the events, one a release, are the COMMIT POINT.

Lock order: `_amending`, then the lock of the desk, then the head. INVARIANT: nobody asks for an amendment while holding
the lock of the desk.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from threading import Lock
from typing import Any, NamedTuple

import numpy as np
from pyroaring import BitMap64

from consentry.control_plane import newest_word
from consentry.control_plane.archive import Archive
from consentry.control_plane.desk import Desk
from consentry.control_plane.handouts import Handouts
from consentry.control_plane.leaving import Leaving
from consentry.control_plane.once_recorded import once_recorded
from consentry.control_plane.other_bytes import OtherBytes
from consentry.control_plane.redescribed import Redescribed
from consentry.control_plane.removals import Removals
from consentry.errors import ConflictError, ConsentryError
from consentry.ledger.lineage_events import ReleaseAmended
from consentry.ledger.state import Registered
from consentry.policy.vocabulary import Purpose
from consentry.release.amendment import (
    AmendedFile,
    Amendment,
    Noted,
    number_of,
    sign,
    to_object,
    unknown,
)
from consentry.release.builder import manifest_digest
from consentry.release.manifest import EXCLUSIONS
from consentry.release.reaching import Reached, Rows
from consentry.release.sealed import SealedRelease

_ATTEMPTS = 5


class _Behind(NamedTuple):
    """A release that has not heard everything yet, since when, and the newest amendment it has.

    `withdrawn`: somebody withdrew something since; `described`: where its corpus got another descriptor since, if so.
    """

    name: str
    purpose: Purpose
    covered: int
    newest: Noted | None
    withdrawn: bool
    described: int | None


class _Unheard(NamedTuple):
    """Why nobody can tell what left a release, and the first and the last position at which something did."""

    why: ConsentryError
    at: tuple[int, ...]


_Draft = ReleaseAmended | ConsentryError | None
"""The next amendment of a release; None if nothing leaves it, an error if what leaves it is not known."""


class AmendmentVerbs:
    """Verbs about amendments."""

    def __init__(self, desk: Desk, *, archive: Archive, removals: Removals, handouts: Handouts) -> None:
        self.desk = desk
        self.archive = archive
        self.removals = removals
        self.handouts = handouts
        self.other_bytes = OtherBytes(desk, archive=archive)
        self.redescribed = Redescribed(desk, archive=archive)
        self._amending = Lock()
        self._covered: dict[str, int] = {}
        self._checked: set[tuple[str, int, int]] = set()
        self._unheard: dict[str, _Unheard] = {}

    def newest(self, release: str) -> int:
        """Return the number of the newest amendment of a release, up to date with the head; 0: as it was sealed.

        Raises:
            NotFoundError: there is no such release.
            IntegrityError: a file of it is gone, so that nobody can tell what has to leave it.
        """
        self.archive.sealed_as(release)
        self._bring_up_to_date([release])
        with self.desk.lock:
            if release in self._unheard:
                raise self._unheard[release].why
            return number_of(self.desk.present().amendments.newest(release))

    def rows(self, release: str, index: int, *, number: int) -> bytes:
        """Return the rows of a file that left in amendments 1 to `number`: a portable bitmap, nothing if none did.

        Raises:
            NotFoundError: there is no such release, file or amendment.
        """
        self.archive.sealed_as(release)
        with self.desk.lock:
            noted = self.desk.present().amendments.of(release)
        if not 0 <= number <= len(noted):
            raise unknown(release, number, newest=len(noted))
        self.archive.file(release, index)
        removed = self.removals.removed(noted[number - 1] if number else None).get(index)
        return removed.serialize() if removed else b""

    def of(self, release: str) -> list[dict[str, Any]]:
        """Say of every amendment of a release how much left it, by what was said before which position, and when."""
        self.archive.sealed_as(release)
        before, found = 0, []
        with self.desk.lock:
            noted = self.desk.present().amendments.of(release)
        for each in noted:
            found.append({**each._asdict(), "removed": each.items - before})
            before = each.items
        return found

    def that_removed(self, release: str, *, path: str, row: int) -> Noted | None:
        """Return the first amendment by which a row of a file left a release; None if it did not."""
        self._bring_up_to_date([release])
        files = self.archive.open(release).manifest.files
        index = next(index for index, file in enumerate(files) if file.pin.path == path)
        with self.desk.lock:
            noted = self.desk.present().amendments.of(release)
        return next((each for each in noted if row in self.removals.removed(each).get(index, ())), None)

    def amend(self) -> list[str]:
        """Bring all releases up to date, and return those that were amended. One that cannot be is left as it is."""
        names = [name for name, sealed in self.archive.sealed().items() if sealed.withdrawn is None]
        return self._bring_up_to_date(names)

    def amend_recorded(self) -> list[str]:
        """Do the same after something was recorded, which holds whatever becomes of this.

        Raises:
            UnavailableError: the ledger does not answer any more. Nobody may take it that nothing was recorded.
        """
        with once_recorded("perhaps no release follows it yet"):
            return self.amend()

    def hear_of(self, corpus: str, *, mended: bool = False) -> bool:
        """Amend the releases from a corpus that have not heard of another descriptor of it; say whether all have then.

        Where none was registered nobody is looked for, unless what was damaged or lost was `mended`: who withdrew
        meanwhile may not have been found.

        Raises:
            UnavailableError: that cannot be found out now.
        """
        names = [name for name, sealed in self.archive.sealed().items() if sealed.corpus == corpus]
        with self._amending:
            if mended:
                self.redescribed.mended(names)
            behind = self.redescribed.unheard(names)
        if behind:
            self._bring_up_to_date([*behind])
        with self.desk.lock:
            left = [self._unheard[name].why for name in behind if name in self._unheard]
        for why in left:
            if why.transient:
                raise why
        return not left

    def _bring_up_to_date(self, names: Sequence[str]) -> list[str]:
        with self._amending:
            for _ in range(_ATTEMPTS):
                redescribed = self.redescribed.unheard(names)
                with self.desk.lock:
                    head = self.desk.present().position
                    behind, reached = self._behind(names, head, redescribed)
                self.other_bytes.withdrawn_from(each.name for each in behind if each.withdrawn)
                leaving = Leaving(self.archive.at_seal)
                drafts = {
                    each.name: self._draft(each, head, reached=reached[each.purpose], leaving=leaving)
                    for each in behind
                }
                bodies = [body for body in drafts.values() if isinstance(body, ReleaseAmended)]
                # Before anybody hears of an amendment: no job is to read on by its rows.
                self.other_bytes.withdrawn_from(body.release for body in bodies)
                replaced = self.other_bytes.look(names)
                amended = self._append(behind, bodies)
                if amended is None:
                    continue
                self._note_unheard(behind, names, drafts)
                unheard = {name for name, body in drafts.items() if isinstance(body, ConsentryError)}
                self._covered |= {name: head for name in names if name not in unheard}
                self.redescribed.heard({name: redescribed[name] for name in redescribed.keys() - unheard})
                self.handouts.write_anew(names)
                self.handouts.take_back(unheard | replaced)
                return amended
        raise ConflictError(
            "amendment-overtaken",
            "other processes kept amending the same releases",
            help="ask again",
        )

    def foresee(self, leases: Iterable[str] | None = None) -> None:
        """Find out whether what is read under leases is over other bytes now: another process may have been told.

        All that are open if None. INVARIANT: the caller does not hold the lock of the desk.
        """
        with self.desk.lock:
            known = self.desk.present().overseen.leases
            found = known.open() if leases is None else [known.get(name) for name in leases]
            releases = {each.release for each in found if each is not None}
        self.other_bytes.look(releases)

    def unheard(self, name: str) -> tuple[int, ...]:
        """Return the first and the last position of what a release cannot be amended by: nobody can tell what left."""
        return self._unheard[name].at if name in self._unheard else ()

    def lost_track(self, name: str) -> ConsentryError | None:
        """Return why no job can be told what left a release, as far as it was tried, if that stays so by itself."""
        found = self._unheard.get(name)
        return self.other_bytes.why(name) if found is None or found.why.transient else found.why

    def _note_unheard(self, behind: Sequence[_Behind], names: Iterable[str], drafts: Mapping[str, _Draft]) -> None:
        with self.desk.lock:
            for name in names:
                self._unheard.pop(name, None)
            for each in behind:
                why = drafts[each.name]
                if isinstance(why, ConsentryError):
                    self._unheard[each.name] = _Unheard(why, self._noticed(each))

    def _noticed(self, behind: _Behind) -> tuple[int, ...]:
        """Return the first and the last position at which what a release is behind with was noticed."""
        at = self.desk.newest.reached_at(since=behind.covered) if behind.withdrawn else ()
        if behind.described is not None:
            at = (*(each for each in at if each >= behind.covered), behind.described)
        return tuple(sorted({min(at), max(at)}))

    def _behind(
        self, names: Sequence[str], head: int, redescribed: Mapping[str, Registered]
    ) -> tuple[list[_Behind], dict[Purpose, Reached]]:
        """Return the releases that have not heard something, and for each purpose what. INVARIANT: the lock is held.

        What some of them have heard is said to all: removing it again changes nothing, and it is worked out once. Of
        another descriptor one hears with all that anybody ever said; also where the head is covered, as descriptors are
        looked at before the head, and one may have been registered in between.
        """
        found: dict[Purpose, list[tuple[str, int, Noted | None]]] = {}
        for name in names:
            sealed, newest = self.desk.newest.state.releases.get(name), self.desk.newest.amendments.newest(name)
            if sealed is None or sealed.withdrawn is not None:
                continue
            covered = max(sealed.position if newest is None else newest.position, self._covered.get(name, 0))
            if covered < head or name in redescribed:
                found.setdefault(sealed.purpose, []).append((name, covered, newest))
        behind: list[_Behind] = []
        reached: dict[Purpose, Reached] = {}
        for purpose, those in found.items():
            since = reached[purpose] = self.desk.newest.reached(purpose, since=min(covered for _, covered, _ in those))
            if any(name in redescribed for name, *_ in those):
                reached[purpose] = self.desk.newest.reached(purpose, since=0)
            for name, covered, newest in those:
                described = redescribed[name].position if name in redescribed else None
                if not since.nothing or described is not None:
                    behind.append(_Behind(name, purpose, covered, newest, not since.nothing, described))
        return behind, reached

    def _draft(self, behind: _Behind, head: int, *, reached: Reached, leaving: Leaving) -> _Draft:
        """Work out the next amendment of a release and store it."""
        try:
            release = self.archive.remembered(behind.name)
            gone = self._leaving(release, reached, leaving)
            before = self.removals.removed(behind.newest)
        except ConsentryError as error:
            return error
        after = {index: before.get(index, BitMap64()) | new for index, new in gone.items()}
        changed_files = {index: each for index, each in after.items() if each != before.get(index, BitMap64())}
        if not changed_files:
            return None
        put, files = self.desk.parts.objects.put, release.manifest.files
        kept = {} if behind.newest is None else dict(self.removals.document(behind.newest).files)
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
            document=put(sign(amendment, self.desk.parts.signer)),
            items=amendment.items,
            position=head,
        )

    def _leaving(self, release: SealedRelease, reached: Reached, leaving: Leaving) -> dict[int, BitMap64]:
        """Return the rows of each file that leave a release, of those that are in it.

        Raises:
            IntegrityError: nobody can tell what leaves a file, or a bitmap is not the one that was sealed.
        """
        rows = leaving.of(release.manifest, reached)
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
        with self.desk.at_head() as session:
            if any(self.desk.newest.amendments.newest(body.release) != newest[body.release] for body in bodies):
                return None
            releases = self.desk.newest.state.releases
            left = [body for body in bodies if releases[body.release].withdrawn is None]
            positions = session.append(left) if left else range(0)
        if positions:
            # Of itself: what somebody asked for is not recorded by that.
            newest_word.write_down(self.desk.parts.home, self.desk.parts.ledger, position=positions[-1])
        with self.desk.lock:
            self.desk.present()
        return [body.release for body in left]
