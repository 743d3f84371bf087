"""How it is with the leases of other ranks: only an answer that says that one is over counts as that."""

from __future__ import annotations

import time
from typing import Any

import pytest

from consentry.training.other_leases import OtherLeases
from training.small_server import CREDENTIAL, SmallPlane


def left(url: str, *fences: int, credential: str = CREDENTIAL) -> float | None:
    return OtherLeases(url=url, credential=credential).left_s(fences, timeout_s=5)


def line(fence: int, state: str = "granted", left_s: Any = 7.0) -> dict[str, Any]:
    return {"fence": fence, "state": state, "left_s": left_s}


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ([line(1, left_s=7), line(2, left_s=3), line(3, "expired", None)], 3.0),
        ([line(1, left_s=7), line(2, "expired", None)], -1.0),
        ([line(1, "failed", None), line(2)], -1.0),
        ([line(1), line(2, left_s=-2)], 0.0),
        ([line(1), line(2, left_s=None)], 0.0),
        ([line(1), line(2, left_s=True)], 0.0),
        ([line(1), line(2, left_s=float("nan"))], 0.0),
        ([line(1), line(2, left_s=float("inf"))], 0.0),
        ([line(1), line(2, left_s=10**400)], 0.0),
        ([line(1), {**line(2, "expired"), "fence": [2]}, {**line(2, "expired"), "fence": True}], 7.0),
        ([line(1), {**line(2, "expired"), "fence": 2.0}, {**line(2), "state": ["expired"]}], 7.0),
        ([line(1), line(2, "stopped", None)], 7.0),
        ([line(1), line(2, "revoked", None)], 7.0),
        ([line(1, "released", None), line(2, "ended", None)], None),
        ([line(3)], None),
        ([None, 1, line(1)], 7.0),
        ([], None),
        ("leases", None),
        (None, None),
    ],
)
def test_what_is_said_of_those_that_are_meant(
    plane: SmallPlane, url: str, monkeypatch: pytest.MonkeyPatch, lines: Any, expected: float | None
) -> None:
    monkeypatch.setattr(plane, "_every", lambda _: (200, {"leases": lines}))
    assert left(url, 1, 2) == expected


@pytest.mark.parametrize(
    "answer", [(403, {"leases": [line(1, "expired")]}), (200, []), (200, b"no document"), (200, b"[" * 100_000)]
)
def test_what_is_no_answer_says_nothing(
    plane: SmallPlane, url: str, monkeypatch: pytest.MonkeyPatch, answer: Any
) -> None:
    monkeypatch.setattr(plane, "_every", lambda _: answer)
    assert left(url, 1) is None


def test_nobody_answers(plane: SmallPlane, url: str) -> None:
    plane.silent.set()
    assert left(url, 1) is None


def test_a_stranger_is_told_nothing(url: str) -> None:
    assert left(url, 1, credential="somebody") is None


def test_a_lease_that_nobody_renews_is_told_as_over_once_it_is(plane: SmallPlane, url: str) -> None:
    plane._grant({"release": "r", "job": "j", "ttl_s": 1.0, "nonce": "n"}, CREDENTIAL)
    fence = plane.lease().fence
    found = left(url, fence)
    assert found is not None
    assert found <= 1
    time.sleep(1.1)
    assert left(url, fence) == -1.0


def test_the_credential_is_not_shown() -> None:
    assert "secret" not in repr(OtherLeases(url="http://127.0.0.1:1", credential="secret"))
