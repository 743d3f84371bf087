"""How leases of jobs are shown: all of them as a table, or on a screen those that matter now, as many as fit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Group
from rich.text import Text

from consentry.cli.called import as_called
from consentry.cli.output import Output

_COLUMNS = ("job", "model", "release", "state", "stopped by", "step", "items", "time left")
NO_SERVER = "No server runs: leases that did not end are shown as open. Start one: consentry serve"


def show_jobs(out: Output, body: Mapping[str, Any], *, chosen: bool) -> None:
    """Print all leases, oldest first; `chosen`: only some were asked for."""
    if not body["leases"]:
        out.text(_none(chosen=chosen))
        return
    out.table(_COLUMNS, _rows(body["leases"]))
    if not body["live"]:
        out.hint(NO_SERVER)


def screen(out: Output, body: Mapping[str, Any], *, chosen: bool) -> Group:
    """Return what of the leases fits on the screen, and how many are left out: whoever watches sees who reads now."""
    leases = by_interest(body["leases"])
    told = [] if body["live"] else [as_called(NO_SERVER)]
    if not leases:
        return Group(Text(_none(chosen=chosen)), *map(Text, told))
    most = max(out.console.height - 1, 1)
    for shown in range(min(len(leases), most), -1, -1):
        left = len(leases) - shown
        last = [as_called(f"and {left:,} more: consentry jobs"), *told] if left else told
        found = Group(out.columns(_COLUMNS, _rows(leases[:shown])), *map(Text, last))
        if len(out.console.render_lines(found)) <= most:
            break
    return found


def by_interest(leases: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return leases that did not end, the newest first; then the others, whichever ended last first."""
    open_ = [each for each in leases if each["ended_at"] is None]
    over = [each for each in leases if each["ended_at"] is not None]
    return [*reversed(open_), *sorted(over, key=lambda each: (each["ended_at"], each["fence"]), reverse=True)]


def _none(*, chosen: bool) -> str:
    return "No lease is like that." if chosen else "No job was ever given a lease."


def _rows(leases: Sequence[Mapping[str, Any]]) -> list[list[Any]]:
    return [
        [
            each["job"],
            each["model"],
            each["release"],
            each["state"],
            each["order"] or "",
            "" if each["step"] is None else each["step"],
            each["items"],
            "" if each["left_s"] is None else f"{each['left_s']:.0f} s",
        ]
        for each in leases
    ]
