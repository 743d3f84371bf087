"""Spark does what threads do, and says what went wrong as they would."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from threading import Thread, Timer
from typing import Any

import numpy as np
import pytest

from consentry.errors import ConflictError, IntegrityError, UnavailableError
from consentry.runners import spark
from consentry.runners.local import LocalRunner
from consentry.runners.spark import SparkRunner


@pytest.fixture(scope="module")
def runner() -> Iterator[SparkRunner]:
    made = SparkRunner("local[2]", here=LocalRunner(2))
    yield made
    made.close()


@pytest.mark.parametrize("tasks", [0, 1, 3, 11])
def test_every_task_is_done_once(runner: SparkRunner, tasks: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spark, "_PER_CORE", 2)
    found: dict[int, int] = {}

    def took(task: int, result: int) -> None:
        assert task not in found
        found[task] = result

    runner.each(lambda task: task * task, range(tasks), took=took)
    assert found == {task: task * task for task in range(tasks)}


def test_arrays_come_back_as_they_were(runner: SparkRunner) -> None:
    table = np.arange(3_000_000, dtype=np.uint32)
    found: dict[int, Any] = {}
    runner.each(lambda start: table[start : start + 5], (7, 2_999_998), took=found.__setitem__)
    assert {start: (each.dtype, each.tolist()) for start, each in found.items()} == {
        7: (np.uint32, [7, 8, 9, 10, 11]),
        2_999_998: (np.uint32, [2_999_998, 2_999_999]),
    }


def test_work_that_has_to_be_done_here_is(runner: SparkRunner) -> None:
    done: list[int] = []
    assert runner.map(done.append, range(3)) == [None] * 3
    assert sorted(done) == [0, 1, 2]


def test_an_error_is_the_same_one_that_threads_raise(runner: SparkRunner) -> None:
    took: list[int] = []

    def work(task: int) -> int:
        if task == 2:
            raise IntegrityError("corpus-sidecar-damaged", "`2` is damaged", help="restore it", where="here:1")
        return task

    for each in (runner, LocalRunner(1)):
        took.clear()
        with pytest.raises(IntegrityError) as raised:
            each.each(work, range(5), took=lambda task, _: took.append(task))
        assert (raised.value.code, str(raised.value), raised.value.help) == (
            "corpus-sidecar-damaged",
            "here:1: `2` is damaged [corpus-sidecar-damaged]",
            "restore it",
        )
        assert raised.value.__notes__ == ["help: restore it"]
        assert took == [0, 1]


def test_so_is_a_mistake_of_ours(runner: SparkRunner) -> None:
    with pytest.raises(ZeroDivisionError) as raised:
        runner.each(lambda task: 1 // task, [1, 0], took=lambda *_: None)
    assert "on an executor of Spark" in raised.value.__notes__[0]


def test_what_cannot_be_sent_back_is_a_mistake_of_ours_too(runner: SparkRunner) -> None:
    with pytest.raises(TypeError, match="cannot pickle"):
        runner.each(lambda _: open(__file__), [1], took=lambda *_: None)  # noqa: PTH123, SIM115


def test_a_worker_that_dies_is_an_error_that_passes(runner: SparkRunner) -> None:
    with pytest.raises(UnavailableError) as raised:
        runner.each(lambda _: os._exit(3), [1], took=lambda *_: None)
    assert raised.value.code == "runner-spark-failed"
    assert raised.value.transient
    found: dict[int, int] = {}
    runner.each(lambda task: task, [1], took=found.__setitem__)
    assert found == {1: 1}


def test_a_runner_can_begin_again(runner: SparkRunner) -> None:
    del runner
    again = SparkRunner("local[1]", here=LocalRunner(1))
    for _ in range(2):
        found: dict[int, int] = {}
        again.each(lambda task: task + 1, [1, 2], took=found.__setitem__)
        assert found == {1: 2, 2: 3}
        again.close()
        again.close()


def test_a_session_that_was_ended_is_begun_anew(runner: SparkRunner) -> None:
    from pyspark.sql import SparkSession

    runner.each(len, ["a"], took=lambda *_: None)
    session = SparkSession.getActiveSession()
    assert session is not None
    session.stop()
    found: dict[str, int] = {}
    runner.each(len, ["ab"], took=found.__setitem__)
    assert found == {"ab": 2}


def test_java_that_was_killed_is_begun_anew(runner: SparkRunner) -> None:
    from pyspark import SparkContext

    runner.each(len, ["a"], took=lambda *_: None)
    java = SparkContext._gateway.proc
    java.kill()
    java.wait()
    found: dict[str, int] = {}
    runner.each(len, ["ab"], took=found.__setitem__)
    assert found == {"ab": 2}


def test_ctrl_c_while_spark_begins_waits_until_it_can_be_ended(runner: SparkRunner) -> None:
    from pyspark import SparkContext

    runner.close()
    timer = Timer(0.01, lambda: os.kill(os.getpid(), signal.SIGINT))
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        runner.each(len, ["a"], took=lambda *_: None)
    timer.join()
    assert SparkContext._active_spark_context is not None
    runner.close()
    assert SparkContext._active_spark_context is None


def test_a_session_is_shared_and_ends_with_the_last_that_uses_it(runner: SparkRunner) -> None:
    other = SparkRunner("local[2]", here=LocalRunner(1))
    found: dict[str, int] = {}

    def begin() -> None:
        other.each(len, ["ab"], took=found.__setitem__)

    thread = Thread(target=begin)
    thread.start()
    thread.join()
    other.close()
    runner.each(len, ["abc"], took=found.__setitem__)
    assert found == {"ab": 2, "abc": 3}


def test_a_session_of_somebody_else_is_left_to_them(runner: SparkRunner) -> None:
    from pyspark.sql import SparkSession

    runner.close()
    theirs = SparkSession.builder.master("local[1]").config("spark.ui.enabled", "false").getOrCreate()
    try:
        found: dict[str, int] = {}
        runner.each(len, ["ab"], took=found.__setitem__)
        runner.close()
        assert found == {"ab": 2}
        assert theirs.range(3).count() == 3
    finally:
        theirs.stop()


def test_an_executor_with_another_consentry_is_refused(runner: SparkRunner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spark, "_modules", lambda: "sha256:another")
    with pytest.raises(UnavailableError) as raised:
        runner.each(len, ["a"], took=lambda *_: None)
    assert raised.value.code == "runner-spark-other-version"


def test_a_sidecar_that_is_gone_is_said_to_be(runner: SparkRunner, tmp_path: Path) -> None:
    from consentry.corpus.sidecar import load

    with pytest.raises(ConflictError) as raised:
        runner.each(load, [tmp_path / "none"], took=lambda *_: None)
    assert raised.value.code == "corpus-sidecar-missing"
