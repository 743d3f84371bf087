"""Rows that left sealed releases, as the documents of their amendments say."""

from __future__ import annotations

from pyroaring import BitMap64

from consentry.control_plane.desk import Desk
from consentry.digests import Digest
from consentry.release.amendment import (
    Amendment,
    Noted,
    from_object,
    opened,
)

_REMEMBERED = 64


class Removals:
    """What left. A document that was read is remembered: it cannot change."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self._removed: dict[Digest, dict[int, BitMap64]] = {}
        self._documents: dict[Digest, Amendment] = {}

    def removed(self, noted: Noted | None) -> dict[int, BitMap64]:
        """Return the rows that left, by file, up to an amendment. Treat them as read-only."""
        if noted is None:
            return {}
        found = self._removed.get(noted.document)
        if found is None:
            files, get = self.document(noted).files, self.desk.parts.objects.get
            found = {index: from_object(get(file.bitmap)) for index, file in files.items()}
            self._removed[noted.document] = found
            for old in list(self._removed)[:-_REMEMBERED]:
                self._removed.pop(old, None)
        return found

    def document(self, noted: Noted) -> Amendment:
        """Return the document of an amendment. One that was read is remembered: it cannot change."""
        found = self._documents.get(noted.document)
        if found is None:
            found = self._documents[noted.document] = opened(self.desk.parts.objects.get(noted.document))
        return found
