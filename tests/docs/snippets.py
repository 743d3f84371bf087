"""Runs what the documentation shows.

Every fenced `sh` and `python` block of a document is run, from top to bottom, in one temporary folder with one
deployment: later blocks build on earlier ones.

* `sh`: with `consentry` on the path and a `./run` that passes on to it. If lines begin with `$ `, these are commands
  and the rest is their output, which is compared.
* `text` with `<!-- output -->` on the line before it: the output of the `sh` block above, which is compared.
* `python`: in one namespace; a block with `>>>` is a doctest, and its output is compared.
* `<!-- not run: REASON -->` on the line before a block leaves it out; `<!-- exit: N -->` expects another exit code.
* A block in a comment (`<!-- WHY`, the block, `-->`) is run and not shown: what the next one needs to be there.
* Other languages (`text`, `toml`, `json`, ...) are not run.

How outputs are compared is said in `shown.py`.
"""

from __future__ import annotations

import contextlib
import doctest
import os
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import checkout as checkouts
import shown
import warm

TIMEOUT_S = 300
_FENCE = re.compile(r"^( *)```(?P<language>\w*)[^\n]*\n(?P<body>.*?)^\1```\s*$", re.MULTILINE | re.DOTALL)
_NOT_RUN = re.compile(r"<!-- not run: \S.* -->$")
_EXIT = re.compile(r"<!-- exit: (\d+) -->$")
_OUTPUT = "<!-- output -->"
_OWN_COMMANDS = ("./run", "consentry")

_RUN = """#!/bin/sh
# Stands in for the real ./run: no set-up, and no tests inside the tests. Whoever has just played the demo says what it
# printed.
case $1 in
  demo) [ -z "${DEMO_PRINTED:-}" ] || exec cat "$DEMO_PRINTED"; exec consentry "$@" ;;
  consentry) shift; exec consentry "$@" ;;
  test | lint | bench | lock | help) exit 0 ;;
  *) echo "unknown command: $1" >&2; exit 2 ;;
esac
"""


class SnippetError(AssertionError):
    """A snippet does not do what the document says."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Snippet:
    """One block to run. `where` is file:line; `output` is what the document shows of it in a block of its own."""

    language: str
    body: str
    where: str
    exit_code: int = 0
    output: str = ""


def left_out(text: str) -> list[str]:
    """Return why blocks of a document are not run, in order."""
    return re.findall(r"^ *<!-- not run: (\S.*) -->$", text, re.MULTILINE)


def snippets(text: str, *, name: str) -> Iterator[Snippet]:
    """Yield the blocks of a document that are to be run, in order.

    Raises SnippetError if an output is shown of nothing.
    """
    last: Snippet | None = None
    for match in _FENCE.finditer(text):
        before = text[: match.start()].rstrip().rpartition("\n")[2].strip()
        body = "".join(line.removeprefix(match[1]) for line in match["body"].splitlines(keepends=True))
        where = f"{name}:{text.count(chr(10), 0, match.start()) + 1}"
        if before == _OUTPUT:
            if last is None or last.language != "sh" or last.output:
                raise SnippetError(f"{where}: the output of what? There is no `sh` block above it")
            last = replace(last, output=body)
        elif match["language"] in ("sh", "python") and not _NOT_RUN.search(before):
            if last is not None:
                yield last
            expected = _EXIT.search(before)
            code = int(expected[1]) if expected else 0
            last = Snippet(language=match["language"], body=body, where=where, exit_code=code)
    if last is not None:
        yield last


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """Where one document is played: a folder that looks like a checkout, with a deployment of its own."""

    folder: Path
    programs: Path

    @classmethod
    def build(cls, folder: Path, *, checkout: Path) -> Stage:
        stage = cls(folder=folder / "checkout", programs=folder / "bin")
        stage.folder.mkdir()
        stage.programs.mkdir()
        for path in checkouts.files(checkout):
            if path != Path("run"):
                (stage.folder / path).parent.mkdir(parents=True, exist_ok=True)
                (stage.folder / path).symlink_to(checkout / path)
        _program(stage.programs / "consentry", warm.program())
        _program(stage.folder / "run", _RUN)
        return stage

    def play(self, snippet: Snippet, namespace: dict[str, Any]) -> None:
        """Run one snippet. Raises SnippetError if it does not end as the document says."""
        if snippet.language == "sh":
            self._shell(snippet)
            return
        with contextlib.chdir(self.folder):  # as those in shell: one reads what the other wrote
            _doctest(snippet, namespace) if ">>>" in snippet.body else _python(snippet, namespace)

    def _shell(self, snippet: Snippet) -> None:
        script = shown.script(snippet.body)
        if not any(command in script for command in _OWN_COMMANDS):
            raise SnippetError(f"{snippet.where}: runs nothing of ours: put `<!-- not run: REASON -->` before it")
        environment = {name: value for name, value in os.environ.items() if not name.startswith("CONSENTRY_")}
        environment |= {
            "PATH": f"{self.programs}{os.pathsep}{os.environ['PATH']}",
            "CONSENTRY_HOME": str(self.folder.parent / "home"),
            "COLUMNS": "120",
        }
        done = subprocess.run(
            ["sh", "-eu", "-c", script],
            cwd=self.folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
        )
        if done.returncode != snippet.exit_code:
            code = f"exit code {done.returncode}, expected {snippet.exit_code}"
            raise SnippetError(f"{snippet.where}: {code}\n{script}\n{done.stdout}{done.stderr}")
        for difference in shown.differences(snippet.body, snippet.output, printed=done.stdout):
            raise SnippetError(f"{snippet.where}: {difference}\n{done.stdout}")


def _program(path: Path, text: str) -> None:
    path.write_text(text, "utf-8")
    path.chmod(0o755)


def _python(snippet: Snippet, namespace: dict[str, Any]) -> None:
    try:
        exec(compile(snippet.body, snippet.where, "exec", dont_inherit=True), namespace)
    except Exception as error:
        raise SnippetError(f"{snippet.where}: {type(error).__name__}: {error}\n{snippet.body}") from error


def _doctest(snippet: Snippet, namespace: dict[str, Any]) -> None:
    test = doctest.DocTestParser().get_doctest(snippet.body, namespace, snippet.where, snippet.where, 0)
    report: list[str] = []
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
    runner.run(test, out=report.append, clear_globs=False)
    namespace.update(test.globs)
    if runner.failures:
        raise SnippetError("".join(report))
