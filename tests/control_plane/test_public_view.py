"""What anybody may know is made once for each position, and a flood of visitors does not hold up staff."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from consentry.control_plane.known import Known
from consentry.errors import IntegrityError
from consentry.policy.library import shipped
from consentry.release.sealed import SealedRelease
from end_to_end.network import fresh
from service.at_work import prepare


def test_it_is_made_once_for_each_position(monkeypatch: pytest.MonkeyPatch) -> None:
    with fresh() as (_, deployment):
        control, asked = deployment.control, list[int]()
        plain = control.desk.present

        def counted() -> Known:
            asked.append(1)
            return plain()

        monkeypatch.setattr(control.desk, "present", counted)
        first = control.public_view.document()
        made = len(asked)
        assert all(control.public_view.document() is first for _ in range(200))
        assert len(asked) == made
        control.statements.publish(shipped()["august-2024"], "august-2024")
        second = control.public_view.document()
        assert second["position"] == first["position"] + 1
        assert [each["name"] for each in second["policies"]] == ["august-2024"]


def test_while_somebody_is_at_work_one_visitor_waits_and_the_others_do_not() -> None:
    with fresh() as (_, deployment), ThreadPoolExecutor(8) as pool:
        control = deployment.control
        first = control.public_view.document()
        control.statements.publish(shipped()["august-2024"], "august-2024")
        told, done = list[int](), threading.Semaphore(0)

        def visit() -> None:
            told.append(control.public_view.document()["position"])
            done.release()

        with control.desk.lock:
            visitors = [pool.submit(visit) for _ in range(8)]
            for _ in range(7):
                assert done.acquire(timeout=30)
            assert not done.acquire(timeout=0.2)
            assert told == [first["position"]] * 7
        for each in visitors:
            each.result(timeout=30)
        assert told[-1] == first["position"] + 1


def test_a_release_that_could_not_be_read_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    with fresh() as (folder, deployment):
        prepare(folder, deployment)
        view, plain = deployment.control.public_view, deployment.control.public_view._release

        def fails(_: str) -> SealedRelease:
            raise IntegrityError("release-damaged", "it is damaged", help="restore it")

        monkeypatch.setattr(view, "_release", fails)
        assert view.document()["counts"]["newest"] == []
        monkeypatch.setattr(view, "_release", plain)
        found = view.document()
        assert found["counts"]["newest"], "at the same position"
        assert view.document() is found
