"""`consentry case condition` and `consentry case report`: the register of a case."""

from __future__ import annotations

from pathlib import Path

import click

from consentry.cli.case_words import show_agreed
from consentry.cli.context import Context, pass_context
from consentry.cli.invocation import FILE, Commands
from consentry.cli.notice import BY
from consentry.cli.output import day, read_last_moment
from consentry.clock import now
from consentry.digests import canonical_json, digest
from consentry.ledger.case_events import ConditionAdded
from consentry.oversight.case_report import markdown
from consentry.oversight.condition_check import CHECKS

REASON = click.option(
    "--reason", required=True, metavar="TEXT", help="Why, in a line. It stays in the ledger: no personal data."
)
_DUE = "Until when: a date (the end of that day, UTC), or a time with zone."


@click.group(cls=Commands)
def condition() -> None:
    """Add conditions to a case, and note how they are met."""


@condition.command()
@click.argument("case")
@click.argument("name")
@click.option("--title", required=True, metavar="TEXT", help="What was undertaken, in a line.")
@click.option("--owner", required=True, metavar="HANDLE", help="Who sees to it.")
@click.option("--due", type=read_last_moment, required=True, metavar="TIME", help=_DUE)
@click.option("--check", type=click.Choice(list(CHECKS)), help="A check of the live system, instead of evidence.")
@click.option("--policy", metavar="NAME", help="The policy set in force that the check looks at.")
@click.option(
    "--parameter",
    "parameters",
    multiple=True,
    metavar="TEXT",
    help="Of the check (docs/oversight.md); several times.",
)
@BY
@pass_context
def add(
    context: Context,
    case: str,
    name: str,
    title: str,
    owner: str,
    due: int,
    check: str | None,
    policy: str | None,
    parameters: tuple[str, ...],
    by: str,
) -> None:
    """Add condition NAME to CASE. It is met by evidence, or whenever its check says so."""
    control = context.deployment.control
    control.conditions.add(
        ConditionAdded(
            case=case,
            condition=name,
            title=title,
            owner=owner,
            due=due,
            check=check,
            policy=policy,
            parameters=parameters,
            by=by,
        )
    )
    found, _, _, answers = control.cases.register_of(case)
    answer = found.conditions[name].answer(answers)
    body = {"case": case, "condition": name, "met": answer.met, "found": answer.found}
    state = "met" if answer.met else "open"
    context.out.show(body, lambda: context.out.text(f"Condition {name} of case {case} is {state}: {answer.found}."))
    _note_past(context, due, what=f"Condition {name}")


def _note_past(context: Context, due: int, *, what: str) -> None:
    """Point out a day that is over: what happened may be written down late, and a slip of the pen looks the same."""
    if due < now():
        context.out.note(f"{what} was due {day(due)}, which is over.")


@condition.command()
@click.argument("case")
@click.argument("name")
@click.argument("file", type=FILE)
@BY
@pass_context
def meet(context: Context, case: str, name: str, file: Path, by: str) -> None:
    """Note that condition NAME of CASE is met, as FILE shows. The file is stored; no personal data belongs in it."""
    found = context.deployment.control.conditions.meet(case, name, evidence=file.read_bytes(), by=by)
    met = found.conditions[name].met
    body = {"case": case, "condition": name, "evidence": None if met is None else met.evidence}
    context.out.show(body, lambda: context.out.text(f"Condition {name} is met: evidence {body['evidence']}"))


@condition.command()
@click.argument("case")
@click.argument("name")
@REASON
@BY
@pass_context
def reopen(context: Context, case: str, name: str, reason: str, by: str) -> None:
    """Note that condition NAME of CASE is not met after all. Approvals given before count no longer."""
    context.deployment.control.conditions.reopen(case, name, reason=reason, by=by)
    body = {"case": case, "condition": name, "reason": reason}
    context.out.show(body, lambda: context.out.text(f"Condition {name} is open again: {reason}"))


@condition.command("take-back")
@click.argument("case")
@click.argument("name")
@REASON
@BY
@pass_context
def take_back(context: Context, case: str, name: str, reason: str, by: str) -> int:
    """Take condition NAME of CASE back, as it was a mistake. Approvals given before count no longer.

    Once somebody approved lifting it, it takes two different people who say the very same. Exit status 3 until then.
    """
    agreed = context.deployment.control.corrections.condition(case, name, reason=reason, by=by)
    return show_agreed(context, agreed, case=case, done=f"Case {case} has no condition {name} any more.")


@click.group(cls=Commands)
def report() -> None:
    """Schedule, write and deliver the reports that an authority is owed."""


@report.command()
@click.argument("case")
@click.argument("name")
@click.option("--title", required=True, metavar="TEXT", help="What it is, in a line.")
@click.option("--due", type=read_last_moment, required=True, metavar="TIME", help=_DUE)
@BY
@pass_context
def schedule(context: Context, case: str, name: str, title: str, due: int, by: str) -> None:
    """Note that report NAME on CASE is owed to the authority. Possible after the case is over, too."""
    context.deployment.control.reports.schedule(case, name, title=title, due=due, by=by)
    body = {"case": case, "report": name, "due": due}
    context.out.show(body, lambda: context.out.text(f"Report {name} is due {day(due)}."))
    _note_past(context, due, what=f"Report {name}")


_POSITION = click.option(
    "--position",
    type=click.IntRange(1),
    metavar="P",
    help="Report the ledger events before position P (default: all there are).",
)


@report.command()
@click.argument("case")
@click.argument("name")
@_POSITION
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    metavar="PATH",
    help="Write it there: as canonical JSON if the name ends in .json, else as text (Markdown).",
)
@pass_context
def write(context: Context, case: str, name: str, position: int | None, output: Path | None) -> None:
    """Generate report NAME on CASE from the ledger. The same position always gives the same bytes.

    Nothing is recorded. `deliver` notes that it was handed over.
    """
    made = context.deployment.control.reports.generate(case, name, position=position)
    document = canonical_json(made)
    if output is None:
        context.out.show(made, lambda: context.out.text(markdown(made)))
        return
    written = document if output.suffix == ".json" else markdown(made).encode()
    output.write_bytes(written)
    body = {
        "position": made["position"],
        "document": digest(document),
        "written": str(output),
        "digest": digest(written),
    }

    def human() -> None:
        context.out.text(f"{output}: report {name}, position {made['position']}, {body['digest']}")
        if written != document:
            context.out.text(f"What `deliver` records is the JSON document: {body['document']}")

    context.out.show(body, human)


@report.command()
@click.argument("case")
@click.argument("name")
@_POSITION
@BY
@pass_context
def deliver(context: Context, case: str, name: str, position: int | None, by: str) -> None:
    """Note that report NAME on CASE was handed over, as it is at a position. It is stored, and its digest recorded."""
    document, of = context.deployment.control.reports.deliver(case, name, position=position, by=by)
    body = {"case": case, "report": name, "document": document, "position": of}
    context.out.show(body, lambda: context.out.text(f"Report {name} is delivered, of position {of}: {document}"))
