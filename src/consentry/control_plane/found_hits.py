"""Which releases orders were found to hit by their rows, so that it stays so.

Nearly always that can be found again (`once_known.py`). It cannot where a corpus had columns for a while from which no
release was sealed. Only that an order hits a release is noted, nothing of people or items.

hits/ORDER/RELEASE  owned by this module: an empty file. It only ever adds to what is hit: without it the answer is what
                    can be found
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from consentry.durable import replace_file


class FoundHits:
    """What was found, in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def note(self, order: str, release: str) -> None:
        """Note that an order hits a release. It does whether or not this can be written down."""
        with suppress(OSError):
            path = self._path(order, release)
            path.parent.mkdir(parents=True, exist_ok=True)
            replace_file(path, b"", shared=True)

    def noted(self, order: str, release: str) -> bool:
        """Say whether it was noted that an order hits a release."""
        return self._path(order, release).exists()

    def _path(self, order: str, release: str) -> Path:
        return self.folder / order / release
