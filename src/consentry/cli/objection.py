"""`consentry objection`: take objections in, work through the queue, answer, and forget what was written."""

from __future__ import annotations

from typing import Any

import click

from consentry.cli.asking import agreed
from consentry.cli.context import Context, pass_context
from consentry.cli.invocation import Commands
from consentry.cli.notice import BY
from consentry.cli.output import counted, moment, read_last_moment
from consentry.control_plane.objection_queue import Queued
from consentry.control_plane.objection_texts import Told
from consentry.control_plane.objections import Followed
from consentry.ledger.objection_events import LawfulGround
from consentry.oversight.objection import OPEN, Objection, ObjectionState
from consentry.policy.vocabulary import KNOWN_CATEGORIES, Category, Purpose, Reach

_TEXT = click.option("--text", required=True, metavar="TEXT", help="What the objector reads.")
_SHOWN = 8


@click.group(cls=Commands)
def objection() -> None:
    """Take objections in, from anybody, and answer them. Staff say who they are with `--by`, a handle."""


@objection.command("file")
@click.argument("find")
@click.option("--answer-to", required=True, metavar="ADDRESS", help="Where the answer goes: an address of any kind.")
@click.option("--reason", default="", metavar="TEXT", help="Why, if they like to say.")
@click.option(
    "--purpose",
    type=click.Choice([str(each) for each in Purpose]),
    default=str(Purpose.TRAIN_AI),
    show_default=True,
    help="The use they object to.",
)
@click.option("--by", metavar="HANDLE", help="Who types it in for them, from a letter say.")
@pass_context
def file(context: Context, find: str, answer_to: str, reason: str, purpose: str, by: str | None) -> None:
    """Take in that somebody objects to the use of content. FIND is a link to it, or a name to find it by."""
    filed = context.deployment.control.objections.file(
        find, answer_to=answer_to, reason=reason, purpose=Purpose(purpose), by=by
    )
    body = {"objection": filed.objection, "link": filed.link, "position": filed.position, "due": filed.due}

    def human() -> None:
        context.out.text(f"Objection {_short(filed.objection)} is received. An answer is due by {moment(filed.due)}.")
        context.out.text(f"The private link, shown this once: {filed.link}")

    context.out.show(body, human)


@objection.command()
@click.argument("link")
@pass_context
def follow(context: Context, link: str) -> None:
    """Show what the objector sees by their private LINK."""
    _show_followed(context, context.deployment.control.objections.follow(link))


@objection.command()
@click.argument("link")
@_TEXT
@pass_context
def add(context: Context, link: str, text: str) -> None:
    """Add a message of the objector who has this LINK. After an answer it opens the objection again."""
    _show_followed(context, context.deployment.control.objections.add(link, text))


@objection.command()
@click.argument("link")
@pass_context
def withdraw(context: Context, link: str) -> None:
    """Take the objection of this LINK back. What was refused because of it stays refused."""
    _show_followed(context, context.deployment.control.objections.withdraw(link))


def _show_followed(context: Context, found: Followed) -> None:
    body = {**_facts(found.objection), "course": [each.to_json() for each in found.course]}
    context.out.show(body, lambda: _show(context, found.objection, found.course))


@objection.command("list")
@click.option(
    "--state",
    "states",
    multiple=True,
    type=click.Choice([str(each) for each in ObjectionState]),
    metavar="STATE",
    help="Only those in this state; several times. Without it, those that wait for an answer.",
)
@click.option("--all", "all_", is_flag=True, help="In any state.")
@click.option("--overdue", is_flag=True, help="Only those that should have been answered by now.")
@click.option("--mine", metavar="HANDLE", help="Only those that this member of staff looks at or answered.")
@click.option("--text", default="", metavar="WORDS", help="Only those that hold these words.")
@click.option("--start", type=click.IntRange(0), default=0, help="How many to leave out.")
@click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True, help="How many to show.")
@pass_context
def list_(
    context: Context,
    /,
    states: tuple[str, ...],
    *,
    all_: bool,
    overdue: bool,
    mine: str | None,
    text: str,
    start: int,
    limit: int,
) -> None:
    """List the queue, those that are due first at the top."""
    wanted = frozenset(ObjectionState) if all_ else frozenset(map(ObjectionState, states)) or OPEN
    page = context.deployment.control.objection_queue.list(
        wanted, overdue=overdue, by=mine, text=text, start=start, limit=limit
    )
    body = {"total": page.total, "objections": [_row(each) for each in page.rows]}

    def human() -> None:
        rows = [
            [
                _short(each.objection.objection),
                _plain(each.objection.state) + (", overdue" if each.overdue else ""),
                moment(each.objection.due),
                each.objection.by or "-",
                each.alike,
                "(erased)" if each.filed is None else each.filed.words.get("find", ""),
            ]
            for each in page.rows
        ]
        context.out.table(["objection", "state", "due", "by", "alike", "about"], rows)
        context.out.text(f"{counted(page.total, 'objection')}, {len(rows)} shown.")

    context.out.show(body, human)


def _row(each: Queued) -> dict[str, Any]:
    filed = None if each.filed is None else dict(each.filed.words)
    return {**_facts(each.objection), "overdue": each.overdue, "alike": each.alike, "filed": filed}


@objection.command()
@click.argument("name")
@pass_context
def show(context: Context, name: str) -> None:
    """Show everything about objection NAME: its id, or the first eight digits of it."""
    found = context.deployment.control.objection_queue.show(name)
    body = {
        **_facts(found.objection),
        "overdue": found.overdue,
        "course": [each.to_json() for each in found.course],
        "alike": list(found.alike),
    }

    def human() -> None:
        _show(context, found.objection, found.course)
        if found.alike:
            same = ", ".join(map(_short, found.alike[:_SHOWN]))
            context.out.text(f"  {counted(len(found.alike), 'other')} that say exactly the same: {same}")

    context.out.show(body, human)


@objection.command()
@click.argument("name")
@BY
@pass_context
def take(context: Context, name: str, by: str) -> None:
    """Look at objection NAME, or take it over."""
    _done(context, context.deployment.control.objection_queue.take(name, by=by))


@objection.command()
@click.argument("name")
@_TEXT
@BY
@pass_context
def ask(context: Context, name: str, text: str, by: str) -> None:
    """Ask the objector for more."""
    _done(context, context.deployment.control.objection_queue.ask(name, text=text, by=by))


@objection.command()
@click.argument("name")
@click.option("--months", type=int, required=True, help="How much longer the answer takes: 1 or 2.")
@_TEXT
@BY
@pass_context
def extend(context: Context, name: str, months: int, text: str, by: str) -> None:
    """Take longer for the answer, once, and say why."""
    _done(context, context.deployment.control.objection_queue.extend(name, months=months, reason=text, by=by))


@objection.command()
@click.argument("name")
@click.option("--person", metavar="ID", help="Whose content is meant: all of it is refused.")
@click.option(
    "--category",
    multiple=True,
    metavar="CATEGORY",
    type=click.Choice([str(each) for each in KNOWN_CATEGORIES]),
    help="Only of this one.",
)
@click.option(
    "--reach",
    type=click.Choice([str(each) for each in Reach]),
    default=str(Reach.EVERYTHING),
    show_default=True,
    help="What the refusal of a person undoes.",
)
@click.option("--as-asked", is_flag=True, help="The objector asked for no more than this part.")
@click.option(
    "--ground",
    type=click.Choice([str(each) for each in LawfulGround]),
    metavar="GROUND",
    help="The lawful ground why not the rest, where it is a part; explain it in --text.",
)
@click.option("--item", "items", multiple=True, metavar="ID", help="A single item, whoever owns it; several times.")
@click.option("--corpus", metavar="NAME", help="The corpus of the items.")
@click.option("--text", default="", metavar="TEXT", help="What the objector reads.")
@BY
@pass_context
def match(
    context: Context,
    /,
    name: str,
    by: str,
    *,
    person: str | None,
    category: tuple[str, ...],
    reach: str,
    as_asked: bool,
    ground: str | None,
    items: tuple[str, ...],
    corpus: str | None,
    text: str,
) -> None:
    """Answer objection NAME: this person's content is meant, or these items are. Their use is refused from now on."""
    if (person is None) == (not items) or (bool(items) != (corpus is not None)):
        raise click.UsageError("give either --person, or --item with --corpus")
    queue = context.deployment.control.objection_queue
    if person is None:
        _done(context, queue.match_items(name, items, corpus=corpus or "", by=by, reply=text))
        return
    found = queue.match_person(
        name,
        person,
        by=by,
        categories=[Category(each) for each in category],
        reach=Reach(reach),
        ground=None if ground is None else LawfulGround(ground),
        as_asked=as_asked,
        reply=text,
    )
    _done(context, found, stays=queue.show(found.objection).course[-1].words.get("stays"))


@objection.command("not-found")
@click.argument("name")
@click.option("--tried", required=True, metavar="TEXT", help="What was tried; the objector reads it.")
@BY
@pass_context
def not_found(context: Context, name: str, tried: str, by: str) -> None:
    """Answer that nothing was found."""
    _done(context, context.deployment.control.objection_queue.not_found(name, tried=tried, by=by))


@objection.command()
@click.argument("name")
@click.option(
    "--ground",
    type=click.Choice([str(each) for each in LawfulGround]),
    required=True,
    metavar="GROUND",
    help="The lawful ground.",
)
@_TEXT
@BY
@pass_context
def decline(context: Context, name: str, ground: str, text: str, by: str) -> None:
    """Answer that it is not followed, on a lawful ground, and explain it."""
    queue = context.deployment.control.objection_queue
    _done(context, queue.decline(name, ground=LawfulGround(ground), explanation=text, by=by))


@objection.command()
@click.argument("name")
@click.option("--text", required=True, metavar="TEXT", help="What other members of staff read.")
@BY
@pass_context
def note(context: Context, name: str, text: str, by: str) -> None:
    """Write something down that the objector does not see."""
    _done(context, context.deployment.control.objection_queue.note(name, text=text, by=by))


@objection.command()
@click.argument("names", nargs=-1)
@click.option(
    "--before",
    type=read_last_moment,
    metavar="TIME",
    help="Instead of names: all that were answered, and of which nothing was heard since then.",
)
@BY
@click.option("--yes", is_flag=True, help="Do not ask.")
@pass_context
def erase(context: Context, /, names: tuple[str, ...], *, before: int | None, by: str, yes: bool) -> None:
    """Erase what was written about answered objections, for good. What was refused stays refused."""
    if bool(names) == (before is not None):
        raise click.UsageError("give either names, or --before")
    if not agreed("Erase what was written, for good?", yes=yes):
        raise click.Abort
    queue = context.deployment.control.objection_queue
    count = queue.erase(names, by=by) if before is None else queue.expire(before=before, by=by)
    context.out.show(
        {"erased": count}, lambda: context.out.text(f"What was written about {counted(count, 'objection')} is erased.")
    )


def _done(context: Context, found: Objection, *, stays: str | None = None) -> None:
    further = "" if stays is None else f" An earlier no of theirs goes further, and stays: {stays}."
    line = f"Objection {_short(found.objection)} is now: {_plain(found.state)}.{further}"
    context.out.show({**_facts(found), **({} if stays is None else {"stays": stays})}, lambda: context.out.text(line))


def _show(context: Context, found: Objection, course: tuple[Told, ...]) -> None:
    context.out.heading(f"Objection {_short(found.objection)}: {_plain(found.state)}")
    context.out.text(f"  against      {found.purpose}")
    if found.open:
        context.out.text(f"  answer due   {moment(found.due)}")
    if found.people or found.items:
        refused = f"{counted(found.people, 'person', several='people')}, {counted(found.items, 'single item')}"
        context.out.text(f"  refused      {refused}")
    for each in course:
        said = [str(each.words[name]) for name in ("find", "answer_to", "reason", "text") if name in each.words]
        who = f" by {each.words['by']}" if "by" in each.words else ""
        context.out.text(f"  {moment(each.at)}  {each.what}{who}" + (f": {' | '.join(said)}" if said else ""))
    if found.erased:
        context.out.text("  What was written was erased.")


def _facts(found: Objection) -> dict[str, Any]:
    return {
        "objection": found.objection,
        "state": str(found.state),
        "purpose": str(found.purpose),
        "received": found.received,
        "due": found.due,
        "by": found.by,
        "people": found.people,
        "items": found.items,
        "messages": found.messages,
        "erased": found.erased,
    }


def _short(objection: str) -> str:
    return objection[:_SHOWN]


def _plain(state: ObjectionState) -> str:
    return str(state).replace("-", " ")
