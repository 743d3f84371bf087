"""Jobs with the real client, each a process of its own: started, frozen, and what became of them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from threading import Event, Thread
from typing import Any

from parts.holder import clock

_JOB = Path(__file__).with_name("real_job.py")


class Client:
    """A job. A thread notes what it says, and when it ended."""

    def __init__(self, server: dict[str, str], **asked: Any) -> None:
        environment = {**os.environ, "CONSENTRY_URL": server["url"], "CONSENTRY_TOKEN": server["token"]}
        self.process = subprocess.Popen(  # noqa: S603 - ours
            [sys.executable, "-P", str(_JOB), json.dumps(asked)],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=environment,
        )
        self.said: dict[str, dict[str, Any]] = {}
        self.ended_at: float | None = None
        self._began = Event()
        self._listener = Thread(target=self._listen, daemon=True)
        self._listener.start()

    def _listen(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            said = json.loads(line)
            self.said[said["said"]] = said
            self._began.set()
        self.process.wait()
        self.ended_at = clock()
        self._began.set()

    def began(self, within_s: float) -> bool:
        """Wait until it has taken a step; say whether it did and still runs."""
        self._began.wait(within_s)
        return "began" in self.said and self.ended_at is None

    def freeze(self) -> None:
        """Stop the process as a system does; what watches it goes on."""
        self.process.send_signal(signal.SIGSTOP)

    def ended(self, within_s: float) -> bool:
        """Wait for its end; say whether it came. Whoever goes on is killed."""
        self._listener.join(max(within_s, 0))
        late = self.ended_at is None
        if late:
            self.process.kill()
            self._listener.join()
        return not late
