"""docs/cli.md is what the commands say."""

from __future__ import annotations

from pathlib import Path

import click
from cli_page import command_in, page

from consentry.cli.main import cli

PAGE = Path(__file__).parents[2] / "docs" / "cli.md"


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
