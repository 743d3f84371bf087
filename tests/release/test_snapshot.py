"""Asking about one person gives what the evaluator says of a new item of theirs; asking about many gives the same."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from consentry.bootstrap import Deployment, open_deployment
from consentry.connectors.synthetic.generate import generate
from consentry.policy.choice import standing
from consentry.policy.evaluator import evaluate_person
from consentry.policy.expressions import Item, Person, Rule
from consentry.policy.library import shipped
from consentry.policy.policy_parser import load
from consentry.policy.vocabulary import Category, Purpose, Visibility
from consentry.release.snapshot import Snapshot, take

AT = 1_725_000_000
PURPOSE = Purpose.TRAIN_GENAI
CATEGORIES = (Category.POST, Category.IMAGE, Category.DIRECT_MESSAGE, Category.RESUME)


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> tuple[Deployment, list[str]]:
    folder = tmp_path_factory.mktemp("network")
    generate(folder / "content", people=600, items=1_200)
    deployment = open_deployment(folder / "home")
    deployment.control.statements.load_people(folder / "content" / "people.toml")
    corpus = deployment.control.statements.register_corpus(folder / "content" / "corpus.toml").corpus
    deployment.import_choices(folder / "content" / "choices.csv", corpus=corpus.name)
    ids = pq.read_table(folder / "content" / "people.parquet", columns=["id"]).column("id").to_pylist()
    return deployment, ids


def rules(name: str) -> tuple[Rule, ...]:
    return load(shipped()[name], name).rules


def snapshot_of(deployment: Deployment, name: str) -> Snapshot:
    names = deployment.pseudonyms
    present = deployment.control.desk.present()
    return take(present, {PURPOSE: rules(name)}, index=names.index, key=names.key.for_people(), at=AT)


def person_now(deployment: Deployment, person: str, category: Category) -> Person:
    """What is known of somebody, with what they and their other accounts chose, straight from the ledger's state."""
    present = deployment.control.desk.present()
    pseudonym = deployment.person(person)
    seat = int(deployment.control.desk.parts.people.seats_of([pseudonym])[0])
    classes = present.knowledge(PURPOSE, at=AT).classes
    facts = classes.members[int(classes.codes[seat])]
    assert facts is not None
    own = [stated.choice for stated in present.state.choices.get(pseudonym, ())]
    for other in present.accounts(seat):
        account = deployment.control.desk.parts.people.pseudonyms_of([other])[0]
        if account != pseudonym:
            said = present.state.choices.get(account, ())
            own += [stated.choice for stated in said if stated.choice.state == "refused"]
    general = [choice for choice in own if choice.key.item is None]
    return facts.person(standing(general, purpose=PURPOSE, category=category))


@pytest.mark.parametrize("policy", ["august-2024", "opt-in-only"])
def test_asking_about_one_is_what_the_evaluator_says(network: tuple[Deployment, list[str]], policy: str) -> None:
    deployment, ids = network
    snapshot = snapshot_of(deployment, policy)
    applicable = [rule for rule in rules(policy) if rule.applies_to(PURPOSE)]
    for category in CATEGORIES:
        item = Item(category=category, visibility=Visibility.PUBLIC, created=AT)
        for person in ids:
            expected = evaluate_person(applicable, person_now(deployment, person, category), item=item, at=AT)
            assert snapshot.may(person, purpose=PURPOSE, category=category) == expected


def test_asking_about_many_is_asking_about_each(network: tuple[Deployment, list[str]]) -> None:
    deployment, ids = network
    snapshot = snapshot_of(deployment, "august-2024")
    people = [*ids, "nobody-we-know", "", None]
    found = snapshot.may_many(pa.array(people), purpose=PURPOSE, category=Category.POST).tolist()
    each = [
        snapshot.may(person, purpose=PURPOSE, category=Category.POST).allowed if person else False for person in people
    ]
    assert found == each
    assert any(found)
    assert not all(found)


def test_a_stranger_is_denied(network: tuple[Deployment, list[str]]) -> None:
    decision = snapshot_of(network[0], "august-2024").may("nobody-we-know", purpose=PURPOSE, category=Category.POST)
    assert not decision.allowed
    assert "person-unknown" in decision.gaps
