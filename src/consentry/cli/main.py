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
from consentry.cli.account import account
from consentry.cli.assessment import assessment
from consentry.cli.authority import authority
from consentry.cli.case import case
from consentry.cli.completion import completion
from consentry.cli.context import Context
from consentry.cli.corpus import corpus, import_
from consentry.cli.demo import demo
from consentry.cli.ledger import ledger
from consentry.cli.may import may
from consentry.cli.model import model
from consentry.cli.notice import notice
from consentry.cli.objection import objection
from consentry.cli.output import Output, visible
from consentry.cli.people import choice, people
from consentry.cli.policy import policy
from consentry.cli.receipt import receipt
from consentry.cli.release import release, what_if
from consentry.cli.serve import jobs, serve
from consentry.cli.suspend import order, suspend
from consentry.cli.system import doctor
from consentry.cli.webhook import webhook
from consentry.errors import ConsentryError, StateError, UnavailableError
from consentry.release.staging import NO_SPACE
from consentry.settings import DEBUG_VARIABLE

INTERRUPTED = 130
_SOURCE = Path(__file__).parents[1]


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option("--home", type=click.Path(path_type=Path), help="The folder of the deployment (or CONSENTRY_HOME).")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document instead of tables.")
@click.version_option(__version__, prog_name="consentry")
@click.pass_context
def cli(context: click.Context, home: Path | None, as_json: bool) -> None:  # noqa: FBT001 - click calls it by name
    """Decide whose content may train which model, seal it, and show why.

    Start with `consentry demo`, then `consentry doctor`.
    """
    context.obj = Context(home=home, out=Output(as_json=as_json))
    context.call_on_close(context.obj.close)


_COMMANDS = (
    demo,
    doctor,
    policy,
    people,
    choice,
    notice,
    objection,
    receipt,
    corpus,
    import_,
    release,
    what_if,
    may,
    suspend,
    order,
    case,
    authority,
    assessment,
    model,
    serve,
    jobs,
    account,
    webhook,
    ledger,
    completion,
)
for command in _COMMANDS:
    cli.add_command(command)


def main(arguments: list[str] | None = None) -> None:
    """Run a command line and leave with its exit status."""
    given = _json_first(sys.argv[1:] if arguments is None else arguments)
    out = Output(as_json=given[:1] == ["--json"])
    try:
        status = cli.main(given, prog_name="consentry", standalone_mode=False)
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
        if os.environ.get(DEBUG_VARIABLE, "0") not in ("", "0"):
            traceback.print_exc()
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


def _mistake(error: Exception) -> ConsentryError:
    """Say where the program went wrong. What an exception says itself can be somebody's data: that is left out."""
    frames = traceback.extract_tb(error.__traceback__)
    place = [each for each in frames if _SOURCE in Path(each.filename).parents][-1]
    return ConsentryError(
        "internal-error",
        f"unexpected `{type(error).__name__}` in `{Path(place.filename).name}:{place.lineno}`",
        help=f"this is a mistake in the program: report it. {DEBUG_VARIABLE}=1 shows the traceback, which can hold ids",
    )


def _of_the_system(error: OSError) -> ConsentryError:
    """Say what the operating system refused."""
    about = f"`{error.filename}`: " if error.filename is not None else ""
    reason = (error.strerror or str(error)).lower()
    if error.errno in NO_SPACE:
        return UnavailableError(
            "system-disk-full",
            f"{about}{reason}",
            help="free some space and try again; what was recorded before is safe",
        )
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
