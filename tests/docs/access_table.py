"""Prints the table of docs/access.md: `python tests/docs/access_table.py`."""

from __future__ import annotations

import sys

from consentry.accounts.access import TABLE, Role, Scope


def table() -> str:
    """Return actions by roles as Markdown."""
    roles = [role for role in Role if any(role in row for row in TABLE.values())]
    lines = ["| action | " + " | ".join(roles) + " |", "|---|" + "---|" * len(roles)]
    for action, row in TABLE.items():
        cells = [{Scope.ALL: "yes", None: ""}.get(row.get(role), row.get(role) or "") for role in roles]
        lines.append(f"| `{action}` | " + " | ".join(cells) + " |")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.stdout.write(table() + "\n")
