"""docs/access.md says what the table says."""

from __future__ import annotations

from pathlib import Path

from access_table import table

PAGE = Path(__file__).parents[2] / "docs" / "access.md"


def test_the_page_has_the_table() -> None:
    assert table() in PAGE.read_text(), "write it anew: .run/test/bin/python tests/docs/access_table.py"
