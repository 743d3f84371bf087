"""Sends what a job trained on and could not send itself: `python -m consentry.training.delivery FILE...`."""

from __future__ import annotations

import sys
from pathlib import Path

from consentry.errors import ConsentryError
from consentry.training.lease_requests import deliver


def main() -> None:
    """Deliver every journal named; exit with 1 if one could not be."""
    left = False
    for path in map(Path, sys.argv[1:]):
        try:
            if deliver(path, how=None, timeout_s=30):
                continue
            why, what = f"`{path}` could not be sent", "is the control plane running? Try again later"
        except ConsentryError as error:
            why, what = f"`{path}` is refused: {error}", error.help
        left = True
        sys.stderr.write(f"error: {why}\n  help: {what}\n")
    sys.exit(left)


if __name__ == "__main__":
    main()
