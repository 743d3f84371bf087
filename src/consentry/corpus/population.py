"""The population of a deployment: the seats of everybody, the people tables, the cohorts and who was erased.

    people/
      pseudonyms.bin, index.json     seats (`consentry.corpus.people`)
      table-<digest>.arrow           people snapshots (`consentry.corpus.people_table`)
      erased.json                    seats whose owners were erased, and up to which seat newcomers were checked

Erased people stay denied in two ways. Their seats are written down before what leads to them is deleted. And whoever
comes back under the same id gets a new seat, whose pseudonym answers to the token that the ledger kept.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from threading import Lock
from typing import Protocol

import numpy as np
import numpy.typing as npt

from consentry.corpus.classes import Attributes
from consentry.corpus.descriptor import PeopleDescriptor, parse_people, resolve_files
from consentry.corpus.people import MISSING, PeopleIndex
from consentry.corpus.people_load import LoadReport, load_people, people_batches
from consentry.corpus.people_table import PeopleTable, load, unknown_people
from consentry.corpus.pseudonym import PseudonymKey, Pseudonyms
from consentry.corpus.residence import resolve
from consentry.digests import Digest, canonical_json
from consentry.errors import DescriptorError
from consentry.ledger.events import Pseudonym, suppression_token
from consentry.policy.choice import Seconds

Seats = npt.NDArray[np.uint32]
_ERASED = "erased.json"
_HEX_DIGITS = 32


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

    @property
    def seats(self) -> int:
        """Number of seats, the one of nobody included."""
        return len(self._index) + 1

    def seats_of(self, people: Sequence[Pseudonym]) -> Seats:
        """Return the seat of each pseudonym, giving new people the next one."""
        return self._index.assign(_words(people)) + np.uint32(1)

    def pseudonym_of(self, seat: int) -> Pseudonym | None:
        """Return the pseudonym in a seat, None for nobody."""
        return self._index.pseudonyms([seat - 1])[0] if seat else None

    def attributes(self, snapshot: Digest | None, *, at: Seconds) -> Attributes:
        """Return what a snapshot says about every seat, ages as of `at`."""
        if snapshot is None:
            return unknown_people(seats=self.seats)
        return self._table(snapshot).attributes(seats=self.seats, at=at)

    def linked(self, snapshot: Digest | None) -> Mapping[int, tuple[int, ...]]:
        """Return for each seat that a snapshot links to others all seats of the same person."""
        return {} if snapshot is None else self._table(snapshot).linked()

    def _load_table(self, snapshot: Digest) -> PeopleTable:
        return load(self._folder, snapshot)

    def load_people(self, path: Path, *, progress: Callable[[int], None] | None) -> LoadReport:
        """Read the people table that a descriptor names into a new snapshot.

        Raises:
            DescriptorError: the descriptor cannot be used.
            PeopleError: the table cannot be used; what was known stays.
        """
        descriptor = read_people_descriptor(path)
        return load_people(
            people_batches(resolve_files(descriptor, path.parent), descriptor),
            descriptor=descriptor,
            index=self._index,
            key=self._key,
            resolver=resolve,
            folder=self._folder,
            at=self._clock(),
            progress=progress,
        )

    def store_cohort(self, people: Sequence[Pseudonym]) -> Digest:
        """Store a list of people as the sorted bytes of their pseudonyms."""
        return self._objects.put(b"".join(sorted(bytes.fromhex(person) for person in set(people))))

    def cohort(self, digest: Digest) -> list[Pseudonym]:
        """Return the pseudonyms of a cohort."""
        digits = self._objects.get(digest).hex()
        return [digits[at : at + _HEX_DIGITS] for at in range(0, len(digits), _HEX_DIGITS)]

    def forget(self, people: Sequence[Pseudonym]) -> None:
        """Delete what leads from these people's ids to their seats, and keep the seats closed."""
        ordinals = self._index.lookup(_words(people))
        known = sorted({int(ordinal) for ordinal in ordinals if ordinal != MISSING})
        with self._lock:
            closed, checked = self._read_erased()
            # Before the mapping goes: a crash in between leaves closed seats with a pseudonym, never open ones.
            self._write_erased({*closed, *(ordinal + 1 for ordinal in known)}, checked)
        self._index.forget(known)

    def erased(self, tokens: Collection[str]) -> Seats:
        """Return the seats of erased people, and of those who came back: their pseudonym answers to a token."""
        with self._lock:
            closed, checked = self._read_erased()
            seats = self.seats
            if tokens and checked < seats:
                newcomers = self._index.pseudonyms(range(checked - 1, seats - 1))
                answering = {checked + at for at, each in enumerate(newcomers) if suppression_token(each) in tokens}
                closed = closed | answering
                self._write_erased(closed, seats)
            return np.array(sorted(closed), dtype=np.uint32)

    def _read_erased(self) -> tuple[set[int], int]:
        try:
            body = json.loads((self._folder / _ERASED).read_bytes())
        except FileNotFoundError:
            return set(), 1
        return set(body["seats"]), int(body["checked"])

    def _write_erased(self, seats: Collection[int], checked: int) -> None:
        staged = self._folder / f"{_ERASED}.staged"
        with staged.open("wb") as stream:
            stream.write(canonical_json({"checked": checked, "seats": sorted(seats)}))
            stream.flush()
            os.fsync(stream.fileno())
        staged.replace(self._folder / _ERASED)


def read_people_descriptor(path: Path) -> PeopleDescriptor:
    """Read the people descriptor in a file.

    Raises:
        DescriptorError: there is no such file, or it cannot be used.
    """
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DescriptorError(
            "descriptor-unreadable",
            f"`{path}` cannot be read",
            help="give the path of a descriptor, for example `network/people.toml`",
        ) from error
    return parse_people(text, filename=str(path))


def _words(people: Sequence[Pseudonym]) -> Pseudonyms:
    pairs = np.frombuffer(bytes.fromhex("".join(people)), dtype=">u8").reshape(-1, 2)
    return Pseudonyms(high=pairs[:, 0].astype(np.uint64), low=pairs[:, 1].astype(np.uint64))
