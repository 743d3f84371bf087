"""Runs the web service of a home, or of several, until it is told to stop."""

from __future__ import annotations

import asyncio
import gc
import ipaddress
import resource
import signal
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import Protocol

import uvicorn
from starlette.types import ASGIApp

from consentry.bootstrap import Deployment
from consentry.errors import ConsentryError, StateError
from consentry.exhausted import require_room
from consentry.service.auth import TOKEN_FILE, workload_token
from consentry.service.connection import Connection
from consentry.service.homes import alone, applied
from consentry.service.hosting import Hosted, Hosting
from consentry.service.logs import AccessLog, as_json, as_text
from consentry.service.platforms import Platform
from consentry.settings import LogFormat, LogLevel, Settings, read_settings, require_shared_environment

DEFAULT_HOST, DEFAULT_PORT = "127.0.0.1", 8799
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
    _allow_open_files()
    with _prepared(deployment, host, port, settled=gc.freeze) as (server, listener, address):
        announce(address, deployment.settings.home / "keys" / TOKEN_FILE)
        _run(server, listener)


@contextmanager
def serving(deployment: Deployment) -> Iterator[tuple[str, str]]:
    """Serve at a free port on a thread of this process while the block lasts; yield the address and the token."""
    with _prepared(deployment, DEFAULT_HOST, 0) as (server, listener, address):
        thread = threading.Thread(target=lambda: _run(server, listener), name="consentry-serve")
        thread.start()
        try:
            yield address, workload_token(deployment.settings.home / "keys")
        finally:
            server.leave()
            thread.join()


def serve_platforms(
    platforms: Sequence[Platform],
    *,
    host: str = DEFAULT_HOST,
    port: int = DEFAULT_PORT,
    announce: Callable[[str, Sequence[Hosted]], None] = lambda *_: None,
) -> None:
    """Serve several platforms until SIGTERM or SIGINT; `announce` is called once each was tried.

    Raises:
        InputError: the environment has settings that are of one platform.
        StateError: the address is taken, or none of the platforms can be served.
    """
    require_shared_environment()
    _allow_open_files()
    log = _log_of([found for each in platforms if (found := _settings(each)) is not None])
    with _listening(host, port) as listener:
        address = url(host, listener.getsockname()[1])

        def begun(hosted: Sequence[Hosted]) -> None:
            announce(address, hosted)
            if hosting.failed:
                server.leave()

        hosting = Hosting(platforms, address=address, log=log, begun=begun, settled=gc.freeze)
        server = _Server(_config(hosting), hosting)
        _run(server, listener)
    if hosting.failed:
        raise StateError(
            "platforms-none-served",
            "none of the platforms can be served",
            help="the log says why of each",
        )


def _allow_open_files() -> None:
    """Have as many files open as the system lets this process: each connection is one, and 1,024 is a usual limit."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(ValueError, OSError):  # a system may name a limit that it does not grant
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def _settings(platform: Platform) -> Settings | None:
    """Return the settings of a platform; None: they cannot be read, which is told when it is opened."""
    try:
        return read_settings(platform.home)
    except ConsentryError:
        return None


def _log_of(settings: Sequence[Settings]) -> AccessLog | None:
    """Begin the log of several homes, and return that of answers: there is one log, as much as the keenest asks for."""
    level = min((each.log_level for each in settings), key=list(LogLevel).index, default=LogLevel.WARNING)
    if any(each.log_format is LogFormat.JSON for each in settings):
        return as_json(level=level)
    as_text(level=level)
    return None


@contextmanager
def _prepared(
    deployment: Deployment, host: str, port: int, *, settled: Callable[[], None] = lambda: None
) -> Iterator[tuple[_Server, socket.socket, str]]:
    with alone(deployment.settings.home), _listening(host, port) as listener:
        log = as_json(level=deployment.settings.log_level) if deployment.settings.log_format == "json" else None
        address = url(host, listener.getsockname()[1])
        with applied(deployment, address=address, log=log, settled=settled) as app:
            yield _Server(_config(app), app.state.watch), listener, address


def _run(server: uvicorn.Server, listener: socket.socket) -> None:
    """Serve until the server is told to stop.

    Raises:
        StateError: what it serves could not start.
    """
    try:
        asyncio.run(server.serve(sockets=[listener]))
    except SystemExit:
        # How uvicorn says so, once it has logged why.
        raise StateError(
            "serve-not-started", "the service could not start", help="the lines before this one say why"
        ) from None


def _config(app: ASGIApp) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http=Connection,
        ws="none",
        # Not "auto": that takes what fails at the start for an application that has none, and serves without it.
        lifespan="on",
        loop="asyncio",
        log_config=None,
        access_log=False,
        server_header=False,
        # Nobody's `X-Forwarded-…` is believed: `site_url` says by which address people come.
        proxy_headers=False,
        timeout_graceful_shutdown=_GRACE_S,
        timeout_keep_alive=75,
    )


class _Waking(Protocol):
    """Those who wait for a change, of one platform or of all."""

    def stop(self) -> None:
        """Send them away. Nothing is kept."""
        ...


class _Server(uvicorn.Server):
    """Sends those who wait for a change away when it stops, and dies of no signal it has obeyed."""

    def __init__(self, config: uvicorn.Config, watch: _Waking) -> None:
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
        if self.force_exit:
            # Told twice, it waits for no answers; what runs beside them is ended all the same.
            await self.lifespan.shutdown()


@contextmanager
def _listening(host: str, port: int) -> Iterator[socket.socket]:
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.create_server(address[:2], family=family, backlog=_BACKLOG)
    except (OSError, UnicodeError) as error:
        require_room(error)
        reason = error.strerror if isinstance(error, OSError) and error.strerror else "no such address"
        raise StateError(
            "serve-address-unusable",
            f"cannot listen at `{host}` port `{port}`: {reason.lower()}",
            help="choose another: --port 0 takes one that is free",
        ) from None
    with listener:
        # What is accepted inherits it. Without, the second part of an answer waits forty milliseconds for the caller's
        # acknowledgement of the first: asyncio sets it only where the socket names its protocol, and this one does not.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
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
