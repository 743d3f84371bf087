"""What one would use instead: DuckDB, with the policy set of the benchmark written down in SQL.

People and choices are tables of the database before the clock starts, as they are in the deployment.
"""

from __future__ import annotations

import shutil
from array import array
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
from pyroaring import BitMap64

from consentry.corpus.people_table import OLDEST, year_of
from consentry.policy.choice import Seconds
from consentry.policy.jurisdictions import contains
from corpus import CATEGORIES, COUNTRIES, VISIBILITIES

EUROPE = ("EU", "EEA", "UK", "CH")
_USED = ("profile", "post", "article", "comment", "reaction", "resume", "group-post", "group-message")
_FIRST_ADULT = 19

_ITEMS = """
read_parquet($items, file_row_number = true) i
  LEFT JOIN people p ON p.id = i.author_id
  LEFT JOIN choices c ON c.person = i.author_id
"""
# An item without a date, by somebody whose refusal reaches only into the future, is left out: nobody can know.
_ELIGIBLE = """
coalesce(
  p.birth_year BETWEEN $oldest AND $youngest
  AND p.state <> 'closed'
  AND i.category IN (SELECT unnest($used))
  AND i.visibility <> 'private'
  AND NOT coalesce(
    c.state = 'refused' AND (c.reach <> 'future' OR i.created_at IS NULL OR epoch(i.created_at) >= c.at), false)
  AND p.country NOT IN (SELECT unnest($europe))
  AND (p.country <> 'KR' OR coalesce(c.state = 'allowed', false)),
  false)
"""
_EXCLUDED = f"SELECT i.file_index AS file, i.file_row_number AS row FROM {_ITEMS} WHERE NOT {_ELIGIBLE}"  # noqa: S608
_KEPT = f"SELECT i.* EXCLUDE (file_row_number) FROM {_ITEMS} WHERE {_ELIGIBLE}"  # noqa: S608
_KEYS = "SELECT p.ordinal FROM read_parquet($items) i LEFT JOIN people p ON p.id = i.author_id"
# What a sidecar holds, but for the digest of the file. Words become numbers by their place in a list.
_SIDECAR = """
SELECT i.file_index AS file, i.file_row_number AS row, coalesce(p.ordinal, 0)::UINTEGER AS person, hash(i.id) AS item,
  (list_position($categories, i.category) * 8 + list_position($visibilities, i.visibility))::USMALLINT AS kind,
  i.licence, epoch(i.created_at)::UINTEGER AS created
FROM read_parquet($items, file_row_number = true) i LEFT JOIN people p ON p.id = i.author_id
"""
_POSTINGS = "SELECT person, file, row FROM read_parquet($sidecars) ORDER BY person, file, row"
_REPEATED = "SELECT count(*) FROM (SELECT item FROM read_parquet($sidecars) GROUP BY item HAVING count(*) > 1)"


class Rival:
    """A database with the people and the choices of the corpus in it, on as many threads as the deployment has."""

    def __init__(self, folder: Path, *, at: Seconds, threads: int) -> None:
        self.files = sorted(str(each) for each in (folder / "items").glob("*.parquet"))
        self.connection = duckdb.connect(config={"threads": threads})
        self.connection.execute("SET enable_progress_bar = false")
        for name, columns in (("people", "row_number() OVER () AS ordinal, *"), ("choices", "*")):
            source = str(folder / f"{name}.parquet")
            self.connection.execute(f"CREATE TABLE {name} AS SELECT {columns} FROM read_parquet($1)", [source])  # noqa: S608
        year = year_of(at)
        europe = [country for country in COUNTRIES if any(contains(area, country, at=at) for area in EUROPE)]
        self.policy = {
            "oldest": year - OLDEST,
            "youngest": year - _FIRST_ADULT,
            "used": list(_USED),
            "europe": europe,
        }

    def bitmaps(self) -> list[bytes]:
        """Return the bitmap of excluded positions of each file: the join, then roaring."""
        found = self._query(_EXCLUDED, **self.policy).fetchnumpy()
        return [_bitmap(found["row"][found["file"] == index]) for index in range(len(self.files))]

    def rewrite(self, target: Path) -> int:
        """Write the eligible items to new Parquet files and return how many bytes that is."""
        shutil.rmtree(target, ignore_errors=True)
        target.mkdir(parents=True)
        self._query(
            f"COPY ({_KEPT}) TO '{target}' (FORMAT parquet, COMPRESSION snappy, PER_THREAD_OUTPUT, OVERWRITE)",
            **self.policy,
        )
        return sum(each.stat().st_size for each in target.iterdir())

    def count_keys(self) -> int:
        """Look up the author of every item and count those found."""
        [(found,)] = self._query(f"SELECT count(ordinal) FROM ({_KEYS})").fetchall()  # noqa: S608
        return int(found)

    def write_keys(self, target: Path) -> None:
        """Look up the author of every item and write down what was found."""
        self._query(f"COPY ({_KEYS}) TO '{target}' (FORMAT parquet)")

    def write_sidecars(self, target: Path) -> None:
        """Write down what sidecars hold, with postings in order of person, and look for repeated item ids."""
        shutil.rmtree(target, ignore_errors=True)
        target.mkdir(parents=True)
        words = {"categories": list(CATEGORIES), "visibilities": list(VISIBILITIES)}
        self._query(f"COPY ({_SIDECAR}) TO '{target}/items' (FORMAT parquet, PER_THREAD_OUTPUT)", **words)
        written = {"items": None, "sidecars": [str(each) for each in (target / "items").iterdir()]}
        self._query(f"COPY ({_POSTINGS}) TO '{target}/postings.parquet' (FORMAT parquet)", **written)
        self._query(_REPEATED, **written).fetchall()

    def _query(self, sql: str, **values: object) -> Any:
        given = {"items": self.files, **values}
        return self.connection.execute(sql, {name: value for name, value in given.items() if value is not None})


def _bitmap(rows: Sequence[int]) -> bytes:
    return bytes(BitMap64(array("Q", np.sort(np.asarray(rows, dtype=np.uint64)).tobytes())).serialize())
