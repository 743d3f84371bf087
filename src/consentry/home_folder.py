"""Where the home of a deployment is. It imports next to nothing: who only asks that does not wait for settings."""

from __future__ import annotations

import os
from pathlib import Path

HOME_VARIABLE = "CONSENTRY_HOME"
DEFAULT_HOME = Path("consentry-home")


def home_folder(named: Path | None) -> Path:
    """Return the folder that was named, by somebody or by the environment; else the one of that name here."""
    return (named or Path(os.environ.get(HOME_VARIABLE) or DEFAULT_HOME)).expanduser().absolute()
