"""What an answer of the control plane means that is no yes: every code that the requests of a lease can come to."""

from __future__ import annotations

import ast
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import consentry
from consentry.errors import InputError, IntegrityError, LeaseOverError, StateError
from consentry.service import problems
from consentry.training.consumption import Journal
from consentry.training.delivery import main
from consentry.training.holding import REASONS, TERMINAL
from consentry.training.http import Answer
from consentry.training.lease_requests import deliver, refusal
from consentry.training.refusals import BY_CODE, Meaning, meaning
from training.small_server import CREDENTIAL, Granted, Reply, SmallPlane, problem
from training.test_client import holding as holding  # noqa: PLC0414 - a fixture
from training.test_client import left, over_within, within

SOURCE = Path(consentry.__file__).parent
ON_THE_WAY = (
    "control_plane/leases.py",
    "control_plane/lease_reading.py",
    "control_plane/amendments.py",
    "control_plane/once_recorded.py",
    "control_plane/archive.py",
    "control_plane/barred.py",
    "control_plane/hits.py",
    "oversight/lease.py",
    "release/amendment.py",
    "service/api/leases.py",
    "service/auth.py",
    "service/gate.py",
    "service/bodies.py",
    "service/strict_json.py",
    "service/connection.py",
    "service/shield.py",
    "service/hosting.py",
    "service/problems.py",
)
"""Where the requests of a lease come through, from the connection to the verbs."""
ELSEWHERE = {
    "release-suspended",
    "release-old-terms",
    "serve-token-damaged",
    "platform-no-home",
    "platform-other-address",
    "platform-unusable",
}
"""What these modules raise for whoever asks for a release itself, and before a server answers anybody."""


def raised(path: Path) -> Iterator[str]:
    """Yield the codes of the errors that a module makes, each with the class of the error."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("Error") and node.args:
            names = (each.value for each in ast.walk(node.args[0]) if isinstance(each, ast.Constant))
            yield from (each for each in names if isinstance(each, str) and "-" in each)


def test_every_code_that_the_requests_of_a_lease_can_come_to_is_classed() -> None:
    found = {code for name in ON_THE_WAY for code in raised(SOURCE / name)}
    found |= {code for code, _ in problems._OF_HTTP.values()}
    assert {"lease-unknown", "lease-replayed", "serve-body-too-large", "access-denied"} <= found, "next to nothing"
    assert found >= ELSEWHERE
    assert sorted(found - set(BY_CODE) - ELSEWHERE) == []


def test_the_lease_is_over_for_each_reason_that_all_processes_of_a_job_agree_on() -> None:
    assert {code for code, means in BY_CODE.items() if means is Meaning.OVER} == set(TERMINAL) <= set(REASONS)
    assert BY_CODE["lease-unknown"] is Meaning.OVER


@pytest.mark.parametrize(
    ("status", "code", "means"),
    [
        (409, "lease-revoked", Meaning.OVER),
        (500, "lease-revoked", Meaning.AGAIN),
        (404, "lease-unknown", Meaning.OVER),
        (404, "", Meaning.AGAIN),
        (404, "something-new", Meaning.REFUSED),
        (302, "", Meaning.AGAIN),
        (409, "lease-replayed", Meaning.AGAIN),
        (409, "amendment-overtaken", Meaning.AGAIN),
        (408, "something-new", Meaning.AGAIN),
        (429, "something-new", Meaning.AGAIN),
        (422, "lease-ranges", Meaning.REFUSED),
        (500, "release-exclusions-damaged", Meaning.REFUSED),
        (500, "internal-error", Meaning.AGAIN),
        (500, "ledger-older", Meaning.AGAIN),
        (500, "key-missing", Meaning.AGAIN),
        (500, "", Meaning.AGAIN),
        (502, "", Meaning.AGAIN),
        (503, "ledger-unavailable", Meaning.AGAIN),
    ],
)
def test_what_is_not_named_goes_by_its_status(status: int, code: str, means: Meaning) -> None:
    assert meaning(status, code) is means


def test_an_answer_that_says_why_nothing_is_answered_is_passed_on() -> None:
    content = json.dumps({"code": "ledger-older", "title": "an older copy"}).encode()
    assert "status 500: an older copy [ledger-older]" in refusal(Answer(status=500, content=content)).message
    assert "(status 502)" in refusal(Answer(status=502, content=b"")).message


def test_a_lease_that_nobody_knows_is_over_with_its_next_renewal(
    plane: SmallPlane, holding: Callable[..., Any], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def train() -> None:
        with holding(ttl_s=3) as lease:
            lease.committed(1, [(0, 0, 1)])
            plane.leases.clear()
            error = over_within(lease, 2)  # not only when its time is over
            assert error.message == "because of lease-unknown"
            raise error

    with pytest.raises(LeaseOverError, match="lease-unknown"):
        train()
    assert len(left(tmp_path)) == 1, "what it trained on is kept"
    assert "consumption-refused" in caplog.text


def test_what_is_refused_for_good_is_kept_and_named_at_once(
    holding: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def train() -> None:
        with holding(ttl_s=60) as lease:
            lease.committed(1, [(0, 0, 10_000)])

    began = time.monotonic()
    with pytest.raises(StateError, match="because of lease-ranges") as caught:
        train()
    assert time.monotonic() - began < 5, "nobody waits for what does not get better"
    (journal,) = left(tmp_path)
    assert (caught.value.code, caught.value.where) == ("consumption-refused", str(journal))
    with pytest.raises(InputError, match="lease-ranges"):
        deliver(journal, how=None, timeout_s=2)
    monkeypatch.setattr("sys.argv", ["delivery", str(journal)])
    with pytest.raises(SystemExit):
        main()
    assert "is refused: because of lease-ranges" in capsys.readouterr().err
    assert journal.exists()


def _refusing(plane: SmallPlane, monkeypatch: pytest.MonkeyPatch, answer: Reply) -> list[Reply]:
    """Let a plane refuse what was consumed while there is something in the list that is returned; it counts nothing."""
    consumption, refused = plane._consumption, [answer]

    def instead(lease: Granted, body: Any, rest: list[str]) -> Reply:
        return refused[0] if refused else consumption(lease, body, rest)

    monkeypatch.setattr(plane, "_consumption", instead)
    return refused


def _tries(plane: SmallPlane) -> int:
    return sum(path.endswith("/consumption") for path, _ in plane.asked)


@pytest.mark.parametrize(("status", "code"), [(500, "ledger-gap"), (409, "something-new")])
def test_what_is_refused_is_sent_again_while_the_lease_holds(
    plane: SmallPlane, holding: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, status: int, code: str
) -> None:
    refused = _refusing(plane, monkeypatch, (status, problem(code)))
    with holding() as lease:
        lease.committed(1, [(0, 0, 1)])
        assert within(lambda: _tries(plane) > 1)
        refused.clear()
        assert within(lambda: plane.consumed() == {(0, 0)})
        lease.check()


def test_and_once_more_at_the_end(
    plane: SmallPlane, holding: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused = _refusing(plane, monkeypatch, (500, problem("ledger-gap")))
    with holding(ttl_s=3) as lease:
        lease.committed(1, [(0, 0, 1)])
        assert within(lambda: _tries(plane) == 1)
        refused.clear()
    assert plane.consumed() == {(0, 0)}
    assert left(tmp_path) == []


def test_how_a_job_ended_is_said_also_where_what_it_trained_on_is_refused(
    plane: SmallPlane, url: str, tmp_path: Path
) -> None:
    asked = {"release": "r", "job": "j", "model": "m", "nonce": "n"}
    _, granted = plane.answer("/v1/leases", {}, asked, CREDENTIAL)
    header = {"url": url, "lease": granted["lease"], "secret": granted["secret"]}
    journal = Journal(tmp_path / "journal", header=header)
    journal.committed(1, [(0, 0, 10_000)], amendment=0)
    journal.close()
    plane.lost.append("/end")
    assert not deliver(journal.path, how="failed", timeout_s=2), "nobody heard of the end: it is worth trying again"
    with pytest.raises(InputError, match="lease-ranges"):
        deliver(journal.path, how="failed", timeout_s=2)
    assert plane.lease().ends == [{"how": "failed", "step": 1}] * 2
    assert journal.path.exists()


def test_a_bitmap_that_is_damaged_is_no_silence(plane: SmallPlane, holding: Callable[..., Any]) -> None:
    """A reader would ask for it as long as the lease is renewed: for ever."""
    plane.broken = "release-exclusions-damaged"
    with holding(ttl_s=60) as lease, pytest.raises(IntegrityError, match="release-exclusions-damaged"):
        lease.release.excluded(0)
