"""`consentry notice`: what people are told, who was told, and who still can be."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from consentry.cli.context import Context, pass_context
from consentry.cli.invocation import FILE, Commands
from consentry.cli.output import counted, moment, read_last_moment
from consentry.clock import now
from consentry.control_plane.desk import Desk
from consentry.control_plane.notices import by_language
from consentry.control_plane.once_recorded import once_recorded
from consentry.control_plane.unknown_ids import UnknownIds
from consentry.errors import ChoiceError
from consentry.ledger.events import Pseudonym
from consentry.oversight.notice import Notice, Version
from consentry.policy.vocabulary import Purpose
from consentry.progress import watched

_BEHIND = 60
"""By how many seconds a clock has to be behind for it to be said: those of two machines differ by one or two."""
BY = click.option("--by", required=True, metavar="HANDLE", help="Who says so: a handle, no name and no address.")


@click.group(cls=Commands)
def notice() -> None:
    """Write what people are told, record who was told, and see who still can be."""


@notice.command()
@click.argument("name")
@click.argument("file", type=FILE)
@click.option(
    "--language", "languages", multiple=True, required=True, metavar="CODE", help="Such as en or en-GB; several times."
)
@click.option("--channel", required=True, metavar="TEXT", help="How people get it: in-app, e-mail, ...")
@click.option("--audience", required=True, metavar="TEXT", help="Who it is for, in words.")
@click.option("--by", metavar="HANDLE", help="Who wrote it down: a handle, no name and no address.")
@click.option(
    "--also", "others", multiple=True, metavar="CODE=FILE", help="The same in another language; several times."
)
@pass_context
def write(
    context: Context,
    name: str,
    file: Path,
    languages: tuple[str, ...],
    channel: str,
    audience: str,
    by: str | None,
    others: tuple[str, ...],
) -> None:
    """Store the text in FILE as the next version of notice NAME.

    A member reads the text of their language, and the one in FILE if there is none. Languages are tags of BCP 47: EN is
    kept as en, and en_GB as en-GB.
    """
    version = context.deployment.control.notices.write(
        name,
        file.read_bytes(),
        languages=languages,
        channel=channel,
        audience=audience,
        by=by,
        others=_others(others, notice=name),
    )
    body = {"notice": name, **_version(version)}
    context.out.show(
        body, lambda: context.out.text(f"Notice {name}, version {version.number}: {version.body.document}")
    )


def _others(given: Sequence[str], *, notice: str) -> dict[str, bytes]:
    """Read texts that are given as CODE=FILE.

    Raises:
        ChoiceError: two are in one language, or one is in a language that nobody knows.
        UsageError: something is no CODE=FILE, or there is no such file.
    """
    found: list[tuple[str, bytes]] = []
    for each in given:
        code, _, path = each.partition("=")
        if not code or not path or not Path(path).is_file():
            raise click.UsageError(f"`{each}` names no language and file: --also cy=notice.cy.txt")
        found.append((code, Path(path).read_bytes()))
    return by_language(notice, found)


@notice.command()
@click.argument("name")
@click.argument("file", type=FILE, required=False)
@click.option("--person", "persons", multiple=True, metavar="ID", help="One person; several times. Instead of FILE.")
@click.option(
    "--at",
    type=read_last_moment,
    metavar="TIME",
    help="When: a date (the end of that day, UTC), a time with zone, or seconds since 1970 (default: now). Not before "
    "its newest text was written here.",
)
@click.option(
    "--purpose",
    type=click.Choice([str(each) for each in Purpose]),
    default=str(Purpose.TRAIN_GENAI),
    show_default=True,
    help="The use it told them about: it says how many had refused that before.",
)
@pass_context
def serve(
    context: Context, name: str, file: Path | None, persons: tuple[str, ...], at: int | None, purpose: str
) -> None:
    """Record that notice NAME was served to the people in FILE (one id a line), or to single people.

    Who had refused is recorded as well, for that is what happened; how many of them it is, it says.
    """
    if (file is None) == (not persons):
        raise click.UsageError("give either a file of ids, or --person")
    deployment, when = context.deployment, now() if at is None else at
    notices = deployment.control.notices
    told = dict.fromkeys(persons if file is None else read_ids(file))
    with context.out.progress() as progress:
        named = watched(told, progress, what="reading people", total=len(told), unit="people")
        people = [deployment.person(person) for person in named]
        position = notices.serve(name, people, at=when)
        refused = notices.had_refused(told, purpose=Purpose(purpose), until=when, progress=progress)
        with once_recorded():
            unknown = _unknown(deployment.control.desk, people)
    known = notices.get(name)
    written, served = bool(known.versions), next(each.at for each in known.servings if each.position == position)
    body = {"position": position, "at": served, "people": len(told), "had_refused": refused, "purpose": purpose}
    body |= {"unknown_people": unknown, "written": written}

    def human() -> None:
        context.out.text(f"Recorded at position {position}: {counted(len(told), 'person', several='people')}.")
        if served - when > _BEHIND:
            context.out.text(f"WARNING: they count as told at {moment(served)}: the clock is behind what was recorded.")
        if refused:
            context.out.text(f"WARNING: {refused:,} of them had refused {purpose} before, or were erased.")
            context.out.hint(
                "Nobody who refused has to be asked again. Who can be told: consentry notice audience FILE"
            )
        if unknown:
            are = "is" if unknown == 1 else "are"
            context.out.text(f"WARNING: {unknown:,} of them {are} in no people table and no corpus. Are the ids right?")
        if not written:
            context.out.hint(f"Nobody wrote the text of it down here: consentry notice write {name} FILE")

    context.out.show(body, human)


def read_ids(file: Path) -> list[str]:
    """Return the ids in a file, one a line.

    Raises:
        ChoiceError: it is not UTF-8 text.
    """
    try:
        return [line.strip() for line in file.read_text("utf-8").splitlines() if line.strip()]
    except UnicodeDecodeError as error:
        raise ChoiceError(
            "choice-not-text", f"`{file}` is not UTF-8 text", help="write one person id a line, as UTF-8"
        ) from error


@notice.command("list")
@pass_context
def list_(context: Context) -> None:
    """List the notices that were written or served."""
    found = context.deployment.control.notices.every()
    rows = [
        [
            each.notice,
            "unwritten" if each.newest is None else f"version {each.newest.number}",
            "-" if each.newest is None else ", ".join(each.newest.body.languages),
            len(each.servings),
            each.people,
            moment(each.servings[-1].at) if each.servings else "never",
        ]
        for each in found
    ]
    columns = ["notice", "text", "languages", "servings", "people, each time counted", "last served"]
    body = {"notices": [_body(each) for each in found]}
    context.out.show(body, lambda: context.out.table(columns, rows) if rows else context.out.text("No notices."))


def _unknown(desk: Desk, people: Sequence[Pseudonym]) -> int:
    """Return how many people nothing here has. Whoever was erased was known."""
    state = desk.present().state
    there = [person for person in people if not state.is_erased(person)]
    return sum(UnknownIds(desk, corpus=None).unknown(there))


@notice.command()
@click.argument("name")
@click.option("--text", is_flag=True, help="Print the newest text as well, in each of its languages.")
@pass_context
def show(context: Context, name: str, text: bool) -> None:  # noqa: FBT001 - click calls it by name
    """Show the versions of notice NAME, and how often it was served."""
    control = context.deployment.control
    found = control.notices.get(name)
    newest = found.newest
    texts = [] if newest is None or not text else control.notices.texts(newest)
    words = [(", ".join(each.languages), content.decode("utf-8", "replace")) for each, content in texts]

    def human() -> None:
        context.out.heading(f"Notice {name}")
        if newest is None:
            context.out.text("Nobody wrote the text of it down here.")
        versions = [
            [each.number, moment(each.at), ", ".join(each.body.languages), each.body.channel, each.body.audience]
            for each in found.versions
        ]
        if versions:
            context.out.table(["version", "written", "languages", "channel", "audience"], versions)
        servings = [[each.position, moment(each.at), each.version or "-", each.people] for each in found.servings]
        context.out.text()
        if servings:
            context.out.table(["position", "served", "version", "people"], servings)
        else:
            context.out.text("It was never served.")
        for languages, content in words:
            context.out.text(f"\n{languages}:" if len(words) > 1 else "")
            context.out.text(content.rstrip())

    body = _body(found)
    if text:
        body |= {"newest_text": words[0][1] if words else "", "newest_texts": dict(words)}
    context.out.show(body, human)


@notice.command()
@click.argument("file", type=FILE)
@click.option(
    "--purpose",
    type=click.Choice([str(each) for each in Purpose]),
    default=str(Purpose.TRAIN_GENAI),
    show_default=True,
    help="The use they would be told about.",
)
@click.option("--output", type=click.Path(path_type=Path), metavar="PATH", help="Write the ids there, one a line.")
@pass_context
def audience(context: Context, file: Path, purpose: str, output: Path | None) -> None:
    """Say which of the people in FILE (one id a line) can be told: nobody who refused is asked again.

    Without --output the ids are printed. Nothing is recorded.
    """
    control = context.deployment.control
    with context.out.progress() as progress:
        told, left_out = control.notices.audience(read_ids(file), purpose=Purpose(purpose), progress=progress)
    if output is not None:
        output.write_text("".join(f"{each}\n" for each in told), "utf-8")
    body: dict[str, Any] = {"people": len(told), "left_out": left_out, **({} if output else {"ids": told})}

    def human() -> None:
        if output is None:
            context.out.text("\n".join(told))
        context.out.note(
            f"{counted(len(told), 'person', several='people')}; {left_out:,} left out, who refused or were erased"
        )

    context.out.show(body, human)


def _body(found: Notice) -> dict[str, Any]:
    return {
        "notice": found.notice,
        "versions": [_version(each) for each in found.versions],
        "servings": [
            {"position": each.position, "at": each.at, "version": each.version, "people": each.people}
            for each in found.servings
        ],
    }


def _version(version: Version) -> dict[str, Any]:
    return {
        "version": version.number,
        "position": version.position,
        "text": version.body.document,
        "languages": list(version.body.languages),
        "texts": [{"languages": list(each.languages), "text": each.document} for each in version.texts],
        "channel": version.body.channel,
        "audience": version.body.audience,
    }
