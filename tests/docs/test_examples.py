"""The files that the documentation shows are the files that it uses."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from consentry.corpus.descriptor import parse_corpus, parse_people
from consentry.policy.policy_parser import load
from consentry.policy.policy_set import run_examples
from consentry.policy.vocabulary import Purpose
from consentry.service.platforms import read_platforms
from consentry.settings import FOR_ALL, read_settings
from consentry.toml_file import parse

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


@pytest.mark.parametrize("page", ["settings.md", "access.md", "embedding.md", "spark.md"])
def test_settings_that_a_page_shows_can_be_read(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [each for each in os.environ if each.startswith("CONSENTRY_")]:
        monkeypatch.delenv(name)
    blocks = toml_blocks(page)
    assert blocks
    for block in blocks:
        (tmp_path / "consentry.toml").write_text(block, "utf-8")
        found = read_settings(tmp_path).model_dump()
        shown = parse(block)
        assert shown
        assert {name: found[name] for name in shown} == shown


def test_the_platforms_on_their_page_can_be_read(tmp_path: Path) -> None:
    (block,) = toml_blocks("platforms.md")
    (tmp_path / "platforms.toml").write_text(block, "utf-8")
    found = read_platforms(tmp_path / "platforms.toml")
    assert [(each.name, each.host, each.home) for each in found] == [
        ("acme", "consent.acme.example", tmp_path / "acme"),
        ("globex", "privacy.globex.example", Path("/srv/consentry/globex")),
    ]


@pytest.mark.parametrize(
    ("page", "begins"),
    [
        ("settings.md", "Where one server serves several homes, only"),
        ("platforms.md", "The environment is one for all, so only"),
    ],
)
def test_the_settings_of_a_shared_environment_are_all_named(page: str, begins: str) -> None:
    (sentence,) = re.findall(f"{begins} (.*?) may stand", (DOCS / page).read_text("utf-8"), re.DOTALL)
    named = re.findall(r"`([a-z_]+)`", sentence)
    assert (frozenset(named), len(named)) == (FOR_ALL, len(FOR_ALL))
