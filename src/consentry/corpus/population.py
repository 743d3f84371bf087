"""The population of a deployment: the seats of everybody, the people tables, the cohorts and who was erased.

    people/
      pseudonyms.bin, index.json     seats (`consentry.corpus.people`)
      table-<digest>.arrow           people snapshots (`consentry.corpus.people_table`)
      erased.json                    seats whose owners were erased, which of them were one person's, tokens of the
                                     erased, seats checked against them, and a mark of it all under a key of the
                                     deployment

Erasing takes three steps, each durable before the next: `close` (seats and tokens are written down), the ledger erases
what was said, `forget` (no id leads to the seats any more). Interrupted anywhere, it can be asked for again.

Erased people stay denied in three ways. Their seats are closed. Whoever comes back under the same id gets a new seat,
whose pseudonym answers to a token. And a token of the ledger that is not written down here (the folder is a backup) is
held against every seat there is.

A list without its mark is one of before lists were marked, and is taken while nobody was erased since: the index knows.
It also counts erasures, each of which closed a seat: a list with fewer is an older one, or was shortened.

What the ledger said of who is one person goes with an erasure; where their items lay must not. So the seats that were
one person's are written down when they are closed. Of seats of which that was never written, any two may have been.
"""

from __future__ import annotations

import hmac
import json
import os
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import lru_cache
from hashlib import blake2b
from pathlib import Path
from threading import Lock
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from consentry.corpus.classes import Attributes
from consentry.corpus.descriptor import PeopleDescriptor, parse_people, resolve_files
from consentry.corpus.descriptor_source import read_text
from consentry.corpus.parquet_files import rows_in
from consentry.corpus.people import MISSING, PeopleIndex
from consentry.corpus.people_load import LoadReport, load_people, people_batches
from consentry.corpus.people_table import PeopleTable, load, unknown_people
from consentry.corpus.pseudonym import PseudonymKey, Pseudonyms, of_texts
from consentry.corpus.residence import resolve
from consentry.corpus.sidecar import Stamp
from consentry.digests import Digest, canonical_json
from consentry.durable import only_one, replace_file
from consentry.errors import IntegrityError
from consentry.ledger.events import Pseudonym, suppression_token
from consentry.policy.choice import Seconds
from consentry.progress import Progress

Seats = npt.NDArray[np.uint32]
_ERASED = "erased.json"
_HEX_DIGITS = 32
_SCAN_SEATS = 1 << 16


class ObjectStore(Protocol):
    """Documents by digest; durable when `put` returns."""

    def put(self, content: bytes) -> Digest:
        """Store a document and return its digest."""
        ...

    def get(self, name: Digest) -> bytes:
        """Return a document."""
        ...


class Population:
    """Owns `people/`. See the protocols in `consentry.release.present` for what is asked of it."""

    def __init__(
        self,
        folder: Path,
        *,
        index: PeopleIndex,
        key: PseudonymKey,
        objects: ObjectStore,
        clock: Callable[[], Seconds],
    ) -> None:
        self._folder = folder
        self._index = index
        self._key = key
        self._objects = objects
        self._clock = clock
        self._lock = Lock()
        self._table = lru_cache(maxsize=2)(self._load_table)
        self._written: tuple[Stamp, int, _Erased] | None = None
        self._written_marked = False
        self._array: tuple[frozenset[int], Seats] = (frozenset(), np.empty(0, dtype=np.uint32))
        self._looked = _Looked()

    @property
    def seats(self) -> int:
        """Number of seats, the one of nobody and those given by other processes included."""
        self._index.refresh()
        return len(self._index) + 1

    def seats_of(self, people: Sequence[Pseudonym] | Pseudonyms, *, returned: Collection[str] = ()) -> Seats:
        """Return the seat of each pseudonym, giving new people the next one, but none to those who were erased.

        They answer to a token that is written down here, even while another process is erasing them; those who answer
        to a token in `returned` have spoken since.
        """
        found = people if isinstance(people, Pseudonyms) else of_texts(people)
        seats = self._index.lookup(found) + np.uint32(1)
        if seats.all():
            return seats
        # Held until they are seated: nobody is erased between looking at the tokens and giving a seat.
        with self._erasing() as written:
            if written.tokens:
                missing = np.flatnonzero(self._index.lookup(found) == MISSING)
                texts = Pseudonyms(high=found.high[missing], low=found.low[missing]).texts()
                tokens = (suppression_token(str(each)) for each in texts)
                gone = np.zeros(len(found), dtype=np.bool_)
                gone[missing] = [token in written.tokens and token not in returned for token in tokens]
                found = replace(found, empty=gone)
            return self._index.assign(found) + np.uint32(1)

    def pseudonyms_of(self, seats: Sequence[int]) -> list[Pseudonym]:
        """Return the pseudonym in each seat, none of them that of nobody."""
        return self._index.pseudonyms([seat - 1 for seat in seats])

    def attributes(self, snapshot: Digest | None, *, at: Seconds, seats: int) -> Attributes:
        """Return what a snapshot says about the first `seats` seats, ages as of `at`."""
        if snapshot is None:
            return unknown_people(seats=seats)
        table = self._table(snapshot)
        if table.people >= seats:
            raise index_behind("the people table")
        return table.attributes(seats=seats, at=at)

    def linked(self, snapshot: Digest | None) -> Mapping[int, tuple[int, ...]]:
        """Return for each seat that a snapshot links to others all seats of the same person."""
        return {} if snapshot is None else self._table(snapshot).linked()

    def linked_when_erased(self) -> Collection[tuple[int, ...]]:
        """Return the seats of each erased person who had several, or may have had, ascending."""
        with self._erasing() as written:
            return written.linked

    def _load_table(self, snapshot: Digest) -> PeopleTable:
        return load(self._folder, snapshot)

    def load_people(
        self, path: Path, *, batches: Iterable[pa.RecordBatch] | None = None, progress: Progress | None
    ) -> LoadReport:
        """Read the people table that a descriptor names into a new snapshot; its rows may be given as `batches`.

        Raises:
            DescriptorError: the descriptor cannot be used.
            PeopleError: the table cannot be used; what was known stays.
        """
        descriptor = read_people_descriptor(path, queried=batches is not None)
        files = resolve_files(descriptor, path.parent) if batches is None else []
        if progress is not None:
            progress.begin("reading people", total=rows_in(files) if batches is None else None, unit="people")
        self._sweep()
        return load_people(
            people_batches(files, descriptor) if batches is None else batches,
            descriptor=descriptor,
            index=self._index,
            key=self._key,
            resolver=resolve,
            folder=self._folder,
            at=self._clock(),
            progress=progress,
        )

    def _sweep(self) -> None:
        """Remove the tables that processes which died were writing."""
        for left in self._folder.glob(".table-*.staged"):
            process = left.name.split("-")[1].partition(".")[0]
            if not _is_alive(int(process)):
                left.unlink(missing_ok=True)

    def store_cohort(self, people: Sequence[Pseudonym]) -> Digest:
        """Store a list of people as the sorted bytes of their pseudonyms."""
        return self._objects.put(b"".join(sorted(bytes.fromhex(person) for person in set(people))))

    def cohort(self, digest: Digest) -> list[Pseudonym]:
        """Return the pseudonyms of a cohort."""
        digits = self._objects.get(digest).hex()
        return [digits[at : at + _HEX_DIGITS] for at in range(0, len(digits), _HEX_DIGITS)]

    def close(self, people: Sequence[Pseudonym], *, linked: Iterable[tuple[int, ...]] = ()) -> None:
        """Close the seats of people who are about to be erased, and know them again if they come back.

        `linked`: the seats, ascending, of each of them who has several.
        """
        with self._erasing() as written:
            # Before anybody is looked up: whoever is given a seat in between is still to be held against the tokens.
            given = len(self._index) + 1
            seats = self._seats_now(people)
            tokens = {suppression_token(person) for person in people}
            # Nobody was erased before: of all seats there are, only these answer to a token.
            checked = written.checked if written.tokens else given
            begun = self._unfinished(written) | seats
            together = written.linked.union(linked)
            self._write(_Erased(written.seats | seats, written.tokens | tokens, checked, begun, together))

    def _seats_now(self, people: Sequence[Pseudonym]) -> set[int]:
        ordinals = self._index.lookup(of_texts(people))
        return {int(ordinal) + 1 for ordinal in ordinals if ordinal != MISSING}

    def forget(self, people: Sequence[Pseudonym]) -> None:
        """Delete what leads from these people's ids to their seats, and what an interrupted erasure left of others.

        INVARIANT: a seat is written down as closed before its pseudonym is overwritten: afterwards it answers to no
        token.
        """
        with self._erasing() as written:
            seats = self._unfinished(written) | self._seats_now(people)
            if seats:
                self._write(written._replace(seats=written.seats | seats))
            self._index.forget([seat - 1 for seat in sorted(seats)])

    def _unfinished(self, written: _Erased) -> frozenset[int]:
        """Return the seats of erasures that were begun and have not forgotten them.

        Not those of people who came back: a people table names them again, and leads from them to their accounts.
        """
        begun = sorted(written.begun)
        left = zip(begun, self.pseudonyms_of(begun), strict=True)
        return frozenset(seat for seat, person in left if suppression_token(person) in written.tokens)

    def erased(self, tokens: Collection[str]) -> Seats:
        """Return the seats of erased people, and of those who came back: their pseudonym answers to a token.

        Nobody may change `tokens` afterwards: asked with the same ones again, it looks at new seats only.
        """
        with self._erasing() as written:
            seats = len(self._index) + 1
            looked = self._looked if self._looked.known is written.tokens else _Looked(seats=written.checked)
            missed = {each for each in tokens if each not in written.tokens} if tokens is not looked.tokens else set()
            known = written.tokens | missed if missed else written.tokens
            found = self._answering(known, range(looked.seats, seats)) if known else set()
            found |= self._answering(missed, range(1, looked.seats)) if missed else set()
            closed = written.seats | found if found else written.seats
            # How far it looked is worth writing down once looking again would cost as much as that.
            if closed is not written.seats or known is not written.tokens or seats - written.checked > len(known) > 0:
                linked = written.linked | _perhaps_one(found) if missed else written.linked
                self._write(written._replace(seats=closed, tokens=known, checked=seats, linked=linked))
            self._looked = _Looked(known, tokens, seats)
            return self._as_array(closed)

    def _as_array(self, seats: frozenset[int]) -> Seats:
        if self._array[0] is not seats:
            self._array = seats, np.sort(np.fromiter(seats, dtype=np.uint32, count=len(seats)))
            self._array[1].setflags(write=False)
        return self._array[1]

    def _answering(self, tokens: Collection[str], seats: range) -> set[int]:
        found = set()
        for start in range(seats.start, seats.stop, _SCAN_SEATS):
            some = range(start, min(start + _SCAN_SEATS, seats.stop))
            people = self._index.pseudonyms([seat - 1 for seat in some])
            found |= {seat for seat, person in zip(some, people, strict=True) if suppression_token(person) in tokens}
        return found

    @contextmanager
    def _erasing(self) -> Iterator[_Erased]:
        """Keep other threads and processes from erasing, with every seat that was given so far taken in."""
        with self._lock, only_one(self._folder / f"{_ERASED}.lock"):
            self._index.refresh()
            yield self._read()

    def _read(self) -> _Erased:
        """Return what was written down. INVARIANT: it is written before the index forgets anybody."""
        path = self._folder / _ERASED
        try:
            found = path.stat()
            # Of its size as well: who is erased makes it larger. What the index says of it is compared anew each time.
            if self._written is not None and self._written[:2] == (Stamp.of(found), found.st_size):
                written, genuine = self._written[2], self._written_marked or not self._index.marked
            else:
                body = json.loads(path.read_bytes())
                mark = body.pop("mark", None)
                written = _parsed(body)
                genuine = not self._index.marked if mark is None else hmac.compare_digest(mark, self._mark(body))
                if genuine:
                    self._written, self._written_marked = (Stamp.of(found), found.st_size, written), mark is not None
        except FileNotFoundError:
            if self._index.erasures:
                raise _lost("is missing") from None
            return _Erased()
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise _lost("is damaged") from error
        if not genuine or len(written.seats) < self._index.erasures:
            raise _lost("is not the one that was written last")
        return written

    def _write(self, erased: _Erased) -> None:
        body = {
            "begun": sorted(erased.begun),
            "checked": erased.checked,
            "linked": sorted(erased.linked),
            "seats": sorted(erased.seats),
            "tokens": sorted(erased.tokens),
        }
        path = self._folder / _ERASED
        replace_file(path, canonical_json({**body, "mark": self._mark(body)}))
        found = path.stat()
        self._written, self._written_marked = (Stamp.of(found), found.st_size, erased), True

    def _mark(self, body: Mapping[str, object]) -> str:
        return blake2b(canonical_json(body), digest_size=32, key=self._key.for_erased()).hexdigest()


def _lost(what: str) -> IntegrityError:
    # Going on without it would open the seats of everybody who was ever erased.
    return IntegrityError(
        "people-erased-lost",
        f"the list of erased people (`{_ERASED}`) {what}",
        help="restore the folder `people/` from a backup that goes with the ledger",
    )


class _Erased(NamedTuple):
    """Closed seats, the tokens of the erased, and the first seat that was not yet held against the tokens.

    `begun`: the seats of the last erasure and of what was interrupted, of which some may lead to a person yet.
    `linked`: those that were one person's, of each who had several.
    """

    seats: frozenset[int] = frozenset()
    tokens: frozenset[str] = frozenset()
    checked: int = 1
    begun: frozenset[int] = frozenset()
    linked: frozenset[tuple[int, ...]] = frozenset()


def _parsed(body: Mapping[str, Any]) -> _Erased:
    seats = frozenset(body["seats"])
    # A list of before says nothing of what was begun: each of its seats may be. Nor does it say whose they were.
    begun = frozenset(body.get("begun", seats))
    linked = frozenset(map(tuple, body["linked"])) if "linked" in body else _perhaps_one(seats)
    return _Erased(seats, frozenset(body["tokens"]), int(body["checked"]), begun, linked)


def _perhaps_one(seats: Collection[int]) -> frozenset[tuple[int, ...]]:
    return frozenset({tuple(sorted(seats))}) if len(seats) > 1 else frozenset()


class _Looked(NamedTuple):
    """Up to which seat people were held against the tokens known, and which tokens were asked about."""

    known: frozenset[str] = frozenset()
    tokens: Collection[str] = ()
    seats: int = 1


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def index_behind(what: str) -> IntegrityError:
    """Return the error for seats that nobody has: whoever looked them up would get somebody else's answer."""
    return IntegrityError(
        "people-index-behind",
        f"{what} names people whom the index of people does not have",
        help="the folder `people/` is lost or older than the rest: restore it from the newest backup. Without one, "
        "remove `corpora/`, and then load the people table and register again: everybody gets another number",
    )


def read_people_descriptor(path: Path, *, queried: bool = False) -> PeopleDescriptor:
    """Read the people descriptor in a file; it need not name files if the rows come from a query.

    Raises:
        DescriptorError: there is no such file, or it cannot be used.
    """
    return parse_people(read_text(path, like="network/people.toml"), filename=str(path), queried=queried)
