"""`consentry release`: plan, build, read, explain, compare, verify and copy releases."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from consentry.cli.asking import agreed
from consentry.cli.context import Context, pass_context
from consentry.cli.invocation import DENIED, Commands
from consentry.cli.model import destroy_folder, show_certificates
from consentry.cli.output import Output, counted, read_moment
from consentry.cli.policy import read_set
from consentry.cli.release_text import (
    show_amendments,
    show_barred,
    show_comparison,
    show_counts,
    show_explanation,
    show_head,
    show_withdrawn,
    withdrawn_since,
)
from consentry.clock import now
from consentry.control_plane.once_recorded import once_recorded
from consentry.errors import NotFoundError
from consentry.ledger.lineage_events import Destroyed
from consentry.policy.policy_set import PolicySet
from consentry.policy.vocabulary import Purpose
from consentry.release.materialise import CopyFormat
from consentry.release.tallies import summary

PURPOSES = click.Choice([str(each) for each in Purpose])
_TOP = 15


def policy_set(context: Context, name: str) -> PolicySet:
    """Return the policy set in force under a name, else a file or shipped set: a plan needs nothing published."""
    try:
        return context.deployment.control.desk.policy(name)[0]
    except NotFoundError:
        return read_set(name)


@click.group(cls=Commands)
def release() -> None:
    """Plan, build, read, explain, compare, verify and copy releases."""


@release.command()
@click.argument("corpus")
@click.option("--policy", required=True, help="A policy set in force, a file, or a shipped set.")
@click.option(
    "--purpose", type=PURPOSES, default=str(Purpose.TRAIN_GENAI), show_default=True, help="What the use is for."
)
@click.option("--at", type=read_moment, metavar="TIME", help="Decide as of this date or time (default: now).")
@pass_context
def plan(context: Context, corpus: str, policy: str, purpose: str, at: int | None) -> None:
    """Count what a release of CORPUS would hold, from the census. Seals nothing.

    Items that somebody spoke of one by one are decided as a build decides them. No content is opened.
    """
    when = now() if at is None else at
    found = context.deployment.control.releases.plan(
        corpus, Purpose(purpose), policy=policy_set(context, policy), at=when
    )

    def human() -> None:
        show_counts(context.out, summary(found.tally))
        show_unknown(context.out, found.to_json())

    context.out.show(found.to_json(), human)


def show_unknown(out: Output, found: Mapping[str, Any]) -> None:
    """Print what a census cannot tell, of a plan or of the difference of two."""
    if found["undecided"] == 1:
        out.text("\n1 item depends on when it was created: a census cannot tell.")
    elif found["undecided"]:
        out.text(f"\n{found['undecided']:,} items depend on when they were created: a census cannot tell.")
    if found["involving_several"]:
        several = counted(found["involving_several"], "item involves", several="items involve")
        out.text(f"{several} several people and may be denied because of them.")


@release.command()
@click.argument("corpus")
@click.option("--policy", required=True, help="A policy set in force.")
@click.option(
    "--purpose", type=PURPOSES, default=str(Purpose.TRAIN_GENAI), show_default=True, help="What the use is for."
)
@click.option("--at", type=read_moment, metavar="TIME", help="Decide as of this date or time (default: now).")
@click.option(
    "--by", metavar="HANDLE", help="Who builds it: the handle of a member of staff or a role. It stays in the ledger."
)
@pass_context
def build(context: Context, corpus: str, policy: str, purpose: str, at: int | None, by: str | None) -> None:
    """Decide every item of CORPUS, and seal those that may be used."""
    control = context.deployment.control
    with context.out.progress() as progress:
        built = control.releases.build(corpus, Purpose(purpose), policy=policy, at=at, by=by, progress=progress)
    body = {**built.manifest.to_json(), "digest": built.digest}

    def human() -> None:
        show_head(context.out, body)
        show_counts(context.out, built.manifest.counts)
        context.out.hint(f"\nWhy is an item in, or out? consentry release explain {built.manifest.release} ITEM")

    context.out.show(body, human)


@release.command("list")
@pass_context
def list_(context: Context) -> None:
    """List the sealed releases."""
    control = context.deployment.control
    known = control.releases.sealed()
    withdrawn = {name: control.releases.withdrawal(name) for name, each in known.items() if each.withdrawn is not None}
    left = {name: found[-1]["items"] if (found := control.amendments.of(name)) else 0 for name in known}
    barred = {name: control.orders.barred(name) for name, each in known.items() if each.withdrawn is None}
    rows = [
        [each.position, name, str(each.purpose), left[name], _standing(withdrawn.get(name), barred.get(name))]
        for name, each in known.items()
    ]
    body = {
        "releases": [
            {
                "release": name,
                **each._asdict(),
                "withdrawn": withdrawn.get(name),
                "barred": barred.get(name),
                "items_removed": left[name],
            }
            for name, each in known.items()
        ]
    }
    columns = ["position", "release", "purpose", "items removed since", "no longer readable"]
    context.out.show(body, lambda: context.out.table(columns, rows))


def _standing(withdrawn: dict[str, Any] | None, barred: Mapping[str, Any] | None) -> str:
    """Say why nobody may read a release; nothing if they may."""
    if barred is not None:
        return f"barred by {barred['order']}"
    return "" if withdrawn is None else f"withdrawn {withdrawn_since(withdrawn)}"


@release.command()
@click.argument("name")
@pass_context
def show(context: Context, name: str) -> None:
    """Show what release NAME holds and what it was decided by."""
    control = context.deployment.control
    manifest = control.releases.open(name).manifest
    body = {
        **manifest.to_json(),
        "withdrawn": control.releases.withdrawal(name),
        "barred": control.orders.barred(name),
        "amendments": control.amendments.of(name),
    }

    def human() -> None:
        show_head(context.out, body)
        show_withdrawn(context.out, name, withdrawn=body["withdrawn"])
        show_barred(context.out, body["barred"])
        show_amendments(context.out, body["amendments"])
        show_counts(context.out, manifest.counts)

    context.out.show(body, human)


@release.command()
@click.argument("name")
@click.argument("item")
@pass_context
def explain(context: Context, name: str, item: str) -> int:
    """Say why ITEM is in release NAME, or is not. Exit status 3 if it may not be used.

    Whether the release may be read at all is said beside it: it may have been withdrawn, or an order may bar it. Then
    nothing of it may be used.
    """
    found = context.deployment.control.releases.explain(name, item)

    def human() -> None:
        show_explanation(context.out, item, body=found.body)
        show_withdrawn(context.out, name, withdrawn=found.body["withdrawn"])
        show_barred(context.out, found.body["barred"])

    context.out.show(found.body, human)
    unread = found.body["withdrawn"] or found.body["barred"]
    return DENIED if unread or not found.allowed else 0


@release.command()
@click.argument("before")
@click.argument("after")
@pass_context
def diff(context: Context, before: str, after: str) -> None:
    """Say what changed between releases BEFORE and AFTER, and why.

    First the items that changed sides, from which reason to which. Then every count that differs, by reason, place and
    category: there also those show that are denied for another reason than before.
    """
    control = context.deployment.control
    with context.out.progress() as progress:
        found = control.releases.compare(before, after, progress=progress)
    context.out.show(found, lambda: show_comparison(context.out, found))


@release.command()
@click.argument("name")
@click.option("--decide", is_flag=True, help="Also decide every item again and compare the bitmaps byte by byte.")
@pass_context
def verify(context: Context, name: str, decide: bool) -> int:  # noqa: FBT001 - click calls it by name
    """Check release NAME: signature, digests, bitmaps, counts and content files. Exit status 3 if anything is wrong."""
    control = context.deployment.control
    with context.out.progress() as progress:
        findings = list(control.releases.verify(name, decide=decide, progress=progress))
    wrong = [finding for finding in findings if finding.problem]

    def human() -> None:
        for finding in wrong:
            context.out.text(f"WRONG  {finding.check}: {finding.problem} [{finding.code}]")
        context.out.text(f"{len(findings) - len(wrong)} of {len(findings)} checks passed.")
        show_withdrawn(context.out, name, withdrawn=body["withdrawn"])

    checks = [asdict(each) for each in findings]
    body: dict[str, Any] = {
        "release": name,
        "checks": checks,
        "ok": not wrong,
        "withdrawn": control.releases.withdrawal(name),
    }
    context.out.show(body, human)
    return DENIED if wrong else 0


@release.command()
@click.argument("name")
@click.argument("target", type=click.Path(path_type=Path))
@click.option(
    "--format",
    "kind",
    type=click.Choice([str(each) for each in CopyFormat]),
    default="parquet",
    show_default=True,
    help="What to write.",
)
@pass_context
def materialise(context: Context, name: str, target: Path, kind: str) -> None:
    """Write a filtered copy of release NAME to the folder TARGET: for storage that must not show excluded items."""
    with context.out.progress() as progress:
        report = context.deployment.control.releases.materialise(name, target, kind=CopyFormat(kind), progress=progress)
    body = {"items": report.rows, "files": [str(path) for path in report.files], "bytes": report.size}
    context.out.show(body, lambda: context.out.text(f"{counted(report.rows, 'item')} written to {target}."))


@release.command()
@click.argument("name")
@click.option(
    "--format-version",
    type=click.Choice(["2", "3"]),
    default="2",
    show_default=True,
    help="2: position deletes, which most readers know. 3: deletion vectors, which are smaller.",
)
@pass_context
def table(context: Context, name: str, format_version: str) -> None:
    """Write release NAME as an Iceberg table over the untouched files; print the path of its metadata."""
    control = context.deployment.control
    with context.out.progress() as progress:
        report = control.releases.table(name, 3 if format_version == "3" else 2, progress=progress)
    context.out.show(report, lambda: context.out.text(str(report["metadata"])))


@release.command()
@click.argument("name")
@click.option("--reason", required=True, help="Why. It stays in the ledger for good: no name, no id, no personal data.")
@click.option(
    "--by",
    required=True,
    metavar="HANDLE",
    help="Who does it: the handle of a member of staff or a role. It stays in the ledger.",
)
@click.option("--yes", is_flag=True, help="Do not ask.")
@pass_context
def withdraw(context: Context, name: str, reason: str, by: str, yes: bool) -> int:  # noqa: FBT001 - click calls it by name
    """Say that nobody may read release NAME any more, and remove its Iceberg tables. It cannot be undone.

    No table and no copy is made of it from now on. It stays in the ledger, and can still be shown, explained, compared
    and verified.
    """
    if reason.strip() and not reason.isprintable():
        raise click.BadParameter("give it in one line of text", param_hint="--reason")
    control = context.deployment.control
    asks = control.releases.sealed_as(name).withdrawn is None and not yes
    if not agreed(f"Withdraw release {name} for good?", yes=not asks):
        return 1
    position = control.releases.withdraw(name, reason, by=by)

    def human() -> None:
        context.out.text(f"Withdrawn at position {position}. Its Iceberg tables are removed.")
        context.out.text("Copies made with `release materialise`, and jobs that are reading now, are yours to stop.")

    with once_recorded():
        withdrawn = control.releases.withdrawal(name)
    context.out.show({"release": name, "withdrawn": withdrawn}, human)
    return 0


@release.command()
@click.argument("name")
@click.option(
    "--folder", type=click.Path(path_type=Path), help="What is deleted, with all in it: a copy of the release."
)
@click.option(
    "--by", metavar="HANDLE", help="Who does it: the handle of a member of staff or a role. It stays in the ledger."
)
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="Write the newest one to this file.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@pass_context
def certificate(
    context: Context,
    name: str,
    folder: Path | None,
    by: str | None,
    out: Path | None,
    yes: bool,  # noqa: FBT001 - click calls it by name
) -> int:
    """Delete a copy of the withdrawn release NAME, and certify what was deleted, when and by whom.

    Interrupted, the same command goes on. Without --folder it checks the certificates there are: exit status 3 if one
    is wrong, or there is none.
    """
    if folder is None:
        return show_certificates(context, name, what=Destroyed.RELEASE, out=out)
    if by is None:
        raise click.UsageError("--folder needs --by: somebody has to stand for it")
    return destroy_folder(context, name, what=Destroyed.RELEASE, folder=folder, by=by, yes=yes)
