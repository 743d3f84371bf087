"""Every link between documents leads to a file that is there, and to a heading that it has."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
_BLOCK = re.compile(r"```.*?```", re.DOTALL)
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#+ (.*)$", re.MULTILINE)


def anchors(text: str) -> set[str]:
    """The names by which the headings of a document are linked to."""
    plain = (re.sub(r"[`*_]", "", heading.lower()) for heading in _HEADING.findall(_BLOCK.sub("", text)))
    return {re.sub(r"[^\w\- ]", "", each).strip().replace(" ", "-") for each in plain}


def dead(document: Path) -> Iterator[str]:
    for link in _LINK.findall(_BLOCK.sub("", document.read_text("utf-8"))):
        path, _, anchor = link.partition("#")
        if link.startswith(("http:", "https:", "mailto:")):
            continue
        target = (document.parent / path).resolve() if path else document
        if not target.exists():
            yield f"{document.name}: {link}"
        elif anchor and target.suffix == ".md" and anchor not in anchors(target.read_text("utf-8")):
            yield f"{document.name}: {link}, no such heading"


def test_every_link_leads_somewhere() -> None:
    assert len(DOCUMENTS) > 30
    assert [each for document in DOCUMENTS for each in dead(document)] == []


def test_dead_links_are_noticed(tmp_path: Path) -> None:
    document = tmp_path / "page.md"
    text = "# A `heading`, here\n\n[a](#a-heading-here) [b](#none) [c](missing.md)\n```\n[d](gone.md)\n```\n"
    document.write_text(text)
    assert list(dead(document)) == ["page.md: #none, no such heading", "page.md: missing.md"]
