"""Receipts of a deployment: for what was said, held against the ledger, and on the command line."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from consentry.bootstrap import Deployment, published_key
from consentry.cli.main import cli
from consentry.control_plane.receipts import Stands
from consentry.errors import ConsentryError
from consentry.ledger.events import ChoiceMade, Source
from consentry.policy.choice import Choice
from consentry.policy.library import shipped
from consentry.policy.policy_set import OUT_OF_FORCE
from consentry.policy.vocabulary import ChoiceState, Purpose, Reach
from consentry.transparency.receipt import NoticeRead, Receipt, check_receipt
from end_to_end.network import fresh


@pytest.fixture
def place() -> Iterator[tuple[Path, Deployment]]:
    with fresh() as (folder, deployment):
        yield folder, deployment


def choose(deployment: Deployment, person: str, *, notice: str | None = None) -> int:
    at = deployment.control.desk.parts.clock() - 1
    choice = Choice(purpose=Purpose.TRAIN_GENAI, state=ChoiceState.REFUSED, reach=Reach.UNTRAINED, at=at)
    said = ChoiceMade(person=deployment.person(person), choice=choice, source=Source.SETTINGS, notice=notice)
    deployment.control.statements.choose([said])
    return deployment.ledger.head() - 1


def write(deployment: Deployment, text: bytes) -> None:
    deployment.control.notices.write("genai", text, languages=["en"], channel="mail", audience="all")


def checked(folder: Path, content: bytes) -> Receipt:
    key = published_key(folder / "home")
    assert key is not None
    return check_receipt(content, public_key=key)


def test_a_receipt_says_what_was_in_force_then_and_not_later(place: tuple[Path, Deployment]) -> None:
    folder, deployment = place
    control = deployment.control
    control.statements.publish(shipped()["august-2024"], "august-2024")
    write(deployment, b"one")
    write(deployment, b"two")
    position = choose(deployment, "ada", notice="genai")
    content = control.receipts.for_choice(deployment.person("ada"))
    receipt = checked(folder, content)
    assert receipt.ledger.position == position
    assert receipt.notice == NoticeRead(notice="genai", version=2)
    assert [each.name for each in receipt.policies] == ["august-2024"]
    (event,) = deployment.ledger.read(position, position + 1)
    assert receipt.ledger.commitment == event.commitment.hex()
    assert receipt.effective_at == event.recorded_at
    assert receipt.ledger.id == deployment.ledger.identity().ledger
    control.statements.publish(shipped()["september-2024"], "september-2024")
    write(deployment, b"three")
    choose(deployment, "bo")
    assert control.receipts.of(position) == content, "a receipt is the same whenever it is given"
    assert re.search(rb"\bada\b", content) is None, "a word of its own: digests may hold these letters"


def test_a_set_that_is_withdrawn_is_not_among_the_rules_in_force(place: tuple[Path, Deployment]) -> None:
    folder, deployment = place
    control = deployment.control
    for name in ("august-2024", "september-2024"):
        control.statements.publish(shipped()[name], name)
    before = choose(deployment, "ada")
    control.statements.publish(OUT_OF_FORCE.format(name="august-2024"), "august-2024")
    after = choose(deployment, "ada")
    in_force = [checked(folder, control.receipts.of(each)).policies for each in (before, after)]
    assert [[each.name for each in sets] for sets in in_force] == [
        ["august-2024", "september-2024"],
        ["september-2024"],
    ]


def test_there_is_a_receipt_for_every_answer_and_it_names_no_member_of_staff(place: tuple[Path, Deployment]) -> None:
    folder, deployment = place
    filed = deployment.control.objections.file("https://x.example/1", answer_to="zoe@example.org")
    received = checked(folder, deployment.control.receipts.for_objection(filed.objection))
    assert received.about == {
        "what": "objection",
        "objection": filed.objection,
        "purpose": "train-ai",
        "due": filed.due,
    }
    assert received.opening is None
    deployment.control.objection_queue.not_found(filed.objection, tried="the link", by="sam")
    answered = checked(folder, deployment.control.receipts.of(deployment.ledger.head() - 2))
    assert answered.about == {"what": "objection", "objection": filed.objection}
    assert answered.ledger.kind == "objection.not-found"


@pytest.mark.parametrize("position", [-1, 0, 2, 10**9])
def test_there_is_none_for_anything_else(place: tuple[Path, Deployment], position: int) -> None:
    _, deployment = place
    deployment.control.statements.publish(shipped()["august-2024"], "august-2024")
    choose(deployment, "ada")
    with pytest.raises(ConsentryError) as caught:
        deployment.control.receipts.of(position)
    assert caught.value.code == "receipt-nothing"


def test_what_was_erased_has_no_receipt_and_one_that_was_kept_still_verifies(place: tuple[Path, Deployment]) -> None:
    folder, deployment = place
    position = choose(deployment, "ada")
    kept = deployment.control.receipts.for_choice(deployment.person("ada"))
    deployment.control.statements.erase([deployment.person("ada")])
    with pytest.raises(ConsentryError):
        deployment.control.receipts.for_choice(deployment.person("ada"))
    with pytest.raises(ConsentryError):
        deployment.control.receipts.of(position)
    (event,) = deployment.ledger.read(position, position + 1)
    assert checked(folder, kept).ledger.commitment == event.commitment.hex()


def test_a_receipt_is_checked_where_there_is_no_deployment(place: tuple[Path, Deployment]) -> None:
    folder, deployment = place
    choose(deployment, "ada")
    receipt, key = folder / "ada.json", folder / "key.pem"
    receipt.write_bytes(deployment.control.receipts.for_choice(deployment.person("ada"), opening=False))
    key.write_bytes((folder / "home" / "keys" / "signing.pub.pem").read_bytes())
    nowhere = str(folder / "nowhere")

    def run(*arguments: str | Path) -> tuple[int, str]:
        words = ["--home", nowhere, "--json", "receipt", "verify", *map(str, arguments)]
        done = CliRunner().invoke(cli, words, standalone_mode=False)
        if isinstance(done.exception, ConsentryError):
            return 1, done.exception.code
        return int(done.return_value), done.output

    status, shown = run(receipt, "--key", key)
    assert (status, json.loads(shown)["verified"]) == (0, True)
    assert run(receipt) == (1, "receipt-key-missing")
    assert run(receipt, "--key", receipt) == (1, "signing-key-unreadable")
    receipt.write_bytes(receipt.read_bytes()[:-1])
    status, shown = run(receipt, "--key", key)
    assert (status, json.loads(shown)["code"]) == (3, "receipt-damaged")
    assert not Path(nowhere).exists(), "checking a receipt makes no deployment"


def test_a_ledger_is_asked_about_its_own_receipts_only(place: tuple[Path, Deployment]) -> None:
    folder, deployment = place
    choose(deployment, "ada")
    receipts = deployment.control.receipts
    own = checked(folder, receipts.for_choice(deployment.person("ada"))).ledger
    assert receipts.stands(own) is Stands.HERE
    assert receipts.stands(replace(own, commitment="00" * 32)) is Stands.MISSING, "another event stands there"
    assert receipts.stands(replace(own, position=deployment.ledger.head())) is Stands.MISSING, "it ends before"
    assert receipts.stands(replace(own, id="another")) is Stands.UNKNOWN
