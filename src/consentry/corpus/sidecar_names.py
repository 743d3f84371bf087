"""Names of sidecars: the key of a content file as it is, and a number where the first of that key is not the one.

INVARIANT: no name comes again. Whoever opened a corpus takes a name they know for what they have open, however long ago
that was, and heads of before go by names as well. Of what was removed only the ledger tells: numbers begin behind it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from consentry.exhausted import listed

_STAGED = ".staged"
_NAME = re.compile(r"([0-9a-f]+)(?:-([0-9]+))?")


class SidecarNames:
    """The names that are taken: heads have them, or there is such a folder."""

    def __init__(self, named: Iterable[str], *, folder: Path, behind: int) -> None:
        """Take the names that heads have, and those of what is in `folder`; new ones are numbered beyond `behind`."""
        self._behind = behind
        self._taken: dict[str, set[str]] = {}
        for name in {*named, *(path.name for path in finished(folder))}:
            if _NAME.fullmatch(name):
                self._taken.setdefault(key_of(name), set()).add(name)

    def of(self, key: str) -> list[str]:
        """Return the names that are taken of a key, in order."""
        return sorted(self._taken.get(key, ()), key=_number)

    def free(self, key: str) -> str:
        """Return the next name of a key."""
        last = max([self._behind, *map(_number, self._taken.get(key, ()))])
        return f"{key}-{last + 1}" if last else key


def finished(folder: Path) -> list[Path]:
    """Return the folders of sidecars, without those that are being built."""
    return [path for path in listed(folder) if path.suffix != _STAGED]


def key_of(name: str) -> str:
    """Return the key in a name."""
    return name.partition("-")[0]


def _number(name: str) -> int:
    return int(name.partition("-")[2] or 1)
