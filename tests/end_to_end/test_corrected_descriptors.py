"""A corrected descriptor names somebody in further items: who refused before it leaves them as who refuses after it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from consentry.bootstrap import Deployment, open_deployment
from consentry.corpus.registration import forget_earlier, register
from consentry.errors import IntegrityError
from consentry.ledger.events import CorpusRegistered
from consentry.ledger.state import Registered
from consentry.policy.vocabulary import Reach
from end_to_end.model_steps import train
from end_to_end.network import Form, RawItem, RawPerson, descriptor, populated, write_items
from end_to_end.still_given import handed_out, in_table, problems
from end_to_end.test_amending_the_changed import removed
from end_to_end.test_story import BEFORE, PEOPLE, POLICY, build, say

FIRST, CORRECTED = descriptor(Form(involves="none")), descriptor()
ITEMS = [
    RawItem(id="a1", author="ada", created=BEFORE),
    RawItem(id="c1", author="ada", created=BEFORE, involves=("bo",)),
    RawItem(id="b1", author="bo", created=BEFORE),
]
OTHERS = [RawItem(id="d1", author="dee", created=BEFORE)]


@pytest.fixture
def place() -> Iterator[tuple[Path, Deployment]]:
    with populated([ITEMS, OTHERS], (*PEOPLE, RawPerson(id="dee")), POLICY) as (folder, deployment):
        describe(folder, deployment, FIRST)
        yield folder, deployment


def describe(folder: Path, deployment: Deployment, text: str) -> None:
    (folder / "corpus.toml").write_text(text)
    deployment.control.statements.register_corpus(folder / "corpus.toml")


def leave(deployment: Deployment, how: str, who: str = "bo") -> None:
    if how == "refused":
        say(deployment, who, reach=Reach.EVERYTHING)
    else:
        deployment.control.statements.erase([deployment.person(who)])


def interrupted(folder: Path, deployment: Deployment) -> int:
    """Register the corrected descriptor up to the event, and return the position of that."""
    (folder / "corpus.toml").write_text(CORRECTED)
    parts, corpora = deployment.control.desk.parts, deployment.control.desk.corpora
    done = register(folder / "corpus.toml", corpora, identities=parts.pseudonyms.identities, threads=parts.runner)
    return parts.ledger.append([CorpusRegistered(name="network", snapshot=done.corpus.snapshot)])[0]


@pytest.mark.parametrize("how", ["refused", "erased"])
def test_whoever_refused_or_was_erased_before_it_leaves_at_once(place: tuple[Path, Deployment], how: str) -> None:
    folder, deployment = place
    control, release = deployment.control, build(deployment)
    train(deployment, release, "m", None)
    control.releases.table(release, 2)
    leave(deployment, how)
    assert removed(deployment, release) == [2]
    describe(folder, deployment, CORRECTED)
    assert len(control.amendments.of(release)) == 2, "it is registered, and nobody has asked for anything yet"
    assert in_table(deployment, release, 2) == 2
    assert handed_out(deployment, release) == {"a1", "d1"}
    lost = control.models.show("m")["withdrawn_since"]
    assert (lost["items"], lost["people"]) == (2, 1), "who was erased has another seat in what is registered since"
    assert problems(deployment, release) == []
    describe(folder, deployment, FIRST)
    assert removed(deployment, release) == [1, 2], "an amendment only removes"
    assert len(control.amendments.of(release)) == 2


def test_two_who_were_erased_are_two_where_another_column_is_said_to_be_the_author(
    place: tuple[Path, Deployment],
) -> None:
    folder, deployment = place
    for path in (folder / "items").iterdir():
        table = pq.read_table(path)
        posters = pa.array(["eve" if each == "bo" else each for each in table["author_id"].to_pylist()])
        pq.write_table(table.append_column("poster", posters), path)
    describe(folder, deployment, FIRST)
    train(deployment, build(deployment), "m", None)
    deployment.control.statements.erase([deployment.person("bo"), deployment.person("eve")])
    describe(folder, deployment, FIRST.replace('author = "author_id"', 'author = "poster"'))
    lost = deployment.control.models.show("m")["withdrawn_since"]
    assert (lost["items"], lost["people"]) == (1, 2)


def test_so_does_who_was_in_nothing_of_it_until_then(place: tuple[Path, Deployment]) -> None:
    folder, deployment = place
    leave(deployment, "refused")
    release = build(deployment)
    assert (handed_out(deployment, release), removed(deployment, release)) == ({"a1", "c1", "d1"}, [])
    describe(folder, deployment, CORRECTED)
    assert removed(deployment, release) == [1], "also where it was sealed after the refusal"


@pytest.mark.parametrize("heard", [False, True])
def test_what_an_interrupted_registration_left_is_made_up_for(place: tuple[Path, Deployment], heard: bool) -> None:
    """It ended behind its event. `heard`: an amendment since went by the descriptor of before, as they once did."""
    folder, deployment = place
    release = build(deployment)
    leave(deployment, "refused")
    head = deployment.control.desk.corpora / "network" / "corpus.json"
    before = head.read_bytes()
    interrupted(folder, deployment)
    after = head.read_bytes()
    if heard:
        head.write_bytes(before)
        leave(deployment, "refused", "dee")
        head.write_bytes(after)
    deployment.close()
    again = open_deployment(folder / "home")
    assert handed_out(again, release) == ({"a1"} if heard else {"a1", "d1"})
    again.close()


def test_where_it_is_lost_what_was_known_nobody_can_tell_from_the_registration_on(
    place: tuple[Path, Deployment],
) -> None:
    folder, deployment = place
    release = build(deployment)
    train(deployment, release, "m", None)
    leave(deployment, "refused")
    position = interrupted(folder, deployment)
    forget_earlier(deployment.control.desk.corpora, "network", wanted=())
    deployment.close()
    again = open_deployment(folder / "home")
    with pytest.raises(IntegrityError, match="release-descriptor-changed"):
        again.control.amendments.newest(release)
    lost = [(each["position"], each["items"]) for each in again.control.models.show("m")["losses"]]
    assert lost[1:] == [(position, 4)], "up to all that it was sealed with"
    describe(folder, again, FIRST)
    assert handed_out(again, release) == {"a1", "c1", "d1"}
    again.close()


def test_another_process_hears_of_it(place: tuple[Path, Deployment]) -> None:
    folder, deployment = place
    release = build(deployment)
    leave(deployment, "refused")
    lease, secret = deployment.control.leases.grant(release, job="job-1", model="m")
    assert deployment.control.leases.heard(lease.lease, secret=secret) == 1
    other = open_deployment(folder / "home")
    describe(folder, other, CORRECTED)
    other.close()
    assert deployment.control.leases.heard(lease.lease, secret=secret) == 2


@pytest.mark.parametrize("meanwhile", [False, True])
def test_it_is_heard_of_also_where_it_is_registered_while_a_release_is_brought_up_to_date(
    place: tuple[Path, Deployment], monkeypatch: pytest.MonkeyPatch, meanwhile: bool
) -> None:
    """`meanwhile`: behind the look at descriptors and before that at the head. Without, before both."""
    folder, deployment = place
    release, redescribed = build(deployment), deployment.control.amendments.redescribed
    leave(deployment, "refused")
    assert handed_out(deployment, release) == {"a1", "c1", "d1"}
    unheard = redescribed.unheard

    def overtaken(names: Sequence[str]) -> dict[str, Registered]:
        monkeypatch.setattr(redescribed, "unheard", unheard)
        found = unheard(names)
        interrupted(folder, deployment)
        return found

    if meanwhile:
        monkeypatch.setattr(redescribed, "unheard", overtaken)
        deployment.control.amendments.newest(release)
    else:
        interrupted(folder, deployment)
    assert handed_out(deployment, release) == {"a1", "d1"}
    assert len(deployment.control.amendments.of(release)) == 2


def test_nobody_is_looked_for_where_the_descriptor_is_the_same(place: tuple[Path, Deployment]) -> None:
    folder, deployment = place
    release = build(deployment)
    leave(deployment, "refused")
    write_items(folder / "items" / "9.parquet", [RawItem(id="z1", author="bo")])
    describe(folder, deployment, FIRST)
    again = open_deployment(folder / "home")
    assert again.control.amendments.redescribed.unheard([release]) == {}
    describe(folder, deployment, CORRECTED)
    assert [*again.control.amendments.redescribed.unheard([release])] == [release]
    assert [*again.control.amendments.redescribed.unheard([release])] == [release], "it is not amended by asking"
    before = again.control.amendments.of(release)
    assert again.control.amendments.hear_of("network")
    assert again.control.amendments.of(release) == before
    assert again.control.amendments.redescribed.unheard([release]) == {}
    again.close()


@pytest.mark.parametrize("named", [False, True])
def test_a_file_with_other_bytes_ends_leases_if_the_correction_takes_something_out(
    place: tuple[Path, Deployment], named: bool
) -> None:
    """As after any amendment. If it names nobody who refused, a job that read that file does not lose its work."""
    folder, deployment = place
    leave(deployment, "refused", "bo" if named else "stranger")
    release = build(deployment)
    lease, _ = deployment.control.leases.grant(release, job="job-1", model="m")
    (folder / "corpus.toml").write_text(CORRECTED)
    write_items(folder / "items" / "1.parquet", [*OTHERS, RawItem(id="d2", author="cy", created=BEFORE)])
    deployment.control.statements.register_corpus(folder / "corpus.toml")
    assert deployment.control.amendments.newest(release) == int(named)
    found = deployment.control.leases.standings([lease.lease])[lease.lease]
    assert found.code == ("lease-unamended" if named else "")
