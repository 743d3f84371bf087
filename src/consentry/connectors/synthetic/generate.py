"""A made-up professional network as a corpus folder. Nobody and nothing in it is real.

It has what makes real platforms hard: people in sixty places who write sixteen languages, contradictory and missing
signals about where they live, minors and unknown ages, closed and linked accounts, deleted authors, people who are
tagged, written to or pictured without being members, words the descriptor does not know, and choices of every shape
(`choices.csv`), some by people who are not there yet.

For the same seed and the same versions of Faker and Arrow, the same bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow.parquet as pq

from consentry.connectors.synthetic.answers import answers, write_answers
from consentry.connectors.synthetic.items import ITEM_SCHEMA, World, draw, world
from consentry.connectors.synthetic.kinds import AUDIENCES, KINDS
from consentry.connectors.synthetic.people import PEOPLE_SCHEMA, Person, guests, members
from consentry.corpus.descriptor import CorpusDescriptor, PeopleDescriptor
from consentry.corpus.folder import ITEMS, PEOPLE_FILE, RowWriter, new_folder, write_descriptors
from consentry.policy.vocabulary import Account

Progress = Callable[[int], None]

CHOICES_FILE = "choices.csv"
FILES = 6
_BATCH_ITEMS = 50_000
_FIRST_MINOR_YEAR = 2008
_README = """\
This corpus is synthetic. Every person, company, message and choice in it was made up by a program (names and companies
by Faker); any likeness is chance. It may be used for anything.
"""

Owners = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """What was made up."""

    people: int
    items: int
    choices: int


def generate(
    folder: Path, *, people: int = 30_000, items: int = 300_000, seed: int = 7, progress: Progress | None = None
) -> Summary:
    """Write a made-up network as a corpus folder with a file of choices.

    Args:
        folder: the corpus folder to write; must not exist.
        people: number of members. There are some non-members besides.
        items: number of items, in several files.
        seed: the same seed gives the same network.
        progress: called with the number of items written since the last call.
    """
    if people < 2:
        raise ValueError("a network needs two people")
    population = members(people, seed=seed)
    outsiders = guests(people // 100, seed=seed)
    with new_folder(folder) as staged:
        _write_people(staged / PEOPLE_FILE, [*population, *outsiders])
        drawn_from = world(population, outsiders, minors_from=_FIRST_MINOR_YEAR, seed=seed)
        owners = _write_items(staged / ITEMS, drawn_from, items, seed=seed, progress=progress)
        found = answers(
            [person.id for person in population],
            [person.id for person in outsiders],
            items_of=_items_by_owner(owners),
            seed=seed,
        )
        write_answers(staged / CHOICES_FILE, found)
        (staged / "README.txt").write_text(_README, encoding="utf-8")
        write_descriptors(staged, corpus=_corpus_descriptor(), people=_people_descriptor())
    return Summary(people=people + len(outsiders) // 2, items=items, choices=len(found))


def _write_people(path: Path, population: Sequence[Person]) -> None:
    """Write the people table. Of the guests, the platform knows every second one; the others are ids in items only."""
    with RowWriter(path, PEOPLE_SCHEMA) as writer:
        for person in population:
            if person.state != "guest" or person.country is not None:
                writer.add(person.row())


def _write_items(folder: Path, drawn_from: World, count: int, *, seed: int, progress: Progress | None) -> Owners:
    """Write the items; return the index of each one's author."""
    owners: list[Owners] = []
    bounds = [count * part // FILES for part in range(FILES + 1)]
    for part, (start, end) in enumerate(pairwise(bounds)):
        with pq.ParquetWriter(folder / f"{part:02}.parquet", ITEM_SCHEMA, compression="zstd") as writer:
            for first in range(start, end, _BATCH_ITEMS):
                batch, authors = draw(drawn_from, first=first, count=min(_BATCH_ITEMS, end - first), seed=seed)
                writer.write_batch(batch)
                owners.append(authors.astype(np.int64))
                if progress is not None:
                    progress(batch.num_rows)
    return np.concatenate([np.empty(0, dtype=np.int64), *owners])


def _items_by_owner(owners: Owners) -> Callable[[int], Sequence[str]]:
    order = np.argsort(owners, kind="stable")
    ordered = owners[order]

    def items_of(member: int) -> list[str]:
        first, last = np.searchsorted(ordered, [member, member + 1])
        return [f"i{number:08}" for number in order[first:last].tolist()]

    return items_of


def _corpus_descriptor() -> CorpusDescriptor:
    return CorpusDescriptor(
        name="synthetic-network",
        files=(f"{ITEMS}/*.parquet",),
        columns={
            "item": "id",
            "author": "author_id",
            "involves": "involves",
            "category": "kind",
            "visibility": "audience",
            "created": "created_at",
            "licence": "licence",
            "text": "body",
            "image": "media_path",
        },
        constants={},
        created_zone=None,
        categories={kind.word: kind.category for kind in KINDS if kind.category is not None},
        visibilities=dict(AUDIENCES),
    )


def _people_descriptor() -> PeopleDescriptor:
    signals = ("country", "location", "phone", "locale", "time_zone", "ip_country", "birth_year")
    columns = (
        {"person": "id"} | {signal: signal for signal in signals} | {"account": "state", "same_as": "main_account"}
    )
    states = {
        "open": Account.ACTIVE,
        "sleeping": Account.DORMANT,
        "deleted": Account.CLOSED,
        "guest": Account.NONE,
    }
    return PeopleDescriptor(files=(PEOPLE_FILE,), columns=columns, constants={}, ages={}, accounts=states)
