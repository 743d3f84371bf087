"""`consentry doctor`: what is installed, what is missing for what, and how to get it."""

from __future__ import annotations

import click

from consentry.cli.invocation import Invocation, pass_invocation
from consentry.cli.output import counted
from consentry.clock import now
from consentry.doctor.examination import examine
from consentry.doctor.finding import State

_SOUND = "Everything that is needed is there."
_MARK = {State.OK: "ok", State.MISSING: "missing", State.PROBLEM: "PROBLEM"}


@click.command()
@pass_invocation
def doctor(context: Invocation) -> int:
    """Say what is installed, what is missing for what, and how to get it."""
    findings = examine(context.home, at=now())
    problems = sum(finding.state is State.PROBLEM for finding in findings)

    def human() -> None:
        context.out.table(["", "part", "found"], [[_MARK[each.state], each.name, each.found] for each in findings])
        remedies = [each for each in findings if each.remedy]
        if remedies:
            context.out.heading("How to get what is missing")
        for each in remedies:
            context.out.hint(f"  {each.name}: {each.remedy}")
            context.out.text(f"    needed for: {each.purpose}")
        context.out.text()
        context.out.text(f"{counted(problems, 'problem')}." if problems else _SOUND)
        missing = sum(finding.state is State.MISSING for finding in findings)
        if missing:
            context.out.text(f"To look at, or to do without: {counted(missing, 'thing')}, marked `missing` above.")

    context.out.show({"findings": [finding.to_json() for finding in findings], "problems": problems}, human)
    return 1 if problems else 0
