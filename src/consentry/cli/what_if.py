"""`consentry what-if`: what a suspension would change, counted before anybody gives it."""

from __future__ import annotations

from collections import Counter
from typing import Any

import click

from consentry.cli.context import Context, pass_context
from consentry.cli.output import Output, counted
from consentry.cli.places import place_in_table
from consentry.cli.release import PURPOSES, policy_set, show_unknown
from consentry.cli.suspend import content_options, scope_of
from consentry.clock import now
from consentry.corpus.areas import require_areas
from consentry.errors import PolicyError
from consentry.oversight.order import Scope, in_words
from consentry.policy.vocabulary import Purpose
from consentry.release.plan import difference
from consentry.release.tallies import gathered_place

_TOP = 15


@click.command("what-if")
@click.argument("corpus", required=False)
@click.option(
    "--suspend", "areas", multiple=True, help="A country, subdivision or group; several times. None: everywhere."
)
@content_options
@click.option("--policy", help="A policy set in force, a file, or a shipped set (default: the one that decides).")
@click.option(
    "--purpose", type=PURPOSES, default=str(Purpose.TRAIN_GENAI), show_default=True, help="What the use is for."
)
@pass_context
def what_if(context: Context, /, corpus: str | None, policy: str | None, purpose: str, **parts: Any) -> None:
    """Say what a suspension would change, from the census. Changes nothing.

    A census does not know when items were created, and counts those that involve several people by their owner: it says
    how many these are, as `release plan` does. Items that somebody spoke of one by one are decided as a build decides
    them. `suspend --dry-run` looks at each item instead, and says which releases, jobs and models an order would hit.
    """
    scope = _scope(parts)
    control = context.deployment.control
    names = [corpus] if corpus else list(control.desk.present().state.corpora)
    rules, when = policy_set(context, _deciding(control, Purpose(purpose)) if policy is None else policy), now()
    found = {}
    for name in names:
        before = control.releases.plan(name, Purpose(purpose), policy=rules, at=when)
        after = control.releases.plan(name, Purpose(purpose), policy=rules, at=when, suspended=scope)
        found[name] = difference(before, after)

    def human() -> None:
        for name, change in found.items():
            _show_difference(context.out, f"{name}: without {in_words(scope)}, by {rules.name}", change)
        if scope.created_from is not None or scope.created_before is not None:
            context.out.hint("What depends on a date is not eligible above. Item by item: consentry suspend --dry-run")

    by = {"name": rules.name, "version": rules.version, "digest": rules.digest}
    body = {"suspended": list(parts["areas"]), "scope": scope.to_json(), "policy": by, "corpora": found}
    context.out.show(body, human)


def _deciding(control: Any, purpose: Purpose) -> str:
    """Return the name of the policy set that decides about a use now."""
    from consentry.control_plane.in_force import by_purpose, deciding  # noqa: PLC0415 - help does without

    found = deciding(by_purpose(control.desk.present().state.policies, control.desk.document), purpose)
    if found is None:
        raise click.UsageError(f"no policy set in force decides about {purpose}: name one with --policy")
    return str(found.name)


def _scope(parts: dict[str, Any]) -> Scope:
    """Return what would be suspended; something has to be named."""
    try:
        require_areas(parts["areas"])
    except PolicyError as error:
        raise click.BadParameter(f"{error.message}; {error.help}", param_hint="--suspend") from None
    scope = scope_of({**parts, "purposes": (), "models": ()})
    if scope == Scope():
        raise click.UsageError("what would be suspended? name --suspend, --category, --visibility or dates of creation")
    scope.check()
    return scope


def _left_out_already(change: dict[str, Any]) -> str:
    """Say that all a suspension would stop is left out already, and why; empty if it would stop anything."""
    before, after = change["eligible"]["before"], change["eligible"]["after"]
    moved = change["by_reason"]
    items = sum(by for reason, by in moved.items() if reason.startswith("suspended:") and by > 0)
    if before != after:
        return ""
    if not items:
        return (
            "Nothing changes: there is nothing there, or all of it is left out already, for what goes before an order."
            " What is there, item by item: consentry suspend --dry-run"
        )
    why = ", ".join(reason for reason, by in moved.items() if by < 0)
    return f"{counted(items, 'item')} there, all left out already ({why})"


def _show_difference(out: Output, title: str, change: dict[str, Any]) -> None:
    before, after = change["eligible"]["before"], change["eligible"]["after"]
    out.heading(title)
    out.text(f"eligible {before:,} -> {after:,} ({after - before:+,})")
    if note := _left_out_already(change):
        out.hint(note)
    for label in ("by_place", "by_category"):
        by_name: Counter[str] = Counter()
        for name, by in change[label].items():
            by_name[place_in_table(gathered_place(name)) or "(none)"] += by
        most_first = sorted(by_name.items(), key=lambda each: -abs(each[1]))
        rows = [[name, f"{by:+,}"] for name, by in most_first[:_TOP]]
        if rows:
            out.table([label.removeprefix("by_"), "change"], rows)
    show_unknown(out, change)
