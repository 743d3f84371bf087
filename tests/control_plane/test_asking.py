"""Asking about one person says what a release says of an item they create now, and leaves no trace."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event

import pyarrow as pa
import pytest

from consentry.bootstrap import Deployment
from consentry.errors import NotFoundError
from consentry.policy.vocabulary import Category, ChoiceState, Purpose, Reach, Visibility
from consentry.release.snapshot import Snapshot, Use
from end_to_end.network import RawItem, RawPerson, populated, write_people
from end_to_end.terminal import Terminal, ready, terminal  # noqa: F401 - fixtures
from end_to_end.test_story import NOW, POLICY, build, say

GENAI = Purpose.TRAIN_GENAI
PEOPLE = (
    RawPerson(id="ada"),
    RawPerson(id="bo", country="BR"),
    RawPerson(id="cy", same_as="ada"),
    RawPerson(id="gb", country="GB"),
    RawPerson(id="kid", age="minor"),
    RawPerson(id="gone", account="closed"),
    RawPerson(id="late"),
    RawPerson(id="lost", country=None),
)
STRANGER = "somebody-whom-nobody-knows"
ANYBODY = """
[policy_set]
name = "{name}"
version = "{version}"
title = "Everybody"
purposes = ["train-genai"]
[[permit]]
id = "everybody"
why = "a test"
legal_basis = "legitimate-interests"
"""
BUT_BRITONS = ANYBODY + '[[forbid]]\nid = "britons"\nwhy = "a test"\nwhere.inside = ["GB"]\n'


@pytest.fixture
def place() -> Iterator[tuple[Path, Deployment]]:
    items = [RawItem(id=person.id, author=person.id, created=NOW) for person in PEOPLE]
    with populated([[*items, RawItem(id="x", author=STRANGER)]], PEOPLE, POLICY) as started:
        yield started


def allowed(snapshot: Snapshot, person: str) -> bool:
    return snapshot.may(person, purpose=GENAI, category=Category.POST).allowed


def test_it_is_what_a_release_says(place: tuple[Path, Deployment]) -> None:
    _, deployment = place
    say(deployment, "cy")  # ada's other account
    say(deployment, "late", reach=Reach.FUTURE, at=NOW)
    release = build(deployment)
    snapshot = deployment.control.people.snapshot(POLICY, [GENAI], at=NOW)
    seen = {}
    for person in [*(str(each.id) for each in PEOPLE), STRANGER]:
        found = snapshot.may(person, purpose=GENAI, category=Category.POST)
        explained = deployment.control.releases.explain(release, "x" if person == STRANGER else person).body
        assert [str(each) for each in found.reasons] == [each["reason"] for each in explained["reasons"]], person
        seen[person] = found.allowed
    assert {person for person, may in seen.items() if may} == {"bo"}
    told = deployment.control.people.may("gb", Use(GENAI, Category.POST, Visibility.PUBLIC), policy=POLICY)
    assert told["reasons"] == deployment.control.releases.explain(release, "gb").body["reasons"]
    assert (told["allowed"], told["person"]) == (False, deployment.person("gb"))
    assert told["position"] == deployment.ledger.head()


def test_a_snapshot_stays_and_the_next_one_knows_more(place: tuple[Path, Deployment]) -> None:
    folder, deployment = place
    take = deployment.control.people.snapshot
    first = take(POLICY, [GENAI])
    assert allowed(first, "ada")
    say(deployment, "ada")
    deployment.control.statements.erase([deployment.person("bo")])
    assert allowed(first, "ada")
    second = take(POLICY, [GENAI], like=first)
    assert not allowed(second, "ada")
    assert not allowed(second, "bo")
    assert second.position == deployment.ledger.head()
    say(deployment, "ada", ChoiceState.ALLOWED)
    deployment.control.statements.load_people(write_people(folder / "people", [*PEOPLE, RawPerson(id=STRANGER)]))
    third = take(POLICY, [GENAI, Purpose.EVALUATE], like=second)
    assert [allowed(third, each) for each in ("ada", "bo", STRANGER)] == [True, False, True]
    everybody = [str(each.id) for each in PEOPLE]
    many = third.may_many(pa.array(everybody), purpose=GENAI, category=Category.POST).tolist()
    assert many == [allowed(third, each) for each in everybody]
    assert not third.may("ada", purpose=Purpose.EVALUATE, category=Category.POST).allowed  # not decided by this set


def test_whoever_asks_while_the_next_one_is_made_is_answered_by_one_of_the_two(place: tuple[Path, Deployment]) -> None:
    _, deployment = place
    take = deployment.control.people.snapshot
    taken = [take(POLICY, [GENAI])]
    answers: list[tuple[int, bool]] = []
    over = Event()

    def ask() -> None:
        while not over.is_set():
            snapshot = taken[-1]
            answers.append((snapshot.position, allowed(snapshot, "ada")))

    with ThreadPoolExecutor(1) as pool:
        asking = pool.submit(ask)
        try:
            for state in (ChoiceState.REFUSED, ChoiceState.ALLOWED) * 10:
                say(deployment, "ada", state)
                taken.append(take(POLICY, [GENAI], like=taken[-1]))
        finally:
            over.set()
            asking.result()
    assert 1 < len({position for position, _ in answers}) <= len(taken)
    assert not neither(answers, taken)
    before, after = taken[0].position, taken[1].position
    swapped = [(before, allowed(taken[1], "ada")), (after, allowed(taken[0], "ada")), (before + 1, True)]
    assert neither(swapped, taken) == swapped, "control: what no snapshot says is noticed"


def neither(answers: Sequence[tuple[int, bool]], taken: Sequence[Snapshot]) -> list[tuple[int, bool]]:
    """Return the answers that are not those of the snapshot at their position."""
    expected = {(each.position, allowed(each, "ada")) for each in taken}
    return [answer for answer in answers if answer not in expected]


def test_the_next_snapshot_goes_by_the_policy_in_force(place: tuple[Path, Deployment]) -> None:
    _, deployment = place
    deployment.control.statements.publish(ANYBODY.format(name="p", version="1"), "p.toml")
    first = deployment.control.people.snapshot("p", [GENAI])
    assert allowed(first, "gb")
    deployment.control.statements.publish(BUT_BRITONS.format(name="p", version="2"), "p.toml")
    second = deployment.control.people.snapshot("p", [GENAI], like=first)
    assert (allowed(first, "gb"), allowed(second, "gb")) == (True, False)
    # The other way round: nothing is taken over from a snapshot of another set.
    third = deployment.control.people.snapshot(POLICY, [GENAI], like=second)
    assert [allowed(third, each) for each in ("ada", "gb")] == [True, False]
    with pytest.raises(NotFoundError, match="policy-not-published"):
        deployment.control.people.snapshot("nothing", [GENAI])


def test_whoever_is_asked_about_leaves_no_trace(place: tuple[Path, Deployment]) -> None:
    folder, deployment = place
    deployment.control.desk.present()
    before = (deployment.ledger.head(), len(deployment.pseudonyms.index))
    for person in ("a-stranger-asked-about", "ada"):
        deployment.control.people.may(person, Use(GENAI, Category.POST, Visibility.PUBLIC), policy=POLICY)
    assert (deployment.ledger.head(), len(deployment.pseudonyms.index)) == before
    stored = [path for path in (folder / "home").rglob("*") if path.is_file()]
    assert len(stored) > 5
    assert [path for path in stored if b"a-stranger-asked-about" in path.read_bytes()] == []


def test_on_the_command_line(ready: Terminal) -> None:  # noqa: F811
    ask = ("may", "ada", "--policy", POLICY, "--category", "post")
    found = ready.run(*ask)
    assert (found["allowed"], found["purpose"], found["visibility"]) == (True, "train-genai", "public")
    assert found["reasons"][0]["rule"] == "members-outside-europe"
    text = ready.run(*ask, as_json=False)
    assert "A new post (public) may be used for train-genai" in text
    assert "policy line" in text
    ready.run("choice", "record", "ada", "refused")
    assert ready.run(*ask, status=3)["reasons"][0]["reason"] == "refused"
    assert "may not be used" in ready.run(*ask, status=3, as_json=False)
    assert ready.run("may", "zoe", *ask[2:], status=3)["reasons"][-1]["reason"] == "gap:residence-unknown"
    ready.run("may", "ada", "--policy", POLICY, "--category", "haiku", status=2)
    ready.fails("policy-not-published", "may", "ada", "--policy", "nothing", "--category", "post")
