"""Jobs with the real client, each a process of its own: started, frozen, and what became of them."""

from __future__ import annotations

import json
import os
import signal
import struct
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from threading import Event, Thread
from typing import Any

from parts.holder import clock

_JOB = Path(__file__).with_name("real_job.py")
_STEPS_APART_S = 0.2


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
        self._beat = Path(asked["beat"]) if "beat" in asked else None
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

    def last_step(self) -> float:
        """Return when it took its last step, which it notes in a file; 0 if it took none."""
        content = self._beat.read_bytes() if self._beat is not None and self._beat.exists() else b""
        found: float = struct.unpack("=d", content)[0] if content else 0.0
        return found

    def went_on_until(self, moment: float) -> bool:
        """Say whether it still took steps at about a moment: it had its lease then."""
        return self.last_step() > moment - _STEPS_APART_S

    def children(self) -> list[int]:
        """Return its child processes: its watchdog."""
        found = []
        for path in Path("/proc").glob("[0-9]*/stat"):
            with suppress(OSError, ProcessLookupError):
                if int(path.read_text("utf-8", "replace").rpartition(")")[2].split()[1]) == self.process.pid:
                    found.append(int(path.parent.name))
        return found

    def deadline_file(self) -> Path | None:
        """Return the file of the words that its processes share; None if it is gone."""
        with suppress(OSError):
            for line in Path(f"/proc/{self.process.pid}/maps").read_text().splitlines():
                if "consentry-lease-" in line:
                    return Path(line.split(maxsplit=5)[5])
        return None

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
