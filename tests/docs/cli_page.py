"""Writes docs/cli.md from the commands themselves.

.run/test/bin/python -P tests/docs/cli_page.py > docs/cli.md
"""

from __future__ import annotations

import sys
from collections.abc import Iterator

import click

from consentry.cli.main import cli

_HEAD = """\
# Commands

This page is made from the commands; a test keeps it current. In a checkout write `./run consentry` for `consentry`.

Every command takes `--home DIR` (before the command) and `--json` (anywhere); `consentry --version` takes it as well.
Results go to standard output, everything else to standard error, where a terminal shows how far work is that takes more
than a second. The exit status is 0 for done or yes, 1 for an error, 2 for a command used wrongly, **3 if the
answer is no**, 130 if interrupted. [errors.md](errors.md) explains the errors.
"""


def page() -> str:
    """Return the page."""
    chapters = (line for name in _names(cli) for line in _chapter(command_in(cli, name), name))
    return "\n".join([_HEAD, *_index(), *chapters])


def _names(group: click.Group) -> list[str]:
    return list(group.commands)


def command_in(group: click.Group, name: str) -> click.Command:
    """Return a command as it is found on a command line: some are imported only then."""
    found = group.resolve_command(click.Context(group), [name])[1]
    assert found is not None
    return found


def _index() -> Iterator[str]:
    yield "| command | what it does |"
    yield "|---|---|"
    for name in _names(cli):
        command = command_in(cli, name)
        yield f"| [`{name}`](#{name}) | {_sentence(command)} |"
    yield ""


def _sentence(command: click.Command) -> str:
    return " ".join((command.help or "").split("\n\n")[0].split())


def _chapter(command: click.Command, name: str) -> Iterator[str]:
    yield f"## {name}"
    yield ""
    if not isinstance(command, click.Group):
        yield from _entry(command, name)
        return
    yield _sentence(command)
    yield ""
    yield from _below(command, name)


def _below(group: click.Group, name: str) -> Iterator[str]:
    """The commands of a group, those of the groups in it under their full names."""
    for each in _names(group):
        command = command_in(group, each)
        if isinstance(command, click.Group):
            yield from _below(command, f"{name} {each}")
            continue
        yield f"### {name} {each}"
        yield ""
        yield from _entry(command, f"{name} {each}")


def _entry(command: click.Command, name: str) -> Iterator[str]:
    arguments = [each for each in command.params if isinstance(each, click.Argument)]
    options = [each for each in command.params if isinstance(each, click.Option)]
    required = [f"{each.opts[0]} {_value(each)}" for each in options if each.required]
    words = ["consentry", name, *required, *(["[OPTION...]"] if len(required) < len(options) else [])]
    yield "```text"
    yield " ".join([*words, *map(_argument, arguments)])
    yield "```"
    yield ""
    for paragraph in (command.help or "").split("\n\n"):
        yield " ".join(paragraph.split())
        yield ""
    if options:
        yield "| option | meaning |"
        yield "|---|---|"
        for option in options:
            yield f"| {_spelling(option)} | {_meaning(option)} |"
        yield ""


def _argument(argument: click.Argument) -> str:
    name = (argument.name or "").upper().replace("_", "-")
    if isinstance(argument.type, click.Choice):
        name = "|".join(argument.type.choices)
    name += "..." if argument.nargs == -1 else ""
    return name if argument.required else f"[{name}]"


def _value(option: click.Option) -> str:
    if option.is_flag:
        return ""
    kinds = {"path": "PATH", "integer": "N", "choice": "WORD"}
    return option.metavar or kinds.get(option.type.name) or (option.name or "").upper().replace("_", "-")


def _spelling(option: click.Option) -> str:
    return f"`{' '.join(filter(None, [option.opts[0], _value(option)]))}`"


def _meaning(option: click.Option) -> str:
    said = [option.help or ""]
    if isinstance(option.type, click.Choice):
        said.append(f"One of: {', '.join(f'`{each}`' for each in option.type.choices)}.")
    if option.required:
        said.append("Required.")
    elif option.show_default and option.default is not None:
        said.append(f"Default: `{option.default}`.")
    return " ".join(filter(None, said))


if __name__ == "__main__":
    sys.stdout.write(page())
