"""What is known of sidecars of which nothing can be told, and which names are free."""

from __future__ import annotations

from pathlib import Path

import pytest

from consentry.corpus.broken import NOTHING, Broken, forget, note, noted
from consentry.corpus.sidecar_names import SidecarNames


@pytest.mark.parametrize(
    "broken", [Broken(frozenset({"a", "b-2"}), everything=False), Broken(frozenset(), everything=True)]
)
def test_what_was_broken_is_known_until_it_is_forgotten(tmp_path: Path, broken: Broken) -> None:
    assert noted(tmp_path) == NOTHING
    note(tmp_path, broken)
    note(tmp_path, NOTHING)
    assert noted(tmp_path) == broken
    forget(tmp_path, NOTHING)
    assert noted(tmp_path) == broken
    forget(tmp_path, broken)
    forget(tmp_path, broken)
    assert noted(tmp_path) == NOTHING


def test_what_another_registration_noted_since_stays(tmp_path: Path) -> None:
    note(tmp_path, Broken(frozenset({"a", "b"}), everything=True))
    forget(tmp_path, Broken(frozenset({"a", "c"}), everything=False))
    assert noted(tmp_path) == Broken(frozenset({"b"}), everything=True)
    forget(tmp_path, Broken(frozenset(), everything=True))
    assert noted(tmp_path) == Broken(frozenset({"b"}), everything=False)


@pytest.mark.parametrize("damaged", [b"", b"{", b"[]", b'{"sidecars": 1}'])
def test_a_note_that_cannot_be_read_is_of_everything(tmp_path: Path, damaged: bytes) -> None:
    (tmp_path / "broken.json").write_bytes(damaged)
    assert noted(tmp_path) == Broken(frozenset(), everything=True)


def test_a_name_that_is_taken_never_comes_again(tmp_path: Path) -> None:
    for name in ("ab", "ab-10", "ab-11.staged", "ab-copy", "cd-2", "other"):
        (tmp_path / name).mkdir()
    names = SidecarNames(["ab-9", "ef"], folder=tmp_path, behind=0)
    assert names.of("ab") == ["ab", "ab-9", "ab-10"]
    assert [names.free(key) for key in ("ab", "cd", "ef", "12")] == ["ab-11", "cd-3", "ef-2", "12"]
    beyond = SidecarNames(["ab-9"], folder=tmp_path / "none", behind=20)
    assert [beyond.free(key) for key in ("ab", "12")] == ["ab-21", "12-21"]
