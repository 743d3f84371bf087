"""`consentry case`: an authority's matter, from the concern to its end."""

from __future__ import annotations

from typing import Any

import click

from consentry.cli.asking import agreed
from consentry.cli.case_register import REASON, condition, report
from consentry.cli.case_words import body_of, show_agreed, show_case
from consentry.cli.context import Context, pass_context
from consentry.cli.invocation import DENIED, Commands
from consentry.cli.notice import BY
from consentry.cli.output import counted, day, moment
from consentry.cli.suspend import scope_of, scope_options
from consentry.clock import now
from consentry.control_plane.once_recorded import once_recorded
from consentry.oversight.case import CaseStanding, Obstacle
from consentry.oversight.drained_words import took_in_words
from consentry.oversight.order import in_words

REFERENCE = click.option(
    "--reference", required=True, metavar="TEXT", help="Of the letter or decision; no personal data."
)


@click.group(cls=Commands)
def case() -> None:
    """Open cases, work through their conditions, and give a use back only when all of them are met."""


case.add_command(condition)
case.add_command(report)


@case.command("open")
@click.argument("name")
@click.option("--title", required=True, metavar="TEXT", help="What it is about, in a line.")
@REFERENCE
@BY
@pass_context
def open_(context: Context, name: str, title: str, reference: str, by: str) -> None:
    """Open case NAME for a concern. Nothing is suspended by it; `consentry suspend --case NAME` does that."""
    opened = context.deployment.control.cases.open(name, title=title, reference=reference, by=by)
    body = {"case": name, "position": opened.position}
    context.out.show(body, lambda: context.out.text(f"Case {name} is open, from position {opened.position}."))


@case.command("list")
@pass_context
def list_(context: Context) -> None:
    """List all cases, and how far they are."""
    control, at = context.deployment.control, now()
    found = [control.cases.register_of(each.case) for each in control.cases.every()]
    overdue = {case.case: [r for r in case.reports.values() if r.overdue(at)] for case, _, _, _ in found}
    rows = [
        [
            case.case,
            _plain(standing),
            case.title,
            "; ".join(in_words(each.scope) for each in control.orders.every() if each.order in case.orders) or "-",
            len(obstacles) if case.over is None else 0,
            ", ".join(f"{each.report} since {day(each.due)}" for each in overdue[case.case]) or "-",
        ]
        for case, standing, obstacles, _ in found
    ]
    body = {
        "cases": [
            {
                "case": case.case,
                "title": case.title,
                "standing": str(standing),
                "orders": sorted(case.orders),
                "in_the_way": [each.text for each in obstacles] if case.over is None else [],
                "overdue_reports": [each.report for each in overdue[case.case]],
            }
            for case, standing, obstacles, _ in found
        ]
    }
    columns = ["case", "standing", "about", "suspended", "open points", "overdue reports"]
    context.out.show(body, lambda: context.out.table(columns, rows) if rows else context.out.text("No cases."))


@case.command()
@click.argument("name")
@pass_context
def show(context: Context, name: str) -> None:
    """Show case NAME: its suspensions, the register of conditions, and what stands in the way of lifting it."""
    control, at = context.deployment.control, now()
    found, standing, obstacles, answers = control.cases.register_of(name)
    orders = [each for each in control.orders.every() if each.case == name]
    body = body_of(found, standing, obstacles=obstacles, answers=answers, orders=orders, at=at)
    context.out.show(body, lambda: show_case(context.out, body))


@case.command()
@click.argument("name")
@pass_context
def timeline(context: Context, name: str) -> None:
    """Show everything that was said of case NAME, with positions and times."""
    found = context.deployment.control.cases.timeline(name)
    rows = [[each["position"], moment(each["at"]), each["kind"], _about(each["body"])] for each in found]
    columns = ["position", "time", "what", "about"]
    context.out.show({"case": name, "events": found}, lambda: context.out.table(columns, rows))


def _about(body: dict[str, Any]) -> str:
    """Return what distinguishes an event from others of its kind."""
    words = []
    for key in ("order", "condition", "notice", "report", "step", "how", "reference", "title", "reason"):
        value = body.get(key)
        if isinstance(value, str) and value:
            words.append(value)
    by = body.get("by")
    if by:
        words.append(f"by {by if isinstance(by, str) else ' and '.join(by)}")
    if "took_ms" in body:
        words.append(took_in_words(body))
    if "count" in body:
        words.append(counted(body["count"], "person", several="people"))
    return ", ".join(words)


@case.command()
@click.argument("name")
@BY
@pass_context
def review(context: Context, name: str, by: str) -> None:
    """Begin the review of case NAME: from here on approvals count."""
    cases = context.deployment.control.cases
    cases.begin_review(name, by=by)
    _, standing, _, _ = cases.register_of(name)
    said = f"Case {name} is under review."
    if standing is CaseStanding.CONCERN_RAISED:
        said = f"The review of case {name} has begun. Nothing is suspended under it yet: it stands at `concern raised`."
    context.out.show({"case": name, "standing": str(standing)}, lambda: context.out.text(said))


@case.command()
@click.argument("name")
@click.argument("notice")
@click.option("--days", type=int, required=True, help="How many full days people have to object; 366 at most.")
@BY
@pass_context
def notice(context: Context, name: str, notice: str, days: int, by: str) -> None:
    """Require that NOTICE is served, and that days pass, before case NAME can be lifted. Days only grow.

    What was a mistake is mended with `correct-notice`.
    """
    found = context.deployment.control.cases.require_notice(name, notice, days=days, by=by)
    body = {"case": name, "notices": dict(found.notices)}
    needed = counted(found.notices[notice], "day")
    context.out.show(
        body, lambda: context.out.text(f"Case {name} waits for notice {notice}, and {needed} after it was served.")
    )


@case.command("correct-notice")
@click.argument("name")
@click.argument("notice")
@click.option("--days", type=int, metavar="N", help="So many full days are enough.")
@click.option("--take-back", is_flag=True, help="The notice is not required at all.")
@REASON
@BY
@pass_context
def correct_notice(
    context: Context, /, name: str, notice: str, *, days: int | None, take_back: bool, reason: str, by: str
) -> int:
    """Have case NAME require less of NOTICE, as more was a mistake. Approvals given before count no longer.

    Once somebody approved lifting it, it takes two different people who say the very same. Exit status 3 until then.
    """
    if (days is None) is not take_back:
        raise click.UsageError("give either `--days` or `--take-back`")
    agreed = context.deployment.control.corrections.notice(name, notice, days=days, reason=reason, by=by)
    waits = f"waits {counted(days, 'day')} after it" if days is not None else "does not require it any more"
    return show_agreed(context, agreed, case=name, done=f"Notice {notice}: case {name} {waits}.")


@case.command()
@click.argument("name")
@BY
@pass_context
def approve(context: Context, name: str, by: str) -> int:
    """Approve lifting case NAME; it takes two different people. Exit status 3 while a condition is open."""
    control = context.deployment.control
    obstacles = control.cases.approve(name, by=by)
    if obstacles:
        return _refuse(context, name, step="approved", obstacles=obstacles)
    with once_recorded():
        _, standing, rest, _ = control.cases.register_of(name)
    body = {"case": name, "approved": True, "standing": str(standing), "in_the_way": [each.text for each in rest]}

    def human() -> None:
        context.out.text(f"Approved by {by}. The case is now: {_plain(standing)}.")
        for each in rest:
            context.out.text(f"  still to come: {each.text}")

    context.out.show(body, human)
    return 0


@case.command()
@click.argument("name")
@REFERENCE
@BY
@pass_context
def lift(context: Context, name: str, reference: str, by: str) -> int:
    """Lift case NAME: end its suspensions. Exit status 3, with every reason, while something stands in the way."""
    obstacles = context.deployment.control.cases.lift(name, reference=reference, by=by)
    if obstacles:
        return _refuse(context, name, step="lifted", obstacles=obstacles)
    body = {"case": name, "lifted": True, "in_the_way": []}
    context.out.show(
        body, lambda: context.out.text(f"Case {name} is lifted. Releases that are built from now on hold what was out.")
    )
    return 0


def _refuse(context: Context, case: str, *, step: str, obstacles: tuple[Obstacle, ...]) -> int:
    """Say that a case cannot be approved or lifted yet, and why; return the exit status."""
    body = {
        "case": case,
        step: False,
        "in_the_way": [{"kind": each.kind, "about": each.about, "text": each.text} for each in obstacles],
    }

    def human() -> None:
        stand = counted(len(obstacles), "thing stands", several="things stand")
        context.out.text(f"Case {case} cannot be {step} yet: {stand} in the way.")
        for each in obstacles:
            context.out.text(f"  - {each.text}")

    context.out.show(body, human)
    return DENIED


@case.command()
@click.argument("name")
@REFERENCE
@BY
@pass_context
def withdraw(context: Context, name: str, reference: str, by: str) -> int:
    """Say that whoever raised the concern of case NAME gave it up. Its suspensions end with that.

    It takes two different people who say the very same, with the same reference. Exit status 3 until then.
    """
    agreed = context.deployment.control.cases.withdraw(name, reference=reference, by=by)
    return show_agreed(
        context, agreed, case=name, done=f"Case {name} is withdrawn: nothing is suspended by it any more."
    )


@case.command()
@click.argument("name")
@REFERENCE
@BY
@click.option("--yes", is_flag=True, help="Do not ask.")
@pass_context
def prohibit(context: Context, /, name: str, reference: str, *, by: str, yes: bool) -> None:
    """End case NAME with its suspensions in force, for good. Nothing lifts them any more."""
    if not agreed(f"Keep the suspensions of case {name} for good?", yes=yes):
        raise click.Abort
    context.deployment.control.cases.prohibit(name, reference=reference, by=by)
    body = {"case": name, "standing": str(CaseStanding.PROHIBITED)}
    context.out.show(body, lambda: context.out.text(f"Case {name} is prohibited: its suspensions hold for good."))


@case.command()
@click.argument("name")
@scope_options
@REFERENCE
@BY
@pass_context
def narrow(context: Context, /, name: str, reference: str, by: str, **parts: Any) -> int:
    """Say that a smaller suspension is enough. It takes two people, and what lifting the rest would need.

    What is left out of the scope means all, as in `suspend`. The review has begun and every condition is met before
    anybody can say so. Once two people have said the very same, the notices of the case are served and their days pass;
    then either says it again. Exit status 3 until then.
    """
    scope = scope_of(parts)
    agreed = context.deployment.control.cases.narrow(name, scope, reference=reference, by=by)
    done = f"Order {', '.join(agreed.orders)} took the place of what was suspended: {in_words(scope)}."
    return show_agreed(context, agreed, case=name, done=done)


def _plain(standing: CaseStanding) -> str:
    return str(standing).replace("-", " ")
