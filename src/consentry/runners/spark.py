"""Runs work on Spark: a cluster, or this machine's `local[N]`. The kernel is the same function as on threads.

What it changes is who goes over the items. Each task is pickled by itself, with where its sidecar lies; whoever gets it
maps that sidecar, calls the function and pickles what it answers (`mapInArrow`). So every executor needs the home at
the same path, which it only reads, and the same Consentry: one with other modules is told apart and refused.

Executors are trusted as this process is: what they answer is what is sealed, and it is unpickled here.

A process has one session, shared by all runners in it, begun when it is first needed. The last runner to close ends it,
but for one that somebody else had begun.
"""

from __future__ import annotations

import os
import pickle
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from signal import SIGINT, default_int_handler, signal
from threading import Lock, current_thread, main_thread
from typing import Any, ClassVar, Protocol, TypeVar

import pyarrow as pa

from consentry.digests import Digest, digest
from consentry.errors import ConsentryError, MissingExtraError, UnavailableError

_Task = TypeVar("_Task")
_Result = TypeVar("_Result")
_SCHEMA = pa.schema([("place", pa.int64()), ("good", pa.bool_()), ("answer", pa.binary())])
_COLUMNS = "place long, good boolean, answer binary"
_PER_CORE = 4
"""Tasks in one job of Spark, for each of its cores: what they answer is in memory together."""
_DECIDES = ("corpus", "ledger", "policy", "release", "runners")
"""Below the package: what work and its results are made of."""


class Here(Protocol):
    """Runs the same function over many tasks in this process."""

    def map(self, work: Callable[[_Task], _Result], tasks: Iterable[_Task]) -> list[_Result]:
        """Return work(task) for every task, in order."""
        ...


class SparkRunner:
    """Spark, by its master: `local[4]`, `spark://HOST:7077`, `yarn`. What must be done in this process `here` does."""

    def __init__(self, master: str, *, here: Here) -> None:
        self.master = master
        self._here = here

    def map(self, work: Callable[[_Task], _Result], tasks: Iterable[_Task]) -> list[_Result]:
        """Return work(task) for every task, in order, done in this process."""
        return self._here.map(work, tasks)

    def each(
        self, work: Callable[[_Task], _Result], tasks: Iterable[_Task], *, took: Callable[[_Task, _Result], None]
    ) -> None:
        """Call took(task, work(task)) for every task, one at a time, in any order; the work is done on Spark.

        Raises:
            MissingExtraError: PySpark is not installed.
            UnavailableError: Spark did not begin, cannot be reached, or gave up; nothing depends on what it had done.
        """
        pending = list(tasks)
        if not pending:
            return
        session = _Sessions.of(self.master, user=self)
        with _said_in_our_words(self.master):
            cores = session.sparkContext.defaultParallelism
            function = session.sparkContext.broadcast(_by_value(work))
        try:
            for first in range(0, len(pending), _PER_CORE * cores):
                some = pending[first : first + _PER_CORE * cores]
                on_executor = _on_executor(function, [pickle.dumps(task) for task in some])
                with _said_in_our_words(self.master):
                    places = session.range(0, len(some), 1, numPartitions=min(cores, len(some)))
                    rows = places.mapInArrow(on_executor, _COLUMNS).collect()
                for place, good, answer in rows:
                    found = pickle.loads(answer)  # noqa: S301
                    if not good:
                        raise found
                    took(some[place], found)
        finally:
            with suppress(Exception):  # a session that is gone has no broadcasts
                function.destroy()

    def close(self) -> None:
        """Say that this runner needs the session no more."""
        _Sessions.leave(self)


class _Sessions:
    """Owns the session of this process."""

    _changing = Lock()
    _session: ClassVar[Any] = None
    _is_ours: ClassVar[bool] = False
    _users: ClassVar[set[int]] = set()

    @classmethod
    def of(cls, master: str, *, user: SparkRunner) -> Any:
        """Return the session, begun anew if it is over."""
        with cls._changing:
            if cls._session is not None and _is_over(cls._session):
                cls._end()
            cls._users.add(id(user))
            if cls._session is None:
                with _whole():
                    cls._session, cls._is_ours = _begin(master)
            return cls._session

    @classmethod
    def leave(cls, user: SparkRunner) -> None:
        """End the session if nobody else uses it and it was begun here."""
        with cls._changing:
            cls._users.discard(id(user))
            if cls._session is not None and not cls._users:
                cls._end()

    @classmethod
    def _end(cls) -> None:
        if cls._is_ours:
            with suppress(Exception):  # one that is gone cannot be ended
                cls._session.stop()
        cls._session = None


def _on_executor(function: Any, tasks: list[bytes]) -> Callable[[Iterator[pa.RecordBatch]], Any]:
    """Return what Spark calls with the places of tasks: it yields whether each was done, and what came out."""
    modules = _modules()

    def done(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        work = _Once(function, modules)
        for batch in batches:
            for place in batch.column(0).to_pylist():
                good, answer = _done(work, tasks[place])
                yield pa.RecordBatch.from_pydict({"place": [place], "good": [good], "answer": [answer]}, _SCHEMA)

    return done


class _Once:
    """A function that was broadcast, loaded when the first task asks for it."""

    def __init__(self, function: Any, modules: Digest) -> None:
        self._function, self._modules = function, modules
        self._loaded: Callable[[Any], Any] | None = None

    def __call__(self, task: Any) -> Any:
        if self._loaded is None:
            if self._modules != _modules():
                raise UnavailableError(
                    "runner-spark-other-version",
                    "an executor of Spark has another Consentry than this process, and might decide otherwise",
                    help="install the same one on every executor",
                )
            self._loaded = pickle.loads(self._function.value)  # noqa: S301
        return self._loaded(task)


def _by_value(work: Callable[[Any], Any]) -> bytes:
    """Return a function pickled by value where it is of no module that others can import."""
    from pyspark import cloudpickle  # noqa: PLC0415

    found: bytes = cloudpickle.dumps(work)
    return found


def _done(work: _Once, task: bytes) -> tuple[bool, bytes]:
    try:
        return True, pickle.dumps(work(pickle.loads(task)))  # noqa: S301
    except Exception as error:  # Spark would pass on its text only, and try again
        return False, _pickled_error(error)


def _pickled_error(error: Exception) -> bytes:
    if not isinstance(error, ConsentryError):
        error.add_note(f"on an executor of Spark:\n{traceback.format_exc()}")
    try:
        pickle.loads(found := pickle.dumps(error))  # noqa: S301
    except Exception:  # whatever it is made of
        return pickle.dumps(RuntimeError(f"{type(error).__name__}: {error}"))
    return found


@cache
def _modules() -> Digest:
    """Return the digest of the modules that decide, as they are installed here."""
    package = Path(__file__).parents[1]
    files = sorted(each for name in _DECIDES for each in (package / name).rglob("*.py"))
    return digest(b"".join(bytes(each.relative_to(package)) + b"\0" + each.read_bytes() for each in files))


def _begin(master: str) -> tuple[Any, bool]:
    """Return a session, and whether it was begun by this."""
    try:
        from pyspark import SparkContext  # noqa: PLC0415
        from pyspark.sql import SparkSession  # noqa: PLC0415
    except ImportError as error:
        raise MissingExtraError(
            "runner-no-spark",
            "the settings name a Spark, but PySpark is not installed",
            help="install the extra `spark`; in a checkout: ./run extras spark",
        ) from error
    with _said_in_our_words(master):
        java = getattr(SparkContext._gateway, "proc", None)
        if java is not None and java.poll() is not None:
            # PySpark does not notice that its Java is gone, and would ask it for ever.
            java.stdin.close()
            SparkContext._gateway = SparkContext._jvm = SparkContext._active_spark_context = None
            SparkSession._instantiatedSession = None
        is_ours = SparkContext._active_spark_context is None  # that of this thread would say less
        builder = SparkSession.builder.master(master).appName("consentry")
        for name, value in _settings(master).items():
            builder = builder.config(name, value)
        return builder.getOrCreate(), is_ours


@contextmanager
def _whole() -> Iterator[None]:
    """Put off the first Ctrl-C until the block is done: a Java that is interrupted while it begins stays for ever."""
    if current_thread() is not main_thread():
        yield
        return
    pressed: list[int] = []

    def press(number: int, frame: Any) -> None:
        if pressed:
            default_int_handler(number, frame)
        pressed.append(number)

    before = signal(SIGINT, press)
    try:
        yield
    finally:
        signal(SIGINT, before)
        if pressed:
            raise KeyboardInterrupt


def _is_over(session: Any) -> bool:
    try:
        return bool(session.sparkContext._jsc.sc().isStopped())
    except Exception:  # stopped by this process, or its Java is gone
        return True


def _settings(master: str) -> dict[str, str]:
    """Return what is set of a session; the rest is for Spark's own files to say."""
    quiet = {"spark.ui.enabled": "false", "spark.ui.showConsoleProgress": "false", "spark.log.level": "ERROR"}
    if not master.startswith("local"):
        return quiet
    # Workers are children of this process: they need its Python, and take nothing from anybody else.
    os.environ["PYSPARK_PYTHON"] = sys.executable
    os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")
    own = {"spark.driver.bindAddress": "127.0.0.1", "spark.driver.host": "127.0.0.1", "spark.authenticate": "true"}
    return {**quiet, **own}


@contextmanager
def _said_in_our_words(master: str) -> Iterator[None]:
    from pyspark.errors import PySparkException  # noqa: PLC0415

    try:
        yield
    except Exception as error:
        # Java that is gone is a connection that is refused.
        theirs = isinstance(error, PySparkException | OSError) or type(error).__module__.partition(".")[0] == "py4j"
        if not theirs:
            raise
        raise UnavailableError(
            "runner-spark-failed",
            f"Spark at `{master}` did not do the work: {_cause(error)}",
            help="is there Java 17 or newer, does the master answer, and has every executor this home and Consentry?",
        ) from error


def _cause(error: Exception) -> str:
    """Return the line that says why; the first one of Java's errors says what was called."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return next((line[2:] for line in lines if line.startswith(": ")), lines[0])[:200]
