"""Killed at any step of any verb, the next start finds the old state or the new one, and can go on from there.

Checked after every crash: a release can be opened only if the ledger says it is sealed; every sealed one verifies down
to the last decision; everything acknowledged before is still there; the interrupted verb can be asked for again, and a
release built after it holds what it must. The control announces a release before it is written, and must be caught.
"""

from __future__ import annotations

import shutil
import signal
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from consentry.bootstrap import Deployment, open_deployment
from consentry.errors import ConsentryError, NotFoundError
from consentry.ledger.events import ChoiceMade, Source
from consentry.ledger.state import unexplained
from consentry.policy.choice import Choice
from consentry.policy.library import shipped
from consentry.policy.vocabulary import ChoiceState, Purpose
from end_to_end.crash_driver import NOW, POLICY, VERBS
from end_to_end.crash_server import Driver, driver
from end_to_end.network import Form, RawItem, RawPerson, quick_folder, write_corpus, write_items, write_people
from end_to_end.still_given import handed_out, in_table
from end_to_end.test_story import eligible

__all__ = ["driver"]

PEOPLE = 8


@dataclass(frozen=True)
class Stage:
    """A prepared home, to be copied, and the content beside it."""

    folder: Path
    home: Path
    refused: frozenset[str]

    def copy(self) -> Path:
        """Return a fresh copy of the home."""
        target = self.folder / "copy"
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(self.home, target)
        return target


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    """A deployment with one release and news to come: content, people and a refusal after it."""
    with tempfile.TemporaryDirectory(dir=quick_folder()) as name:
        folder = Path(name)
        deployment = open_deployment(folder / "home")
        items = [RawItem(id=f"i{number}", author=f"p{number % PEOPLE}") for number in range(40)]
        deployment.control.statements.register_corpus(
            write_corpus(folder, [items[:20], items[20:]], Form(rows_per_group=9))
        )
        everybody = [RawPerson(id=f"p{number}") for number in range(PEOPLE)]
        deployment.control.statements.load_people(write_people(folder / "people", everybody[:-1]))
        deployment.control.statements.publish(shipped()[POLICY], POLICY)
        built = deployment.control.releases.build("network", Purpose.TRAIN_GENAI, policy=POLICY, at=NOW)
        deployment.control.releases.table(built.manifest.release, 2)
        for number in (2, 3):
            choice = Choice(purpose=Purpose.TRAIN_GENAI, state=ChoiceState.REFUSED, at=NOW)
            said = ChoiceMade(person=deployment.person(f"p{number}"), choice=choice, source=Source.FORM)
            deployment.control.statements.choose([said])
        deployment.close()
        write_people(folder / "people", everybody)
        yield Stage(folder, folder / "home", frozenset({"p2", "p3"}))


def news(stage: Stage) -> None:
    """Change one content file and add another."""
    write_items(stage.folder / "items" / "1.parquet", [RawItem(id=f"n{number}", author="p4") for number in range(7)])
    write_items(stage.folder / "items" / "2.parquet", [RawItem(id=f"m{number}", author="p7") for number in range(5)])


def old(stage: Stage) -> None:
    """Undo `news`: the same bytes, at the same time."""
    for path in (stage.folder / "items").glob("*.parquet"):
        path.unlink()
    shutil.copytree(stage.folder / "kept", stage.folder / "items", dirs_exist_ok=True)


def violations(home: Path, stage: Stage) -> list[str]:
    """Open what a crash left and say what is wrong with it."""
    try:
        deployment = open_deployment(home)
    except ConsentryError as error:
        return [f"does not open: {error}"]
    try:
        return [*_violations(deployment, home, stage)]
    finally:
        deployment.close()


def files(folder: Path) -> set[Path]:
    """Return the files below a folder, relative to it."""
    return {path.relative_to(folder) for path in folder.rglob("*") if path.is_file()}


def _violations(deployment: Deployment, home: Path, stage: Stage) -> Iterator[str]:
    control = deployment.control
    events = list(deployment.ledger.read())
    if unexplained(events):
        yield "events were lost"
    sealed = control.releases.sealed()
    for folder in control.desk.releases.glob("*"):
        if folder.name not in sealed:
            try:
                control.releases.open(folder.name)
                yield f"{folder.name} can be read and was never sealed"
            except NotFoundError:
                pass
    for name in sealed:
        for finding in control.releases.verify(name, decide=True):
            if finding.problem and finding.code != "release-file-changed":
                yield f"{name}: {finding.check}: {finding.problem}"
    for name, release in sealed.items():
        if release.withdrawn is None:
            with suppress(ConsentryError):
                control.releases.data_files(
                    name
                )  # whoever reads brings amendments, and the tables with them, up to date
    whole = files(stage.home / "tables")
    for name, release in sealed.items():
        left = {path for path in files(home / "tables") if path.parts[0] == name}
        if left and left != {path for path in whole if path.parts[0] == name}:
            yield f"a part of the table of {name} can be read"
        if release.withdrawn is None and not left and name in {path.parts[0] for path in whole}:
            yield f"the table of {name} is gone, and nobody withdrew the release"
    if sealed:
        live = control.desk.present().state.choices
        missing = {person for person in stage.refused if deployment.person(person) not in live}
        if missing:
            yield f"refusals of {missing} were lost"


def build_after(home: Path, stage: Stage, *, without: frozenset[str] = frozenset()) -> list[str]:
    """Build a release and say what is wrong with it; the content and people are the new ones."""
    deployment = open_deployment(home)
    try:
        control = deployment.control
        control.statements.register_corpus(stage.folder / "corpus.toml")
        control.statements.load_people(stage.folder / "people" / "people.toml")
        if control.desk.present().state.policy(POLICY) is None:
            control.statements.publish(shipped()[POLICY], POLICY)
        name = control.releases.build("network", Purpose.TRAIN_GENAI, policy=POLICY, at=NOW).manifest.release
        refused = {
            person for person in stage.refused if deployment.person(person) in control.desk.present().state.choices
        }
        found = [f"{each.check}: {each.problem}" for each in control.releases.verify(name, decide=True) if each.problem]
        expected = {
            item
            for item, author in _content(stage)
            if author not in refused | without and author in {f"p{number}" for number in range(PEOPLE)}
        }
        if eligible(deployment, name) != expected:
            found.append("a later release holds other items")
        folders = {folder.name for folder in control.desk.releases.glob("*")}
        if folders != set(control.releases.sealed()):
            found.append(f"left behind: {folders - set(control.releases.sealed())}")
        withdrawn = [name for name, release in control.releases.sealed().items() if release.withdrawn is not None]
        found += [f"the table of {name} is still there" for name in withdrawn if (home / "tables" / name).exists()]
        staged = [path for path in home.rglob("*") if "staged" in path.name or path.suffix in (".part", ".removed")]
        return [*found, *(f"left behind: {path.name}" for path in staged)]
    finally:
        deployment.close()


def _content(stage: Stage) -> Iterator[tuple[str, str]]:
    for path in sorted((stage.folder / "items").glob("*.parquet")):
        table = pq.read_table(path, columns=["id", "author_id"])
        yield from zip(table["id"].to_pylist(), table["author_id"].to_pylist(), strict=True)


Step = int | str
"""A step by its number, or the first one of a kind."""


def spread(points: int) -> Callable[[list[str]], Iterable[Step]]:
    """Choose up to so many steps, evenly spread."""
    return lambda kinds: range(1, len(kinds) + 1, max(1, len(kinds) // points))


def of_each_kind(kinds: list[str]) -> Iterable[Step]:
    """Choose one step of each kind."""
    return dict.fromkeys(kinds)


def kill_all_over(
    verb: str,
    driver: Driver,
    stage: Stage,
    *,
    steps: Callable[[list[str]], Iterable[Step]],
    lines: bool = False,
) -> Iterator[tuple[Step, list[str]]]:
    """Kill a verb at the chosen ones of its steps, and yield each step with what was wrong after it."""
    home = stage.folder / "copy"
    shutil.rmtree(home, ignore_errors=True)
    if verb != "start":
        stage.copy()
    status, count = driver.carry_out(verb, home, stage.folder, lines=lines)
    assert (status, count > 3) == (0, True)
    for kill_at in steps(driver.kinds):
        shutil.rmtree(home, ignore_errors=True)
        if verb != "start":
            stage.copy()
        status, _ = driver.carry_out(verb, home, stage.folder, kill_at=kill_at, lines=lines)
        # Threads of one run may take a few lines less than those of another.
        assert status == -signal.SIGKILL or (lines and status == 0)
        found = violations(home, stage)
        if not found and verb in VERBS:
            again, _ = driver.carry_out(verb, home, stage.folder)
            found += [] if again == 0 else ["the verb fails when asked for again"]
        erased = frozenset({"p1"}) if verb == "erase" else frozenset[str]()
        yield kill_at, found or build_after(home, stage, without=erased)


@pytest.fixture
def changed(stage: Stage) -> Iterator[Stage]:
    """The stage with news in its content; afterwards the content is as it was."""
    if not (stage.folder / "kept").exists():
        shutil.copytree(stage.folder / "items", stage.folder / "kept")
    news(stage)
    yield stage
    old(stage)


def check(
    verb: str,
    driver: Driver,
    stage: Stage,
    *,
    steps: Callable[[list[str]], Iterable[Step]],
    lines: bool = False,
) -> None:
    wrong = {step: found for step, found in kill_all_over(verb, driver, stage, steps=steps, lines=lines) if found}
    assert wrong == {}


def test_killed_at_the_first_start(driver: Driver, stage: Stage) -> None:
    check("start", driver, stage, steps=spread(4))


def test_killed_while_registering(driver: Driver, changed: Stage) -> None:
    check("register", driver, changed, steps=spread(8))


def test_killed_while_loading_people(driver: Driver, stage: Stage) -> None:
    check("people", driver, stage, steps=spread(4))


def test_killed_while_building_at_every_kind_of_step(driver: Driver, stage: Stage) -> None:
    check("build", driver, stage, steps=of_each_kind)


def test_the_steps_of_a_build_are_before_and_after_all_that_it_makes_durable(driver: Driver, stage: Stage) -> None:
    status, _ = driver.carry_out("build", stage.copy(), stage.folder)
    assert status == 0
    part = "releases/.network.train-genai.#.part"
    written = [f"{part}/{name}" for name in ("exclusions.bin", "manifest.dsse.json", "manifest.json", "tallies.json")]
    durable = [*written, part, "releases"]
    wanted = {
        *(f"open {file}" for file in written),
        *(f"{when} a flush of {file}" for file in durable for when in ("before", "after")),
        *("before a commit", "after a commit", f"os.mkdir {part}", f"os.rename {part}"),
    }
    assert wanted - set(driver.kinds) == set()


def test_killed_while_erasing(driver: Driver, stage: Stage) -> None:
    check("erase", driver, stage, steps=spread(6))


def test_killed_while_withdrawing(driver: Driver, stage: Stage) -> None:
    check("withdraw", driver, stage, steps=spread(12))


def after_a_refusal(home: Path, *, recorded: bool) -> list[str]:
    """Say what is wrong with the release that p1 refused after it was sealed, and with its table."""
    deployment = open_deployment(home)
    try:
        control, wrong = deployment.control, []
        (name,) = control.releases.sealed()
        refused = deployment.person("p1") in control.desk.present().state.choices
        read = handed_out(deployment, name)
        expected = {f"i{number}" for number in range(40) if number % PEOPLE not in ({1, 7} if refused else {7})}
        if read != expected:
            wrong.append("a reader sees other items")
        if recorded and (not refused or control.amendments.newest(name) != 1):
            wrong.append("the refusal or its amendment is missing")
        if in_table(deployment, name, 2) != len(expected):
            wrong.append("the table shows other items")
        wrong += [f"{each.check}: {each.problem}" for each in control.releases.verify(name) if each.problem]
        left = [path.name for path in (home / "tables").rglob("*") if path.suffix in (".part", ".before")]
        return [*wrong, *(f"left behind: {each}" for each in left)]
    finally:
        deployment.close()


def refused_at_every(driver: Driver, stage: Stage, *, points: int) -> dict[int, list[str]]:
    home = stage.copy()
    status, steps = driver.carry_out("refuse", home, stage.folder)
    assert (status, steps > 3) == (0, True)
    wrong = {0: after_a_refusal(home, recorded=True)}
    for kill_at in range(1, steps + 1, max(1, steps // points)):
        stage.copy()
        status, _ = driver.carry_out("refuse", home, stage.folder, kill_at=kill_at)
        assert status == -signal.SIGKILL
        found = after_a_refusal(home, recorded=False)
        again, _ = driver.carry_out("refuse", home, stage.folder)
        wrong[kill_at] = [*found, *([] if again == 0 else ["it cannot be said again"])]
        wrong[kill_at] += after_a_refusal(home, recorded=True)
    return {step: found for step, found in wrong.items() if found}


def test_killed_while_refusing_everything(driver: Driver, stage: Stage) -> None:
    assert refused_at_every(driver, stage, points=12) == {}


@pytest.mark.slow
def test_killed_at_every_step_of_refusing_everything(driver: Driver, stage: Stage) -> None:
    assert refused_at_every(driver, stage, points=100_000) == {}


def test_the_harness_catches_who_announces_before_writing(driver: Driver, stage: Stage) -> None:
    wrong: dict[Step, list[str]] = {}
    for step, found in kill_all_over("build_naively", driver, stage, steps=spread(40)):
        wrong |= {step: found} if found else {}
        if wrong:
            break
    assert any("gone" in problem for found in wrong.values() for problem in found)


@pytest.mark.slow
@pytest.mark.parametrize("verb", ["start", "register", "people", "build", "erase", "withdraw"])
def test_killed_at_every_step(verb: str, driver: Driver, stage: Stage, request: pytest.FixtureRequest) -> None:
    used: Any = request.getfixturevalue("changed") if verb == "register" else stage
    check(verb, driver, used, steps=spread(100_000))


@pytest.mark.slow
def test_killed_between_lines_of_a_build(driver: Driver, stage: Stage) -> None:
    """Denser than the steps: at every second line or so of what decides, writes, seals and appends."""
    check("build", driver, stage, steps=spread(180), lines=True)
