"""The machine: its memory, and the disk a home is on."""

from __future__ import annotations

import shutil
from pathlib import Path

from consentry.doctor.finding import Finding, State, unreadable

MINIMUM_FREE_BYTES = 1 << 30
_MIB = 1 << 20


def memory() -> Finding:
    """Return whether enough memory is available."""
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


def disk(home: Path) -> Finding:
    """Return whether the disk of a home has room."""
    purpose = "sidecars and releases; content is never copied unless you ask for it"
    try:
        free = shutil.disk_usage(nearest_existing(home)).free
    except OSError as error:
        return unreadable("disk", error, purpose=purpose)
    fits = free >= MINIMUM_FREE_BYTES
    return Finding(
        name="disk",
        state=State.OK if fits else State.PROBLEM,
        found=f"{free // _MIB} MiB free",
        purpose=purpose,
        remedy="" if fits else f"free some: at least {MINIMUM_FREE_BYTES // _MIB} MiB for a small deployment",
    )


def nearest_existing(path: Path) -> Path:
    """Return the path, or the nearest folder above it that exists."""
    return next(folder for folder in (path, *path.parents) if folder.exists())


def _available_memory() -> int | None:
    try:
        lines = Path("/proc/meminfo").read_text("ascii").splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:")), None)
