"""`consentry policy`: check, read, compare, test and publish policy sets."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import click

from consentry.cli.invocation import DENIED, Commands, Invocation, pass_invocation
from consentry.cli.output import counted, day
from consentry.clock import now
from consentry.errors import ConsentryError, IntegrityError, PolicyError, StateError
from consentry.home_folder import home_folder
from consentry.oversight.assessment import Assessments
from consentry.policy import language_codes
from consentry.policy.library import shipped
from consentry.policy.policy_diff import diff as diff_sets
from consentry.policy.policy_parser import check as check_text
from consentry.policy.policy_parser import load
from consentry.policy.policy_prose import describe, describe_diff
from consentry.policy.policy_set import PolicySet, run_examples
from consentry.progress import watched
from consentry.toml_file import NotUtf8Error, TomlError, read


def read_text(name: str) -> tuple[str, str]:
    """Return the text of a policy file, or of a shipped set, with the name to show for it."""
    path = Path(name)
    if path.is_file():
        try:
            return read(path), name
        except TomlError as error:
            code = "policy-bad-encoding" if isinstance(error, NotUtf8Error) else "policy-syntax"
            raise PolicyError(code, error.message, help=error.help, where=f"{name}:{error.line}") from None
    ready = shipped()
    if name in ready:
        return ready[name], f"{name}.toml"
    raise PolicyError(
        "policy-file-missing",
        f"`{name}` is neither a file nor a shipped policy set",
        help=f"give a path, or one of: {', '.join(ready)}",
    )


def _places_named(word: str) -> Mapping[str, str]:
    """Return the codes that a word may stand for, with their names. Only then: reading a set waits for no names."""
    from consentry.corpus.areas import places_named  # noqa: PLC0415

    return places_named(word)


def read_set(name: str) -> PolicySet:
    """Read a policy set from a file or from those that are shipped."""
    return load(*read_text(name), places_named=_places_named)


def _read_any(context: Invocation, name: str) -> PolicySet:
    """Read a policy set from a file, else the one in force here under that name, else from those that are shipped."""
    asked = None if Path(name).is_file() else _asked(context)
    if asked is None:
        return read_set(name)
    from consentry.control_plane.in_force import withdraws  # noqa: PLC0415 - as in `list_`

    try:
        desk = asked.deployment.control.desk
        known = {each.name: each for each in desk.present().state.policies}
        in_force = name in known and not withdraws(known[name])
        found: PolicySet | None = desk.document(known[name].digest) if in_force else None
    except (StateError, IntegrityError) as error:
        if name not in shipped():
            raise
        read = read_set(name)
        context.out.note(f"{name}: this is the shipped text. What is in force here cannot be read: {error.message}")
        return read
    if found is None:
        read = _read_shipped(name, known)
        if name in known:
            context.out.note(f"{name}: it was withdrawn here. This is the shipped text.")
        return read
    if name in shipped() and read_set(name).digest != found.digest:
        context.out.note(f"{name}: this is the text in force here, and not the shipped one.")
    return found


def _open_first(context: Invocation) -> None:
    """Open the deployment, if there is one, before anything is watched: reading its ledger is watched by itself."""
    if (asked := _asked(context)) is not None:
        with suppress(StateError, IntegrityError):
            asked.deployment.control.desk.present()


def _asked(context: Invocation) -> Any:
    """Return what opens the deployment; None if there is none. Where no home is, nobody waits for its packages."""
    if not home_folder(context.home).exists():
        return None
    from consentry.cli.context import current  # noqa: PLC0415 - as in `list_`

    asked = current()
    return None if asked.is_new else asked


def _read_shipped(name: str, in_force: Iterable[str]) -> PolicySet:
    try:
        return read_set(name)
    except PolicyError as error:
        if error.code == "policy-file-missing" and in_force:
            known = ", ".join(sorted({*shipped(), *in_force}))
            message = f"`{name}` is neither a file nor a policy set that is shipped or in force"
            raise PolicyError(error.code, message, help=f"give a path, or one of: {known}") from None
        raise


@click.group(cls=Commands)
def policy() -> None:
    """Check, read, compare, test and publish policy sets."""


@policy.command("list")
@pass_invocation
def list_(context: Invocation) -> None:
    """List the policy sets that are shipped, and those that are or were in force here, with since when and until when.

    A set is in force under its name until another one is published under it, or until it is withdrawn. `decides` names
    the uses that it decides about now: those about which no other set was published since.
    """
    # Only where the deployment is asked: reading and checking policy sets should not wait for its packages.
    from consentry.cli.context import current  # noqa: PLC0415

    ready = {name: load(text, name) for name, text in shipped().items()}
    asked = current()
    if is_new := asked.is_new:
        context.out.note("There is no deployment here: none is in force.")
    published = [] if is_new else _published(asked.deployment.control.desk)
    body = {
        "shipped": [{"name": name, "version": each.version, "title": each.title} for name, each in ready.items()],
        "published": published,
    }

    def human() -> None:
        context.out.table(["shipped", "version", "title"], [[n, each.version, each.title] for n, each in ready.items()])
        if published:
            context.out.heading("Published here")
            columns = ["policy set", "version", "state", "decides", "since", "until", "position"]
            context.out.table(columns, [_row(each) for each in published])

    context.out.show(body, human)


def _published(desk: Any) -> list[dict[str, Any]]:
    """Return every policy set that is or was in force at a control plane's desk, oldest first, as plain values."""
    from consentry.control_plane.in_force import every_set, history  # noqa: PLC0415 - as in `list_`

    policies = desk.present().state.policies
    try:
        decides = {each.published.position: each.purposes for each in history(policies, desk.document)}
    except ConsentryError:
        # One of them cannot be read here any more: the doctor says which.
        decides = {}
    return [
        {
            **each.published._asdict(),
            "state": each.state,
            "decides": list(decides.get(each.published.position, ())),
            "since": desk.recorded_at(each.published.position),
            "until": None if each.ended is None else desk.recorded_at(each.ended.position),
            "replaced_by": each.ended.version if each.ended is not None and each.state == "replaced" else None,
        }
        for each in every_set(policies)
    ]


def _row(body: dict[str, Any]) -> list[Any]:
    state = body["state"] if body["replaced_by"] is None else f"replaced by {body['replaced_by']}"
    since, until = day(body["since"]), day(body["until"])
    return [body["name"], body["version"], state, ", ".join(body["decides"]), since, until, body["position"]]


@policy.command()
@click.argument("files", nargs=-1, required=True)
@click.option(
    "--language",
    "languages",
    multiple=True,
    metavar="CODE",
    help="Such as cy: a title or why that is not there in it is wrong as well; several times.",
)
@pass_invocation
def check(context: Invocation, files: tuple[str, ...], languages: tuple[str, ...]) -> int:
    """Say everything that is wrong with how policy FILES are written; note permits that need an assessment.

    Whether their examples hold is said by `policy test`; a set whose examples fail is not published.
    """
    if unknown := [each for each in languages if language_codes.advice(each)]:
        raise click.UsageError(f"`{unknown[0]}` is no language of policy sets: {language_codes.advice(unknown[0])}")
    with context.out.progress() as progress:
        found = [
            (name, each)
            for name in watched(files, progress, what="checking", total=len(files), unit="policy sets")
            for each in check_text(*read_text(name), languages=languages, places_named=_places_named)
        ]
    unassessed = {} if found else {name: permits for name in files if (permits := _unassessed(read_set(name)))}

    def human() -> None:
        for _, problem in found:
            context.out.text(f"{problem.where}: {problem.message} [{problem.code}]")
            context.out.text(f"  help: {problem.help}")
        if not found:
            context.out.text(f"{counted(len(files), 'policy set')} in order.")
        for name, permits in unassessed.items():
            _note_unassessed(context, name, permits)

    context.out.show({"problems": [asdict(problem) for _, problem in found], "unassessed": unassessed}, human)
    return DENIED if found else 0


def _unassessed(loaded: PolicySet) -> list[str]:
    """Return the permits that claim legitimate interests without a bound assessment; none is bound where nothing is."""
    from consentry.cli.context import current  # noqa: PLC0415 - as in `list_`

    context = current()
    if context.is_new:
        return list(Assessments().missing(loaded))
    try:
        return list(context.deployment.control.assessments.missing(loaded))
    except (StateError, IntegrityError):
        # A file can be checked while the ledger does not answer; the doctor says what is the matter with it.
        return []


def _note_unassessed(context: Invocation, name: str, permits: list[str]) -> None:
    context.out.note(
        f"{name}: {', '.join(permits)} claim{'s' * (len(permits) == 1)} legitimate interests, and no assessment of that"
        " is bound to this set: consentry assessment bind legitimate-interest FILE --policy NAME --by HANDLE"
    )


@policy.command()
@click.argument("name")
@pass_invocation
def show(context: Invocation, name: str) -> None:
    """Say in plain English what the policy set NAME (a file, one in force, or a shipped one) permits and forbids."""
    loaded = _read_any(context, name)
    lines = describe(loaded)
    bases = {rule.legal_basis for rule in loaded.rules if rule.legal_basis is not None}
    body = {
        **loaded.to_json(),
        "digest": loaded.digest,
        "legal_bases": {basis: {"article": basis.article, "iri": basis.iri} for basis in sorted(bases)},
        "prose": lines,
    }
    context.out.show(body, lambda: context.out.text("\n".join(lines)))


@policy.command()
@click.argument("before")
@click.argument("after")
@pass_invocation
def diff(context: Invocation, before: str, after: str) -> None:
    """Say what changes when policy set AFTER takes the place of BEFORE: rules, and decisions."""
    _open_first(context)
    with context.out.progress() as progress:
        read = watched((before, after), progress, what="reading", total=2, unit="policy sets")
        was, will_be = (_read_any(context, name) for name in read)
        comparing = partial(watched, progress=progress, what="comparing answers", unit="questions")
        found = diff_sets(was, will_be, at=now(), watch=lambda asked, total: comparing(asked, total=total))
    lines = describe_diff(found)
    context.out.show({"lines": lines}, lambda: context.out.text("\n".join(lines)))


@policy.command()
@click.argument("name")
@pass_invocation
def test(context: Invocation, name: str) -> int:
    """Decide the examples in policy set NAME and say which do not hold."""
    results = run_examples(read_set(name))
    failed = [result for result in results if not result.holds]
    body = {
        "examples": len(results),
        "failed": [{"title": r.example.title, "line": r.example.line, "failure": r.failure} for r in failed],
    }

    def human() -> None:
        for result in results:
            context.out.text(f"{'holds' if result.holds else 'FAILS'}  {result.example.title}")
            if not result.holds:
                context.out.text(f"       line {result.example.line}: {result.failure}")
        context.out.text(f"\n{len(results) - len(failed)} of {len(results)} examples hold.")

    context.out.show(body, human)
    return DENIED if failed else 0


@policy.command()
@click.argument("name")
@pass_invocation
def publish(context: Invocation, name: str) -> None:
    """Put policy set NAME (a file or a shipped set) in force. Its examples must hold."""
    from consentry.cli.context import current  # noqa: PLC0415 - as in `list_`

    text, filename = read_text(name)
    failed = [result for result in run_examples(load(text, filename, places_named=_places_named)) if not result.holds]
    if failed:
        raise PolicyError(
            "policy-example-fails",
            f"{len(failed)} {'example does' if len(failed) == 1 else 'examples do'} not hold, first:"
            f" {failed[0].example.title}",
            help="mend the rules or the example; see `consentry policy test`",
            where=f"{filename}:{failed[0].example.line}",
        )
    control = current().begin().control
    published, position = control.statements.publish(text, filename)
    unassessed = _unassessed(published)
    taken = _taken_over(control.desk, position)
    body = {
        "name": published.name,
        "version": published.version,
        "digest": published.digest,
        "position": position,
        "decides": [
            {"purpose": use, "before": None if before is None else {"name": before.name, "version": before.version}}
            for use, before in taken.items()
        ],
        "unassessed": unassessed,
        "other_text_before": _other_text_before(control.desk, published, position=position),
    }

    def human() -> None:
        context.out.text(f"{published.name} {published.version} is in force from position {position} on.")
        if body["other_text_before"]:
            context.out.text(
                f"Version {published.version} was published before from another text. Give each text its own version:"
                " who reads of a decision can tell these apart only by their digests."
            )
        for line in _deciding_lines(published, taken):
            context.out.text(line)
        if unassessed:
            _note_unassessed(context, published.name, unassessed)

    context.out.show(body, human)


def _other_text_before(desk: Any, policy: PolicySet, *, position: int) -> bool:
    """Say whether a version was published before with another document; no if that cannot be looked up now."""
    try:
        policies = desk.present().state.policies
    except ConsentryError:
        return False  # what was published stands
    alike = [each for each in policies if (each.name, each.version) == (policy.name, policy.version)]
    return len({each.digest for each in alike if each.position <= position}) > 1


def _taken_over(desk: Any, position: int) -> Mapping[Any, Any]:
    """Return the uses that a new set decides about, with what did before; none if an older one cannot be read here."""
    from consentry.control_plane.in_force import taken_over  # noqa: PLC0415 - as in `list_`

    try:
        return taken_over(desk.present().state.policies, desk.document, position=position)
    except ConsentryError:
        return {}


def _deciding_lines(published: PolicySet, taken: Mapping[Any, Any]) -> list[str]:
    """Say what a new set decides about, and what it takes the place of."""
    uses: dict[Any, list[str]] = {}
    for use, before in taken.items():
        uses.setdefault(before, []).append(str(use))
    return [
        f"It decides about {', '.join(named)} from now on{_in_place(published, before)}."
        for before, named in uses.items()
    ]


def _in_place(published: PolicySet, before: Any) -> str:
    if before is None:
        return "; no set did before"
    if before.name == published.name:
        return f", in place of version {before.version}"
    return f", in place of {before.name} {before.version} (builds can still name that)"


@policy.command()
@click.argument("name")
@pass_invocation
def withdraw(context: Invocation, name: str) -> None:
    """Take the policy set in force as NAME out of force: nothing is built by it any more."""
    from consentry.cli.context import current  # noqa: PLC0415 - as in `list_`

    position = current().deployment.control.statements.withdraw(name)
    body = {"name": name, "position": position}
    context.out.show(body, lambda: context.out.text(f"{name} is out of force from position {position} on."))
