"""`consentry serve` and `consentry jobs`: answer training jobs, and see what they do."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import HTTPRedirectHandler, Request, build_opener

import click
from rich.live import Live

from consentry.accounts.account import FOR_EVALUATION, Account
from consentry.cli.invocation import Invocation, kept_for_good, pass_invocation
from consentry.cli.job_list import screen, show_jobs
from consentry.cli.output import Output
from consentry.home import ADDRESS_FILE
from consentry.ledger.oversight_events import LeaseEnd
from consentry.settings import read_settings

_TIMEOUT_S = 5.0
_WATCHED_EVERY_S = 0.5
_CHOSEN_BY = ("job", "model", "release", "state")
_STATES = ("granted", "open", "revoked", *map(str, LeaseEnd))


@click.command()
@click.option("--port", type=click.IntRange(0, 65_535), default=8799, show_default=True, help="0: one that is free.")
@click.option(
    "--host", default="127.0.0.1", show_default=True, help="Another than this machine's own is for a network."
)
@click.option(
    "--platforms",
    type=click.Path(path_type=Path),
    help="Serve several homes, each at a host of its own: a TOML file that lists them.",
)
@pass_invocation
def serve(context: Invocation, port: int, host: str, platforms: Path | None) -> None:
    """Serve the pages, the interface for programs and the leases of training jobs, until it is stopped.

    One server a home. People sign in with an account (`consentry account add`) or with your organisation; members come
    from the platform; programs show a key; training jobs the token it names. docs/platforms.md says how one server
    serves several homes.
    """
    # Only here: a web framework that no other command needs, and every one would wait for it.
    with kept_for_good("consentry.service.server"):
        from consentry.service import server  # noqa: PLC0415

    if platforms is not None and context.home is not None:
        raise click.UsageError("--home names one home, and --platforms several: use one of them")
    if not server.is_loopback(host):
        context.out.note(
            f"{host} can be reached from other machines, and nothing is encrypted: whoever listens on the way learns "
            "tokens. Put a server that speaks TLS before it."
        )

    if platforms is None:
        _serve_one(context.out, host=host, port=port)
    else:
        _serve_several(context, platforms, host=host, port=port)
    context.out.note("stopped")


def _serve_one(out: Output, *, host: str, port: int) -> None:
    from consentry.cli.context import current  # noqa: PLC0415
    from consentry.service import server  # noqa: PLC0415

    deployment = current().deployment
    audience = deployment.settings.audience
    with deployment.admission() as admission:
        accounts = admission.all()
    is_new = not accounts
    if _with_passwords(accounts):
        out.note(FOR_EVALUATION)

    def announce(address: str, token: Path) -> None:
        def human() -> None:
            out.text(f"Serving at {address}: pages, and the interface for programs ({address}/docs)")
            if is_new:
                out.hint("Nobody can sign in yet: consentry account add NAME --role privacy-officer")
            out.text(f"Signed links of members are for (`aud`): {audience}")
            out.text(f"The token for jobs is in {token}. Stop with Ctrl+C, or SIGTERM.")
            out.console.file.flush()

        out.show({"url": address, "token_file": str(token), "audience": audience}, human)

    server.serve(deployment, host=host, port=port, announce=announce)


def _serve_several(context: Invocation, file: Path, *, host: str, port: int) -> None:
    from consentry.service import server  # noqa: PLC0415
    from consentry.service.hosting import Hosted  # noqa: PLC0415
    from consentry.service.platforms import read_platforms  # noqa: PLC0415

    def announce(address: str, hosted: Sequence[Hosted]) -> None:
        found = [
            {
                "platform": each.platform.name,
                "host": each.platform.host,
                "home": str(each.platform.home),
                "trouble": None if each.app is not None else "" if each.trouble is None else each.trouble.code,
            }
            for each in hosted
        ]

        def human() -> None:
            context.out.text(f"Serving at {address}. Requests go to the platform whose host they name.")
            rows = [[each["platform"], each["host"], each["home"], _how(each["trouble"])] for each in found]
            context.out.table(("platform", "host", "home", "state"), rows)
            context.out.text("Stop with Ctrl+C, or SIGTERM.")
            context.out.console.file.flush()

        for each in hosted:
            if each.app is not None and _with_passwords(each.app.state.admission.all()):
                context.out.note(f"{each.platform.name}: {FOR_EVALUATION}")
        context.out.show({"url": address, "platforms": found}, human)

    server.serve_platforms(read_platforms(file), host=host, port=port, announce=announce)


def _with_passwords(accounts: Iterable[Account]) -> bool:
    """Say whether somebody signs in with a password that is kept here."""
    return any(each.password and not each.disabled for each in accounts)


def _how(trouble: str | None) -> str:
    return "served" if trouble is None else f"not served: {trouble or 'it takes long to open'}"


@click.command()
@click.option("--watch", is_flag=True, help="Go on showing them until Ctrl+C, those that read now first.")
@click.option("--job", "jobs", multiple=True, metavar="NAME", help="Only those of this job; several times.")
@click.option("--model", "models", multiple=True, metavar="NAME", help="Only those that train this model.")
@click.option("--release", "releases", multiple=True, metavar="NAME", help="Only those that read this release.")
@click.option("--state", "states", multiple=True, type=click.Choice(_STATES), help="Only those in this state.")
@pass_invocation
def jobs(context: Invocation, /, watch: bool, **wanted: tuple[str, ...]) -> None:  # noqa: FBT001 - click calls it by name
    """List the leases of training jobs, with how it is with each.

    Below them stands how far it is with each order that stops some, until an hour after nobody read any more.
    Asks the running server, which knows for how long each lease holds; the ledger if none runs.
    """
    only = {column: wanted[f"{column}s"] for column in _CHOSEN_BY if wanted[f"{column}s"]}
    if watch and not context.out.as_json and context.out.console.is_terminal:
        with Live(console=context.out.console, auto_refresh=False) as live:
            while True:
                live.update(screen(context.out, _asked(context, only), chosen=bool(only)), refresh=True)
                time.sleep(_WATCHED_EVERY_S)
    body = _asked(context, only)
    context.out.show(body, lambda: show_jobs(context.out, body, chosen=bool(only)))


class _Staying(HTTPRedirectHandler):
    """Follows nobody elsewhere: the token would come along."""

    def redirect_request(self, *_: object) -> None:
        return None


def _asked(context: Invocation, only: Mapping[str, tuple[str, ...]]) -> dict[str, Any]:
    """Return the leases that have one of the wanted words in each column, all if there is none, and their orders."""
    body = _every(context)
    if not only:
        return body
    kept = [each for each in body["leases"] if all(each[column] in words for column, words in only.items())]
    stopping = {order for each in kept for order in each["orders"]}
    return {**body, "leases": kept, "orders": [each for each in body["orders"] if each["order"] in stopping]}


def _every(context: Invocation) -> dict[str, Any]:
    """Return all leases as the running server tells them, else as the ledger has them."""
    home = read_settings(context.home).home
    try:
        server = json.loads((home / ADDRESS_FILE).read_bytes())
        shown = {"Authorization": f"Bearer {server['view']}"}
        if "host" in server:  # one of several platforms at that address
            shown["Host"] = server["host"]
        request = Request(f"{server['url']}/v1/leases", headers=shown)  # noqa: S310 - our own
        with build_opener(_Staying).open(request, timeout=_TIMEOUT_S) as answer:
            return {"live": True, **json.load(answer)}
    except (OSError, URLError, ValueError, KeyError, TypeError):
        # None runs, or it was killed and left its address behind. Only then is the whole deployment needed.
        with kept_for_good("consentry.bootstrap"):
            from consentry.cli.context import current  # noqa: PLC0415

        control = current().deployment.control
        leases, orders = control.leases.jobs(), control.orders.draining()
        open_ = [{**each, "state": "open"} if each["state"] == "granted" else each for each in leases]
        return {"live": False, "leases": [{**each, "left_s": None} for each in open_], "orders": orders}
