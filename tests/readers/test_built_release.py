"""Every reader returns exactly the eligible items of a release that was built from a registered corpus.

The other matrix makes its bitmaps by hand, to be awkward; here people, a policy set, refusals and the builder make
them. What is eligible is worked out from the raw rows, and compared as a multiset of ids.
"""

from __future__ import annotations

import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import pytest

from consentry.bootstrap import Deployment, open_deployment
from consentry.ledger.events import ChoiceMade, Source
from consentry.policy.choice import Choice
from consentry.policy.library import shipped
from consentry.policy.vocabulary import ChoiceState, Purpose, Reach
from consentry.release.iceberg_schema import FormatVersion
from end_to_end.network import Form, RawItem, RawPerson, copy_home, write_corpus, write_people
from readers.read_with import COUNTS, READERS

pytestmark = [
    pytest.mark.readers,
    pytest.mark.filterwarnings("ignore:`use_:DeprecationWarning:ray.data.context"),
    pytest.mark.filterwarnings("ignore:Iceberg scan planning with the polars_iceberg plugin"),
]

POLICY, GENAI, NOW = "september-2024", Purpose.TRAIN_GENAI, 1_730_000_000
VERSIONS: tuple[FormatVersion, ...] = (2, 3)
AWKWARD = ("é", "ß'", '"q"', "two\nlines", "✓ ")

ALLOWED = frozenset(f"p{number}" for number in range(6))
PEOPLE = [
    *(RawPerson(id=person, country="US" if person != "p3" else "BR") for person in sorted(ALLOWED)),
    RawPerson(id="p6", country="GB"),
    RawPerson(id="p7", age="minor"),
    RawPerson(id="p8"),
]
"""`p8` refuses before the release is built; `p9` is in no table."""
LATE = "p5"
"""Refuses with reach into what is sealed, after the tables were written."""


def item(number: int) -> RawItem:
    involves = {0: ("p1", "p2"), 7: ("p6",), 11: ("p0", None), 13: ("p9",), 17: (LATE,)}.get(number % 19)
    author = None if number % 23 == 0 else f"p{number * 7 % 10}"
    return RawItem(id=f"{AWKWARD[number % 5]}-{number}", author=author, involves=involves)


FILES = [
    [item(number) for number in range(900)],
    [RawItem(id=f"out-{number}", author="p6") for number in range(50)],
    [RawItem(id=f"in-{number}", author="p0") for number in range(120)],
    [RawItem(id="one", author="p1")],
]


def eligible(without: frozenset[str] = frozenset()) -> Counter[str]:
    """The ids of all items whose people may all be used."""
    allowed = ALLOWED - without
    rows = [row for file in FILES for row in file]
    return Counter(str(row.id) for row in rows if {row.author, *(row.involves or ())} <= allowed)


@dataclass(frozen=True)
class Made:
    """The tables of a release, by format version, and what they are to hold."""

    tables: dict[FormatVersion, Path]
    items: Counter[str]


def refuse(deployment: Deployment, person: str, reach: Reach) -> None:
    choice = Choice(purpose=GENAI, state=ChoiceState.REFUSED, reach=reach, at=NOW - 1)
    said = ChoiceMade(person=deployment.person(person), choice=choice, source=Source.SETTINGS)
    deployment.control.statements.choose([said])


@pytest.fixture(scope="module", params=[False, True], ids=["sealed", "amended"])
def made(request: pytest.FixtureRequest) -> Iterator[Made]:
    folder = Path(tempfile.mkdtemp(prefix="release of späce "))
    deployment = open_deployment(copy_home(folder / "home"))
    try:
        control = deployment.control
        form = Form(involves="structs", rows_per_group=64)
        control.statements.register_corpus(write_corpus(folder, FILES, form))
        control.statements.load_people(write_people(folder / "people", PEOPLE))
        control.statements.publish(shipped()[POLICY], POLICY)
        refuse(deployment, "p8", Reach.UNTRAINED)
        release = control.releases.build("network", GENAI, policy=POLICY, at=NOW).manifest.release
        tables = {version: Path(control.releases.table(release, version)["metadata"]) for version in VERSIONS}
        if request.param:
            refuse(deployment, LATE, Reach.EVERYTHING)
            assert control.amendments.newest(release) == 1
        yield Made(tables, eligible(frozenset({LATE}) if request.param else frozenset()))
    finally:
        deployment.close()
        shutil.rmtree(folder)


def test_the_corpus_is_worth_reading() -> None:
    everything, before, after = sum(map(len, FILES)), eligible().total(), eligible(frozenset({LATE})).total()
    assert 300 < after < before < everything - 300
    assert max(eligible().values()) == 1


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("reader", READERS)
def test_exactly_the_eligible_items_are_read(made: Made, reader: str, version: FormatVersion) -> None:
    assert Counter(row["id"] for row in READERS[reader](made.tables[version])) == made.items


def test_what_the_documents_show_reads_it(made: Made) -> None:
    """But for DuckDB, which fetches its extension from a network there."""
    shown = (Path(__file__).parents[2] / "docs" / "getting-started.md").read_text("utf-8")
    block = shown.partition("./run test readers reads releases with all of them -->\n```python\n")[2].partition("```")[
        0
    ]
    lines = [line for line in block.splitlines() if "duckdb" not in line and not line.startswith("metadata = ")]
    found: dict[str, object] = {"metadata": str(made.tables[2])}
    read = [f"read.append({line})" if line.endswith(")") else line for line in lines]
    exec(compile("read = []\n" + "\n".join(read), "getting-started.md", "exec"), found)
    arrow, frame = cast("list[Any]", found["read"])
    assert Counter(arrow["id"].to_pylist()) == Counter(frame["id"]) == made.items


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("reader", COUNTS)
def test_and_counted(made: Made, reader: str, version: FormatVersion) -> None:
    assert COUNTS[reader](made.tables[version]) == made.items.total()
