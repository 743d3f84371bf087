"""What is found out by asking the ledger and the keys: whether it answers, what belongs together, what is due.

It needs packages of the core: whoever looks at a machine without a deployment does not wait for them.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.exc import SQLAlchemyError

from consentry.corpus.pseudonym import PseudonymKey
from consentry.digests import digest
from consentry.doctor import deployment
from consentry.doctor.deployment import CONNECT_TIMEOUT_S, LEDGER_PURPOSE, read_only
from consentry.doctor.finding import Finding, State
from consentry.doctor.history import history
from consentry.doctor.installation import EXTRAS, get_extra, is_installed
from consentry.doctor.oversight import oversight
from consentry.errors import ConsentryError, InputError
from consentry.identity import IDENTITY_FILE, Identity, require_ledger, require_pseudonym_key, require_signing_key
from consentry.ledger.schema import LedgerIdentity, identity_of
from consentry.policy.choice import Seconds
from consentry.settings import SQLITE, Settings


def ledger(settings: Settings) -> Finding:
    """Return whether the ledger answers."""
    url = settings.ledger
    return deployment.sqlite(url) if url.startswith(SQLITE) else _postgres(url)


def _postgres(url: str) -> Finding:
    if not is_installed("psycopg"):
        found = "PostgreSQL, but its driver is not installed"
        remedy = get_extra(EXTRAS["postgres"])
        return Finding(name="ledger", state=State.PROBLEM, found=found, purpose=LEDGER_PURPOSE, remedy=remedy)
    try:
        engine = _engine(url)
        try:
            with engine.connect() as connection:
                version = connection.execute(text("SHOW server_version")).scalar_one()
        finally:
            engine.dispose()
    except SQLAlchemyError as error:
        # Only the kind of error: its text can repeat the address, and with it the password.
        found = f"PostgreSQL does not answer ({type(error).__name__})"
        remedy = "check `ledger_url`, and that the server runs and lets this user in"
        return Finding(name="ledger", state=State.PROBLEM, found=found, purpose=LEDGER_PURPOSE, remedy=remedy)
    return Finding(name="ledger", state=State.OK, found=f"PostgreSQL {version}", purpose=LEDGER_PURPOSE)


def _engine(url: str) -> Engine:
    if url.startswith(SQLITE):
        return create_engine("sqlite://", creator=lambda: read_only(Path(url.removeprefix(SQLITE))))
    return create_engine(url, connect_args={"connect_timeout": CONNECT_TIMEOUT_S})


def due(settings: Settings, at: Seconds) -> list[Finding]:
    """Return what an authority would miss at `at`."""
    try:
        return oversight(_engine(settings.ledger), settings.home, at=at)
    except (SQLAlchemyError, ImportError):
        return []


def events(settings: Settings) -> list[Finding]:
    """Return whether anything is missing of what was said."""
    try:
        known = _ledger_identity(settings.ledger)
    except (SQLAlchemyError, ConsentryError, ImportError):
        return []  # said of the ledger itself
    return history(_engine(settings.ledger), settings, ledger="" if known is None else known.ledger)


def identity(settings: Settings) -> Finding:
    """Compare what an opening would compare, as far as it can be read."""
    path = settings.home / IDENTITY_FILE
    try:
        bound = Identity.from_bytes(path.read_bytes()) if path.exists() else None
        unread = [*_compare(settings, bound)]
    except ConsentryError as error:
        return deployment.identity(State.PROBLEM, error.message, remedy=error.help)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        return deployment.identity(State.PROBLEM, reason, remedy="let this user read it")
    if bound is None:
        return deployment.no_identity()
    if unread:
        missed = f"not compared: {', '.join(unread)}"
        return deployment.identity(State.MISSING, missed, remedy="see what is said of it above")
    return deployment.identity(State.OK, f"home, keys and ledger {bound.ledger} belong together")


def _compare(settings: Settings, bound: Identity | None) -> Iterator[str]:
    """Yield what cannot be read, and raise the error of what does not fit."""
    try:
        ledger = _ledger_identity(settings.ledger)
    except (SQLAlchemyError, ImportError):
        yield "the ledger"
        ledger = None
    else:
        if bound is not None:
            require_ledger(bound.ledger, None if ledger is None else ledger.ledger)
    keys = settings.home / "keys"
    try:
        fingerprint = PseudonymKey((keys / "pseudonym.key").read_bytes()).fingerprint()
        for known in (bound and bound.pseudonym_key, ledger and ledger.pseudonym_key):
            require_pseudonym_key(known or fingerprint, fingerprint)
    except (OSError, InputError):
        yield "pseudonym.key"
    try:
        signing = Ed25519PrivateKey.from_private_bytes((keys / "signing.key").read_bytes())
        key_id = digest(signing.public_key().public_bytes_raw())
        require_signing_key(key_id if bound is None else bound.signing_key, key_id)
    except (OSError, ValueError):
        yield "signing.key"


def _ledger_identity(url: str) -> LedgerIdentity | None:
    engine = _engine(url)
    try:
        with engine.connect() as connection:
            return identity_of(connection)
    finally:
        engine.dispose()
