"""What the platform's table says about people, by ordinal: where, how old, which account, who is the same person.

A snapshot is one immutable Arrow file named by its digest; the ledger says which one is in force. Loading a table makes
a new snapshot that replaces the one before as a whole: people it does not name are not `known`, which is a gap.

Ages: a stated age stays as it is stated. From a year of birth a person is an adult only when that is certain, that is
from the year *after* the one in which they turn 18; a year in the future or more than 120 years ago says nothing.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from consentry.corpus.classes import Attributes, Residing
from consentry.corpus.people import MISSING
from consentry.digests import Digest, canonical_json, digest_file
from consentry.durable import flushed, take_name
from consentry.errors import IntegrityError, NotFoundError
from consentry.ledger.groups import groups_of
from consentry.policy.choice import Seconds
from consentry.policy.vocabulary import AGES, Age

U8 = npt.NDArray[np.uint8]
U16 = npt.NDArray[np.uint16]
U32 = npt.NDArray[np.uint32]
Array = npt.NDArray[Any]

AGE_UNKNOWN, STATED_ADULT, STATED_MINOR = 0, 1, 2
"""Codes of `PeopleTable.age`; anything larger is a year of birth."""
OLDEST = 120
_MAJORITY = 18
_METADATA = b"consentry"
_COLUMNS = ("residence", "age", "account", "same_as", "known")


@dataclass(frozen=True, slots=True, kw_only=True)
class PeopleTable:
    """One entry a person, by ordinal.

    `residence` indexes `residences`, whose entry 0 is nothing known; `age` is a code above or a year of birth;
    `account` indexes ACCOUNTS; `same_as` is the ordinal of another account of the same person, or MISSING.
    """

    residences: Sequence[Residing]
    residence: Array
    age: U16
    account: U8
    same_as: U32
    known: npt.NDArray[np.bool_]

    @property
    def people(self) -> int:
        """Number of people there were when the table was loaded, known or not."""
        return int(self.age.size)

    def ages_at(self, at: Seconds) -> U8:
        """Return everybody's age at a time, as an index into AGES."""
        return _age_codes(at)[self.age]

    def attributes(self, *, seats: int, at: Seconds) -> Attributes:
        """Return the table by seat (ordinal + 1), for `seats` seats with that of nobody; later people are unknown."""
        return Attributes(
            residences=self.residences,
            residence=_by_seat(self.residence, seats),
            age=_by_seat(self.ages_at(at), seats),
            account=_by_seat(self.account, seats),
            known=_by_seat(self.known, seats),
        )

    def linked(self) -> Mapping[int, tuple[int, ...]]:
        """Return for each seat that is linked to others all seats of the same person, ascending."""
        linked = np.flatnonzero(self.same_as != MISSING)
        links = zip((linked + 1).tolist(), (self.same_as[linked].astype(np.int64) + 1).tolist(), strict=True)
        return {seat: group for seat, group in groups_of(links).items() if len(group) > 1}


def unknown_people(*, seats: int) -> Attributes:
    """Return the attributes of people when no table was loaded: nothing is known of anybody."""
    return Attributes(
        residences=(Residing(),),
        residence=np.zeros(seats, dtype=np.uint16),
        age=np.zeros(seats, dtype=np.uint8),
        account=np.zeros(seats, dtype=np.uint8),
        known=np.zeros(seats, dtype=np.bool_),
    )


def _by_seat(column: Array, seats: int) -> Array:
    shifted = np.zeros(seats, dtype=column.dtype)
    kept = min(column.size, seats - 1)
    shifted[1 : kept + 1] = column[:kept]
    return shifted


def year_of(at: Seconds) -> int:
    """Return the calendar year of a time, in UTC."""
    return datetime.fromtimestamp(at, UTC).year


def _age_codes(at: Seconds) -> U8:
    year = year_of(at)
    codes = np.full(1 << 16, AGES.index(Age.UNKNOWN), dtype=np.uint8)
    codes[max(0, year - OLDEST) : year + 1] = AGES.index(Age.ADULT)
    codes[max(0, year - _MAJORITY) : year + 1] = AGES.index(Age.MINOR)
    codes[AGE_UNKNOWN] = AGES.index(Age.UNKNOWN)
    codes[STATED_ADULT] = AGES.index(Age.ADULT)
    codes[STATED_MINOR] = AGES.index(Age.MINOR)
    return codes


def save(table: PeopleTable, folder: Path) -> Digest:
    """Write a snapshot durably and return its digest, which names it."""
    folder.mkdir(parents=True, exist_ok=True)
    residences = [[sorted(each.places), each.established] for each in table.residences]
    columns = [
        pa.array(getattr(table, name).view(np.uint8) if name == "known" else getattr(table, name)) for name in _COLUMNS
    ]
    schema = pa.schema(
        [pa.field(name, column.type) for name, column in zip(_COLUMNS, columns, strict=True)],
        metadata={_METADATA: canonical_json(residences)},
    )
    staged = folder / f".table-{os.getpid()}.staged"
    try:
        with flushed(staged) as stream, pa.ipc.new_file(stream, schema) as writer:
            writer.write_batch(pa.RecordBatch.from_arrays(columns, schema=schema))
        name = digest_file(staged)
        take_name(staged, _path(folder, name))
    finally:
        staged.unlink(missing_ok=True)
    return name


def load(folder: Path, name: Digest) -> PeopleTable:
    """Map a snapshot into memory.

    Raises:
        NotFoundError: there is no such snapshot.
        IntegrityError: the file is not what was written.
    """
    path = _path(folder, name)
    if not path.exists():
        raise NotFoundError(
            "people-table-missing",
            f"there is no people snapshot `{name}` in `{folder}`",
            help="restore the folder `people/` from a backup, or load the people table again",
        )
    if digest_file(path) != name:
        raise IntegrityError(
            "people-table-damaged",
            f"`{path}` does not have the digest in its name",
            help="restore the folder `people/` from a backup, or load the people table again",
        )
    with pa.memory_map(str(path)) as source:
        reader = pa.ipc.open_file(source)
        batch = reader.get_batch(0)
    column = {role: batch.column(role).to_numpy() for role in _COLUMNS}
    residences = json.loads((reader.schema.metadata or {})[_METADATA])
    return PeopleTable(
        residences=tuple(Residing(frozenset(places), established) for places, established in residences),
        residence=column["residence"],
        age=column["age"],
        account=column["account"],
        same_as=column["same_as"],
        known=column["known"].view(np.bool_),
    )


def _path(folder: Path, name: Digest) -> Path:
    return folder / f"table-{name.partition(':')[2]}.arrow"
