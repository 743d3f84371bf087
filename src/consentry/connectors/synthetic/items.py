"""The made-up content, drawn a file at a time with NumPy: whole columns, never item by item."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from faker import Faker

from consentry.connectors.synthetic.countries import COUNTRIES
from consentry.connectors.synthetic.kinds import KINDS, Kind
from consentry.connectors.synthetic.people import NAMES, Person
from consentry.connectors.synthetic.phrases import RESUME, STYLES

Array = npt.NDArray[Any]

FIRST_MOMENT = 1_325_376_000
"""2012-01-01."""
LAST_MOMENT = 1_725_926_399
"""The last second of 9 September 2024."""
_JOBS = (*NAMES, "faker.providers.job", "faker.providers.company")
_MINORS_FROM = 1_672_531_200
_VARIANTS = 64
_LANGUAGES = tuple(sorted({language for country in COUNTRIES for language in country.languages}))
_OWN_LANGUAGE = 0.85
_NO_AUTHOR = 0.012
_NO_TIME = 0.004
_LICENSED = 0.01
_UNKNOWN_INVOLVED = 0.003
_GUEST_INVOLVED = 0.03

ITEM_SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("author_id", pa.string()),
        ("involves", pa.list_(pa.string())),
        ("kind", pa.string()),
        ("audience", pa.string()),
        ("created_at", pa.timestamp("ms", tz="UTC")),
        ("licence", pa.string()),
        ("body", pa.string()),
        ("media_path", pa.string()),
    ]
)


@dataclass(frozen=True, slots=True)
class _Pool:
    """Texts, and for each style and language the range they stand in."""

    texts: pa.Array
    first: Array
    count: Array

    def draw(self, random: np.random.Generator, *, style: Array, language: Array) -> pa.Array:
        """Return a text for each row; style -1 gives null."""
        wanted = np.maximum(style, 0)
        index = self.first[wanted, language] + (random.random(style.size) * self.count[wanted, language]).astype(
            np.int64
        )
        return self.texts.take(pa.array(index, mask=style < 0))


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """What items are drawn from."""

    ids: pa.Array
    names: pa.Array
    members: int
    minor: Array
    language: Array
    activity: Array
    openings: _Pool
    closings: _Pool


def world(members: Sequence[Person], guests: Sequence[Person], *, minors_from: int, seed: int) -> World:
    """Prepare to draw items by these people. A few write most of it (Zipf)."""
    random = np.random.default_rng([seed, 1])
    ranks = random.permutation(len(members))
    weights = (ranks + 10.0) ** -0.85
    openings, closings = _pools(seed)
    return World(
        ids=pa.array([person.id for person in (*members, *guests)], pa.string()),
        names=pa.array([person.name for person in members], pa.string()),
        members=len(members),
        minor=np.array([(person.birth_year or 0) >= minors_from for person in members]),
        language=np.array([_LANGUAGES.index(person.language) for person in members]),
        activity=np.cumsum(weights / weights.sum()),
        openings=openings,
        closings=closings,
    )


def draw(world: World, *, first: int, count: int, seed: int) -> tuple[pa.RecordBatch, Array]:
    """Return `count` items numbered from `first`, and the index of each item's author."""
    random = np.random.default_rng([seed, 2, first])
    shares = np.array([kind.share for kind in KINDS])
    kind = random.choice(len(KINDS), size=count, p=shares / shares.sum())
    author = np.minimum(np.searchsorted(world.activity, random.random(count)), world.members - 1)
    columns = {
        "id": _numbered("i", np.arange(first, first + count)),
        "author_id": world.ids.take(pa.array(author, mask=random.random(count) < _NO_AUTHOR)),
        "involves": _involves(world, random, kind=kind, author=author),
        "kind": pa.array([each.word for each in KINDS]).take(pa.array(kind)),
        "audience": _audiences(random, kind),
        "created_at": _moments(random, world.minor[author]),
        "licence": pa.array(["CC BY 4.0"]).take(
            pa.array(np.zeros(count, np.int8), mask=random.random(count) >= _LICENSED)
        ),
        "body": _bodies(world, random, kind=kind, author=author),
        "media_path": _media(kind, np.arange(first, first + count)),
    }
    return pa.RecordBatch.from_pydict(columns, schema=ITEM_SCHEMA), author


def _numbered(prefix: str, numbers: Array) -> pa.Array:
    digits = pc.utf8_lpad(pa.array(numbers).cast(pa.string()), width=8, padding="0")
    return pc.binary_join_element_wise(prefix, digits, "")


def _moments(random: np.random.Generator, minor: Array) -> pa.Array:
    """Return creation times: more of them the later it is; those of minors are recent."""
    start = np.where(minor, _MINORS_FROM, FIRST_MOMENT)
    moments = start + (LAST_MOMENT - start) * random.random(minor.size) ** 0.6
    unknown = random.random(minor.size) < _NO_TIME
    return pa.array((moments * 1_000).astype(np.int64), mask=unknown).cast(ITEM_SCHEMA.field("created_at").type)


def _audiences(random: np.random.Generator, kind: Array) -> pa.Array:
    words = [word for each in KINDS for word in each.audiences]
    sizes = np.array([len(each.audiences) for each in KINDS])
    first = np.cumsum(sizes) - sizes
    return pa.array(words).take(pa.array(first[kind] + (random.random(kind.size) * sizes[kind]).astype(np.int64)))


def _involves(world: World, random: np.random.Generator, *, kind: Array, author: Array) -> pa.Array:
    """Return the further people of each item: other members, now and then a guest or somebody unknown."""
    chance = np.array([each.others[0] for each in KINDS])[kind]
    most = np.array([each.others[1] for each in KINDS])[kind]
    count = np.where(random.random(kind.size) < chance, 1 + (random.random(kind.size) * most).astype(np.int64), 0)
    offsets = np.concatenate([[0], np.cumsum(count)])
    total = int(offsets[-1])
    # Never the author: one of the others, counted on from the author.
    step = 1 + (random.random(total) * (world.members - 1)).astype(np.int64)
    person = (np.repeat(author, count) + step) % world.members
    guests = len(world.ids) - world.members
    is_guest = random.random(total) < (_GUEST_INVOLVED if guests else 0)
    person = np.where(is_guest, world.members + (random.random(total) * guests).astype(np.int64), person)
    ids = world.ids.take(pa.array(person, mask=random.random(total) < _UNKNOWN_INVOLVED))
    return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), ids)


def _bodies(world: World, random: np.random.Generator, *, kind: Array, author: Array) -> pa.Array:
    style = np.array([_style(each) for each in KINDS])[kind]
    english = _LANGUAGES.index("en")
    language = np.where(random.random(kind.size) < _OWN_LANGUAGE, world.language[author], english)
    opening = world.openings.draw(random, style=style, language=language)
    closing = world.closings.draw(random, style=style, language=language)
    bodies = pc.utf8_rtrim_whitespace(pc.binary_join_element_wise(opening, closing, " "))
    named = pc.binary_join_element_wise(world.names.take(pa.array(author)), bodies, "\n")
    return pc.if_else(pa.array(style == STYLES.index(RESUME)), named, bodies)


def _style(kind: Kind) -> int:
    return -1 if kind.style is None else STYLES.index(kind.style)


def _media(kind: Array, numbers: Array) -> pa.Array:
    suffix = pa.array([each.media and f".{each.media}" for each in KINDS], pa.string()).take(pa.array(kind))
    return pc.binary_join_element_wise(_numbered("media/", numbers), suffix, "")


def _pools(seed: int) -> tuple[_Pool, _Pool]:
    random = Random(f"{seed}/texts")  # noqa: S311  # made-up texts, not secrets
    fill = {language: _filler(language, seed, random) for language in _LANGUAGES}
    halves = []
    for half in (0, 1):
        texts: list[str] = []
        first = np.zeros((len(STYLES), len(_LANGUAGES)), dtype=np.int64)
        count = np.zeros_like(first)
        for style, by_language in enumerate(STYLES):
            for number, language in enumerate(_LANGUAGES):
                sentences = by_language.get(language, by_language["en"])[half]
                filled = [fill[language](sentence) for sentence in sentences for _ in range(_VARIANTS)]
                distinct = list(dict.fromkeys(filled))
                first[style, number], count[style, number] = len(texts), len(distinct)
                texts += distinct
        halves.append(_Pool(pa.array(texts, pa.string()), first, count))
    return halves[0], halves[1]


def _filler(language: str, seed: int, random: Random) -> Callable[[str], str]:
    """Return what fills the gaps of a sentence with jobs, companies and cities of a language."""
    countries = [country for country in COUNTRIES if language == country.languages[0]] or [
        country for country in COUNTRIES if language in country.languages
    ]
    jobs: list[str] = []
    companies: list[str] = []
    locales = sorted({country.locale for country in countries})
    speaking = [locale for locale in locales if locale.startswith(language)] or locales
    for index, locale in enumerate(speaking[:6]):
        fake = Faker(locale, providers=list(_JOBS))
        fake.seed_instance(seed * 1_000 + 500 + index)
        jobs += [fake.job() for _ in range(40)]
        companies += [fake.company() for _ in range(40)]
    cities = [city for country in countries for city, _ in country.cities]

    def fill(sentence: str) -> str:
        return sentence.format(job=random.choice(jobs), company=random.choice(companies), city=random.choice(cities))

    return fill
