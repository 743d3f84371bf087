"""`consentry assessment`: documents bound to the very policy set that they assess."""

from __future__ import annotations

from collections.abc import Set
from pathlib import Path
from typing import Any

import click

from consentry.cli.context import Context, pass_context
from consentry.cli.invocation import FILE, Commands
from consentry.cli.notice import BY
from consentry.cli.output import moment
from consentry.control_plane.in_force import withdraws
from consentry.digests import Digest
from consentry.ledger.case_events import AssessmentKind
from consentry.oversight.assessment import Assessment


@click.group(cls=Commands)
def assessment() -> None:
    """Bind assessments to policy sets, and see which are bound."""


@assessment.command()
@click.argument("kind", type=click.Choice([str(each) for each in AssessmentKind]))
@click.argument("file", type=FILE)
@click.option("--policy", required=True, metavar="NAME", help="The policy set in force that FILE assesses.")
@BY
@pass_context
def bind(context: Context, kind: str, file: Path, policy: str, by: str) -> None:
    """Bind FILE, an assessment of a KIND, to what the policy set in force says. Another version needs another one."""
    bound = context.deployment.control.assessments.bind(AssessmentKind(kind), file.read_bytes(), policy=policy, by=by)

    def human() -> None:
        context.out.text(f"Bound at position {bound.position}:")
        rows = [["assessment", kind], ["document", bound.body.document], ["policy set", bound.body.policy_set]]
        context.out.table(["", ""], rows)

    context.out.show(_body(bound), human)


@assessment.command("list")
@pass_context
def list_(context: Context) -> None:
    """List the assessments, and whether the policy set in force is still the one they assess."""
    control = context.deployment.control
    found = control.assessments.every()
    published = control.desk.present().state.policies
    names = {each.name for each in published}
    withdrawn = {each.name for each in {each.name: each for each in published}.values() if withdraws(each)}
    in_force = {control.desk.policy(name)[0].digest for name in sorted(names)}
    rows = [
        [
            each.position,
            str(each.body.assessment),
            each.body.policy,
            _standing(each, withdrawn=withdrawn, in_force=in_force),
            each.body.by,
            moment(each.at),
        ]
        for each in found
    ]
    body = {"assessments": [{**_body(each), "in_force": each.body.policy_set in in_force} for each in found]}
    columns = ["position", "assessment", "policy", "of the set", "by", "bound"]
    context.out.show(body, lambda: context.out.table(columns, rows) if rows else context.out.text("No assessments."))


def _standing(bound: Assessment, *, withdrawn: Set[str], in_force: Set[Digest]) -> str:
    if bound.body.policy_set in in_force:
        return "in force"
    return "withdrawn" if bound.body.policy in withdrawn else "another version is in force"


def _body(bound: Assessment) -> dict[str, Any]:
    return {
        **bound.body.to_json(),
        "assessment": str(bound.body.assessment),
        "position": bound.position,
        "at": bound.at,
    }
