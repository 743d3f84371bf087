"""Only what may come out differently is decided again: files that are new, and those with items in changed cells."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from consentry.bootstrap import Deployment
from consentry.corpus import census
from consentry.corpus.sidecar import Sidecar
from consentry.oversight.order import Scope
from consentry.policy.library import shipped
from consentry.policy.vocabulary import ChoiceState, Purpose, Reach
from consentry.release import builder
from consentry.release.kernel import SpanResult, decide_span
from consentry.release.manifest import Manifest
from end_to_end.network import Form, RawItem, RawPerson, populated, write_items
from end_to_end.suspended_network import suspend
from end_to_end.test_story import GENAI, NOW, POLICY, say

PEOPLE = [RawPerson(id=f"p{number}", country="GB" if number == 9 else "US") for number in range(10)]
BY_GB = 2
"""The only file with items of somebody in the UK."""
IMAGES = 0
"""The only file with images."""


def items_of(file: int) -> list[RawItem]:
    people = range(10) if file == BY_GB else range(9)
    kinds = ("pic", "post") if file == IMAGES else ("post",)
    return [
        RawItem(id=f"i{file}-{kind}-{person}", author=f"p{person}", category=kind, created=NOW - 86_400)
        for kind in kinds
        for person in people
    ]


WITH_IMAGES = shipped()[POLICY].replace('"post"', '"image", "post"', 1)
UNDER_ANOTHER_NAME = shipped()[POLICY].replace('id = "europe"', 'id = "continent"').replace(":europe", ":continent")


class Watched:
    """A deployment, and the files that the kernel went over and that were counted since it was last asked."""

    def __init__(self, folder: Path, deployment: Deployment, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder, self.deployment, self.control = folder, deployment, deployment.control
        self.decided: list[str] = []
        self.counted: list[str] = []
        real, take = decide_span, census.take

        def decided(sidecar: Sidecar, start: int, **named: Any) -> SpanResult:
            self.decided.append(Path(sidecar.pin.path).stem)
            return real(sidecar, start, **named)

        def taken(sidecars: list[Sidecar], *arguments: Any, **named: Any) -> census.Census:
            self.counted += [Path(sidecar.pin.path).stem for sidecar in sidecars]
            return take(sidecars, *arguments, **named)

        monkeypatch.setattr(builder, "decide_span", decided)
        monkeypatch.setattr(census, "take", taken)

    def build(self, policy: str = POLICY, *, purpose: Purpose = GENAI, at: int = NOW) -> tuple[list[str], list[str]]:
        """Build a release, hold it against one decided from nothing, and say what was decided and what counted."""
        self.decided.clear()
        self.counted.clear()
        self.manifest: Manifest = self.control.releases.build("network", purpose, policy=policy, at=at).manifest
        done = sorted(self.decided), sorted(self.counted)
        found = self.control.releases.verify(self.manifest.release, decide=True)
        assert [each for each in found if each.problem] == []
        return done

    def publish(self, text: str) -> None:
        assert text != shipped()[POLICY]
        self.control.statements.publish(text, POLICY)

    def add_file(self, number: int, items: list[RawItem]) -> None:
        write_items(self.folder / "items" / f"{number}.parquet", items, Form())
        self.control.statements.register_corpus(self.folder / "corpus.toml")


@pytest.fixture
def watched(monkeypatch: pytest.MonkeyPatch) -> Iterator[Watched]:
    monkeypatch.setattr(census, "_FEW", 0)
    with populated([items_of(file) for file in range(4)], PEOPLE, POLICY) as (folder, deployment):
        found = Watched(folder, deployment, monkeypatch)
        assert found.build() == (["0", "1", "2", "3"], ["0", "1", "2", "3"])
        yield found


def test_nothing_changed(watched: Watched) -> None:
    assert watched.build() == ([], [])


def test_a_new_file_costs_its_own_rows(watched: Watched) -> None:
    watched.add_file(4, [RawItem(id="new", author="p1"), RawItem(id="newer", author="nobody-knows", category="haiku")])
    assert watched.build() == (["4"], ["4"])
    assert watched.manifest.counts["items"] == 48


def test_a_changed_file_is_decided_anew(watched: Watched) -> None:
    watched.add_file(1, items_of(1)[:4])
    assert watched.build() == (["1"], ["1"])


def test_a_file_that_is_gone_is_not_counted(watched: Watched) -> None:
    before = watched.manifest.counts
    (watched.folder / "items" / "3.parquet").unlink()
    watched.control.statements.register_corpus(watched.folder / "corpus.toml")
    assert watched.build() == ([], [])
    assert watched.manifest.counts["items"] == before["items"] - 9
    assert len(watched.manifest.files) == 3


def test_a_policy_set_costs_the_files_with_items_in_changed_cells(watched: Watched) -> None:
    before = watched.manifest.counts["eligible"]
    watched.publish(WITH_IMAGES)
    assert watched.build() == ([str(IMAGES)], [])
    assert watched.manifest.counts["eligible"] != before


def test_another_reason_is_a_changed_cell(watched: Watched) -> None:
    before = watched.manifest.counts["by_reason"]
    watched.publish(UNDER_ANOTHER_NAME)
    assert watched.build() == ([str(BY_GB)], [])
    assert watched.manifest.counts["by_reason"] != before


def test_an_order_costs_the_files_of_people_in_its_area(watched: Watched) -> None:
    suspend(watched.deployment, Scope(areas=frozenset({"UK"})))
    assert watched.build() == ([str(BY_GB)], [])


def test_people_who_spoke_meanwhile_cost_their_items(watched: Watched) -> None:
    say(watched.deployment, "p3")
    say(watched.deployment, "p4", items=("i1-post-4",))
    watched.publish(WITH_IMAGES)
    assert watched.build() == ([str(IMAGES)], [])
    say(watched.deployment, "p3", ChoiceState.UNSET, at=NOW + 1)
    assert watched.build() == ([], [])


def test_an_order_reaches_items_that_only_involve_people_in_its_area(watched: Watched) -> None:
    watched.add_file(4, [RawItem(id="both", author="p1", involves=("p2", "p9")), RawItem(id="one", author="p1")])
    watched.build()
    suspend(watched.deployment, Scope(areas=frozenset({"UK"})))
    assert watched.build() == ([str(BY_GB)], [])


def test_a_refusal_that_holds_since_another_time_counts(watched: Watched) -> None:
    say(watched.deployment, "p3", reach=Reach.FUTURE, at=NOW - 50)
    watched.build()
    before = watched.manifest.counts["eligible"]
    say(watched.deployment, "p3", reach=Reach.FUTURE, at=NOW - 100_000)
    watched.publish(UNDER_ANOTHER_NAME)
    assert watched.build() == ([str(BY_GB)], [])
    assert watched.manifest.counts["eligible"] == before - 4


def test_an_edited_sidecar_is_decided_anew(watched: Watched) -> None:
    (edited,) = [
        each for each in watched.control.desk.corpus("network").sidecars if each.pin.path.endswith("3.parquet")
    ]
    (edited.folder / "created.npy").touch()
    watched.publish(WITH_IMAGES)
    assert watched.build() == (sorted([str(IMAGES), "3"]), ["3"])
