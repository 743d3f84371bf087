"""Every request of the protocol, and every refusal, against a real server."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from consentry.digests import digest_file
from consentry.ledger.oversight_events import ItemsConsumed, ModelCheckpointWritten
from service.conftest import CONTENT, Place, suspend


def test_a_grant_says_all_that_a_reader_needs(place: Place) -> None:
    granted = place.ask.lease(place.release, ttl_s=2.5).granted
    assert set(granted) == {"lease", "fence", "ttl_s", "secret", "nonce", "amendment", "release"}
    assert (granted["ttl_s"], granted["nonce"], granted["amendment"]) == (2.5, "n-0", 0)
    release = granted["release"]
    assert release["name"] == place.release
    assert release["manifest"] == place.deployment.control.releases.sealed_as(place.release).manifest
    assert release["purpose"] == "train-genai"
    assert [file["index"] for file in release["files"]] == [0, 1]
    assert [file["rows"] for file in release["files"]] == [3, 1]
    for file in release["files"]:
        path = Path(file["path"])
        assert path.is_absolute()
        assert (path.stat().st_size, digest_file(path)) == (file["size"], file["digest"])
    again = place.ask.lease(place.release).granted
    assert again["fence"] > granted["fence"]
    assert again["secret"] != granted["secret"]


def test_a_renewal_echoes_and_extends(place: Place) -> None:
    held = place.ask.lease(place.release, ttl_s=2)
    fence = held.granted["fence"]
    for sequence in range(1, 5):
        time.sleep(0.7)
        answer = held.renew(sequence)
        assert answer.status == 200
        expected = {"fence": fence, "sequence": sequence, "nonce": f"n-{sequence}", "ttl_s": 2, "amendment": 0}
        assert answer.json == expected
    time.sleep(2.4)
    answer = held.renew(5)
    assert (answer.status, answer.code) == (409, "lease-ended")


@pytest.mark.parametrize(
    "changed", [{"job": "job-2"}, {"fence": 0}, {"fence": 10_000}, {"token": "another"}, {"token": "ü" * 9}]
)
def test_a_renewal_with_anything_of_another_job_is_refused(place: Place, changed: dict[str, object]) -> None:
    held = place.ask.lease(place.release)
    answer = held.renew(1, **changed)
    assert (answer.status, answer.code) == (403, "lease-not-yours")
    assert held.renew(1).status == 200


def test_the_fence_and_secret_of_a_later_lease_of_the_same_job_do_not_fit_the_older_one(place: Place) -> None:
    older, newer = place.ask.lease(place.release), place.ask.lease(place.release)
    assert older.renew(1, token=newer.granted["secret"]).code == "lease-not-yours"
    assert older.renew(1, fence=newer.granted["fence"]).code == "lease-not-yours"
    assert newer.renew(1, fence=older.granted["fence"]).code == "lease-not-yours"


def test_a_replayed_renewal_is_refused_and_extends_nothing(place: Place) -> None:
    held = place.ask.lease(place.release, ttl_s=1)
    assert held.renew(2).status == 200
    deadline = time.monotonic() + 1.3
    while time.monotonic() < deadline:
        assert held.renew(2).code in ("lease-replayed", "lease-expired", "lease-ended")
        assert held.renew(1).code in ("lease-replayed", "lease-expired", "lease-ended")
    assert held.renew(3).code in ("lease-expired", "lease-ended")


def test_consumption_is_noted_once_and_after_a_revocation_too(place: Place) -> None:
    held = place.ask.lease(place.release)
    first = {"from_step": 0, "to_step": 2, "amendment": 0, "ranges": [[0, 0, 2], [1, 0, 1]]}
    suspended = {"from_step": 2, "to_step": 3, "amendment": 0, "ranges": [[0, 0, 1]]}
    assert [held("POST", "consumption", first).status for _ in range(2)] == [204, 204]
    suspend(place)
    assert held("POST", "consumption", suspended).status == 204
    bodies = [event.body for event in place.deployment.ledger.read()]
    assert [each.items for each in bodies if isinstance(each, ItemsConsumed)] == [3, 1]
    wrong = {**first, "to_step": 9, "ranges": [[0, 0, 99]]}
    answer = held("POST", "consumption", wrong)
    assert (answer.status, answer.code) == (422, "lease-ranges")
    assert held("POST", "consumption", first, token="another").code == "lease-not-yours"


def test_a_model_checkpoint_counts_only_under_a_lease_that_lives(place: Place) -> None:
    held = place.ask.lease(place.release)
    body = {"step": 2, "name": "step-2", "digest": CONTENT}
    answer = held("POST", "model-checkpoints", body)
    assert answer.status == 201
    (event,) = place.deployment.ledger.read(answer.json["position"], answer.json["position"] + 1)
    assert isinstance(event.body, ModelCheckpointWritten)
    suspend(place)
    answer = held("POST", "model-checkpoints", {**body, "step": 3})
    assert (answer.status, answer.code) == (409, "lease-revoked")
    assert held.end().status == 204
    answer = held("POST", "model-checkpoints", {**body, "step": 4})
    assert (answer.status, answer.code) == (409, "lease-ended")
    found = [each.body for each in place.deployment.ledger.read() if isinstance(each.body, ModelCheckpointWritten)]
    assert [each.quarantined for each in found] == [False, True, True]


def test_exclusions_are_those_that_were_sealed(place: Place) -> None:
    held = place.ask.lease(place.release)
    release = place.deployment.control.releases.open(place.release)
    for index, file in enumerate(release.manifest.files):
        content = held("GET", f"files/{index}/exclusions").content
        assert content == (release.bitmap(file) if file.bitmap.cardinality else b"")
        assert held("GET", f"files/{index}/amendment/0").content == b""
    assert {file.bitmap.cardinality > 0 for file in release.manifest.files} == {True, False}
    assert held("GET", "files/2/exclusions").code == "release-file-unknown"
    assert held("GET", "files/2/amendment/0").code == "release-file-unknown"
    assert held("GET", "files/0/amendment/1").code == "lease-amendment-unknown"
    assert held("GET", "files/0/exclusions", token="another").code == "lease-not-yours"
    suspend(place)
    for path in ("files/0/exclusions", "files/0/amendment/0"):
        assert held("GET", path).code == "lease-revoked"


def test_a_model_may_be_served_if_it_is_known(place: Place) -> None:
    assert place.ask("GET", "/v1/models/drafts/serving").code == "model-unknown"
    place.ask.lease(place.release)
    assert place.ask("GET", "/v1/models/drafts/serving").json["may"] is True
    assert place.ask("GET", "/v1/models/drafts/serving", token="no").status == 401


@pytest.mark.parametrize("token", ["", "another", "ü"])
@pytest.mark.parametrize(("method", "path"), [("POST", "/v1/leases"), ("GET", "/v1/leases")])
def test_without_the_token_nobody_learns_anything(place: Place, method: str, path: str, token: str) -> None:
    asked = {"release": place.release, "job": "job-1", "model": "drafts", "nonce": "n"}
    answer = place.ask(method, path, asked if method == "POST" else None, token=token)
    assert (answer.status, answer.code) == (401, "serve-token-wrong")
    assert answer.headers["www-authenticate"] == "Bearer"
    assert not place.deployment.control.leases.jobs()


def test_a_lease_is_shown_a_secret_and_not_the_token_of_workloads(place: Place) -> None:
    held = place.ask.lease(place.release)
    for method, path, body in (
        ("GET", "watch?wait=0", None),
        ("POST", "end", {"how": "stopped"}),
        ("POST", "model-checkpoints", {"step": 1, "name": "a", "digest": CONTENT}),
    ):
        assert held(method, path, body, token=place.ask.token).code == "lease-not-yours"
        assert held(method, path, body, token="").status == 401
    assert held.renew(1).status == 200


def test_the_token_is_for_its_owner_only(place: Place) -> None:
    path = place.folder / "home" / "keys" / "workload.token"
    assert path.stat().st_mode & 0o777 == 0o600
    assert len(place.ask.token) > 40


def test_health_needs_no_token(place: Place) -> None:
    assert place.ask("GET", "/healthz", token="").json == {"status": "ok"}


GOOD = {"release": "r", "job": "job-1", "model": "drafts", "nonce": "n"}


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"", 422, "serve-malformed"),
        (b"{", 422, "serve-malformed"),
        (b"[]", 422, "serve-malformed"),
        (b"\xff\xfe", 422, "serve-malformed"),
        (b"[" * 100_000, 422, "serve-malformed"),
        (json.dumps({**GOOD, "nonce": "n\n"}).encode(), 422, "serve-malformed"),
        (json.dumps({**GOOD, "nonce": "\ud800"}).encode(), 422, "serve-malformed"),
        (json.dumps({**GOOD, "nonce": "n" * 201}).encode(), 422, "serve-malformed"),
        (json.dumps({**GOOD, "job": 7}).encode(), 422, "serve-malformed"),
        (json.dumps({**GOOD, "ttl": 7}).encode(), 422, "serve-malformed"),
        (json.dumps({**GOOD, "ttl_s": "soon"}).encode(), 422, "serve-malformed"),
        (json.dumps({**GOOD, "ttl_s": float("nan")}).encode(), 422, "serve-malformed"),
        (json.dumps({**GOOD, "ttl_s": float("inf")}).encode(), 422, "serve-malformed"),
        (json.dumps({**GOOD, "ttl_s": 0.5}).encode(), 422, "lease-ttl-out-of-range"),
        (json.dumps({**GOOD, "ttl_s": -5}).encode(), 422, "lease-ttl-out-of-range"),
        (json.dumps({**GOOD, "ttl_s": 4000}).encode(), 422, "lease-ttl-out-of-range"),
        (json.dumps({**GOOD, "job": "Job 1"}).encode(), 422, "lease-name"),
        (json.dumps(GOOD).encode(), 404, "release-unknown"),
        (json.dumps({**GOOD, "job": "j" * (1 << 20)}).encode(), 413, "serve-body-too-large"),
    ],
)
def test_what_does_not_fit_is_refused_with_a_code(place: Place, body: bytes, status: int, code: str) -> None:
    answer = place.ask("POST", "/v1/leases", raw=body)
    assert (answer.status, answer.code) == (status, code)
    assert b"jjj" not in answer.content


@pytest.mark.parametrize("changed", [{"fence": -1}, {"sequence": 1.5}, {"sequence": 10**400}, {"step": "x"}])
def test_numbers_of_a_renewal_are_whole_and_bounded(place: Place, changed: dict[str, object]) -> None:
    held = place.ask.lease(place.release)
    body = {"job": "job-1", "fence": held.granted["fence"], "sequence": 1, "nonce": "n", **changed}
    assert held("POST", "renewal", body).code == "serve-malformed"


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/nowhere", 404, "serve-no-such-address"),
        ("GET", "/redoc", 404, "serve-no-such-address"),
        ("DELETE", "/v1/leases", 405, "serve-method"),
        ("GET", "/v1/leases/lease-x/watch?wait=1", 404, "lease-unknown"),
        ("GET", "/v1/leases/lease-x/watch?wait=-1", 422, "serve-malformed"),
        ("GET", "/v1/leases/lease-x/watch?wait=nan", 422, "serve-malformed"),
        ("GET", "/v1/leases/lease-x/watch?wait=1e9", 422, "serve-malformed"),
        ("GET", "/v1/leases/lease-x/files/-1/exclusions", 422, "serve-malformed"),
        ("GET", "/v1/leases/lease-x/files/0/exclusions", 404, "lease-unknown"),
    ],
)
def test_addresses_that_are_none(place: Place, method: str, path: str, status: int, code: str) -> None:
    answer = place.ask(method, path)
    assert (answer.status, answer.code) == (status, code)


def test_what_nobody_foresaw_names_no_data(
    place: Place, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail() -> None:
        raise ValueError("somebody@example.org")

    monkeypatch.setattr(place.deployment.control.leases, "jobs", fail)
    answer = place.ask("GET", "/v1/leases")
    assert (answer.status, answer.code) == (500, "internal-error")
    assert b"somebody" not in answer.content
    assert "unexpected `ValueError`" in caplog.text
    assert "somebody" not in caplog.text
