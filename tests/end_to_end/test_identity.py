"""A home is opened with its own ledger and its own keys, or not at all, and a refusal leaves everything as it was.

The control takes the comparison away: then a wrong key and a wrong ledger open without a word, and do what they must
not.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from consentry import bootstrap, opening
from consentry.bootstrap import open_deployment
from consentry.cli.main import main
from consentry.doctor.finding import State
from consentry.errors import ConsentryError
from consentry.identity import IDENTITY_FILE
from consentry.policy.vocabulary import Purpose
from end_to_end.network import RawItem, RawPerson, write_corpus, write_people
from end_to_end.test_story import eligible
from end_to_end.two_homes import (
    CHANGES,
    LEDGER,
    NOW,
    POLICY,
    URL,
    Change,
    Two,
    code_of,
    finding,
    identity,
    opens,
    refused,
    the_others_key,
    the_others_ledger,
)


def test_the_first_opening_writes_it_and_no_later_one(two: Two) -> None:
    before = (two.own / IDENTITY_FILE).stat()
    assert opens(two.own) == {"p2"}
    after = (two.own / IDENTITY_FILE).stat()
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)
    own, other = identity(two.own), identity(two.other)
    assert len({own.ledger, other.ledger, own.pseudonym_key, other.pseudonym_key}) == 4
    assert own.signing_key != other.signing_key
    assert finding(two.own)[0] is State.OK


@pytest.mark.parametrize(("change", "code"), CHANGES)
def test_what_belongs_to_another_is_refused(two: Two, change: Change, code: str) -> None:
    kept = two.own.with_name("kept")
    shutil.copytree(two.own, kept)
    change(two)
    assert code_of(two.own) == code
    state, found = finding(two.own)
    assert state is State.PROBLEM
    assert code not in found
    shutil.rmtree(two.own)
    kept.rename(two.own)
    assert opens(two.own) == {"p2"}
    assert finding(two.own)[0] is State.OK


def test_the_address_of_another_ledger_is_refused(two: Two, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(URL, f"sqlite:///{two.other / 'ledger.db'}")
    assert code_of(two.own) == LEDGER
    assert finding(two.own)[0] is State.PROBLEM
    monkeypatch.setenv(URL, f"sqlite:///{two.own / 'ledger.db'}")
    assert opens(two.own) == {"p2"}


def test_a_home_that_knows_its_ledger_never_begins_a_new_one(two: Two) -> None:
    shutil.rmtree(two.own / "keys")
    (two.own / "ledger.db").unlink()
    assert code_of(two.own) == "ledger-missing"
    assert not (two.own / "ledger.db").exists()


@pytest.mark.parametrize(("change", "code"), CHANGES)
def test_the_command_line_says_what_to_do(
    two: Two, change: Change, code: str, capsys: pytest.CaptureFixture[str]
) -> None:
    change(two)
    error = said(two.own, capsys, "release", "list")["error"]
    assert error["code"] == code
    assert "restore" in error["help"]
    found = {each["name"]: each for each in said(two.own, capsys, "doctor")["findings"]}
    assert found["identity"]["state"] == "problem"
    assert found["identity"]["remedy"] == error["help"]


def said(home: Path, capsys: pytest.CaptureFixture[str], *words: str) -> Any:
    with pytest.raises(SystemExit) as left:
        main(["--home", str(home), "--json", *words])
    assert left.value.code == 1
    return json.loads(capsys.readouterr().out)


# The control


def without_comparison(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take out every check of what belongs together, that of the newest event and seal included."""
    monkeypatch.setattr(opening, "require_ledger", lambda *_: None)
    for name in ("require_pseudonym_key", "require_signing_key"):
        monkeypatch.setattr(bootstrap, name, lambda *_: None)
    monkeypatch.setattr(bootstrap, "require_newest", lambda *_, **__: None)


def test_control_without_the_comparison_a_refusal_is_forgotten(two: Two, monkeypatch: pytest.MonkeyPatch) -> None:
    without_comparison(monkeypatch)
    the_others_key(two)
    deployment = open_deployment(two.own)
    seats = len(deployment.pseudonyms.index)
    again = two.own.with_name("again")
    deployment.control.statements.register_corpus(write_corpus(again, [[RawItem(id="new", author="p2")]]))
    deployment.control.statements.load_people(write_people(again / "people", [RawPerson(id="p2")]))
    assert len(deployment.pseudonyms.index) == seats + 1, "who refused has a second seat"
    built = deployment.control.releases.build("network", Purpose.TRAIN_GENAI, policy=POLICY, at=NOW).manifest
    assert eligible(deployment, built.release) == {"new"}, "and what they wrote is used"
    deployment.close()
    the_others_ledger(two)
    deployment = open_deployment(two.own)
    assert refused(deployment) == {"p3"}, "somebody else's choices count"
    deployment.close()


def test_control_the_tests_would_notice(two: Two, monkeypatch: pytest.MonkeyPatch) -> None:
    without_comparison(monkeypatch)
    for change, _ in CHANGES[:5]:
        change(two)
        try:
            open_deployment(two.own).close()
        except ConsentryError as error:
            pytest.fail(f"something else refuses it: {error}")
