"""How leases of jobs are shown: all of them as a table, or on a screen those that matter now, as many as fit.

Below them stands how far it is with each order that stops some of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Group
from rich.text import Text

from consentry.cli.called import as_called
from consentry.cli.output import Output, counted, moment
from consentry.oversight.drained_words import drained_in_words

_COLUMNS = ("job", "model", "release", "state", "stopped by", "step", "items", "time left")
_SHARE = 3
"""At most one of so many lines of a screen is about an order."""
NO_SERVER = "No server runs: leases that did not end are shown as open. Start one: consentry serve"


def show_jobs(out: Output, body: Mapping[str, Any], *, chosen: bool) -> None:
    """Print all leases, oldest first; `chosen`: only some were asked for."""
    if not body["leases"]:
        out.text(_none(chosen=chosen))
        return
    out.table(_COLUMNS, _rows(body["leases"]))
    for each in body["orders"]:
        out.text(_how_far(each))
    if not body["live"]:
        out.hint(NO_SERVER)


def screen(out: Output, body: Mapping[str, Any], *, chosen: bool) -> Group:
    """Return what of the leases fits on the screen, and how many are left out: whoever watches sees who reads now."""
    leases = by_interest(body["leases"])
    most = max(out.console.height - 1, 1)
    told = [_how_far(each) for each in _newest_word(body["orders"])[: max(most // _SHARE, 1)]]
    told += [] if body["live"] else [as_called(NO_SERVER)]
    if not leases:
        return Group(Text(_none(chosen=chosen)), *map(Text, told))
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


def _newest_word(orders: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return orders that are not drained, the newest first; then the others, whichever was drained last first."""
    waiting = [each for each in orders if each["drained_at"] is None]
    drained = [each for each in orders if each["drained_at"] is not None]
    return [*reversed(waiting), *sorted(drained, key=lambda each: each["drained_at"], reverse=True)]


def _how_far(order: Mapping[str, Any]) -> str:
    """Say how many of the leases that an order hits have ended; or how long it took until all had."""
    leases, over = order["leases"], order["over"]
    if order["drained_at"] is None:
        so_far = f"{over:,} of {counted(leases, 'lease')} ended"
    else:
        so_far = f"drained {drained_in_words(after_ms=order['took_ms'], leases=leases)}"
    return f"{order['order']}: given {moment(order['at'])}, {so_far}"


def _none(*, chosen: bool) -> str:
    return "No lease is like that." if chosen else "No job was ever given a lease."


def _rows(leases: Sequence[Mapping[str, Any]]) -> list[list[Any]]:
    return [
        [
            each["job"],
            each["model"],
            each["release"],
            each["state"],
            ", ".join(each["orders"]),
            "" if each["step"] is None else each["step"],
            each["items"],
            "" if each["left_s"] is None else f"{each['left_s']:.0f} s",
        ]
        for each in leases
    ]
