"""A home whose name is spelled wrong is no new deployment: what each command does with a folder that holds none."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import click
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from consentry.cli.invocation import Later
from consentry.cli.main import cli, main
from consentry.home import holds_deployment
from consentry.home_folder import HOME_VARIABLE
from consentry.settings import read_settings
from end_to_end.network import Form, RawItem, RawPerson, write_corpus, write_people

Words = tuple[str, ...]

BEGIN: dict[Words, Words] = {
    ("init",): (),
    ("people", "load"): ("people/people.toml",),
    ("corpus", "register"): ("corpus.toml",),
    ("policy", "publish"): ("september-2024",),
    ("account", "add"): ("olga", "--role", "auditor"),
}
"""What begins a deployment, with what it is given here."""

OF_ITS_OWN = {("demo",)}
"""Makes a home that it marks as a demo's, and replaces no other (tests/end_to_end/test_demo_page.py)."""

NEED_NONE: dict[Words, Words] = {
    ("doctor",): (),
    ("completion",): ("bash",),
    ("policy", "list"): (),
    ("policy", "check"): ("policy.toml",),
    ("policy", "show"): ("september-2024",),
    ("policy", "diff"): ("september-2024", "november-2025"),
    ("policy", "test"): ("september-2024",),
    ("people", "locate"): ("--country", "GB"),
    ("receipt", "verify"): ("a-file", "--key", "a-file"),
    ("authority", "verify"): ("a-file", "--key", "a-file"),
    ("import", "stackexchange"): ("people", "converted"),
    ("import", "tabular"): ("corpus.toml", "converted"),
    ("ledger", "migrate"): (),
}
"""What asks no deployment, or says itself that there is none; migrating is about a database, not about the folder."""


AS_GIVEN: dict[Words, Words] = {
    ("account", "key-of"): ("fca", "key.pem"),
    ("case", "correct-notice"): ("ico-2024", "winter", "--take-back", "--reason", "mistyped", "--by", "olga"),
    ("notice", "serve"): ("winter", "--person", "ada"),
    ("objection", "erase"): ("obj-1", "--by", "olga", "--yes"),
    ("objection", "match"): ("obj-1", "--by", "olga", "--person", "ada"),
    ("receipt", "give"): ("a-receipt", "--person", "ada"),
    ("suspend",): ("--case", "uk", "--area", "GB", "--reference", "letter"),
    ("what-if",): ("network", "--suspend", "GB"),
}
"""Commands that take more than what they say they require."""


@cache
def commands() -> dict[Words, click.Command]:
    return dict(_below((), cli))


def _below(words: Words, command: click.Command) -> Iterator[tuple[Words, click.Command]]:
    command = command.load() if isinstance(command, Later) else command
    if isinstance(command, click.Group):
        for name, each in command.commands.items():
            yield from _below((*words, name), each)
    else:
        yield words, command


def filled(command: click.Command) -> list[str]:
    """Return arguments that a command takes: those it requires, each with a value of its type."""
    given: list[str] = []
    for each in command.params:
        if not each.required:
            continue
        name = [] if isinstance(each, click.Argument) else [each.opts[0]]
        given += [*name, *[value_for(each.type)] * max(each.nargs, 1)]
    return [*given, "--yes"] if any("--yes" in each.opts for each in command.params) else given


def value_for(kind: object) -> str:
    if isinstance(kind, click.Choice):
        return str(kind.choices[0])
    if isinstance(kind, click.Path):
        return "people" if not kind.file_okay else "a-file"
    return "1"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with what commands are given, and nothing else."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv(HOME_VARIABLE, raising=False)
    write_corpus(tmp_path, [[RawItem(id="a1", author="ada")]], Form())
    write_people(tmp_path / "people", [RawPerson(id="ada")])
    (tmp_path / "a-file").write_text("x")
    (tmp_path / "policy.toml").write_text("")
    public = Ed25519PrivateKey.generate().public_key()
    (tmp_path / "key.pem").write_bytes(public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    (tmp_path / "home").mkdir(mode=0o700)
    return tmp_path


def said(words: Sequence[str], capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as left:
        main(list(words))
    assert isinstance(left.value.code, int)
    shown = capsys.readouterr()
    return left.value.code, shown.out, shown.err


REFUSING = sorted(set(commands()) - set(BEGIN) - set(NEED_NONE) - OF_ITS_OWN)


def test_what_is_listed_here_are_commands() -> None:
    assert {*BEGIN, *NEED_NONE, *OF_ITS_OWN} <= set(commands())
    assert len(REFUSING) > 60


@pytest.mark.parametrize("words", REFUSING, ids=" ".join)
def test_a_command_refuses_an_empty_folder_and_leaves_it_empty(
    words: Words, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = AS_GIVEN.get(words) or filled(commands()[words])
    for home in ("home", "no-such-home"):
        status, out, _ = said(("--home", home, "--json", *words, *arguments), capsys)
        assert (status, json.loads(out)["error"]["code"]) == (1, "home-missing"), out
        assert "consentry init" in json.loads(out)["error"]["help"]
    assert list((folder / "home").iterdir()) == []
    assert not (folder / "no-such-home").exists()


@pytest.mark.parametrize("words", sorted(NEED_NONE), ids=" ".join)
def test_a_command_that_needs_no_deployment_makes_none(
    words: Words, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _, out, err = said(("--home", "home", *words, *NEED_NONE[words]), capsys)
    assert "home-missing" not in out + err
    assert "internal-error" not in out + err
    assert list((folder / "home").iterdir()) == []


@pytest.mark.parametrize("words", sorted(BEGIN), ids=" ".join)
def test_a_command_that_begins_a_deployment_says_so_once(
    words: Words, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    line = ("--home", "home", "--json", *words, *BEGIN[words])
    status, out, err = said(line, capsys)
    assert status == 0, out + err
    assert f"Made a new deployment in {folder / 'home'}" in err.replace("\n", "")
    assert isinstance(json.loads(out), dict)
    assert holds_deployment(read_settings(folder / "home"))
    assert "Made a new deployment" not in said(line, capsys)[2]
    assert said(("--home", "home", "order", "list"), capsys)[0] == 0


def test_the_variable_and_the_default_name_are_looked_at_as_well(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "home-missing" in said(("order", "list"), capsys)[2]
    monkeypatch.setenv(HOME_VARIABLE, "hom")
    assert f"`{folder / 'hom'}` holds no deployment" in said(("order", "list"), capsys)[2].replace("\n", "")
    assert not (folder / "hom").exists()
    assert not (folder / "consentry-home").exists()


def test_init_says_what_it_found(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    expected: list[dict[str, Any]] = [{"home": str(folder / "new"), "new": new} for new in (True, False)]
    found = [json.loads(said(("--home", "new", "--json", "init"), capsys)[1]) for _ in expected]
    assert found == expected


@pytest.mark.parametrize("left", ["identity.json", "keys", "ledger.db"])
def test_what_is_left_of_a_deployment_is_no_empty_folder(
    left: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A lost ledger or key has an error of its own, and `init` makes no new one in its place."""
    assert said(("--home", "home", "policy", "publish", "september-2024"), capsys)[0] == 0
    for path in sorted((folder / "home").rglob("*"), reverse=True):
        if path != folder / "home" / left and path.parent != folder / "home" / left:
            path.rmdir() if path.is_dir() else path.unlink()
    for words in (("order", "list"), ("init",)):
        status, _, err = said(("--home", "home", *words), capsys)
        assert status == 1, err
        assert "home-missing" not in err
