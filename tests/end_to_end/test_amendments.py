"""What people withdraw with reach `everything` leaves releases that are sealed: exactly that, and for good."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pyroaring import BitMap64

from consentry.bootstrap import Deployment, open_deployment
from consentry.control_plane.amendments import AmendmentVerbs
from consentry.errors import ConsentryError, IntegrityError, NotFoundError
from consentry.ledger.events import ChoiceMade, Source
from consentry.ledger.lineage_events import ReleaseAmended
from consentry.policy.choice import Choice
from consentry.policy.vocabulary import Category, ChoiceState, Purpose, Reach
from end_to_end.network import register_other_bytes
from end_to_end.still_given import handed_out, in_table, problems
from end_to_end.test_story import GENAI, ITEMS, NOW, build, say
from end_to_end.test_story import place as place  # noqa: PLC0414 - a fixture

EVERYTHING = Reach.EVERYTHING


def test_a_refusal_of_everything_leaves_what_is_sealed_and_others_do_not(place: tuple[Path, Deployment]) -> None:
    _, deployment = place
    control, release = deployment.control, build(deployment)
    assert handed_out(deployment, release) == {"a1", "b1", "c1"}
    say(deployment, "bo")
    assert handed_out(deployment, release) == {"a1", "b1", "c1"}
    assert control.amendments.newest(release) == 0
    say(deployment, "bo", reach=EVERYTHING)
    assert control.amendments.newest(release) == 1
    assert handed_out(deployment, release) == {"a1", "c1"}
    say(deployment, "cy", reach=EVERYTHING)  # ada's other account
    assert handed_out(deployment, release) == set()
    say(deployment, "cy", ChoiceState.UNSET)
    assert handed_out(deployment, release) == set(), "an amendment only ever removes"
    assert control.amendments.newest(release) == 2
    assert [each["removed"] for each in control.amendments.of(release)] == [1, 2]
    assert problems(deployment, release) == []


def test_a_part_of_the_items_and_other_purposes(place: tuple[Path, Deployment]) -> None:
    _, deployment = place
    release = build(deployment)
    say(deployment, "ada", reach=EVERYTHING, purpose=Purpose.SERVE)
    say(deployment, "ada", reach=EVERYTHING, categories=frozenset({Category.IMAGE}))
    assert handed_out(deployment, release) == {"a1", "b1", "c1"}
    say(deployment, "ada", reach=EVERYTHING, items=("b1", "g1"))
    assert handed_out(deployment, release) == {"a1", "c1"}
    say(deployment, "ada", reach=EVERYTHING, categories=frozenset({Category.POST}), purpose=Purpose.TRAIN_AI)
    assert handed_out(deployment, release) == set()


def test_linking_and_erasing_amend_as_well(place: tuple[Path, Deployment]) -> None:
    folder, deployment = place
    release = build(deployment)
    say(deployment, "new", reach=EVERYTHING)
    assert deployment.control.amendments.newest(release) == 0
    deployment.control.statements.link(deployment.person("new"), deployment.person("bo"))
    assert handed_out(deployment, release) == {"a1", "c1"}
    deployment.control.statements.erase([deployment.person("ada")])
    assert handed_out(deployment, release) == set()
    assert deployment.control.amendments.newest(release) == 2
    assert problems(deployment, release) == []
    deployment.close()
    again = open_deployment(folder / "home")
    assert handed_out(again, release) == set()
    again.close()


def test_a_crash_between_a_refusal_and_its_amendment_loses_nothing(
    place: tuple[Path, Deployment], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, deployment = place
    release = build(deployment)
    monkeypatch.setattr(AmendmentVerbs, "amend", lambda _: [])
    say(deployment, "bo", reach=EVERYTHING)
    deployment.control.statements.erase([deployment.person("cy")])
    monkeypatch.undo()
    deployment.close()
    again = open_deployment(folder / "home")
    assert not [event for event in again.ledger.read() if isinstance(event.body, ReleaseAmended)]
    assert handed_out(again, release) == set()
    assert again.control.amendments.newest(release) == 1
    again.close()


def test_an_import_that_is_interrupted_amends_by_what_was_recorded(place: tuple[Path, Deployment]) -> None:
    _, deployment = place
    control, release = deployment.control, build(deployment)
    control.releases.table(release, 2)

    def said() -> Iterator[ChoiceMade]:
        choice = Choice(purpose=GENAI, state=ChoiceState.REFUSED, reach=EVERYTHING, at=NOW)
        yield ChoiceMade(person=deployment.person("bo"), choice=choice, source=Source.FORM)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        control.statements.choose(said(), batch=1)
    assert in_table(deployment, release, 2) == 2, "its readers ask nobody"


def test_who_starts_from_a_kept_state_knows_who_refused(
    place: tuple[Path, Deployment], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, deployment = place
    release = build(deployment)
    monkeypatch.setattr(AmendmentVerbs, "amend", lambda _: [])
    say(deployment, "stranger", reach=EVERYTHING)
    deployment.control.statements.link(deployment.person("stranger"), deployment.person("bo"))
    monkeypatch.undo()
    deployment.control.desk.kept.every = 1
    deployment.control.desk.present()
    deployment.close()
    assert list((folder / "home" / "cache").glob("state-*.image"))
    again = open_deployment(folder / "home")
    assert handed_out(again, release) == {"a1", "c1"}
    again.close()


def test_two_processes_amend_once(place: tuple[Path, Deployment], monkeypatch: pytest.MonkeyPatch) -> None:
    folder, deployment = place
    release = build(deployment)
    other = open_deployment(folder / "home")
    append = AmendmentVerbs._append
    said: list[str] = []

    def first_the_other(self: AmendmentVerbs, *what: Any) -> Any:
        if not said:
            said.append("once")
            say(other, "ada", reach=EVERYTHING)
        return append(self, *what)

    monkeypatch.setattr(AmendmentVerbs, "_append", first_the_other)
    say(deployment, "bo", reach=EVERYTHING)
    for each in (deployment, other):
        assert handed_out(each, release) == set()
        assert problems(each, release) == []
    numbers = [event.body.number for event in other.ledger.read() if isinstance(event.body, ReleaseAmended)]
    assert numbers == list(range(1, len(numbers) + 1))
    other.close()


def test_the_bytes_for_loaders(place: tuple[Path, Deployment]) -> None:
    _, deployment = place
    control, release = deployment.control, build(deployment)
    say(deployment, "bo", reach=EVERYTHING)
    say(deployment, "ada", reach=EVERYTHING)
    assert control.amendments.rows(release, 0, number=0) == b""
    assert list(BitMap64.deserialize(control.amendments.rows(release, 0, number=1))) == [2]
    assert list(BitMap64.deserialize(control.amendments.rows(release, 0, number=2))) == [0, 2, 3]
    assert control.amendments.rows(release, 1, number=2) == b""
    assert list(BitMap64.deserialize(control.releases.exclusions(release, 0))) == [1]
    for index, number, code in (
        (0, 3, "amendment-unknown"),
        (0, -1, "amendment-unknown"),
        (2, 1, "release-file-unknown"),
    ):
        with pytest.raises(NotFoundError) as caught:
            control.amendments.rows(release, index, number=number)
        assert caught.value.code == code


def test_tables_of_an_amended_release_are_written_anew(
    place: tuple[Path, Deployment], monkeypatch: pytest.MonkeyPatch
) -> None:
    _, deployment = place
    control, release = deployment.control, build(deployment)
    control.releases.table(release, 2)
    control.releases.table(release, 3)
    assert [in_table(deployment, release, version) for version in (2, 3)] == [3, 3]
    say(deployment, "bo", reach=EVERYTHING)
    assert [in_table(deployment, release, version) for version in (2, 3)] == [2, 2]
    assert control.releases.table(release, 2)["excluded"] == 2

    def full(*_: Any, **__: Any) -> None:
        raise OSError("no space left")

    monkeypatch.setattr("consentry.control_plane.handouts.write_table", full)
    say(deployment, "cy", reach=EVERYTHING, items=("c1",))
    assert not (control.desk.tables / release / "v2").exists(), "its readers ask nobody"
    monkeypatch.undo()
    control.releases.table(release, 3)
    (control.desk.tables / release / "v3" / "metadata" / "v1.metadata.json").write_text("[]")
    say(deployment, "ada", reach=EVERYTHING)
    assert in_table(deployment, release, 3) == 0


def test_a_release_whose_file_is_gone_is_read_by_nobody_and_keeps_nobody_from_refusing(
    place: tuple[Path, Deployment],
) -> None:
    folder, deployment = place
    control, release = deployment.control, build(deployment)
    register_other_bytes(folder, deployment, ITEMS[:3], kept=False)
    later = build(deployment)
    say(deployment, "bo", reach=EVERYTHING)
    with pytest.raises(IntegrityError) as caught:
        control.amendments.newest(release)
    assert caught.value.code == "release-file-changed"
    assert handed_out(deployment, later) == {"a1"}


def test_a_table_goes_when_nobody_can_tell_what_has_to_leave_it(place: tuple[Path, Deployment]) -> None:
    folder, deployment = place
    control, release = deployment.control, build(deployment)
    control.releases.table(release, 2)
    register_other_bytes(folder, deployment, ITEMS[:3], kept=False)
    control.amendments.amend()
    assert in_table(deployment, release, 2) == 3, "nobody has refused"
    say(deployment, "cy", reach=EVERYTHING)
    assert not (control.desk.tables / release).exists(), "its readers ask nobody"


def test_a_file_that_comes_back_is_amended_from_where_it_was_left(place: tuple[Path, Deployment]) -> None:
    folder, deployment = place
    control, release = deployment.control, build(deployment)
    lease, secret = control.leases.grant(release, job="job-1", model="drafts")
    content = (folder / "items" / "0.parquet").read_bytes()
    register_other_bytes(folder, deployment, ITEMS[:3], kept=False)
    say(deployment, "bo", reach=EVERYTHING)
    assert control.leases.standings([lease.lease])[lease.lease].code == "lease-unamended"
    (folder / "items" / "0.parquet").write_bytes(content)
    control.statements.register_corpus(folder / "corpus.toml")
    assert control.leases.heard(lease.lease, secret=secret) == 1
    assert control.leases.standings([lease.lease])[lease.lease].state == "granted"
    assert handed_out(deployment, release) == {"a1", "c1"}


def test_a_withdrawn_release_is_amended_no_more(place: tuple[Path, Deployment]) -> None:
    _, deployment = place
    release = build(deployment)
    deployment.control.releases.withdraw(release, "done with", by="olga")
    say(deployment, "bo", reach=EVERYTHING)
    assert deployment.control.amendments.newest(release) == 0


def test_a_lease_is_granted_on_what_is_left(place: tuple[Path, Deployment]) -> None:
    _, deployment = place
    release = build(deployment)
    say(deployment, "bo", reach=EVERYTHING)
    deployment.control.leases.grant(release, job="job-1", model="drafts")
    assert deployment.control.amendments.newest(release) == 1


def test_an_explanation_says_which_amendment(place: tuple[Path, Deployment]) -> None:
    _, deployment = place
    release = build(deployment)
    say(deployment, "bo", reach=EVERYTHING)
    found = deployment.control.releases.explain(release, "b1")
    assert not found.allowed
    assert found.body["reasons"][0]["reason"] == "amended:1"
    assert found.body["agrees_with_bitmap"]
    assert found.body["amendment"]["number"] == 1
    assert deployment.control.releases.explain(release, "a1").body["amendment"] is None


@pytest.mark.parametrize("what", ["document", "rows", "signature"])
def test_an_amendment_that_was_tampered_with_is_noticed(place: tuple[Path, Deployment], what: str) -> None:
    _, deployment = place
    control, release = deployment.control, build(deployment)
    say(deployment, "bo", reach=EVERYTHING)
    (noted,) = control.desk.newest.amendments.of(release)
    document = control.amendments.removals.document(noted)
    if what == "signature":
        object.__setattr__(control.desk.parts, "check_signature", lambda *_: False)
    else:
        digest = noted.document if what == "document" else document.files[0].bitmap
        path = deployment.settings.home / "objects" / digest.removeprefix("sha256:")
        path.write_bytes(path.read_bytes()[:-1] + b"?")
    assert [each for each in control.releases.verify(release) if each.check == "amendment 1" and each.problem]
    if what == "rows":
        with pytest.raises(ConsentryError):
            control.releases.data_files(release)
