"""Progress is announced and counted to its end, never beyond; who looks at a terminal sees it, and nobody else."""

from __future__ import annotations

import io
import os
import pty
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from rich.console import Console

from consentry.bootstrap import Deployment, open_deployment
from consentry.cli.main import main
from consentry.cli.output import Output
from consentry.cli.progress_bar import ProgressBar
from consentry.errors import ConsentryError
from consentry.ledger.events import ChoiceMade, Source
from consentry.ledger.oversight_events import Origin
from consentry.oversight.order import Scope
from consentry.policy.choice import Choice
from consentry.policy.library import shipped
from consentry.policy.vocabulary import ChoiceState, Reach
from consentry.release.materialise import CopyFormat
from end_to_end.network import RawItem, RawPerson, fresh, write_corpus, write_people
from end_to_end.test_story import GENAI, NOW, POLICY

PEOPLE = 40
FILES = [[RawItem(id=f"i{file}-{row}", author=f"p{row % PEOPLE}") for row in range(90)] for file in range(3)]


@dataclass
class Stretch:
    """A piece of work that was announced, and what was counted of it."""

    what: str
    total: int | None
    unit: str
    done: int = 0


@dataclass
class Watching:
    """Who watches: a `consentry.progress.Progress` that writes down what it is told."""

    interrupt: Callable[[Stretch], None] = lambda _: None
    stretches: list[Stretch] = field(default_factory=list)

    def begin(self, what: str, *, total: int | None, unit: str) -> None:
        self.stretches.append(Stretch(what, total, unit))

    def __call__(self, done: int) -> None:
        self.stretches[-1].done += done
        self.interrupt(self.stretches[-1])

    def told(self) -> list[tuple[str, int | None, str]]:
        """Return what was announced; all of it must have been counted, if it was known how much it is."""
        for each in self.stretches:
            assert each.total in (None, each.done), each
        return [(each.what, each.total, each.unit) for each in self.stretches]


@pytest.fixture
def place() -> Iterator[tuple[Path, Deployment]]:
    with fresh() as (folder, deployment):
        write_corpus(folder, FILES)
        write_people(folder / "people", [RawPerson(id=f"p{number}") for number in range(PEOPLE)])
        yield folder, deployment


def test_every_verb_counts_what_it_announces(place: tuple[Path, Deployment]) -> None:
    folder, deployment = place
    control = deployment.control
    seen = Watching()
    control.statements.load_people(folder / "people" / "people.toml", progress=seen)
    control.statements.register_corpus(folder / "corpus.toml", progress=seen)
    arrays = sum(path.stat().st_size for path in control.desk.corpora.rglob("*.npy"))
    (folder / "items" / "2.parquet").touch()
    os.utime(folder / "items" / "2.parquet", ns=(1, 1))
    control.statements.register_corpus(folder / "corpus.toml", progress=seen)
    file = folder / "choices.csv"
    file.write_text("person,purpose,state,at\n" + "p1,train-genai,refused,5\n" * 1_200)
    deployment.import_choices(file, corpus=None, progress=seen)
    control.statements.publish(shipped()[POLICY], POLICY)
    release = control.releases.build("network", GENAI, policy=POLICY, at=NOW, progress=seen).manifest.release
    size = sum(path.stat().st_size for path in (folder / "items").iterdir())
    assert not [each for each in control.releases.verify(release, decide=True, progress=seen) if each.problem]
    for kind in CopyFormat:
        control.releases.materialise(release, folder / kind, kind=kind, progress=seen)
    eligible = control.releases.open(release).manifest.eligible
    assert 0 < eligible < 270
    assert seen.told() == [
        ("reading people", PEOPLE, "people"),
        ("reading items", 270, "items"),
        ("looking for repeated ids", 1, "parts"),
        ("checking sidecars", arrays, "bytes"),
        ("reading items", 90, "items"),
        ("looking for repeated ids", 1, "parts"),
        ("checking choices", None, "choices"),
        ("recording choices", 1_200, "choices"),
        ("deciding", 270, "items"),
        ("checking content files", size, "bytes"),
        ("reading again", 270, "items"),
        ("deciding again", 270, "items"),
        ("copying", eligible, "items"),
        ("copying", eligible, "items"),
    ]


def test_what_no_verb_announces_is_watched_all_the_same(place: tuple[Path, Deployment]) -> None:
    """Reading the ledger and bringing sealed releases up to date happen on the way to something else."""
    folder, deployment = place
    control = deployment.control
    control.statements.load_people(folder / "people" / "people.toml")
    control.statements.register_corpus(folder / "corpus.toml")
    control.statements.publish(shipped()[POLICY], POLICY)
    release = control.releases.build("network", GENAI, policy=POLICY, at=NOW).manifest.release
    control.releases.table(release, 2)
    said = [refusal(deployment, "p7", Reach.UNTRAINED)] * 1_200
    control.statements.choose(said)
    head = deployment.ledger.head()
    deployment.close()
    seen = Watching()
    again = open_deployment(folder / "home", watching=lambda: nullcontext(seen))
    try:
        again.control.statements.choose([refusal(again, "p3", Reach.EVERYTHING)])
        again.control.orders.suspend(
            Scope(areas=frozenset({"UK"})), case="c", origin=Origin.OWN_DECISION, reference="x"
        )
    finally:
        again.close()
    assert seen.told() == [
        ("opening", None, "events"),
        ("reading the ledger", head, "events"),
        (f"looking for what leaves {release}", 270, "items"),
        ("writing a table", 3, "files"),
        ("looking for what an order hits", 270, "items"),
    ]


def refusal(deployment: Deployment, person: str, reach: Reach) -> ChoiceMade:
    choice = Choice(purpose=GENAI, state=ChoiceState.REFUSED, reach=reach, at=NOW)
    return ChoiceMade(person=deployment.person(person), choice=choice, source=Source.FORM)


def test_questions_count_what_they_announce(place: tuple[Path, Deployment]) -> None:
    folder, deployment = place
    control = deployment.control
    control.statements.load_people(folder / "people" / "people.toml")
    control.statements.register_corpus(folder / "corpus.toml")
    control.statements.publish(shipped()[POLICY], POLICY)
    release = control.releases.build("network", GENAI, policy=POLICY, at=NOW).manifest.release
    seen = Watching()
    control.orders.what_if(Scope(areas=frozenset({"US"})), progress=seen)
    control.releases.table(release, 3, progress=seen)
    assert control.people.uses_of("p3", progress=seen)["releases"]
    assert seen.told() == [
        ("looking through network", 270, "items"),
        ("looking into releases", 1, "releases"),
        ("writing a table", 3, "files"),
        ("looking into releases", 1, "releases"),
        ("looking at models", 0, "models"),
    ]


class Watched(Output):
    """An output somebody looks at: what is announced goes to `seen`."""

    seen = Watching()

    @contextmanager
    def progress(self) -> Iterator[Watching]:
        yield self.seen


RELEASE = "network.train-genai.3"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("ledger", "verify"), [("reading the ledger", 4, "events")]),
        (
            ("notice", "serve", "n1", "ids.txt"),
            [("reading people", 500, "people"), ("looking for who had refused", 500, "people")],
        ),
        (("notice", "audience", "ids.txt"), [("looking at people", 500, "people")]),
        (("release", "plan", "network", "--policy", POLICY), [("counting", 3, "parts")]),
        (
            ("release", "build", "network", "--policy", POLICY),
            [("counting", 3, "parts"), ("deciding", 270, "items")],
        ),
        (("release", "diff", RELEASE, RELEASE), [("comparing", 3, "files")]),
        (
            ("suspend", "--case", "c", "--reference", "x", "--everywhere", "--dry-run"),
            [("looking through network", 270, "items"), ("looking into releases", 1, "releases")],
        ),
        (("people", "uses", "p1"), [("looking into releases", 1, "releases"), ("looking at models", 0, "models")]),
        (("release", "table", RELEASE), [("writing a table", 3, "files")]),
        (
            ("choice", "record", "p1", "refused", "--reach", "everything"),
            [(f"looking for what leaves {RELEASE}", 270, "items")],
        ),
        (("policy", "check", POLICY, "november-2025"), [("checking", 2, "policy sets")]),
        (
            ("policy", "diff", POLICY, "november-2025"),
            [("reading", 2, "policy sets"), ("comparing answers", 108, "questions")],
        ),
    ],
)
def test_the_commands_are_watched(
    place: tuple[Path, Deployment], words: Sequence[str], told: list[object], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, deployment = place
    control = deployment.control
    control.statements.load_people(folder / "people" / "people.toml")
    control.statements.register_corpus(folder / "corpus.toml")
    control.statements.publish(shipped()[POLICY], POLICY)
    control.releases.build("network", GENAI, policy=POLICY, at=NOW)
    deployment.close()
    (folder / "ids.txt").write_text("".join(f"p{number}\n" for number in range(500)), "utf-8")
    monkeypatch.chdir(folder)
    seen = Watched.seen = Watching()
    monkeypatch.setattr("consentry.cli.main.Output", Watched)
    with pytest.raises(SystemExit) as left:
        main(["--home", str(folder / "home"), *words])
    assert left.value.code == 0
    announced = seen.told()
    assert [each for each in announced if each[0] != "opening"] == told
    assert seen.stretches, "somebody is asked to look"


def test_a_build_that_is_overtaken_begins_anew(place: tuple[Path, Deployment]) -> None:
    folder, deployment = place
    control = deployment.control
    control.statements.load_people(folder / "people" / "people.toml")
    control.statements.register_corpus(folder / "corpus.toml")
    control.statements.publish(shipped()[POLICY], POLICY)
    seen = Watching()

    def overtake(stretch: Stretch) -> None:
        if len(seen.stretches) < 3 and stretch.done == stretch.total:
            # Under another reason every item may count differently: else what was decided would stand.
            renamed = shipped()[POLICY].replace("members-outside-europe", f"members-{len(seen.stretches)}")
            control.statements.publish(renamed, POLICY)

    seen.interrupt = overtake
    control.releases.build("network", GENAI, policy=POLICY, at=NOW, progress=seen)
    assert seen.told() == [("deciding", 270, "items")] * 3


def test_a_build_with_nothing_to_decide_says_nothing(place: tuple[Path, Deployment]) -> None:
    folder, deployment = place
    control = deployment.control
    control.statements.register_corpus(folder / "corpus.toml")
    control.statements.publish(shipped()[POLICY], POLICY)
    control.releases.build("network", GENAI, policy=POLICY, at=NOW)
    control.statements.publish(shipped()[POLICY] + "# the same rules\n", POLICY)
    seen = Watching()
    control.releases.build("network", GENAI, policy=POLICY, at=NOW, progress=seen)
    assert seen.told() == []


def test_a_file_that_cannot_be_read_has_no_total_and_its_own_error(place: tuple[Path, Deployment]) -> None:
    folder, deployment = place
    (folder / "items" / "1.parquet").write_bytes(b"PAR1 this is not")
    (folder / "people" / "people.parquet").write_bytes(b"PAR1 this is not")
    seen = Watching()
    control = deployment.control
    for use, code in (
        (lambda: control.statements.register_corpus(folder / "corpus.toml", progress=seen), "corpus-not-parquet"),
        (
            lambda: control.statements.load_people(folder / "people" / "people.toml", progress=seen),
            "people-not-parquet",
        ),
        (lambda: deployment.import_choices(folder / "none.csv", corpus=None, progress=seen), "choice-no-file"),
    ):
        with pytest.raises(ConsentryError, match=code):
            use()
    assert [each.total for each in seen.stretches] == [None, None]  # content files are looked at before reading is told


def frames(shown: io.StringIO) -> str:
    """Return everything that was ever drawn, without colours."""
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown.getvalue())


def console() -> tuple[Console, io.StringIO]:
    shown = io.StringIO()
    return Console(file=shown, force_terminal=True, width=110, _environ={"TERM": "xterm"}), shown


def await_drawn(shown: io.StringIO, text: str) -> None:
    """Wait until something was drawn."""
    deadline = time.monotonic() + 20
    while text not in frames(shown):
        assert time.monotonic() < deadline, f"`{text}` was never drawn"
        time.sleep(0.02)


def test_the_bar_shows_count_total_and_time_left() -> None:
    terminal, shown = console()
    bar = ProgressBar(terminal, after=0)
    bar.begin("deciding", total=40_000, unit="items")
    for done in (9_000, 18_000, 27_000, 36_000):
        time.sleep(0.11)
        bar(9_000)
        await_drawn(shown, f"{done:,} of 40,000 items")
    await_drawn(shown, " left")
    time.sleep(0.11)
    bar(9_000)  # more than was announced
    await_drawn(shown, "40,000 of 40,000 items")
    bar.begin("checking content files", total=3_000_000, unit="bytes")
    time.sleep(0.11)
    bar(1_500_000)
    await_drawn(shown, "1.5 MB of 3.0 MB")
    bar.begin("converting", total=None, unit="rows")
    time.sleep(0.11)
    bar(1_234)
    await_drawn(shown, "1,234 rows 0:00:00")
    bar.stop()
    bar.stop()
    assert "45,000" not in frames(shown)


def test_what_is_quick_shows_nothing() -> None:
    terminal, shown = console()
    bar = ProgressBar(terminal)
    bar.begin("deciding", total=10, unit="items")
    bar(10)
    bar.stop()
    assert shown.getvalue() == ""


def test_nobody_is_told_who_does_not_look() -> None:
    for out in (Output(as_json=True), Output(notes=Console(file=io.StringIO()))):
        with out.progress() as progress:
            assert progress is None


def test_work_inside_of_work_has_the_same_bar() -> None:
    terminal, shown = console()
    out = Output(notes=terminal)
    with out.progress() as outer:
        with out.progress() as inner:
            assert inner is outer is not None
        assert outer is not None
        outer.begin("deciding", total=7, unit="items")
        await_drawn(shown, "0 of 7 items")
    with out.progress() as later:
        assert later is not outer


_WORK = """
import time
from consentry.cli.output import Output

with Output().progress() as progress:
    if progress is not None:
        progress.begin("deciding", total=7_000, unit="items")
        progress(3_000)
        time.sleep(1.5)
"""


def test_a_person_at_a_terminal_sees_it_and_a_pipe_does_not() -> None:
    command = [sys.executable, "-c", _WORK]
    ours, theirs = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "110"}
    running = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=theirs, env=environment)
    os.close(theirs)
    seen = b""
    while chunk := _read(ours):
        seen += chunk
    os.close(ours)
    assert running.communicate(timeout=60)[0] == b""
    assert running.returncode == 0
    assert "3,000 of 7,000 items" in seen.decode()
    quiet = subprocess.run(command, capture_output=True, check=True)
    assert (quiet.stdout, quiet.stderr) == (b"", b"")


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 1 << 16)
    except OSError:
        return b""  # the other side is closed
