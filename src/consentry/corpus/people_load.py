"""Loading the platform's table of people: batch by batch into a new snapshot.

Everybody the table names gets an ordinal or keeps theirs. A row without an id is counted and skipped: no item can name
it. Two rows with one id are refused, because nobody can say which one holds. What is unknown is stored as unknown and
counted: a country nobody can read, an age word nobody mapped, an implausible year of birth. Of the account, saying
nothing (null, blank, no column) is one thing and a word nobody mapped another: the latter is `unclear`, and denies.

Where people live is worked out once for each distinct combination of signals, not once for each person. Only a few
bytes a person stay in memory, whatever the size of the files.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from consentry.corpus.columns import Words, coded, plain, reported, words, years
from consentry.corpus.descriptor import PeopleDescriptor, check_schema
from consentry.corpus.people import MISSING, PeopleIndex
from consentry.corpus.people_table import (
    AGE_UNKNOWN,
    OLDEST,
    STATED_ADULT,
    STATED_MINOR,
    PeopleTable,
    save,
    year_of,
)
from consentry.corpus.pseudonym import PseudonymKey, pseudonyms
from consentry.corpus.residence import NAMIBIA_OR_MISSING
from consentry.corpus.residence_codes import ResidenceCodes, Resolver
from consentry.corpus.row_places import RowPlaces, placed
from consentry.digests import Digest
from consentry.errors import PeopleError
from consentry.exhausted import full_as, require_room
from consentry.policy.choice import Seconds
from consentry.policy.vocabulary import ACCOUNTS, Account, Age

Array = npt.NDArray[Any]
I64 = npt.NDArray[np.int64]
Progress = Callable[[int], None]

_BATCH_ROWS = 1 << 17
_FULL = "free some space and load it again; what was loaded before stays in force"
_SIGNALS = ("country", "location", "phone", "locale", "time_zone", "ip_country")
_AGE_CODES = {Age.UNKNOWN: AGE_UNKNOWN, Age.ADULT: STATED_ADULT, Age.MINOR: STATED_MINOR}
_REPORTED_WORDS = 20
_ODD_ROWS = 5
_SHORT_ID = 4
"""An id of so many characters is not told, and of a longer one only the beginning: its row is."""
_FEWEST = 10
"""A country word that fewer people have is not told: written by hand, and might point at somebody. `NA` is told."""
_NAMIBIA = "NAM"
"""What `NA` means in a descriptor: whoever wrote it there meant a country."""


@dataclass(slots=True, kw_only=True)
class LoadReport:
    """What a load found. Counts are of rows; `snapshot` names what was made of them."""

    snapshot: Digest = ""
    rows: int = 0
    new: int = 0
    nulls: int = 0
    unresolved: int = 0
    unknown_ages: int = 0
    implausible_years: int = 0
    unknown_accounts: int = 0
    linked: int = 0
    links_gone: int = 0
    """Of the table before: accounts that it joined and that this one does not."""
    rare_countries: int = 0
    """Those whose country nobody can read, and whose word for it so few have that it might point at somebody."""
    unknown_words: dict[str, dict[str, int]] = field(default_factory=dict)
    odd_rows: list[OddRow] = field(default_factory=list)
    """The first of each kind of row that was left out, or of which a cell counts as unknown."""


@dataclass(frozen=True, slots=True)
class OddRow:
    """A cell that means nothing in its role: where it stands (if that is known), its column, what it holds, and why."""

    where: str | None
    column: str
    value: str | None
    why: str


def people_batches(files: Iterable[Path], descriptor: PeopleDescriptor) -> Iterator[pa.RecordBatch]:
    """Read the columns a descriptor names from Parquet files, a batch at a time.

    Raises:
        PeopleError: a file is no Parquet file or is damaged, a column is missing or of the wrong type.
    """
    columns = sorted(descriptor.columns.values())
    for path in files:
        try:
            with pq.ParquetFile(path) as parquet:
                check_schema(descriptor, parquet.schema_arrow, filename=path.name)
                done = 0
                for batch in parquet.iter_batches(batch_size=_BATCH_ROWS, columns=columns, use_threads=False):
                    yield placed(batch, file=str(path), lines=range(done + 1, done + batch.num_rows + 1))
                    done += batch.num_rows
        except (pa.ArrowInvalid, OSError) as error:
            require_room(error)
            raise PeopleError(
                "people-not-parquet",
                f"`{path.name}` cannot be read as Parquet: {str(error).splitlines()[0]}",
                help="CSV and JSON lines are known by .csv, .tsv, .jsonl or .ndjson; a damaged file: write it again",
            ) from error


@full_as("people-disk-full", "no space left to load the people table", help=_FULL)
def load_people(
    batches: Iterable[pa.RecordBatch],
    *,
    descriptor: PeopleDescriptor,
    index: PeopleIndex,
    key: PseudonymKey,
    resolver: Resolver,
    folder: Path,
    at: Seconds,
    progress: Progress | None = None,
) -> LoadReport:
    """Load a people table and write the snapshot. Interrupted or refused, it leaves no snapshot; ordinals stay.

    Args:
        batches: rows with the columns that the descriptor names.
        descriptor: which column is what.
        index: gives the ordinals.
        key: the key of the domain of people.
        resolver: turns signals into candidate places.
        folder: where snapshots go.
        at: now; years of birth are implausible relative to it.
        progress: called with the number of rows done since the last call.

    Raises:
        PeopleError: a column is missing or of the wrong type, or an id occurs twice.
    """
    loader = _Loader(descriptor, index, key=key, residences=ResidenceCodes(resolver), year=year_of(at))
    for batch in batches:
        loader.add(batch)
        if progress is not None:
            progress(batch.num_rows)
    table, report = loader.finish()
    report.snapshot = save(table, folder)
    return report


class _Loader:
    """Owns the columns of the snapshot being built; entry k is about ordinal k."""

    def __init__(
        self,
        descriptor: PeopleDescriptor,
        index: PeopleIndex,
        *,
        key: PseudonymKey,
        residences: ResidenceCodes,
        year: int,
    ) -> None:
        self.descriptor = descriptor
        self.index = index
        self.key = key
        self.residences = residences
        self.year = year
        self.report = LoadReport()
        self.before = len(index)
        self.places = RowPlaces()
        self.repeated = 0
        self.example: tuple[str, int, int] = "", 0, 0
        self.strange: dict[str, Counter[str]] = {}
        self.countries: Counter[str] = Counter()
        self.residence: Array = np.zeros(0, dtype=np.uint32)
        self.age: Array = np.zeros(0, dtype=np.uint16)
        self.account: Array = np.zeros(0, dtype=np.uint8)
        self.same_as: Array = np.zeros(0, dtype=np.uint32)
        self.known: Array = np.zeros(0, dtype=np.bool_)
        self.row: Array = np.zeros(0, dtype=np.uint32)
        """In which row the person was named first."""

    def add(self, batch: pa.RecordBatch) -> None:
        """Take in one batch."""
        check_schema(self.descriptor, batch.schema, filename="people table")
        rows = batch.num_rows
        self.places.add(batch)
        column = {role: plain(batch.column(name)) for role, name in self.descriptor.columns.items()}
        ordinals = self.index.assign(pseudonyms(self.key, column["person"]))
        others = self._others(column.get("same_as"), ordinals)
        self._grow(len(self.index))
        named = np.flatnonzero(ordinals != MISSING)
        self._note_odd("person", np.flatnonzero(ordinals == MISSING), column, why="is no id: the row is left out")
        people = ordinals[named]
        self._check_repeated(people, named, column["person"])
        signals = self._signals(column, rows)
        residence = self.residences.encode(signals, rows=rows)[named]
        self._note_countries(signals.get("country"), named)
        age, account = self._ages(column, rows)[named], self._accounts(column, rows)[named]
        self.residence[people], self.age[people], self.account[people] = residence, age, account
        self.known[people] = True
        if others is not None:
            self.same_as[people] = others[named]
            self.report.linked += int(np.count_nonzero(others[named] != MISSING))
        self.report.rows += rows
        self.report.nulls += rows - named.size
        self.report.new += int(np.count_nonzero(people >= self.before))

    def finish(self) -> tuple[PeopleTable, LoadReport]:
        """Return the finished table, and what was found."""
        if self.repeated:
            raise self._repetition()
        self._grow(len(self.index))
        members = self.residences.members
        report = self.report
        unresolved = np.array([not (each.places and each.established) for each in members], dtype=np.bool_)
        report.unresolved = int(np.count_nonzero(unresolved[self.residence] & self.known))
        report.unknown_ages = int(np.count_nonzero((self.age == AGE_UNKNOWN) & self.known))
        unknown = (self.account == 0) | (self.account == ACCOUNTS.index(Account.UNCLEAR))
        report.unknown_accounts = int(np.count_nonzero(unknown & self.known))
        common = Counter({word: count for word, count in self.countries.items() if count >= _FEWEST or _is_na(word)})
        report.rare_countries = self.countries.total() - common.total()
        if common:
            self.strange["country"] = common
        report.unknown_words = {role: dict(each.most_common(_REPORTED_WORDS)) for role, each in self.strange.items()}
        narrow = np.uint16 if len(members) <= 1 << 16 else np.uint32
        table = PeopleTable(
            residences=members,
            residence=self.residence.astype(narrow),
            age=self.age,
            account=self.account,
            same_as=self.same_as,
            known=self.known,
        )
        return table, report

    def _grow(self, people: int) -> None:
        if people <= self.known.size:
            return
        for name, empty in (
            ("residence", 0),
            ("age", 0),
            ("account", 0),
            ("same_as", MISSING),
            ("known", 0),
            ("row", 0),
        ):
            old: Array = getattr(self, name)
            larger = np.full(people, empty, dtype=old.dtype)
            larger[: old.size] = old
            setattr(self, name, larger)

    def _others(self, ids: pa.Array | None, ordinals: npt.NDArray[np.uint32]) -> npt.NDArray[np.uint32] | None:
        """Return the ordinals of the accounts that people are linked to; an account linked to itself is not linked."""
        if ids is None:
            return None
        others = self.index.assign(pseudonyms(self.key, ids))
        others[others == ordinals] = MISSING
        return others

    def _check_repeated(self, people: npt.NDArray[np.uint32], rows: I64, ids: pa.Array) -> None:
        distinct, first = np.unique(people, return_index=True)
        new = ~self.known[distinct]
        self.row[distinct[new]] = self.report.rows + rows[first[new]]
        found = np.flatnonzero(self.row[people] != self.report.rows + rows)
        if found.size and not self.repeated:
            row = int(rows[found[0]])
            self.example = str(ids[row].as_py()), int(self.row[people[found[0]]]), self.report.rows + row
        self.repeated += int(found.size)

    def _repetition(self) -> PeopleError:
        id_, first, again = self.example
        masked = f"`{id_[:2]}{'*' * (len(id_) - 2)}` " if len(id_) > _SHORT_ID else ""
        place = self.places.where(first)
        return PeopleError(
            "people-duplicate-id",
            f"{self.repeated:,} {'row repeats' if self.repeated == 1 else 'rows repeat'} an id in the people table,"
            f" for example {masked}in row {again + 1:,}, as in row {first + 1:,}{f' (`{place}`)' if place else ''}",
            help="give each person one row: remove the repeated rows, or use another column as the id",
            where=self.places.where(again),
        )

    def _note_odd(self, role: str, rows: I64, column: Mapping[str, pa.Array], *, why: str) -> None:
        """Keep the first few rows, of this batch, in which the cell of a role means nothing."""
        kept = [each for each in self.report.odd_rows if each.why == why]
        for row in rows[: _ODD_ROWS - len(kept)].tolist():
            value = column[role][row].as_py()
            shown = None if value is None or value == "" else reported(str(value))
            where = self.places.where(self.report.rows + row)
            self.report.odd_rows.append(OddRow(where, self.descriptor.columns[role], shown, why))

    def _signals(self, column: Mapping[str, pa.Array], rows: int) -> dict[str, Words]:
        signals = {role: words(column[role]) for role in _SIGNALS if role in column}
        if "country" not in column and "country" in self.descriptor.constants:
            country = self.descriptor.constants["country"]
            meant = _NAMIBIA if country == NAMIBIA_OR_MISSING else country
            signals["country"] = Words(np.zeros(rows, dtype=np.int64), (meant,))
        return signals

    def _note_countries(self, found: Words | None, named: I64) -> None:
        """Count the words for a country that nobody can read."""
        if found is None:
            return
        counts = np.bincount(found.codes[named], minlength=len(found.words) + 1).tolist()
        for word, count in zip(found.words, counts, strict=False):
            if count and word in self.residences.unread:
                self.countries[reported(word)] += count

    def _ages(self, column: Mapping[str, pa.Array], rows: int) -> Array:
        if "birth_year" in column:
            return self._birth_years(column)
        own = {str(age): code for age, code in _AGE_CODES.items()}
        meaning = own | {word: _AGE_CODES[age] for word, age in self.descriptor.ages.items()}
        return self._coded("age", column, meaning=meaning, rows=rows, own=own).astype(np.uint16)

    def _birth_years(self, column: Mapping[str, pa.Array]) -> Array:
        found = years(column["birth_year"])
        given = found.is_valid().to_numpy(zero_copy_only=False)
        stated = found.fill_null(0).to_numpy(zero_copy_only=False)
        plausible = given & (stated >= self.year - OLDEST) & (stated <= self.year)
        self.report.implausible_years += int(np.count_nonzero(given & ~plausible))
        self._note_odd("birth_year", np.flatnonzero(given & ~plausible), column, why="is no year of birth: age unknown")
        return np.where(plausible, stated, AGE_UNKNOWN).astype(np.uint16)

    def _accounts(self, column: Mapping[str, pa.Array], rows: int) -> Array:
        own = {str(account): code for code, account in enumerate(ACCOUNTS)}
        meaning = own | {word: ACCOUNTS.index(Account(account)) for word, account in self.descriptor.accounts.items()}
        codes = self._coded("account", column, meaning=meaning, rows=rows, own=own)
        if "account" in column:
            found = words(column["account"])
            said = np.array([*(bool(word.strip()) for word in found.words), False], dtype=np.bool_)
            codes[said[found.codes] & (codes == 0)] = ACCOUNTS.index(Account.UNCLEAR)
        return codes

    def _coded(
        self,
        role: str,
        column: Mapping[str, pa.Array],
        *,
        meaning: Mapping[str, int],
        rows: int,
        own: Iterable[str],
    ) -> Array:
        if role not in column:
            word = self.descriptor.constants.get(role, "")
            return np.full(rows, meaning.get(word, 0), dtype=np.uint8)
        codes, strange = coded(words(column[role]), meaning, own=own)
        if strange:
            self.strange.setdefault(role, Counter()).update(strange)
        return codes


def _is_na(word: str) -> bool:
    return word.strip().upper() == NAMIBIA_OR_MISSING
