"""`consentry serve` in a process of its own."""

from __future__ import annotations

import atexit
import http.client
import json
import signal
import subprocess
import sys
import time
from http import HTTPStatus
from pathlib import Path
from urllib.parse import urlsplit

_JUMPING = Path(__file__).with_name("jumping_clock.py")


class Server:
    """`consentry serve`, started again when it was killed. With `jumping` its wall clock can be set."""

    def __init__(self, home: Path, *, jumping: bool = False) -> None:
        self.home = home
        self._program = ["-P", str(_JUMPING)] if jumping else ["-m", "consentry"]
        self.process: subprocess.Popen[str] | None = None
        atexit.register(self._leave)

    def start(self) -> None:
        """Start it, unless it runs."""
        if self.process is not None and self.process.poll() is None:
            return
        line = [sys.executable, *self._program, "--json", "--home", str(self.home), "serve", "--port", "0"]
        (self.home / "serve.json").unlink(missing_ok=True)
        self.process = subprocess.Popen(line, stdout=subprocess.DEVNULL, text=True)  # noqa: S603 - ours
        while not (self.home / "serve.json").exists():
            time.sleep(0.02)
            if self.process.poll() is not None:
                raise SystemExit("the server does not start")

    def wait_until_ready(self) -> None:
        """Wait until it says that it is ready: as whoever spreads load does, before it sends anybody."""
        parts = urlsplit(self.ask["url"])
        while True:
            connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=60)
            try:
                connection.request("GET", "/readyz")
                if connection.getresponse().status == HTTPStatus.OK:
                    return
            except ConnectionError:
                pass
            finally:
                connection.close()
            time.sleep(0.02)

    def _leave(self) -> None:
        """Leave no server behind, however the benchmark ends."""
        if self.process is not None and self.process.poll() is None:
            self.process.kill()

    def kill(self, number: int = signal.SIGKILL) -> None:
        """End it."""
        assert self.process is not None
        self.process.send_signal(number)
        self.process.wait()

    def send(self, number: int) -> None:
        """Send it a signal that it outlives."""
        assert self.process is not None
        self.process.send_signal(number)

    @property
    def ask(self) -> dict[str, str]:
        """What a holder needs to reach it."""
        url = json.loads((self.home / "serve.json").read_bytes())["url"]
        return {"url": url, "token": (self.home / "keys" / "workload.token").read_text()}

    def held_bytes(self) -> int:
        """Return how much memory it holds now."""
        assert self.process is not None
        for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
        raise OSError("its status has no VmRSS")
