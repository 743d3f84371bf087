"""`consentry may`: may something new of one person be used?"""

from __future__ import annotations

import click

from consentry.cli.context import Context, pass_context
from consentry.cli.invocation import DENIED
from consentry.cli.output import moment
from consentry.cli.release_text import show_reasons
from consentry.policy.vocabulary import KNOWN_CATEGORIES, Category, Purpose, Visibility
from consentry.release.snapshot import Use


@click.command()
@click.argument("person")
@click.option("--policy", help="A policy set in force; the one that decides about the purpose if not given.")
@click.option(
    "--purpose",
    type=click.Choice([str(each) for each in Purpose]),
    default=str(Purpose.TRAIN_GENAI),
    show_default=True,
    help="What the use is for.",
)
@click.option(
    "--category",
    required=True,
    metavar="CATEGORY",
    type=click.Choice([str(each) for each in KNOWN_CATEGORIES]),
    help="What kind of content it is.",
)
@click.option(
    "--visibility",
    type=click.Choice([str(each) for each in Visibility if each is not Visibility.UNKNOWN]),
    default=str(Visibility.PUBLIC),
    show_default=True,
    help="Who can see it on the platform.",
)
@pass_context
def may(context: Context, person: str, policy: str | None, purpose: str, category: str, visibility: str) -> int:
    """Say whether an item that PERSON creates now may be used, and why. Exit status 3 if it may not.

    The item is by PERSON and about nobody else. Nothing is recorded, neither the question nor who it is about.
    """
    use = Use(Purpose(purpose), Category(category), Visibility(visibility))
    body = context.deployment.control.people.may(person, use, policy=policy)

    def human() -> None:
        verdict = "may be used" if body["allowed"] else "may not be used"
        context.out.heading(f"A new {category} ({visibility}) {verdict} for {purpose}")
        show_reasons(context.out, body["reasons"])
        decided = f"{body['policy']['name']} {body['policy']['version']}"
        known = f"ledger events before position {body['position']}"
        context.out.text(f"  by {decided}, as of {moment(body['at'])}, {known}")

    context.out.show(body, human)
    return 0 if body["allowed"] else DENIED
