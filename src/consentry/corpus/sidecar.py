"""Sidecars: per content file, the few bytes an item that every decision needs, built once.

A sidecar is a folder of plain NumPy arrays, one entry an item in file order unless said otherwise:

| array | dtype | what |
|---|---|---|
| `person` | u32 | seat of the owner (`people` ordinal + 1); 0 for an item without one |
| `klass` | u8 or u16 | index into the corpus's item classes |
| `created` | u32 | seconds since 1970; 0xFFFFFFFF if unknown |
| `involved_row`, `involved_person` | u32 | one entry a further person: position, seat (0: somebody unknown) |
| `item` | u64 | keyed pseudonym of the item id, first half |
| `posting_person`, `posting_row` | u32 | every (seat, position) pair, ordered by seat and position |

and `sidecar.json`, written last: a folder without it is not a sidecar. It has digests of all this (`intact.py`). The
content file is pinned by size, modification time, inode, time of the last change of any kind, and digest. Positions are
meaningless for any other bytes, so a changed file makes the sidecar unusable.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from consentry.corpus.columns import UNKNOWN_DATE
from consentry.corpus.mapped import Array, let_go, mapped
from consentry.digests import Digest, canonical_json, digest_file
from consentry.durable import only_one, replace_file
from consentry.errors import ConflictError, CorpusError, IntegrityError, UnavailableError
from consentry.exhausted import require_room

FORMAT = 2
NOBODY = 0
"""The seat of nobody: an item without an owner, or an involved person without an id."""
HEAD = "sidecar.json"
_LOCK = "lock"
_ARRAYS = ("person", "klass", "involved_row", "involved_person", "item", "posting_person", "posting_row")

U32 = npt.NDArray[np.uint32]
U64 = npt.NDArray[np.uint64]
Progress = Callable[[int], None]


class Identities(Protocol):
    """Turns platform ids into what is stored of them. Safe to call from several threads."""

    def seats(self, ids: pa.Array) -> U32:
        """Return the seat of each person id, giving new people the next one; null and empty ids are NOBODY."""

    def item_keys(self, ids: pa.Array) -> U64:
        """Return the stored key of each item id."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FilePin:
    """Which bytes a sidecar, and every position in it, is about. `path` is relative to the corpus's folder."""

    path: str
    size: int
    digest: Digest
    rows: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassesPin:
    """What the codes in a sidecar mean: the first `count` item classes of the corpus, which have this digest."""

    count: int
    digest: Digest


class Stamp(NamedTuple):
    """What tells without reading a file that it is still the same one: programs can set its modification time back.

    They cannot set the inode and the time of its last change of any kind (`ctime`). None: nobody noted these.
    """

    mtime_ns: int
    ctime_ns: int | None = None
    inode: int | None = None

    @classmethod
    def of(cls, found: os.stat_result) -> Stamp:
        """Return the stamp of a file."""
        return cls(found.st_mtime_ns, found.st_ctime_ns, found.st_ino)

    @classmethod
    def from_json(cls, head: Mapping[str, Any]) -> Stamp:
        """Read it from the head of a sidecar, which may be of before there was more in it than a modification time."""
        ctime, inode = (None if head.get(name) is None else int(head[name]) for name in ("ctime_ns", "inode"))
        return cls(int(head["mtime_ns"]), ctime, inode)

    def to_json(self) -> dict[str, str]:
        """Return it for the head of a sidecar: text, for canonical JSON has no numbers of this size."""
        return {name: str(value) for name, value in self._asdict().items() if value is not None}


class Version(NamedTuple):
    """Which file a sidecar is of, what its codes mean, and sizes and times of its arrays."""

    folder: Path
    pin: FilePin
    classes: ClassesPin
    written: tuple[int, ...]


@dataclass(slots=True)
class Oddities:
    """What had to be counted as unknown."""

    null_authors: int = 0
    unknown_involved: int = 0
    dates_out_of_range: int = 0
    unknown_dates: int = 0
    words: dict[str, dict[str, int]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sidecar:
    """One content file's sidecar, mapped into memory."""

    folder: Path
    pin: FilePin
    file_stamp: Stamp
    classes: ClassesPin
    person: U32
    klass: Array
    created: U32 | None
    involved_row: U32
    involved_person: U32
    item: U64
    posting_person: U32
    posting_row: U32
    oddities: Oddities

    def __reduce__(self) -> tuple[Callable[[Path, FilePin, ClassesPin], Sidecar], tuple[Path, FilePin, ClassesPin]]:
        """Pickle where it lies and what it is of, not what it holds: another process maps it as this one did."""
        return _mapped_again, (self.folder, self.pin, self.classes)

    @property
    def rows(self) -> int:
        """Number of items in the file."""
        return self.pin.rows

    @property
    def seats(self) -> int:
        """One more than the highest seat that occurs."""
        return int(self.posting_person[-1]) + 1 if self.posting_person.size else 1

    def created_after(self, moment: int) -> int:
        """Return how many items are said to be created after a moment, in seconds since 1970."""
        if self.created is None:
            return 0
        return int(np.count_nonzero((self.created > moment) & (self.created != UNKNOWN_DATE)))

    def let_go(self) -> None:
        """Take what was read so far out of this process's memory; the system still has it. Others may go on reading."""
        for array in (self.person, self.klass, self.created):
            if array is not None:
                let_go(array)

    def check_range(self, rows: slice, *, seats: int, classes: int) -> None:
        """Raise if a row names a seat or class that is not there: it would be decided as somebody else's.

        Spans that are checked one after another have all pairs of items and involved people between them.
        """
        first, last = self.involved_row.searchsorted(np.array([rows.start, rows.stop], dtype=np.uint32))
        named = max(self.person[rows].max(initial=0), self.involved_person[first:last].max(initial=0))
        if named >= seats or self.klass[rows].max(initial=0) >= classes or not self._in_order(rows, first, last):
            raise self._damaged()

    def _in_order(self, rows: slice, first: int, last: int) -> bool:
        """Say whether the pairs at [first, last) are all that are about these rows, in their order."""
        about = self.involved_row[first:last]
        whole = (rows.start > 0 or first == 0) and (rows.stop < self.rows or last == self.involved_row.size)
        within = not about.size or rows.start <= about[0] <= about[-1] < rows.stop
        return whole and within and not (about[1:] < about[:-1]).any()

    def _damaged(self) -> IntegrityError:
        return IntegrityError(
            "corpus-sidecar-damaged",
            f"the sidecar of `{self.pin.path}` names items, people or classes that are not there",
            help="restore the home from one backup, or register the corpus again",
        )

    def version(self) -> Version:
        """Return what tells whether something found out about this file still holds of what is found there now."""
        names = _ARRAYS if self.created is None else (*_ARRAYS, "created")
        found = [(self.folder / f"{name}.npy").stat() for name in names]
        written = tuple(number for each in found for number in (each.st_size, each.st_mtime_ns))
        return Version(self.folder, self.pin, self.classes, written)

    def find(self, key: int) -> list[int]:
        """Return the positions of the items with this stored key."""
        return [int(row) for row in np.flatnonzero(self.item == np.uint64(key))]

    def rows_of(self, seats: U32) -> U32:
        """Return the positions of all items that are by or involve people with these seats, ascending and distinct.

        Raises:
            IntegrityError: one is the position of no item.
        """
        first = np.searchsorted(self.posting_person, seats, side="left")
        last = np.searchsorted(self.posting_person, seats, side="right")
        rows = np.unique(_ranges(self.posting_row, first, last - first))
        if rows.size and rows[-1] >= self.rows:
            raise self._damaged()
        return rows


class Span(NamedTuple):
    """Rows [start, stop) of a file, which is the n-th."""

    nth: int
    sidecar: Sidecar
    start: int
    stop: int


def _ranges(values: U32, first: Array, lengths: Array) -> U32:
    """Return values[first[k] : first[k] + lengths[k]] for all k, one after another."""
    kept = lengths > 0
    first, lengths = first[kept], lengths[kept]
    if not lengths.size:
        return np.empty(0, dtype=np.uint32)
    steps = np.ones(int(lengths.sum()), dtype=np.int64)
    starts = np.cumsum(lengths)[:-1]
    steps[0] = first[0]
    steps[starts] = first[1:] - (first[:-1] + lengths[:-1] - 1)
    return values[np.cumsum(steps)]


def gathered(table: pa.Array, indices: Array) -> Array:
    """Return the entries of a table at indices that are known to be in range (`Sidecar.check_range`).

    Arrow takes narrow indices as they are, where NumPy widens them first.
    """
    # Only here: it makes all its functions when it is imported, and most commands need none of them.
    import pyarrow.compute as pc  # noqa: PLC0415

    found: Array = pc.take(table, pa.array(indices), boundscheck=False).to_numpy()
    return found


def load(folder: Path) -> Sidecar:
    """Map a finished sidecar into memory. What is mapped stays, also when the folder is removed.

    Raises:
        ConflictError: there is no finished sidecar.
    """
    try:
        return _load(folder, json.loads((folder / HEAD).read_bytes()))
    except (OSError, ValueError, KeyError, TypeError) as error:
        require_room(error)
        raise ConflictError(
            "corpus-sidecar-missing",
            f"the sidecar in `{folder}` is missing or damaged",
            help="register the corpus again: consentry corpus register DESCRIPTOR",
        ) from error


def _mapped_again(folder: Path, pin: FilePin, classes: ClassesPin) -> Sidecar:
    """Map a sidecar that another process has mapped, maybe on another machine.

    Raises:
        UnavailableError: it is not there, or one of another file or other item classes has taken its place.
    """
    with suppress(ConflictError):
        found = load(folder)
        if (found.pin, found.classes) == (pin, classes):
            return found
    raise UnavailableError(
        "corpus-sidecar-elsewhere",
        f"where `{pin.path}` is decided, its sidecar is not the one that is here",
        help="has every machine this home, at the same path? If the corpus was registered meanwhile, try again",
    )


def seats_of_sidecar(folder: Path) -> int:
    """Return one more than the highest seat that occurs in a finished sidecar, by its head alone."""
    return int(json.loads((folder / HEAD).read_bytes())["seats"])


def _load(folder: Path, head: dict[str, Any]) -> Sidecar:
    array = {name: mapped(folder / f"{name}.npy") for name in _ARRAYS}
    sidecar = Sidecar(
        folder=folder,
        pin=FilePin(**head["pin"]),
        file_stamp=Stamp.from_json(head),
        classes=ClassesPin(**head["classes"]),
        created=mapped(folder / "created.npy") if head["dated"] else None,
        oddities=Oddities(**head["oddities"]),
        **array,
    )
    each_row = [array[name] for name in ("person", "klass", "item")]
    each_row += [] if sidecar.created is None else [sidecar.created]
    if {one.size for one in each_row} != {sidecar.rows}:
        raise ValueError("an array has another number of entries than the file has items")
    for of in ("involved", "posting"):
        if array[f"{of}_row"].size != array[f"{of}_person"].size:
            raise ValueError("of some pairs there is only one half")
    return sidecar


def usable(folder: Path, source: Path, *, descriptor: Digest, pin_of_classes: Callable[[int], ClassesPin]) -> bool:
    """Say whether `folder` holds a finished sidecar of the file as it is now, see `still_of`.

    Its codes must mean what they mean now: `pin_of_classes` pins the first so many item classes of the corpus.
    """
    try:
        head = json.loads((folder / HEAD).read_bytes())
        found = _load(folder, head)
        made_by = head["format"], head["descriptor"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        require_room(error)
        return False
    if pin_of_classes(found.classes.count) != found.classes:
        return False
    return made_by == (FORMAT, descriptor) and still_of(found, source)


def still_of(sidecar: Sidecar, source: Path) -> bool:
    """Say whether a file is there and is the one a sidecar was built from.

    What the file system says decides, without reading it, as long as nothing differs. A copy of the file, or one that
    was put back, has another inode: then its digest decides, and if that is the same its stamp is noted anew.
    """
    try:
        now = source.stat()
        stamp = Stamp.of(now)
        if (now.st_size, stamp.mtime_ns) != (sidecar.pin.size, sidecar.file_stamp.mtime_ns):
            return False
        # Somebody else may have noted another one since this sidecar was opened.
        if stamp == sidecar.file_stamp or stamp == _noted(sidecar):
            return True
        if digest_file(source) != sidecar.pin.digest or Stamp.of(source.stat()) != stamp:
            return False
    except FileNotFoundError:
        return False
    _note(sidecar, stamp)
    return True


def _noted(sidecar: Sidecar) -> Stamp | None:
    """Return the stamp in the head of a sidecar as it is now; None if another one is in its place, or none."""
    head = _head_of(sidecar)
    return None if head is None else Stamp.from_json(head)


def _note(sidecar: Sidecar, stamp: Stamp) -> None:
    """Note what a file that was read and found unchanged looks like now. If that fails, it is read again next time."""
    # Two may have read the file at a time: the second one leaves it to the first. A crash leaves a neighbour of the
    # head, which whoever reads the file again writes over.
    with suppress(OSError), only_one(sidecar.folder / _LOCK, wait=False):
        head = _head_of(sidecar)
        if head is not None:
            replace_file(sidecar.folder / HEAD, canonical_json({**head, **stamp.to_json()}))


def _head_of(sidecar: Sidecar) -> dict[str, Any] | None:
    # INVARIANT: about the same bytes. Since this one was opened, that of another file may have taken its place.
    with suppress(OSError, ValueError, KeyError, TypeError):
        head: dict[str, Any] = json.loads((sidecar.folder / HEAD).read_bytes())
        if FilePin(**head["pin"]) == sidecar.pin:
            return head
    return None


def changed(name: str, source: Path) -> CorpusError:
    """Return the error for a content file that is gone, or is not the one its sidecar was built from."""
    gone = not source.exists()
    return CorpusError(
        "corpus-file-changed",
        f"`{name}` is gone" if gone else f"`{name}` is not the file its sidecar was built from",
        help=f"{'restore it, or ' if gone else ''}register the corpus again; releases sealed from the old file stay"
        " bound to its digest",
    )
