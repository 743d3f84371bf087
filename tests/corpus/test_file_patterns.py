"""Patterns name the files that `glob` finds by them."""

from __future__ import annotations

import glob
import subprocess
import sys
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
    "circle",
    "*",
    "*/",
    "items/*/",
    "items/**/",
    "*/.",
    "a.parquet/",
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
    (tmp_path / "circle").symlink_to("circle")
    found = matching(tmp_path, pattern)
    assert {each.resolve() for each in found} == expected(tmp_path, pattern)
    assert {each.resolve() for each in matching(tmp_path / "items", f"{tmp_path}/{pattern}")} == expected(
        tmp_path, pattern
    )


@pytest.mark.parametrize("pattern", ["**", "**/*", "**/"])
def test_a_folder_that_holds_a_link_to_itself_has_its_files_once(tmp_path: Path, pattern: str) -> None:
    (tmp_path / "items").mkdir()
    (tmp_path / "items" / "a.parquet").touch()
    (tmp_path / "items" / "all").symlink_to("..")
    found = {each.resolve() for each in matching(tmp_path, pattern)}
    assert found == expected(tmp_path, pattern) == {(tmp_path / "items" / "a.parquet").resolve()}


@pytest.mark.parametrize("pattern", ["*/sub/a.parquet", "shut/sub/a.parquet", "*/sub/*", "*/*/"])
def test_what_this_user_may_not_look_at_is_left_out(tmp_path: Path, pattern: str) -> None:
    for name in ("open", "shut", "listed"):
        (tmp_path / name / "sub").mkdir(parents=True)
        (tmp_path / name / "sub" / "a.parquet").touch()
    for name, mode in (("", 0o755), ("shut", 0), ("listed", 0o644)):
        (tmp_path / name).chmod(mode)
    program = (
        "import os, sys; from pathlib import Path; from consentry.corpus.file_patterns import matching\n"
        "base = Path(sys.argv[1]); os.chdir(base)\n"
        "if not os.getuid(): os.setuid(65534)\n"
        "print(sorted(str(each) for each in matching(Path(), sys.argv[2])))"
    )
    found = subprocess.run(
        [sys.executable, "-c", program, tmp_path, pattern], check=True, capture_output=True, text=True
    )
    for name in ("shut", "listed"):
        (tmp_path / name).chmod(0o755)
    assert found.stdout.strip() == str([] if pattern.startswith("shut") else ["open/sub/a.parquet"])
