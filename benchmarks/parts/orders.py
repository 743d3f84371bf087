"""Orders that another process gives, which has opened the deployment already: `python -P orders.py HOME`."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from consentry.bootstrap import open_deployment
from consentry.ledger.oversight_events import Origin
from consentry.oversight.order import Scope
from consentry.training.boot_clock import boot_seconds


class Orders:
    """A process that suspends when it is told to."""

    def __init__(self, home: Path) -> None:
        line = [sys.executable, "-P", __file__, str(home)]
        self._process = subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)  # noqa: S603
        self._line()

    def _line(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline()

    def give(self, **scope: Any) -> None:
        """Ask for an order; do not wait."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(scope) + "\n")
        self._process.stdin.flush()

    def given(self) -> tuple[float, float]:
        """Return when it was asked for, and when it was acknowledged."""
        asked, acknowledged = json.loads(self._line())
        return asked, acknowledged

    def close(self) -> None:
        """Ask for no more."""
        self._process.communicate()


def give_orders(home: Path) -> None:
    """Be the process that suspends."""
    deployment = open_deployment(home)
    deployment.control.desk.present()
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    for line in sys.stdin:
        given: dict[str, Any] = json.loads(line)
        named: dict[str, Any] = {
            name: frozenset(each) if isinstance(each, list) else each for name, each in given.items()
        }
        scope = Scope(**named)
        deployment.control.desk.present()
        asked = boot_seconds()
        deployment.control.orders.suspend(scope, case="measured", origin=Origin.OWN_DECISION, reference="a benchmark")
        sys.stdout.write(json.dumps([asked, boot_seconds()]) + "\n")
        sys.stdout.flush()
    deployment.close()


if __name__ == "__main__":
    give_orders(Path(sys.argv[1]))
