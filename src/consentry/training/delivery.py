"""Sends what a job trained on and could not send itself: `python -m consentry.training.delivery FILE...`."""

from __future__ import annotations

import sys
from pathlib import Path

from consentry.training.lease_requests import deliver


def main() -> None:
    """Deliver every journal named; exit with 1 if one could not be."""
    paths = [Path(name) for name in sys.argv[1:]]
    left = [path for path in paths if not deliver(path, how=None, timeout_s=30)]
    for path in left:
        sys.stderr.write(f"error: `{path}` could not be sent\n  help: is the control plane running? Try again later\n")
    sys.exit(bool(left))


if __name__ == "__main__":
    main()
