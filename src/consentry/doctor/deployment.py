"""The deployment: its folder, settings, ledger and keys, and whether they belong together."""

from __future__ import annotations

import os
import shlex
import sqlite3
import stat
from collections.abc import Iterator
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.exc import SQLAlchemyError

from consentry.corpus.pseudonym import PseudonymKey
from consentry.digests import digest
from consentry.doctor.finding import Finding, State, unreadable
from consentry.doctor.installation import EXTRAS, get_extra, is_installed
from consentry.doctor.machine import nearest_existing
from consentry.doctor.oversight import oversight
from consentry.errors import ConsentryError, InputError
from consentry.identity import IDENTITY_FILE, Identity, require_ledger, require_pseudonym_key, require_signing_key
from consentry.ledger.schema import LedgerIdentity, identity_of
from consentry.policy.choice import Seconds
from consentry.settings import SETTINGS_FILE, Settings

PSEUDONYM_KEY_BYTES = 32
_CONNECT_TIMEOUT_S = 5
_LEDGER_PURPOSE = "everything that was said, in order"


def home(home: Path) -> Finding:
    """Return whether the folder can be used, and by its owner only."""
    purpose = "the folder of the deployment"
    if home.exists() and not home.is_dir():
        remedy = "name another folder with --home or CONSENTRY_HOME"
        return Finding(name="home", state=State.PROBLEM, found=f"{home} is a file", purpose=purpose, remedy=remedy)
    if not os.access(nearest_existing(home), os.W_OK | os.X_OK):
        found = f"{home} is not writable for this user"
        remedy = "change its owner, or name another folder with --home or CONSENTRY_HOME"
        return Finding(name="home", state=State.PROBLEM, found=found, purpose=purpose, remedy=remedy)
    if not home.exists():
        found = f"{home} does not exist"
        return Finding(name="home", state=State.MISSING, found=found, purpose=purpose, remedy="it is made on first use")
    mode = stat.S_IMODE(home.stat().st_mode)
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        found = f"{home} is open to others, mode {mode:04o}: it holds what everybody chose, and lists of people"
        remedy = f"chmod 700 {shlex.quote(str(home))}"
        return Finding(name="home", state=State.PROBLEM, found=found, purpose=purpose, remedy=remedy)
    return Finding(name="home", state=State.OK, found=str(home), purpose=purpose)


def settings(settings: Settings) -> Finding:
    """Return which settings file was read."""
    file = settings.home / SETTINGS_FILE
    found = str(file) if file.exists() else "no settings file: environment and defaults"
    return Finding(name="settings", state=State.OK, found=found, purpose="how this deployment runs")


def ledger(settings: Settings) -> Finding:
    """Return whether the ledger answers."""
    return _sqlite(settings.ledger) if settings.ledger.startswith("sqlite") else _postgres(settings.ledger)


def _sqlite(url: str) -> Finding:
    path = Path(url.removeprefix("sqlite:///"))
    engine = f"SQLite {sqlite3.sqlite_version}"
    if not path.exists():
        found = f"{engine}: {path} does not exist"
        remedy = "it is made on first use"
        return Finding(name="ledger", state=State.MISSING, found=found, purpose=_LEDGER_PURPOSE, remedy=remedy)
    try:
        connection = _read_only(path)
        try:
            connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        finally:
            connection.close()
    except sqlite3.Error as error:
        found = f"{engine}: {path}: {error}"
        remedy = "restore it from a backup; do not delete it"
        return Finding(name="ledger", state=State.PROBLEM, found=found, purpose=_LEDGER_PURPOSE, remedy=remedy)
    return Finding(name="ledger", state=State.OK, found=f"{engine}: {path}", purpose=_LEDGER_PURPOSE)


def _read_only(path: Path) -> sqlite3.Connection:
    """Connect so that looking cannot create or repair anything."""
    return sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=_CONNECT_TIMEOUT_S)


def _postgres(url: str) -> Finding:
    if not is_installed("psycopg"):
        found = "PostgreSQL, but its driver is not installed"
        remedy = get_extra(EXTRAS["postgres"])
        return Finding(name="ledger", state=State.PROBLEM, found=found, purpose=_LEDGER_PURPOSE, remedy=remedy)
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
        return Finding(name="ledger", state=State.PROBLEM, found=found, purpose=_LEDGER_PURPOSE, remedy=remedy)
    return Finding(name="ledger", state=State.OK, found=f"PostgreSQL {version}", purpose=_LEDGER_PURPOSE)


def _engine(url: str) -> Engine:
    if url.startswith("sqlite"):
        return create_engine("sqlite://", creator=lambda: _read_only(Path(url.removeprefix("sqlite:///"))))
    return create_engine(url, connect_args={"connect_timeout": _CONNECT_TIMEOUT_S})


def due(settings: Settings, at: Seconds) -> list[Finding]:
    """Return what an authority would miss at `at`."""
    try:
        return oversight(_engine(settings.ledger), settings.home / "objects", at=at)
    except (SQLAlchemyError, ImportError):
        return []


def keys(folder: Path) -> list[Finding]:
    """Return whether the keys are there, whole and private."""
    return [
        _key(folder / "pseudonym.key", purpose="turning ids into pseudonyms; who has it can recognise people"),
        _key(folder / "signing.key", purpose="signing manifests; who has it can forge releases"),
    ]


def _key(path: Path, *, purpose: str) -> Finding:
    try:
        status = path.stat()
    except FileNotFoundError:
        remedy = "it is made on first use; if the deployment is in use already, restore it from a backup"
        return Finding(name=path.name, state=State.MISSING, found="none", purpose=purpose, remedy=remedy)
    except OSError as error:
        return unreadable(path.name, error, purpose=purpose)
    mode = stat.S_IMODE(status.st_mode)
    found = f"{status.st_size} bytes, mode {mode:04o}"
    remedy = ""
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        remedy = f"others can read or change it: chmod 600 '{path}'"
    elif path.name == "pseudonym.key" and status.st_size != PSEUDONYM_KEY_BYTES:
        remedy = f"it must have {PSEUDONYM_KEY_BYTES} bytes: restore it from a backup"
    state = State.PROBLEM if remedy else State.OK
    return Finding(name=path.name, state=state, found=found, purpose=purpose, remedy=remedy)


def identity(settings: Settings) -> Finding:
    """Compare what an opening would compare, as far as it can be read."""

    def finding(state: State, found: str, *, remedy: str = "") -> Finding:
        purpose = "telling the ledger and the keys of this deployment from others"
        return Finding(name="identity", state=state, found=found, purpose=purpose, remedy=remedy)

    path = settings.home / IDENTITY_FILE
    try:
        bound = Identity.from_bytes(path.read_bytes()) if path.exists() else None
        unread = [*_compare(settings, bound)]
    except ConsentryError as error:
        return finding(State.PROBLEM, error.message, remedy=error.help)
    except OSError as error:
        return finding(State.PROBLEM, error.strerror or type(error).__name__, remedy="let this user read it")
    if bound is None:
        return finding(State.MISSING, "none", remedy="it is made when the deployment is next opened")
    if unread:
        return finding(State.MISSING, f"not compared: {', '.join(unread)}", remedy="see what is said of it above")
    return finding(State.OK, f"this home, its keys and ledger {bound.ledger} belong together")


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
