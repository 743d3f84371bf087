"""docs/modules.md names every module and nothing that is gone; ARCHITECTURE.md every package, on one page."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
ARCHITECTURE = (ROOT / "ARCHITECTURE.md").read_text("utf-8")
MODULES = (ROOT / "docs" / "modules.md").read_text("utf-8")
SOURCE = ROOT / "src" / "consentry"


def shown(page: str = MODULES) -> set[str]:
    """The names in the block that begins with the source folder."""
    _, _, tree = page.partition("```text\nsrc/consentry/\n")
    block, _, _ = tree.partition("```")
    return set(re.findall(r"\b[a-z_]+\.py\b|\b[a-z_]+/", block)) | set(re.findall(r"__main__\.py", block))


def test_the_tree_names_every_module() -> None:
    names = shown()
    connectors = SOURCE / "connectors"
    modules = [path for path in SOURCE.rglob("*.py") if path.name != "__init__.py"]
    unnamed = [
        str(path.relative_to(SOURCE))
        for path in modules
        if path.name not in names
        and connectors not in path.parents
        and not {"cli", "migrations"} & set(path.relative_to(SOURCE).parts[:-1])
    ]
    assert len(modules) > 60
    assert sorted(unnamed) == [], "modules that docs/modules.md does not name"


def test_the_tree_names_nothing_that_is_gone() -> None:
    there = {path.name if path.is_file() else f"{path.name}/" for path in SOURCE.rglob("*")}
    gone = shown() - there - {"people/", "docs/"}
    assert sorted(gone) == [], "names in docs/modules.md that are not in the tree"


def test_the_architecture_names_every_package_and_nothing_that_is_gone() -> None:
    there = {path.name if path.is_file() else f"{path.name}/" for path in SOURCE.rglob("*")}
    packages = {f"{path.parent.name}/" for path in SOURCE.glob("*/__init__.py")}
    assert len(packages) > 10
    assert packages - shown(ARCHITECTURE) == set()
    assert shown(ARCHITECTURE) - there == set()


def test_the_architecture_says_who_may_import_whom_as_the_contract_does() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]["contracts"]
    (layers,) = [each["layers"] for each in contracts if each["id"] == "layers"]
    there = {path.stem for path in SOURCE.iterdir()} - {"__main__"}
    held = [set(re.findall(r"\w+", layer)) & there for layer in layers]
    _, _, told = ARCHITECTURE.partition("## Who may import whom")
    lines = told.partition("```text\n")[2].partition("```")[0].splitlines()
    assert [set(re.findall(r"\w+", line.partition("(")[0])) for line in lines] == [each for each in held if each]


def test_the_architecture_is_one_page() -> None:
    assert len(ARCHITECTURE.splitlines()) <= 110


def test_paths_in_the_documents_exist() -> None:
    documents = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
    broken = [
        f"{document.relative_to(ROOT)}: {target}"
        for document in documents
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", document.read_text("utf-8"))
        if not (document.parent / target).exists()
    ]
    assert broken == []
