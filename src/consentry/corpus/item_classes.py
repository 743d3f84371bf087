"""The item classes of a corpus: the combinations of category, visibility and licence that occur in it.

Codes are given in order of first appearance and never change, because sidecars hold them.
"""

from __future__ import annotations

import json
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
import numpy.typing as npt

from consentry.corpus.columns import Words
from consentry.corpus.sidecar import ClassesPin
from consentry.digests import canonical_json, digest_json
from consentry.durable import replace_file
from consentry.errors import CorpusError
from consentry.policy.matrix import ItemClass
from consentry.policy.vocabulary import CATEGORIES, VISIBILITIES

MAX_CLASSES = 1 << 16
_CATEGORY_SPAN = 64
_VISIBILITY_SPAN = 16
_KIND_SPAN = _CATEGORY_SPAN * _VISIBILITY_SPAN


class ItemClasses:
    """Append-only list of item classes, shared by the threads that build sidecars."""

    def __init__(self, members: list[ItemClass] | None = None) -> None:
        self._members = list(members or [])
        self._codes = {member: code for code, member in enumerate(self._members)}
        self._lock = Lock()

    @property
    def members(self) -> tuple[ItemClass, ...]:
        """The classes in code order."""
        return tuple(self._members)

    def encode(
        self, category: npt.NDArray[np.uint8], visibility: npt.NDArray[np.uint8], *, licence: Words | None
    ) -> npt.NDArray[np.uint16]:
        """Return the class code of each row, adding the classes that are new.

        Args:
            category: index into CATEGORIES for each row.
            visibility: index into VISIBILITIES for each row.
            licence: the licences of the rows, None if the corpus has none.
        """
        if licence is not None and len(licence.words) > MAX_CLASSES:
            raise _too_many()
        kinds = category.astype(np.int64)
        kinds += visibility.astype(np.int64) * _CATEGORY_SPAN
        licences = (*licence.words, "") if licence is not None else ("",)
        if licence is not None:
            kinds += licence.codes * _KIND_SPAN
        present = np.flatnonzero(np.bincount(kinds, minlength=1))
        table = np.zeros(int(present[-1]) + 1 if present.size else 1, dtype=np.uint16)
        with self._lock:
            for kind in present.tolist():
                table[kind] = self._code(
                    ItemClass(
                        CATEGORIES[kind % _CATEGORY_SPAN],
                        VISIBILITIES[kind // _CATEGORY_SPAN % _VISIBILITY_SPAN],
                        licences[kind // _KIND_SPAN],
                    )
                )
        return table[kinds]

    def _code(self, member: ItemClass) -> int:
        code = self._codes.get(member)
        if code is None:
            if len(self._members) == MAX_CLASSES:
                raise _too_many()
            code = self._codes[member] = len(self._members)
            self._members.append(member)
        return code

    def pin(self, count: int) -> ClassesPin:
        """Return what pins the meaning of the first `count` codes; if there are not so many, another pin."""
        return ClassesPin(count=min(count, len(self._members)), digest=digest_json(self._body(count)))

    def _body(self, count: int) -> list[list[str]]:
        return [[str(part) for part in member] for member in self._members[:count]]

    def save(self, path: Path) -> None:
        """Write the classes; atomic."""
        with self._lock:
            replace_file(path, canonical_json(self._body(len(self._members))))

    @classmethod
    def load(cls, path: Path) -> ItemClasses:
        """Read the classes; none if there is no such file, or nothing that can be read.

        Sidecars pin the classes they were built with, so that none is read with classes it does not know.
        """
        known = {str(category): category for category in CATEGORIES}
        seen = {str(visibility): visibility for visibility in VISIBILITIES}
        try:
            rows: list[list[Any]] = json.loads(path.read_bytes())
            members = [ItemClass(known[category], seen[visible], str(licence)) for category, visible, licence in rows]
        except (FileNotFoundError, ValueError, KeyError, TypeError):
            return cls()
        return cls(members)


def _too_many() -> CorpusError:
    return CorpusError(
        "corpus-too-many-classes",
        f"more than {MAX_CLASSES:,} combinations of category, visibility and licence",
        help="the licence column is probably free text; map it to a few names first",
    )
