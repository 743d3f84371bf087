from __future__ import annotations

import copy
import pickle
import re

import consentry.errors
from consentry.errors import ConsentryError, PolicyError, UnavailableError

_ROW = re.compile(r"^    (?P<indent>[│├└─ ]*)(?P<name>[A-Z]\w+Error)\b", re.MULTILINE)


def drawn() -> dict[str, str | None]:
    """The tree in the docstring, as class name -> name of the parent."""
    found: dict[str, str | None] = {}
    above: list[str] = []
    for row in _ROW.finditer(consentry.errors.__doc__ or ""):
        depth = len(row["indent"]) // 4
        found[row["name"]] = above[depth - 1] if depth else None
        above[depth:] = [row["name"]]
    return found


def actual() -> dict[str, str | None]:
    found: dict[str, str | None] = {}
    waiting: list[tuple[type[ConsentryError], str | None]] = [(ConsentryError, None)]
    while waiting:
        kind, parent = waiting.pop()
        if kind.__module__ == consentry.errors.__name__:
            found[kind.__name__] = parent
            waiting += [(child, kind.__name__) for child in kind.__subclasses__()]
    return found


def test_the_drawn_tree_is_the_tree() -> None:
    assert drawn() == actual()
    assert len(drawn()) > 10


def test_no_error_is_defined_outside_the_tree() -> None:
    defined = {
        name
        for name, value in vars(consentry.errors).items()
        if isinstance(value, type) and issubclass(value, BaseException)
    }
    assert defined == set(actual())


def test_an_error_says_where_what_and_which() -> None:
    error = PolicyError("policy-syntax", "a text does not end", help="close the quotes", where="a.toml:3")
    assert str(error) == "a.toml:3: a text does not end [policy-syntax]"
    assert error.to_json() == {
        "code": "policy-syntax",
        "message": "a text does not end",
        "help": "close the quotes",
        "where": "a.toml:3",
    }


def test_without_a_place_none_is_named() -> None:
    error = PolicyError("policy-syntax", "a text does not end", help="close the quotes")
    assert str(error) == "a text does not end [policy-syntax]"
    assert "where" not in error.to_json()


def test_only_an_unavailable_store_is_worth_a_retry() -> None:
    transient = {name for name in actual() if getattr(consentry.errors, name).transient}
    assert transient == {UnavailableError.__name__}


def test_every_error_is_the_same_in_another_process() -> None:
    kinds = [ConsentryError]
    for kind in kinds:
        kinds += kind.__subclasses__()
    for kind in kinds:
        error = kind.__new__(kind, "words")
        ConsentryError.__init__(error, "a-code", "some `words`", help="do it", where="here:1")
        error.more = (PolicyError("b-code", "further", help="do that"),)
        error.add_note("seen elsewhere")
        for again in (pickle.loads(pickle.dumps(error)), copy.copy(error)):
            assert type(again) is kind
            assert (again.code, str(again), again.help) == ("a-code", "here:1: some `words` [a-code]", "do it")
            assert [str(each) for each in again.more] == ["further [b-code]"]
            assert again.__notes__ == error.__notes__
