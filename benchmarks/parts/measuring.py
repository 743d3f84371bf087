"""The stopwatch: seconds, peak memory, and a table of what was measured against what."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple, TypeVar

from rich.console import Console
from rich.table import Table

_Result = TypeVar("_Result")


class Timed(NamedTuple):
    """Seconds of every repetition."""

    seconds: tuple[float, ...]

    @property
    def median(self) -> float:
        """The middle one."""
        return statistics.median(self.seconds)


def seconds_of(work: Callable[[], object], *, times: int = 1) -> Timed:
    """Do something `times` times."""
    found = []
    for _ in range(times):
        began = time.perf_counter()
        work()
        found.append(time.perf_counter() - began)
    return Timed(tuple(found))


def isolated(work: Callable[..., _Result], *arguments: object) -> _Result:
    """Return work(*arguments) from a process of its own, so that memory and caches are its own as well."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(work, *arguments).result()


def peak_bytes() -> int:
    """Return the most memory this process ever held, mapped files included.

    Not `getrusage`: its figure survives `exec`, so a child would report what its parent held.
    """
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise OSError("/proc/self/status has no VmHWM")


def share(values: list[float], part: float) -> float:
    """Return the value below which a part of all lie."""
    return sorted(values)[min(len(values) - 1, int(part * len(values)))]


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the result: what, how much, what it is compared with, and what was aimed at.

    `exact`: it is about what came out and not how fast. If that is not met, nothing that was measured says anything.
    """

    what: str
    value: str
    ratio: str = ""
    target: str = ""
    met: bool | None = None
    exact: bool = False


def show(title: str, lines: list[Line]) -> None:
    """Print the lines as a table.

    Raises:
        SystemExit: what came out is wrong.
    """
    table = Table("what", "value", "ratio", "target", "", title=title, title_justify="left")
    for line in lines:
        mark = "" if line.met is None else "[green]met[/]" if line.met else "[red]missed[/]"
        table.add_row(line.what, line.value, line.ratio, line.target, mark)
    Console(width=150).print(table)
    if wrong := [line.what for line in lines if line.exact and not line.met]:
        raise SystemExit(f"wrong: {', '.join(wrong)}")
