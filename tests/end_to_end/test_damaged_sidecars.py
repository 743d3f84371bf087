"""Sidecars that a disk or a hand damaged: registering the corpus again, as help lines say, makes everything right."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from consentry.bootstrap import Deployment, open_deployment
from consentry.corpus.intact import with_digests
from consentry.corpus.registration import open_as_of, register
from consentry.digests import canonical_json
from consentry.ledger.events import CorpusRegistered
from consentry.ledger.oversight_events import Origin
from consentry.oversight.order import Scope
from consentry.policy.vocabulary import Reach
from end_to_end.network import RawItem, populated, write_items
from end_to_end.still_given import handed_out, problems
from end_to_end.terminal import Terminal, build, ready, terminal
from end_to_end.test_story import BEFORE, PEOPLE, POLICY, say
from end_to_end.test_story import build as built

__all__ = ["ready", "terminal"]

ITEMS = [
    RawItem(id="a1", author="ada", created=BEFORE),
    RawItem(id="b1", author="bo", created=BEFORE),
    RawItem(id="b2", author="bo", created=BEFORE, category="pic"),
]
FRANCE = Scope(areas=frozenset({"FR"}), created_before=BEFORE + 1)
OTHERS = [RawItem(id="b3", author="bo", created=BEFORE)]
FIRST = "items/0.parquet"


@pytest.fixture
def place() -> Iterator[tuple[Path, Deployment]]:
    with populated([ITEMS, OTHERS], PEOPLE, POLICY) as started:
        yield started


def sidecar_of(corpora: Path, path: str = FIRST) -> Path:
    """Return the sidecar of a file that is in force."""
    home = corpora / "network"
    for name in json.loads((home / "corpus.json").read_bytes())["sidecars"]:
        folder: Path = home / "sidecars" / name
        if json.loads((folder / "sidecar.json").read_bytes())["pin"]["path"] == path:
            return folder
    raise AssertionError(path)


def damage(corpora: Path, array: str, value: int | None = None) -> None:
    """Write one value over an array, the first that is in it if not given."""
    path = sidecar_of(corpora) / f"{array}.npy"
    values = np.load(path)
    values[:] = values[0] if value is None else value
    np.save(path, values)


def digest_anew(sidecar: Path) -> None:
    """Note the digests of its arrays as they are, as whoever edits them can."""
    body = json.loads((sidecar / "sidecar.json").read_bytes())
    (sidecar / "sidecar.json").write_bytes(canonical_json(with_digests(body, sidecar)))


def forget_digests(corpora: Path) -> None:
    """Make all sidecars as they were before there were digests."""
    for path in corpora.rglob("sidecar.json"):
        body = json.loads(path.read_bytes())
        path.write_bytes(canonical_json({name: body[name] for name in body if name not in ("arrays", "digest")}))


def with_somebody_hidden(deployment: Deployment) -> str:
    """Return a release that hands out who said no: postings without them were put in place of those that were built."""
    release, corpora = built(deployment), deployment.control.desk.corpora
    damage(corpora, "posting_person", 200)
    digest_anew(sidecar_of(corpora))
    say(deployment, "ada", reach=Reach.EVERYTHING)
    assert "a1" in handed_out(deployment, release)
    return release


def again(folder: Path, deployment: Deployment) -> Any:
    return deployment.control.statements.register_corpus(folder / "corpus.toml")


def codes(shown: dict[str, Any]) -> set[str]:
    return {each["code"] for each in shown["checks"] if each["problem"]}


def events(deployment: Deployment) -> int:
    return sum(isinstance(each.body, CorpusRegistered) for each in deployment.ledger.read(0, deployment.ledger.head()))


def test_classes_that_let_items_in_are_said_and_made_right(ready: Terminal) -> None:
    """Pictures are permitted to nobody by this set."""
    write_items(ready.folder / FIRST, [RawItem(id="t", author="ada"), RawItem(id="p", author="ada", category="pic")])
    ready.run("corpus", "register", ready.folder / "corpus.toml")
    damage(ready.home / "corpora", "klass")
    wrong = build(ready)
    assert wrong["counts"]["eligible"] == 2
    assert codes(ready.run("release", "verify", wrong["release"], status=3)) == {"corpus-sidecar-damaged"}
    assert codes(ready.run("release", "verify", wrong["release"], "--decide", status=3)) == {"corpus-sidecar-wrong"}
    said = ready.run("corpus", "register", ready.folder / "corpus.toml", as_json=False)
    assert "1 file read, 0 unchanged." in said
    assert "1 sidecar had been damaged or lost: built anew." in said
    assert codes(ready.run("release", "verify", wrong["release"], "--decide", status=3)) == {"release-not-reproduced"}
    right = build(ready)
    assert right["counts"]["eligible"] == 1
    ready.run("release", "verify", right["release"], "--decide")
    done = ready.run("corpus", "register", ready.folder / "corpus.toml")
    assert (done["built"], done["kept"], done["mended"]) == (0, 1, 0)


@pytest.mark.parametrize("array", ["person", "klass", "involved_person", "involved_row"])
def test_numbers_that_are_not_there_keep_nobody_stuck(ready: Terminal, array: str) -> None:
    damage(ready.home / "corpora", array, 200)
    ready.fails("corpus-sidecar-damaged", "release", "build", "network", "--policy", "september-2024")
    ready.run("corpus", "register", ready.folder / "corpus.toml")
    ready.run("release", "verify", build(ready)["release"], "--decide")


@pytest.mark.parametrize("array", ["involved_person", "involved_row"])
def test_so_it_is_said_where_everything_is_decided_again(ready: Terminal, array: str) -> None:
    release = build(ready)["release"]
    damage(ready.home / "corpora", array, 200)
    shown = ready.run("release", "verify", release, "--decide", status=3)
    assert codes(shown) == {"corpus-sidecar-wrong", "corpus-sidecar-damaged"}


@pytest.mark.parametrize("refused", ["before", "after"])
def test_who_is_not_found_by_damaged_postings_leaves(place: tuple[Path, Deployment], refused: str) -> None:
    """Registering again finds who refused meanwhile, also where somebody else was heard after them."""
    folder, deployment = place
    release = built(deployment)
    damage(deployment.control.desk.corpora, "posting_person", 200)
    if refused == "before":
        say(deployment, "ada", reach=Reach.EVERYTHING)
        say(deployment, "bo", reach=Reach.EVERYTHING)
        assert handed_out(deployment, release) == {"a1", "b1"}
    done = again(folder, deployment)
    assert (done.built, done.kept, done.mended) == (1, 1, 1)
    if refused == "after":
        say(deployment, "ada", reach=Reach.EVERYTHING)
        say(deployment, "bo", reach=Reach.EVERYTHING)
    assert handed_out(deployment, release) == set()
    assert problems(deployment, release) == []
    assert handed_out(deployment, built(deployment)) == set()


def test_an_interrupted_registration_is_made_up_for_by_the_next(place: tuple[Path, Deployment]) -> None:
    folder, deployment = place
    release, desk = built(deployment), deployment.control.desk
    damage(desk.corpora, "posting_person", 200)
    say(deployment, "ada", reach=Reach.EVERYTHING)
    interrupted(folder, deployment)
    done = interrupted(folder, deployment)
    assert (done.built, done.kept, done.mended) == (0, 2, 1)
    assert again(folder, deployment).mended == 1
    assert handed_out(deployment, release) == {"b1", "b3"}
    before = events(deployment)
    assert again(folder, deployment).mended == 0
    assert events(deployment) == before
    assert len(list((desk.corpora / "network" / "sidecars").iterdir())) == 2


def test_what_a_release_was_sealed_with_is_made_right_too(place: tuple[Path, Deployment]) -> None:
    """It is kept aside since the corpus has a further file, and a process remembers it as it was."""
    folder, deployment = place
    release = built(deployment)
    write_items(folder / "items" / "2.parquet", [RawItem(id="c1", author="ada", created=BEFORE)])
    again(folder, deployment)
    damage(deployment.control.desk.corpora, "klass")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("consentry.corpus.registration.altered", lambda *_, **__: [])
        assert again(folder, deployment).built == 0
    assert problems(deployment, release) != []
    assert categories(deployment, release) == {"post"}
    assert again(folder, deployment).mended == 1
    assert problems(deployment, release) == []
    assert categories(deployment, release) == {"post", "image"}


def categories(deployment: Deployment, release: str) -> set[str]:
    """Return which kinds of items its files are remembered to have had at the seal of a release."""
    archive = deployment.control.releases.archive
    known = archive.at_seal.remembered(archive.open(release).manifest, deployment.control.desk.opened("network"))
    return {str(known.items[code].category) for sidecar in known.sidecars for code in sidecar.klass}


def test_another_process_goes_on_with_nothing_that_was_damaged(place: tuple[Path, Deployment]) -> None:
    folder, deployment = place
    damage(deployment.control.desk.corpora, "klass")
    assert handed_out(deployment, built(deployment)) == {"a1", "b1", "b2", "b3"}
    other = open_deployment(folder / "home")
    try:
        for array in ("klass", "posting_person"):  # names of sidecars do not come again
            damage(other.control.desk.corpora, array, 0)
            assert again(folder, other).mended == 1
    finally:
        other.close()
    release = built(deployment)
    assert handed_out(deployment, release) == {"a1", "b1", "b3"}
    assert problems(deployment, release) == []


def test_sidecars_of_before_digests_are_used_and_built_anew_once(place: tuple[Path, Deployment]) -> None:
    folder, deployment = place
    release = built(deployment)
    forget_digests(deployment.control.desk.corpora)
    assert [each for each in deployment.control.releases.verify(release) if each.problem] == []
    before = events(deployment)
    done = again(folder, deployment)
    assert (done.built, done.kept, done.mended) == (2, 0, 0)
    assert events(deployment) == before
    assert problems(deployment, release) == []
    assert again(folder, deployment).kept == 2


@pytest.mark.parametrize("damaged", [False, True])
def test_those_of_before_digests_go_on_knowing_where_the_erased_lived(
    place: tuple[Path, Deployment], damaged: bool
) -> None:
    """Only what is damaged is said to be. What is built anew has another seat for them, of which nothing is known."""
    folder, deployment = place
    release, control = built(deployment), deployment.control
    control.statements.erase([deployment.person("ada")])
    forget_digests(control.desk.corpora)
    if damaged:
        damage(control.desk.corpora, "klass")
    done = again(folder, deployment)
    assert (done.built, done.kept, done.mended) == (2, 0, damaged)
    assert again(folder, deployment).kept == 2
    assert len(list((control.desk.corpora / "network" / "sidecars").iterdir())) == 2
    assert problems(deployment, release) == []
    control.orders.suspend(FRANCE, case="cnil", origin=Origin.AUTHORITY_REQUEST, reference="letter")
    assert damaged or control.orders.barring(release) is None


def test_digests_decide_nothing_and_without_its_sidecars_a_corpus_is_built_anew(
    place: tuple[Path, Deployment],
) -> None:
    folder, deployment = place
    corpora = deployment.control.desk.corpora
    damage(corpora, "klass")
    digest_anew(sidecar_of(corpora))
    assert again(folder, deployment).built == 0
    assert "does not say what the file says" in "".join(problems(deployment, built(deployment)))
    shutil.rmtree(corpora / "network" / "sidecars")
    assert again(folder, deployment).built == 2
    assert problems(deployment, built(deployment)) == []


@pytest.mark.parametrize("removed", ["network/sidecars", "network"])
def test_who_is_not_found_leaves_also_once_what_was_damaged_is_removed(
    place: tuple[Path, Deployment], removed: str
) -> None:
    folder, deployment = place
    release, corpora = with_somebody_hidden(deployment), deployment.control.desk.corpora
    assert again(folder, deployment).built == 0
    assert "a1" in handed_out(deployment, release)
    shutil.rmtree(corpora / removed)
    other = open_deployment(folder / "home")
    try:
        again(folder, other)
        assert handed_out(other, release) == handed_out(deployment, release) == {"b1", "b3"}
        before = events(other)
        assert again(folder, other).mended == 0
        assert events(other) == before
    finally:
        other.close()


@pytest.mark.parametrize("removed", ["network/sidecars", "network"])
def test_so_do_they_where_the_registration_after_that_is_interrupted(
    place: tuple[Path, Deployment], removed: str
) -> None:
    """Once what was lost is named no more, only what was written down tells of it."""
    folder, deployment = place
    release, corpora = with_somebody_hidden(deployment), deployment.control.desk.corpora
    shutil.rmtree(corpora / removed)
    interrupted(folder, deployment)
    interrupted(folder, deployment)
    again(folder, deployment)
    assert handed_out(deployment, release) == {"b1", "b3"}
    before = events(deployment)
    assert again(folder, deployment).mended == 0
    assert events(deployment) == before


def test_so_do_they_where_it_was_interrupted_before_anything_named_what_was_built(
    place: tuple[Path, Deployment],
) -> None:
    folder, deployment = place
    release, corpora = with_somebody_hidden(deployment), deployment.control.desk.corpora
    shutil.rmtree(corpora / "network" / "sidecars")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("consentry.corpus.broken.note", interrupt)
        with pytest.raises(KeyboardInterrupt):
            interrupted(folder, deployment)
    assert again(folder, deployment).mended == 2
    assert handed_out(deployment, release) == {"b1", "b3"}


def interrupt(*_: Any) -> None:
    raise KeyboardInterrupt


def interrupted(folder: Path, deployment: Deployment) -> Any:
    """Register, and end before anybody is told."""
    desk = deployment.control.desk
    return register(
        folder / "corpus.toml",
        desk.corpora,
        identities=desk.parts.pseudonyms.identities,
        threads=desk.parts.runner,
        numbered=lambda name: desk.present().state.corpora[name].position + 1,
    )


def test_so_do_they_where_the_file_was_touched_as_well(place: tuple[Path, Deployment]) -> None:
    folder, deployment = place
    release, corpora = with_somebody_hidden(deployment), deployment.control.desk.corpora
    shutil.rmtree(sidecar_of(corpora))
    os.utime(folder / FIRST, ns=(1, 1))
    assert again(folder, deployment).mended == 1
    assert handed_out(deployment, release) == {"b1", "b3"}


def test_what_a_release_was_sealed_with_stands_again_once_it_was_lost(place: tuple[Path, Deployment]) -> None:
    """It is kept aside since the corpus has a further file. Said once, and not at each registration."""
    folder, deployment = place
    release, desk = built(deployment), deployment.control.desk
    snapshot = deployment.control.releases.archive.open(release).manifest.corpus_snapshot
    write_items(folder / "items" / "2.parquet", [RawItem(id="c1", author="ada", created=BEFORE)])
    again(folder, deployment)
    shutil.rmtree(sidecar_of(desk.corpora))
    assert again(folder, deployment).mended == 1
    known = open_as_of(desk.corpora, "network", snapshot=snapshot)
    assert known is not None
    assert {sidecar.folder for sidecar in known.sidecars} <= {each.folder for each in desk.corpus("network").sidecars}
    assert again(folder, deployment).mended == 0


@pytest.mark.parametrize("removed", ["network/sidecars", "network"])
def test_whoever_has_it_open_goes_on_with_what_is_built_in_place_of_what_was_removed(
    place: tuple[Path, Deployment], removed: str
) -> None:
    """It is the same snapshot, of the same files; a name that came again would be taken for what is open."""
    folder, deployment = place
    corpora = deployment.control.desk.corpora
    damage(corpora, "klass")
    digest_anew(sidecar_of(corpora))
    names = {each.name for each in (corpora / "network" / "sidecars").iterdir()}
    assert handed_out(deployment, built(deployment)) == {"a1", "b1", "b2", "b3"}
    for _ in range(2):
        shutil.rmtree(corpora / removed)
        other = open_deployment(folder / "home")
        try:
            again(folder, other)
        finally:
            other.close()
        there = {each.name for each in (corpora / "network" / "sidecars").iterdir()}
        assert not there & names
        names |= there
        assert handed_out(deployment, built(deployment)) == {"a1", "b1", "b3"}


def test_what_cannot_be_read_any_more_is_said_to_be_lost(ready: Terminal) -> None:
    (sidecar_of(ready.home / "corpora") / "sidecar.json").write_bytes(b"")
    done = ready.run("corpus", "register", ready.folder / "corpus.toml")
    assert (done["built"], done["mended"]) == (1, 1)
    shutil.rmtree(ready.home / "corpora" / "network")
    done = ready.run("corpus", "register", ready.folder / "corpus.toml")
    assert (done["built"], done["mended"]) == (1, 0), "nobody knows what there was"
