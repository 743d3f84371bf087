"""What the documentation shows works."""

from __future__ import annotations

from pathlib import Path

import pytest
from snippets import SnippetError, Stage, commands, snippets

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])


def play(text: str, *, name: str, folder: Path) -> int:
    stage = Stage.build(folder, checkout=ROOT)
    namespace: dict[str, object] = {"__name__": "__snippet__"}
    found = list(snippets(text, name=name))
    for snippet in found:
        stage.play(snippet, namespace)
    return len(found)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_snippet_of_a_document_runs(document: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CONSENTRY_HOME", str(tmp_path / "home"))
    play(document.read_text("utf-8"), name=str(document.relative_to(ROOT)), folder=tmp_path)


@pytest.mark.parametrize(
    "text",
    [
        "```sh\n./run nothing\n```\n",
        "```sh\n$ ./run help\n$ ./run nothing\noutput\n```\n",
        "```sh\n./run help | false\n```\n",
        "```sh\nls\n```\n",
        "<!-- exit: 3 -->\n```sh\n./run help\n```\n",
        "1. step\n\n   ```sh\n   ./run nothing\n   ```\n",
        "```python\nraise ValueError\n```\n",
        "```python\nimport consentry.nothing\n```\n",
        "```python\n>>> 1 + 1\n3\n```\n",
        "```python\nx = 1\n```\n```python\nassert x == 2\n```\n",
        "<!-- not run: -->\n```sh\n./run nothing\n```\n",
    ],
)
def test_control_a_snippet_that_is_wrong_is_noticed(text: str, tmp_path: Path) -> None:
    with pytest.raises(SnippetError, match=r"planted\.md:\d|Expected"):
        play(text, name="planted.md", folder=tmp_path)


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("```sh\n./run help\n```\n", 1),
        ("<!-- not run: needs a server -->\n```sh\nls\n```\n", 0),
        ("<!-- exit: 2 -->\n\n```sh\n./run nothing\n```\n", 1),
        ("```text\n./run nothing\n```\n", 0),
        ("```python\nx = 1\n```\n```python\n>>> x\n1\n```\n", 2),
        ("```sh\n./run help > seen.txt\n```\n```sh\ntest -f seen.txt && ./run help\n```\n", 2),
    ],
)
def test_a_snippet_that_is_right_passes(text: str, count: int, tmp_path: Path) -> None:
    assert play(text, name="planted.md", folder=tmp_path) == count


def test_output_is_left_out_and_continued_lines_are_kept() -> None:
    assert commands("$ a \\\n    b\noutput\n$ c\n") == "a \\\n    b\nc\n"
    assert commands("a\nb\n") == "a\nb\n"
