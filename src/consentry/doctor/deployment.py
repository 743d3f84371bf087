"""The deployment: its folder, its settings, a ledger in SQLite, its keys. Nothing here needs a package of the core."""

from __future__ import annotations

import os
import shlex
import sqlite3
import stat
from pathlib import Path

from consentry.doctor.finding import Finding, State, unreadable
from consentry.doctor.machine import nearest_existing
from consentry.home import holds_deployment
from consentry.settings import SETTINGS_FILE, SQLITE, Settings

PSEUDONYM_KEY_BYTES = 32
CONNECT_TIMEOUT_S = 5
LEDGER_PURPOSE = "everything that was said, in order"
_TABLES = frozenset({"alembic_version", "head", "events", "personal"})


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
        remedy = "if the name is right, `consentry init` makes it"
        return Finding(name="home", state=State.MISSING, found=found, purpose=purpose, remedy=remedy)
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


def second_note(settings: Settings) -> Finding:
    """Return whether the newest event is noted where it is not restored with the home."""
    purpose = "noticing a whole home that is restored from an older backup, which has forgotten refusals and orders"
    folder, remedy = settings.second_notes, "name a folder on another disk in the setting `acknowledged_folder`"
    if folder is None:
        state, found = State.MISSING, "none: an older copy of the whole home would be taken for the newest"
    elif not folder.is_dir():
        state, found, remedy = State.PROBLEM, f"{folder} is no folder", "mount its disk: nothing is opened without it"
    elif folder.stat().st_dev == settings.home.stat().st_dev:
        state, found = State.MISSING, f"{folder} is on the disk of the home: what restores that disk restores both"
    else:
        state, found, remedy = State.OK, str(folder), ""
    return Finding(name="second note", state=state, found=found, purpose=purpose, remedy=remedy)


def controller(settings: Settings) -> Finding:
    """Return who is named as responsible on the public pages. The law wants a name there (GDPR Art. 13(1)(a))."""
    purpose = "who is responsible: on the public pages, in what is published, and in what objectors read"
    if settings.controller_name:
        return Finding(name="controller", state=State.OK, found=settings.controller_name, purpose=purpose)
    found = "nobody is named: the pages say `whoever runs this platform`"
    remedy = f"set `controller_name` and `controller_contact` in {SETTINGS_FILE}"
    return Finding(name="controller", state=State.MISSING, found=found, purpose=purpose, remedy=remedy)


def is_new(settings: Settings) -> bool:
    """Return whether there is nothing yet that could be asked: no keys, no identity, no ledger."""
    return settings.ledger_file is not None and not holds_deployment(settings)


def sqlite(url: str) -> Finding:
    """Return whether a ledger in SQLite answers."""
    path = Path(url.removeprefix(SQLITE))
    engine = f"SQLite {sqlite3.sqlite_version}"
    if not path.exists():
        found = f"{engine}: {path} does not exist"
        remedy = "it is made with the deployment: consentry init"
        return Finding(name="ledger", state=State.MISSING, found=found, purpose=LEDGER_PURPOSE, remedy=remedy)
    try:
        connection = read_only(path)
        try:
            tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        finally:
            connection.close()
    except sqlite3.Error as error:
        found = f"{engine}: {path}: {error}"
        remedy = "restore it from a backup; do not delete it"
        return Finding(name="ledger", state=State.PROBLEM, found=found, purpose=LEDGER_PURPOSE, remedy=remedy)
    if not tables >= _TABLES:
        found = f"{engine}: {path} is no ledger"
        remedy = "restore the ledger from a backup; if nothing was ever recorded here, move the file away"
        return Finding(name="ledger", state=State.PROBLEM, found=found, purpose=LEDGER_PURPOSE, remedy=remedy)
    return Finding(name="ledger", state=State.OK, found=f"{engine}: {path}", purpose=LEDGER_PURPOSE)


def read_only(path: Path) -> sqlite3.Connection:
    """Connect so that looking cannot create or repair anything."""
    return sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=CONNECT_TIMEOUT_S)


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
        remedy = "it is made with the deployment: consentry init; if that is in use already, restore it from a backup"
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


def identity(state: State, found: str, *, remedy: str = "") -> Finding:
    """Return what was found of whether the ledger and the keys belong to this home."""
    purpose = "telling the ledger and the keys of this deployment from others"
    return Finding(name="identity", state=state, found=found, purpose=purpose, remedy=remedy)


def no_identity() -> Finding:
    """Return the finding about a home that is not bound to a ledger and keys yet."""
    return identity(State.MISSING, "none", remedy="it is made when the deployment is next opened")
