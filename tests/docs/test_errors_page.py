"""Every error code in the source stands in docs/errors.md, and every code there can still occur."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "consentry"
PAGE = ROOT / "docs" / "errors.md"

DIRECT = re.compile(
    r"(policy|descriptor|corpus|people|choice|ledger|release|settings|home|demo|item|object|identity|key|signing|order|case|notice|assessment|lease|serve|amendment|model|account|accounts|access|sign-in|destruction|checkpoint|consumption|loader|objection|receipt|public|system|internal|statement|download|form|proposal|person|list|idempotency|webhook|decision|platform|platforms|trainer|runner)"
    r"(-[a-z0-9]+)+"
)
NOT_CODES = {
    "account-closed",
    "person-unknown",
    "policy-approver",
    "demo-home",
    "demo-officer",
    "demo-authority",
    "objection-queue",
    "objection-steps",
    "public-task",
    "key-id",
    "key-of",
    "order-id",
    "model-checkpoints",
    "idempotency-key",
    "idempotency-replayed",
    "webhook-id",
    "webhook-timestamp",
    "webhook-signature",
}
"""Strings that look like codes: a gap, a role, a folder, fields of Iceberg, a part of an address, names of headers."""
FAMILIES = {"CORPUS": "corpus", "PEOPLE": "people", "CHOICES": "choice"}
TABULAR = ("corpus", "people", "choice")


class Codes:
    """What one reading of the source found: codes that must be documented, and others that may be."""

    def __init__(self) -> None:
        self.required: set[str] = set()
        self.possible: set[str] = set()

    def read(self, tree: ast.Module) -> None:
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and DIRECT.fullmatch(node.value):
                self.required.update({node.value} - NOT_CODES)
            elif isinstance(node, ast.Call):
                self._call(node, tree)

    def _call(self, call: ast.Call, tree: ast.Module) -> None:
        """Codes put together from a family and a problem: of tables, and of schemas that do not fit."""
        if called(call) == "refusal" and isinstance(call.func, ast.Attribute):
            family = FAMILIES.get(ast.unparse(call.func.value))
            for problem in texts(call.args[:1]):
                self._tabular(problem, family)
        elif called(call) == "_refusal":
            for problem in texts(call.args[1:2]):
                self.required.add(f"choice-{problem}")
            if any(isinstance(argument, ast.JoinedStr) for argument in call.args[1:2]):
                words = [each for each in ast.walk(tree) if isinstance(each, ast.Call) and called(each) == "_word"]
                self.required.update(f"choice-unknown-{what}" for each in words for what in texts(each.args[1:2]))
        elif called(call) == "_Misfit":
            self.required.update(f"{family}-{problem}" for family in TABULAR[:2] for problem in texts(call.args[:1]))

    def _tabular(self, problem: str, family: str | None) -> None:
        """A helper that serves every kind of table does not say which kinds it meets: one is enough."""
        self.required.add(f"{family or TABULAR[0]}-{problem}")
        self.possible.update(f"{each}-{problem}" for each in ([family] if family else TABULAR))


def called(call: ast.Call) -> str:
    return call.func.attr if isinstance(call.func, ast.Attribute) else ast.unparse(call.func)


def texts(nodes: list[ast.expr]) -> Iterator[str]:
    return (node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str))


def codes(sources: Iterator[str]) -> Codes:
    found = Codes()
    for source in sources:
        found.read(ast.parse(source))
    return found


def documented(page: str) -> list[str]:
    """The codes in the first cells of the tables."""
    rows = (line.split("|")[1] for line in page.splitlines() if line.startswith("| `"))
    return [code for cell in rows for code in re.findall(r"`([^`]+)`", cell)]


def test_every_code_is_explained() -> None:
    found = codes(path.read_text("utf-8") for path in sorted(SOURCE.rglob("*.py")))
    explained = documented(PAGE.read_text("utf-8"))
    assert len(found.required) > 100, "the reading of the source found next to nothing"
    assert sorted(found.required - set(explained)) == [], "codes that docs/errors.md does not explain"
    assert sorted(set(explained) - found.required - found.possible) == [], "codes that nothing raises any more"
    assert sorted(code for code in explained if explained.count(code) > 1) == [], "codes that are explained twice"


@pytest.mark.parametrize(
    ("source", "required"),
    [
        ('raise PolicyError("policy-new", "...", help="...")', {"policy-new"}),
        ('kind = "ledger-new" if late else "ledger-newer"', {"ledger-new", "ledger-newer"}),
        ('raise PEOPLE.refusal("new", "...", advice="...")', {"people-new"}),
        ('raise family.refusal("new", "...", advice="...")', {"corpus-new"}),
        ('raise _refusal(row, "new", "...", "...")', {"choice-new"}),
        (
            '_word(row, "new", word, words)\n_refusal(row, f"unknown-{what}", "...", "...")',
            {"choice-unknown-new"},
        ),
        ('return _Misfit("new", "...", "...")', {"corpus-new", "people-new"}),
        ('name = "key-id"', set()),
        ('text = "the ledger-new is here"', set()),
    ],
)
def test_control_a_new_code_is_noticed(source: str, required: set[str]) -> None:
    assert codes(iter([source])).required == required
