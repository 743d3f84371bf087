"""Several platforms in one server, in a thread of this process."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx2

from consentry.bootstrap import Deployment, open_deployment
from consentry.service.auth import workload_token
from consentry.service.hosting import Hosted, Hosting
from consentry.service.platforms import Platform
from consentry.service.server import _config, _listening, _Server

BROWSER = {"accept": "text/html"}


@dataclass
class Tenants:
    """A running server of several platforms; each home is opened here as well, as by a command."""

    url: str
    hosting: Hosting
    homes: dict[str, Deployment] = field(default_factory=dict)

    def client(self, name: str) -> httpx2.Client:
        """Return somebody who asks a platform by its host."""
        return httpx2.Client(base_url=self.url, headers={"host": host(name)}, timeout=30)

    def token(self, name: str) -> str:
        return workload_token(self.homes[name].settings.home / "keys")


def host(name: str) -> str:
    """Return the host of a platform."""
    return f"{name}.example"


def listed(folder: Path, *names: str) -> list[Platform]:
    """Return platforms with homes in a folder."""
    return [Platform(name=name, host=host(name), home=folder / name) for name in names]


@contextmanager
def running(hosting: Hosting, listener: socket.socket) -> Iterator[None]:
    """Run a server while the block lasts; it has tried every home when the block begins."""
    begun = threading.Event()
    tell = hosting._begun

    def announce(hosted: Sequence[Hosted]) -> None:
        tell(hosted)
        begun.set()

    hosting._begun = announce
    server = _Server(_config(hosting), hosting)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        assert begun.wait(60)
        yield
    finally:
        server.leave()
        thread.join()


@contextmanager
def served(folder: Path, *names: str, again: float = 0.1) -> Iterator[Tenants]:
    """Serve platforms of these names, with a new home each unless there is one."""
    with _listening("127.0.0.1", 0) as listener, ExitStack() as held:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        homes = {name: open_deployment(folder / name, embedded=True) for name in names}
        for deployment in homes.values():
            held.callback(deployment.close)
        hosting = Hosting(listed(folder, *names), address=url, again=again)
        held.enter_context(running(hosting, listener))
        yield Tenants(url, hosting, homes)
