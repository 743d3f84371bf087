"""An application that cannot start is not served: without its look-out no order would reach a job."""

from __future__ import annotations

import logging
import resource
import socket
import threading

import pytest
from starlette.types import Receive, Scope, Send

from consentry.errors import StateError
from consentry.service.server import _allow_open_files, _config, _run, _Server


class Nobody:
    """Nobody waits for a change."""

    def stop(self) -> None:
        return None


@pytest.mark.parametrize("begun", [False, True])
def test_what_fails_at_the_start_is_not_served(caplog: pytest.LogCaptureFixture, *, begun: bool) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        assert scope["type"] == "lifespan"
        await receive()
        if not begun:
            raise BrokenPipeError
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.complete"})

    with caplog.at_level(logging.CRITICAL, "uvicorn.error"), socket.create_server(("127.0.0.1", 0)) as listener:
        server = _Server(_config(app), Nobody())
        stopping = threading.Timer(1, server.leave)
        stopping.start()
        try:
            if begun:
                _run(server, listener)
                return
            with pytest.raises(StateError, match="serve-not-started"):
                _run(server, listener)
            assert not server.started
        finally:
            stopping.join()


def test_a_server_has_as_many_files_open_as_it_may() -> None:
    before = soft, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(soft, 1024), most))
    try:
        _allow_open_files()
        assert resource.getrlimit(resource.RLIMIT_NOFILE) == (most, most)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
