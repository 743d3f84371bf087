"""What the documentation shows works."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import shown
from snippets import SnippetError, Stage, left_out, snippets

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])


NOT_RUN = {
    "docs/authority.md": ["it needs somebody who is signed in; tests/service/test_signed_concerns.py does the same"],
    "docs/containers.md": ["needs something that runs containers"],
    "docs/descriptors.md": ["needs a database of yours; tests/end_to_end/test_people_tables.py makes one"],
    "docs/getting-started.md": [
        "needs packages that the core has not; ./run test readers reads releases with all of them"
    ],
    "docs/ledger.md": [
        "needs a second disk; tests/end_to_end/test_restored_homes.py has a second folder",
        "needs a PostgreSQL server; tests/ledger/test_stores.py starts one",
    ],
    "docs/platforms.md": ["it runs until it is stopped"],
    "docs/serving.md": ["it runs until it is stopped"],
    "docs/spark.md": ["needs Spark; ./run test spark does"],
    "docs/training.md": [
        "installs into an environment of the reader's",
        "needs PyTorch and a control plane; tests/train trains like this",
        "needs transformers and a control plane; tests/train trains like this",
        "needs transformers and a control plane; tests/train does the same",
        "needs a journal and a control plane",
        "needs a server and a release; the demo runs it",
    ],
}
"""What no test of a document runs, and why. Another one is to be run, or to be put here with a reason as good."""
_LOOKS_RUNNABLE = re.compile(r"```\s*(?:sh|bash|shell|console|python|py)\b", re.IGNORECASE)
"""Whatever stands before it: more than `snippets` knows to run."""


def require_all_run(text: str, *, name: str, folder: Path) -> int:
    found = list(snippets(text, name=name))
    if found:
        namespace: dict[str, object] = {"__name__": "__snippet__"}
        stage = Stage.build(folder, checkout=ROOT)
        for snippet in found:
            stage.play(snippet, namespace)
    return len(found)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_snippet_of_a_document_runs(document: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CONSENTRY_HOME", str(tmp_path / "home"))
    text = document.read_text("utf-8")
    ran = require_all_run(text, name=str(document.relative_to(ROOT)), folder=tmp_path)
    assert ran == len(_LOOKS_RUNNABLE.findall(text)) - len(left_out(text)), "a block is neither run nor left out"


def test_what_is_not_run_is_known() -> None:
    found = {document.relative_to(ROOT).as_posix(): left_out(document.read_text("utf-8")) for document in DOCUMENTS}
    assert {name: why for name, why in found.items() if why} == NOT_RUN


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
        "```sh\n$ ./run consentry policy list\nno-such-policy\n...\n```\n",
        "```sh\n$ ./run consentry policy list\n...\nno-such-policy\n...\n$ ./run help\n```\n",
        "```sh\n./run consentry policy list\n```\n<!-- output -->\n```text\nno-such-policy\n```\n",
        "<!-- output -->\n```text\noutput of nothing\n```\n",
    ],
)
def test_control_a_snippet_that_is_wrong_is_noticed(text: str, tmp_path: Path) -> None:
    with pytest.raises(SnippetError, match=r"planted\.md:\d|Expected"):
        require_all_run(text, name="planted.md", folder=tmp_path)


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("```sh\n./run help\n```\n", 1),
        ("<!-- not run: needs a server -->\n```sh\nls\n```\n", 0),
        ("<!-- exit: 2 -->\n\n```sh\n./run nothing\n```\n", 1),
        ("```text\n./run nothing\n```\n", 0),
        ("<!-- first\n```sh\n./run help > seen.txt\n```\n-->\n```sh\ntest -f seen.txt && ./run help\n```\n", 2),
        ("```python\nx = 1\n```\n```python\n>>> x\n1\n```\n", 2),
        ("```sh\n$ ./run consentry policy list\n...\naugust-2024 ...\n...\n$ ./run help\n```\n", 1),
        ("```sh\n./run consentry policy list\n```\n<!-- output -->\n```text\n...\naugust-2024 ...\n...\n```\n", 1),
        ("```sh\n./run help > seen.txt\n```\n```sh\ntest -f seen.txt && ./run help\n```\n", 2),
    ],
)
def test_a_snippet_that_is_right_passes(text: str, count: int, tmp_path: Path) -> None:
    assert require_all_run(text, name="planted.md", folder=tmp_path) == count


def test_commands_are_told_from_output_and_continued_lines_are_kept() -> None:
    assert shown.script("$ a \\\n    b\noutput\n$ c\n") == "printf '\\036'\na \\\n    b\nprintf '\\036'\nc\n"
    assert shown.script("a\nb\n") == "a\nb\n"


@pytest.mark.parametrize(
    ("output", "printed", "fits"),
    [
        ("one\ntwo\n", "one\n\ntwo  \n", True),
        ("one\n...\nfour\n", "one\ntwo\nthree\nfour\n", True),
        ("...\ntwo ... four\n...\n", "two three four\n", True),
        ("Done in 8 s.\n", "Done in 12.5 s.\n", True),
        ("one\n", "one\ntwo\n", False),
        ("two\n", "one\ntwo\n", False),
        ("one\nthree\n", "one\ntwo\nthree\n", False),
        ("...\ntwo\none\n", "one\ntwo\n", False),
        ("8 items\n", "9 items\n", False),
        ("a  b\n", "a b\n", False),
    ],
)
def test_what_counts_in_an_output(output: str, printed: str, *, fits: bool) -> None:
    found = [*shown.differences("", output, printed=printed)]
    assert bool(found) != fits
    assert bool([*shown.differences(f"$ ./run\n{output}", "", printed=f"\x1e{printed}")]) != fits


def test_a_difference_names_the_line() -> None:
    (found,) = shown.differences("", "one\n...\nfour\nsix\n", printed="one\ntwo\nfour\nfive\n")
    assert "`six`" in found
