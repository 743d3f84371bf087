"""The files that the documentation shows are the files that it uses."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from consentry.corpus.descriptor import parse_corpus, parse_people
from consentry.policy.policy_parser import load
from consentry.policy.policy_set import run_examples
from consentry.policy.vocabulary import Purpose

DOCS = Path(__file__).parents[2] / "docs"
BLOCK = re.compile(r"^```toml\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def toml_blocks(page: str) -> list[str]:
    return BLOCK.findall((DOCS / page).read_text("utf-8"))


@pytest.mark.parametrize("name", ["corpus.toml", "people.toml"])
def test_getting_started_shows_the_descriptors_it_uses(name: str) -> None:
    (shown,) = (block for block in toml_blocks("getting-started.md") if name in block)
    first, _, rest = shown.partition("\n")
    assert first == f"# docs/examples/network/{name}"
    assert rest == (DOCS / "examples" / "network" / name).read_text("utf-8")


def test_the_descriptors_on_their_page_can_be_read() -> None:
    blocks = toml_blocks("descriptors.md")
    corpora = [parse_corpus(block) for block in blocks if "[corpus]" in block]
    people = [parse_people(block) for block in blocks if "[people]" in block]
    assert corpora
    assert people
    assert len(corpora) + len(people) == len(blocks)


def test_the_policy_on_its_page_can_be_read_and_its_examples_hold() -> None:
    whole = [block for block in toml_blocks("policies.md") if "[policy_set]" in block]
    assert whole
    for block in whole:
        policy = load(block, "policies.md")
        results = run_examples(policy)
        assert results or not any(map(policy.decides, Purpose)), "one that is withdrawn decides about nothing"
        assert [each.failure for each in results if not each.holds] == []
