"""Whether sidecars are still what was built: the digests of their arrays stand in their heads, and that of the head.

They show what a disk or a hand did. Whoever can write an array can write its digest too, so nothing is decided by them:
only `recheck.py` says whether a sidecar says what its file says. One of before there were digests is held against the
one that is built anew. Where it says the same it stays: it has the seats of people who were erased since.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from consentry.corpus.difference import Seats, differing
from consentry.corpus.sidecar import HEAD, FilePin, Sidecar, Stamp, load
from consentry.corpus.unique_ids import Threads
from consentry.digests import Digest, canonical_json, digest_file, digest_json
from consentry.durable import replace_file
from consentry.exhausted import listed, require_room
from consentry.progress import Progress

_ARRAYS, _DIGEST = "arrays", "digest"


class Altered(NamedTuple):
    """A sidecar that is not what was built, or of which that was not noted: the digests of its arrays as they are."""

    folder: Path
    pin: FilePin
    arrays: Mapping[str, Digest]
    noted: bool


class Replaced(NamedTuple):
    """By the names of altered sidecars, those that stand in for them, and which of the altered said something else."""

    names: Mapping[str, str]
    otherwise: frozenset[str]


def with_digests(head: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """Return the head of a sidecar with the digests of the arrays that are in a folder."""
    whole = {**head, _ARRAYS: {path.stem: digest_file(path) for path in listed(folder, "*.npy")}}
    return {**whole, _DIGEST: _digest(whole)}


def altered(
    folders: Iterable[Path],
    *,
    threads: Threads,
    descriptor: Digest | None = None,
    sizes: Mapping[str, int] | None = None,
    progress: Progress | None = None,
) -> list[Altered]:
    """Return those of some sidecars that are altered, each array read once; folders without a head are none.

    Args:
        folders: the sidecars.
        threads: where arrays are read.
        descriptor: what they must be made by; others are passed over. Any if not given.
        sizes: of which files they must be, by name: others cannot be built anew. Any if not given.
        progress: called with the number of bytes read since the last call.
    """
    heads = {
        folder: head
        for folder in folders
        if (head := _head(folder, descriptor)) is not None
        and (sizes is None or sizes.get(head["pin"]["path"]) == head["pin"]["size"])
    }
    arrays = [path for folder in heads for path in listed(folder, "*.npy")]
    if progress is not None and arrays:
        progress.begin("checking sidecars", total=sum(path.stat().st_size for path in arrays), unit="bytes")
    found: dict[Path, dict[str, Digest]] = {folder: {} for folder in heads}
    for path, digest in zip(arrays, threads.map(lambda path: _read(path, progress), arrays), strict=True):
        found[path.parent][path.stem] = digest
    return [
        Altered(folder, FilePin(**head["pin"]), found[folder], noted=_DIGEST in head)
        for folder, head in heads.items()
        if (head.get(_ARRAYS), head.get(_DIGEST)) != (found[folder], _digest(head))
    ]


def kept(
    anew: Iterable[Sidecar],
    bad: Iterable[Altered],
    *,
    is_usable: Callable[[Path, str], bool],
    erased: Callable[[], Seats],
) -> Iterator[Sidecar]:
    """Yield sidecars, in place of each the one of before digests that says the same: its digests are noted then.

    Args:
        anew: the sidecars.
        bad: what is altered.
        is_usable: whether a folder has a sidecar of a file, by its name, as it is now.
        erased: the seats of people who were erased.
    """
    before = {each.pin: each.folder for each in bad if not each.noted}
    for sidecar in anew:
        folder = before.get(sidecar.pin)
        if folder is None or not is_usable(folder, sidecar.pin.path):
            yield sidecar
            continue
        stored = load(folder)
        same = not differing(stored, sidecar, erased=erased())
        if same and (head := _head(folder, None)) is not None:
            replace_file(folder / HEAD, canonical_json(with_digests(head, folder)))
        yield stored if same else sidecar


def replaced(bad: Iterable[Altered], *, by: Mapping[FilePin, Path]) -> Replaced:
    """Return which altered sidecars those that were built of the same files, by the same descriptor, stand in for."""
    pairs = [(each, by[each.pin]) for each in bad if each.pin in by]
    names = {each.folder.name: folder.name for each, folder in pairs}
    differ = (each for each, folder in pairs if each.arrays != (_head(folder, None) or {})[_ARRAYS])
    return Replaced(names, frozenset(each.folder.name for each in differ))


def is_lost(folder: Path) -> bool:
    """Say whether nothing can be told any more of a sidecar that was built: it is gone, or its head is damaged."""
    head = _head(folder, None)
    return head is None or (_DIGEST in head and head[_DIGEST] != _digest(head))


def _head(folder: Path, descriptor: Digest | None) -> dict[str, Any] | None:
    try:
        head: dict[str, Any] = json.loads((folder / HEAD).read_bytes())
        FilePin(**head["pin"])
        _digest(head)  # not of what cannot be in one
        return head if descriptor in (None, head["descriptor"]) else None
    except (OSError, ValueError, KeyError, TypeError) as error:
        require_room(error)
        return None


def _digest(head: Mapping[str, Any]) -> Digest:
    """Return the digest of a head, without the stamp of the file: that is noted anew when the file is put back."""
    return digest_json({name: value for name, value in head.items() if name not in (_DIGEST, *Stamp._fields)})


def _read(path: Path, progress: Progress | None) -> Digest:
    try:
        return digest_file(path, progress=progress)
    except OSError as error:  # a disk that cannot read it any more
        require_room(error)
        return ""
