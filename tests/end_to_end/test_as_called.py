"""Hints say what to type as it has to be typed (`./run consentry`), and help says all of what a command is for."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

import consentry
from consentry.cli.called import CALLED_VARIABLE, as_called, at_home
from consentry.cli.invocation import Later
from consentry.cli.main import cli
from end_to_end.terminal import Terminal, ready, terminal

__all__ = ["ready", "terminal"]

ROOT = Path(__file__).parents[2]
SOURCE = Path(consentry.__file__).parent


@pytest.mark.parametrize(
    ("called", "typed"),
    [
        ("", "consentry"),
        ("./run", "./run consentry"),
        ("run", "./run consentry"),
        ("../a b/run", "'../a b/run' consentry"),
    ],
)
def test_a_hint_names_what_was_typed(ready: Terminal, monkeypatch: pytest.MonkeyPatch, called: str, typed: str) -> None:
    monkeypatch.setenv(CALLED_VARIABLE, called)
    said = ready.run("corpus", "show", "nowhere", status=1, as_json=False)
    assert "registered: network" in said
    said = ready.run("release", "build", "network", "--policy", "september-2024", as_json=False)
    assert f"Why is an item in, or out? {typed} release explain network." in said
    said = ready.run("case", "show", "nowhere", status=1, as_json=False)
    assert f"help: open one: {typed} case open" in said
    said = ready.run("release", "biuld", status=2, as_json=False)
    assert f"Usage: {typed} release" in said
    error = ready.run("case", "show", "nowhere", status=1)["error"]
    assert error["help"] == "open one: consentry case open", "a document says the same wherever it is made"


def test_a_home_that_was_named_is_named_again_and_only_then() -> None:
    try:
        for home, named in ((None, ""), (Path("my home"), "--home 'my home' ")):
            at_home(home)
            assert as_called("open one: consentry case open") == f"open one: consentry {named}case open"
            assert as_called("or consentry --home x serve") == "or consentry --home x serve"
    finally:
        at_home(None)


def test_what_is_no_command_stays_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(CALLED_VARIABLE, "./run")
    for said in (
        "use the version of consentry that wrote it, or a newer one",
        "name it in consentry.toml",
        "./consentry policy list",
        "a folder named consentry",
    ):
        assert as_called(said) == said
    assert as_called("`consentry init` or: consentry --home x serve") == (
        "`./run consentry init` or: ./run consentry --home x serve"
    )


def test_run_says_how_it_was_called() -> None:
    """The last thing it does before it becomes the command: what the variable is for a command, not for a test."""
    text = (ROOT / "run").read_text("utf-8")
    assert f'export {CALLED_VARIABLE}="$0"' in text[text.index("esac\nenvironment core") :]
    done = subprocess.run(
        [sys.executable, "-P", "-m", "consentry", "--home", "/nowhere/at/all", "case", "list"],
        env={CALLED_VARIABLE: "./run", "PYTHONPATH": str(SOURCE.parent)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "`./run consentry --home /nowhere/at/all init`" in done.stderr, done.stderr


def _groups(group: click.Group, *words: str) -> Iterator[tuple[str, ...]]:
    yield words
    for name, command in group.commands.items():
        found = command.load() if isinstance(command, Later) else command
        if isinstance(found, click.Group):
            yield from _groups(found, *words, name)


@pytest.mark.parametrize("words", sorted(_groups(cli)))
def test_no_summary_of_a_command_is_cut(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    said = terminal.run(*words, "--help", as_json=False)
    _, _, commands = said.partition("Commands:\n")
    assert commands
    assert "..." not in commands
    assert max(map(len, said.splitlines())) <= 80


def _hints() -> Iterator[tuple[str, str]]:
    for path in SOURCE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield from ((path.name, each) for each in re.findall(r"(?<![\w./-])consentry ([a-z-]+)", node.value))


def test_every_command_that_is_named_anywhere_is_one() -> None:
    known = {*cli.commands, "that", "--home"}
    found = list(_hints())
    assert len(found) > 50
    assert not {(name, each) for name, each in found if each not in known}
