"""`consentry receipt`: give a receipt for a choice or an objection, and check one without a deployment."""

from __future__ import annotations

from pathlib import Path

import click

from consentry.bootstrap import published_key
from consentry.cli.context import Context, pass_context
from consentry.cli.invocation import DENIED, FILE, Commands
from consentry.control_plane.receipts import Stands
from consentry.durable import replace_file
from consentry.errors import IntegrityError, StateError
from consentry.transparency.receipt import check_receipt, key_id_of
from consentry.transparency.receipt_text import in_words

_STANDS = {
    None: "Whether it still stands is told by the ledger: ask whoever runs it, or check it there with --home.",
    Stands.HERE: "The ledger of this home has what it is of; what was said later may have replaced it.",
    Stands.LOST: "The ledger of this home LOST what it is of, so it does not count any more: record it again.",
    Stands.MISSING: "The ledger of this home should have what it is of and does NOT: it is an older copy.",
    Stands.UNKNOWN: "It is of another ledger than that of this home: ask whoever runs that one.",
}


@click.group(cls=Commands)
def receipt() -> None:
    """Give receipts for choices and objections, and check them."""


@receipt.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--person", metavar="ID", help="For what this person chose last.")
@click.option("--objection", metavar="ID", help="For this objection, as it was received.")
@click.option("--position", type=click.IntRange(0), help="For the event at this position.")
@click.option("--without-opening", is_flag=True, help="Leave out what shows which commitment is the person's.")
@pass_context
def give(
    context: Context,
    /,
    file: Path,
    *,
    person: str | None,
    objection: str | None,
    position: int | None,
    without_opening: bool,
) -> None:
    """Write the receipt for a choice or an objection to FILE."""
    if sum(each is not None for each in (person, objection, position)) != 1:
        raise click.UsageError("give one of --person, --objection, --position")
    deployment = context.deployment
    receipts = deployment.control.receipts
    if person is not None:
        content = receipts.for_choice(deployment.person(person), opening=not without_opening)
    elif objection is not None:
        content = receipts.for_objection(deployment.control.objection_queue.named(objection))
    else:
        content = receipts.of(position or 0, opening=not without_opening)
    replace_file(file, content)
    context.out.show({"file": str(file)}, lambda: context.out.text(f"The receipt is in {file}."))


@receipt.command()
@click.argument("file", type=FILE)
@click.option("--key", type=FILE, help="The deployment's public key (PEM); else that of the home, if there is one.")
@pass_context
def verify(context: Context, file: Path, key: Path | None) -> int:
    """Check the receipt in FILE and show what it says. With --key it takes no deployment.

    With the key of the home, its ledger is asked whether it has what the receipt is of. Exit status 3 if the receipt is
    not as it was given, or the ledger that it names has lost what it is of.
    """
    public_key = key.read_bytes() if key is not None else published_key(context.home)
    if public_key is None:
        raise StateError(
            "receipt-key-missing",
            "there is no deployment here whose key would check the receipt",
            help="give the public key of the deployment: --key signing.pub.pem",
        )
    content = file.read_bytes()
    try:
        found = check_receipt(content, public_key=public_key)
    except IntegrityError as problem:
        if not problem.code.startswith("receipt-"):
            raise
        _refuse(context, problem)
        return DENIED
    # The key of a home that is there, or of one that was named besides: its ledger tells what a signature cannot.
    at_hand = (key is None or context.home is not None) and not context.is_new
    stands = context.deployment.control.receipts.stands(found.ledger) if at_hand else None
    body = {"verified": True, "key_id": key_id_of(content), "ledger_has_it": stands, "receipt": found.to_json()}

    def human() -> None:
        context.out.text("The receipt is signed and unaltered.")
        context.out.text(_STANDS[stands])
        for line in in_words(found, key_id=key_id_of(content)).splitlines():
            context.out.text(line)

    context.out.show(body, human)
    return DENIED if stands in (Stands.LOST, Stands.MISSING) else 0


def _refuse(context: Context, problem: IntegrityError) -> None:
    context.out.show({"verified": False, **problem.to_json()}, lambda: context.out.error(problem))
