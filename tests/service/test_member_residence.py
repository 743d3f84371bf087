"""Where somebody lives is shown as it is known: as one of several places, a guess, or a place; and by its name."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from consentry.accounts.member_link import LinkKeys, claims_for
from consentry.ledger.oversight_events import Origin
from consentry.oversight.order import Scope
from consentry.policy.jurisdictions import groups
from consentry.policy.library import shipped
from consentry.service.languages import LANGUAGES, translations
from consentry.service.plain_words import place_name
from end_to_end.network import fresh
from service.at_work import POLICY, in_thread
from service.visitor import Visitor, words

# id, account country, location, time zone
PEOPLE = (
    ("sure", "US", None, None),
    ("torn", "US", None, "Europe/Paris"),
    ("guessed", None, None, "Europe/London"),
    ("scottish", "GB-SCT", None, None),
)


def write(folder: Path) -> Path:
    folder.mkdir(parents=True)
    ids, countries, locations, zones = zip(*PEOPLE, strict=True)
    columns = {"id": ids, "country": countries, "location": locations, "zone": zones, "age": ["adult"] * len(ids)}
    columns |= {"state": ["active"] * len(ids)}
    pq.write_table(pa.table({name: pa.array(list(each), pa.string()) for name, each in columns.items()}),
                   folder / "people.parquet")  # fmt: skip
    target = folder / "people.toml"
    target.write_text(
        '[people]\nfiles = ["people.parquet"]\n[columns]\nperson = "id"\ncountry = "country"\nage = "age"\n'
        'account = "state"\nlocation = "location"\ntime_zone = "zone"\n'
    )
    return target


@pytest.fixture(scope="module")
def pages() -> Iterator[dict[str, Visitor]]:
    with fresh() as (folder, deployment):
        control, settings = deployment.control, deployment.settings
        control.statements.load_people(write(folder / "people"))
        control.statements.publish(shipped()[POLICY], POLICY)
        scope = Scope(areas=frozenset({"UK", "EU-LAW"}))
        control.orders.suspend(scope, case="ico-2024", origin=Origin.AUTHORITY_REQUEST, reference="letter")
        with in_thread(deployment) as ask:
            found = {}
            for person, *_ in PEOPLE:
                claims = claims_for(person, audience=settings.audience, now=control.desk.parts.clock(), facts={})
                found[person] = Visitor(ask.url)
                found[person].get(f"/me/enter?token={LinkKeys(settings.home / 'keys').signed(claims)}")
            yield found


def read(answer: httpx2.Response) -> str:
    """Return what can be read, with no space before what ends a part of a sentence."""
    return re.sub(r" ([,.])", r"\1", words(answer))


def test_one_of_several_places_is_said_to_be_one_of_several(pages: dict[str, Visitor]) -> None:
    text = read(pages["torn"].get("/me"))
    assert "One of these: France, United States. We do not know which of them." in text
    assert "So the rule that protects you most counts." in text
    assert "Your content is not used" in text, "the EU is left out"
    assert "L’un de ces lieux : France, États-Unis." in read(pages["torn"].get("/me?lang=fr"))


def test_a_guess_is_said_to_be_one(pages: dict[str, Visitor]) -> None:
    text = read(pages["guessed"].get("/me"))
    assert "Where we think you live United Kingdom. That is not certain: only a weak sign says so" in text
    assert "We do not know for sure where you live" in text


def test_what_is_known_is_said_plainly(pages: dict[str, Visitor]) -> None:
    text = read(pages["sure"].get("/me"))
    assert "Where we think you live United States." in text
    assert "One of these" not in text
    assert "weak sign" not in text
    assert "United Kingdom (Scotland)." in read(pages["scottish"].get("/me"))


def test_places_of_an_order_have_names(pages: dict[str, Visitor]) -> None:
    text = read(pages["scottish"].get("/me"))
    assert "Where it holds: places where the law of the European Union applies, United Kingdom." in text
    assert "EU-LAW" not in text
    german = read(pages["scottish"].get("/me?lang=de"))
    assert "Orte, an denen das Recht der Europäischen Union gilt, Vereinigtes Königreich" in german


@pytest.mark.parametrize("code", sorted(LANGUAGES))
def test_every_group_has_a_name_in_every_language(code: str) -> None:
    english = LANGUAGES["en"].locale
    for group in groups():
        name = place_name(group, LANGUAGES[code].locale, translated=translations(code).gettext)
        assert name.upper() != group
        if code != "en":
            assert name != place_name(group, english, translated=str), group
    assert place_name("ZZ-9", LANGUAGES[code].locale, translated=str).endswith("(ZZ-9)")
