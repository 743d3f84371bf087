"""Single ids to pseudonyms, under keys that are derived once."""

from __future__ import annotations

from pathlib import Path

import pytest

from consentry.corpus.identities import Pseudonyms
from consentry.corpus.people import PeopleIndex
from consentry.corpus.pseudonym import PseudonymKey, pseudonym
from consentry.errors import InputError

KEY = PseudonymKey(bytes(range(32)))


@pytest.fixture
def names(tmp_path: Path) -> Pseudonyms:
    return Pseudonyms(key=KEY, index=PeopleIndex(tmp_path))


def test_a_person_and_an_item_of_the_same_id_have_their_own_pseudonyms(names: Pseudonyms) -> None:
    assert names.person("ada") == pseudonym(KEY.for_people(), "ada")
    assert names.item("posts", "ada") == pseudonym(KEY.for_items("posts"), "ada")
    assert names.lookup() == (names.index, KEY.for_people())


def test_the_key_of_people_is_derived_once(names: Pseudonyms, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PseudonymKey, "for_people", None)
    assert len({names.person(f"p{number}") for number in range(10)}) == 10


def test_nobody_has_an_empty_id(names: Pseudonyms) -> None:
    with pytest.raises(InputError) as caught:
        names.person("")
    assert caught.value.code == "people-empty-id"


def test_no_key_is_shown(names: Pseudonyms) -> None:
    assert str(KEY.secret) not in repr(names)
    assert repr(KEY.for_people().secret) not in repr(names)
