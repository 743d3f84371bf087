"""`--json` on every command: each takes it, and each has a document to print. A new one without it fails here."""

from __future__ import annotations

import ast
import inspect
import json
import textwrap
from collections.abc import Callable, Iterator
from typing import Any

import click
import pytest

from consentry.cli.main import cli, main

OF_THE_COMMAND_LINE = "consentry.cli"


def leaves(group: click.Group, *words: str) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    for name in group.list_commands(click.Context(group)):
        found = group.resolve_command(click.Context(group), [name])[1]
        assert found is not None
        if isinstance(found, click.Group):
            yield from leaves(found, *words, name)
        else:
            yield (*words, name), found


LEAVES = dict(leaves(cli))


def prints_a_document(function: Any, seen: set[str] | None = None) -> bool:
    """Say whether a function of the command line, or one that it names there, shows a result as `Output.show` does."""
    seen = set() if seen is None else seen
    function = inspect.unwrap(function) if callable(function) else None
    if not inspect.isfunction(function) or not function.__module__.startswith(OF_THE_COMMAND_LINE):
        return False
    name = f"{function.__module__}.{function.__qualname__}"
    if name in seen:
        return False
    seen.add(name)
    named = [each for each in ast.walk(ast.parse(textwrap.dedent(inspect.getsource(function)))) if _is_name(each)]
    if any(isinstance(each, ast.Attribute) and each.attr == "show" and _is_output(each.value) for each in named):
        return True
    return any(prints_a_document(each, seen) for each in (_meant(name, function.__globals__) for name in named))


def _is_name(node: ast.AST) -> bool:
    return isinstance(node, ast.Name | ast.Attribute)


def _is_output(place: ast.expr) -> bool:
    return ast.unparse(place).rpartition(".")[2] in {"out", "output"}


def _meant(place: ast.AST, names: dict[str, Any]) -> Any:
    if isinstance(place, ast.Name):
        return names.get(place.id)
    if isinstance(place, ast.Attribute) and isinstance(place.value, ast.Name):
        return getattr(names.get(place.value.id), place.attr, None)
    return None


def test_there_are_commands() -> None:
    assert len(LEAVES) > 100


@pytest.mark.parametrize("words", LEAVES, ids=" ".join)
def test_a_command_takes_json_and_has_a_document_to_print(
    words: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    """Behind the words of the command, where people write it; what is wrong there comes as a document too."""
    with pytest.raises(SystemExit) as left:
        main([*words, "--no-such-option", "--json"])
    shown = capsys.readouterr()
    assert (left.value.code, shown.err) == (2, "")
    assert json.loads(shown.out)["error"]["code"] == "usage"
    callback = LEAVES[words].callback
    assert callback is not None
    assert prints_a_document(callback)


def says_it_in_words(context: Any) -> None:
    context.out.text("done")


def says_it_both_ways(context: Any) -> None:
    tell(context)


def tell(context: Any) -> None:
    context.out.show({"done": True}, lambda: says_it_in_words(context))


@pytest.mark.parametrize(("function", "prints"), [(says_it_in_words, False), (says_it_both_ways, True)])
def test_control_a_command_that_prints_no_document_is_noticed(
    function: Callable[..., Any], prints: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for each in (says_it_in_words, says_it_both_ways, tell):
        monkeypatch.setattr(each, "__module__", f"{OF_THE_COMMAND_LINE}.new")
    assert prints_a_document(function) is prints
