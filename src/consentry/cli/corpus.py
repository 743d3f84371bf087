"""`consentry corpus` and `consentry import`: what content there is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from consentry.bootstrap import Deployment
from consentry.cli.context import Context, pass_context
from consentry.cli.invocation import Commands
from consentry.cli.output import counted
from consentry.cli.read_words import in_no_table, show_in_no_table, show_unread
from consentry.clock import now
from consentry.control_plane.once_recorded import once_recorded
from consentry.corpus.registration import Corpus, read_descriptor
from consentry.policy.choice import SECONDS_PER_DAY
from consentry.policy.vocabulary import Age

_TOP = 20
"""Words that are listed of a column."""


@click.group(cls=Commands)
def corpus() -> None:
    """Register content, and see what is registered."""


@corpus.command()
@click.argument("descriptor", type=click.Path(path_type=Path))
@pass_context
def register(context: Context, descriptor: Path) -> None:
    """Read the key columns of the files that DESCRIPTOR names, once, and record the corpus as it is now."""
    read_descriptor(descriptor)  # before a deployment is made: one that cannot be used leaves nothing behind
    control = context.begin().control
    with context.out.progress() as progress:
        done = control.statements.register_corpus(descriptor, progress=progress)
    with once_recorded():
        present = control.desk.present()
        missing = in_no_table(present.classes(at=now()))
    mended = done.mended
    body = {**_body(done.corpus), "built": done.built, "kept": done.kept, "mended": mended, "in_no_table": missing}

    def human() -> None:
        _show(context, done.corpus, files=body["files"])
        context.out.text(f"\n{counted(done.built, 'file')} read, {done.kept:,} unchanged.")
        if mended:
            was = f"{counted(mended, 'sidecar')} had been damaged or lost: built anew."
            context.out.note(f"{was} Check what was sealed meanwhile: consentry release verify NAME --decide")
        show_in_no_table(context.out, missing, loaded=present.state.people is not None)

    context.out.show(body, human)


@corpus.command()
@click.argument("name")
@pass_context
def show(context: Context, name: str) -> None:
    """Show the files of corpus NAME and what is unknown about its items."""
    opened = context.deployment.control.desk.corpus(name)
    body = _body(opened)
    context.out.show(body, lambda: _show(context, opened, files=body["files"]))


@corpus.command("list")
@pass_context
def list_(context: Context) -> None:
    """List the registered corpora."""
    known = context.deployment.control.desk.present().state.corpora
    body = {"corpora": [{"name": name, **each._asdict()} for name, each in known.items()]}
    rows = [[name, each.position, each.snapshot] for name, each in known.items()]
    context.out.show(body, lambda: context.out.table(["corpus", "position", "snapshot"], rows))


def _body(opened: Corpus) -> dict[str, Any]:
    to_come = now() + SECONDS_PER_DAY
    return {
        "name": opened.name,
        "snapshot": opened.snapshot,
        "items": opened.rows,
        "files": [
            {
                "path": each.pin.path,
                "items": each.rows,
                "bytes": each.pin.size,
                "digest": each.pin.digest,
                "without_author": each.oddities.null_authors,
                "unknown_involved": each.oddities.unknown_involved,
                "unknown_dates": each.oddities.unknown_dates,
                "dates_out_of_range": each.oddities.dates_out_of_range,
                "dates_to_come": each.created_after(to_come),
                "unknown_words": each.oddities.words,
            }
            for each in opened.sidecars
        ],
    }


def _show(context: Context, opened: Corpus, *, files: Sequence[Mapping[str, Any]]) -> None:
    context.out.heading(f"{opened.name}: {counted(opened.rows, 'item')} in {counted(len(opened.sidecars), 'file')}")
    _show_files(context, opened)
    to_come = sum(each["dates_to_come"] for each in files)
    if to_come:
        context.out.text(
            f"\n{counted(to_come, 'item')} dated in the future. A date counts as it was given: to rules, orders and"
            " refusals these are the newest. Check the unit and the zone of `created`."
        )
    unread: dict[str, Counter[str]] = {}
    for each in opened.sidecars:
        for role, words in each.oddities.words.items():
            unread.setdefault(role, Counter()).update(words)
    show_unread(context.out, {role: dict(words.most_common(_TOP)) for role, words in unread.items()}, of="items")


def _show_files(context: Context, opened: Corpus) -> None:
    """Print the files. A date that is out of range is unknown as well; people see it apart, where there are such."""
    columns = ["file", "items", "bytes", "no author", "no date"]
    rows = [
        [each.pin.path, each.rows, each.pin.size, odd.null_authors, odd.unknown_dates - odd.dates_out_of_range]
        for each, odd in ((each, each.oddities) for each in opened.sidecars)
    ]
    if any(each.oddities.dates_out_of_range for each in opened.sidecars):
        columns = [*columns, "date out of range"]
        rows = [[*row, each.oddities.dates_out_of_range] for row, each in zip(rows, opened.sidecars, strict=True)]
    context.out.table(columns, rows)


@click.group("import", cls=Commands)
def import_() -> None:
    """Turn a platform's export into a corpus folder that can be registered."""


@import_.command()
@click.argument("dump", type=click.Path(path_type=Path, exists=True))
@click.argument("target", type=click.Path(path_type=Path))
@click.option(
    "--age",
    type=click.Choice([str(each) for each in Age]),
    default=str(Age.UNKNOWN),
    show_default=True,
    help="The age of everybody in the dump, if you vouch for it: a dump does not say.",
)
@pass_context
def stackexchange(context: Context, dump: Path, target: Path, age: str) -> None:
    """Convert a Stack Exchange DUMP (one site's folder, or a folder of sites) into the corpus folder TARGET."""
    with context.out.progress() as progress:
        report = Deployment.import_stackexchange(dump, target, age=Age(age), progress=progress)
    context.out.show(report, lambda: context.out.table(["", "count"], [[k, str(v)] for k, v in report.items()]))
    if age == Age.UNKNOWN:
        context.out.note("The dump says nothing about ages, and unknown means no: every item will be a gap. See --age.")


@import_.command()
@click.argument("descriptor", type=click.Path(path_type=Path))
@click.argument("target", type=click.Path(path_type=Path))
@click.option("--people", type=click.Path(path_type=Path), help="The descriptor of the people table beside it.")
@click.option("--url", help="Read the items from this database (an SQLAlchemy URL) instead of the descriptor's files.")
@click.option("--query", help="The SQL query that yields the items (with --url).")
@click.option("--people-query", help="The SQL query that yields the people (with --url and --people).")
@pass_context
def tabular(
    context: Context,
    descriptor: Path,
    target: Path,
    people: Path | None,
    url: str | None,
    query: str | None,
    people_query: str | None,
) -> None:
    """Convert the CSV, JSON lines or Parquet files that DESCRIPTOR names, or a query, into the corpus folder TARGET."""
    if (url is None) is not (query is None and people_query is None):
        raise click.UsageError("--url goes with --query or --people-query")
    if people_query is not None and people is None:
        raise click.UsageError("--people-query needs --people: a descriptor that says which column is what")
    with context.out.progress() as progress:
        report = Deployment.import_tabular(
            descriptor,
            target,
            people=people,
            query=None if url is None or query is None else (url, query),
            people_query=None if url is None or people_query is None else (url, people_query),
            progress=progress,
        )
    context.out.show(report, lambda: context.out.table(["", "rows"], list(report.items())))
