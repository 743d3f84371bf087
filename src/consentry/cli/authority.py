"""`consentry authority`: what an authority signs and files, and checking what it took away from its pages."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from consentry.cli.context import Context, pass_context
from consentry.cli.invocation import DENIED, FILE, Commands
from consentry.cli.output import moment
from consentry.cli.suspend import scope_of, scope_options
from consentry.errors import IntegrityError
from consentry.ledger.statement_events import Says
from consentry.oversight.authority_statement import Signatory
from consentry.public_key import key_id, read_public_key
from consentry.transparency.download import opened


@click.group(cls=Commands)
def authority() -> None:
    """Signed statements of authorities, and signed downloads for them (docs/authority.md)."""


@authority.command()
@click.argument("handle")
@click.argument("says", type=click.Choice([str(each) for each in Says]))
@click.option("--case", required=True, metavar="NAME", help="One that concerns them, or a new one: HANDLE-...")
@scope_options
@click.option("--reference", required=True, metavar="TEXT", help="Of the letter or decision; no personal data.")
@click.option("--text", default="", metavar="TEXT", help="More, in their own words.")
@click.option(
    "--output", required=True, type=click.Path(path_type=Path), metavar="PATH", help="Write it there, to be signed."
)
@pass_context
def draft(context: Context, /, handle: str, says: str, output: Path, **parts: Any) -> None:
    """Write a statement of HANDLE, to be signed as it is. Nothing is recorded.

    It says a concern, a suspension, or that orders may be lifted: then it names those of theirs that are in force in
    the case.
    """
    made = context.deployment.control.authority.draft(
        Says(says),
        who=_signatory(context, handle),
        case=parts["case"],
        reference=parts["reference"],
        scope=scope_of(parts),
        text=parts["text"],
    )
    output.write_bytes(made.to_bytes())
    body = {"written": str(output), "digest": made.digest, "orders": list(made.orders)}
    context.out.show(body, lambda: context.out.text(f"{output}: to be signed within seven days, as it is."))


@authority.command()
@click.argument("handle")
@click.argument("statement", type=FILE)
@click.argument("signature", type=FILE)
@pass_context
def file(context: Context, handle: str, statement: Path, signature: Path) -> None:
    """Take the STATEMENT of HANDLE with its SIGNATURE (64 bytes), and do what it says. The pages do the same."""
    filed = context.deployment.control.authority.file(
        statement.read_bytes(), signature.read_bytes(), who=_signatory(context, handle)
    )
    body = {"case": filed.case, "says": str(filed.says), "orders": list(filed.orders), "document": filed.document}
    done = {
        Says.CONCERN: f"The concern is in case {filed.case}. Nothing is suspended by it.",
        Says.SUSPEND: f"Order {', '.join(filed.orders)} is in force. It ends only if {handle} signs that it may.",
        Says.MAY_BE_LIFTED: f"{handle} has signed that {', '.join(filed.orders)} may be lifted.",
    }
    context.out.show(body, lambda: context.out.text(done[filed.says]))


@authority.command()
@click.argument("file", type=FILE)
@click.option("--key", required=True, type=FILE, metavar="PATH", help="The public key of the deployment (PEM).")
@pass_context
def verify(context: Context, file: Path, key: Path) -> int:
    """Check a signed download, without the deployment: only its public key is needed. Exit status 3 if it is not so."""
    public_key = read_public_key(key.read_bytes())
    try:
        document = opened(file.read_bytes(), public_key)
    except IntegrityError as error:
        problem = f"NOT verified: {error.message} [{error.code}]"
        body = {"verified": False, "code": error.code, "problem": error.message}
        context.out.show(body, lambda: context.out.text(problem))
        return DENIED
    body = {"verified": True, "key": key_id(public_key), "document": document}

    def human() -> None:
        context.out.text(f"{file}: signed with key {key_id(public_key)}, and unchanged.")
        if isinstance(as_of := document.get("as_of"), int):
            context.out.text(f"It is of ledger position {document.get('position')}, {moment(as_of)}.")

    context.out.show(body, human)
    return 0


def _signatory(context: Context, handle: str) -> Signatory:
    with context.deployment.admission() as admission:
        account = admission.authority(handle)
        return Signatory(handle=handle, areas=account.areas, key=admission.public_key(handle))
