"""Sidecars that are gone, or whose heads cannot be relied on, and what registrations have to make up for.

    corpora/<name>/broken.json   what was damaged or lost and is replaced, until who withdrew was looked for again

Whoever said no meanwhile may not have been found by them. Nothing is left of them once others are named in their place,
so they are written down before that: a registration that is interrupted after it is made up for by the next. Names of
sidecars never come again, so each registration strikes what it made up for, and nothing that another one noted since.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple, Self

from consentry.corpus import heads
from consentry.corpus.intact import is_lost
from consentry.corpus.sidecar_names import key_of
from consentry.digests import canonical_json
from consentry.durable import replace_file
from consentry.exhausted import require_room

_NOTE = "broken.json"


class Broken(NamedTuple):
    """The names of sidecars that were damaged or lost. `everything`: nobody knows any more what was registered."""

    names: frozenset[str] = frozenset()
    everything: bool = False

    def __or__(self, other: Broken) -> Self:
        return type(self)(self.names | other.names, self.everything or other.everything)

    @property
    def nothing(self) -> bool:
        """Whether nothing was."""
        return not self.names and not self.everything


NOTHING = Broken()


def in_force(home: Path, sidecars: Path) -> Broken:
    """Return what was lost of the sidecars that are in force."""
    for head in heads.readable(home / heads.HEAD):
        return Broken(frozenset(_gone(head["sidecars"], sidecars)))
    return Broken(everything=True)


def stood_in_for(home: Path, sidecars: Path, *, by: Mapping[str, str]) -> dict[str, str]:
    """Return for lost sidecars that some head names what stands in for them: a sidecar of the same file as it is now.

    Args:
        home: the folder of the corpus.
        sidecars: where its sidecars are.
        by: the names of sidecars by the keys of their files.
    """
    gone = _gone(heads.named_sidecars(home), sidecars)
    return {name: by[key] for name in gone if (key := key_of(name)) in by}


def noted(home: Path) -> Broken:
    """Return what was written down, which nobody made up for yet."""
    found: Any = None
    try:
        found = json.loads((home / _NOTE).read_bytes())
    except FileNotFoundError:
        return NOTHING
    except (OSError, ValueError) as error:
        require_room(error)
    if isinstance(found, dict) and isinstance(found.get("sidecars"), list):
        return Broken(frozenset(map(str, found["sidecars"])), everything=bool(found.get("everything")))
    return Broken(everything=True)


def note(home: Path, found: Broken) -> None:
    """Write down what was damaged or lost; durable when this returns."""
    if not found.nothing:
        replace_file(home / _NOTE, canonical_json({"sidecars": sorted(found.names), "everything": found.everything}))


def forget(home: Path, made_up: Broken) -> None:
    """Strike from what was written down what was made up for: who withdrew was looked for again."""
    before = noted(home)
    left = Broken(before.names - made_up.names, before.everything and not made_up.everything)
    if left.nothing:
        (home / _NOTE).unlink(missing_ok=True)
    elif left != before:
        note(home, left)


def _gone(names: Iterable[str], sidecars: Path) -> set[str]:
    return {name for name in names if is_lost(sidecars / name)}
