from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from consentry.connectors.synthetic.generate import CHOICES_FILE, FILES, generate
from consentry.connectors.synthetic.kinds import AUDIENCES, KINDS
from consentry.connectors.tabular.choices import read_choices
from consentry.corpus.descriptor import check_schema, parse_corpus, parse_people, resolve_files
from consentry.policy.vocabulary import Category, ChoiceState, Reach, Visibility

PEOPLE, ITEMS = 1_500, 12_000


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("synthetic") / "network"
    generate(folder, people=PEOPLE, items=ITEMS, seed=3)
    return folder


def rows(path: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = pq.read_table(path).to_pylist()
    return found


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_descriptors_describe_what_was_made_up(network: Path) -> None:
    corpus = parse_corpus((network / "corpus.toml").read_text())
    files = resolve_files(corpus, network)
    assert len(files) == FILES
    for path in files:
        check_schema(corpus, pq.read_schema(path), filename=path.name)
    assert sum(pq.ParquetFile(path).metadata.num_rows for path in files) == ITEMS
    people = parse_people((network / "people.toml").read_text())
    check_schema(people, pq.read_schema(network / "people.parquet"), filename="people.parquet")
    assert "synthetic" in (network / "README.txt").read_text()


def test_the_same_seed_gives_the_same_bytes_in_any_process(network: Path, tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from consentry.connectors.synthetic.generate import generate; "
        f"generate(Path(sys.argv[1]), people={PEOPLE}, items={ITEMS}, seed=int(sys.argv[2]))"
    )
    for name, seed in (("same", "3"), ("other", "4")):
        environment = os.environ | {"PYTHONHASHSEED": seed}
        subprocess.run([sys.executable, "-c", program, str(tmp_path / name), seed], check=True, env=environment)
    assert contents(tmp_path / "same") == contents(network)
    assert contents(tmp_path / "other")["people.parquet"] != contents(network)["people.parquet"]


def test_every_kind_and_audience_occurs_and_nearly_all_are_known(network: Path) -> None:
    table = pq.read_table(network / "items", columns=["kind", "audience", "body", "media_path"])
    kinds = Counter(table.column("kind").to_pylist())
    assert set(kinds) == {kind.word for kind in KINDS}
    known = {kind.category for kind in KINDS} - {None}
    assert known == set(Category) - {Category.UNKNOWN}
    assert 0 < kinds["story_highlight_v2"] < ITEMS * 0.01
    assert set(table.column("audience").to_pylist()) == set(AUDIENCES)
    assert set(AUDIENCES.values()) == set(Visibility) - {Visibility.UNKNOWN}
    for kind, body, media in zip(
        *(table.column(name).to_pylist() for name in ("kind", "body", "media_path")), strict=True
    ):
        assert (media is not None) == (kind in ("photo", "video", "voice_note"))
        assert (body is None) == (media is not None)
        assert body is None or (body == body.rstrip() and "{" not in body)


def test_the_gaps_of_real_platforms_occur(network: Path) -> None:
    items = rows(network / "items")
    people = {person["id"]: person for person in rows(network / "people.parquet")}
    assert len({item["id"] for item in items}) == ITEMS
    assert 0 < sum(item["author_id"] is None for item in items) < ITEMS * 0.03
    assert 0 < sum(item["created_at"] is None for item in items) < ITEMS * 0.02
    involved = [person for item in items for person in item["involves"]]
    assert None in involved
    assert any(person and person.startswith("guest") and person in people for person in involved)
    assert any(person and person.startswith("guest") and person not in people for person in involved)
    assert max(len(item["involves"]) for item in items) > 3
    assert not any(item["author_id"] is not None and item["author_id"] in item["involves"] for item in items)
    members = [person for person in people.values() if person["state"] != "guest"]
    assert len(members) == PEOPLE
    assert {person["state"] for person in members} == {"open", "sleeping", "deleted", None}
    assert any(person["birth_year"] is None for person in members)
    assert any((person["birth_year"] or 0) >= 2008 for person in members)
    assert any(person["main_account"] in people for person in members)
    signals = ("country", "location", "phone", "locale", "ip_country")
    assert any(person["time_zone"] and not any(person[signal] for signal in signals) for person in members)
    assert len({person["country"] for person in members}) > 30


def test_a_few_people_write_most_and_minors_only_lately(network: Path) -> None:
    items = rows(network / "items")
    written = Counter(item["author_id"] for item in items if item["author_id"])
    top = sum(count for _, count in written.most_common(PEOPLE // 10))
    assert top > 0.35 * ITEMS
    minors = {person["id"] for person in rows(network / "people.parquet") if (person["birth_year"] or 0) >= 2008}
    years = {item["created_at"].year for item in items if item["author_id"] in minors and item["created_at"]}
    assert years <= {2023, 2024}
    assert {item["created_at"].year for item in items if item["created_at"]} >= set(range(2012, 2025))


def test_the_choices_are_of_every_shape_and_can_be_read(network: Path) -> None:
    choices = list(read_choices(network / CHOICES_FILE))
    items = {item["id"]: item["author_id"] for item in rows(network / "items")}
    people = {person["id"] for person in rows(network / "people.parquet")}
    refused = [choice for choice in choices if choice.state is ChoiceState.REFUSED]
    assert 0.06 < len({choice.person for choice in refused}) / PEOPLE < 0.11
    assert {choice.reach for choice in refused} == set(Reach)
    assert {choice.state for choice in choices} == set(ChoiceState)
    assert any(choice.categories for choice in choices)
    singles = [(choice.person, item) for choice in choices for item in choice.items]
    assert singles
    assert all(items[item] in (person, None) for person, item in singles)
    assert any(choice.person.startswith("guest") for choice in choices)
    assert any(choice.person.startswith("m9") and choice.person not in people for choice in choices)
    assert [choice.at for choice in choices] == sorted(choice.at for choice in choices)


def test_progress_counts_items_and_small_networks_are_possible(tmp_path: Path) -> None:
    seen: list[int] = []
    summary = generate(tmp_path / "small", people=2, items=7, progress=seen.append)
    assert (sum(seen), summary.items, summary.people) == (7, 7, 2)
    assert pq.read_table(tmp_path / "small/items").num_rows == 7
    assert pq.read_schema(tmp_path / "small/people.parquet").field("id").type == pa.string()
    with pytest.raises(ValueError, match="two people"):
        generate(tmp_path / "lonely", people=1)
