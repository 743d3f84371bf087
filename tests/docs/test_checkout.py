"""A document is played on the files of the checkout, and not on what its earlier use left there."""

from __future__ import annotations

import subprocess
from pathlib import Path

import checkout as checkouts
import pytest
from snippets import Snippet, Stage

IGNORED = "/.run/\n__pycache__/\n*.egg-info/\n/demo-home/\n/content/\n/benchmarks/data/\n"
KEPT = [".gitignore", "README.md", "docs/page.md", "src/module.py"]
LEFT_BEHIND = [
    ".run/test/stamp",
    "content/corpus.toml",
    "demo-home/this-is-a-demo",
    "src/__pycache__/module.pyc",
    "src/it.egg-info/top",
]


def checkout(folder: Path) -> Path:
    for name in [*KEPT, *LEFT_BEHIND]:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(IGNORED if name == ".gitignore" else "", "utf-8")
    return folder


def git(folder: Path, *words: str) -> None:
    subprocess.run(["git", "-C", folder, *words], check=True, capture_output=True)


@pytest.fixture
def cloned(tmp_path: Path) -> Path:
    folder = checkout(tmp_path / "with a space")
    git(folder, "init")
    git(folder, "add", ".")
    return folder


def test_with_git_it_is_what_git_knows_and_what_is_new_beside_it(cloned: Path) -> None:
    (cloned / "docs" / "new.md").touch()
    (cloned / "my-home").mkdir()
    (cloned / "my-home" / "ledger.db").touch()
    (cloned / "src" / "module.py").unlink()
    expected = {*KEPT, "docs/new.md"} - {"src/module.py"}
    assert {str(path) for path in checkouts.files(cloned)} == expected


@pytest.mark.parametrize("has_git", [False, True])
def test_without_git_it_is_what_is_not_ignored(
    cloned: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, has_git: bool
) -> None:
    (cloned / ".git").rename(tmp_path / "git")
    if not has_git:
        (cloned / ".git").touch()
        monkeypatch.setenv("PATH", "")
    assert {str(path) for path in checkouts.files(cloned)} == {*KEPT} - {".gitignore"}


def test_a_stage_holds_folders_of_its_own(cloned: Path, tmp_path: Path) -> None:
    stage = Stage.build(tmp_path, checkout=cloned)
    for name in ("content", "demo-home"):
        assert not (stage.folder / name).exists()
    body = "mkdir content docs/made && ./run help"
    stage.play(Snippet(language="sh", body=body, where="planted.md:1"), {})
    assert not (cloned / "docs" / "made").exists()
