"""Killed at any step of any command that writes, the next start finds what was before or what comes after.

Never half: an event whose document is missing, a folder or a table of which a part can be read, or something that keeps
the command from being asked for again. The controls name documents before they are stored, and write folders in place;
both must be caught.
"""

from __future__ import annotations

import shlex
import shutil
import signal
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

import click
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from consentry.bootstrap import open_deployment
from consentry.cli.invocation import DENIED, Later
from consentry.cli.main import cli, main
from consentry.digests import digest
from consentry.ledger.state import unexplained
from consentry.policy.library import shipped
from consentry.policy.vocabulary import Purpose
from end_to_end.crash_commands import ELSEWHERE, NOT_KILLED, ONE_WRITE, READS, SEVERAL_WRITES, Killed
from end_to_end.crash_driver import NOW, POLICY, VERBS
from end_to_end.crash_server import Driver, driver
from end_to_end.network import RawItem, RawPerson, copy_home, quick_folder, write_corpus, write_people

__all__ = ["driver"]

PEOPLE = [RawPerson(id=f"p{number}") for number in range(6)]
ITEMS = [RawItem(id=f"i{number}", author=f"p{number % 7}") for number in range(12)]
_CHOICES = 1_100
"""More than are recorded at a time."""
_LEFT_BEHIND = (".part", ".staged", ".removed", ".before")
_KEY = Ed25519PrivateKey.from_private_bytes(bytes(32))
_USERS = '<users>\n<row Id="5" CreationDate="{0}" LastAccessDate="{0}" DisplayName="x" />\n</users>'
_POSTS = (
    '<posts>\n<row Id="1" PostTypeId="1" CreationDate="{0}" Body="&lt;p&gt;x&lt;/p&gt;" OwnerUserId="5" />\n</posts>'
)
_DUMP = {
    "Users": _USERS,
    "Posts": _POSTS,
    "Comments": "<comments>\n</comments>",
    "PostHistory": "<posthistory>\n</posthistory>",
}


@dataclass(frozen=True)
class Stage:
    """A folder with `home` and `out` to be copied, and what words stand for in its commands."""

    folder: Path
    named: dict[str, str]

    def words(self, line: str, place: Path) -> list[str]:
        named = {**self.named, "f": self.folder, "o": place / "out"}
        return ["--home", str(place / "home"), *(word.format(**named) for word in shlex.split(line))]

    def copy(self, of: Path, name: str) -> Path:
        target = self.folder / name
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(of, target)
        return target

    def before(self, each: Killed) -> Path:
        """Return a place in which everything is as the command needs it."""
        place = self.copy(self.folder / "stage", "before")
        for line in each.before:
            first, *given = self.words(line, place)[2:]
            if first == "copy":
                shutil.copytree(given[0], given[1])
            elif first == "sign":
                Path(given[1]).write_bytes(_KEY.sign(Path(given[0]).read_bytes()))
            else:
                assert run(self.words(line, place)) in (0, DENIED), line
        return place


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    """A deployment with a release and its table, somebody who refused after it, and an objection that waits."""
    with tempfile.TemporaryDirectory(dir=quick_folder()) as name:
        folder = Path(name)
        (folder / "stage" / "out").mkdir(parents=True)
        deployment = open_deployment(copy_home(folder / "stage" / "home"))
        control = deployment.control
        control.statements.register_corpus(write_corpus(folder, [ITEMS[:6], ITEMS[6:]]))
        control.statements.load_people(write_people(folder / "people", PEOPLE))
        control.statements.publish(shipped()[POLICY], POLICY)
        release = control.releases.build("network", Purpose.TRAIN_GENAI, policy=POLICY, at=NOW).manifest.release
        control.releases.table(release, 2)
        filed = control.objections.file("a post", answer_to="zoe")
        deployment.close()
        papers(folder)
        assert run(["--home", str(folder / "stage" / "home"), "choice", "record", "p2", "refused"]) == 0
        weights = digest((folder / "weights" / "model.bin").read_bytes())
        yield Stage(folder, {"r": release, "x": filed.objection, "l": filed.link, "d": weights})


def papers(folder: Path) -> None:
    (folder / "paper.txt").write_text("a paper", "utf-8")
    (folder / "ids.txt").write_text("p1\np3\n", "utf-8")
    lines = [f"{who},train-genai,refused,{reach},2024-10-01T00:00:00Z" for who, reach in _choices()]
    (folder / "choices.csv").write_text("\n".join(["person,purpose,state,reach,at", *lines]), "utf-8")
    pem = _KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    (folder / "ico.pem").write_bytes(pem)
    (folder / "weights").mkdir()
    (folder / "weights" / "model.bin").write_bytes(b"weights")
    (folder / "dump").mkdir()
    for file, text in _DUMP.items():
        (folder / "dump" / f"{file}.xml").write_text(text.format("2012-03-04T05:06:07.890"), "utf-8")


def _choices() -> Iterator[tuple[str, str]]:
    yield "p1", "everything"
    yield from ((f"q{number}", "untrained") for number in range(_CHOICES))


def run(words: Sequence[str]) -> int:
    """Run a command line in this process and return its exit status."""
    said = StringIO()
    with pytest.raises(SystemExit) as left, redirect_stdout(said), redirect_stderr(said):
        main(list(words))
    return int(left.value.code or 0)


def refusal(words: Sequence[str]) -> str:
    """Run a command line and return the code it is refused with; nothing if it is not."""
    said = StringIO()
    with pytest.raises(SystemExit) as left, redirect_stdout(StringIO()), redirect_stderr(said):
        main(list(words))
    if left.value.code in (0, None, DENIED):
        return ""
    return said.getvalue().replace("\n", " ").partition("[")[2].partition("]")[0] or said.getvalue()


def kinds(place: Path, *, served: bool = False) -> list[str]:
    """Return the kinds of all events; `served`: with what a running service says by itself, that orders are drained."""
    deployment = open_deployment(place / "home")
    try:
        if served:
            deployment.control.leases.expire()
        events = list(deployment.ledger.read())
        assert not unexplained(events)
        return [event.kind for event in events]
    finally:
        deployment.close()


def seen(place: Path) -> dict[str, bytes]:
    """Return what whoever reads can see of folders and tables: nothing whose name begins with a dot."""
    roots = [place / "out", place / "home" / "tables"]
    files = [path.relative_to(place) for root in roots for path in root.rglob("*") if path.is_file()]
    shown = [path for path in files if not any(part.startswith(".") for part in path.parts)]
    return {str(path): (place / path).read_bytes() for path in shown}


def folders(files: dict[str, bytes]) -> dict[str, frozenset[str]]:
    """Return the files of each folder that appears as a whole: `out/NAME`, `home/tables/RELEASE/VERSION`."""
    found: dict[str, set[str]] = {}
    for path in files:
        parts = Path(path).parts
        found.setdefault("/".join(parts[: 2 if parts[0] == "out" else 4]), set()).add(path)
    return {name: frozenset(each) for name, each in found.items()}


@dataclass(frozen=True)
class Play:
    """A command, what was there before it, and what there is when nobody kills it."""

    stage: Stage
    each: Killed
    before: Path
    said_before: list[str]
    said: list[str]
    seen_before: dict[str, bytes]
    seen: dict[str, bytes]
    steps: int

    def words(self, place: Path) -> list[str]:
        return self.stage.words(self.each.words, place)

    def half_done(self, place: Path) -> Iterator[str]:
        """Say what is wrong with what a crash left, for whoever starts next."""
        said = kinds(place)[len(self.said_before) :]
        if said != self.said[: len(said)]:
            yield f"something else was said: {said}"
        if said and self.each.reads and refusal(self.stage.words(self.each.reads, place)):
            yield "it was said, and cannot be read"
        # Whoever reads a release brings its tables up to date.
        refusal(self.stage.words("release materialise {r} {o}/.reading", place))
        found = {} if self.each.deletes else seen(place)
        whole = (folders(self.seen_before), folders(self.seen))
        for name, files in folders(found).items():
            if files not in (whole[0].get(name), whole[1].get(name)):
                yield f"a part of {name} can be read"
        for name in () if self.each.deletes else whole[0].keys() & whole[1].keys():
            if name not in folders(found):
                yield f"{name} is gone"

    def not_done(self, place: Path) -> Iterator[str]:
        """Ask for it again, and say what is wrong then."""
        found = Counter(kinds(place))
        code = refusal(self.words(place))
        if code not in ("", self.each.done):
            yield f"it cannot be asked for again: {code}"
        whole = Counter(self.said_before + self.said)
        said = Counter(kinds(place, served=True))
        if not whole <= said <= found + Counter(self.said):
            yield f"something else was said in the end: {said - whole}"
        if self.each.reads and refusal(self.stage.words(self.each.reads, place)):
            yield "it cannot be read in the end"
        if set(seen(place)) != set(self.seen):
            yield "other files are there in the end"
        names = [path.name for path in place.rglob("*")]
        yield from (
            f"left behind: {name}" for name in names if name.endswith((".part", ".staged", ".removed", ".before"))
        )


def played(driver: Driver, stage: Stage, each: Killed, *, naive: str = "") -> Play:
    before = stage.before(each)
    place = stage.copy(before, "place")
    status, steps = driver.command(stage.words(each.words, place), place, naive=naive)
    assert status == 0, each.words
    said_before = kinds(before)
    return Play(stage, each, before, said_before, kinds(place)[len(said_before) :], seen(before), seen(place), steps)


def wrong(driver: Driver, stage: Stage, each: Killed, *, points: int, naive: str = "") -> dict[int, list[str]]:
    """Kill a command at so many of its steps, evenly spread, the last one too; return what was wrong after each."""
    play = played(driver, stage, each, naive=naive)
    assert play.steps > 1, f"{each.words} takes no steps"
    every = max(1, play.steps // points)
    found: dict[int, list[str]] = {}
    for kill_at in range(play.steps, 0, -every):
        place = stage.copy(play.before, "place")
        status, _ = driver.command(play.words(place), place, kill_at=kill_at, naive=naive)
        assert status == -signal.SIGKILL
        problems = [*play.half_done(place)] or [*play.not_done(place)]
        found |= {kill_at: problems} if problems else {}
    return found


def named(each: Killed) -> str:
    return each.words


@pytest.mark.parametrize("each", SEVERAL_WRITES, ids=named)
def test_killed_between_the_writes_of_a_command(each: Killed, driver: Driver, stage: Stage) -> None:
    assert wrong(driver, stage, each, points=2) == {}


@pytest.mark.slow
@pytest.mark.parametrize("each", [*SEVERAL_WRITES, *ONE_WRITE], ids=named)
def test_killed_at_every_step_of_a_command(each: Killed, driver: Driver, stage: Stage) -> None:
    assert wrong(driver, stage, each, points=100_000) == {}


@pytest.mark.parametrize(
    ("naive", "words", "problem"),
    [
        ("names_documents_first", "policy publish november-2025", "it was said, and cannot be read"),
        ("writes_in_place", "release materialise {r} {o}/jsonl --format jsonl", "a part of out/jsonl can be read"),
        ("writes_in_place", "import tabular {f}/corpus.toml {o}/tabular", "a part of out/tabular can be read"),
        ("writes_in_place", "release table {r} --format-version 3", "a part of home/tables"),
    ],
)
def test_the_harness_catches(naive: str, words: str, problem: str, driver: Driver, stage: Stage) -> None:
    (each,) = (each for each in SEVERAL_WRITES if each.words == words)
    found = wrong(driver, stage, each, points=4, naive=naive)
    assert any(problem in said for problems in found.values() for said in problems), found


def commands(group: click.Group, *before: str) -> Iterator[str]:
    for name, each in group.commands.items():
        found = each.load() if isinstance(each, Later) else each
        if isinstance(found, click.Group):
            yield from commands(found, *before, name)
        else:
            yield " ".join([*before, name])


def test_every_command_that_writes_is_killed_or_said_why_not() -> None:
    every = set(commands(cli))
    killed = {
        name for name in every if any(each.words.startswith(f"{name} ") for each in (*SEVERAL_WRITES, *ONE_WRITE))
    }
    assert set(ELSEWHERE.values()) <= set(VERBS)
    assert every - killed - ELSEWHERE.keys() - NOT_KILLED.keys() - READS == set()
    assert (ELSEWHERE.keys() | NOT_KILLED.keys() | READS) <= every - killed
