"""A person at a terminal, in a home of their own, with a small network that is ready for releases."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from consentry.cli.main import main
from end_to_end.network import Form, RawItem, RawPerson, copy_home, descriptor, write_corpus, write_people

ITEMS = [
    RawItem(id="a1", author="ada"),
    RawItem(id="é1", author="bö", involves=("ada",)),
    RawItem(id="x1", author=None),
]
PEOPLE = [RawPerson(id="ada"), RawPerson(id="bö", country="BR")]


class Terminal:
    """A person at a terminal: runs commands in a home, and reads what they print."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder = folder
        self.home = copy_home(folder / "home")
        self.capsys = capsys

    def run(self, *words: object, status: int = 0, as_json: bool = True) -> Any:
        """Run a command, check how it ends, and return what it prints, but for the home that every hint names again."""
        line = ["--home", str(self.home), *(str(word) for word in words)]
        with pytest.raises(SystemExit) as left:
            main([*line, "--json"] if as_json else line)
        shown = self.capsys.readouterr()
        assert left.value.code == status, shown
        if not as_json:
            return (shown.out + shown.err).replace(f"--home {self.home} ", "")
        return json.loads(shown.out) if shown.out else shown.err

    def fails(self, code: str, *words: object) -> dict[str, str]:
        """Run a command that must be refused with a code and help, as a table and as a document."""
        error: dict[str, str] = self.run(*words, status=1)["error"]
        assert error["code"] == code, error
        assert len(error["help"]) > 10
        text = self.run(*words, status=1, as_json=False)
        assert f"[{code}]" in text.replace("\n", "")
        assert "help:" in text
        return error


@pytest.fixture
def terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Terminal:
    return Terminal(tmp_path, capsys)


@pytest.fixture
def ready(terminal: Terminal) -> Terminal:
    terminal.run("corpus", "register", write_corpus(terminal.folder, [ITEMS]))
    terminal.run("people", "load", write_people(terminal.folder / "people", PEOPLE))
    terminal.run("policy", "publish", "september-2024")
    return terminal


def build(terminal: Terminal) -> dict[str, Any]:
    made: dict[str, Any] = terminal.run("release", "build", "network", "--policy", "september-2024")
    return made


def parquet(terminal: Terminal, **columns: pa.Array) -> Path:
    """Write a corpus of one file with other columns than usual, and return its descriptor."""
    rows = max(len(column) for column in columns.values())
    usual: dict[str, Any] = {
        "id": pa.array([f"i{row}" for row in range(rows)]),
        "author_id": pa.array(["ada"] * rows),
        "kind": pa.array(["post"] * rows),
        "seen_by": pa.array(["public"] * rows),
        "rights": pa.array([None] * rows, pa.string()),
        "words": pa.array(["words"] * rows),
    }
    target = terminal.folder / "items" / "0.parquet"
    target.parent.mkdir(exist_ok=True)
    pq.write_table(pa.table({**usual, **columns}), target)
    path = terminal.folder / "corpus.toml"
    made = "timestamp[us, UTC]" if "made" in columns else "none"
    path.write_text(descriptor(Form(created=made, involves="list" if "mentions" in columns else "none")), "utf-8")
    return path
