"""A home that is served: held against other servers, with its address written down, as an application.

serve.lock          held while a server runs: only one may answer renewals
serve.json          the address and a token that shows the leases, while it runs; one that was killed leaves
                    it behind, and the next overwrites it
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from fastapi import FastAPI

from consentry.bootstrap import Deployment
from consentry.digests import canonical_json
from consentry.durable import only_one, replace_file
from consentry.errors import StateError
from consentry.home import ADDRESS_FILE
from consentry.service.app import create_app
from consentry.service.auth import workload_token
from consentry.service.logs import AccessLog

LOCK_FILE = "serve.lock"


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
def applied(
    deployment: Deployment,
    *,
    address: str,
    platform: tuple[str, str] | None = None,
    log: AccessLog | None = None,
    settled: Callable[[], None] = lambda: None,
) -> Iterator[FastAPI]:
    """Yield the application of a deployment while the block lasts. Whoever calls this holds `alone`.

    Args:
        deployment: what is served.
        address: where this machine reaches it.
        platform: its name and its host, where several are served at that address.
        log: is written a line for each answer.
        settled: is called when what the application keeps is in memory.
    """
    home = deployment.settings.home
    named = platform or ("", "")
    with deployment.admission() as admission:
        deployment.control.leases.take_over()
        token = workload_token(home / "keys")
        app = create_app(deployment, admission, token=token, platform=named, log=log, settled=settled)
        told = {"url": address, "view": app.state.view} | ({"host": named[1]} if named[1] else {})
        replace_file(home / ADDRESS_FILE, canonical_json(told), mode=0o600)
        try:
            yield app
        finally:
            (home / ADDRESS_FILE).unlink(missing_ok=True)
