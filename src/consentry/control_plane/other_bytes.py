"""Releases over other bytes: since they were sealed a file of theirs is registered with other bytes, or not at all.

As soon as somebody withdraws something from such a release, no job can be told which rows to leave out: positions mean
nothing in other bytes, and a job may open the file only now. What leaves by what was known then is still noted.
"""

from __future__ import annotations

from collections.abc import Iterable

from consentry.control_plane.archive import Archive
from consentry.control_plane.desk import Desk
from consentry.corpus.registration import Corpus
from consentry.errors import ConsentryError, IntegrityError, UnavailableError
from consentry.release.manifest import Manifest
from consentry.release.reproduce import require_registered


class OtherBytes:
    """The releases over other bytes from which somebody withdrew. Several threads may share it."""

    def __init__(self, desk: Desk, *, archive: Archive) -> None:
        self.desk = desk
        self.archive = archive
        self._withdrawn_from: set[str] = set()
        self._compared: dict[str, tuple[Corpus, ConsentryError | None]] = {}

    def withdrawn_from(self, names: Iterable[str]) -> None:
        """Note that somebody withdrew since these releases were sealed, be it something of theirs or not.

        Of one that was amended the ledger says so.
        """
        self._withdrawn_from.update(names)

    def look(self, names: Iterable[str]) -> set[str]:
        """Find out which of some releases that somebody withdrew from are over other bytes now, and return those.

        INVARIANT: the caller does not hold the lock of the desk: a corpus that is registered anew takes time to open.

        Raises:
            UnavailableError: that cannot be found out now.
        """
        with self.desk.lock:
            amendments = self.desk.present().amendments
            those = [name for name in names if name in self._withdrawn_from or amendments.newest(name) is not None]
        opened: dict[str, Corpus] = {}
        for name in those:
            try:
                self._compare(self.archive.remembered(name).manifest, opened)
            except UnavailableError:
                raise  # nothing was found out: it may be over other bytes
            except ConsentryError:
                pass  # what cannot be opened is said by whoever works out what leaves the release
        return {name for name in those if self.why(name) is not None}

    def _compare(self, manifest: Manifest, opened: dict[str, Corpus]) -> None:
        if manifest.corpus not in opened:
            opened[manifest.corpus] = self.desk.opened(manifest.corpus)
        corpus, (before, _) = opened[manifest.corpus], self._compared.get(manifest.release, (None, None))
        if corpus is before:
            return
        why = None
        try:
            require_registered(manifest, corpus)
        except IntegrityError as error:
            why = error
        self._compared[manifest.release] = corpus, why

    def why(self, name: str) -> ConsentryError | None:
        """Return why no job can be told what to leave out of a release, as far as it was looked at."""
        return self._compared.get(name, (None, None))[1]
