"""Runs the web service of a home until it is told to stop.

serve.lock          held while a server runs: only one may answer renewals
serve.json          the address and a token that shows the leases, while it runs; one that was killed leaves
                    it behind, and the next overwrites it
"""

from __future__ import annotations

import asyncio
import ipaddress
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import FrameType

import uvicorn

from consentry.bootstrap import Deployment
from consentry.digests import canonical_json
from consentry.durable import only_one, replace_file
from consentry.errors import StateError
from consentry.service.app import create_app
from consentry.service.auth import TOKEN_FILE, workload_token
from consentry.service.logs import as_json
from consentry.service.patience import Impatient
from consentry.service.watch import Watch

DEFAULT_HOST, DEFAULT_PORT = "127.0.0.1", 8799
LOCK_FILE, ADDRESS_FILE = "serve.lock", "serve.json"
_GRACE_S = 5
_BACKLOG = 1024


def serve(
    deployment: Deployment,
    *,
    host: str = DEFAULT_HOST,
    port: int = DEFAULT_PORT,
    announce: Callable[[str, Path], None] = lambda *_: None,
) -> None:
    """Serve until SIGTERM or SIGINT; `announce` is called with the address and the token's file once it can be asked.

    Raises:
        StateError: another server runs for this home, or the address is taken.
    """
    with _prepared(deployment, host, port) as (server, listener, address):
        announce(address, deployment.settings.home / "keys" / TOKEN_FILE)
        asyncio.run(server.serve(sockets=[listener]))


@contextmanager
def serving(deployment: Deployment) -> Iterator[tuple[str, str]]:
    """Serve at a free port on a thread of this process while the block lasts; yield the address and the token."""
    with _prepared(deployment, DEFAULT_HOST, 0) as (server, listener, address):
        thread = threading.Thread(target=lambda: asyncio.run(server.serve(sockets=[listener])), name="consentry-serve")
        thread.start()
        try:
            yield address, workload_token(deployment.settings.home / "keys")
        finally:
            server.leave()
            thread.join()


@contextmanager
def _prepared(deployment: Deployment, host: str, port: int) -> Iterator[tuple[_Server, socket.socket, str]]:
    home = deployment.settings.home
    with alone(home), deployment.admission() as admission, _listening(host, port) as listener:
        deployment.control.leases.take_over()
        log = as_json(level=deployment.settings.log_level) if deployment.settings.log_format == "json" else None
        app = create_app(deployment, admission, token=workload_token(home / "keys"), log=log)
        address = url(host, listener.getsockname()[1])
        replace_file(home / ADDRESS_FILE, canonical_json({"url": address, "view": app.state.view}), mode=0o600)
        config = uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            server_header=False,
            http=Impatient,
            ws="none",
            loop="asyncio",
            timeout_graceful_shutdown=_GRACE_S,
            timeout_keep_alive=75,
        )
        try:
            yield _Server(config, app.state.watch), listener, address
        finally:
            (home / ADDRESS_FILE).unlink(missing_ok=True)


class _Server(uvicorn.Server):
    """Sends those who wait for a change away when it stops, and dies of no signal it has obeyed."""

    def __init__(self, config: uvicorn.Config, watch: Watch) -> None:
        super().__init__(config)
        self._watch = watch

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {each: signal.signal(each, self.handle_exit) for each in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for each, handler in before.items():
                signal.signal(each, handler)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002 - as the system calls it
        self.force_exit = self.should_exit
        self.should_exit = True

    def leave(self) -> None:
        """Stop, as by a signal."""
        self.should_exit = True

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._watch.stop()
        await super().shutdown(sockets)


@contextmanager
def alone(home: Path) -> Iterator[None]:
    """Be the only server of a home.

    Raises:
        StateError: there is another one.
    """
    with ExitStack() as held:
        try:
            held.enter_context(only_one(home / LOCK_FILE, wait=False))
        except BlockingIOError:
            raise StateError(
                "serve-already-running",
                "a server runs for this home",
                help="only one may answer renewals, because it alone knows until when leases hold: stop that one first",
            ) from None
        yield


@contextmanager
def _listening(host: str, port: int) -> Iterator[socket.socket]:
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.create_server(address[:2], family=family, backlog=_BACKLOG)
    except (OSError, UnicodeError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else "no such address"
        raise StateError(
            "serve-address-unusable",
            f"cannot listen at `{host}` port `{port}`: {reason.lower()}",
            help="choose another: --port 0 takes one that is free",
        ) from None
    with listener:
        yield listener


def url(host: str, port: int) -> str:
    """Return the address of a server."""
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def is_loopback(host: str) -> bool:
    """Say whether nobody outside this machine reaches a host."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
