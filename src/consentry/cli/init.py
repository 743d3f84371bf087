"""`consentry init`: begin a deployment."""

from __future__ import annotations

import click

from consentry.cli.context import Context, pass_context


@click.command()
@pass_context
def init(context: Context) -> None:
    """Make a new deployment in the home: its ledger and its keys.

    One that is there is left as it is. `people load`, `corpus register`, `policy publish` and `account add` make one
    as well, and say so. Every other command refuses a folder that holds none.
    """
    was_new = context.is_new
    home = context.begin().settings.home
    # What is made was said as a note.
    context.out.show({"home": str(home), "new": was_new}, lambda: _say(context, was_new=was_new))


def _say(context: Context, *, was_new: bool) -> None:
    context.out.text("Next: people load, corpus register, policy publish." if was_new else "It is there already.")
