"""`consentry webhook`: where events are sent to."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click

from consentry.accounts.web_state import Endpoint
from consentry.accounts.webhooks import SENT, Webhooks
from consentry.cli.context import Context, pass_context
from consentry.cli.invocation import Commands


@click.group(cls=Commands)
def webhook() -> None:
    """Send what happens to other programs, signed (docs/api.md). `consentry serve` does the sending."""


@webhook.command("add")
@click.argument("url")
@click.option("--kind", "kinds", multiple=True, type=click.Choice(sorted(SENT)), help="Only these kinds; repeatable.")
@click.option("--by", required=True, metavar="HANDLE", help="Who does it.")
@pass_context
def add(context: Context, url: str, kinds: tuple[str, ...], by: str) -> None:
    """Send what happens from now on to URL. The secret it is signed with is shown once."""
    with _webhooks(context) as hooks:
        made = hooks.add(url, kinds=frozenset(kinds), by=by, position=context.deployment.ledger.head())

    def human() -> None:
        context.out.text(f"Webhook {made.ident}: {made.url}")
        context.out.text(f"Secret, shown only now: {made.secret}")

    context.out.show({**_plain(made), "secret": made.secret}, human)


@webhook.command("list")
@pass_context
def list_(context: Context) -> None:
    """List the webhooks, and how far deliveries are."""
    with _webhooks(context) as hooks:
        found = [_plain(each) for each in hooks.all()]
    columns = ["webhook", "url", "kinds", "position", "failures", "error"]
    rows = [[", ".join(each[c]) if c == "kinds" else each[c] for c in columns] for each in found]
    context.out.show(
        {"webhooks": found}, lambda: context.out.table(columns, rows) if rows else context.out.text("No webhooks.")
    )


@webhook.command("remove")
@click.argument("ident")
@pass_context
def remove(context: Context, ident: str) -> None:
    """Send nothing more to webhook IDENT."""
    with _webhooks(context) as hooks:
        hooks.remove(ident)
    context.out.show({"removed": ident}, lambda: context.out.text(f"Webhook {ident} is removed."))


@webhook.command("exchange")
@click.argument("ident")
@pass_context
def exchange(context: Context, ident: str) -> None:
    """Sign what is sent to webhook IDENT with a new secret, which is shown once. Nothing that waits is lost."""
    with _webhooks(context) as hooks:
        made = hooks.exchange(ident)
    context.out.show(
        {**_plain(made), "secret": made.secret},
        lambda: context.out.text(f"Secret, shown only now: {made.secret}"),
    )


@webhook.command("replay")
@click.argument("ident")
@click.option("--from", "position", required=True, type=click.IntRange(min=0), help="A position of the ledger.")
@pass_context
def replay(context: Context, ident: str, position: int) -> None:
    """Send everything from a position on to webhook IDENT once more, under the same ids."""
    with _webhooks(context) as hooks:
        moved = hooks.replay(ident, position=min(position, context.deployment.ledger.head()))
    context.out.show(_plain(moved), lambda: context.out.text(f"Webhook {ident} goes on at {moved.position}."))


@contextmanager
def _webhooks(context: Context) -> Iterator[Webhooks]:
    deployment = context.deployment
    with deployment.admission() as admission:
        yield Webhooks(admission.web, clock=deployment.control.desk.parts.clock)


def _plain(each: Endpoint) -> dict[str, Any]:
    return {
        "webhook": each.ident,
        "url": each.url,
        "kinds": sorted(each.kinds),
        "position": each.position,
        "failures": each.failures,
        "error": each.error,
    }
