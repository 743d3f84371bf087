"""A no that goes further than what is said now stays, whichever account of theirs said it, and that is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from consentry.bootstrap import Deployment
from consentry.policy.vocabulary import ChoiceState, Reach
from end_to_end import terminal as terminals
from end_to_end import test_story as story
from end_to_end.terminal import Terminal
from end_to_end.test_story import GENAI, NOW, say

place = story.place
terminal = terminals.terminal
ready = terminals.ready


@pytest.mark.parametrize(
    ("by", "stays"), [("ada", "everything"), ("cy", "everything"), ("gb", "everything"), ("bo", None)]
)
def test_the_match_of_an_objection_says_so(place: tuple[Path, Deployment], by: str, stays: str | None) -> None:
    """Ada's accounts are `ada`, `cy` by a table of people, and `gb` by a link; `bo` is somebody else."""
    _, deployment = place
    queue = deployment.control.objection_queue
    deployment.control.statements.link(deployment.person("gb"), deployment.person("ada"))
    filed = deployment.control.objections.file("me", answer_to="z", purpose=GENAI)

    def matched() -> str | None:
        queue.match_person(filed.objection, "ada", by="sam", reach=Reach.FUTURE, as_asked=True)
        found: str | None = queue.show(filed.objection).course[-1].words.get("stays")
        return found

    say(deployment, by, reach=Reach.EVERYTHING)
    assert matched() == stays
    say(deployment, by, ChoiceState.ALLOWED)
    assert matched() is None, "a yes of that account ended it"


@pytest.mark.parametrize(("later", "stays"), [(0, None), (1, "future")])
@pytest.mark.parametrize("by", ["ada", "bö"])
def test_the_command_line_says_so(
    ready: Terminal, by: str, later: int, stays: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    moment = [NOW]
    for module in ("consentry.bootstrap", "consentry.cli.people"):
        monkeypatch.setattr(f"{module}.now", lambda: moment[0])
    ready.run("people", "link", "ada", "bö")
    ready.run("choice", "record", by, "refused", "--reach", "everything")
    assert ready.run("choice", "record", "ada", "refused", "--reach", "future")["stays"] == "everything"
    text = ready.run("choice", "record", "ada", "refused", "--reach", "future", as_json=False)
    assert "goes further, and stays: everything. A yes with the account that said it, or taking it back, ends it." in (
        " ".join(text.split())
    )
    moment[0] += later
    ready.run("choice", "record", by, "allowed")
    # A yes of `ada` ended what `ada` said. One of `bö` did not, and that goes further by what was made in between.
    left = None if by == "ada" else stays
    assert ready.run("choice", "record", "ada", "refused", "--reach", "future")["stays"] == left
