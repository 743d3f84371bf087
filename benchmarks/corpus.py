"""The benchmark corpus: a made-up network of 5 million people with 50 million items, always the same for one seed.

    ./run bench corpus [--scale 0.02] [--data DIR]

It is a corpus folder as any connector writes it (`corpus.toml`, `items/*.parquet`, `people.toml`, `people.parquet`),
with `choices.parquet` beside it. What is realistic about it, because it decides how fast things are:

* Few people write much and many write little (Zipf); one in six writes nothing. Their place in the people table says
  nothing about how much they write, and the items of a person are strewn over all files.
* Ids are text of 12 to 20 characters without any order. One item in 200 has no author, one in 200 an author whom the
  people table does not know. Countries, years of birth and dates are sometimes missing.
* 15 % of the people made a choice. A fifth of the refusals reach only into the future.
"""

from __future__ import annotations

import argparse
import json
import shutil
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from functools import lru_cache
from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
from parts.ids import ITEMS, PEOPLE, ids
from parts.texts import sentences, texts
from rich.console import Console

DATA = Path(__file__).parent / "data"
_FORMAT = 2
_GROUPS, _GROUP_ROWS = 4, 500_000
_PROCESSES = 2
_START, _END = 1_420_070_400, 1_727_740_800  # 2015-01-01, 2024-10-01
_MONTH = 30 * 86_400

_MOST_PEOPLE_FIRST = """
US IN BR CN GB FR ID MX CA ES IT TR DE AU AR CO PH NG ZA NL PK CL PE BD SA AE EG MY KE PL SE VN PT BE MA JP CH KR UA RO
DK VE EC NO IE GH IL SG TH NZ FI CZ AT GR HU LK DZ TN CR HK
"""
COUNTRIES = tuple(_MOST_PEOPLE_FIRST.split())
_OPEN = (("public", 70), ("members", 20), ("connections", 10))
_HALF_OPEN = (("members", 60), ("connections", 25), ("private", 15))
CATEGORIES: dict[str, tuple[int, tuple[tuple[str, int], ...]]] = {
    "post": (34, _OPEN),
    "comment": (33, _OPEN),
    "reaction": (8, _OPEN),
    "article": (4, _OPEN),
    "profile": (6, _OPEN),
    "resume": (3, _HALF_OPEN),
    "job-application-answer": (2, (("private", 100),)),
    "group-post": (4, (("group", 100),)),
    "group-message": (2, (("group", 100),)),
    "direct-message": (2, (("private", 100),)),
    "ai-prompt": (1, (("private", 100),)),
    "ai-feedback": (1, (("private", 100),)),
}
"""How many items in a hundred are of a category, and who may see them."""
VISIBILITIES = ("public", "members", "connections", "group", "private")
FREE_LICENCE, TERMS = "cc-by-4.0", "member-terms"
STATES = {"active": 86, "dormant": 12, "closed": 2}

_CORPUS = """\
[corpus]
name = "network"
files = ["items/*.parquet"]

[columns]
item = "id"
author = "author_id"
category = "category"
visibility = "visibility"
created = "created_at"
licence = "licence"
text = "text"
"""
_PEOPLE = """\
[people]
files = ["people.parquet"]

[columns]
person = "id"
country = "country"
birth_year = "birth_year"
account = "state"
"""

Codes = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """What fixes the corpus to the byte."""

    items: int = 50_000_000
    people: int = 5_000_000
    files: int = 8
    seed: int = 1

    def scaled(self, scale: float) -> Shape:
        """Return the same corpus, smaller or larger."""
        return Shape(items=int(self.items * scale), people=int(self.people * scale), files=self.files, seed=self.seed)

    @property
    def strangers(self) -> int:
        """Authors whom the people table does not know."""
        return max(1, self.people // 100)

    def generator(self, *part: int) -> np.random.Generator:
        """Return the randomness of one part of the corpus."""
        return np.random.default_rng([self.seed, *part])


def ensure(folder: Path, shape: Shape) -> Path:
    """Write the corpus into `folder`/<its size>, unless it is there; return that folder."""
    folder = folder / f"{shape.items}-{shape.people}-{shape.seed}"
    wanted = json.dumps({"format": _FORMAT, **asdict(shape)})
    stamp = folder / "written.json"
    if stamp.exists() and stamp.read_text() == wanted:
        return folder
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "items").mkdir(parents=True)
    (folder / "corpus.toml").write_text(_CORPUS)
    (folder / "people.toml").write_text(_PEOPLE)
    _write_people(folder, shape)
    _write_choices(folder, shape)
    tasks = range(shape.files)
    with ProcessPoolExecutor(_PROCESSES, mp_context=get_context("spawn")) as pool:
        list(pool.map(_write_items, [folder] * len(tasks), [shape] * len(tasks), tasks))
    stamp.write_text(wanted)
    return folder


def _write_people(folder: Path, shape: Shape) -> None:
    generator = shape.generator(1)
    rows = shape.people
    weights = 1 / np.arange(3, len(COUNTRIES) + 3)
    country = generator.choice(len(COUNTRIES), rows, p=weights / weights.sum())
    birth = np.clip(generator.normal(1986, 12, rows), 1930, 2011).astype(np.int16)
    table = pa.table(
        {
            "id": ids(np.arange(rows), kind=PEOPLE),
            "country": _words(COUNTRIES, country, missing=generator.random(rows) < 0.03),
            "birth_year": pa.array(birth, mask=generator.random(rows) < 0.04),
            "state": _drawn(STATES, generator, rows),
        }
    )
    pq.write_table(table, folder / "people.parquet", compression="snappy", use_dictionary=["country", "state"])


def _write_choices(folder: Path, shape: Shape) -> None:
    generator = shape.generator(2)
    who = generator.permutation(shape.people)[: shape.people * 15 // 100]
    pq.write_table(choices(generator, who, start=_END - 12 * _MONTH), folder / "choices.parquet")


def choices(generator: np.random.Generator, who: npt.NDArray[np.integer], *, start: int) -> pa.Table:
    """Return one choice of each of `who` (numbers of people), made in the year after `start`, as a choices file."""
    rows = who.size
    return pa.table(
        {
            "person": ids(who, kind=PEOPLE),
            "purpose": _drawn({"train-genai": 80, "train-ai": 20}, generator, rows),
            "state": _drawn({"refused": 90, "allowed": 10}, generator, rows),
            "reach": _drawn({"untrained": 70, "future": 20, "everything": 10}, generator, rows),
            "at": pa.array(generator.integers(start, start + 12 * _MONTH, rows)),
        }
    )


def _write_items(folder: Path, shape: Shape, file: int) -> None:
    first, last = (shape.items * each // shape.files for each in (file, file + 1))
    pool = sentences(shape.generator(3))
    path = folder / "items" / f"part-{file:02}.parquet"
    writer = None
    step = min(_GROUP_ROWS, -(-(last - first) // _GROUPS))
    for start in range(first, last, step):
        table = _items(shape, pool, shape.generator(4, start), np.arange(start, min(start + step, last)))
        if writer is None:
            options = {"compression": "snappy", "use_dictionary": ["category", "visibility", "licence"]}
            writer = pq.ParquetWriter(path, table.schema, **options)
        writer.write_table(table)
    if writer is not None:
        writer.close()


def _items(shape: Shape, pool: pa.Array, generator: np.random.Generator, numbers: Codes) -> pa.Table:
    rows = numbers.size
    known, _ = _authors(shape)
    kinds = _kinds()
    kind = _codes([each.share for each in kinds], generator, rows)
    return pa.table(
        {
            "id": ids(numbers, kind=ITEMS),
            "author_id": known.take(pa.array(_drawn_authors(shape, generator, rows), from_pandas=False)),
            "category": _words([each.category for each in kinds], kind),
            "visibility": _words([each.visibility for each in kinds], kind),
            "licence": _words([each.licence for each in kinds], kind),
            "created_at": _created(shape, generator, numbers),
            "text": texts(pool, generator, rows=rows),
        }
    )


class Kind(NamedTuple):
    """A kind of item and its share of all items."""

    category: str
    visibility: str
    licence: str
    share: float


@lru_cache(maxsize=1)
def _kinds() -> list[Kind]:
    """Return every kind of item. Half of the articles are free."""
    return [
        Kind(category, visibility, licence, share * part / (2 if category == "article" else 1))
        for category, (share, parts) in CATEGORIES.items()
        for visibility, part in parts
        for licence in ((TERMS, FREE_LICENCE) if category == "article" else (TERMS,))
    ]


@lru_cache(maxsize=1)
def _authors(shape: Shape) -> tuple[pa.Array, npt.NDArray[np.int64]]:
    """Return the ids of all authors, strangers last, and who has which rank of activity."""
    everybody = ids(np.arange(shape.people + shape.strangers), kind=PEOPLE)
    return everybody, shape.generator(5).permutation(shape.people)


def _drawn_authors(shape: Shape, generator: np.random.Generator, rows: int) -> pa.Array:
    """Draw authors with probability ~ 1 / (rank + shift)."""
    _, by_rank = _authors(shape)
    shift = shape.people / 5_000
    rank = (shift * (shape.people / shift + 1) ** generator.random(rows) - shift).astype(np.int64)
    author = by_rank[np.minimum(rank, shape.people - 1)]
    fate = generator.random(rows)
    author = np.where(fate < 0.005, shape.people + generator.integers(0, shape.strangers, rows), author)
    return pa.array(author, mask=fate > 0.995)


def _created(shape: Shape, generator: np.random.Generator, numbers: Codes) -> pa.Array:
    trend = _START + numbers / shape.items * (_END - _START)
    seconds = np.minimum(trend + generator.normal(0, _MONTH, numbers.size), _END - 1)
    ticks = (seconds * 1e6).astype(np.int64)
    return pa.array(ticks, mask=generator.random(numbers.size) < 0.002).cast(pa.timestamp("us", "UTC"))


def _drawn(weights: dict[str, int], generator: np.random.Generator, rows: int) -> pa.Array:
    return _words(list(weights), _codes(list(weights.values()), generator, rows))


def _codes(weights: Sequence[float], generator: np.random.Generator, rows: int) -> Codes:
    bounds = np.cumsum(weights) / sum(weights)
    return np.searchsorted(bounds[:-1], generator.random(rows), side="right")


def _words(words: Sequence[str], codes: Codes, *, missing: npt.NDArray[np.bool_] | None = None) -> pa.Array:
    indices = pa.array(codes.astype(np.int32), mask=missing)
    return pa.DictionaryArray.from_arrays(indices, pa.array(words)).dictionary_decode()


def arguments(about: str | None) -> argparse.ArgumentParser:
    """Return a parser with the options that all benchmarks on this corpus have."""
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--data", type=Path, default=DATA, metavar="DIR", help="where the corpus is (default: %(default)s)"
    )
    parser.add_argument("--scale", type=float, default=0.02, help="1 is 50 million items of 5 million people")
    parser.add_argument("--seed", type=int, default=1)
    return parser


def main() -> None:
    """Write the corpus and say how large it is."""
    chosen = arguments(__doc__).parse_args()
    shape = Shape(seed=chosen.seed).scaled(chosen.scale)
    began = time.perf_counter()
    folder = ensure(chosen.data, shape)
    size = sum(each.stat().st_size for each in (folder / "items").iterdir())
    took = time.perf_counter() - began
    Console().print(
        f"{folder}: {shape.items:,} items of {shape.people:,} people in {shape.files} files, {size / 1e9:.2f} GB, "
        f"{took:.1f} s",
        highlight=False,
    )


if __name__ == "__main__":
    main()
