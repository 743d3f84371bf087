"""Rows that left sealed releases, as the documents of their amendments say."""

from __future__ import annotations

from collections.abc import Callable

from pyroaring import BitMap64

from consentry.digests import Digest
from consentry.release.amendment import (
    Amendment,
    Noted,
    from_object,
    opened,
)

_REMEMBERED = 64


class Removals:
    """What left. A document that was read is remembered: it cannot change. `get` returns an object."""

    def __init__(self, get: Callable[[Digest], bytes]) -> None:
        self._get = get
        self._removed: dict[Digest, dict[int, BitMap64]] = {}
        self._documents: dict[Digest, Amendment] = {}

    def removed(self, noted: Noted | None) -> dict[int, BitMap64]:
        """Return the rows that left, by file, up to an amendment. Treat them as read-only."""
        if noted is None:
            return {}
        found = self._removed.get(noted.document)
        if found is None:
            files = self.document(noted).files
            found = {index: from_object(self._get(file.bitmap)) for index, file in files.items()}
            self._removed[noted.document] = found
            for old in list(self._removed)[:-_REMEMBERED]:
                self._removed.pop(old, None)
        return found

    def document(self, noted: Noted) -> Amendment:
        """Return the document of an amendment. One that was read is remembered: it cannot change."""
        found = self._documents.get(noted.document)
        if found is None:
            found = self._documents[noted.document] = opened(self._get(noted.document))
        return found
