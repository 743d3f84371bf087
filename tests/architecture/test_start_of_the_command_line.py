"""A command that needs no deployment does not wait for what a deployment needs: it is not even imported."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import click
import pytest

from consentry.bootstrap import open_deployment
from consentry.cli.invocation import Later
from consentry.cli.main import cli
from consentry.policy.library import shipped
from consentry.policy.vocabulary import Purpose
from end_to_end.network import RawItem, RawPerson, copy_home, write_corpus, write_people

HEAVY = frozenset(
    {
        *("alembic", "argon2", "authlib", "babel", "faker", "fastapi", "fastavro", "httptools", "jinja2", "lxml"),
        *("numpy", "opentelemetry", "phonenumbers", "prometheus_client", "pyarrow", "pycountry", "pydantic"),
        *("pydantic_settings", "pyroaring", "sqlalchemy", "starlette", "uvicorn"),
        *("consentry.bootstrap", "consentry.connectors", "consentry.control_plane", "consentry.corpus"),
        "consentry.service",
    }
)
"""What takes long to import. A module below one of these counts as well."""

OF_THE_DOCTOR = frozenset({"pydantic"})
"""It reads the settings; whether the rest is there it finds out without importing it."""


def imported_by(program: str, *, folder: Path, heavy: frozenset[str] = HEAVY) -> set[str]:
    """Return those of the heavy modules that are there when a program ends."""
    shown = "import atexit, sys\natexit.register(lambda: print(*sys.modules, file=sys.stderr))\n"
    done = subprocess.run(
        [sys.executable, "-c", shown + program], capture_output=True, text=True, check=False, cwd=folder
    )
    names = set(done.stderr.splitlines()[-1].split())
    assert "sys" in names, done.stderr
    return {each for each in heavy if any(name == each or name.startswith(f"{each}.") for name in names)}


def running(*words: str) -> str:
    return f"from consentry.cli.main import main\nmain({list(words)!r})"


@pytest.mark.parametrize(
    "program",
    [
        "import consentry.cli.main",
        running("--version"),
        running("--help"),
        running("completion", "bash"),
        running("policy", "show", "september-2024"),
        running("policy", "test", "september-2024"),
        running("policy", "diff", "september-2024", "november-2025"),
        running("no-such-command"),
    ],
)
def test_nothing_heavy_is_imported(program: str, tmp_path: Path) -> None:
    assert imported_by(program, folder=tmp_path) == set()


def test_the_doctor_imports_little_where_there_is_no_deployment(tmp_path: Path) -> None:
    assert imported_by(running("doctor"), folder=tmp_path) == OF_THE_DOCTOR


OF_OTHER_WORK = frozenset(
    {
        *("sqlalchemy.dialects.postgresql", "psycopg", "alembic", "faker", "fastapi", "starlette", "uvicorn", "lxml"),
        *("jinja2", "prometheus_client", "consentry.service", "consentry.connectors.synthetic"),
    }
)
"""What a deployment with a ledger in SQLite needs for none of its verbs."""

OF_SOME_WORK = frozenset(
    {
        *("argon2", "consentry.accounts.sql", "consentry.connectors", "fastavro", "phonenumbers", "pyarrow.compute"),
        *("pyarrow.csv", "pyarrow.dataset", "pyarrow.json"),
    }
)
"""What only those verbs import that need it: passwords, files of platforms, tables, telephone numbers, columns."""


def test_the_doctor_of_a_deployment_imports_no_control_plane(tmp_path: Path) -> None:
    home = str(copy_home(tmp_path / "home"))
    found = imported_by(running("--home", home, "doctor"), folder=tmp_path, heavy=HEAVY | OF_OTHER_WORK)
    assert "sqlalchemy" in found
    assert found & {*OF_OTHER_WORK, "consentry.bootstrap", "consentry.control_plane", "consentry.connectors"} == set()


def test_a_verb_imports_no_other_database_and_no_web(tmp_path: Path) -> None:
    home = str(copy_home(tmp_path / "home"))
    words = ("--home", home, "release", "list")
    assert imported_by(running(*words), folder=tmp_path, heavy=OF_OTHER_WORK) == set()


LOOKING = (("order", "list"), ("case", "list"), ("people", "show"), ("ledger", "verify"), ("model", "list"))
SUSPENDING = ("suspend", "--case", "gb", "--area", "GB", "--reference", "letter 1")


@pytest.mark.parametrize(
    "words",
    [("order", "list"), ("case", "list"), ("people", "show"), ("ledger", "verify"), ("model", "list"), SUSPENDING],
)
def test_stopping_a_use_and_looking_around_import_only_what_they_ask(words: tuple[str, ...], tmp_path: Path) -> None:
    home = str(copy_home(tmp_path / "home"))
    found = imported_by(running("--home", home, *words), folder=tmp_path, heavy=OF_OTHER_WORK | OF_SOME_WORK)
    assert found == set()


OF_A_LEDGER = frozenset({"consentry.control_plane", "pydantic", "sqlalchemy"})


@pytest.mark.parametrize("words", [SUSPENDING, ("order", "list")])
def test_who_stops_a_use_does_not_wait_for_what_people_and_content_need(words: tuple[str, ...], tmp_path: Path) -> None:
    home = copy_home(tmp_path / "home")
    deployment = open_deployment(home)
    deployment.control.statements.publish(shipped()["september-2024"], "september-2024.toml")
    deployment.close()
    found = imported_by(running("--home", str(home), *words), folder=tmp_path, heavy=HEAVY | {"cryptography"})
    assert found == OF_A_LEDGER


@pytest.fixture
def built(tmp_path: Path) -> tuple[Path, str]:
    """A home with a release of one item, and the name of the release."""
    home = copy_home(tmp_path / "built")
    deployment = open_deployment(home)
    try:
        control = deployment.control
        control.statements.load_people(write_people(tmp_path / "people", [RawPerson(id="ada")]))
        control.statements.register_corpus(write_corpus(tmp_path, [[RawItem(id="a1", author="ada")]]))
        control.statements.publish(shipped()["september-2024"], "september-2024.toml")
        made = control.releases.build("network", Purpose.TRAIN_GENAI, policy="september-2024")
        return home, made.manifest.release
    finally:
        deployment.close()


def test_looking_at_a_release_imports_only_what_it_asks(built: tuple[Path, str], tmp_path: Path) -> None:
    home, release = built
    for words in (("release", "list"), ("release", "show", release), ("corpus", "list"), SUSPENDING):
        done = running("--home", str(home), *words)
        assert imported_by(done, folder=tmp_path, heavy=OF_OTHER_WORK | OF_SOME_WORK) == set(), words


def test_control_what_some_commands_need_is_noticed(tmp_path: Path) -> None:
    home = str(copy_home(tmp_path / "home"))
    adding = running("--home", home, "account", "add", "olga", "--role", "auditor")
    found = imported_by(adding, folder=tmp_path, heavy=OF_SOME_WORK)
    assert found >= {"argon2", "consentry.accounts.sql"}
    residing = running("people", "locate", "--phone", "+44 20 7946 0958")
    assert "phonenumbers" in imported_by(residing, folder=tmp_path, heavy=OF_SOME_WORK)


def test_what_is_imported_is_not_looked_through_for_garbage(tmp_path: Path) -> None:
    counting = "import atexit, gc, sys\natexit.register(lambda: print(gc.get_freeze_count(), file=sys.stderr))\n"
    home = str(copy_home(tmp_path / "home"))
    program = counting + running("--home", home, "case", "list")
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=tmp_path)
    assert int(done.stderr.splitlines()[-1]) > 50_000


def test_control_what_is_heavy_is_noticed(tmp_path: Path) -> None:
    found = imported_by(running("release", "--help"), folder=tmp_path)
    assert {"consentry.bootstrap", "sqlalchemy", "numpy", "pyarrow"} <= found


def commands() -> list[tuple[str, Later]]:
    return [(name, command) for name, command in cli.commands.items() if isinstance(command, Later)]


def test_every_command_is_imported_when_it_is_used() -> None:
    assert len(commands()) == len(cli.commands) > 20


@pytest.mark.parametrize(("name", "command"), commands())
def test_a_command_is_where_it_is_said_to_be_and_is_summed_up_in_its_own_words(name: str, command: Later) -> None:
    found = command.load()
    assert found.name == name
    assert (found.help or "").split("\n\n")[0].split() == (command.help or "").split()


def test_a_summary_is_shown_in_the_help_and_a_command_is_found_by_its_name() -> None:
    context = click.Context(cli)
    shown = cli.get_help(context)
    assert "Register content, and see what is registered." in shown
    _, found, rest = cli.resolve_command(context, ["corpus", "list"])
    assert isinstance(found, click.Group)
    assert rest == ["list"]
