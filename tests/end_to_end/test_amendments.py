"""What people withdraw with reach `everything` leaves releases that are sealed: exactly that, and for good."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyroaring import BitMap64

from consentry.bootstrap import Deployment, open_deployment
from consentry.control_plane.amendments import AmendmentVerbs
from consentry.errors import ConsentryError, IntegrityError, NotFoundError
from consentry.ledger.events import ChoiceMade, Source
from consentry.ledger.lineage_events import ReleaseAmended
from consentry.policy.choice import Choice, standing
from consentry.policy.library import shipped
from consentry.policy.vocabulary import Category, ChoiceState, Purpose, Reach
from consentry.release.data_file import excluded_positions
from consentry.release.present import Present
from consentry.release.reaching import Reached
from end_to_end.network import CATEGORY_WORDS, RawItem, RawPerson, fresh, write_corpus, write_items, write_people
from end_to_end.oracle import World
from end_to_end.test_story import BEFORE, GENAI, ITEMS, NOW, PEOPLE, POLICY, build, say

EVERYTHING = Reach.EVERYTHING


@pytest.fixture
def place() -> Iterator[tuple[Path, Deployment]]:
    with fresh() as (folder, deployment):
        deployment.control.statements.register_corpus(write_corpus(folder, [ITEMS[:4], ITEMS[4:]]))
        deployment.control.statements.load_people(write_people(folder / "people", PEOPLE))
        deployment.control.statements.publish(shipped()[POLICY], POLICY)
        yield folder, deployment


def handed_out(deployment: Deployment, release: str) -> set[str]:
    """Return the ids that whoever asks for the data files of a release reads."""
    found: set[str] = set()
    for file in deployment.control.releases.data_files(release):
        ids = pq.read_table(file.path, columns=["id"]).column("id").to_pylist()
        out = set(excluded_positions(file).tolist())
        found |= {str(id_) for row, id_ in enumerate(ids) if row not in out}
    return found


def problems(deployment: Deployment, release: str) -> list[str]:
    return [
        f"{each.check}: {each.problem}"
        for each in deployment.control.releases.verify(release, decide=True)
        if each.problem
    ]


def in_table(deployment: Deployment, release: str, version: int) -> int:
    """Return how many rows a table leaves out, by its metadata."""
    folder = deployment.control.desk.tables / release / f"v{version}" / "metadata" / "v1.metadata.json"
    import json

    summary = json.loads(folder.read_bytes())["snapshots"][0]["summary"]
    return int(summary["total-records"]) - int(summary["total-position-deletes"])


def test_a_refusal_of_everything_leaves_what_is_sealed_and_others_do_not(place: tuple[Path, Deployment]) -> None:
    _, deployment = place
    control, release = deployment.control, build(deployment)
    assert handed_out(deployment, release) == {"a1", "b1", "c1"}
    say(deployment, "bo")
    assert handed_out(deployment, release) == {"a1", "b1", "c1"}
    assert control.amendments.newest(release) == 0
    say(deployment, "bo", reach=EVERYTHING)
    assert control.amendments.newest(release) == 1
    assert handed_out(deployment, release) == {"a1", "c1"}
    say(deployment, "cy", reach=EVERYTHING)  # ada's other account
    assert handed_out(deployment, release) == set()
    say(deployment, "cy", ChoiceState.UNSET)
    assert handed_out(deployment, release) == set(), "an amendment only ever removes"
    assert control.amendments.newest(release) == 2
    assert [each["removed"] for each in control.amendments.of(release)] == [1, 2]
    assert problems(deployment, release) == []


def test_a_part_of_the_items_and_other_purposes(place: tuple[Path, Deployment]) -> None:
    _, deployment = place
    release = build(deployment)
    say(deployment, "ada", reach=EVERYTHING, purpose=Purpose.SERVE)
    say(deployment, "ada", reach=EVERYTHING, categories=frozenset({Category.IMAGE}))
    assert handed_out(deployment, release) == {"a1", "b1", "c1"}
    say(deployment, "ada", reach=EVERYTHING, items=("b1", "g1"))
    assert handed_out(deployment, release) == {"a1", "c1"}
    say(deployment, "ada", reach=EVERYTHING, categories=frozenset({Category.POST}), purpose=Purpose.TRAIN_AI)
    assert handed_out(deployment, release) == set()


def test_linking_and_erasing_amend_as_well(place: tuple[Path, Deployment]) -> None:
    folder, deployment = place
    release = build(deployment)
    say(deployment, "new", reach=EVERYTHING)
    assert deployment.control.amendments.newest(release) == 0
    deployment.control.statements.link(deployment.person("new"), deployment.person("bo"))
    assert handed_out(deployment, release) == {"a1", "c1"}
    deployment.control.statements.erase([deployment.person("ada")])
    assert handed_out(deployment, release) == set()
    assert deployment.control.amendments.newest(release) == 2
    assert problems(deployment, release) == []
    deployment.close()
    again = open_deployment(folder / "home")
    assert handed_out(again, release) == set()
    again.close()


def test_a_crash_between_a_refusal_and_its_amendment_loses_nothing(
    place: tuple[Path, Deployment], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, deployment = place
    release = build(deployment)
    monkeypatch.setattr(AmendmentVerbs, "amend", lambda _: [])
    say(deployment, "bo", reach=EVERYTHING)
    deployment.control.statements.erase([deployment.person("cy")])
    monkeypatch.undo()
    deployment.close()
    again = open_deployment(folder / "home")
    assert not [event for event in again.ledger.read() if isinstance(event.body, ReleaseAmended)]
    assert handed_out(again, release) == set()
    assert again.control.amendments.newest(release) == 1
    again.close()


def test_an_import_that_is_interrupted_amends_by_what_was_recorded(place: tuple[Path, Deployment]) -> None:
    _, deployment = place
    control, release = deployment.control, build(deployment)
    control.releases.table(release, 2)

    def said() -> Iterator[ChoiceMade]:
        choice = Choice(purpose=GENAI, state=ChoiceState.REFUSED, reach=EVERYTHING, at=NOW)
        yield ChoiceMade(person=deployment.person("bo"), choice=choice, source=Source.FORM)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        control.statements.choose(said(), batch=1)
    assert in_table(deployment, release, 2) == 2, "its readers ask nobody"


def test_who_starts_from_a_kept_state_knows_who_refused(
    place: tuple[Path, Deployment], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, deployment = place
    release = build(deployment)
    monkeypatch.setattr(AmendmentVerbs, "amend", lambda _: [])
    say(deployment, "stranger", reach=EVERYTHING)
    deployment.control.statements.link(deployment.person("stranger"), deployment.person("bo"))
    monkeypatch.undo()
    deployment.control.desk.kept.every = 1
    deployment.control.desk.present()
    deployment.close()
    assert list((folder / "home" / "cache").glob("state-*.image"))
    again = open_deployment(folder / "home")
    assert handed_out(again, release) == {"a1", "c1"}
    again.close()


def test_two_processes_amend_once(place: tuple[Path, Deployment], monkeypatch: pytest.MonkeyPatch) -> None:
    folder, deployment = place
    release = build(deployment)
    other = open_deployment(folder / "home")
    append = AmendmentVerbs._append
    said: list[str] = []

    def first_the_other(self: AmendmentVerbs, *what: Any) -> Any:
        if not said:
            said.append("once")
            say(other, "ada", reach=EVERYTHING)
        return append(self, *what)

    monkeypatch.setattr(AmendmentVerbs, "_append", first_the_other)
    say(deployment, "bo", reach=EVERYTHING)
    for each in (deployment, other):
        assert handed_out(each, release) == set()
        assert problems(each, release) == []
    numbers = [event.body.number for event in other.ledger.read() if isinstance(event.body, ReleaseAmended)]
    assert numbers == list(range(1, len(numbers) + 1))
    other.close()


def test_the_bytes_for_loaders(place: tuple[Path, Deployment]) -> None:
    _, deployment = place
    control, release = deployment.control, build(deployment)
    say(deployment, "bo", reach=EVERYTHING)
    say(deployment, "ada", reach=EVERYTHING)
    assert control.amendments.rows(release, 0, number=0) == b""
    assert list(BitMap64.deserialize(control.amendments.rows(release, 0, number=1))) == [2]
    assert list(BitMap64.deserialize(control.amendments.rows(release, 0, number=2))) == [0, 2, 3]
    assert control.amendments.rows(release, 1, number=2) == b""
    assert list(BitMap64.deserialize(control.releases.exclusions(release, 0))) == [1]
    for index, number, code in (
        (0, 3, "amendment-unknown"),
        (0, -1, "amendment-unknown"),
        (2, 1, "release-file-unknown"),
    ):
        with pytest.raises(NotFoundError) as caught:
            control.amendments.rows(release, index, number=number)
        assert caught.value.code == code


def test_tables_of_an_amended_release_are_written_anew(
    place: tuple[Path, Deployment], monkeypatch: pytest.MonkeyPatch
) -> None:
    _, deployment = place
    control, release = deployment.control, build(deployment)
    control.releases.table(release, 2)
    control.releases.table(release, 3)
    assert [in_table(deployment, release, version) for version in (2, 3)] == [3, 3]
    say(deployment, "bo", reach=EVERYTHING)
    assert [in_table(deployment, release, version) for version in (2, 3)] == [2, 2]
    assert control.releases.table(release, 2)["excluded"] == 2

    def full(*_: Any, **__: Any) -> None:
        raise OSError("no space left")

    monkeypatch.setattr("consentry.control_plane.handouts.write_table", full)
    say(deployment, "cy", reach=EVERYTHING, items=("c1",))
    assert not (control.desk.tables / release / "v2").exists(), "its readers ask nobody"
    monkeypatch.undo()
    control.releases.table(release, 3)
    (control.desk.tables / release / "v3" / "metadata" / "v1.metadata.json").write_text("[]")
    say(deployment, "ada", reach=EVERYTHING)
    assert in_table(deployment, release, 3) == 0


def test_a_release_whose_file_is_gone_is_read_by_nobody_and_keeps_nobody_from_refusing(
    place: tuple[Path, Deployment],
) -> None:
    folder, deployment = place
    control, release = deployment.control, build(deployment)
    write_items(folder / "items" / "0.parquet", ITEMS[:3])
    control.statements.register_corpus(folder / "corpus.toml")
    later = build(deployment)
    say(deployment, "bo", reach=EVERYTHING)
    with pytest.raises(IntegrityError) as caught:
        control.amendments.newest(release)
    assert caught.value.code == "release-file-changed"
    assert handed_out(deployment, later) == {"a1"}


def test_a_withdrawn_release_is_amended_no_more(place: tuple[Path, Deployment]) -> None:
    _, deployment = place
    release = build(deployment)
    deployment.control.releases.withdraw(release, "done with", by="olga")
    say(deployment, "bo", reach=EVERYTHING)
    assert deployment.control.amendments.newest(release) == 0


def test_a_lease_is_granted_on_what_is_left(place: tuple[Path, Deployment]) -> None:
    _, deployment = place
    release = build(deployment)
    say(deployment, "bo", reach=EVERYTHING)
    deployment.control.leases.grant(release, job="job-1", model="drafts")
    assert deployment.control.amendments.newest(release) == 1


def test_an_explanation_says_which_amendment(place: tuple[Path, Deployment]) -> None:
    _, deployment = place
    release = build(deployment)
    say(deployment, "bo", reach=EVERYTHING)
    found = deployment.control.releases.explain(release, "b1")
    assert not found.allowed
    assert found.body["reasons"][0]["reason"] == "amended:1"
    assert found.body["agrees_with_bitmap"]
    assert found.body["amendment"]["number"] == 1
    assert deployment.control.releases.explain(release, "a1").body["amendment"] is None


@pytest.mark.parametrize("what", ["document", "rows", "signature"])
def test_an_amendment_that_was_tampered_with_is_noticed(place: tuple[Path, Deployment], what: str) -> None:
    _, deployment = place
    control, release = deployment.control, build(deployment)
    say(deployment, "bo", reach=EVERYTHING)
    (noted,) = control.desk.newest.amendments.of(release)
    document = control.amendments.removals.document(noted)
    if what == "signature":
        object.__setattr__(control.desk.parts, "check_signature", lambda *_: False)
    else:
        digest = noted.document if what == "document" else document.files[0].bitmap
        path = deployment.settings.home / "objects" / digest.removeprefix("sha256:")
        path.write_bytes(path.read_bytes()[:-1] + b"?")
    assert [each for each in control.releases.verify(release) if each.check == "amendment 1" and each.problem]
    if what == "rows":
        with pytest.raises(ConsentryError):
            control.releases.data_files(release)


NAMES = ["p0", "p1", "p2", "p3", "stranger"]
WORLD_ITEMS = tuple(
    RawItem(
        id=f"i{number}",
        author=NAMES[number % 4],
        category=("post", "comment", "status_update")[number % 3],
        created=BEFORE,
        involves=(NAMES[(number * 7 + 1) % 5],) if number % 2 else None,
    )
    for number in range(24)
)
SAID = st.one_of(
    st.tuples(
        st.just("choose"),
        st.sampled_from(NAMES),
        st.builds(
            Choice,
            purpose=st.sampled_from([Purpose.TRAIN_AI, GENAI, Purpose.TRAIN_GENAI_TEXT, Purpose.SERVE]),
            state=st.sampled_from([ChoiceState.REFUSED, ChoiceState.REFUSED, ChoiceState.UNSET, ChoiceState.ALLOWED]),
            reach=st.sampled_from([EVERYTHING, EVERYTHING, Reach.UNTRAINED]),
            at=st.integers(NOW - 9, NOW),
            categories=st.sampled_from([frozenset[Category](), frozenset({Category.POST})]),
            items=st.sampled_from([frozenset[str](), frozenset[str](), frozenset({"i1", "i4"}), frozenset({"i7"})]),
        ),
    ),
    st.tuples(st.just("link"), st.sampled_from(NAMES), st.sampled_from(NAMES)),
    st.tuples(st.just("erase"), st.sampled_from(NAMES), st.none()),
    st.tuples(st.just("build"), st.sampled_from([GENAI, Purpose.TRAIN_GENAI_TEXT]), st.none()),
    st.tuples(st.just("restart"), st.none(), st.none()),
)


def withdrawn(world: World, item: RawItem, purpose: Purpose) -> bool:
    """Say whether somebody an item involves refuses it with reach `everything`, or was erased."""
    category = Category(CATEGORY_WORDS.get(item.category, item.category))
    for named in (item.author, *(item.involves or ())):
        accounts = world.accounts(str(named))
        live = [each for one in accounts for each in world.live.get(one, ()) if each.reach is EVERYTHING]
        live = [each for each in live if each.state is ChoiceState.REFUSED]
        found = standing(live, purpose=purpose, category=category, item=str(item.id))
        if found.state is ChoiceState.REFUSED or accounts & world.erased:
            return True
    return False


@given(st.lists(SAID, min_size=2, max_size=9))
@settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow])
def test_old_releases_never_hand_out_what_was_withdrawn_and_nothing_else_leaves_them(said: list[Any]) -> None:
    play(said)


@pytest.mark.parametrize("broken", ["links", "everybody"])
def test_control_the_comparison_notices(broken: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if broken == "links":
        monkeypatch.setattr(AmendmentVerbs, "amend", lambda _: [])
        monkeypatch.setattr(AmendmentVerbs, "newest", lambda *_: 0)
    else:
        everybody = Reached(people=np.arange(1, 4, dtype=np.uint32), by_category={}, single=())
        nobody = Reached(people=np.empty(0, dtype=np.uint32), by_category={}, single=())
        monkeypatch.setattr(Present, "reached", lambda self, *_, **__: everybody if self.state.choices else nobody)
    refusal = Choice(purpose=GENAI, state=ChoiceState.REFUSED, reach=EVERYTHING, at=NOW)
    with pytest.raises(AssertionError):
        play([("choose", "stranger", refusal), ("link", "stranger", "p1")])


def play(said: list[Any]) -> None:
    """Say things, and compare after each what old releases hand out with what is worked out item by item."""
    with fresh() as (folder, first):
        deployment, world = first, World()
        deployment.control.statements.register_corpus(write_corpus(folder, [WORLD_ITEMS[:9], WORLD_ITEMS[9:]]))
        people = [RawPerson(id=name) for name in NAMES[:4]]
        deployment.control.statements.load_people(write_people(folder / "people", people))
        deployment.control.statements.publish(shipped()[POLICY], POLICY)
        world.load(people)
        held = {build(deployment, purpose=each): each for each in (GENAI, Purpose.TRAIN_GENAI_TEXT)}
        expected = {name: handed_out(deployment, name) for name in held}
        for verb, one, other in said:
            if verb == "choose":
                items = tuple(sorted(other.items))
                say(
                    deployment,
                    one,
                    other.state,
                    purpose=other.purpose,
                    reach=other.reach,
                    categories=other.categories,
                    items=items,
                    at=other.at,
                )
                world.choose(one, other)
            elif verb == "link" and one != other:
                deployment.control.statements.link(deployment.person(one), deployment.person(other))
                world.link(one, other)
            elif verb == "erase":
                deployment.control.statements.erase([deployment.person(one)])
                world.erase([one])
            elif verb == "build":
                name = build(deployment, purpose=one)
                if name not in held:
                    held[name] = one
                    expected[name] = handed_out(deployment, name)
            elif verb == "restart":
                deployment.close()
                deployment = open_deployment(folder / "home")
            for name, purpose in held.items():
                expected[name] -= {str(item.id) for item in WORLD_ITEMS if withdrawn(world, item, purpose)}
                assert handed_out(deployment, name) == expected[name], (verb, one, other, name)
        for name in held:
            assert [each.problem for each in deployment.control.releases.verify(name) if each.problem] == []
        shutil.rmtree(folder / "items")
        deployment.close()
