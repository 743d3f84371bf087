"""`consentry suspend` and `consentry order`: stop a use now, and see what is stopped."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from consentry.cli.invocation import Commands, InterruptedWorkError, Invocation, kept_for_good, pass_invocation
from consentry.cli.output import Output, moment, read_moment
from consentry.control_plane.issuing import Issuing
from consentry.control_plane.table_folder import is_empty, tables_of
from consentry.home import ADDRESS_FILE
from consentry.ledger.oversight_events import Origin
from consentry.opening import opened_for_orders
from consentry.oversight.drained_words import drained_in_words
from consentry.oversight.lease import Lease
from consentry.oversight.order import Order, Scope, in_words
from consentry.policy.vocabulary import KNOWN_CATEGORIES, Category, Purpose, Visibility
from consentry.settings import read_settings

_CONTENT = (
    click.option(
        "--category",
        "categories",
        multiple=True,
        metavar="CATEGORY",
        type=click.Choice([str(each) for each in KNOWN_CATEGORIES]),
        help="post, image, ...; several times. None: every category.",
    ),
    click.option(
        "--visibility",
        "visibilities",
        multiple=True,
        type=click.Choice([str(each) for each in Visibility if each is not Visibility.UNKNOWN]),
        help="None: whoever could see it.",
    ),
    click.option("--created-from", type=read_moment, metavar="TIME", help="Only what was created then or later."),
    click.option("--created-before", type=read_moment, metavar="TIME", help="Only what was created earlier."),
)
_SCOPE = (
    click.option(
        "--area", "areas", multiple=True, metavar="CODE", help="GB, EU, CA-QC, ...; several times. None: everywhere."
    ),
    click.option(
        "--purpose",
        "purposes",
        multiple=True,
        type=click.Choice([str(each) for each in Purpose]),
        help="None: every purpose, serving too.",
    ),
    *_CONTENT,
    click.option("--model", "models", multiple=True, metavar="NAME", help="Only this model, and what is built on it."),
)


def scope_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options that say what an order is about."""
    for option in reversed(_SCOPE):
        command = option(command)
    return command


def content_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command those of them that say what content an order is about."""
    for option in reversed(_CONTENT):
        command = option(command)
    return command


def scope_of(parts: Mapping[str, Any]) -> Scope:
    """Return the scope that these options say."""
    return Scope(
        areas=frozenset(parts["areas"]),
        purposes=frozenset(map(Purpose, parts["purposes"])),
        categories=frozenset(map(Category, parts["categories"])),
        visibilities=frozenset(map(Visibility, parts["visibilities"])),
        created_from=parts["created_from"],
        created_before=parts["created_before"],
        models=frozenset(parts["models"]),
    )


@click.command()
@click.option("--case", required=True, metavar="NAME", help="The case it belongs to; a new name opens one.")
@scope_options
@click.option(
    "--origin",
    type=click.Choice([str(each) for each in Origin if each is not Origin.AUTHORITY]),
    default=str(Origin.OWN_DECISION),
    show_default=True,
    help="Who wants it.",
)
@click.option("--reference", required=True, metavar="TEXT", help="Of the letter or decision; no personal data.")
@click.option("--by", metavar="HANDLE", help="Who does it: a handle, no name and no address.")
@click.option("--everywhere", is_flag=True, help="Of everything: instead of a scope.")
@click.option("--dry-run", is_flag=True, help="Only say what it would hit, or why it would be refused.")
@pass_invocation
def suspend(context: Invocation, /, case: str, reference: str, **parts: Any) -> None:
    """Suspend a use from now on: no release is sealed with it, no lease granted or renewed, and `may` says no.

    Every part of the scope that is left out means all; without any, it takes --everywhere. Jobs that read what it hits
    are told at once, and stop at the latest when their lease runs out.
    """
    scope = scope_of(parts)
    if (scope == Scope()) != parts["everywhere"]:
        raise click.UsageError(
            "without a scope it would suspend everything: name --area, --purpose, --model, ..., or say --everywhere"
            if scope == Scope()
            else "--everywhere is everything: leave it out, or the scope"
        )
    if parts["dry_run"]:
        _what_if(context.out, scope, case=case, reference=reference, by=parts["by"])
        return
    order = _suspended(context, scope, case=case, origin=Origin(parts["origin"]), reference=reference, by=parts["by"])
    if order.drained is None:
        context.out.hint("Jobs that read what it hits are told at once. Watch: consentry jobs")
    else:
        context.out.text("No job reads what it hits.")
    _say_held(context.out, order.scope)
    if context.out.as_json:
        context.out.show(described(order))


def _say_held(out: Output, scope: Scope) -> None:
    """Say which commands tell what an order holds beside jobs: finding it out takes the whole deployment."""
    if not scope.models:
        out.hint("What was sealed and holds any of it is no longer readable. Which that is: consentry release list")
    if scope.concerns(Purpose.SERVE):
        held = "Models that learned from that are held from being served"
        if scope.models:
            named = ", ".join(sorted(scope.models))
            held = f"Held from being served: {named}, and what is built on that, if it learned what is in the scope"
        out.hint(f"{held}. Ask: consentry model may-serve NAME")


def _what_if(out: Output, scope: Scope, **said: Any) -> None:
    """Show what an order would hit."""
    # Only here and below: who stops a use does not wait for what only people and content need.
    with kept_for_good("consentry.bootstrap"):
        from consentry.cli.context import current  # noqa: PLC0415

    orders = current().deployment.control.orders
    orders.issuing.foretell(scope, **said)
    with out.progress() as progress:
        body = orders.what_if(scope, progress=progress)
    out.show(body, lambda: show_what_if(out, body))


def _suspended(context: Invocation, scope: Scope, **said: Any) -> Order:
    """Put an order in force, say so, and see to what follows from it."""
    order: Order | None = None
    with opened_for_orders(context.home) as issuing:
        if issuing is not None:
            order = issuing.issue(scope, **said)
            with _in_force_all_the_same(context.out, order):
                _say_in_force(context.out, order)
                _note_alike(context.out, order, issuing=issuing)
                if (done := _done_at_once(issuing, order, home=read_settings(context.home).home)) is not None:
                    return done
    # The ledger is let go of by now: the whole deployment opens it as another process would.
    with kept_for_good("consentry.bootstrap"):
        from consentry.cli.context import current  # noqa: PLC0415

    if order is None:
        orders = current().deployment.control.orders
        order = orders.suspend(scope, **said)
        _say_in_force(context.out, order)
        _note_alike(context.out, order, issuing=orders.issuing)
        return order
    with _in_force_all_the_same(context.out, order):
        return current().deployment.control.orders.settle(order.order)


def _done_at_once(issuing: Issuing, order: Order, *, home: Path) -> Order | None:
    """Do what follows from an order if nobody has to find out what it hits, or leave it to the server that runs.

    None: neither. A table that stands is not left to the server, which removes it with the last lease only.
    """
    tables = tables_of(home)
    found = issuing.note_if_unread(order, tables=tables)
    served = (home / ADDRESS_FILE).exists() and is_empty(tables)
    return order if found is None and served else found


def _say_in_force(out: Output, order: Order) -> None:
    """Say at once that an order holds: what follows from it may take longer."""
    out.text(f"Order {order.order} is in force from position {order.position}: {in_words(order.scope)}.")
    out.console.file.flush()


def _note_alike(out: Output, order: Order, *, issuing: Issuing) -> None:
    """Point out orders that suspend the very same: each has to be ended before that is used again."""
    others = [each.order for each in issuing.alike(order.scope) if each.order != order.order]
    if others:
        out.note(f"The very same was suspended before, by {', '.join(others)}: each holds until it is ended.")


@contextmanager
def _in_force_all_the_same(out: Output, order: Order) -> Iterator[None]:
    """Say that an order holds whatever goes wrong in the block: somebody who reads an error might think it does not."""
    holds = f"order {order.order} is in force from position {order.position}; `consentry serve` sees to what is left"
    try:
        yield
    except KeyboardInterrupt:
        raise InterruptedWorkError(holds) from None
    except Exception:
        out.note(holds)
        raise


def show_what_if(out: Output, body: Mapping[str, Any]) -> None:
    """Show what an order would hit."""
    rows = [[name, hit["items"], hit["of"], hit["people"]] for name, hit in body["corpora"].items()]
    out.heading("This order would hit")
    out.table(["corpus", "items in scope", "of items", "people in scope"], rows)
    if body["releases"]:
        out.heading("No longer readable")
        out.table(["release", "items"], list(body["releases"].items()))
        out.text("They stay so when such an order is lifted: use resumes with releases that are built then.")
    else:
        out.text("It makes no release unreadable.")
    out.text()
    out.text(f"Jobs that would stop: {', '.join(body['jobs']) or 'none'}")
    out.text(f"Models it concerns: {', '.join(body['models']) or 'none'}")
    if body["no_longer_served"]:
        out.text(f"Models that could not be served any more: {', '.join(body['no_longer_served'])}")
    if body["alike"]:
        out.text(f"The very same is suspended already, by {', '.join(body['alike'])}: each holds until it is ended.")
    out.text("Nothing was recorded.")


def described(order: Order) -> dict[str, Any]:
    """Return an order as plain values."""
    drained = order.drained
    return {
        "order": order.order,
        "case": order.case,
        "scope": order.scope.to_json(),
        "origin": str(order.origin),
        "reference": order.reference,
        "by": order.by,
        "position": order.position,
        "at": order.at,
        "ended": None
        if order.ended is None
        else {"how": str(order.ended.how), "position": order.ended.position, "at": order.ended.at},
        "drained": None
        if drained is None
        else {
            "position": drained.position,
            "after_ms": drained.took_ms,
            "stopped": drained.stopped,
            "expired": drained.expired,
            "released": drained.released,
            "failed": drained.failed,
        },
    }


@click.group(cls=Commands)
def order() -> None:
    """See the suspensions."""


@order.command("list")
@pass_invocation
def list_(context: Invocation) -> None:
    """List all orders, with how long it took until nobody read what they suspend."""
    known = _every(context)
    rows = [[each.position, each.order, in_words(each.scope), order_state(each), drained_words(each)] for each in known]
    columns = ["position", "order", "scope", "state", "drained"]
    body = {"orders": [described(each) for each in known]}
    context.out.show(body, lambda: context.out.table(columns, rows) if rows else context.out.text("No orders."))


def _every(context: Invocation) -> list[Order]:
    with opened_for_orders(context.home) as issuing:
        if issuing is not None:
            return issuing.every()
    with kept_for_good("consentry.bootstrap"):
        from consentry.cli.context import current  # noqa: PLC0415

    return current().deployment.control.orders.every()


@order.command()
@click.argument("name")
@pass_invocation
def show(context: Invocation, name: str) -> None:
    """Show order NAME."""
    with kept_for_good("consentry.bootstrap"):
        from consentry.cli.context import current  # noqa: PLC0415

    orders = current().deployment.control.orders
    found = orders.get(name)
    jobs = [_stopping(each) for each in orders.made_to_stop(found)]

    def human() -> None:
        rows = [
            ["case", found.case],
            ["scope", in_words(found.scope)],
            ["origin", f"{found.origin}, {found.reference}"],
            ["issued", f"{moment(found.at)}, position {found.position}{f', by {found.by}' if found.by else ''}"],
            ["drained", drained_words(found, hit=len(jobs))],
            ["state", order_state(found)],
        ]
        context.out.heading(f"Order {found.order}")
        context.out.table(["", ""], rows)
        if jobs:
            context.out.heading("Jobs that read what it hits")
            columns = ["job", "lease", "how it stopped", "when", "step"]
            context.out.table(columns, [_told(each) for each in jobs])

    context.out.show({**described(found), "jobs": jobs}, human)


def _told(job: dict[str, Any]) -> list[str]:
    when = "" if job["at"] is None else moment(job["at"])
    return [job["job"], job["lease"], job["state"], when, "" if job["step"] is None else str(job["step"])]


def _stopping(lease: Lease) -> dict[str, Any]:
    ended = lease.ended
    return {
        "job": lease.job,
        "lease": lease.lease,
        "state": "not yet" if ended is None else str(ended.how),
        "position": None if ended is None else ended.position,
        "at": None if ended is None else ended.at,
        "step": None if ended is None else ended.step,
    }


def order_state(found: Order) -> str:
    """Say whether an order holds."""
    return "in force" if found.ended is None else f"{found.ended.how} at position {found.ended.position}"


def drained_words(found: Order, *, hit: int = 0) -> str:
    """Say how long it took until nobody read what an order suspends.

    `hit`: of how many leases it is known by now that they read it. Of more than were noted nobody knows how long.
    """
    drained = found.drained
    if drained is None:
        return drained_in_words(after_ms=None, leases=None)
    if hit > drained.leases:
        return drained_in_words(after_ms=None, leases=hit)
    return drained_in_words(after_ms=drained.took_ms, leases=drained.leases)
