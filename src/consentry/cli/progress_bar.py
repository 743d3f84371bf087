"""A bar on standard error for work that takes more than a moment: what is done, of how much, and the time left."""

from __future__ import annotations

from datetime import timedelta
from threading import Lock, Timer
from time import monotonic

from rich.console import Console
from rich.filesize import decimal
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TaskID, TextColumn
from rich.text import Text

SHOWN_AFTER_S = 1.0
_UPDATED_EVERY_S = 0.1


class ProgressBar:
    """Shows a `consentry.progress.Progress` on a terminal, from a second after the work began until it is stopped."""

    def __init__(self, console: Console, *, after: float = SHOWN_AFTER_S) -> None:
        columns = (TextColumn("{task.description}"), BarColumn(), _Count(), _Time())
        self._bar = Progress(*columns, console=console, transient=True)
        self._lock = Lock()
        self._task: TaskID | None = None
        self._total: int | None = None
        self._done = 0
        self._updated = 0.0
        self._timer = Timer(after, self._bar.start)
        self._timer.daemon = True
        self._timer.start()

    def begin(self, what: str, *, total: int | None, unit: str) -> None:
        """Show another piece of work, from its beginning."""
        with self._lock:
            if self._task is not None:
                self._bar.remove_task(self._task)
            self._total, self._done = total, 0
            self._task = self._bar.add_task(what, total=total, unit=unit)

    def __call__(self, done: int) -> None:
        """Count. The terminal is told ten times a second: there may be millions of calls."""
        with self._lock:
            self._done += done
            now = monotonic()
            if self._task is None or now - self._updated < _UPDATED_EVERY_S:
                return
            self._updated = now
            # Should more come than was announced (a file that grows), the bar waits at its end.
            shown = self._done if self._total is None else min(self._done, self._total)
            self._bar.update(self._task, completed=shown)

    def stop(self) -> None:
        """Take the bar away."""
        self._timer.cancel()
        self._timer.join()
        if self._bar.live.is_started:
            self._bar.stop()


class _Count(ProgressColumn):
    """`3,000 of 50,000 items`."""

    def render(self, task: Task) -> Text:
        unit = task.fields["unit"]
        done, total = int(task.completed), None if task.total is None else int(task.total)
        if unit == "bytes":
            return Text(decimal(done) if total is None else f"{decimal(done)} of {decimal(total)}")
        return Text(f"{done:,} {unit}" if total is None else f"{done:,} of {total:,} {unit}")


class _Time(ProgressColumn):
    """The time left; the time taken, if nobody knows how much there is to do."""

    max_refresh = 0.5

    def render(self, task: Task) -> Text:
        if task.total is None:
            return Text("" if task.elapsed is None else _clock(task.elapsed))
        return Text("" if task.time_remaining is None else f"{_clock(task.time_remaining)} left")


def _clock(seconds: float) -> str:
    return str(timedelta(seconds=int(seconds)))
