"""How results are shown: tables for people, one JSON document for programs.

Results go to standard output, everything else (progress, notes, errors) to standard error. With `--json` a command
prints exactly one document and no table.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from consentry.cli.progress_bar import ProgressBar
from consentry.errors import ConsentryError
from consentry.progress import Progress


@dataclass(slots=True)
class Output:
    """Where a command writes."""

    as_json: bool = False
    console: Console = field(default_factory=lambda: Console(highlight=False, soft_wrap=False))
    notes: Console = field(default_factory=lambda: Console(stderr=True, highlight=False))

    def show(self, body: Mapping[str, Any], human: Callable[[], None] | None = None) -> None:
        """Show a result: `body` as JSON, or what `human` prints."""
        if self.as_json or human is None:
            # Not through the console: nothing may wrap or colour a document.
            print(json.dumps(body, ensure_ascii=False, indent=2), file=self.console.file)
        else:
            human()

    def text(self, line: str = "") -> None:
        """Print a line for people. Markup is not interpreted."""
        self.console.print(escape(line), soft_wrap=True)

    def heading(self, line: str) -> None:
        """Print a heading."""
        self.console.print(f"\n[bold]{escape(line)}[/bold]", soft_wrap=True)

    def table(self, columns: Sequence[str], rows: Sequence[Sequence[Any]], *, title: str | None = None) -> None:
        """Print a table; numbers are right-aligned with thousands separators."""
        table = Table(
            title=title,
            title_justify="left",
            title_style="bold",
            box=None,
            show_header=any(columns),
            pad_edge=False,
            padding=(0, 2, 0, 0),
        )
        numeric = [bool(rows) and all(isinstance(row[index], int) for row in rows) for index in range(len(columns))]
        for name, is_number in zip(columns, numeric, strict=True):
            table.add_column(name, justify="right" if is_number else "left", header_style="dim", overflow="fold")
        for row in rows:
            table.add_row(*(f"{value:,}" if isinstance(value, int) else escape(str(value)) for value in row))
        self.console.print(table)

    def note(self, line: str) -> None:
        """Print a remark to standard error."""
        self.notes.print(f"[dim]{escape(line)}[/dim]", soft_wrap=True)

    def error(self, error: ConsentryError) -> None:
        """Print an error with its help line."""
        if self.as_json:
            print(json.dumps({"error": error.to_json()}, ensure_ascii=False, indent=2), file=self.console.file)
            return
        self.notes.print(f"[bold red]error[/bold red]: {escape(str(error))}", soft_wrap=True)
        self.notes.print(f"  [bold]help[/bold]: {escape(error.help)}", soft_wrap=True)

    @contextmanager
    def progress(self) -> Iterator[Progress | None]:
        """Yield what shows a bar on standard error once the work has taken a second; None if no person is watching."""
        if self.as_json or not self.notes.is_terminal:
            yield None
            return
        bar = ProgressBar(self.notes)
        try:
            yield bar
        finally:
            bar.stop()


def read_moment(value: str) -> int:
    """Return a time on the command line as whole seconds since 1970.

    It is a date (the beginning of its day in UTC), a date and time with its zone, or the seconds themselves.
    """
    if value.isdigit():
        return int(value)
    try:
        found = datetime.fromisoformat(value)
    except ValueError:
        advice = "write 2024-09-18, 2024-09-18T12:00Z or seconds since 1970"
        raise click.BadParameter(f"`{value}` is no time; {advice}") from None
    if found.tzinfo is None:
        if len(value) > len("2024-09-18"):
            raise click.BadParameter(f"`{value}` has no zone; write {value}Z for UTC")
        found = found.replace(tzinfo=UTC)
    return int(found.timestamp())


def moment(seconds: int | None) -> str:
    """Return a time for people, in UTC."""
    return "unknown" if seconds is None else datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def share(part: int, whole: int) -> str:
    """Return a part as a percentage."""
    return f"{100 * part / whole:.1f} %" if whole else "-"
