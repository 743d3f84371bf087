r"""How results are shown: tables for people, one JSON document for programs.

Results go to standard output, everything else (progress, notes, errors) to standard error. With `--json` a command
prints exactly one document and no table.

Ids, names and words come from strangers: a control character in them would command the terminal of whoever reads them.
People see it as `\x1b`, programs as the escape of JSON.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from threading import Lock
from typing import Any

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from consentry.cli.called import as_called
from consentry.cli.progress_bar import ProgressBar
from consentry.errors import ConsentryError
from consentry.progress import Progress

_FIRST_MOMENT = int(datetime(1, 1, 1, tzinfo=UTC).timestamp())
_LAST_MOMENT = int(datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC).timestamp())
_COMPACT_DATE = re.compile(r"(19|20)\d{2}(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])")
_WIDEST = 100_000
_NOTHING = ("", "-")
_FIGURE = re.compile(r"[-+][\d,]+|[\d,.]+ %")
_LAST_SECOND = timedelta(days=1, seconds=-1)
_UNSEEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
"""C0 but tab and line feed, DEL, C1, line separators, bidirectional overrides, and halves of characters."""


@dataclass(slots=True)
class Output:
    """Where a command writes."""

    as_json: bool = False
    console: Console = field(default_factory=lambda: Console(highlight=False, soft_wrap=False))
    notes: Console = field(default_factory=lambda: Console(stderr=True, highlight=False))
    _bar: ProgressBar | None = field(default=None, init=False)
    _lock: Lock = field(default_factory=Lock, init=False)

    def show(self, body: Mapping[str, Any], human: Callable[[], None] | None = None) -> None:
        """Show a result: `body` as JSON, or what `human` prints."""
        if self.as_json or human is None:
            # Not through the console: nothing may wrap or colour a document.
            print(_document(body), file=self.console.file)
        else:
            human()

    def text(self, line: str = "") -> None:
        """Print a line for people; nothing with `--json`. Markup is not interpreted."""
        if not self.as_json:
            self.console.print(_quoted(line), soft_wrap=True)

    def hint(self, line: str) -> None:
        """Print a line that says what to type next, for people; nothing with `--json`."""
        self.text(as_called(line))

    def heading(self, line: str) -> None:
        """Print a heading for people; nothing with `--json`."""
        if not self.as_json:
            self.console.print(f"\n[bold]{_one_line(line)}[/bold]", soft_wrap=True)

    def table(self, columns: Sequence[str], rows: Sequence[Sequence[Any]], *, title: str | None = None) -> None:
        """Print a table for people, numbers right-aligned with thousands separators; nothing with `--json`.

        Of strings, shares (`4.5 %`) and changes (`+1,200`) are numbers as well.
        """
        if self.as_json:
            return
        shown = self.columns(columns, rows, title=title)
        if self.console.is_terminal:
            self.console.print(shown)
            return
        # In a file or a pipe nothing is cut to the width of a terminal: names have to be found and copied.
        width = self.console.width
        try:
            self.console.width = _WIDEST
            with self.console.capture() as captured:
                self.console.print(shown)
        finally:
            self.console.width = width
        for line in captured.get().splitlines():
            print(line.rstrip(), file=self.console.file)

    def columns(self, columns: Sequence[str], rows: Sequence[Sequence[Any]], *, title: str | None = None) -> Table:
        """Return a table, to be printed or kept up to date."""
        table = Table(
            title=None if title is None else _one_line(title),
            title_justify="left",
            title_style="bold",
            box=None,
            show_header=any(columns),
            pad_edge=False,
            padding=(0, 2, 0, 0),
        )
        numeric = [_is_numeric([row[index] for row in rows]) for index in range(len(columns))]
        for name, is_number in zip(columns, numeric, strict=True):
            table.add_column(
                _one_line(name), justify="right" if is_number else "left", header_style="dim", overflow="fold"
            )
        for row in rows:
            table.add_row(*(f"{value:,}" if isinstance(value, int) else _one_line(str(value)) for value in row))
        return table

    def note(self, line: str) -> None:
        """Print a remark to standard error."""
        self.notes.print(f"[dim]{_one_line(as_called(line))}[/dim]", soft_wrap=True)

    def error(self, error: ConsentryError) -> None:
        """Print an error with its help line, and any further mistakes."""
        if self.as_json:
            print(_document({"error": error.to_json()}), file=self.console.file)
            return
        for each in (error, *error.more):
            self.notes.print(f"[bold red]error[/bold red]: {_one_line(str(each))}", soft_wrap=True)
            self.notes.print(f"  [bold]help[/bold]: {_one_line(as_called(each.help))}", soft_wrap=True)

    @contextmanager
    def progress(self) -> Iterator[Progress | None]:
        """Yield what shows a bar on standard error once the work has taken a second; None if no person is watching.

        Inside of such a block it is the same bar: there is one line for it.
        """
        with self._lock:  # threads of a server may come at the same time
            shown = self._bar
            if begun := shown is None and not self.as_json and self.notes.is_terminal:
                self._bar = shown = ProgressBar(self.notes)
        try:
            yield shown
        finally:
            if begun and shown is not None:
                with self._lock:
                    self._bar = None
                    shown.stop()


def _is_numeric(cells: Sequence[Any]) -> bool:
    told = [cell for cell in cells if cell not in _NOTHING]
    return bool(told) and all(isinstance(each, int) or _FIGURE.fullmatch(str(each)) for each in told)


def visible(text: str) -> str:
    """Return a text with every character that would command a terminal, or hide what stands there, spelled out."""
    return _UNSEEN.sub(lambda found: ascii(found[0])[1:-1], text)


def _quoted(text: str) -> str:
    return escape(visible(text))


def _one_line(text: str) -> str:
    """Quote what is never more than a line: an id with a line feed must not look like a line of ours."""
    return _quoted(text).replace("\n", "\\n")


def _document(body: Mapping[str, Any]) -> str:
    # JSON escapes only C0 itself. What is left stands inside of strings, where an escape means the same.
    written = json.dumps(body, ensure_ascii=False, indent=2)
    return _UNSEEN.sub(lambda found: f"\\u{ord(found[0]):04x}", written)


def read_moment(value: str) -> int:
    """Return a time on the command line as whole seconds since 1970.

    It is a date (the beginning of its day in UTC), a date and time with its zone, or the seconds themselves.
    """
    return _seconds(value, of_a_day=timedelta(), earliest=_FIRST_MOMENT)


def read_last_moment(value: str) -> int:
    """Return a time since 1970 on the command line as `read_moment` does, but a date is the last second of its day."""
    return _seconds(value, of_a_day=_LAST_SECOND, earliest=0)


def _dashed(value: str) -> str:
    return f"{value[:4]}-{value[4:6]}-{value[6:]}"


def _seconds(value: str, *, of_a_day: timedelta, earliest: int) -> int:
    if _COMPACT_DATE.fullmatch(value):
        raise click.BadParameter(f"`{value}` may be a date or seconds since 1970; write {_dashed(value)} or 0{value}")
    if value.isascii() and value.isdigit():
        seconds = int(value.lstrip("0")[:20] or "0")
    else:
        try:
            found = datetime.fromisoformat(value)
        except ValueError:
            advice = "write 2024-09-18, 2024-09-18T12:00Z or seconds since 1970"
            raise click.BadParameter(f"`{value}` is no time; {advice}") from None
        if found.tzinfo is None:
            if len(value) > len("2024-09-18"):
                raise click.BadParameter(f"`{value}` has no zone; write {value}Z for UTC")
            found = found.replace(tzinfo=UTC) + of_a_day
        seconds = int(found.timestamp() // 1)
    if not earliest <= seconds <= _LAST_MOMENT:
        raise click.BadParameter(
            f"`{value}` is out of range; a time lies between {moment(earliest)} and the end of 9999"
        )
    return seconds


def moment(seconds: int | None) -> str:
    """Return a time for people, in UTC."""
    return "unknown" if seconds is None else datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def day(seconds: int | None) -> str:
    """Return the day of a time, in UTC."""
    return "-" if seconds is None else datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d")


def counted(number: int, what: str, *, several: str = "") -> str:
    """Return a number of things in words: `1 item`, `2,000 items`, `3 people`."""
    return f"{number:,} {what if number == 1 else several or what + 's'}"


def share(part: int, whole: int) -> str:
    """Return a part as a percentage."""
    return f"{100 * part / whole:.1f} %" if whole else "-"
