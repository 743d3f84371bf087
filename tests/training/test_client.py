"""A lease that is held against a control plane that answers, lies, is slow, or dies."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from consentry.errors import ConsentryError, InputError, LeaseOverError, UnavailableError
from consentry.training.client import Lease, hold
from consentry.training.consumption import Journal, merged, ranges_of
from consentry.training.lease_requests import deliver
from consentry.training.shared_deadline import LeaseState
from training.small_server import CREDENTIAL, SmallPlane

PATIENCE_S = 20


def within(condition: Callable[[], bool], seconds: float = PATIENCE_S) -> bool:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if condition():
            return True
        time.sleep(0.01)
    return False


def over_within(lease: Lease, seconds: float = PATIENCE_S) -> LeaseOverError:
    assert within(lease.is_over, seconds)
    with pytest.raises(LeaseOverError) as caught:
        lease.check()
    return caught.value


@pytest.fixture
def holding(url: str, tmp_path: Path) -> Callable[..., Any]:
    def holding(**other: Any) -> Any:
        fixed = {"job": "j", "model": "m", "ttl_s": 1.0, "credential": CREDENTIAL, "watchdog": False}
        return hold("r", **{**fixed, "url": url, "state_folder": tmp_path / "state", **other})

    return holding


def left(tmp_path: Path) -> list[Path]:
    return list((tmp_path / "state").glob("*"))


def test_a_lease_is_renewed_released_and_over_after_that(
    plane: SmallPlane, holding: Callable[..., Any], tmp_path: Path
) -> None:
    with holding(watchdog=True) as lease:
        assert lease.fence == 11
        assert lease.release.files[0].rows == 3
        time.sleep(1.5)  # longer than it was given at first
        lease.check(4)
        lease.committed(4, [(0, 0, 2)])
    assert over_within(lease).code == "lease-ended"
    assert plane.consumed() == {(0, 0), (0, 1)}
    assert plane.lease().ends == [{"how": "released", "step": 4}]
    assert plane.lease().sequence >= 3
    assert left(tmp_path) == []
    assert not lease.release.shared.path.exists()


@pytest.mark.parametrize("code", ["lease-revoked", "lease-withdrawn"])
def test_an_order_arrives_long_before_the_next_renewal(
    plane: SmallPlane, holding: Callable[..., Any], code: str
) -> None:
    with holding(ttl_s=60) as lease:
        lease.check()
        began = time.monotonic()
        plane.revoke(code)
        assert over_within(lease).code == "lease-revoked"
        assert time.monotonic() - began < 5


def test_a_plane_that_takes_long_to_note_what_was_consumed_costs_no_lease(
    plane: SmallPlane, holding: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("consentry.training.consumption._MOST_RANGES", 1)  # a batch for each step
    plane.slow["consumption"] = 0.15
    with holding() as lease:
        for step in range(1, 21):
            lease.committed(step, [(0, step % 3, step % 3 + 1)])
        for _ in range(20):  # twice as long as it was given at first, and not as long as the sending takes
            lease.check()
            time.sleep(0.1)
        assert len(plane.lease().consumed) < 20
    assert len(plane.lease().consumed) == 20


def test_a_renewal_that_hangs_does_not_hold_up_the_end_of_a_job(
    plane: SmallPlane, holding: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("consentry.training.client.Lease._pause_s", lambda *_: 0.05)
    plane.slow["renewal"] = 30  # of a time to live of 60, a third is waited for an answer
    with holding(ttl_s=60):
        assert within(lambda: any(path.endswith("renewal") for path, _ in plane.asked))
        began = time.monotonic()
    assert time.monotonic() - began < 10
    assert plane.lease().ends == [{"how": "released", "step": 0}]


def test_a_renewal_that_is_refused_ends_it_and_says_why(plane: SmallPlane, holding: Callable[..., Any]) -> None:
    with holding(ttl_s=3) as lease:
        plane.lease().job = "another"
        error = over_within(lease)
        assert (error.code, error.message) == ("lease-not-yours", "because of lease-not-yours")


@pytest.mark.parametrize(
    "forged", [{"nonce": "old"}, {"sequence": 1}, {"fence": 3}, {"ttl_s": 9999}, {"ttl_s": "1"}, {"fence": "11"}]
)
def test_an_answer_that_is_not_to_this_request_gives_no_time(
    plane: SmallPlane, holding: Callable[..., Any], forged: dict[str, Any]
) -> None:
    with holding() as lease:
        assert within(lambda: plane.lease().sequence >= 1)
        plane.forge = forged
        assert over_within(lease, 3).code == "lease-expired"


def test_silence_ends_it_within_the_time_to_live(plane: SmallPlane, holding: Callable[..., Any]) -> None:
    with holding() as lease:
        assert within(lambda: plane.lease().sequence >= 1)
        plane.silent.set()
        began = time.monotonic()
        assert over_within(lease).code == "lease-expired"
        assert time.monotonic() - began < 1
        plane.silent.clear()
        time.sleep(0.5)
        assert lease.is_over()  # for ever


def test_one_lost_answer_does_not_end_it(plane: SmallPlane, holding: Callable[..., Any]) -> None:
    with holding(ttl_s=3) as lease:
        plane.lost.append("renewal")
        assert within(lambda: not plane.lost)
        sequence = plane.lease().sequence
        assert within(lambda: plane.lease().sequence > sequence)
        time.sleep(3)
        lease.check()


def test_a_thread_that_fails_ends_it(
    holding: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(Lease, "_renew", lambda _: 1 / 0)
    with holding(job="run-7") as lease:
        assert over_within(lease).code in ("lease-holder-failed", "lease-expired")
    assert "run-7" in caplog.text


def test_an_amendment_is_heard_of_at_once(plane: SmallPlane, holding: Callable[..., Any]) -> None:
    with holding(ttl_s=60) as lease:
        assert lease.amendment == 0
        plane.amend({0: [1]})
        assert within(lambda: lease.amendment == 1, 5)
        assert lease.release.removed(0, 1) != b""
        assert lease.release.excluded(0) == b""


def test_what_was_consumed_arrives_once_after_lost_answers(plane: SmallPlane, holding: Callable[..., Any]) -> None:
    plane.lost += ["consumption"] * 2
    with holding() as lease:
        lease.committed(1, [(0, 0, 1)])
        assert within(lambda: plane.lost.count("consumption") < 2)
        lease.committed(2, [(0, 1, 3)])
        assert within(lambda: (2, 2) in plane.lease().consumed)
    assert plane.consumed() == {(0, 0), (0, 1), (0, 2)}
    assert list(plane.lease().consumed) == [(1, 1), (2, 2)]


def test_what_was_consumed_before_an_order_arrives_after_it(plane: SmallPlane, holding: Callable[..., Any]) -> None:

    def train() -> None:
        with holding(ttl_s=60) as lease:
            lease.committed(1, [(0, 2, 3)])
            plane.revoke()
            over_within(lease)
            lease.check(2)

    with pytest.raises(LeaseOverError):
        train()
    assert plane.consumed() == {(0, 2)}
    assert plane.lease().ends == [{"how": "stopped", "step": 1}]


@pytest.mark.parametrize(
    ("error", "how"),
    [
        (ValueError("of the training itself"), "failed"),
        (InputError("loader-rows-missing", "of ours, and no lease is over", help=""), "failed"),
        (SystemExit(3), "failed"),
        (SystemExit(0), "stopped"),
        (KeyboardInterrupt(), "stopped"),
        (LeaseOverError("lease-over-elsewhere", "the lease of another rank is over", help=""), "stopped"),
    ],
    ids=repr,
)
def test_a_job_that_ends_before_its_end_says_whether_it_failed(
    plane: SmallPlane, holding: Callable[..., Any], error: BaseException, how: str
) -> None:
    def train() -> None:
        with holding(ttl_s=60) as lease:
            lease.committed(1, [(0, 0, 1)])
            raise error

    with pytest.raises(type(error)):
        train()
    assert plane.lease().ends == [{"how": how, "step": 1}]


def test_an_error_that_comes_of_the_end_of_a_lease_is_a_stop(plane: SmallPlane, holding: Callable[..., Any]) -> None:
    """What a framework makes of our error when it passes that on is an error of its own."""

    def train() -> None:
        with holding(ttl_s=60) as lease:
            plane.revoke()
            over_within(lease)
            raise RuntimeError("a worker failed")

    with pytest.raises(RuntimeError):
        train()
    assert [each["how"] for each in plane.lease().ends] == ["stopped"]


@pytest.mark.parametrize("fails", [False, True])
def test_a_job_has_stopped_once_devices_have_done_what_it_gave_them(
    plane: SmallPlane, holding: Callable[..., Any], fails: bool
) -> None:
    seen: list[Any] = []

    def wait() -> None:
        seen.append((shared.is_over(), shared.state, list(plane.lease().ends)))
        if fails:
            raise RuntimeError("what was launched has failed")

    with holding(ttl_s=60) as lease:
        shared = lease.release.shared
        lease.wait_for_devices = wait
    assert seen == [(True, LeaseState.OVER, [])], "nothing is read any more, and the watchdog still watches"
    assert [each["how"] for each in plane.lease().ends] == ["released"]


def test_what_cannot_be_sent_is_kept_named_and_delivered_later(
    plane: SmallPlane, holding: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("consentry.training.client._FAREWELL_S", 0.5)

    def train() -> None:
        with holding(ttl_s=60) as lease:
            lease.committed(1, [(0, 0, 2)])
            plane.silent.set()

    with pytest.raises(UnavailableError) as caught:
        train()
    (journal,) = left(tmp_path)
    assert (caught.value.code, caught.value.where) == ("consumption-unsent", str(journal))
    assert journal.stat().st_mode & 0o077 == 0
    assert not deliver(journal, how=None, timeout_s=2)
    plane.silent.clear()
    assert deliver(journal, how="stopped", timeout_s=5)
    assert plane.consumed() == {(0, 0), (0, 1)}
    assert plane.lease().ends == [{"how": "stopped", "step": 1}]
    assert left(tmp_path) == []


def test_steps_count_upwards(holding: Callable[..., Any]) -> None:
    with holding(ttl_s=60) as lease:
        lease.committed(2, [])
        with pytest.raises(InputError, match=r"consumption-step-order"):
            lease.committed(2, [])


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({"ttl_s": 0.5}, "lease-time-to-live"),
        ({"ttl_s": float("nan")}, "lease-time-to-live"),
        ({"credential": ""}, "lease-no-credential"),
        ({"credential": "wrong"}, "lease-not-yours"),
        ({"url": "ftp://x"}, "lease-bad-address"),
        ({"url": "http://127.0.0.1:99999"}, "lease-bad-address"),
        ({"url": "http://127.0.0.1:9"}, "lease-no-answer"),
    ],
)
def test_what_is_given_wrong_is_said(
    holding: Callable[..., Any], given: dict[str, Any], code: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CONSENTRY_TOKEN", raising=False)
    with pytest.raises(ConsentryError) as caught, holding(**given):
        pytest.fail("it is held")
    assert caught.value.code == code


@pytest.mark.parametrize(
    "forged",
    [{"nonce": "x"}, {"ttl_s": None}, {"fence": "1"}, {"release": {}}, {"lease": "../x"}, {"release": None}],
)
def test_a_grant_that_is_none_holds_nothing(
    plane: SmallPlane, holding: Callable[..., Any], forged: dict[str, Any]
) -> None:
    plane.grants_forged = forged
    with pytest.raises(UnavailableError, match=r"lease-no-answer"), holding():
        pytest.fail("it is held")


def test_a_lost_step_of_the_journal_is_taken_up_and_a_torn_line_is_not(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    journal = Journal(path, header={"url": "u"})
    for step in range(5):
        journal.committed(step, [(0, step, step + 1)], amendment=step // 3)
    sent: list[dict[str, Any]] = []

    def send(body: dict[str, Any]) -> bool:
        sent.append(body)
        return len(sent) > 1

    assert not journal.send(send)
    with path.open("ab") as stream:
        stream.write(b'{"step": 5, "amen')
    again = Journal(path)
    assert again.header == {"url": "u"}
    again.committed(5, [(0, 5, 6)], amendment=1)  # after the torn line
    assert again.send(send)
    assert [(body["from_step"], body["to_step"], body["amendment"]) for body in sent] == [
        (0, 2, 0),
        (0, 2, 0),
        (3, 5, 1),
    ]
    assert sent[0] == sent[1]
    assert [json.loads(line) for line in path.read_text().splitlines()][-1] == {"arrived": 5}
    again.close()
    assert not path.exists()


def test_ranges_are_sorted_and_disjoint() -> None:
    rows = [(1, 0), (0, 5), (0, 3), (0, 4), (1, 2), (0, 9)]
    assert ranges_of(rows) == [(0, 3, 6), (0, 9, 10), (1, 0, 1), (1, 2, 3)]
    assert merged([(0, 0, 5), (0, 2, 3), (0, 5, 6), (1, 5, 6)]) == [(0, 0, 6), (1, 5, 6)]


def test_many_threads_may_ask(holding: Callable[..., Any]) -> None:
    with holding() as lease:
        asked: list[int] = []
        threads = [
            threading.Thread(target=lambda: asked.append(len([lease.check(i) for i in range(2000)]))) for _ in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert asked == [2000] * 4, "a check that raises in a thread would be missing here"


def test_a_step_that_is_too_much_for_one_request_is_sent_in_several(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    journal = Journal(path, header={"url": "u"})
    ranges = [(0, 2 * row, 2 * row + 1) for row in range(45_000)]
    journal.committed(1, ranges, amendment=0)
    journal.committed(2, [(1, 0, 1)], amendment=0)
    sent: list[dict[str, Any]] = []
    lost = [True, False]  # the second request fails once

    def send(body: dict[str, Any]) -> bool:
        assert len(json.dumps(body)) < 1 << 20
        if lost and lost.pop():
            return False
        sent.append(body)
        return True

    assert not journal.send(send)
    assert journal.send(send)
    assert [(body["from_step"], body["to_step"]) for body in sent] == [(1, 1)] * 4 + [(2, 2)]
    assert sent[0] == sent[1]  # all of the step is sent again, and taken once
    assert [each for body in sent[1:4] for each in body["ranges"]] == ranges
    journal.close()
    assert not path.exists()
