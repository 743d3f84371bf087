"""Killed at any step of suspending, narrowing or lifting, the next start finds what was before or what comes after.

Never half: a case without its order, one order of two lifted, or a moment in which nothing is suspended. What is out
after a crash is out for everybody: `may`, leases, data files, and what is built. A table of it is gone by the time the
order is said to be drained. The control gives back before it suspends less, and must be caught.
"""

from __future__ import annotations

import shutil
import signal
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest

from consentry.bootstrap import Deployment, open_deployment
from consentry.clock import now
from consentry.errors import ConsentryError
from consentry.ledger.oversight_events import Origin
from consentry.oversight.order import Scope, in_words
from consentry.policy.library import shipped
from consentry.policy.vocabulary import Category, Purpose, Visibility
from consentry.release.snapshot import Use
from end_to_end.crash_driver import CASE, UK
from end_to_end.crash_server import Driver, driver
from end_to_end.network import copy_home, quick_folder, write_corpus, write_people
from end_to_end.still_given import handed_out
from end_to_end.suspended_network import EVERYTHING, ITEMS, PEOPLE, POLICY, build
from end_to_end.test_story import eligible

__all__ = ["driver"]

USE = Use(Purpose.TRAIN_GENAI, Category.POST, Visibility.PUBLIC)
BRAZIL = Scope(areas=frozenset({"BR"}))
UK_AND_BRAZIL = Scope(areas=frozenset({"UK", "BR"}))
EVERYBODY = frozenset(str(person.id) for person in PEOPLE)


class Seen(NamedTuple):
    """What a deployment says after a start: who may be used, which orders hold, and how far the case is."""

    allowed: frozenset[str]
    in_force: tuple[str, ...]
    standing: str


def _may(deployment: Deployment, person: str) -> bool:
    return bool(deployment.control.people.may(person, USE, policy=POLICY)["allowed"])


def seen(deployment: Deployment) -> Seen:
    control = deployment.control
    orders = [in_words(each.scope) for each in control.orders.every() if each.ended is None]
    cases = [control.cases.register_of(each.case) for each in control.cases.every()]
    standing = ", ".join(str(standing) for _, standing, *_ in cases)
    allowed = frozenset(person for person in EVERYBODY if _may(deployment, person))
    return Seen(allowed, tuple(sorted(set(orders))), standing)


class Stage(NamedTuple):
    """A home before a verb, what it says before and after, and the release in it, with a table."""

    home: Path
    folder: Path
    release: str
    before: Seen
    after: Seen
    steps: int = 0

    def copy(self) -> Path:
        target = self.folder / "copy"
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(self.home, target)
        return target


OUT = {
    "suspend": (frozenset({"us", "br"}), ("UK",)),
    "suspend_by_command": (frozenset({"us", "br"}), ("UK",)),
    "narrow": (frozenset({"us", "br"}), ("UK",)),
    "lift": (frozenset({"us", "gb", "br"}), ()),
}
"""Who may be used and which orders hold after each verb."""


def prepare(deployment: Deployment, verb: str) -> None:
    """Bring a deployment to where a verb is about to be said."""
    control = deployment.control

    def suspend(scope: Scope) -> None:
        control.orders.suspend(scope, case=CASE, origin=Origin.AUTHORITY_REQUEST, reference="letter")

    if verb.startswith("suspend"):
        return
    if verb.startswith("narrow"):
        suspend(UK_AND_BRAZIL)
        control.cases.begin_review(CASE, by="ann")
        control.cases.require_notice(CASE, "n-1", days=0, by="ann")
        for by in ("ann", "bob"):
            assert not control.cases.narrow(CASE, UK, by=by, reference="x").done
        control.notices.serve("n-1", [deployment.person("br")], at=now())
    else:
        for scope in (UK, BRAZIL):
            suspend(scope)
        control.cases.begin_review(CASE, by="ann")
        control.cases.require_notice(CASE, "n-1", days=0, by="ann")
        for by in ("ann", "bob"):
            assert not control.cases.approve(CASE, by=by)
        control.notices.serve("n-1", [deployment.person(each) for each in ("gb", "br")], at=now())


@contextmanager
def staged(verb: str, driver: Driver) -> Iterator[Stage]:
    with tempfile.TemporaryDirectory(dir=quick_folder()) as name:
        folder = Path(name)
        home = copy_home(folder / "home")
        deployment = open_deployment(home)
        control = deployment.control
        control.statements.register_corpus(write_corpus(folder, [ITEMS[:3], ITEMS[3:]]))
        control.statements.load_people(write_people(folder / "people", PEOPLE))
        control.statements.publish(shipped()[POLICY], POLICY)
        release = build(deployment)
        control.releases.table(release, 2)
        prepare(deployment, verb)
        before = seen(deployment)
        deployment.close()
        stage = Stage(home, folder, release, before, before)
        status, steps = driver.carry_out(verb, stage.copy(), folder)
        assert status == 0
        with reopened(stage.folder / "copy") as deployment:
            after = seen(deployment)
        assert (after.allowed, after.in_force) == OUT[verb.removesuffix("_naively")]
        yield stage._replace(after=after, steps=steps)


@contextmanager
def reopened(home: Path) -> Iterator[Deployment]:
    deployment = open_deployment(home)
    try:
        yield deployment
    finally:
        deployment.close()


def violations(home: Path, stage: Stage, *, done: bool) -> Iterator[str]:
    """Start again and say what is wrong; `done`: the verb was acknowledged."""
    with reopened(home) as deployment:
        yield from table_of_drained(deployment, stage)
        found = seen(deployment)
        if found not in ({stage.after} if done else {stage.before, stage.after}):
            yield f"neither before nor after: {found}"
        # What was sealed before an order is not read again after it was lifted: only while none was ever given.
        held = found.allowed == EVERYBODY and not deployment.control.orders.every()
        if handed_out_at_all(deployment, stage.release) != held:
            yield "data files are handed out of what was suspended, or of what was not they are not"
        deployment.control.leases.expire()  # as a server does all the time
        yield from table_of_drained(deployment, stage)
        if not held and table(deployment, stage).exists():
            yield "a table of what is suspended can be read"
    with reopened(home) as deployment:
        if seen(deployment) != found:
            yield "the next start says something else"
        if eligible(deployment, build(deployment)) != {item for item in EVERYTHING if owners(item) <= found.allowed}:
            yield "a release that is built holds something else"
        if granted(deployment, stage.release) != held:
            yield "a lease is granted on what was suspended, or on what was not it is not"


def table(deployment: Deployment, stage: Stage) -> Path:
    return deployment.control.desk.tables / stage.release


def table_of_drained(deployment: Deployment, stage: Stage) -> Iterator[str]:
    orders = [each for each in deployment.control.orders.every() if each.ended is None]
    if any(each.drained is not None for each in orders) and table(deployment, stage).exists():
        yield "the order is said to be drained, and a table of it can be read"


def handed_out_at_all(deployment: Deployment, release: str) -> bool:
    refusals = {"release-suspended", "release-old-terms"}
    return _given(refusals, lambda: handed_out(deployment, release))


def granted(deployment: Deployment, release: str) -> bool:
    refusals = {"lease-suspended", "lease-old-terms"}
    return _given(refusals, lambda: deployment.control.leases.grant(release, job="job-1", model="drafts"))


def _given(refusals: set[str], ask: Callable[[], object]) -> bool:
    try:
        return bool(ask())
    except ConsentryError as error:
        if error.code not in refusals:
            raise
        return False


def owners(item: str) -> set[str]:
    """Return whom an item involves."""
    (found,) = [each for each in ITEMS if each.id == item]
    return {str(found.author), *map(str, found.involves or ())}


def kill_all_over(verb: str, driver: Driver, stage: Stage, *, points: int) -> Iterator[tuple[int, list[str]]]:
    """Kill a verb at up to `points` of its steps, evenly spread, and yield each step with what was wrong after it."""
    for kill_at in range(1, stage.steps + 1, max(1, stage.steps // points)):
        home = stage.copy()
        status, _ = driver.carry_out(verb, home, stage.folder, kill_at=kill_at)
        assert status == -signal.SIGKILL
        shutil.copytree(home, home.with_name("again"))
        found = [*violations(home, stage, done=False)]
        again, _ = driver.carry_out(verb, home.with_name("again"), stage.folder)
        found += [] if again == 0 else ["it cannot be said again"]
        found += violations(home.with_name("again"), stage, done=True)
        shutil.rmtree(home.with_name("again"))
        yield kill_at, found


def wrong(verb: str, driver: Driver, *, points: int) -> dict[int, list[str]]:
    with staged(verb, driver) as stage:
        return {step: found for step, found in kill_all_over(verb, driver, stage, points=points) if found}


@pytest.mark.parametrize("verb", list(OUT))
def test_killed_while_an_order_begins_or_ends(verb: str, driver: Driver) -> None:
    assert wrong(verb, driver, points=8) == {}


@pytest.mark.slow
@pytest.mark.parametrize("verb", list(OUT))
def test_killed_at_every_step_of_an_order(verb: str, driver: Driver) -> None:
    assert wrong(verb, driver, points=100_000) == {}


def test_the_harness_catches_who_gives_back_before_suspending_less(driver: Driver) -> None:
    found = wrong("narrow_naively", driver, points=100_000)
    assert any("neither before nor after" in problem for problems in found.values() for problem in problems)
