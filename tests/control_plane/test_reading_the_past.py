"""What was known at a release: carried on from a kept state where that is sound, and never showing what was erased."""

from __future__ import annotations

import shutil
from collections.abc import Collection, Iterator
from pathlib import Path

import pytest

from consentry.bootstrap import Deployment
from consentry.ledger.envelope import Event
from consentry.policy.library import shipped
from consentry.policy.vocabulary import ChoiceState
from consentry.release import compare
from end_to_end.network import fresh, write_corpus, write_people
from end_to_end.test_story import ITEMS, PEOPLE, POLICY, build, say


class Reads:
    """The stretches of the ledger that were read, ends left out: the head may be anywhere."""

    def __init__(self, deployment: Deployment) -> None:
        self.found: list[tuple[int, int]] = []
        self._read = deployment.ledger.read
        deployment.ledger.read = self.read  # type: ignore[method-assign]

    def read(
        self,
        start: int = 0,
        stop: int | None = None,
        *,
        only_open: bool = False,
        consumed: bool = True,
        beside: Collection[str] = (),
    ) -> Iterator[Event]:
        """Note what is read. A single event is the name of a kept state, or a withdrawal."""
        events = list(self._read(start, stop, only_open=only_open, consumed=consumed, beside=beside))
        if len(events) > 1 and not only_open:
            self.found.append((start, start + len(events)))
        return iter(events)

    def taken(self) -> list[tuple[int, int]]:
        found, self.found = self.found, []
        return found


@pytest.fixture
def place() -> Iterator[tuple[Path, Deployment]]:
    with fresh() as (folder, deployment):
        deployment.control.statements.register_corpus(write_corpus(folder, [ITEMS[:4], ITEMS[4:]]))
        deployment.control.statements.load_people(write_people(folder / "people", PEOPLE))
        deployment.control.statements.publish(shipped()[POLICY], POLICY)
        yield folder, deployment


def talk(deployment: Deployment, times: int = 5) -> None:
    for number in range(times):
        say(deployment, f"somebody-{number}")


def keep_now(deployment: Deployment) -> int:
    """Keep the state of now, and no other one."""
    kept = deployment.control.desk.kept
    kept.every = 1
    deployment.control.desk.present()
    deployment.control.desk.settle()
    kept.every = 1_000_000
    return deployment.ledger.head()


def choices(deployment: Deployment, release: str, item: str) -> list[str]:
    (owner, *_) = deployment.control.releases.explain(release, item).body["people"]
    return [each["state"] for each in owner["choices"]]


def test_explaining_carries_on_from_an_older_kept_state(place: tuple[Path, Deployment]) -> None:
    _, deployment = place
    say(deployment, "ada")
    kept = keep_now(deployment)
    talk(deployment)
    release = build(deployment)
    position = deployment.control.releases.sealed_as(release).position
    reads = Reads(deployment)
    assert choices(deployment, release, "a1") == ["refused"]
    assert reads.taken() == [(kept, position)]
    # Checking trusts nothing that was kept.
    assert not [each for each in deployment.control.releases.verify(release, decide=True) if each.problem]
    assert reads.taken() == [(0, position)]


def test_a_newer_kept_state_is_of_no_use(place: tuple[Path, Deployment]) -> None:
    _, deployment = place
    release = build(deployment)
    position = deployment.control.releases.sealed_as(release).position
    say(deployment, "ada")
    talk(deployment)
    keep_now(deployment)
    reads = Reads(deployment)
    assert choices(deployment, release, "a1") == []
    assert reads.taken() == [(0, position)]


@pytest.mark.parametrize("keeping", [True, False])
def test_comparing_reads_the_ledger_once(place: tuple[Path, Deployment], keeping: bool) -> None:
    folder, deployment = place
    control = deployment.control
    say(deployment, "bo")
    start = keep_now(deployment) if keeping else 0
    talk(deployment)
    first = build(deployment)
    say(deployment, "ada", items=("a1",))
    deployment.control.statements.load_people(write_people(folder / "people", PEOPLE[:3]))
    talk(deployment)
    say(deployment, "bo", ChoiceState.ALLOWED)
    second = build(deployment)
    control.desk.present()
    middle, end = (control.releases.sealed_as(each).position for each in (first, second))
    apart = {
        (one, other): compare.compare(control.releases.archive.side(one)[0], control.releases.archive.side(other)[0])
        for one in (first, second)
        for other in (first, second)
    }
    for (one, other), expected in apart.items():
        reads = Reads(deployment)
        found = control.releases.compare(one, other)
        for label in ("before", "after"):
            assert found[label].pop("withdrawn") is None
        assert found == expected
        stretches = {first: [(start, middle)], second: [(middle, end)]}
        if one == other:
            assert reads.taken() == [(start, middle if one == first else end)]
        else:
            assert reads.taken() == stretches[first] + stretches[second]
    assert apart[first, second]["moves"]


def test_what_was_erased_is_not_shown_again(place: tuple[Path, Deployment]) -> None:
    folder, deployment = place
    control = deployment.control
    say(deployment, "ada")
    say(deployment, "bo")
    kept = keep_now(deployment)
    talk(deployment)
    release = build(deployment)
    assert choices(deployment, release, "a1") == ["refused"]
    cache = folder / "home" / "cache"
    shutil.copytree(cache, folder / "aside")
    deployment.control.statements.erase([deployment.person("ada")])
    assert list(cache.iterdir()) == []
    assert choices(deployment, release, "a1") == []
    # Should the file come back, it is known as a state of this ledger, and still not used for what lies before.
    shutil.copytree(folder / "aside", cache, dirs_exist_ok=True)
    back = control.desk.kept.at(range(1, control.releases.sealed_as(release).position + 1))
    assert back is not None
    assert (back.position, deployment.person("ada") in back.choices) == (kept, True)
    reads = Reads(deployment)
    assert choices(deployment, release, "a1") == []
    assert choices(deployment, release, "n1") == ["refused"]  # bo's
    assert {start for start, _ in reads.taken()} == {0}
    # Later releases start from states kept after the erasure.
    keep_now(deployment)
    after = deployment.ledger.head()
    talk(deployment)
    later = build(deployment)
    control.desk.present()
    reads.taken()
    assert choices(deployment, later, "n1") == ["refused"]
    assert reads.taken() == [(after, control.releases.sealed_as(later).position)]
