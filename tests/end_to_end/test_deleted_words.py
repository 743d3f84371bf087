"""What people said is deleted from the ledger by hand: nothing is answered as if they had never said it."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from consentry.bootstrap import open_deployment
from consentry.errors import IntegrityError
from consentry.ledger.state import unexplained
from end_to_end.terminal import Terminal, ready, terminal

__all__ = ["ready", "terminal"]

ASK = ("may", "ada", "--policy", "september-2024", "--category", "post")
BUILD = ("release", "build", "network", "--policy", "september-2024")


def delete_word_of(home: Path, *, position: int) -> None:
    with closing(sqlite3.connect(home / "ledger.db")) as connection, connection:
        assert connection.execute("DELETE FROM personal WHERE position = ?", (position,)).rowcount == 1


def test_a_refusal_that_somebody_deleted_is_no_yes(ready: Terminal) -> None:
    ready.run("policy", "publish", "september-2024")
    assert ready.run(*ASK)["allowed"], "the control: nobody refused"
    position = ready.run("choice", "record", "ada", "refused")["position"]
    assert not ready.run(*ASK, status=3)["allowed"]
    delete_word_of(ready.home, position=position)
    for words in (ASK, BUILD, ("release", "list"), ("choice", "record", "ada", "refused")):
        error = ready.fails("ledger-documents-deleted", *words)
        assert "gone from 1 event," in error["message"]
    assert ready.run("ledger", "verify", status=3)["deleted_without_erasure"] == 1


def test_a_program_that_runs_notices_it_as_soon_as_it_reads_it_anew(ready: Terminal) -> None:
    position = ready.run("choice", "record", "ada", "refused")["position"]
    ready.run("choice", "record", "bö", "refused")
    delete_word_of(ready.home, position=position)
    with closing(open_deployment(ready.home)) as deployment:
        for _ in range(2):
            with pytest.raises(IntegrityError, match="ledger-documents-deleted"):
                deployment.control.desk.present()
        with pytest.raises(IntegrityError, match="ledger-documents-deleted"), deployment.control.desk.at_head():
            pass


def test_an_erasure_accounts_for_what_it_deletes(ready: Terminal) -> None:
    ready.run("policy", "publish", "september-2024")
    for state in ("refused", "allowed", "refused"):
        ready.run("choice", "record", "ada", state)
    ready.run("people", "erase", "ada", "--yes")
    ready.run("choice", "record", "bö", "refused")
    assert not ready.run(*ASK, status=3)["allowed"]
    assert ready.run("ledger", "verify")["deleted_without_erasure"] == 0


def test_an_erasure_that_comes_while_the_ledger_is_read_is_no_deletion(
    ready: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The head is asked for, then somebody is erased, then what lies before that head is read."""
    ready.run("choice", "record", "ada", "refused")
    ready.run("choice", "record", "bö", "refused")
    with closing(open_deployment(ready.home)) as reader, closing(open_deployment(ready.home)) as other:
        ledger, erased = reader.control.desk.parts.ledger, list[int]()
        head = type(ledger).head

        def and_then_somebody_erases(self: object) -> int:
            found = head(ledger)
            if self is ledger and not erased:
                erased.append(other.control.statements.erase([other.person("ada")]))
                assert unexplained(ledger.read(0, found)) == 1, "what is read now is not accounted for"
            return found

        monkeypatch.setattr(type(ledger), "head", and_then_somebody_erases)
        present = reader.control.desk.present()
        assert erased
        assert present.position == head(ledger)
        assert present.unaccounted == 0


def test_shipped_sets_are_shown_while_that_is_so(ready: Terminal) -> None:
    position = ready.run("choice", "record", "ada", "refused")["position"]
    delete_word_of(ready.home, position=position)
    text = ready.run("policy", "show", "september-2024", as_json=False)
    assert "What is in force here cannot be read" in text
    ready.fails("ledger-documents-deleted", "policy", "show", "a-set-of-our-own")
