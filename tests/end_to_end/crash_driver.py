"""Carries out one verb or command in a child that is killed at one of its steps: a server that forks, one line a child.

A step is whatever changes the disk or is about to make a change durable: a file opened for writing, a rename, a
removal, a flush (before and after it), a commit of the ledger (before and after it). Its *kind* is what is done to
which file, numbers left out. For a denser campaign a step is a line of the modules in `_LINES_OF`. The server imports
everything once, what a child needed before the next one, and starts no thread, so that a child costs little.
"""

from __future__ import annotations

import importlib
import io
import json
import os
import re
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout, suppress
from pathlib import Path
from threading import Lock
from types import FrameType
from typing import Any

import alembic.command  # noqa: F401 - a first start needs it

from consentry.bootstrap import Deployment, open_deployment
from consentry.cli.invocation import DENIED
from consentry.cli.main import main as main_of_the_command_line
from consentry.connectors.stackexchange import convert as of_a_dump
from consentry.connectors.tabular import convert as of_tables
from consentry.control_plane.drafts import Drafts
from consentry.corpus.folder import ITEMS
from consentry.digests import Digest, digest
from consentry.errors import ConsentryError, StateError
from consentry.ledger import outcomes
from consentry.ledger.events import ChoiceMade, Source
from consentry.ledger.oversight_events import OrderEnd, Origin
from consentry.oversight.order import Scope, issue
from consentry.policy.choice import Choice
from consentry.policy.vocabulary import ChoiceState, Purpose, Reach
from consentry.release import builder, iceberg, materialise
from consentry.storage import Objects

POLICY = "september-2024"
CASE, UK = "ico-2024", Scope(areas=frozenset({"UK"}))
NOW = 1_730_000_000
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
_CHANGING = ("os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.truncate")
_NUMBERS = re.compile(r"[0-9a-f]{8,}|\d+")
_LINES_OF = (
    *("consentry/durable.py", "consentry/control_plane/drafts.py", "consentry/control_plane/newest_word.py"),
    *("consentry/ledger/sql.py", "consentry/release/builder.py", "consentry/release/sealing.py"),
    "consentry/release/staging.py",
)


class Steps:
    """Counts steps, and dies at one of them: at a number, or at the first one of a kind."""

    def __init__(self, home: str, *, kill_at: int, kind: str) -> None:
        self.home = home
        self.kill_at = kill_at
        self.kind = kind
        self.kinds: list[str] = []
        self._counting = Lock()

    def step(self, kind: str) -> None:
        # Files are flushed by several threads, and no step may be passed over.
        with self._counting:
            self.kinds.append(kind)
            if len(self.kinds) == self.kill_at or kind == self.kind:
                os.kill(os.getpid(), signal.SIGKILL)

    def watch(self) -> None:
        sys.addaudithook(self._audit)
        fsync, commit = os.fsync, outcomes.commit

        def flush(descriptor: Any) -> None:
            file = self._flushed(descriptor)
            self.step(f"before a flush of {file}")
            fsync(descriptor)
            self.step(f"after a flush of {file}")

        def committing(connection: Any) -> None:
            self.step("before a commit")
            commit(connection)
            self.step("after a commit")

        os.fsync = flush  # type: ignore[assignment]
        outcomes.commit = committing

    def watch_lines(self) -> None:
        def line(_: FrameType, event: str, __: Any) -> Any:
            if event == "line":
                self.step("a line")
            return line

        def call(frame: FrameType, _: str, __: Any) -> Any:
            return line if frame.f_code.co_filename.endswith(_LINES_OF) else None

        threading.settrace(call)
        sys.settrace(call)

    def _audit(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open":
            path, _, flags = arguments
            if flags & _WRITING and str(path).startswith(self.home):
                self.step(f"open {self._named(path)}")
        elif event in _CHANGING and str(arguments[0]).startswith(self.home):
            self.step(f"{event} {self._named(arguments[0])}")

    def _named(self, path: object) -> str:
        return _NUMBERS.sub("#", str(path).removeprefix(self.home).lstrip("/"))

    def _flushed(self, descriptor: Any) -> str:
        try:
            return self._named(Path(f"/proc/self/fd/{descriptor}").readlink())
        except OSError:  # no such folder on this system: all flushes are of one kind
            return "a file"


def start(_: Deployment, __: Path) -> None:
    """Open a home for the first time: done when the deployment is given."""


def register(deployment: Deployment, folder: Path) -> None:
    deployment.control.statements.register_corpus(folder / "corpus.toml")


def people(deployment: Deployment, folder: Path) -> None:
    deployment.control.statements.load_people(folder / "people" / "people.toml")


def build(deployment: Deployment, _: Path) -> None:
    deployment.control.releases.build("network", Purpose.TRAIN_GENAI, policy=POLICY, at=NOW)


def erase(deployment: Deployment, _: Path) -> None:
    deployment.control.statements.erase([deployment.person("p1")])


def refuse(deployment: Deployment, _: Path) -> None:
    choice = Choice(purpose=Purpose.TRAIN_GENAI, state=ChoiceState.REFUSED, reach=Reach.EVERYTHING, at=NOW)
    deployment.control.statements.choose(
        [ChoiceMade(person=deployment.person("p1"), choice=choice, source=Source.FORM)]
    )


def withdraw(deployment: Deployment, _: Path) -> None:
    name = next(iter(deployment.control.releases.sealed()))
    try:
        deployment.control.releases.withdraw(name, "a reason", by="olga")
    except StateError as error:
        # Asked again: what the crash left of the tables is gone now.
        if error.code != "release-already-withdrawn":
            raise


def suspend(deployment: Deployment, _: Path) -> None:
    deployment.control.orders.suspend(UK, case=CASE, origin=Origin.AUTHORITY_REQUEST, reference="letter")


def suspend_by_command(deployment: Deployment, _: Path) -> None:
    """Do it as the command does: with the ledger alone, then with what is needed to remove a table."""
    home = deployment.settings.home
    deployment.close()
    words = ["--case", CASE, "--area", "UK", "--origin", "authority-request", "--reference", "letter"]
    command(["--home", str(home), "suspend", *words])


def command(words: list[str]) -> None:
    """Run a command line; one that fails says so on the standard error."""
    said = io.StringIO()
    try:
        with redirect_stdout(said), redirect_stderr(said):  # ours is for answers
            main_of_the_command_line(words)
    except SystemExit as left:
        if left.code not in (0, DENIED):
            sys.stderr.write(f"{' '.join(words)}\n{said.getvalue()}\n")
            raise


def narrow(deployment: Deployment, _: Path) -> None:
    """Say once more what two people agreed to, now that people were told: from the UK and Brazil to the UK alone."""
    _unless_done("case-not-smaller", lambda: deployment.control.cases.narrow(CASE, UK, by="bob", reference="x"))


def lift(deployment: Deployment, _: Path) -> None:
    """Lift a case that is ready for it, with all of its orders."""

    def lift() -> None:
        obstacles = deployment.control.cases.lift(CASE, by="ann", reference="x")
        assert not obstacles, "the case was not ready"

    _unless_done("case-over", lift)


def _unless_done(code: str, verb: Callable[[], object]) -> None:
    """Ask for something, perhaps again after the crash: then it may be done."""
    try:
        verb()
    except ConsentryError as error:
        if error.code != code:
            raise


def narrow_naively(deployment: Deployment, _: Path) -> None:
    """Do what must not be done: give back first, and suspend less afterwards."""
    control = deployment.control
    (held,) = control.orders.every()
    deployment.ledger.append(control.orders.ends([held.order], OrderEnd.NARROWED))
    smaller = issue(UK, order=f"{CASE}.2", case=CASE, origin=held.origin, reference="x", at_ms=held.at_ms)
    deployment.ledger.append([smaller])


def build_naively(deployment: Deployment, folder: Path) -> None:
    """Do what must not be done: say that a release is sealed, then write it."""
    written: list[tuple[Any, Any]] = []
    write, seal = builder.write, Drafts._seal
    builder.write = lambda *what, **more: written.append((what, more))

    def sealing(*what: Any, **more: Any) -> Any:
        built = seal(*what, **more)
        given, named = written[-1]
        write(*given, **named)
        return built

    Drafts._seal = sealing  # type: ignore[method-assign]
    build(deployment, folder)


def names_documents_first() -> Callable[[], None]:
    """Do what must not be done: name documents in the ledger, and store them afterwards."""
    left: list[tuple[Objects, bytes]] = []
    put = Objects.put

    def later(objects: Objects, content: bytes) -> Digest:
        left.append((objects, content))
        return digest(content)

    def store() -> None:
        for objects, content in left:
            put(objects, content)

    Objects.put = later  # type: ignore[assignment, method-assign]
    return store


def writes_in_place() -> Callable[[], None]:
    """Do what must not be done: write a folder under its own name, file by file."""

    @contextmanager
    def straight(target: Path) -> Iterator[Path]:
        (target / ITEMS).mkdir(parents=True)
        yield target

    for module, name in (
        (materialise, "staged"),
        (iceberg, "staged"),
        (of_tables, "new_folder"),
        (of_a_dump, "new_folder"),
    ):
        setattr(module, name, straight)
    return lambda: None


NAIVE = {each.__name__: each for each in (names_documents_first, writes_in_place)}
"""What breaks commands for the controls; what is returned is done at the end."""

_ALL = (
    *(start, register, people, build, erase, refuse, withdraw, suspend, suspend_by_command, narrow, lift),
    *(build_naively, narrow_naively),
)
VERBS: dict[str, Callable[[Deployment, Path], None]] = {verb.__name__: verb for verb in _ALL}


def carry_out(job: dict[str, Any], answer: int) -> None:
    steps = Steps(job["home"], kill_at=job["kill_at"], kind=job["kind"])
    if job["lines"]:
        steps.watch_lines()
    else:
        steps.watch()
    if "words" in job:
        finish = NAIVE[job["naive"]]() if job["naive"] else None
        command(job["words"])
        if finish is not None:
            finish()
    else:
        deployment = open_deployment(Path(job["home"]))
        VERBS[job["verb"]](deployment, Path(job["folder"]))
        deployment.close()
    sys.settrace(None)
    with os.fdopen(answer, "w") as stream:
        json.dump({"kinds": steps.kinds, "modules": [*sys.modules]}, stream)


def main() -> None:
    for line in sys.stdin:
        job = json.loads(line)
        reading, writing = os.pipe()
        child = os.fork()
        if not child:
            try:
                os.close(reading)
                carry_out(job, writing)
                os._exit(0)
            except BaseException as error:
                sys.stderr.write(f"{error!r}\n")
                sys.stderr.flush()
                os._exit(1)
        os.close(writing)
        with os.fdopen(reading) as stream:
            said = json.loads(stream.read() or "{}")  # by who was not killed
        _, status = os.waitpid(child, 0)
        for name in sorted(set(said.get("modules", ())) - set(sys.modules)):
            with suppress(ImportError):  # what was put there by hand
                importlib.import_module(name)  # once, and not in each child
        answer = {"status": os.waitstatus_to_exitcode(status), "kinds": said.get("kinds", [])}
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    os.environ["CONSENTRY_THREADS"] = "1"
    main()
