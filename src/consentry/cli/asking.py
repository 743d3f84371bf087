"""Asking somebody before what cannot be undone."""

from __future__ import annotations

import click


def agreed(question: str, *, yes: bool) -> bool:
    """Say whether it is to be done: `yes` was given, or somebody says so now.

    Raises:
        click.UsageError: nobody is there to answer.
    """
    if yes:
        return True
    try:
        return click.confirm(question, err=True)
    except click.Abort as abort:
        if not isinstance(abort.__context__, EOFError):  # somebody pressed Ctrl-C
            raise
        raise click.UsageError("nobody answered, and nothing was done: with --yes it does not ask") from None
