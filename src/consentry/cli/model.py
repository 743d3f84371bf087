"""`consentry model`: what models come from, where they stand, what is done about them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from consentry.cli.asking import agreed
from consentry.cli.context import Context, pass_context
from consentry.cli.invocation import DENIED, Commands
from consentry.cli.output import Output, counted, moment
from consentry.control_plane.once_recorded import once_recorded
from consentry.ledger.lineage_events import Destroyed, Remedy

_BY = click.option(
    "--by",
    required=True,
    metavar="HANDLE",
    help="Who does it: the handle of a member of staff or a role. It stays in the ledger.",
)
_DIGEST = click.option("--digest", metavar="SHA256", help="Of the model's weights: `sha256:` and 64 digits.")


@click.group(cls=Commands)
def model() -> None:
    """Say what models come from, see where they stand, remedy, withdraw and destroy them."""


@model.command()
@click.argument("name")
@click.option("--base", metavar="MODEL", help="The model that its training began with: its mark is inherited.")
@click.option("--release", "releases", multiple=True, metavar="NAME", help="A release it was trained on; repeatable.")
@click.option("--lease", "leases", multiple=True, metavar="ID", help="A lease it was trained under; repeatable.")
@_DIGEST
@pass_context
def register(
    context: Context,
    name: str,
    base: str | None,
    releases: tuple[str, ...],
    leases: tuple[str, ...],
    digest: str | None,
) -> None:
    """Say what model NAME comes from. Said again, it adds to what was said.

    A model that a job named when it asked for a lease is known already. One that names releases and no lease counts as
    trained on all of them.
    """
    position = context.deployment.control.models.register(
        name, base=base, releases=releases, leases=leases, digest=digest
    )
    context.out.show({"position": position}, lambda: context.out.text(f"Recorded at position {position}."))


@model.command("list")
@pass_context
def list_(context: Context) -> None:
    """List all models, where they stand, which are held from being served, and until when the next step is due."""
    found = context.deployment.control.models.every()
    rows = [[each["model"], each["base"] or "", _stands(each), _served(each), _until(each)] for each in found]

    def human() -> None:
        if rows:
            context.out.table(["model", "base", "stands", "served", "next step until"], rows)
        else:
            context.out.text("No models.")

    context.out.show({"models": found}, human)


@model.command()
@click.argument("name")
@pass_context
def show(context: Context, name: str) -> None:
    """Show where model NAME stands, what holds it from being served, and how much of its data was withdrawn since."""
    body = context.deployment.control.models.show(name)
    body["certificates"] = context.deployment.control.destruction.certificates(Destroyed.MODEL, name)
    context.out.show(body, lambda: _show(context.out, body))


def _show(out: Output, body: dict[str, Any]) -> None:
    lost = body["withdrawn_since"]
    rows = [
        ["stands", _stands(body)],
        ["served", _served(body)],
        *(["held because", each] for each in body["why"]),
        ["built on", ", ".join(body["ancestry"]) or "nothing that is known"],
        ["trained on", ", ".join(body["releases"]) or "no release that is known"],
        ["withdrawn since", _lost(lost)],
    ]
    if body["inherited"]:
        rows.append(["inherited from", ", ".join(body["inherited"])])
    if lost["releases"]:
        rows.append(["releases withdrawn", ", ".join(lost["releases"])])
    rows += [
        ["trained before", f"{each['order']} ({each['scope']}), {each['ended']} {moment(each['ended_at'])}"]
        for each in body["trained_before"]
    ]
    if body["deadline"] is not None:
        rows.append(["next step until", _until(body)])
    if (remedy := body["remedy"]) is not None:
        rows.append(["remedy", f"{remedy['remedy']}, chosen by {remedy['by']}{_approved(remedy)}"])
    if (left := body["withdrawn"]) is not None:
        rows.append(["withdrawn", f"{moment(left['at'])} by {left['by']}: {left['reason']}"])
    rows += [["not known to be gone", f"{each['digest']} ({each['as']})"] for each in body["left"]]
    if body["unrecorded"] is not None:
        said = ", ".join(body["unrecorded"]["said_gone_by"])
        rows.append(["all of it is gone, says", said or "nobody yet, and two have to"])
    rows += [["destroyed", f"{counted(each['files'], 'file')}, {_signed(each)}"] for each in body["certificates"]]
    out.heading(f"Model {body['model']}")
    out.table(["", ""], rows)
    if body["jobs"]:
        jobs = [[each["job"], each["release"], each["step"] or 0, each["items"]] for each in body["jobs"]]
        out.heading("Trained by")
        out.table(["job", "release", "last step", "items"], jobs)
        for each in body["jobs"]:
            if each["not_given"]:
                left_out = counted(each["not_given"], "item")
                out.text(f"{each['job']} said that it was trained on {left_out} that {each['release']} leaves out.")
    made = [[job["job"], each] for job in body["jobs"] for each in job["model_checkpoints"]]
    if made:
        out.heading("Model checkpoints")
        out.table(["name", "job", "step", "stands"], [[e["name"], job, e["step"], _checkpoint(e)] for job, e in made])


def _lost(lost: dict[str, Any]) -> str:
    known = f"{counted(lost['items'], 'item')} of {counted(lost['people'], 'person', several='people')}"
    if lost["items_of_unknown_people"]:
        known += f" ({lost['items_of_unknown_people']:,} of people that are not known any more)"
    if not lost["items_not_known"]:
        return known
    most = f"up to {counted(lost['items_not_known'], 'item')}, of files that are gone or changed"
    return f"{known}, and not known: {most}" if lost["items"] else f"not known: {most}"


def _checkpoint(each: dict[str, Any]) -> str:
    return f"trained before {each['order']}" if each["stands"] == "trained before" else each["stands"] or "good"


def _approved(remedy: dict[str, Any]) -> str:
    return f", approved by {' and '.join(remedy['approved'])}" if remedy["approved"] else ""


def _signed(certificate: dict[str, Any]) -> str:
    return f"WRONG: {certificate['problem']}" if certificate["problem"] else "certificate signed by this deployment"


def _stands(body: dict[str, Any]) -> str:
    return f"{body['stage']}, LATE" if body["late"] else str(body["stage"])


def _served(body: dict[str, Any]) -> str:
    return "held" if body["held"] else "yes"


def _until(body: dict[str, Any]) -> str:
    return "" if body["deadline"] is None else moment(body["deadline"])


@model.command()
@click.argument("name")
@click.argument("what", type=click.Choice([str(each) for each in Remedy]))
@click.option("--reason", default="", help="Why; `accept` needs one. No personal data: it stays in the ledger.")
@_BY
@pass_context
def remedy(context: Context, name: str, what: str, reason: str, by: str) -> None:
    """Choose WHAT is done about the affected model NAME.

    `accept` means nothing is done. Of that, and of `drop-adapter`, the ledger shows nothing but somebody's word: two
    different people approve it with `consentry model approve`, as where no job of ours trained the model anew on at
    least half as much as before. What it is built on keeps its own marks: of those only `accept`, and `retrain` on
    bases that have none, take anything off the model.
    """
    context.deployment.control.models.choose_remedy(name, Remedy(what), by=by, reason=reason)
    _say_where(context, name)


@model.command()
@click.argument("name")
@_BY
@pass_context
def approve(context: Context, name: str, by: str) -> None:
    """Approve what nothing but words show of model NAME. Two different people have to.

    That nothing is done about it, that its adapter is dropped, or that it was trained anew where no job of ours did it:
    for that, register what it was trained on and the digest of its new weights before.
    """
    context.deployment.control.models.approve_remedy(name, by=by)
    _say_where(context, name)


@model.command()
@click.argument("name")
@_DIGEST
@_BY
@pass_context
def finish(context: Context, name: str, digest: str | None, by: str) -> None:
    """Say that what was chosen for model NAME is done. What was withdrawn after the choice is not covered."""
    context.deployment.control.models.finish_remedy(name, by=by, digest=digest)
    _say_where(context, name)


def _say_where(context: Context, name: str) -> None:
    with once_recorded():
        body = context.deployment.control.models.show(name)
    until = f" Next step until {_until(body)}." if body["deadline"] is not None else ""
    remedy = body["remedy"]
    chosen = "" if remedy is None else f" ({remedy['remedy']}{_approved(remedy)})"
    context.out.show(body, lambda: context.out.text(f"Model {name}: {_stands(body)}{chosen}.{until}"))


@model.command()
@click.argument("name")
@click.option("--reason", required=True, help="Why. It stays in the ledger for good: no personal data.")
@_BY
@click.option("--yes", is_flag=True, help="Do not ask.")
@pass_context
def withdraw(context: Context, name: str, reason: str, by: str, yes: bool) -> int:  # noqa: FBT001 - click calls it by name
    """Say that nobody may serve model NAME any more. It cannot be undone."""
    if not agreed(f"Withdraw model {name} for good?", yes=yes):
        return 1
    position = context.deployment.control.models.withdraw(name, reason, by=by)
    context.out.show(
        {"model": name, "position": position}, lambda: context.out.text(f"Withdrawn at position {position}.")
    )
    return 0


@model.command()
@click.argument("name")
@click.option("--folder", type=click.Path(path_type=Path), required=True, help="What is deleted, with all in it.")
@_BY
@click.option("--yes", is_flag=True, help="Do not ask.")
@pass_context
def destroy(context: Context, name: str, folder: Path, by: str, yes: bool) -> int:  # noqa: FBT001 - click calls it by name
    """Delete the folder of the withdrawn model NAME, and certify what was deleted, when and by whom.

    Interrupted, the same command goes on.
    """
    return destroy_folder(context, name, what=Destroyed.MODEL, folder=folder, by=by, yes=yes)


def destroy_folder(context: Context, name: str, *, what: Destroyed, folder: Path, by: str, yes: bool) -> int:
    """Delete a folder that holds a withdrawn release or model, and print the certificate."""
    if not agreed(f"Delete everything in {folder} for good?", yes=yes):
        return 1
    with context.out.progress() as progress:
        body = context.deployment.control.destruction.destroy(what, name, folder=folder, by=by, progress=progress)

    def human() -> None:
        context.out.text(f"{counted(body['files'], 'file')} deleted ({counted(body['bytes'], 'byte')}).")
        context.out.text(f"Certificate {body['certificate']}, signed and in the ledger.")

        _say_left(context.out, body)

    context.out.show(body, human)
    return 0


@model.command()
@click.argument("name")
@click.option("--reason", required=True, help="Why nobody saw it deleted. It stays in the ledger: no personal data.")
@_BY
@pass_context
def gone(context: Context, name: str, reason: str, by: str) -> None:
    """Say that what is left of the known weights of the withdrawn model NAME is gone. Two different people have to.

    It is for what no certificate can name: files that a training program rotated away, or a disk that is no more. Of a
    model of which no weights were known when it was withdrawn, you say that all there was is gone.
    """
    body = context.deployment.control.destruction.say_gone(name, reason=reason, by=by)

    def human() -> None:
        context.out.text(f"Recorded at position {body['position']}.")
        _say_left(context.out, body)

    context.out.show(body, human)


def _say_left(out: Output, body: Mapping[str, Any]) -> None:
    left, unrecorded = body["left"], body["unrecorded"]
    if unrecorded is not None:
        said = unrecorded["said_gone_by"]
        out.text(
            "No weights of it were known when it was withdrawn, so no certificate can tell that these were its weights."
        )
        out.text(f"Two different people have to say that all of it is gone (consentry model gone); {_so_far(said)}.")
        out.text("It is not destroyed yet.")
    if left:
        out.text(f"Not known to be gone: {counted(len(left), 'digest')} of its weights. It is not destroyed yet.")
        out.table(
            ["digest", "known as", "gone, says"], [[e["digest"], e["as"], ", ".join(e["said_gone_by"])] for e in left]
        )


def _so_far(said: list[str]) -> str:
    return f"{', '.join(said)} did" if said else "nobody did yet"


def _may_be_served(body: Mapping[str, Any]) -> str:
    """Say in words whether a model may be served; one that nothing is the matter with can be held by an order."""
    if body["may"]:
        return f"may be served ({body['stage']})"
    return "is held; nothing in it was withdrawn" if body["stage"] == "clear" else f"is held ({body['stage']})"


@model.command("may-serve")
@click.argument("name")
@pass_context
def may_serve(context: Context, name: str) -> int:
    """Say whether model NAME may be served now. Exit status 3 if not."""
    body = context.deployment.control.models.may_serve(name)

    def human() -> None:
        context.out.text(f"Model {name} {_may_be_served(body)}.")
        for reason in body["reasons"]:
            context.out.text(f"  {reason}")

    context.out.show(body, human)
    return 0 if body["may"] else DENIED


@model.command()
@click.argument("name")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="Write the newest one to this file.")
@pass_context
def certificate(context: Context, name: str, out: Path | None) -> int:
    """Check the certificates of destruction of model NAME. Exit status 3 if one is wrong, or there is none."""
    return show_certificates(context, name, what=Destroyed.MODEL, out=out)


def show_certificates(context: Context, name: str, *, what: Destroyed, out: Path | None) -> int:
    """Print the certificates of a release or a model, each with what is wrong with it."""
    found = context.deployment.control.destruction.certificates(what, name)
    if found and out is not None and "envelope" in found[-1]:
        out.write_text(found[-1]["envelope"], "utf-8")

    def human() -> None:
        for each in found:
            context.out.heading(f"Certificate {each['certificate']}")
            context.out.text(f"  {_signed(each)}")
            if not each["problem"]:
                said = each["statement"]
                context.out.text(f"  deleted from {said['folder']} by {said['destroyed']['by']}")
                context.out.text(f"  on {moment(said['destroyed']['at'])}")
                if said.get("recorded") is False:
                    context.out.text("  no weights of the model were known when it was withdrawn")
                context.out.table(["file", "bytes"], [[file["path"], file["size"]] for file in said["files"]])
        if not found:
            context.out.text(f"Nothing of {what} {name} was destroyed.")

    context.out.show({"certificates": found}, human)
    return 0 if found and not any(each["problem"] for each in found) else DENIED
