"""What stands on the line before a command: which deployment it is about, and how to show things. Opens nothing.

It imports little, and so does what needs no deployment: a start should not wait for a database it does not ask.
"""

from __future__ import annotations

import gc
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

import click

from consentry.cli.output import Output

DENIED = 3
"""Exit status of a command whose answer is no."""
FILE = click.Path(path_type=Path, exists=True, dir_okay=False)
"""The type of an argument or option that names a file that is read."""
_STARTED = f"{__name__}.started"
_WHOLE = 1_000
"""Characters: more than any first sentence has."""


class InterruptedWorkError(click.Abort):
    """An interrupt of something that is done piece by piece; the message says which pieces hold."""


@dataclass(slots=True)
class Invocation:
    """Where to write, and the folder of the deployment if one was named."""

    home: Path | None
    out: Output


pass_invocation = click.make_pass_decorator(Invocation)


class Later(click.Command):
    """Stands for a command that is imported when it is used: until then its name and summary are known.

    Args:
        name: the command's name.
        place: its module and variable, as `consentry.cli.what_if:what_if`.
        summary: the first sentence of its help.
    """

    def __init__(self, name: str, *, place: str, summary: str) -> None:
        super().__init__(name, help=summary)
        self.place = place

    def load(self) -> click.Command:
        """Import the command."""
        module, _, variable = self.place.partition(":")
        with kept_for_good(module):
            found = getattr(import_module(module), variable)
        assert isinstance(found, click.Command), f"{self.place} is no command"
        return found


@contextmanager
def kept_for_good(module: str) -> Iterator[None]:
    """Look for no garbage among what is imported with a module in the block, nor ever after: it stays until the end.

    There are some hundred thousand objects. To look through them again and again was a quarter of a start.
    """
    if module in sys.modules or not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


class Commands(click.Group):
    """A group some of whose commands are imported later. Its help has the whole first sentence of each."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the command that is asked for, imported; from here on its time counts."""
        ctx.meta.setdefault(_STARTED, time.monotonic())
        name, command, rest = super().resolve_command(ctx, args)
        return name, command.load() if isinstance(command, Later) else command, rest

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write what each command is for, in as many lines as that takes: click would cut it."""
        known = [(name, self.commands[name]) for name in self.list_commands(ctx)]
        with formatter.section("Commands"):
            formatter.write_dl([(name, command.get_short_help_str(limit=_WHOLE)) for name, command in known])


def running_for() -> float:
    """Return for how many seconds the command that is running has run, with what it took to import it."""
    return time.monotonic() - float(click.get_current_context().meta[_STARTED])
