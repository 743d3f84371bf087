"""`consentry completion`: so that a shell knows the commands and their options."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from consentry.cli.invocation import Invocation, pass_invocation

PROGRAM = "consentry"
_VARIABLE = "_CONSENTRY_COMPLETE"
_SHELLS = ("bash", "fish", "zsh")


@click.command()
@click.argument("shell", type=click.Choice(_SHELLS))
@pass_invocation
def completion(context: Invocation, shell: str) -> None:
    """Print what makes SHELL complete commands and options of `consentry`.

    For bash put `eval "$(consentry completion bash)"` into ~/.bashrc, for zsh the same with zsh into ~/.zshrc, for fish
    `consentry completion fish | source` into ~/.config/fish/config.fish.

    It completes no names of yours: nothing is opened while somebody types.
    """
    found = get_completion_class(shell)
    assert found is not None
    root = click.get_current_context().find_root().command
    shown = found(root, {}, PROGRAM, _VARIABLE)
    # Not `source()`: it runs the shell to learn its version, and warns where there is none.
    script = shown.source_template % shown.source_vars()
    context.out.show({"shell": shell, "script": script}, lambda: click.echo(script))
