"""Items that somebody objected to are looked for once in each file, and found again when anything is otherwise."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from consentry.bootstrap import Deployment
from consentry.corpus.sidecar import Span
from consentry.policy.library import shipped
from consentry.policy.policy_parser import load
from consentry.release import reaching
from end_to_end.network import populated, write_items
from end_to_end.test_story import GENAI, ITEMS, NOW, PEOPLE, POLICY

FILES = [ITEMS[:4], ITEMS[4:]]


def looked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Note each file that is looked through."""
    found: list[str] = []
    look = reaching._rows_of_keys

    def noted(span: Span, keys: Any) -> Any:
        if keys.size:
            found.append(Path(span.sidecar.pin.path).name)
        return look(span, keys)

    monkeypatch.setattr(reaching, "_rows_of_keys", noted)
    return found


def plan(deployment: Deployment) -> dict[str, Any]:
    policy = load(shipped()[POLICY], POLICY)
    told = deployment.control.releases.plan("network", GENAI, policy=policy, at=NOW).to_json()
    return dict(told["counts"]["by_reason"])


def object_to(deployment: Deployment, item: str) -> None:
    filed = deployment.control.objections.file("a picture", answer_to="zoe", purpose=GENAI)
    deployment.control.objection_queue.match_items(filed.objection, {item}, corpus="network", by="sam")


def test_a_file_is_looked_through_once_for_the_same_items(monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = str(ITEMS[0].id), str(ITEMS[-1].id)
    with populated(FILES, PEOPLE, POLICY) as (folder, deployment):
        seen = looked(monkeypatch)
        plan(deployment)
        assert seen == [], "nobody objected to anything"
        object_to(deployment, first)
        seen.clear()
        told = plan(deployment)
        assert (sorted(seen), plan(deployment)) == (["0.parquet", "1.parquet"], told)
        assert len(seen) == 2, "the second plan knows where they are"
        assert told["objected"] == 1
        object_to(deployment, second)
        seen.clear()
        assert plan(deployment)["objected"] == 2
        assert sorted(seen) == ["0.parquet", "1.parquet"]
        # A file that is written anew holds its items in other rows: it alone is looked through again.
        seen.clear()
        write_items(folder / "items" / "1.parquet", FILES[1][::-1])
        deployment.control.statements.register_corpus(folder / "corpus.toml")
        assert plan(deployment)["objected"] == 2
        assert seen == ["1.parquet"]


@pytest.mark.parametrize("width", [1, 2, 1_000])
def test_a_file_in_parts_has_the_rows_of_the_whole(width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reaching, "_SPAN_ROWS", width)
    with populated(FILES, PEOPLE, POLICY) as (_, deployment):
        corpus = deployment.control.desk.corpus("network")
        wanted = frozenset(deployment.item("network", str(item.id)) for item in ITEMS[::2])
        files = [sidecar.version() for sidecar in corpus.sidecars]
        runner = deployment.control.desk.parts.runner
        kept = reaching.kept_rows(None, corpus.sidecars, files=files, items=wanted, threads=runner)
        for sidecar, rows in zip(corpus.sidecars, kept.of(files), strict=True):
            assert rows.dtype == np.uint32
            assert rows.tolist() == reaching.rows_of_items(sidecar, wanted).tolist() != []
