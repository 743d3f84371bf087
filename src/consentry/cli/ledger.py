"""`consentry ledger`: read what was said, check it, bring a PostgreSQL ledger's tables up to date."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator
from itertools import islice

import click

from consentry.bootstrap import accept_older, migrate
from consentry.cli.context import Context, pass_context
from consentry.cli.invocation import DENIED, Commands
from consentry.cli.output import counted, moment
from consentry.errors import IntegrityError
from consentry.ledger.envelope import Event, log_entry
from consentry.ledger.state import EMPTY, State, fold, unexplained
from consentry.progress import watched

_NUMBER = click.IntRange(0, sys.maxsize)


@click.group(cls=Commands)
def ledger() -> None:
    """Read what was said, check it, migrate a PostgreSQL ledger."""


@ledger.command()
@click.option(
    "--from", "start", type=_NUMBER, metavar="N", default=0, show_default=True, help="The first position to show."
)
@click.option("--count", type=_NUMBER, metavar="N", default=50, show_default=True, help="How many events.")
@pass_context
def show(context: Context, start: int, count: int) -> None:
    """Show events in order. Of personal events only the log entry is shown, never who or what."""
    events = list(islice(context.deployment.ledger.read(start), count))
    rows = [[event.position, moment(event.recorded_at), event.kind, _about(event)] for event in events]
    body = {
        "events": [
            {"position": e.position, "recorded_at": e.recorded_at, "kind": e.kind, "entry": log_entry(e).decode()}
            for e in events
        ]
    }
    context.out.show(body, lambda: context.out.table(["position", "recorded", "kind", "about"], rows))


def _about(event: Event) -> str:
    if event.erased:
        return "(erased)"
    if event.personal or event.body is None:
        return f"commitment {event.commitment.hex()[:16]}"
    return ", ".join(f"{name} {_short(value)}" for name, value in event.body.to_json().items() if name != "position")


def _short(value: object) -> str:
    text = str(value)
    return text if not text.startswith("sha256:") else text[: len("sha256:") + 12]


@ledger.command()
@pass_context
def verify(context: Context) -> int:
    """Read every event, check it against its commitment, and hold the state in use against one folded anew.

    Exit status 3 if words were deleted or the states differ. An event that is not as it was written stops it at once.
    """
    deleted = 0
    kinds: Counter[str] = Counter()

    def looked_at() -> Iterator[Event]:
        nonlocal deleted
        for event in context.deployment.ledger.read():
            deleted += unexplained([event])
            kinds[event.kind] += 1
            yield event

    events = context.deployment.ledger.head()
    with context.out.progress() as progress:
        anew = fold(EMPTY, watched(looked_at(), progress, what="reading the ledger", total=events, unit="events"))
    differs = None if deleted else _differs(context, anew)
    body = {
        "events": kinds.total(),
        "kinds": dict(kinds.most_common()),
        "deleted_without_erasure": deleted,
        "state_differs": None if differs is None else differs.to_json(),
    }

    def human() -> None:
        context.out.table(["kind", "events"], kinds.most_common())
        if deleted:
            gone = counted(deleted, "personal document was", several="personal documents were")
            context.out.text(f"\nWRONG: {gone} deleted, but not by an erasure.")
        elif differs is not None:
            context.out.text(f"\nWRONG: {differs}")
            context.out.hint(differs.help)
        else:
            context.out.text(f"\n{counted(kinds.total(), 'event')}, gapless, each as it was committed to.")

    context.out.show(body, human)
    return DENIED if deleted or differs is not None else 0


def _differs(context: Context, anew: State) -> IntegrityError | None:
    """Say that the state in use, which may have begun with a kept one, is not what the events give; None if it is."""
    present = context.deployment.control.desk.present().state
    # Somebody may have said something since the ledger was read; what was carried forward equals what is folded anew.
    if fold(anew, context.deployment.ledger.read(anew.position, present.position)) == present:
        return None
    return IntegrityError(
        "ledger-state-differs",
        "what decides here is not what the events of the ledger give",
        help="stop every server of this home and delete its folder `cache`, then verify again; and report it",
    )


@ledger.command("migrate")
@pass_context
def migrate_(context: Context) -> None:
    """Make or update the tables of the PostgreSQL ledger that the settings name. Nobody may be writing."""
    migrate(context.home)
    context.out.show({"migrated": True}, lambda: context.out.text("The ledger's tables are up to date."))


@ledger.command("accept-older")
@click.option("--by", required=True, metavar="HANDLE", help="Who decides it.")
@click.option("--reference", required=True, metavar="TEXT", help="Why: the incident, the ticket.")
@pass_context
def accept_older_(context: Context, by: str, reference: str) -> None:
    """Go on with an older copy of the ledger, as the newest is lost for good. No server may be running.

    Every position that is lost is taken by an event that says so. Record again what people said since the copy was
    made, above all refusals, before anything is built.
    """
    context.require()
    found = accept_older(context.home, by=by, reference=reference)
    first, last = found.lost[0], found.lost[-1]
    body = {"lost": len(found.lost), "first": first, "last": last, "releases_aside": list(found.aside)}

    def human() -> None:
        context.out.text(f"Positions {first:,} to {last:,} are lost, and marked as such by {by}.")
        if found.aside:
            context.out.text(f"Releases nobody knows any more are in lost-releases: {', '.join(found.aside)}.")
        context.out.text("Record again what people said since the copy was made, before you build anything.")

    context.out.show(body, human)
