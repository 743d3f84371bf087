"""From content and choices to a sealed release, said and read back through the control plane."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from consentry.bootstrap import Deployment, open_deployment
from consentry.errors import ConsentryError, CorpusError, IntegrityError, NotFoundError
from consentry.ledger.events import ChoiceMade, Source
from consentry.oversight.order import Scope
from consentry.policy.choice import Choice
from consentry.policy.library import shipped
from consentry.policy.policy_parser import load
from consentry.policy.vocabulary import Category, ChoiceState, Purpose, Reach
from consentry.release.explain import said_elsewhere
from consentry.release.iceberg_schema import FormatVersion
from consentry.release.materialise import CopyFormat
from end_to_end.network import Form, RawItem, RawPerson, fresh, populated, write_corpus, write_items, write_people

NOW = 1_730_000_000  # 27 October 2024
BEFORE = NOW - 86_400
GENAI = Purpose.TRAIN_GENAI
POLICY = "september-2024"

ITEMS = (
    RawItem(id="a1", author="ada", created=BEFORE),
    RawItem(id="a2", author="ada", created=NOW + 5, category="pic"),
    RawItem(id="b1", author="bo", created=BEFORE, involves=("ada",)),
    RawItem(id="c1", author="cy", created=BEFORE),
    RawItem(id="g1", author="gb", created=BEFORE),
    RawItem(id="x1", author=None, created=BEFORE),
    RawItem(id="n1", author="bo", created=BEFORE, involves=("mallory-no-member",)),
)
PEOPLE = (
    RawPerson(id="ada"),
    RawPerson(id="bo", country="BR"),
    RawPerson(id="cy", same_as="ada"),
    RawPerson(id="gb", country="GB"),
)


@pytest.fixture
def place() -> Iterator[tuple[Path, Deployment]]:
    with populated([ITEMS[:4], ITEMS[4:]], PEOPLE, POLICY) as started:
        yield started


def say(
    deployment: Deployment,
    person: str,
    state: ChoiceState = ChoiceState.REFUSED,
    *,
    purpose: Purpose = GENAI,
    reach: Reach = Reach.UNTRAINED,
    categories: frozenset[Category] = frozenset(),
    items: tuple[str, ...] = (),
    at: int = NOW,
) -> None:
    choice = Choice(
        purpose=purpose,
        state=state,
        reach=reach,
        at=at,
        categories=categories,
        items=frozenset(deployment.item("network", each) for each in items),
    )
    deployment.control.statements.choose(
        [ChoiceMade(person=deployment.person(person), choice=choice, source=Source.FORM)]
    )


def build(deployment: Deployment, policy: str = POLICY, *, purpose: Purpose = GENAI) -> str:
    return deployment.control.releases.build("network", purpose, policy=policy, at=NOW).manifest.release


def eligible(deployment: Deployment, release: str) -> set[str]:
    """Return the ids of the items that a reader of the files and the bitmaps sees."""
    opened = deployment.control.releases.open(release)
    corpus = deployment.control.desk.corpus("network")
    seen: set[str] = set()
    for file in opened.manifest.files:
        ids = pq.read_table(corpus.base / file.pin.path, columns=["id"]).column("id").to_pylist()
        seen |= {id_ for row, id_ in enumerate(ids) if not opened.excludes(file, row)}
    return seen


def test_who_is_in_and_who_is_not(place: tuple[Path, Deployment]) -> None:
    _, deployment = place
    assert eligible(deployment, build(deployment)) == {"a1", "b1", "c1"}  # pictures are not permitted by this set


def test_a_refusal_reaches_what_others_wrote_about_me_and_my_other_accounts(place: tuple[Path, Deployment]) -> None:
    _, deployment = place
    say(deployment, "cy")
    assert eligible(deployment, build(deployment)) == set()  # cy is ada's second account; ada is named in b1
    say(deployment, "cy", ChoiceState.UNSET)
    assert eligible(deployment, build(deployment)) == {"a1", "b1", "c1"}


def test_a_refusal_of_a_parent_purpose_covers_its_children_and_one_of_a_child_the_whole(
    place: tuple[Path, Deployment],
) -> None:
    _, deployment = place
    say(deployment, "bo", purpose=Purpose.TRAIN_GENAI_IMAGE)
    assert "b1" not in eligible(deployment, build(deployment))  # models of everything are models of images
    assert "b1" in eligible(deployment, build(deployment, purpose=Purpose.TRAIN_GENAI_TEXT))
    say(deployment, "bo", purpose=Purpose.TRAIN_AI)
    assert "b1" not in eligible(deployment, build(deployment, purpose=Purpose.TRAIN_GENAI_TEXT))


@pytest.mark.parametrize(("reach", "left"), [(Reach.FUTURE, True), (Reach.UNTRAINED, False), (Reach.EVERYTHING, False)])
def test_reach(place: tuple[Path, Deployment], reach: Reach, left: bool) -> None:
    _, deployment = place
    say(deployment, "bo", reach=reach, at=NOW)
    assert ("b1" in eligible(deployment, build(deployment))) is left
    say(deployment, "bo", reach=reach, at=BEFORE)
    assert "b1" not in eligible(deployment, build(deployment))


@pytest.mark.parametrize("categories", [frozenset(), frozenset({Category.POST})])
def test_a_refusal_of_a_part_that_looks_ahead(place: tuple[Path, Deployment], categories: frozenset[Category]) -> None:
    _, deployment = place
    image = Purpose.TRAIN_GENAI_IMAGE
    say(deployment, "bo", purpose=image, reach=Reach.FUTURE, at=NOW, categories=categories)
    assert "b1" in eligible(deployment, build(deployment))
    say(deployment, "bo", purpose=image, reach=Reach.FUTURE, at=BEFORE, categories=categories)
    assert "b1" not in eligible(deployment, build(deployment))
    say(deployment, "bo", purpose=image, reach=Reach.FUTURE, at=-1, categories=categories)
    assert "b1" not in eligible(deployment, build(deployment))
    assert "b1" in eligible(deployment, build(deployment, purpose=Purpose.TRAIN_GENAI_TEXT))


def test_single_items_and_categories(place: tuple[Path, Deployment]) -> None:
    _, deployment = place
    deployment.control.statements.publish(shipped()["opt-in-only"], "opt-in-only")
    assert eligible(deployment, build(deployment, "opt-in-only")) == set()
    say(deployment, "ada", ChoiceState.ALLOWED, items=("a1",))
    say(deployment, "ada", ChoiceState.ALLOWED, categories=frozenset({Category.IMAGE}))
    assert eligible(deployment, build(deployment, "opt-in-only")) == {"a1", "a2"}
    say(deployment, "ada", items=("a2",))
    assert eligible(deployment, build(deployment, "opt-in-only")) == {"a1"}


def test_a_choice_of_somebody_unknown_is_kept_and_applies_when_they_appear(place: tuple[Path, Deployment]) -> None:
    folder, deployment = place
    say(deployment, "zoe")
    late = (RawItem(id="z1", author="zoe", created=BEFORE), RawItem(id="y1", author="yan", created=BEFORE))
    write_items(folder / "items" / "2.parquet", late)
    deployment.control.statements.register_corpus(folder / "corpus.toml")
    assert "y1" not in eligible(deployment, build(deployment))
    people = (*PEOPLE, RawPerson(id="zoe"), RawPerson(id="yan"))
    deployment.control.statements.load_people(write_people(folder / "people", people))
    found = eligible(deployment, build(deployment))
    assert "y1" in found
    assert "z1" not in found


def test_a_non_member_can_refuse_and_is_a_gap_anyway(place: tuple[Path, Deployment]) -> None:
    _, deployment = place
    say(deployment, "mallory-no-member")
    explained = deployment.control.releases.explain(build(deployment), "n1")
    reasons = [reason["reason"] for reason in explained.body["people"][1]["reasons"]]
    assert reasons[0] == "refused"
    assert not explained.allowed


def test_explaining_names_the_rule_the_choice_and_the_position(place: tuple[Path, Deployment]) -> None:
    _, deployment = place
    allowed = deployment.control.releases.explain(build(deployment), "a1")
    (reason,) = allowed.body["reasons"]
    assert (reason["rule"], reason["legal_basis"]) == ("members-outside-europe", "legitimate-interests")
    assert reason["line"] > 0
    say(deployment, "cy")
    release = build(deployment)
    found = deployment.control.releases.explain(release, "a1").body
    (owner,) = found["people"]
    (choice,) = owner["choices"]
    assert (choice["state"], choice["another_account"]) == ("refused", True)
    assert choice["position"] == found["position"] - 1
    assert (choice["source"], choice["notice"]) == ("form", None)
    assert found["agrees_with_bitmap"]
    with pytest.raises(NotFoundError, match="item-unknown"):
        deployment.control.releases.explain(release, "no-such-item")


def test_a_yes_on_another_account_is_said_to_count_for_nothing_here(place: tuple[Path, Deployment]) -> None:
    _, deployment = place
    deployment.control.statements.publish(shipped()["opt-in-only"], "opt-in-only")
    say(deployment, "cy", ChoiceState.ALLOWED)
    release = build(deployment, "opt-in-only")
    told = {}
    for item in ("a1", "c1"):
        found = deployment.control.releases.explain(release, item)
        (choice,) = found.body["people"][0]["choices"]
        told[item] = found.allowed, choice["another_account"], said_elsewhere(choice)
    assert told == {"a1": (False, True, ", on another account: only a no counts here"), "c1": (True, False, "")}


def test_a_plan_counts_what_a_build_counts(place: tuple[Path, Deployment]) -> None:
    folder, deployment = place
    plain = [RawItem(id=f"p{number}", author=["ada", "bo", "gb", None][number % 4]) for number in range(40)]
    (folder / "items" / "1.parquet").unlink()
    write_items(folder / "items" / "0.parquet", plain)
    deployment.control.statements.register_corpus(folder / "corpus.toml")
    say(deployment, "bo", categories=frozenset({Category.POST}))
    planned = deployment.control.releases.plan("network", GENAI, policy=load(shipped()[POLICY], POLICY), at=NOW)
    built = deployment.control.releases.build("network", GENAI, policy=POLICY, at=NOW)
    assert planned.to_json()["counts"] == built.manifest.counts
    assert planned.undecided == 0
    without = deployment.control.releases.plan(
        "network",
        GENAI,
        policy=load(shipped()[POLICY], POLICY),
        at=NOW,
        suspended=Scope(areas=frozenset({"US-NY", "US"})),
    )
    assert without.to_json()["counts"]["eligible"] == 0


def test_differences_say_what_changed_and_why(place: tuple[Path, Deployment]) -> None:
    folder, deployment = place
    first = build(deployment)
    say(deployment, "ada")
    second = build(deployment)
    found = deployment.control.releases.compare(first, second)
    assert found["moves"] == [
        {"from": "eligible", "to": "refused", "items": 2},
        {"from": "eligible", "to": "involved:refused", "items": 1},
    ]
    assert [name for name, differs in found["causes"].items() if differs] == ["ledger"]
    write_items(folder / "items" / "0.parquet", ITEMS[:2])
    deployment.control.statements.register_corpus(folder / "corpus.toml")
    third = build(deployment)
    assert deployment.control.releases.compare(second, third)["files"]["changed"] == ["items/0.parquet"]
    # Both old releases still compare, though the file they share was registered anew since.
    assert deployment.control.releases.compare(first, second)["moves"] == found["moves"]


def test_positions_are_bound_to_bytes(place: tuple[Path, Deployment]) -> None:
    folder, deployment = place
    release = build(deployment)
    explained = deployment.control.releases.explain(release, "a1")
    write_items(folder / "items" / "0.parquet", tuple(reversed(ITEMS[:4])))
    with pytest.raises(CorpusError, match="corpus-file-changed"):
        build(deployment)
    deployment.control.statements.register_corpus(folder / "corpus.toml")
    for use in (
        lambda: deployment.control.releases.table(release, 2),
        lambda: deployment.control.releases.materialise(release, folder / "copy", kind=CopyFormat.JSONL),
    ):
        with pytest.raises(ConsentryError, match="release-file-changed"):
            use()
    assert deployment.control.releases.explain(release, "a1") == explained
    assert not (folder / "copy").exists()
    problems = {found.code for found in deployment.control.releases.verify(release, decide=True) if found.problem}
    assert problems == {"release-file-changed"}


def test_a_table_and_a_copy_hold_the_eligible_items(place: tuple[Path, Deployment]) -> None:
    folder, deployment = place
    release = build(deployment)
    versions: tuple[FormatVersion, ...] = (2, 3)
    for version in versions:
        report = deployment.control.releases.table(release, version)
        assert Path(report["metadata"]).is_file()
        assert report["rows"] - report["excluded"] == 3
    deployment.control.releases.materialise(release, folder / "copy", kind=CopyFormat.PARQUET)
    copied = {id_ for file in (folder / "copy").rglob("*.parquet") for id_ in pq.read_table(file)["id"].to_pylist()}
    assert copied == {"a1", "b1", "c1"}


def test_erasing_closes_every_account_also_for_those_who_come_back(place: tuple[Path, Deployment]) -> None:
    folder, deployment = place
    sealed = build(deployment)
    say(deployment, "ada")
    refused = build(deployment)
    assert deployment.control.releases.explain(refused, "a1").body["counted_as"] == "refused"
    assert deployment.control.statements.erase([deployment.person("cy")]) == 2  # cy and ada are one person
    assert list(deployment.history("ada")) == []
    late = (RawItem(id="a9", author="ada"), RawItem(id="b9", author="bo"))
    write_items(folder / "items" / "2.parquet", late)
    deployment.control.statements.register_corpus(folder / "corpus.toml")
    deployment.control.statements.load_people(write_people(folder / "people", PEOPLE))
    assert eligible(deployment, build(deployment)) == {"b9"}
    explained = deployment.control.releases.explain(sealed, "a1")
    assert explained.body["erased_since"]
    assert deployment.control.releases.explain(refused, "a1").body["counted_as"] is None, "not as it is decided now"
    assert not explained.allowed  # it was sealed with it, and it left when its author was erased
    assert [reason["reason"] for reason in explained.body["reasons"]] == ["amended:1"]
    compared = deployment.control.releases.compare(sealed, build(deployment))
    assert compared["reproduced"]
    assert {move["from"] for move in compared["moves"]} == {"erased-since"}
    problems = [found for found in deployment.control.releases.verify(sealed, decide=True) if found.problem]
    assert problems == []  # what was sealed before the erasure is not damaged by it


def test_an_older_copy_of_the_people_folder_does_not_reopen_the_erased(place: tuple[Path, Deployment]) -> None:
    folder, deployment = place
    people, kept = folder / "home" / "people", folder / "kept"
    bo = deployment.person("bo")
    deployment.control.desk.parts.people.seats_of([bo])
    shutil.copytree(people, kept)
    deployment.control.statements.erase([bo])
    shutil.rmtree(people)
    shutil.copytree(kept, people)
    restored = open_deployment(folder / "home")
    try:
        seats = restored.control.desk.parts.people.seats_of([bo])
        assert restored.pseudonyms.index.pseudonyms([int(seats[0]) - 1]) == [bo]
        assert seats[0] in restored.control.desk.parts.people.erased(restored.control.desk.present().state.erased)
    finally:
        restored.close()


def test_two_processes_share_a_deployment(place: tuple[Path, Deployment]) -> None:
    folder, first = place
    build(first)
    second = open_deployment(folder / "home")
    try:
        # The other process gives seats that this one has never seen, and somebody refuses there.
        newcomers = tuple(RawItem(id=f"w{number}", author=f"new{number}", created=BEFORE) for number in range(50))
        write_items(folder / "items" / "2.parquet", newcomers)
        second.control.statements.register_corpus(folder / "corpus.toml")
        people = (*PEOPLE, *(RawPerson(id=f"new{number}") for number in range(50)))
        second.control.statements.load_people(write_people(folder / "people", people))
        say(second, "new7")
        expected = {"a1", "b1", "c1"} | {item.id for item in newcomers} - {"w7"}
        assert eligible(first, build(first)) == expected
        second.control.statements.erase([second.person("new8")])
        assert eligible(first, build(first)) == expected - {"w8"}
    finally:
        second.close()


def test_an_unfinished_registration_is_not_built_from(place: tuple[Path, Deployment]) -> None:
    folder, deployment = place
    write_items(folder / "items" / "2.parquet", [RawItem(id="q", author="bo")])

    def fail(*_: object) -> range:
        raise OSError(28, "No space left on device")

    append = deployment.ledger.append
    deployment.ledger.append = fail  # type: ignore[method-assign,assignment]
    with pytest.raises(OSError, match="No space"):
        deployment.control.statements.register_corpus(folder / "corpus.toml")
    deployment.ledger.append = append  # type: ignore[method-assign]
    with pytest.raises(ConsentryError, match="corpus-not-recorded"):
        build(deployment)
    deployment.control.statements.register_corpus(folder / "corpus.toml")
    build(deployment)


def test_a_lost_sidecar_is_named_and_built_again(place: tuple[Path, Deployment]) -> None:
    folder, deployment = place
    for array in (folder / "home" / "corpora").rglob("klass.npy"):
        array.write_bytes(array.read_bytes()[:-1])
    with pytest.raises(ConsentryError, match="corpus-sidecar-missing"):
        build(deployment)
    for sidecar in (folder / "home" / "corpora").rglob("sidecar.json"):
        sidecar.unlink()
    assert deployment.control.statements.register_corpus(folder / "corpus.toml").built == 2
    assert eligible(deployment, build(deployment)) == {"a1", "b1", "c1"}


def test_people_folder_older_than_the_corpus_is_refused(place: tuple[Path, Deployment]) -> None:
    folder, deployment = place
    deployment.close()
    for name in ("pseudonyms.bin", "index.json"):
        (folder / "home" / "people" / name).unlink()
    with pytest.raises(IntegrityError, match="people-index-behind"):
        open_deployment(folder / "home")


@pytest.mark.parametrize(
    "form", [Form(ids="dictionary", text="dictionary"), Form(ids="large_string", involves="structs")]
)
def test_forms(form: Form) -> None:
    with fresh() as (folder, deployment):
        deployment.control.statements.register_corpus(write_corpus(folder, [ITEMS], form))
        deployment.control.statements.load_people(write_people(folder / "people", PEOPLE))
        deployment.control.statements.publish(shipped()[POLICY], POLICY)
        assert eligible(deployment, build(deployment)) == {"a1", "b1", "c1"}
