"""The made-up people: what a platform would know of them, with the holes and contradictions real accounts have."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

import pyarrow as pa
from babel import Locale
from faker import Faker

from consentry.connectors.synthetic.countries import COUNTRIES, Country

PEOPLE_SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("name", pa.string()),
        ("country", pa.string()),
        ("location", pa.string()),
        ("phone", pa.string()),
        ("locale", pa.string()),
        ("time_zone", pa.string()),
        ("ip_country", pa.string()),
        ("birth_year", pa.int32()),
        ("state", pa.string()),
        ("main_account", pa.string()),
    ]
)

FIRST_ADULT_YEAR = 2004
NAMES = ("faker.providers.person",)
"""What of Faker draws names: to load all else that it has takes longer than drawing them."""
_NAMES_A_LOCALE = 60
_NOWHERE = ("remote", "🌍", "everywhere", "Somewhere over the rainbow", "the internet", "home")
_STATES = (("open", 0.87), ("sleeping", 0.08), ("deleted", 0.04), (None, 0.01))
_ENGLISH = Locale("en")


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """One made-up person; fields as in the people table, and the language they write."""

    id: str
    name: str
    country: str | None = None
    location: str | None = None
    phone: str | None = None
    locale: str | None = None
    time_zone: str | None = None
    ip_country: str | None = None
    birth_year: int | None = None
    state: str | None = None
    main_account: str | None = None
    language: str = "en"

    def row(self) -> tuple[object, ...]:
        """Return the person as a row of the people table."""
        return tuple(getattr(self, name) for name in PEOPLE_SCHEMA.names)


def members(count: int, *, seed: int) -> list[Person]:
    """Return `count` people with an account."""
    random = Random(f"{seed}/members")  # noqa: S311  # made-up people, not secrets
    names = _names(seed)
    homes = random.choices(COUNTRIES, weights=[country.share for country in COUNTRIES], k=count)
    found: list[Person] = []
    for number, home in enumerate(homes):
        main = found[random.randrange(number)] if number and random.random() < 0.015 else None
        first, last = names[home.locale]
        signals = _signals(random, home)
        found.append(
            Person(
                id=f"m{number:06}",
                name=main.name if main else f"{random.choice(first)} {random.choice(last)}",
                birth_year=main.birth_year if main else _birth_year(random),
                state=random.choices([state for state, _ in _STATES], weights=[share for _, share in _STATES])[0],
                main_account=(main.main_account or main.id) if main else None,
                language=random.choice(home.languages),
                **signals,
            )
        )
    return found


def guests(count: int, *, seed: int) -> list[Person]:
    """Return `count` people without an account, whom members named; every second one was saved with a country."""
    random = Random(f"{seed}/guests")  # noqa: S311  # made-up people, not secrets
    homes = random.choices(COUNTRIES, weights=[country.share for country in COUNTRIES], k=count)
    return [
        Person(
            id=f"guest-{number:05}",
            name="",
            country=home.code if number % 2 else None,
            birth_year=random.randint(1960, 2000) if number % 2 else None,
            state="guest",
        )
        for number, home in enumerate(homes)
    ]


def _names(seed: int) -> dict[str, tuple[list[str], list[str]]]:
    """Return first and last names of each locale."""
    names = {}
    for index, locale in enumerate(sorted({country.locale for country in COUNTRIES})):
        fake = Faker(locale, providers=list(NAMES))
        fake.seed_instance(seed * 1_000 + index)
        drawn = range(_NAMES_A_LOCALE)
        names[locale] = ([fake.first_name() for _ in drawn], [fake.last_name() for _ in drawn])
    return names


def _birth_year(random: Random) -> int | None:
    chance = random.random()
    if chance < 0.055:
        return None
    return random.randint(2008, 2010) if chance < 0.07 else int(random.triangular(1955, FIRST_ADULT_YEAR, 1988))


def _signals(random: Random, home: Country) -> dict[str, str | None]:
    """Return what the platform knows about where somebody lives: now and then contradictory, now and then nothing."""
    city, zone = random.choice(home.cities)
    if random.random() < 0.01:
        return {}
    if random.random() < 0.03:
        return {"time_zone": zone}
    elsewhere = random.choice(COUNTRIES)
    account = random.choices((home.code, elsewhere.code, None), weights=(80, 3, 17))[0]
    phone = f"{home.prefix} {random.randrange(10_000):04}"
    return {
        "country": account,
        "location": _location(random, home, city) if random.random() < 0.7 else None,
        "phone": phone if random.random() < 0.15 else None,
        "locale": random.choices((f"{home.languages[0]}_{home.code[:2]}", "en_US", None), weights=(78, 12, 10))[0],
        "time_zone": random.choices((zone, elsewhere.cities[0][1], None), weights=(77, 8, 15))[0],
        "ip_country": random.choices((home.code[:2], elsewhere.code[:2], None), weights=(56, 4, 40))[0],
    }


def _location(random: Random, home: Country, city: str) -> str:
    code = home.code[:2]
    local = Locale(home.languages[0])
    in_english, at_home = _ENGLISH.territories[code], local.territories.get(code, _ENGLISH.territories[code])
    styles: Sequence[str] = (city, f"{city}, {in_english}", f"{city}, {at_home}", in_english, at_home, city.upper())
    return random.choice(_NOWHERE) if random.random() < 0.05 else random.choice(styles)
