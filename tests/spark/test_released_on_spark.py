"""A release that is decided on Spark is the one that threads decide, byte for byte, and Spark reads what is in it."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from consentry.bootstrap import Deployment, open_deployment
from consentry.ledger.events import ChoiceMade, Source
from consentry.policy.choice import Choice
from consentry.policy.library import shipped
from consentry.policy.vocabulary import Category, ChoiceState, Purpose, Reach
from consentry.progress import Progress
from consentry.release.manifest import EXCLUSIONS, TALLIES
from consentry.release.materialise import CopyFormat
from consentry.runners.local import LocalRunner
from consentry.runners.spark import SparkRunner
from end_to_end.network import copy_home

GENAI, NOW, SPARK = Purpose.TRAIN_GENAI, 1_730_000_000, "local[2]"
POLICIES = ("september-2024", "public-posts-of-adults")
ITEMS = 20_000


@dataclass(frozen=True)
class Place:
    """A home with a network of some thousand people, and where its content is."""

    home: Path
    content: Path

    def opened(self, spark: str) -> Deployment:
        os.environ["CONSENTRY_SPARK"] = spark
        try:
            return open_deployment(self.home)
        finally:
            del os.environ["CONSENTRY_SPARK"]


class Counted:
    """Adds up what is announced and done."""

    def __init__(self) -> None:
        self.totals: dict[str, int] = {}
        self.done = 0

    def begin(self, what: str, *, total: int | None, unit: str) -> None:
        self.totals[f"{what} {unit}"] = total or 0

    def __call__(self, done: int) -> None:
        self.done += done


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    folder = tmp_path_factory.mktemp("on späce")
    made = Place(copy_home(folder / "home"), folder / "network")
    deployment = made.opened("")
    try:
        deployment.generate_network(made.content, people=2_000, items=ITEMS, seed=7)
        statements = deployment.control.statements
        statements.register_corpus(made.content / "corpus.toml")
        deployment.load_people(made.content / "people.toml")
        for name in POLICIES:
            statements.publish(shipped()[name], name)
        statements.choose(_refusals(deployment, made.content))
    finally:
        deployment.close()
    return made


def _refusals(deployment: Deployment, content: Path) -> Iterable[ChoiceMade]:
    """Refusals of every reach, some of them of one category: those of reach `future` make cells that have dates."""
    (people,) = content.glob("people*.parquet")
    ids = pq.read_table(people).column(0).to_pylist()
    for place, person in enumerate(ids[:600]):
        choice = Choice(
            purpose=GENAI,
            state=ChoiceState.REFUSED,
            reach=list(Reach)[place % 3],
            at=NOW - 86_400 * (place * 7 % 900),
            categories=frozenset({Category.POST}) if place % 5 == 0 else frozenset(),
        )
        yield ChoiceMade(person=deployment.person(str(person)), choice=choice, source=Source.SETTINGS)


@pytest.fixture(scope="module")
def on_spark(place: Place) -> Iterator[Deployment]:
    deployment = place.opened(SPARK)
    yield deployment
    deployment.close()


def built(deployment: Deployment, policy: str, progress: Progress | None = None) -> tuple[str, list[bytes]]:
    releases = deployment.control.releases
    (corpus,) = deployment.control.desk.present().state.corpora
    name = releases.build(corpus, GENAI, policy=policy, at=NOW, progress=progress).manifest.release
    folder = deployment.control.desk.releases / name
    return name, [(folder / each).read_bytes() for each in (EXCLUSIONS, TALLIES)]


def wrong(deployment: Deployment, release: str) -> list[str]:
    found = deployment.control.releases.verify(release, decide=True)
    return [each.code or each.check for each in found if each.problem]


@pytest.mark.parametrize("policy", POLICIES)
def test_bitmaps_and_counts_are_those_of_threads(place: Place, on_spark: Deployment, policy: str) -> None:
    assert isinstance(on_spark.runner, SparkRunner)
    counted = Counted()
    name, on_cluster = built(on_spark, policy, counted)
    assert counted.totals["deciding items"] == counted.done == ITEMS
    here = place.opened("")
    try:
        assert isinstance(here.runner, LocalRunner)
        other, on_threads = built(here, policy)
        assert on_cluster == on_threads
        assert name != other
        assert wrong(here, name) == []
        assert wrong(on_spark, other) == []
    finally:
        here.close()


def test_what_spark_got_wrong_would_be_noticed(on_spark: Deployment, monkeypatch: pytest.MonkeyPatch) -> None:
    """The control: a bit that is another one in what an executor answers."""
    name, _ = built(on_spark, POLICIES[0])
    real = SparkRunner.each

    def each(self: SparkRunner, work: Any, tasks: Any, *, took: Any) -> None:
        def flipped(task: Any, result: Any) -> None:
            if hasattr(result, "allowed"):
                result.allowed[3] ^= 4
            took(task, result)

        real(self, work, tasks, took=flipped)

    monkeypatch.setattr(SparkRunner, "each", each)
    assert wrong(on_spark, name) == ["release-not-reproduced"]


def test_spark_reads_exactly_the_eligible_items(place: Place, on_spark: Deployment) -> None:
    """By the position deletes of the table and its own count of rows: it needs nothing of ours, nor of Iceberg's."""
    from pyspark.sql import SparkSession

    name, _ = built(on_spark, POLICIES[0])
    metadata = Path(on_spark.control.releases.table(name, 2)["metadata"])
    shown = (Path(__file__).parents[2] / "docs" / "spark.md").read_text("utf-8")
    block = shown.partition("./run test spark does -->\n```python\n")[2].partition("```")[0]
    found: dict[str, Any] = {
        "spark": SparkSession.getActiveSession(),
        "metadata": str(metadata),
        "files": [str(each) for each in sorted((place.content / "items").glob("*.parquet"))],
    }
    exec(compile(block, "spark.md", "exec"), found)
    copied = on_spark.control.releases.materialise(name, place.home.parent / "copy", kind=CopyFormat.PARQUET)
    ids = pq.read_table(place.home.parent / "copy", columns=["id"]).column("id").to_pylist()
    assert 0 < copied.rows == len(ids) < ITEMS
    assert Counter(row["id"] for row in found["eligible"].select("id").collect()) == Counter(ids)
