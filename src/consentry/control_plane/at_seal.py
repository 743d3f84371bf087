"""What was known of the files of a release when it was sealed. Here alone it is told, or why nobody knows it any more.

It is kept as long as a release is sealed with it (`corpus/registration.py`). Where it is lost, what is registered under
the same descriptor serves: of the same bytes that says the same again. Another descriptor says something else, and may
name fewer people: then nobody knows what was known. Nor is it known where only a part of the files is registered while
what was kept is damaged: that may be restored, so it is said.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from consentry.control_plane.desk import Desk
from consentry.control_plane.lru import Lru
from consentry.corpus.registration import Corpus, open_as_of, open_corpus, snapshot_digest
from consentry.errors import ConflictError, IntegrityError
from consentry.ledger.state import Registered
from consentry.release.manifest import Manifest
from consentry.release.reproduce import sidecars_of

MOST_FILES = 2_000
"""How many files are kept open as they were at the seal of releases, of all snapshots but the newest."""


class _Opened(NamedTuple):
    """A corpus as it was, and as what it was registered when that was opened: registering it anew may mend sidecars."""

    registered: Registered | None
    corpus: Corpus


class AtSeal:
    """Tells what was known: the corpus as it was, without the files of which that is not known. Threads may share it.

    INVARIANT: it has files in the order of the manifest; those it lacks are registered with other bytes, or not at all.
    """

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self._opened = Lru[_Opened](lambda opened: len(opened.corpus.sidecars))

    def open(self, manifest: Manifest) -> Corpus:
        """Return what was known, read from disk again: what was opened before is trusted for asking, not for checking.

        Raises:
            IntegrityError: nobody knows what was known.
        """
        return _read(self.desk.corpora, manifest, None)

    def remembered(self, manifest: Manifest, now: Corpus) -> Corpus:
        """Return it from memory if it was asked for before. `now` is the corpus as it is registered.

        Raises:
            IntegrityError: nobody knows what was known.
        """
        snapshot = manifest.corpus_snapshot
        if now.snapshot == snapshot:
            return now
        registered, known = self.desk.newest.state.corpora.get(manifest.corpus), self._opened.get(snapshot)
        if known is not None and known.registered == registered:
            return known.corpus
        found = _read(self.desk.corpora, manifest, now)
        if found.snapshot == snapshot:
            self._opened.put(snapshot, _Opened(registered, found), most=MOST_FILES)
        return found


def _read(corpora: Path, manifest: Manifest, now: Corpus | None) -> Corpus:
    damaged = None
    try:
        kept = open_as_of(corpora, manifest.corpus, snapshot=manifest.corpus_snapshot, like=now)
        if kept is not None:
            return kept
    except ConflictError:
        pass  # a sidecar of it is gone: as if it were not kept
    except IntegrityError as error:
        damaged = error
    now = open_corpus(corpora, manifest.corpus) if now is None else now
    found = sidecars_of(manifest, now)
    if same_descriptor(manifest, now) and (damaged is None or len(found.sidecars) == len(manifest.files)):
        return found
    raise damaged or IntegrityError(
        "release-descriptor-changed",
        f"corpus `{now.name}` is registered under another descriptor since `{manifest.release}` was sealed",
        help="what the old one said of its items is not kept: register the corpus with that one again to ask",
    )


def same_descriptor(manifest: Manifest, corpus: Corpus) -> bool:
    """Say whether a corpus is registered under the descriptor that a release was sealed under."""
    return snapshot_digest(corpus.descriptor, (file.pin for file in manifest.files)) == manifest.corpus_snapshot
