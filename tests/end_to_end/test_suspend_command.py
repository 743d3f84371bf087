"""`consentry suspend` at the terminal: nothing is suspended by leaving something out, and it says what it holds."""

from __future__ import annotations

import pytest

from end_to_end.terminal import Terminal, build, ready, terminal

__all__ = ["ready", "terminal"]

SAID = ("--reference", "letter")


def test_without_a_scope_it_takes_a_word_of_its_own(ready: Terminal) -> None:
    for more in ((), ("--dry-run",), ("--area", "UK", "--everywhere")):
        assert "--everywhere" in ready.run("suspend", "--case", "all", *SAID, *more, status=2)["error"]["message"]
    assert ready.run("order", "list")["orders"] == []
    ready.run("suspend", "--case", "all", *SAID, "--everywhere", "--dry-run")
    ready.run("suspend", "--case", "all", *SAID, "--everywhere")
    (order,) = ready.run("order", "list")["orders"]
    assert not any(order["scope"].values())


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("case-name", ("--case", "UK 2026", "--area", "UK", *SAID)),
        ("case-text", ("--case", "uk", "--area", "UK", "--reference", " ")),
        ("case-handle", ("--case", "uk", "--area", "UK", *SAID, "--by", "Ann Smith")),
        ("case-over", ("--case", "gone", "--area", "UK", *SAID)),
    ],
)
def test_a_dry_run_refuses_what_the_order_would(ready: Terminal, code: str, words: tuple[str, ...]) -> None:
    ready.run("case", "open", "gone", "--title", "x", *SAID, "--by", "ann")
    ready.run("case", "withdraw", "gone", *SAID, "--by", "ann", status=3)
    ready.run("case", "withdraw", "gone", *SAID, "--by", "ben")
    for more in ((), ("--dry-run",)):
        ready.fails(code, "suspend", *words, *more)
    assert ready.run("order", "list")["orders"] == []


def test_it_points_out_that_the_very_same_was_suspended_before(ready: Terminal) -> None:
    said = ("suspend", "--case", "uk", "--area", "UK", *SAID)
    assert "already" not in ready.run(*said, "--dry-run", as_json=False)
    assert "before" not in ready.run(*said, as_json=False)
    assert "suspended already, by uk.1" in ready.run(*said, "--dry-run", as_json=False)
    assert ready.run(*said, "--dry-run")["alike"] == ["uk.1"]
    assert "The very same was suspended before, by uk.1: each holds until" in ready.run(*said, as_json=False)
    assert "before" not in ready.run(*said, "--area", "FR", as_json=False)


def test_it_says_what_is_held_beside_jobs(ready: Terminal) -> None:
    ready.run("model", "register", "m")
    text = ready.run("suspend", "--case", "uk", "--area", "UK", *SAID, as_json=False)
    assert "No job reads what it hits." in text
    assert "no longer readable. Which that is: consentry release list" in text
    assert "held from being served. Ask: consentry model may-serve NAME" in text
    text = ready.run("suspend", "--case", "one", "--model", "m", *SAID, as_json=False)
    assert "Held from being served: m, and what is built on that" in text
    assert "readable" not in text, "an order about models bars no release"
    text = ready.run("suspend", "--case", "training", "--purpose", "train-ai", *SAID, as_json=False)
    assert "served" not in text
    assert "release list" in text


def test_a_list_of_releases_says_which_an_order_bars(ready: Terminal) -> None:
    name = build(ready)["release"]
    (one,) = ready.run("release", "list")["releases"]
    assert one["barred"] is None
    assert "barred by" not in ready.run("release", "list", as_json=False)
    ready.run("suspend", "--case", "uk", *SAID, "--everywhere")
    (one,) = ready.run("release", "list")["releases"]
    assert (one["release"], one["barred"]["order"]) == (name, "uk.1")
    assert "barred by uk.1" in ready.run("release", "list", as_json=False)
    ready.run("release", "withdraw", name, "--reason", "x", "--by", "ann", "--yes")
    text = ready.run("release", "list", as_json=False)
    assert "withdrawn" in text
    assert "barred by" not in text, "nobody reads it again either way"
