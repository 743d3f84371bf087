"""A notice that was served to people who had refused is recorded as it happened, and it is said how many they were."""

from __future__ import annotations

import time

from consentry.bootstrap import open_deployment
from consentry.ledger.events import NoticeServed
from end_to_end.terminal import Terminal, ready, terminal

__all__ = ["ready", "terminal"]

HALF_AN_HOUR_S = 1_800


def test_it_says_how_many_of_those_told_had_refused(ready: Terminal) -> None:
    ids = ready.folder / "ids.txt"
    ids.write_text("ada\nbö\nada\nstranger\n", "utf-8")
    text = ready.run("notice", "serve", "n-1", ids, as_json=False)
    assert "3 people" in text
    assert "had refused" not in text, "the control: nobody refused"
    assert text.count("WARNING") == 1
    assert "WARNING: 1 of them is in no people table and no corpus." in text
    ready.run("choice", "record", "ada", "refused")
    ready.run("choice", "record", "bö", "refused", "--category", "image")
    made = ready.run("notice", "serve", "n-1", ids)
    assert (made["people"], made["had_refused"], made["purpose"]) == (3, 1, "train-genai")
    text = ready.run("notice", "serve", "n-1", ids, as_json=False)
    assert "3 people" in text, "it happened, so it is recorded"
    assert "WARNING: 1 of them had refused train-genai before, or were erased." in text
    assert "consentry notice audience FILE" in text
    assert ready.run("notice", "audience", ids)["left_out"] == made["had_refused"]


def test_a_cohort_is_recorded_by_the_digest_of_exactly_those_who_were_told(ready: Terminal) -> None:
    ids = ready.folder / "ids.txt"
    ids.write_text("ada\nbö\nada\nstranger\n", "utf-8")
    ready.run("notice", "serve", "n-1", ids)
    ready.run("notice", "serve", "n-1", "--person", "ada")
    deployment = open_deployment(ready.folder / "home")
    try:
        served = [each.body for each in deployment.ledger.read() if isinstance(each.body, NoticeServed)]
        cohorts = [deployment.control.desk.parts.people.cohort(each.cohort) for each in served]
        told = [[deployment.person(each) for each in people] for people in (("ada", "bö", "stranger"), ("ada",))]
        assert [sorted(each) for each in cohorts] == [sorted(each) for each in told]
        assert [each.count for each in served] == [3, 1]
        assert len({each.cohort for each in served}) == 2
    finally:
        deployment.close()


def test_who_refused_after_they_were_told_had_not_refused_then(ready: Terminal) -> None:
    ready.run("choice", "record", "ada", "refused")
    told = ("notice", "serve", "n-1", "--person", "ada")
    assert ready.run(*told, "--at", int(time.time()) - HALF_AN_HOUR_S)["had_refused"] == 0
    assert ready.run(*told, "--purpose", "serve")["had_refused"] == 0
    assert ready.run(*told)["had_refused"] == 1


def test_it_says_how_many_of_those_told_nothing_here_has(ready: Terminal) -> None:
    made = ready.run("notice", "serve", "genai-2024", "--person", "ada", "--person", "adda", "--person", "nobody")
    assert (made["people"], made["unknown_people"]) == (3, 2)
    assert "WARNING" not in ready.run("notice", "serve", "genai-2024", "--person", "ada", as_json=False)
    ready.run("people", "erase", "ada", "--yes")
    made = ready.run("notice", "serve", "genai-2024", "--person", "ada", "--person", "adda")
    assert (made["had_refused"], made["unknown_people"]) == (1, 1), "who was erased was known"
