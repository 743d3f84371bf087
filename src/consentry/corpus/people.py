"""The people index: every person gets a dense ordinal once, and keeps it.

An ordinal is acknowledged only when it is durable: bytes first, then the head, then memory (see `pseudonym_file`).
Several processes may share the folder: a writer takes in what others added before it adds anything, so that no two
people get one ordinal. Look-ups take no lock and see what was acknowledged before they began.

Erasure overwrites a pseudonym with random bytes. The ordinal stays, as an empty seat that no id leads to.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from zlib import crc32

import numpy as np
import numpy.typing as npt

from consentry.corpus.pseudonym import Pseudonyms, Words, text_of
from consentry.corpus.pseudonym_file import PSEUDONYM_BYTES, Head, PseudonymFile
from consentry.corpus.slot_table import SlotTable, in_order_of_appearance
from consentry.errors import PeopleError

U32 = npt.NDArray[np.uint32]
U64 = npt.NDArray[np.uint64]

MISSING = 0xFFFF_FFFF
"""The ordinal of an id that has none. One added to an ordinal gives the seat, and to this one the seat of nobody, 0."""
MAX_PEOPLE = MISSING - 1
_ONE = np.uint32(1)


class PeopleIndex:
    """Owns the folder `people/`. Look-ups may run in any number of threads, also while people are added."""

    def __init__(self, folder: Path, *, limit: int = MAX_PEOPLE) -> None:
        """Open the index in `folder`, or start one.

        Raises:
            IntegrityError: the files are not what was written.
        """
        self._file = PseudonymFile(folder)
        self._limit = limit
        self._lock = Lock()
        self._head = Head()
        self._table = SlotTable(seats=0)
        self.refresh()

    def __len__(self) -> int:
        return self._head.people

    @property
    def erasures(self) -> int:
        """How often people were erased, as far as was read."""
        return self._head.erasures

    @property
    def marked(self) -> bool:
        """Whether the list of the erased was marked when somebody was erased last, as far as was read."""
        return self._head.marked

    @property
    def nbytes(self) -> int:
        """Memory taken."""
        return self._table.nbytes

    def lookup(self, found: Pseudonyms) -> U32:
        """Return the ordinal of each pseudonym, MISSING where there is none."""
        seats = self._seats(found)
        return np.subtract(seats, _ONE, out=seats)

    def lookup_one(self, high: int, low: int) -> int:
        """Return the ordinal of one pseudonym, MISSING if it has none."""
        return (self._table.find_one(high, low) - 1) & MISSING

    def seat_of(self, high: int, low: int) -> int:
        """Return the seat of one pseudonym, 0 if it has none."""
        return self._table.find_one(high, low)

    def assign(self, found: Pseudonyms) -> U32:
        """Return the ordinal of each pseudonym; new ones get the next ordinals in order of first appearance.

        Null and empty ids are MISSING. When this returns, the ordinals are durable.

        Raises:
            PeopleError: no ordinals are left; nobody was added.
            OSError: the disk is full or fails; nobody was added.
        """
        seats = self._seats(found)
        new = seats == 0
        if found.absent is not None:
            new &= ~found.absent
        rows = np.flatnonzero(new)
        if rows.size:
            with self._writing():
                seats[rows] = self._seat(found.high[rows], found.low[rows])
        return np.subtract(seats, _ONE, out=seats)

    def forget(self, ordinals: Sequence[int]) -> None:
        """Overwrite the pseudonyms of people who are erased: no id leads to these ordinals any more.

        The list of the erased has them, and is marked.

        Raises:
            PeopleError: there is no such ordinal; nothing was changed.
        """
        erasing = sorted(set(ordinals))
        if not erasing:
            return
        with self._writing():
            if not 0 <= erasing[0] <= erasing[-1] < len(self):
                raise PeopleError(
                    "people-unknown-ordinal",
                    f"ordinals {erasing[0]} to {erasing[-1]} are not all among the {len(self):,} people",
                    help="use ordinals that a look-up returned; nobody was erased",
                )
            self._head = self._file.begin_erasure(self._head, erasing)
            self._finish_erasure()

    def pseudonyms(self, ordinals: Sequence[int]) -> list[str]:
        """Return the stored pseudonyms of some people, as text. That of an erased person is random."""
        pairs = self._table.pairs[np.asarray(ordinals, dtype=np.int64) + 1]
        return [text_of(Words(high, low)) for high, low in pairs.tolist()]

    def refresh(self) -> None:
        """Take in what other processes have added or erased."""
        if self._file.head() != self._head:
            with self._writing():
                pass

    def _seats(self, found: Pseudonyms) -> U32:
        seats = self._table.find(found.high, found.low)
        if found.absent is not None:
            seats[found.absent] = 0
        return seats

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """Hold the write lock of this process and of the folder, with everything that others wrote taken in."""
        with self._lock, self._file.exclusive():
            self._catch_up()
            yield

    def _catch_up(self) -> None:
        head = self._file.head()
        if head == self._head:
            return
        known = self._head
        if head.erasures != known.erasures or head.erasing:
            known = Head()
        pairs = np.frombuffer(self._file.read(known, head), dtype="<u8").reshape(-1, 2).astype(np.uint64, copy=False)
        table = self._table if known.people else SlotTable(seats=head.people)
        self._insert(table, pairs[:, 0], pairs[:, 1], used=known.people)
        self._head = head
        if head.erasing:
            self._finish_erasure()

    def _seat(self, high: U64, low: U64) -> U32:
        """Return the seats of keys that had none before the lock was taken."""
        seats = self._table.find(high, low)
        rows = np.flatnonzero(seats == 0)
        first, numbers = in_order_of_appearance(high[rows], low[rows])
        used = len(self)
        if used + first.size > self._limit:
            raise PeopleError(
                "people-too-many",
                f"{first.size:,} new people do not fit beside {used:,}: ordinals end at {self._limit:,}",
                help="use a deployment for each platform, with an index of its own",
            )
        if first.size:
            new_high, new_low = high[rows[first]], low[rows[first]]
            content = np.column_stack((new_high, new_low)).astype("<u8").tobytes()
            head = self._file.append(self._head, content)
            self._insert(self._table, new_high, new_low, used=used)
            self._head = head
        seats[rows] = numbers + (used + 1)
        return seats

    def _insert(self, table: SlotTable, high: U64, low: U64, *, used: int) -> None:
        if used + high.size > table.seats:
            table = table.grown(used=used, seats=used + high.size)
        table.insert(high, low, first=used + 1)
        self._table = table

    def _finish_erasure(self) -> None:
        """Overwrite what the head says is being erased, on disk and then in memory."""
        erasing = np.array(self._head.erasing, dtype=np.int64)
        noise = [secrets.token_bytes(PSEUDONYM_BYTES) for _ in self._head.erasing]
        self._file.overwrite(self._head, noise)
        pairs = self._table.pairs
        pairs[erasing + 1] = np.frombuffer(b"".join(noise), dtype="<u8").reshape(-1, 2)
        checksum = crc32(pairs[1 : len(self) + 1].astype("<u8", copy=False).data)
        self._head = self._file.end_erasure(self._head, checksum=checksum)
