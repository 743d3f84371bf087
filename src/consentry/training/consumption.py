"""What a job trained on: ranges of rows, logged when an optimiser step commits, and never lost.

The journal is a file for its owner only. What a step consumed is written there before anybody is told that the step
committed, so that it outlives a job that is killed: the watchdog, or whoever calls `deliver`, sends what is left. The
bounds of a batch are written before it is sent, so that the same batch goes out again after a lost answer: the control
plane takes each once, by its steps and ranges. The file is removed when all of it has arrived.

A crash leaves a whole number of lines and perhaps a part of one, which says nothing that anybody was told.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from consentry.errors import InputError

Ranges = list[tuple[int, int, int]]
"""(file, first row, end row), half-open, sorted and disjoint."""

_MOST_RANGES = 20_000  # the control plane takes a mebibyte


class Sends(Protocol):
    """Sends one batch to the control plane and says whether it arrived. Sending it twice is one sending."""

    def __call__(self, body: dict[str, Any], /) -> bool:
        """Send a batch."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Step:
    number: int
    amendment: int
    ranges: Ranges


class Journal:
    """What one lease consumed. Threads may share it."""

    def __init__(self, path: Path, *, header: dict[str, str] | None = None) -> None:
        """Open a journal; with a header it is begun, without one what is there is taken up."""
        self.path = path
        self._lock = threading.Lock()
        self._sending = threading.Lock()
        self._steps: list[_Step] = []
        self._batch: tuple[int, int] | None = None
        self._last: int | None = None
        self.header: dict[str, str] = header or {}
        flags = os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC | (os.O_CREAT | os.O_EXCL if header is not None else 0)
        self._descriptor = os.open(path, flags, 0o600)
        if header is None:
            self._take_up()
        else:
            self._write({"header": header})

    def committed(self, step: int, ranges: Ranges, *, amendment: int) -> None:
        """Note what an optimiser step consumed.

        Raises:
            InputError: the step does not come after the last one.
        """
        with self._lock:
            if self._last is not None and step <= self._last:
                raise InputError(
                    "consumption-step-order",
                    f"step `{step}` was committed after step `{self._last}`",
                    help="count optimiser steps upwards within one lease, across epochs",
                )
            self._write({"step": step, "amendment": amendment, "ranges": ranges})
            self._note(_Step(number=step, amendment=amendment, ranges=ranges))

    def send(self, send: Sends) -> bool:
        """Send what is there, batch by batch; return whether all of it arrived."""
        with self._sending:
            while (body := self._next()) is not None:
                if not all(send({**body, "ranges": part}) for part in _parts(body["ranges"])):
                    return False
                self._arrived(body["to_step"])
        return True

    def close(self) -> None:
        """Close the file, and remove it if all that it says has arrived."""
        with self._lock:
            os.close(self._descriptor)
            if not self._steps:
                self.path.unlink(missing_ok=True)

    @property
    def last_step(self) -> int:
        """The last step that was committed, 0 if none was."""
        return self._last or 0

    def _next(self) -> dict[str, Any] | None:
        with self._lock:
            if not self._steps:
                return None
            if self._batch is None:
                self._batch = self._bounds()
                self._write({"batch": self._batch})
            first, last = self._batch
            steps = [step for step in self._steps if step.number <= last]
        ranges = merged(each for step in steps for each in step.ranges)
        return {"from_step": first, "to_step": last, "amendment": steps[0].amendment, "ranges": ranges}

    def _bounds(self) -> tuple[int, int]:
        first, last, count = self._steps[0], self._steps[0], 0
        for step in self._steps:
            count += len(step.ranges)
            if step.amendment != first.amendment or (count > _MOST_RANGES and step is not first):
                break
            last = step
        return first.number, last.number

    def _arrived(self, last: int) -> None:
        with self._lock:
            self._write({"arrived": last})
            self._forget(last)

    def _forget(self, last: int) -> None:
        self._steps = [step for step in self._steps if step.number > last]
        self._batch = None

    def _note(self, step: _Step) -> None:
        self._steps.append(step)
        self._last = step.number

    def _write(self, line: dict[str, Any]) -> None:
        content = json.dumps(line, separators=(",", ":")).encode() + b"\n"
        while content:
            content = content[os.write(self._descriptor, content) :]

    def _take_up(self) -> None:
        whole, _, torn = self.path.read_bytes().rpartition(b"\n")
        if torn:
            os.truncate(self.path, len(whole) + 1)
        for text in whole.splitlines():
            line = json.loads(text)
            if "header" in line:
                self.header = line["header"]
            elif "step" in line:
                ranges = [(file, first, end) for file, first, end in line["ranges"]]
                self._note(_Step(number=line["step"], amendment=line["amendment"], ranges=ranges))
            elif "batch" in line:
                self._batch = (line["batch"][0], line["batch"][1])
            elif "arrived" in line:
                self._forget(line["arrived"])


def _parts(ranges: Ranges) -> list[Ranges]:
    """Return what is sent at a time: a single step can consume more than one request takes."""
    return [ranges[first : first + _MOST_RANGES] for first in range(0, len(ranges), _MOST_RANGES)] or [ranges]


def ranges_of(rows: Iterable[tuple[int, int]]) -> Ranges:
    """Return rows, each a file and a position in it, as ranges.

    >>> ranges_of([(0, 2), (1, 5), (0, 1), (0, 2)])
    [(0, 1, 3), (1, 5, 6)]
    """
    return merged((file, row, row + 1) for file, row in rows)


def merged(ranges: Iterable[tuple[int, int, int]]) -> Ranges:
    """Return the union of ranges."""
    union: Ranges = []
    for file, first, end in sorted(ranges):
        if union and union[-1][0] == file and first <= union[-1][2]:
            union[-1] = (file, union[-1][1], max(end, union[-1][2]))
        else:
            union.append((file, first, end))
    return union
