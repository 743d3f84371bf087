"""The files of a checkout: what belongs to it, and nothing that its use left behind (homes, content, environments)."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path


def files(checkout: Path) -> list[Path]:
    """Return them, relative to the checkout: as git knows them, or without git whatever .gitignore does not name.

    A new file in a folder that git knows belongs to it, even before it is added. A new folder at the top does not:
    it is somebody's output.
    """
    if not (checkout / ".git").exists():
        return sorted(_not_ignored(checkout))
    try:
        tracked = _git(checkout, "--cached")
    except (OSError, subprocess.CalledProcessError):
        return sorted(_not_ignored(checkout))
    known = {path.parts[0] for path in tracked if len(path.parts) > 1}
    new = [path for path in _git(checkout, "--others", "--exclude-standard") if path.parts[0] in known]
    return sorted(path for path in {*tracked, *new} if (checkout / path).is_file())


def _git(checkout: Path, *which: str) -> list[Path]:
    command = ["git", "-C", str(checkout), "ls-files", "-z", *which]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=True)
    return [Path(name) for name in done.stdout.decode().split("\0") if name]


def _not_ignored(checkout: Path) -> Iterator[Path]:
    lines = (checkout / ".gitignore").read_text("utf-8").split()
    at_the_top = [line.strip("/") for line in lines if "/" in line.rstrip("/")]
    anywhere = [line.strip("/") for line in lines if "/" not in line.rstrip("/")]
    for entry in checkout.iterdir():
        if not entry.name.startswith(".") and not any(fnmatch(entry.name, each) for each in at_the_top):
            yield from _below(entry, checkout=checkout, ignored=anywhere)


def _below(entry: Path, *, checkout: Path, ignored: list[str]) -> Iterator[Path]:
    path = entry.relative_to(checkout)
    if any(fnmatch(entry.name, each) or fnmatch(str(path), each) for each in ignored):
        return
    if not entry.is_dir():
        yield path
        return
    for each in entry.iterdir():
        yield from _below(each, checkout=checkout, ignored=ignored)
