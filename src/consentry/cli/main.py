"""`consentry`: the root command.

Exit status: 0 done or yes; 1 an error; 2 used wrongly; 3 the answer is no (denied, not verified, examples fail);
130 interrupted.
"""

from __future__ import annotations

import io
import os
import sys
import traceback
from pathlib import Path

import click

from consentry import __version__
from consentry.cli import interrupts
from consentry.cli.called import at_home, program
from consentry.cli.invocation import Commands, Invocation, Later
from consentry.cli.output import Output, visible
from consentry.errors import ConsentryError, StateError
from consentry.exhausted import disk_full, no_room

INTERRUPTED = 130
_SOURCE = Path(__file__).parents[1]


def _show_version(context: click.Context, _: click.Parameter, asked: bool) -> None:  # noqa: FBT001 - click calls it
    if asked and not context.resilient_parsing:
        out = Output(as_json=context.params.get("as_json", False))
        out.show({"version": __version__}, lambda: out.text(f"consentry, version {__version__}"))
        context.exit()


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option("--home", type=click.Path(path_type=Path), help="The folder of the deployment (or CONSENTRY_HOME).")
@click.option("--json", "as_json", is_flag=True, is_eager=True, help="Print one JSON document instead of tables.")
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_show_version,
    help="Show the version and exit.",
)
@click.pass_context
def cli(context: click.Context, home: Path | None, as_json: bool) -> None:  # noqa: FBT001 - click calls it by name
    """Decide whose content may train which model, seal it, and show why.

    Start with `consentry demo`, then `consentry doctor`.
    """
    at_home(home)
    context.obj = Invocation(home=home, out=Output(as_json=as_json))


_COMMANDS = {
    "demo": (
        "demo:demo",
        "Play the whole story: a release, training, a suspension that stops it, the review, and the way back.",
    ),
    "init": ("init:init", "Make a new deployment in the home: its ledger and its keys."),
    "doctor": ("system:doctor", "Say what is installed, what is missing for what, and how to get it."),
    "policy": ("policy:policy", "Check, read, compare, test and publish policy sets."),
    "people": (
        "people:people",
        "Load the people table, link accounts, erase people; say where somebody may live and what used their content.",
    ),
    "choice": ("people:choice", "Record choices, and see what a person chose."),
    "notice": ("notice:notice", "Write what people are told, record who was told, and see who still can be."),
    "objection": (
        "objection:objection",
        "Take objections in, from anybody, and answer them. Staff say who they are with `--by`, a handle.",
    ),
    "receipt": ("receipt:receipt", "Give receipts for choices and objections, and check them."),
    "corpus": ("corpus:corpus", "Register content, and see what is registered."),
    "import": ("corpus:import_", "Turn a platform's export into a corpus folder that can be registered."),
    "release": ("release:release", "Plan, build, read, explain, compare, verify and copy releases."),
    "what-if": ("what_if:what_if", "Say what a suspension would change, from the census. Changes nothing."),
    "may": (
        "may:may",
        "Say whether an item that PERSON creates now may be used, and why. Exit status 3 if it may not.",
    ),
    "suspend": (
        "suspend:suspend",
        "Suspend a use from now on: no release is sealed with it, no lease granted or renewed, and `may` says no.",
    ),
    "order": ("suspend:order", "See the suspensions."),
    "case": (
        "case:case",
        "Open cases, work through their conditions, and give a use back only when all of them are met.",
    ),
    "authority": (
        "authority:authority",
        "Signed statements of authorities, and signed downloads for them (docs/authority.md).",
    ),
    "assessment": ("assessment:assessment", "Bind assessments to policy sets, and see which are bound."),
    "model": ("model:model", "Say what models come from, see where they stand, remedy, withdraw and destroy them."),
    "serve": (
        "serve:serve",
        "Serve the pages, the interface for programs and the leases of training jobs, until it is stopped.",
    ),
    "jobs": ("serve:jobs", "List the leases of training jobs, with how it is with each."),
    "account": ("account:account", "Who signs in to the pages of `consentry serve`, and which programs hold a key."),
    "webhook": (
        "webhook:webhook",
        "Send what happens to other programs, signed (docs/api.md). `consentry serve` does the sending.",
    ),
    "ledger": ("ledger:ledger", "Read what was said, check it, migrate a PostgreSQL ledger."),
    "completion": ("completion:completion", "Print what makes SHELL complete commands and options of `consentry`."),
}
"""Where each command is, and the first sentence of its help: none is imported before it is used."""
for name, (place, summary) in _COMMANDS.items():
    cli.add_command(Later(name, place=f"consentry.cli.{place}", summary=summary))


def main(arguments: list[str] | None = None) -> None:
    """Run a command line and leave with its exit status."""
    interrupts.catch()
    given = _json_first(sys.argv[1:] if arguments is None else arguments)
    out = Output(as_json=given[:1] == ["--json"])
    try:
        status = cli.main(given, prog_name=program(), standalone_mode=False)
    except (click.exceptions.Abort, KeyboardInterrupt) as interrupt:
        out.note(f"interrupted; {interrupt}" if str(interrupt) else "interrupted; nothing half-done was left behind")
        raise SystemExit(INTERRUPTED) from None
    except click.ClickException as error:
        _show_usage(error, out)
        raise SystemExit(error.exit_code) from None
    except ConsentryError as error:
        out.error(error)
        raise SystemExit(1) from None
    except BrokenPipeError:
        # Whoever read our output has seen enough. Nothing more may be flushed into the closed pipe.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(1) from None
    except OSError as error:
        out.error(_of_the_system(error))
        raise SystemExit(1) from None
    except Exception as error:
        _trace_if_asked(error)
        out.error(_mistake(error))
        raise SystemExit(1) from None
    raise SystemExit(status if isinstance(status, int) else 0)


def _show_usage(error: click.ClickException, out: Output) -> None:
    if out.as_json:
        out.show({"error": {"code": "usage", "message": error.format_message(), "help": "see --help"}})
        return
    shown = io.StringIO()
    error.show(file=shown)
    click.echo(visible(shown.getvalue()), err=True, nl=False)


def _trace_if_asked(error: Exception) -> None:
    """Print the traceback of a mistake if the environment asks for it; it can hold somebody's data."""
    # Only here and below: it brings what reads settings, and most commands never get here.
    from consentry.settings import DEBUG_VARIABLE  # noqa: PLC0415

    if os.environ.get(DEBUG_VARIABLE, "0") not in ("", "0"):
        traceback.print_exception(error)


def _mistake(error: Exception) -> ConsentryError:
    """Say where the program went wrong. What an exception says itself can be somebody's data: that is left out."""
    from consentry.settings import DEBUG_VARIABLE  # noqa: PLC0415

    frames = traceback.extract_tb(error.__traceback__)
    place = [each for each in frames if _SOURCE in Path(each.filename).parents][-1]
    return ConsentryError(
        "internal-error",
        f"unexpected `{type(error).__name__}` in `{Path(place.filename).name}:{place.lineno}`",
        help=f"this is a mistake in the program: report it. {DEBUG_VARIABLE}=1 shows the traceback, which can hold ids",
    )


def _of_the_system(error: OSError) -> ConsentryError:
    """Say what the operating system refused."""
    if (found := no_room(error) or disk_full(error)) is not None:
        return found
    about = f"`{error.filename}`: " if error.filename is not None else ""
    reason = (error.strerror or str(error)).lower()
    return StateError(
        "system-file-unusable",
        f"{about}{reason}",
        help="check that the path is right, and that this user may read and write there",
    )


def _json_first(given: list[str]) -> list[str]:
    """Let `--json` stand anywhere on the line, as people write it; behind `--` it is what somebody is called."""
    end = given.index("--") if "--" in given else len(given)
    options, rest = given[:end], given[end:]
    return ["--json", *(word for word in options if word != "--json"), *rest] if "--json" in options else given
