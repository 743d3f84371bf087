"""The pool of threads keeps order, raises the first error and drops what was not begun."""

from __future__ import annotations

import threading
import time

import pytest

from consentry.runners.local import LocalRunner


@pytest.mark.parametrize("threads", [1, 2, 5])
@pytest.mark.parametrize("tasks", [0, 1, 2, 40])
def test_results_are_in_order(threads: int, tasks: int) -> None:
    def work(task: int) -> int:
        time.sleep(0.001 * (task % 3))
        return task * task

    assert LocalRunner(threads).map(work, range(tasks)) == [task * task for task in range(tasks)]


def test_threads_work_at_the_same_time() -> None:
    barrier = threading.Barrier(3, timeout=10)
    assert LocalRunner(3).map(lambda _: barrier.wait() >= 0, range(3)) == [True] * 3


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_an_error_stops_what_was_not_begun(threads: int, error: type[BaseException]) -> None:
    begun = []

    def work(task: int) -> None:
        begun.append(task)
        if task == 1:
            raise error
        time.sleep(0.005)

    with pytest.raises(error):
        LocalRunner(threads).map(work, range(200))
    assert len(begun) < 50
    assert threading.active_count() < 10
