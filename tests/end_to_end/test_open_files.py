"""A process that may open no more files says so. Nothing is called damaged or gone by it, built anew or removed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from consentry.bootstrap import Deployment, open_deployment
from consentry.corpus.registration import forget_earlier, seats_in_use
from consentry.errors import UnavailableError
from consentry.exhausted import no_room
from consentry.ledger.events import ChoiceMade, Source
from consentry.policy.choice import Choice
from consentry.policy.library import shipped
from consentry.policy.policy_parser import load
from consentry.policy.vocabulary import ChoiceState, Reach
from end_to_end.network import populated, register_other_bytes
from end_to_end.still_given import handed_out, problems
from end_to_end.terminal import Terminal, ready, terminal
from end_to_end.test_story import GENAI, ITEMS, NOW, PEOPLE, POLICY, build
from open_files import open_files_left

__all__ = ["ready", "terminal"]

_MOST_LEFT = 25


@pytest.fixture
def place() -> Iterator[tuple[Path, Deployment, str]]:
    """Yield a folder, its deployment, and a release of before a file was replaced: an earlier head goes with it."""
    with populated([ITEMS[:4], ITEMS[4:]], PEOPLE, POLICY) as (folder, deployment):
        release = build(deployment)
        register_other_bytes(folder, deployment, ITEMS[:3])
        yield folder, deployment, release


def there(folder: Path) -> dict[str, bytes]:
    """Return what is in the folders of corpora and releases, but for locks."""
    paths = (path for name in ("corpora", "releases", "objects") for path in (folder / "home" / name).rglob("*"))
    return {str(path): path.read_bytes() if path.is_file() else b"" for path in paths if path.name != "lock"}


def said(work: Callable[[], object], *, left: int) -> str:
    """Do something with so many files left, and return what it says: nothing if all is well."""
    try:
        with open_files_left(left):
            work()
    except (UnavailableError, OSError) as error:
        return getattr(no_room(error) or error, "code", repr(error))  # of an OSError the edge says so
    return ""


def test_with_few_files_left_all_is_as_it_was_or_it_is_said(place: tuple[Path, Deployment, str]) -> None:
    folder, deployment, old = place
    new, control = build(deployment), deployment.control
    corpora, earlier = control.desk.corpora, control.releases.open(old).manifest.corpus_snapshot
    found = {name: problems(deployment, name) for name in (old, new)}
    assert not found[new]
    seats = seats_in_use(corpora)
    before = there(folder)

    def registering() -> None:
        done = control.statements.register_corpus(folder / "corpus.toml")
        assert (done.built, done.kept, done.mended, done.broken.nothing) == (0, 2, 0, True)

    def verifying() -> None:
        assert {name: problems(deployment, name) for name in found} == found

    def opening() -> None:
        opened = open_deployment(folder / "home")
        try:
            opened.control.releases.plan("network", GENAI, policy=load(shipped()[POLICY], POLICY), at=NOW)
            opened.control.releases.explain(new, "b1")
        finally:
            opened.close()

    def forgetting() -> None:
        forget_earlier(corpora, "network", wanted=[earlier])

    def counting() -> None:
        assert seats_in_use(corpora) == seats

    works = (registering, verifying, opening, forgetting, counting)
    heard = Counter[tuple[str, str]]()
    for work in works:
        for left in range(_MOST_LEFT + 1):
            code = said(work, left=left)
            assert code in ("", "system-exhausted", "ledger-unavailable"), (work.__name__, left)
            heard[work.__name__, code] += 1
            assert there(folder) == before, (work.__name__, left)
        work()
        assert heard[work.__name__, ""], "with enough files left it is done"
        assert heard[work.__name__, "system-exhausted"], "with none left it is not"
    assert there(folder) == before


def test_what_was_recorded_is_not_said_to_be_lost(place: tuple[Path, Deployment, str]) -> None:
    """A no is in the ledger. To work out what leaves releases by it, files are needed."""
    _, deployment, _ = place
    new, no = build(deployment), Choice(purpose=GENAI, state=ChoiceState.REFUSED, reach=Reach.EVERYTHING, at=NOW)
    deployment.ledger.append([ChoiceMade(person=deployment.person("bo"), choice=no, source=Source.FORM)])
    amend = deployment.control.amendments.amend_recorded
    codes = [said(amend, left=left) for left in range(_MOST_LEFT + 1)]
    done = codes.index("")
    assert {*codes[:done]} == {"ledger-outcome-unknown"}
    assert not any(codes[done:])
    assert "b1" not in handed_out(deployment, new)
    assert not problems(deployment, new)


def test_the_command_line_says_so(ready: Terminal) -> None:
    command = ("corpus", "register", ready.folder / "corpus.toml")
    ready.run(*command)
    ready.fails("descriptor-unreadable", "corpus", "register", ready.folder / "none.toml")
    with open_files_left(0):
        ready.fails("system-exhausted", *command)
    assert ready.run(*command)["built"] == 0
