"""docs/cli.md is what the commands say, and errors name no command that is not there."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import click
from cli_page import command_in, page

from consentry.cli.main import cli

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "cli.md"
NAMED = re.compile(r"\bconsentry ([a-z][a-z-]*)(?: ([a-z][a-z-]*))?")


def test_the_page_is_current() -> None:
    advice = "write it anew: .run/test/bin/python -P tests/docs/cli_page.py > docs/cli.md"
    assert PAGE.read_text("utf-8") == page(), advice


def test_everything_on_the_page_is_explained() -> None:
    commands = [
        (f"{name} {each}", command)
        for name, group in ((name, command_in(cli, name)) for name in cli.commands)
        for each, command in (group.commands.items() if isinstance(group, click.Group) else [("", group)])
    ]
    assert len(commands) > 20
    options = [(name, each) for name, command in commands for each in command.params if isinstance(each, click.Option)]
    assert [name for name, command in commands if not command.help] == []
    assert [f"{name} {each.opts[0]}" for name, each in options if not each.help] == []


def named_in(source: str) -> Iterator[tuple[str, str]]:
    """Yield every command that the help line of an error names, with the word after it."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.keyword) and node.arg == "help":
            texts = [each.value for each in ast.walk(node.value) if isinstance(each, ast.Constant)]
            for group, name in NAMED.findall("X".join(each for each in texts if isinstance(each, str))):
                if group in cli.commands:
                    yield group, name


def is_there(group: str, name: str) -> bool:
    found = command_in(cli, group)
    return not (name and isinstance(found, click.Group)) or name in found.commands


def test_errors_name_commands_that_are_there() -> None:
    named = {(path.name, *each) for path in (ROOT / "src").rglob("*.py") for each in named_in(path.read_text("utf-8"))}
    assert len(named) > 20
    assert [each for each in sorted(named) if not is_there(*each[1:])] == []
    assert list(named_in("raise E(help=f'see {x}: consentry account key')")) == [("account", "key")]
    assert not is_there("account", "key"), "the control"
