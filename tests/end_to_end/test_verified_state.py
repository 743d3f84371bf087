"""`ledger verify` holds the state that decides against one folded anew: a kept one that is wrong is found."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace

import pytest

from consentry.bootstrap import open_deployment
from consentry.ledger.state import State
from end_to_end.terminal import Terminal, ready, terminal

__all__ = ["ready", "terminal"]

ASK = ("may", "ada", "--policy", "september-2024", "--category", "post")


@pytest.fixture
def refused(ready: Terminal) -> Terminal:
    ready.run("policy", "publish", "september-2024")
    ready.run("choice", "record", "ada", "refused")
    return ready


def keep(terminal: Terminal, *, forgetting: bool) -> None:
    """Keep the state on disk with the mark of the deployment, perhaps without what people chose."""
    with closing(open_deployment(terminal.home)) as deployment:
        desk = deployment.control.desk
        state: State = desk.present().state
        desk.kept.every = 1
        desk.kept.keep(replace(state, choices={}) if forgetting else state)
        assert desk.kept.position == state.position


def test_a_kept_state_that_is_right_is_verified(refused: Terminal) -> None:
    keep(refused, forgetting=False)
    assert refused.run("ledger", "verify")["state_differs"] is None
    refused.run("choice", "record", "b\u00f6", "refused")
    refused.run("people", "erase", "ada", "--yes")
    assert refused.run("ledger", "verify")["state_differs"] is None, "nor is one that was carried forward wrong"


def test_control_a_kept_state_that_forgot_a_refusal_is_found(refused: Terminal) -> None:
    assert not refused.run(*ASK, status=3)["allowed"]
    keep(refused, forgetting=True)
    assert refused.run(*ASK)["allowed"], "it decides"
    found = refused.run("ledger", "verify", status=3)
    assert (found["deleted_without_erasure"], found["state_differs"]["code"]) == (0, "ledger-state-differs")
    text = refused.run("ledger", "verify", status=3, as_json=False)
    assert "WRONG: " in text
    assert "[ledger-state-differs]" in text
    assert "gapless" not in text
    for each in (refused.home / "cache").glob("state-*.image"):
        each.unlink()
    assert refused.run("ledger", "verify")["state_differs"] is None
    assert not refused.run(*ASK, status=3)["allowed"]


def test_what_is_said_while_it_is_verified_counts_in_both(refused: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    from consentry.control_plane.desk import Desk

    present = Desk.present

    def and_then_somebody_speaks(desk: Desk) -> object:
        monkeypatch.setattr(Desk, "present", present)
        with closing(open_deployment(refused.home)) as other:
            other.control.statements.erase([other.person("ada")])
        return present(desk)

    monkeypatch.setattr(Desk, "present", and_then_somebody_speaks)
    assert refused.run("ledger", "verify")["state_differs"] is None
    assert Desk.present is present
