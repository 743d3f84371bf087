"""Patterns name the files that `glob` finds by them."""

from __future__ import annotations

import glob
from pathlib import Path

import pytest

from consentry.corpus.file_patterns import matching

_FILES = (
    "a.parquet",
    "b.csv",
    ".c.parquet",
    "items/a.parquet",
    "items/.b.parquet",
    "items/_c.parquet",
    "items/d.parquet/e.parquet",
    "items/2024/a.parquet",
    "items/2024/01/a.csv",
    "items/2025/01/b.parquet",
    "items/_old/f.parquet",
    "items/.hidden/g.parquet",
    "[odd]/h.parquet",
)
_PATTERNS = (
    "*.parquet",
    "a.parquet",
    "./a.parquet",
    "nothing",
    "items",
    "items/",
    "items/*",
    "items/*/*",
    "items/*/a.parquet",
    "items/*/01/*.csv",
    "items/202[45]/**/*",
    "items/../*.csv",
    "items/a.parquet/*",
    "items/.*",
    "items/.hidden/*",
    "**",
    "**/*.parquet",
    "**/01/*",
    "*/**/a.*",
    "items/**",
    "[[]odd]/*",
    "linked/*",
    "*/2024/*",
    "broken",
)


def expected(base: Path, pattern: str) -> set[Path]:
    found: set[Path] = set()
    for each in (base / name for name in glob.iglob(pattern, root_dir=base, recursive=True)):  # noqa: PTH207
        below = [path for path in each.rglob("*.parquet") if path.is_file()] if each.is_dir() else []
        found |= {each} if each.is_file() else set()
        found |= {path for path in below if not any(part[0] in "._" for part in path.relative_to(each).parts)}
    return {path.resolve() for path in found}


@pytest.mark.parametrize("pattern", _PATTERNS)
def test_patterns_name_what_glob_finds(tmp_path: Path, pattern: str) -> None:
    for name in _FILES:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    (tmp_path / "linked").symlink_to("items")
    (tmp_path / "broken").symlink_to("nowhere")
    found = matching(tmp_path, pattern)
    assert {each.resolve() for each in found} == expected(tmp_path, pattern)
    assert {each.resolve() for each in matching(tmp_path / "items", f"{tmp_path}/{pattern}")} == expected(
        tmp_path, pattern
    )
