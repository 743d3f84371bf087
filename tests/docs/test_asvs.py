"""docs/asvs.csv and docs/asvs.md say what is there: the tests, the headings, the modules, the counts."""

from __future__ import annotations

import ast
import csv
import re
from collections import Counter
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "consentry"
PAGE = (ROOT / "docs" / "asvs.md").read_text("utf-8")
COLUMNS = ["id", "level", "chapter", "asks", "applies", "met", "how", "tests"]
LEVELS = {"1": 70, "2": 183, "3": 92}
"""How many requirements the standard has of each level."""
GUARDS = {"argon2", "authlib", "cryptography", "hashlib", "hmac", "joserfc", "secrets", "ssl"}
CONNECTS = {
    *("aiohttp", "fsspec", "ftplib", "http.client", "http.server", "httpx", "httpx2", "requests", "smtplib", "socket"),
    *("socketserver", "telnetlib", "urllib.request", "urllib3", "uvicorn", "websockets", "xmlrpc"),
}
DANGEROUS = {"ctypes", "importlib", "marshal", "multiprocessing", "pickle", "runpy", "shelve", "subprocess", "xml"}
PARTS = {"http", "urllib"}
"""Packages of which only parts open connections."""


def rows() -> list[dict[str, str]]:
    with (ROOT / "docs" / "asvs.csv").open(encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file, strict=True)
        found = list(reader)
        assert reader.fieldnames == COLUMNS
    return found


def test_each_requirement_stands_once_and_in_known_words() -> None:
    found = rows()
    assert [name for name, count in Counter(row["id"] for row in found).items() if count > 1] == []
    assert Counter(row["level"] for row in found) == LEVELS
    for row in found:
        assert re.fullmatch(r"5\.0\.0-\d+\.\d+\.\d+", row["id"]), row
        assert row["chapter"], row
        assert row["asks"], row
        assert row["how"], row
        assert row["met"] in {"yes": {"yes", "partly", "no"}, "no": {""}}[row["applies"]], row
        assert bool(row["tests"]) == (row["met"] in {"yes", "partly"}), row
        assert len({*row["tests"].split()}) == len(row["tests"].split()), row
    assert [row["id"] for row in found] == [row["id"] for row in sorted(found, key=_place)]


def _place(row: dict[str, str]) -> list[int]:
    return [int(part) for part in row["id"].removeprefix("5.0.0-").split(".")]


def test_every_named_test_is_there() -> None:
    named = {test for row in rows() for test in row["tests"].split()}
    assert len(named) > 100
    assert sorted(test for test in named if not _is_there(test)) == []


def test_control_a_test_that_is_gone_is_noticed() -> None:
    assert _is_there("tests/docs/test_asvs.py::test_every_named_test_is_there")
    assert not _is_there("tests/docs/test_asvs.py::test_that_is_gone")
    assert not _is_there("tests/docs/test_gone.py::test_every_named_test_is_there")
    assert not _is_there("tests/docs/test_asvs.py")


def _is_there(test: str) -> bool:
    path, _, name = test.partition("::")
    return name in _tests_of(ROOT / path) if (ROOT / path).is_file() else False


@cache
def _tests_of(path: Path) -> frozenset[str]:
    tree = ast.parse(path.read_text("utf-8"))
    return frozenset(each.name for each in tree.body if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef))


def test_what_a_row_points_at_is_written() -> None:
    targets = {target for row in rows() for target in re.findall(r"[\w/.]+\.md(?:#[\w-]+)?", row["how"])}
    assert len(targets) > 10
    for target in targets:
        path, _, heading = target.partition("#")
        assert (ROOT / path).is_file(), target
        if heading:
            assert heading in _headings((ROOT / path).read_text("utf-8")), target


def _headings(text: str) -> set[str]:
    """The names by which a page's headings are linked to."""
    found = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in found}


def test_the_page_counts_what_the_table_says() -> None:
    found = rows()
    for level, whole in LEVELS.items():
        met = Counter(row["met"] for row in found if row["level"] == level)
        line = f"| {level} | {whole} | {met['']} | {met['yes']} | {met['partly']} | {met['no']} |"
        assert line in PAGE, f"docs/asvs.md has to say: {line}"


def test_what_is_not_met_stands_in_the_threat_model() -> None:
    _, _, text = (ROOT / "THREAT_MODEL.md").read_text("utf-8").partition("## What OWASP ASVS asks and we do not do")
    listed = re.findall(r"\b\d+\.\d+\.\d+\b", text.partition("\n## ")[0])
    assert Counter(listed) == Counter(row["id"].removeprefix("5.0.0-") for row in rows() if row["met"] == "no")


def test_the_page_names_every_module_that_guards_or_signs() -> None:
    written = _section("Keys and algorithms")
    guards, _, plays = written.partition("`random`")
    assert _modules(guards) == _that_import(GUARDS)
    assert _modules(plays) == _that_import({"random"})


def test_the_page_names_every_module_that_connects() -> None:
    assert _modules(_section("Connections")) == _that_import(CONNECTS)


def test_the_page_names_every_dangerous_part() -> None:
    assert _modules(_section("Dangerous parts")) == _that_import(DANGEROUS)
    for path in SOURCE.rglob("*.py"):
        assert not _called(path) & {"eval", "exec", "__import__"}, path
        assert not re.search(r"shell=True|os\.system|os\.popen", path.read_text("utf-8")), path


def _section(heading: str) -> str:
    _, _, text = PAGE.partition(f"\n## {heading}\n")
    assert text, heading
    return text.partition("\n## ")[0]


def _modules(text: str) -> set[str]:
    return set(re.findall(r"`([\w/]+\.py)`", text))


def _that_import(wanted: set[str]) -> set[str]:
    return {str(path.relative_to(SOURCE)) for path in SOURCE.rglob("*.py") if _imported(path) & wanted}


@cache
def _imported(path: Path) -> frozenset[str]:
    names: set[str] = set()
    for each in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(each, ast.Import):
            names |= {alias.name for alias in each.names}
        elif isinstance(each, ast.ImportFrom) and each.module is not None:
            names |= {each.module, *(f"{each.module}.{alias.name}" for alias in each.names)}
    return frozenset(names | {name.partition(".")[0] for name in names})


def _called(path: Path) -> set[str]:
    calls = [each.func for each in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(each, ast.Call)]
    return {call.id for call in calls if isinstance(call, ast.Name)}


def test_control_a_module_that_is_not_named_is_noticed(tmp_path: Path) -> None:
    planted = tmp_path / "planted.py"
    planted.write_text("import json\n\n\ndef f():\n    from urllib import request\n    return eval('1')\n", "utf-8")
    assert _imported(planted) & CONNECTS == {"urllib.request"}
    assert _called(planted) == {"eval"}


@pytest.mark.parametrize(
    "word", [r"verify\s*=\s*False", "CERT_NONE", "_create_unverified_context", "check_hostname = "]
)
def test_nothing_switches_the_check_of_certificates_off(word: str) -> None:
    assert [path for path in SOURCE.rglob("*.py") if re.search(word, path.read_text("utf-8"))] == []


@pytest.mark.parametrize("module", ["oversight/lease.py", "service/auth.py", "service/gate.py", "service/oidc.py"])
def test_secrets_are_compared_in_the_same_time(module: str) -> None:
    calls = [
        each.func for each in ast.walk(ast.parse((SOURCE / module).read_text("utf-8"))) if isinstance(each, ast.Call)
    ]
    assert "compare_digest" in {call.attr for call in calls if isinstance(call, ast.Attribute)}


def test_no_redirect_is_followed() -> None:
    for path in SOURCE.rglob("*.py"):
        text = path.read_text("utf-8")
        assert "follow_redirects=True" not in text, path
        assert "urlopen" not in text, f"{path}: follows redirects by itself"


def test_no_weak_hash_is_named() -> None:
    for path in SOURCE.rglob("*.py"):
        assert not re.search(r"(?i)\bmd5\b|\bsha1\b|\bsha-1\b|\brc4\b|\b3?des\(", path.read_text("utf-8")), path
