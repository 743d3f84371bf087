"""Runs work on Spark: a cluster, or this machine's `local[N]`. The kernel is the same function as on threads.

What it changes is who goes over the items. Each task is pickled by itself, with where its sidecar lies; whoever gets it
maps that sidecar, calls the function and pickles what it answers (`mapInArrow`, also through Spark Connect). So every
executor needs the home at the same path, which it only reads, and the same Consentry.

Executors are trusted as this process is: what they answer is what is sealed, and it is unpickled here.
"""

from __future__ import annotations

import os
import pickle
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from threading import Lock
from typing import Any, Protocol, TypeVar

import pyarrow as pa

from consentry.errors import ConsentryError, MissingExtraError, UnavailableError

_Task = TypeVar("_Task")
_Result = TypeVar("_Result")
_SCHEMA = pa.schema([("place", pa.int64()), ("good", pa.bool_()), ("answer", pa.large_binary())])
_COLUMNS = "place long, good boolean, answer binary"
_CONNECT = "sc://"
_BELOW_SPARK = ("py4j", "grpc")
_AT_A_TIME = 512
"""Tasks in one job of Spark: what they answer is in memory together."""


class Here(Protocol):
    """Runs the same function over many tasks in this process."""

    def map(self, work: Callable[[_Task], _Result], tasks: Iterable[_Task]) -> list[_Result]:
        """Return work(task) for every task, in order."""
        ...


class SparkRunner:
    """A Spark session, begun when it is first needed. What has to be done in this process is done by `here`.

    Attributes:
        master: where Spark is: `local[4]`, `spark://HOST:7077`, `yarn`, or `sc://HOST` for Spark Connect.
    """

    def __init__(self, master: str, *, here: Here) -> None:
        self.master = master
        self._here = here
        self._session: Any = None
        self._is_ours = False
        self._beginning = Lock()

    def map(self, work: Callable[[_Task], _Result], tasks: Iterable[_Task]) -> list[_Result]:
        """Return work(task) for every task, in order, done in this process."""
        return self._here.map(work, tasks)

    def each(
        self, work: Callable[[_Task], _Result], tasks: Iterable[_Task], *, took: Callable[[_Task, _Result], None]
    ) -> None:
        """Call took(task, work(task)) for every task, one at a time, in any order; the work is done on Spark.

        Raises:
            MissingExtraError: PySpark or Java is not installed.
            UnavailableError: Spark cannot be reached, or gave up; nothing depends on what it had done.
        """
        pending = list(tasks)
        if not pending:
            return
        session = self._begun()
        for first in range(0, len(pending), _AT_A_TIME):
            some = pending[first : first + _AT_A_TIME]
            pickled = [pickle.dumps(task) for task in some]
            with _said_in_our_words(self.master):
                places = session.range(0, len(some), 1, numPartitions=len(some))
                rows = places.mapInArrow(_on_executor(work, pickled), _COLUMNS).collect()
            for place, good, answer in rows:
                found = pickle.loads(answer)  # noqa: S301
                if not good:
                    raise found
                took(some[place], found)

    def close(self) -> None:
        """End the session, if one was begun here: one that was there before is somebody else's."""
        with self._beginning:
            session, self._session = self._session, None
        if session is not None and self._is_ours:
            with suppress(Exception):  # a session that is gone cannot be ended
                session.stop()

    def _begun(self) -> Any:
        with self._beginning:
            if self._session is None:
                self._session, self._is_ours = _begin(self.master)
            return self._session


def _on_executor(work: Callable[[Any], Any], tasks: list[bytes]) -> Callable[[Iterator[pa.RecordBatch]], Any]:
    """Return what Spark calls with the places of tasks: it yields whether each was done, and what came out."""

    def done(place: int) -> tuple[bool, bytes]:
        try:
            return True, pickle.dumps(work(pickle.loads(tasks[place])))  # noqa: S301
        except Exception as error:  # Spark would pass on its text only, and try again
            return False, pickle.dumps(error)

    def one_after_another(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            for place in batch.column(0).to_pylist():
                good, answer = done(place)
                yield pa.RecordBatch.from_pydict({"place": [place], "good": [good], "answer": [answer]}, _SCHEMA)

    return one_after_another


def _begin(master: str) -> tuple[Any, bool]:
    """Return a session, and whether it was begun by this."""
    try:
        from pyspark.sql import SparkSession  # noqa: PLC0415
    except ImportError as error:
        raise MissingExtraError(
            "runner-no-spark",
            "the settings name a Spark, but PySpark is not installed",
            help="install the extra `spark`; in a checkout: ./run extras spark",
        ) from error
    with _said_in_our_words(master):
        is_ours = SparkSession.getActiveSession() is None
        if master.startswith(_CONNECT):
            return SparkSession.builder.remote(master).getOrCreate(), is_ours
        builder = SparkSession.builder.master(master).appName("consentry")
        for name, value in _settings(master).items():
            builder = builder.config(name, value)
        return builder.getOrCreate(), is_ours


def _settings(master: str) -> dict[str, str]:
    """Return what is set of a session; the rest is for Spark's own files to say."""
    quiet = {"spark.ui.enabled": "false", "spark.ui.showConsoleProgress": "false", "spark.log.level": "ERROR"}
    if not master.startswith("local"):
        return quiet
    # Workers are children of this process: they need its Python, and listen to nobody else.
    os.environ["PYSPARK_PYTHON"] = sys.executable
    os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")
    return {**quiet, "spark.driver.bindAddress": "127.0.0.1", "spark.driver.host": "127.0.0.1"}


@contextmanager
def _said_in_our_words(master: str) -> Iterator[None]:
    from pyspark.errors import PySparkException  # noqa: PLC0415

    try:
        yield
    except ConsentryError:
        raise
    except Exception as error:
        theirs = isinstance(error, PySparkException) or type(error).__module__.partition(".")[0] in _BELOW_SPARK
        if not theirs:
            raise
        raise UnavailableError(
            "runner-spark-failed",
            f"Spark at `{master}` did not do the work: {_first_line(error)}",
            help="is there Java 17 or newer, does the master answer, and has every executor this home and Consentry?",
        ) from error


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
