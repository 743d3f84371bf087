"""Where a real Stack Exchange dump is, for the tests that can use one; they make something up if there is none.

CONSENTRY_TEST_STACKEXCHANGE names the folder of a dump, of one site. Without it one is looked for beside the checkout.
"""

from __future__ import annotations

import os
from pathlib import Path

VARIABLE = "CONSENTRY_TEST_STACKEXCHANGE"
BESIDE = Path(__file__).parents[2] / "shared" / "data" / "stackexchange" / "conlang.meta"


def dump() -> Path | None:
    """Return the folder of a dump, None if there is none. One that is named is taken, even if it is not there."""
    named = os.environ.get(VARIABLE)
    return Path(named) if named else BESIDE if BESIDE.is_dir() else None
