"""What says of which sidecars a corpus is made, and of which it was made before: its heads, on disk.

A head names the folder of the content files, the text of the descriptor, the sidecars and the snapshot.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from consentry.digests import Digest, canonical_json
from consentry.durable import replace_file
from consentry.errors import IntegrityError, NotFoundError, names_there_are
from consentry.exhausted import listed, require_room

HEAD, _EARLIER = "corpus.json", "earlier"

Head = dict[str, Any]


def aside(home: Path, snapshot: Digest) -> Path:
    """Return where the head of a corpus is kept that had a snapshot before."""
    return home / _EARLIER / f"{snapshot.removeprefix('sha256:')}.json"


def documents(home: Path) -> list[Path]:
    """Return where heads are: first the one in force, if there is one."""
    return [home / HEAD, *listed(home / _EARLIER, "*.json")]


def readable(*paths: Path) -> Iterator[Head]:
    """Yield the heads in some files; what is missing or damaged is left out."""
    for path in paths:
        try:
            found = json.loads(path.read_bytes())
        except (OSError, ValueError) as error:
            require_room(error)
            continue
        if _says_all(found):
            yield found


def _says_all(found: Any) -> bool:
    if not isinstance(found, dict) or not isinstance(found.get("sidecars"), list):
        return False
    return all(isinstance(each, str) for each in (found.get("base"), found.get("descriptor"), *found["sidecars"]))


def named_sidecars(home: Path) -> set[str]:
    """Return the names of the sidecars that heads name which can be read."""
    return {name for head in readable(*documents(home)) for name in head["sidecars"]}


def rename_sidecars(home: Path, names: Mapping[str, str]) -> None:
    """Have the heads of before name other sidecars in place of some."""
    for path in documents(home)[1:]:
        for head in readable(path):
            renamed = [names.get(name, name) for name in head["sidecars"]]
            if renamed != head["sidecars"]:
                replace_file(path, canonical_json({**head, "sidecars": renamed}))


def in_force(home: Path) -> Head:
    """Return the head of a corpus as it is registered.

    Raises:
        NotFoundError: no corpus of this name was registered.
        IntegrityError: what was kept of it is damaged.
    """
    if not (home / HEAD).exists():
        known = sorted(each.parent.name for each in home.parent.glob(f"*/{HEAD}"))
        raise NotFoundError(
            "corpus-unknown",
            f"no corpus `{home.name}`",
            help=names_there_are(known, "registered", otherwise="register one: consentry corpus register DESCRIPTOR"),
        )
    for head in readable(home / HEAD):
        return head
    raise damaged(home / HEAD)


def of_snapshot(home: Path, snapshot: Digest) -> Head | None:
    """Return the head of a corpus when it had a snapshot; None if that is not kept.

    Raises:
        IntegrityError: what was kept of it is damaged.
    """
    kept = aside(home, snapshot)
    for head in readable(home / HEAD, kept):
        if head.get("snapshot") == snapshot:
            return head
    if kept.exists():
        raise damaged(kept)
    return None


def damaged(path: Path) -> IntegrityError:
    """Return the error for a head that does not say any more of what a corpus was made."""
    return IntegrityError(
        "corpus-memory-damaged",
        "the file does not say any more of what the corpus was made",
        help="restore it from a copy of the home; what is registered now: consentry corpus register DESCRIPTOR",
        where=str(path),
    )
