"""Homes whose ledger is in SQLite or in a PostgreSQL server of our own, which runs as long as it is needed."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from consentry.ledger.postgres import migrate_postgres

sys.path.insert(0, str(Path(__file__).parents[2] / "tests"))
from end_to_end.network import quick_folder
from ledger import conftest, postgres_server

STORES = ("sqlite", "postgres")


@contextmanager
def server_of(store: str) -> Iterator[str | None]:
    """Yield the address of a PostgreSQL server, or None where none is needed. Settings of the caller do not count."""
    for name in [name for name in os.environ if name.startswith("CONSENTRY_")]:
        del os.environ[name]
    if store == "sqlite":
        yield None
        return
    with postgres_server.running() as url:
        yield url


@contextmanager
def fresh_home(server: str | None, *, quick: bool = False) -> Iterator[Path]:
    """Yield an empty folder, with the environment set for a ledger there or on the server.

    `quick` puts it where nothing is flushed to a disk: for what is not about durability.
    """
    with tempfile.TemporaryDirectory(dir=quick_folder() if quick else None) as name, ExitStack() as stack:
        if server is not None:
            url = conftest._within(server, stack.enter_context(conftest._database(server, template="template0")))
            migrate_postgres(url)
            os.environ["CONSENTRY_LEDGER_URL"] = url.replace("postgresql://", "postgresql+psycopg://")
            os.environ["CONSENTRY_LEDGER_REPLICA_REQUIRED"] = "false"
        try:
            yield Path(name)
        finally:
            os.environ.pop("CONSENTRY_LEDGER_URL", None)
            os.environ.pop("CONSENTRY_LEDGER_REPLICA_REQUIRED", None)
