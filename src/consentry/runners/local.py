"""Runs work on the threads of this machine: NumPy lets go of the interpreter while it works."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from threading import Lock
from typing import TypeVar

_Task = TypeVar("_Task")
_Result = TypeVar("_Result")


class LocalRunner:
    """A pool of threads. On an error or Ctrl-C the tasks not yet begun are dropped, and the error is raised."""

    def __init__(self, threads: int) -> None:
        self.threads = threads

    def map(self, work: Callable[[_Task], _Result], tasks: Iterable[_Task]) -> list[_Result]:
        """Return work(task) for every task, in order."""
        pending = list(tasks)
        if len(pending) < 2 or self.threads < 2:
            return [work(task) for task in pending]
        with ThreadPoolExecutor(self.threads, thread_name_prefix="consentry") as pool:
            futures = [pool.submit(work, task) for task in pending]
            try:
                wait(futures, return_when=FIRST_EXCEPTION)
                return [future.result() for future in futures]
            except BaseException:
                pool.shutdown(wait=True, cancel_futures=True)
                raise

    def each(
        self, work: Callable[[_Task], _Result], tasks: Iterable[_Task], *, took: Callable[[_Task, _Result], None]
    ) -> None:
        """Call took(task, work(task)) for every task, one at a time, in any order."""
        taking = Lock()

        def one(task: _Task) -> None:
            result = work(task)
            with taking:
                took(task, result)

        self.map(one, tasks)

    def close(self) -> None:
        """Do nothing: no thread outlives the call that began it."""
