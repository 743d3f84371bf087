"""What is asked under leases again and again is read once: the manifest of a release cannot change."""

from __future__ import annotations

from pathlib import Path

import pytest

from consentry.bootstrap import Deployment
from consentry.control_plane import archive
from consentry.errors import ConsentryError
from consentry.oversight.lease import Lease
from consentry.oversight.order import Scope
from consentry.release.sealed import SealedRelease, open_release
from end_to_end.suspended_network import suspend
from end_to_end.test_story import build
from end_to_end.test_story import place as place  # noqa: PLC0414 - a fixture


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Note which manifests are read."""
    noted: list[str] = []

    def noting(folder: Path, *, expected: str) -> SealedRelease:
        noted.append(folder.name)
        return open_release(folder, expected=expected)

    monkeypatch.setattr(archive, "open_release", noting)
    return noted


def under_a_lease(deployment: Deployment, release: str, *, times: int = 3) -> Lease:
    """Do all that a job asks of the control plane, and what it asks again and again so many times."""
    control = deployment.control
    lease, secret = control.leases.grant(release, job="run", model="m")
    control.lease_reading.described(release)
    for number in range(1, times + 1):
        control.leases.renew(lease.lease, secret=secret, job="run", fence=lease.fence, sequence=number, step=number)
        control.amendments.newest(release)
        control.lease_reading.handed_out(lease.lease, secret=secret, index=0)
        control.lease_reading.removed(lease.lease, secret=secret, index=0, number=0)
        control.leases.consumed(
            lease.lease, secret=secret, from_step=number, to_step=number, amendment=0, ranges=[[0, 0, 1]]
        )
    return lease


def test_a_manifest_is_read_once_whatever_is_asked_under_leases(
    place: tuple[Path, Deployment], read: list[str]
) -> None:
    _, deployment = place
    release = build(deployment)
    read.clear()
    first = under_a_lease(deployment, release)
    under_a_lease(deployment, release)
    suspend(deployment, Scope())
    with pytest.raises(ConsentryError, match="lease-revoked"):
        deployment.control.leases.living(first.lease)
    assert read == [release]


def test_who_opens_a_release_to_check_it_reads_it(place: tuple[Path, Deployment]) -> None:
    folder, deployment = place
    release = build(deployment)
    under_a_lease(deployment, release)
    (folder / "home" / "releases" / release / "manifest.json").write_bytes(b"{}")
    assert [each.code for each in deployment.control.releases.verify(release) if each.problem] == ["release-damaged"]


def test_only_so_much_is_remembered(
    place: tuple[Path, Deployment], read: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    _, deployment = place
    one, two, three = (build(deployment) for _ in range(3))
    control = deployment.control.releases
    files = len(control.archive.open(one).manifest.files)
    monkeypatch.setattr(archive, "MOST_FILES", 2 * files)
    read.clear()
    for name in (one, two, one, three, one):
        assert control.archive.remembered(name).manifest.release == name
    assert read == [one, two, three], "the one that was asked for longest ago went"
    control.archive.remembered(two)
    assert read == [one, two, three, two]
    monkeypatch.setattr(archive, "MOST_FILES", 0)
    read.clear()
    for name in (three, three, one, one):
        control.archive.remembered(name)
    assert read == [three, one], "the newest stays, however large it is"
