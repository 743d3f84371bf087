"""What people withdraw leaves releases also where files or descriptors were registered anew since they were sealed."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pyroaring import BitMap64

from consentry.bootstrap import Deployment, open_deployment
from consentry.errors import IntegrityError
from consentry.policy.vocabulary import Reach
from end_to_end.network import Form, RawItem, descriptor, register_other_bytes, write_items
from end_to_end.still_given import handed_out, problems
from end_to_end.test_story import GENAI, ITEMS, NOW, POLICY, build, say
from end_to_end.test_story import place as place  # noqa: PLC0414 - a fixture

EVERYTHING = Reach.EVERYTHING
WITHOUT_MENTIONS = Form(involves="none")


def removed(deployment: Deployment, release: str, file: int = 0) -> list[int]:
    control = deployment.control
    rows = control.amendments.rows(release, file, number=control.amendments.newest(release))
    return list(BitMap64.deserialize(rows)) if rows else []


def test_what_was_known_of_a_file_that_has_other_bytes_now_amends_a_release(place: tuple[Path, Deployment]) -> None:
    folder, deployment = place
    control, release = deployment.control, build(deployment)
    lease, secret = control.leases.grant(release, job="job-1", model="drafts")
    register_other_bytes(folder, deployment, ITEMS[:3])
    say(deployment, "bo", reach=EVERYTHING)
    assert removed(deployment, release) == [2]
    assert control.leases.heard(lease.lease, secret=secret) == 1
    with pytest.raises(IntegrityError, match="release-file-changed"):
        control.releases.data_files(release)
    assert control.models.show("drafts")["withdrawn_since"]["items_not_known"] == 0
    again = open_deployment(folder / "home")
    say(again, "cy", reach=EVERYTHING)
    again.close()
    assert removed(deployment, release) == [0, 2, 3]


def test_no_job_goes_on_with_other_bytes_once_somebody_has_withdrawn(place: tuple[Path, Deployment]) -> None:
    """It may open the file only now, where the rows it leaves out are other people's."""
    folder, deployment = place
    control, release = deployment.control, build(deployment)
    lease, secret = control.leases.grant(release, job="job-1", model="drafts")
    content = (folder / "items" / "0.parquet").read_bytes()

    def standing(where: Deployment) -> tuple[str, str, int]:
        found = where.control.leases.standings([lease.lease])[lease.lease]
        return found.state, found.code, found.amendment

    register_other_bytes(folder, deployment, [ITEMS[0], ITEMS[1], ITEMS[3], ITEMS[2]])
    assert standing(deployment) == ("granted", "", 0), "nobody has withdrawn"
    other = open_deployment(folder / "home")
    other.control.leases.renewals.begin(lease, now=other.control.desk.parts.uptime())
    say(deployment, "bo", reach=EVERYTHING)
    assert standing(deployment) == standing(other) == ("revoked", "lease-unamended", 1)
    other.close()
    again = open_deployment(folder / "home")
    assert again.control.leases.heard(lease.lease, secret=secret) == 1
    assert standing(again) == ("revoked", "lease-unamended", 1), "also when all that is known is read anew"
    again.close()
    (folder / "items" / "0.parquet").write_bytes(content)
    control.statements.register_corpus(folder / "corpus.toml")
    assert standing(deployment) == ("granted", "", 1)


def test_nor_does_one_from_whose_release_nothing_leaves(place: tuple[Path, Deployment]) -> None:
    folder, deployment = place
    control, release = deployment.control, build(deployment)
    lease, secret = control.leases.grant(release, job="job-1", model="drafts")
    register_other_bytes(folder, deployment, ITEMS[:3])
    say(deployment, "stranger", reach=EVERYTHING)
    assert control.leases.standings([lease.lease])[lease.lease].code == "lease-unamended"
    again = open_deployment(folder / "home")
    assert again.control.leases.heard(lease.lease, secret=secret) == 0
    assert again.control.leases.standings([lease.lease])[lease.lease].code == "lease-unamended"
    again.close()


def test_so_it_does_of_a_file_that_is_no_part_of_the_corpus_any_more(place: tuple[Path, Deployment]) -> None:
    folder, deployment = place
    release = build(deployment)
    (folder / "items" / "0.parquet").unlink()
    deployment.control.statements.register_corpus(folder / "corpus.toml")
    deployment.control.statements.erase([deployment.person("ada")])
    assert removed(deployment, release) == [0, 2, 3]


def test_a_table_over_other_bytes_goes_also_if_nothing_leaves_the_release(place: tuple[Path, Deployment]) -> None:
    folder, deployment = place
    control, release = deployment.control, build(deployment)
    control.releases.table(release, 2)
    register_other_bytes(folder, deployment, ITEMS[:3])
    say(deployment, "stranger", reach=EVERYTHING)
    assert removed(deployment, release) == []
    assert not (control.desk.tables / release).exists(), "its readers would find items of a stranger, and ask nobody"


def test_who_was_named_in_an_item_when_it_was_sealed_takes_it_out(place: tuple[Path, Deployment]) -> None:
    folder, deployment = place
    release = build(deployment)
    (folder / "corpus.toml").write_text(descriptor(WITHOUT_MENTIONS))
    deployment.control.statements.register_corpus(folder / "corpus.toml")
    say(deployment, "ada", reach=EVERYTHING)
    assert handed_out(deployment, release) == set(), "ada is mentioned in b1, whatever is registered since"
    assert problems(deployment, release) == []


def test_and_so_does_who_is_named_in_it_by_a_corrected_descriptor(place: tuple[Path, Deployment]) -> None:
    folder, deployment = place
    corrected = (folder / "corpus.toml").read_text()
    (folder / "corpus.toml").write_text(descriptor(WITHOUT_MENTIONS))
    deployment.control.statements.register_corpus(folder / "corpus.toml")
    release = build(deployment)
    (folder / "corpus.toml").write_text(corrected)
    deployment.control.statements.register_corpus(folder / "corpus.toml")
    assert handed_out(deployment, release) == {"a1", "b1", "c1", "n1"}
    say(deployment, "ada", reach=EVERYTHING)
    assert handed_out(deployment, release) == {"n1"}
    assert problems(deployment, release) == []


def test_nobody_is_kept_in_where_it_is_lost_whom_the_descriptor_of_before_named(place: tuple[Path, Deployment]) -> None:
    folder, deployment = place
    control, release = deployment.control, build(deployment)
    lease, _ = control.leases.grant(release, job="job-1", model="drafts")
    corpus = (folder / "corpus.toml").read_text()
    before = {each.folder for each in control.desk.opened("network").sidecars}
    (folder / "corpus.toml").write_text(descriptor(WITHOUT_MENTIONS))
    control.statements.register_corpus(folder / "corpus.toml")
    for each in before:
        shutil.rmtree(each)
    say(deployment, "ada", reach=EVERYTHING)
    assert control.leases.standings([lease.lease])[lease.lease].code == "lease-unamended"
    with pytest.raises(IntegrityError, match="release-descriptor-changed"):
        control.leases.grant(release, job="job-2", model="drafts")
    (folder / "corpus.toml").write_text(corpus)
    control.statements.register_corpus(folder / "corpus.toml")
    assert handed_out(deployment, release) == set(), "ada is mentioned in b1"
    assert control.leases.standings([lease.lease])[lease.lease].state == "granted"
    register_other_bytes(folder, deployment, ITEMS[:3], kept=False)
    say(deployment, "cy", reach=EVERYTHING)
    with pytest.raises(IntegrityError, match="release-file-changed"):
        control.amendments.newest(release)


def test_what_is_registered_serves_while_its_descriptor_and_the_files_are_the_same(
    place: tuple[Path, Deployment],
) -> None:
    folder, deployment = place
    release = build(deployment)
    write_items(folder / "items" / "9.parquet", [RawItem(id="z1", author="bo")])
    deployment.control.statements.register_corpus(folder / "corpus.toml")
    _lose(deployment, lambda head: {"snapshot": head["snapshot"]})
    say(deployment, "ada", reach=EVERYTHING)
    assert removed(deployment, release) == [0, 2, 3]


def _lose(deployment: Deployment, damage: Callable[[dict[str, Any]], Any]) -> Path:
    (path,) = (deployment.control.desk.corpora / "network" / "earlier").glob("*.json")
    path.write_text(json.dumps(damage(json.loads(path.read_bytes()))))
    return path


@pytest.mark.parametrize(
    "damage",
    [
        lambda head: {name: head[name] for name in head if name != "sidecars"},
        lambda head: {**head, "sidecars": None},
        lambda head: {**head, "sidecars": head["sidecars"][:1]},
        lambda head: {**head, "descriptor": descriptor(WITHOUT_MENTIONS)},
        lambda head: {**head, "descriptor": "no descriptor"},
        lambda head: [head],
    ],
)
def test_a_damaged_memory_of_before_keeps_nobody_from_refusing_and_is_said(
    place: tuple[Path, Deployment], damage: Callable[[dict[str, Any]], Any]
) -> None:
    folder, deployment = place
    control, release = deployment.control, build(deployment)
    register_other_bytes(folder, deployment, ITEMS[:3])
    other = build(deployment)
    content = next((control.desk.corpora / "network" / "earlier").glob("*.json")).read_bytes()
    path = _lose(deployment, damage)
    say(deployment, "bo", reach=EVERYTHING)
    assert handed_out(deployment, other) == {"a1"}, "it is recorded, and amends what can be amended"
    with pytest.raises(IntegrityError, match="corpus-memory-damaged") as caught:
        control.amendments.newest(release)
    assert caught.value.where == str(path)
    control.statements.register_corpus(folder / "corpus.toml")
    path.write_bytes(content)
    assert removed(deployment, release) == [2], "what it names is there when it is restored"


def test_two_corpora_of_the_same_files_are_told_apart(place: tuple[Path, Deployment]) -> None:
    folder, deployment = place
    control = deployment.control
    (folder / "other.toml").write_text(descriptor(WITHOUT_MENTIONS, name="other"))
    control.statements.register_corpus(folder / "other.toml")
    other = control.releases.build("other", GENAI, policy=POLICY, at=NOW).manifest.release
    release = build(deployment)
    say(deployment, "ada", reach=EVERYTHING)
    assert (removed(deployment, other), removed(deployment, release)) == ([0, 3], [0, 2, 3])
